//! Sessions: who is signed in, kept in the database under the hash of a random id that only the cookie has.
//!
//! A session kept here can be ended from here, by its owner, by an administrator and by a change of password; one that
//! is kept in a signed cookie cannot.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use openssl::error::ErrorStack;
use openssl::memcmp;
use openssl::rand::rand_bytes;
use openssl::sha::{Sha256, sha256};

use super::{Account, accounts};
use crate::store::schema::staff_session;
use crate::store::{AnyConnection, StoreError};

/// How long a session lives without being used, in milliseconds.
pub const IDLE_MS: i64 = 30 * 60 * 1000;
/// How long a session lives at most.
pub const LIFETIME_MS: i64 = 10 * 60 * 60 * 1000;
/// How exactly it is known when a session was last used: a page does not cost a write.
const SEEN_MS: i64 = 60 * 1000;

/// The id of a session, or of a visitor who is not signed in: 256 random bits, which the cookie carries.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId([u8; 32]);

impl std::fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SessionId(…)")
    }
}

impl SessionId {
    /// A fresh one, which nobody knows yet.
    pub fn generate() -> Result<Self, ErrorStack> {
        let mut id = [0; 32];
        rand_bytes(&mut id)?;
        Ok(Self(id))
    }

    /// The id in a cookie's value, if it has the form of one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The value of the cookie.
    #[must_use]
    pub fn cookie_value(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What every form of this visitor carries: it can be made of the id alone, and the id not of it.
    #[must_use]
    pub fn form_token(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"waas-comuni form token\0");
        hash.update(&self.0);
        URL_SAFE_NO_PAD.encode(hash.finish())
    }

    /// Whether `token` is that of this visitor's forms, told in the same time whatever it is.
    #[must_use]
    pub fn is_form_token(&self, token: &str) -> bool {
        let expected = self.form_token();
        expected.len() == token.len() && memcmp::eq(expected.as_bytes(), token.as_bytes())
    }

    fn hash(&self) -> Vec<u8> {
        sha256(&self.0).to_vec()
    }
}

/// Begins a session of the account, in the place of the visitor's former one; old sessions of anybody's go.
pub fn open(
    connection: &mut AnyConnection,
    id: &SessionId,
    former: Option<&SessionId>,
    account_id: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    let over = staff_session::table.filter(
        staff_session::seen_ms.le(now_ms - IDLE_MS).or(staff_session::created_ms.le(now_ms - LIFETIME_MS)),
    );
    diesel::delete(over).execute(connection)?;
    if let Some(former) = former {
        close(connection, former)?;
    }
    diesel::insert_into(staff_session::table)
        .values((
            staff_session::id_hash.eq(id.hash()),
            staff_session::account_id.eq(account_id),
            staff_session::created_ms.eq(now_ms),
            staff_session::seen_ms.eq(now_ms),
        ))
        .execute(connection)?;
    Ok(())
}

/// Whose session `id` is, and whether [`touch`] is due; none when it is nobody's, or over, or its account is disabled.
pub fn find(
    connection: &mut AnyConnection,
    id: &SessionId,
    now_ms: i64,
) -> Result<Option<(Account, bool)>, StoreError> {
    let row: Option<(i64, i64)> = staff_session::table
        .find(id.hash())
        .filter(staff_session::seen_ms.gt(now_ms - IDLE_MS))
        .filter(staff_session::created_ms.gt(now_ms - LIFETIME_MS))
        .select((staff_session::account_id, staff_session::seen_ms))
        .first(connection)
        .optional()?;
    let Some((account_id, seen_ms)) = row else { return Ok(None) };
    let account = accounts::in_force(connection, account_id)?;
    Ok(account.map(|account| (account, now_ms - seen_ms >= SEEN_MS)))
}

/// Notes that the session is in use.
pub fn touch(connection: &mut AnyConnection, id: &SessionId, now_ms: i64) -> Result<(), StoreError> {
    diesel::update(staff_session::table.find(id.hash()))
        .set(staff_session::seen_ms.eq(now_ms))
        .execute(connection)?;
    Ok(())
}

/// Ends a session.
pub fn close(connection: &mut AnyConnection, id: &SessionId) -> Result<(), StoreError> {
    diesel::delete(staff_session::table.find(id.hash())).execute(connection)?;
    Ok(())
}
