//! The way in: name and password, or the name that the ente's identity proxy vouches for.

use std::net::IpAddr;
use std::sync::Arc;

use openssl::error::ErrorStack;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::password::{self, PasswordError};
use super::session::{self, SessionId};
use super::throttle::Throttle;
use super::{Account, accounts, login_name};
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// Passwords that are hashed at once: each takes 19 MiB.
const AT_ONCE: usize = 4;

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Name or password are wrong, or the account is disabled: which of them is not told.
    #[error("refused")]
    Refused,
    /// Too many attempts for this name or from this address.
    #[error("too many attempts")]
    TooMany,
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// No hash could be made.
    #[error("{0}")]
    Password(#[from] PasswordError),
}

impl From<ErrorStack> for DoorError {
    fn from(error: ErrorStack) -> Self {
        Self::Password(error.into())
    }
}

/// The way in. Clones share what they count.
#[derive(Clone, Debug)]
pub struct Door {
    store: Store,
    clock: Clock,
    throttle: Arc<Throttle>,
    slots: Arc<Semaphore>,
    /// What the password of an unknown name is held against, so that it takes as long as that of a known one.
    nobody: Arc<str>,
}

impl Door {
    /// The way in to the accounts in `store`. Hashes a password: blocks for a moment.
    pub fn new(store: Store, clock: Clock) -> Result<Self, PasswordError> {
        Ok(Self {
            store,
            clock,
            throttle: Arc::default(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            nobody: password::hash(&password::generate()?)?.into(),
        })
    }

    /// Lets in whoever knows the password of the account `name`: a session in the place of the visitor's `former` one.
    pub async fn sign_in(
        &self,
        name: &str,
        password: SecretString,
        address: Option<IpAddr>,
        former: Option<SessionId>,
    ) -> Result<(Account, SessionId), DoorError> {
        let name = login_name(name).unwrap_or_default();
        if !self.throttle.attempt(&name, address, self.clock.now_ms()) {
            return Err(DoorError::TooMany);
        }
        let account = self.check(&name, password).await?.ok_or(DoorError::Refused)?;
        self.throttle.forgive(&name, address);
        let id = self.open(account.id, former).await?;
        Ok((account, id))
    }

    /// Lets in whoever the identity proxy says is `name`, which must be an account in force.
    pub async fn vouched(
        &self,
        name: &str,
        former: Option<SessionId>,
    ) -> Result<(Account, SessionId), DoorError> {
        let name = login_name(name).ok_or(DoorError::Refused)?;
        let found = self.store.read_async(move |connection| accounts::with_hash(connection, &name)).await?;
        let (mut account, _) = found.ok_or(DoorError::Refused)?;
        // The proxy has asked for another secret: whether ours is provisional is no matter.
        account.provisional = false;
        let id = self.open(account.id, former).await?;
        Ok((account, id))
    }

    async fn open(&self, account: i64, former: Option<SessionId>) -> Result<SessionId, DoorError> {
        let id = SessionId::generate()?;
        let (opened, now_ms) = (id.clone(), self.clock.now_ms());
        self.store
            .write_async(move |connection| {
                session::open(connection, &opened, former.as_ref(), account, now_ms)
            })
            .await?;
        Ok(id)
    }

    /// The account in force with this name and password.
    async fn check(&self, name: &str, password: SecretString) -> Result<Option<Account>, DoorError> {
        let name = name.to_owned();
        let found = self.store.read_async(move |connection| accounts::with_hash(connection, &name)).await?;
        let (account, hash) = match found {
            Some((account, Some(hash))) => (Some(account), hash.into()),
            _ => (None, Arc::clone(&self.nobody)),
        };
        let good = self.hashing(move || password::verify(&password, &hash)).await?;
        Ok(account.filter(|_| good))
    }

    /// Whose session `id` is.
    pub async fn whose(&self, id: SessionId) -> Result<Option<Account>, DoorError> {
        let now_ms = self.clock.now_ms();
        let looked_up = id.clone();
        let found =
            self.store.read_async(move |connection| session::find(connection, &looked_up, now_ms)).await?;
        Ok(match found {
            Some((account, due)) => {
                if due {
                    self.store.write_async(move |connection| session::touch(connection, &id, now_ms)).await?;
                }
                Some(account)
            }
            None => None,
        })
    }

    /// Ends a session.
    pub async fn sign_out(&self, id: SessionId) -> Result<(), DoorError> {
        Ok(self.store.write_async(move |connection| session::close(connection, &id)).await?)
    }

    /// Gives the account the password `new`, if `old` is its present one, and a session in the place of all that it had.
    pub async fn change_password(
        &self,
        account: &Account,
        old: SecretString,
        new: SecretString,
        address: Option<IpAddr>,
    ) -> Result<SessionId, DoorError> {
        if !self.throttle.attempt(&account.name, address, self.clock.now_ms()) {
            return Err(DoorError::TooMany);
        }
        self.check(&account.name, old).await?.ok_or(DoorError::Refused)?;
        self.throttle.forgive(&account.name, address);
        let hash = self.hashing(move || password::hash(&new)).await??;
        let id = SessionId::generate()?;
        let (name, account_id) = (account.name.clone(), account.id);
        let (opened, now_ms) = (id.clone(), self.clock.now_ms());
        self.store
            .write_async(move |connection| {
                accounts::set_password(connection, &name, &hash, false)?;
                session::open(connection, &opened, None, account_id, now_ms)
            })
            .await?;
        Ok(id)
    }

    /// A provisional password and its hash.
    pub async fn provisional(&self) -> Result<(SecretString, String), DoorError> {
        let password = password::generate()?;
        let hashed = password.clone();
        let hash = self.hashing(move || password::hash(&hashed)).await??;
        Ok((password, hash))
    }

    /// Runs `work`, which takes time and memory, where it may, and not too often at once.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, DoorError> {
        let interrupted = || StoreError::Unavailable("the work was interrupted".to_owned());
        let _slot = self.slots.acquire().await.map_err(|_| interrupted())?;
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| interrupted())?)
    }
}
