//! Where the issuer's keys come from, and how they stay fresh.
//!
//! A [`KeySet`] is shared by all e-services whose keys have the same address. It is refreshed on a schedule, and when
//! a token names a key that is not in it; it survives an outage of the issuer (the last good set stays) and a restart
//! (through a [`KeyCache`]). What a key must look like is in `signature`.

use std::fs::File;
use std::io::Read;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::signature::{Jwks, Key};
use crate::clock::Clock;
use crate::store::Store;
use crate::store::jwks::{self, CachedJwks};

/// The time between two scheduled fetches: how long a key that the issuer withdrew keeps working, at most.
const REFRESH_INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// The time between two fetches whatever their cause, so that tokens with made-up key ids cannot cause more.
const SHORTEST_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// How often the schedule is looked at.
const TICK: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// The longest that a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is neither `https:` nor `file:`.
    #[error("keys are fetched from https: and file: addresses only")]
    Scheme,
    /// The connection failed, timed out or was not to be trusted, or the answer was too large.
    #[error("{0}")]
    Http(#[from] ureq::Error),
    /// The answer's status was another than 200; redirects are not followed.
    #[error("the answer's status was {0}")]
    Status(u16),
    /// The file could not be read.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The answer holds no key that could verify a voucher.
    #[error("no usable key in the answer")]
    NoUsableKey,
}

/// Fetches a JWKS. Blocking.
pub trait Fetch: Send + Sync {
    /// The text of the JWKS at `url`.
    fn fetch(&self, url: &str) -> Result<String, FetchError>;
}

/// Fetches over HTTPS, trusting the certificate authorities of the machine, or from a file.
#[derive(Debug)]
pub struct HttpsOrFile {
    agent: ureq::Agent,
}

impl Default for HttpsOrFile {
    fn default() -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .tls_config(tls)
            .build();
        Self { agent: config.new_agent() }
    }
}

impl HttpsOrFile {
    /// The server's clock, where it tells it: to the second, and as late as the answer takes.
    pub fn date(&self, url: &str) -> Result<Option<Timestamp>, FetchError> {
        let response = self.agent.get(url).call()?;
        let date = response.headers().get("Date").and_then(|date| date.to_str().ok());
        Ok(date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()))
    }
}

impl Fetch for HttpsOrFile {
    fn fetch(&self, url: &str) -> Result<String, FetchError> {
        if let Some(path) = url.strip_prefix("file://").or_else(|| url.strip_prefix("file:")) {
            let mut text = String::new();
            File::open(path)?.take(MAX_SIZE).read_to_string(&mut text)?;
            return Ok(text);
        }
        if !url.starts_with("https://") {
            return Err(FetchError::Scheme);
        }
        let mut response = self.agent.get(url).call()?;
        if response.status() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        Ok(response.body_mut().with_config().limit(MAX_SIZE).read_to_string()?)
    }
}

/// Remembers fetched keys across restarts. Blocking; a failure is the implementor's to log, and costs only the memory.
pub trait KeyCache: Send + Sync {
    /// What was last saved for `url`: the JWKS, and when it was fetched.
    fn load(&self, url: &str) -> Option<(String, Timestamp)>;
    /// Saves what was fetched from `url`.
    fn save(&self, url: &str, jwks: &str, fetched: Timestamp);
}

/// Remembers nothing.
impl KeyCache for () {
    fn load(&self, _: &str) -> Option<(String, Timestamp)> {
        None
    }

    fn save(&self, _: &str, _: &str, _: Timestamp) {}
}

impl KeyCache for Store {
    fn load(&self, url: &str) -> Option<(String, Timestamp)> {
        let remembered = self
            .read_bounded({
                let url = url.to_owned();
                move |connection| jwks::load(connection, &url)
            })
            .unwrap_or_else(|error| {
                tracing::warn!(url, %error, "cannot read the issuer's keys from the database");
                None
            })?;
        Some((remembered.body, remembered.fetched))
    }

    fn save(&self, url: &str, jwks: &str, fetched: Timestamp) {
        let keys = CachedJwks { body: jwks.to_owned(), fetched };
        let source = url.to_owned();
        if let Err(error) = self.write_bounded(move |connection| jwks::save(connection, &source, &keys)) {
            tracing::warn!(url, %error, "cannot keep the issuer's keys in the database");
        }
    }
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer publishes no such key.
    Unknown,
    /// No keys could be had at all.
    Unavailable,
}

/// How a [`KeySet`] is doing, for `doctor`, logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysStatus {
    /// Where the keys are.
    pub url: String,
    /// How many keys can verify a voucher.
    pub keys: usize,
    /// When they were fetched; `None` as long as there are none.
    pub fetched: Option<Timestamp>,
    /// Why the last attempt failed, if it did.
    pub failure: Option<String>,
}

/// The keys of one issuer. Clones share the same keys.
#[derive(Clone)]
pub struct KeySet(Arc<Shared>);

struct Shared {
    url: String,
    fetch: Arc<dyn Fetch>,
    cache: Arc<dyn KeyCache>,
    clock: Clock,
    /// Replaced as a whole, never changed in place: a withdrawn key leaves with its set.
    state: RwLock<Arc<State>>,
    /// Held by the one fetch in flight.
    turn: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<Jwks>,
    fetched: Option<Timestamp>,
    attempted: Option<Timestamp>,
    failure: Option<String>,
}

impl KeySet {
    /// The keys at `url`: those that `cache` remembers, until they are first refreshed. Blocking.
    #[must_use]
    pub fn open(url: &str, fetch: Arc<dyn Fetch>, cache: Arc<dyn KeyCache>, clock: Clock) -> Self {
        let remembered = cache.load(url).and_then(|(jwks, fetched)| {
            let keys = Arc::new(Jwks::parse(&jwks)?);
            Some(State { keys, fetched: Some(fetched), attempted: None, failure: None })
        });
        let state = RwLock::new(Arc::new(remembered.unwrap_or_default()));
        Self(Arc::new(Shared { url: url.to_owned(), fetch, cache, clock, state, turn: Arc::default() }))
    }

    /// How the keys are doing.
    #[must_use]
    pub fn status(&self) -> KeysStatus {
        let state = self.0.state();
        KeysStatus {
            url: self.0.url.clone(),
            keys: state.keys.len(),
            fetched: state.fetched,
            failure: state.failure.clone(),
        }
    }

    /// Fetches the keys if their time has come: a quarter of an hour after a success, a minute after a failure. Needs
    /// a tokio runtime.
    pub async fn refresh_if_due(&self) {
        let interval = if self.0.state().failure.is_some() { SHORTEST_INTERVAL } else { REFRESH_INTERVAL };
        self.refresh(interval).await;
    }

    /// Keeps the keys fresh until the result is dropped. Needs a tokio runtime.
    #[must_use]
    pub fn keep_fresh(&self) -> Refresher {
        let keys = self.clone();
        Refresher(tokio::spawn(async move {
            loop {
                keys.refresh_if_due().await;
                tokio::time::sleep(TICK).await;
            }
        }))
    }

    /// The key that a token names. One that is not known is looked for at its source, at most once a minute.
    pub(super) async fn find(&self, kid: &str) -> Result<Key, NoKey> {
        if let Some(key) = self.0.state().keys.get(kid) {
            return Ok(key);
        }
        self.refresh(SHORTEST_INTERVAL).await;
        let state = self.0.state();
        let missing = if state.keys.len() == 0 { NoKey::Unavailable } else { NoKey::Unknown };
        state.keys.get(kid).ok_or(missing)
    }

    /// Fetches unless the last attempt is younger than `interval`. Whoever arrives during a fetch waits
    /// for its end, and then finds that there is nothing left to do.
    async fn refresh(&self, interval: SignedDuration) {
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        if !self.0.is_due(interval) {
            return;
        }
        let shared = Arc::clone(&self.0);
        // The turn ends with the fetch, not with the caller, who may give up before.
        let fetch = spawn_blocking(move || {
            shared.fetch();
            drop(turn);
        });
        if let Err(error) = fetch.await {
            tracing::error!(url = self.0.url, %error, "the fetch of the issuer's keys was cut off");
        }
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_due(&self, interval: SignedDuration) -> bool {
        self.state().attempted.is_none_or(|attempted| {
            let elapsed = self.clock.now().duration_since(attempted);
            // A clock that was set back must not stop the refreshes until it has caught up.
            elapsed >= interval || elapsed.is_negative()
        })
    }

    fn fetch(&self) {
        let now = self.clock.now();
        let fetched = self.fetch.fetch(&self.url).and_then(|jwks| {
            let keys = Jwks::parse(&jwks).ok_or(FetchError::NoUsableKey)?;
            Ok((jwks, Arc::new(keys)))
        });
        let state = match fetched {
            Ok((jwks, keys)) => {
                self.cache.save(&self.url, &jwks, now);
                State { keys, fetched: Some(now), attempted: Some(now), failure: None }
            }
            Err(error) => {
                tracing::warn!(url = self.url, %error, "cannot fetch the issuer's keys; the last ones stay");
                let last = self.state();
                State {
                    keys: Arc::clone(&last.keys),
                    fetched: last.fetched,
                    attempted: Some(now),
                    failure: Some(error.to_string()),
                }
            }
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }
}

/// Keeps a [`KeySet`] fresh as long as it lives.
#[derive(Debug)]
pub struct Refresher(JoinHandle<()>);

impl Drop for Refresher {
    fn drop(&mut self) {
        self.0.abort();
    }
}
