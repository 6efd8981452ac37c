//! What the operator decides: the configuration file and its environment variables, as types.
//!
//! Here: the shape of the configuration, its defaults, and how file and environment are layered. What is wrong or
//! risky about a configuration that parses is in [`check`]. No other room reads files of configuration or
//! environment variables.
//!
//! Each key of the file is also an environment variable: `database.url` is `WAAS__DATABASE__URL`, and an element of
//! an array is named by its index: `WAAS__ESERVICE__0__ENTE__0__CODICE`. A list of strings is given as one variable,
//! its values separated by commas.

pub mod check;
mod eservice;
mod faults;
mod load;
pub mod restart;
pub mod template;
pub mod tracing;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::siuss::rules::Level;

pub use eservice::{AuditPolicy, BELFIORE_PATTERN, DpopPolicy, EService, Ente, Environment, is_belfiore};
pub use load::{ConfigError, DEFAULT_FILE, load};
pub use tracing::Tracing;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the benefits, the flows and the call log are kept.
    pub database: Database,
    /// The listener that INPS reaches.
    pub api: Api,
    /// The listener of the ente's own staff: console, metrics, health.
    pub back_office: BackOffice,
    /// The register of calls.
    pub call_log: CallLog,
    /// How long payloads are kept.
    pub retention: Retention,
    /// What the operator makes of the rules of records, by their codes.
    #[serde(deserialize_with = "load::all_named")]
    pub rules: BTreeMap<String, Level>,
    /// How children in care are called.
    pub sinba: Sinba,
    /// Who is told of calls, beside the logs.
    pub telemetry: Telemetry,
    /// The e-services that this process exposes.
    pub eservice: Vec<EService>,
    /// The members of PDND for whom calls are counted.
    pub tracing: Vec<Tracing>,
}

/// `[database]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://PATH` or `postgres://…`; it may carry a password.
    pub url: SecretString,
    /// The file that `url` was read from, if it was.
    pub url_file: Option<PathBuf>,
    /// A streaming replica of the database, from which pulls read: `postgres://…`.
    pub replica_url: Option<SecretString>,
    /// The file that `replica_url` was read from, if it was.
    pub replica_url_file: Option<PathBuf>,
    /// How many connections this process opens at most (PostgreSQL), or how many readers (SQLite).
    pub connections: u32,
    /// Seconds that a call waits for a connection, or a statement for its result, before it is given up.
    pub timeout_seconds: u16,
    /// Seconds that `serve` waits at its start for a database that is not there yet. 0: it does not wait.
    pub startup_seconds: u16,
}

impl Database {
    /// The file of a SQLite database; none for a server.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<&Path> {
        self.url.expose_secret().strip_prefix("sqlite://").filter(|path| !path.is_empty()).map(Path::new)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://data/waas-comuni.db".into(),
            url_file: None,
            replica_url: None,
            replica_url_file: None,
            connections: 8,
            timeout_seconds: 5,
            startup_seconds: 60,
        }
    }
}

/// `[api]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port to listen on.
    pub bind: String,
    /// The base URL under which INPS reaches this listener, without a path.
    pub public_url: Option<String>,
    /// Addresses or networks (`10.0.0.0/8`) of the proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "load::strings")]
    pub trusted_proxies: Vec<String>,
    /// Calls a minute of one client address (IPv6: one network of 64 bits) that nothing lets in; past them everything
    /// from there is refused until the minute is over. 0: no limit. Calls with a good voucher do not count.
    pub refused_calls_per_minute: u32,
    /// Calls that are worked on at once; those beyond wait for a moment, or are shed with 503. 0: as many as suit the
    /// cores of the machine.
    pub calls_in_flight: u32,
    /// Whether the next page of a caller who follows the cursor is read before it is asked for.
    pub read_ahead: bool,
    /// Whether the signature of a voucher that comes again is verified once.
    pub remember_signatures: bool,
    /// Connections at once; those beyond wait to be accepted.
    pub connections: u32,
    /// Seconds that a connection stays open whose client takes nothing of an answer.
    pub stalled_seconds: u16,
    /// Certificate and key; absent: plain HTTP, for a proxy in front.
    pub tls: Option<Tls>,
    /// Seconds that a graceful shutdown waits for the calls in flight.
    pub shutdown_seconds: u16,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            bind: "0.0.0.0:8443".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            refused_calls_per_minute: 120,
            calls_in_flight: 0,
            read_ahead: true,
            remember_signatures: true,
            connections: 4096,
            stalled_seconds: 30,
            tls: None,
            shutdown_seconds: 30,
        }
    }
}

/// `[api.tls]`, `[back_office.tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate and its chain, leaf first.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// `[back_office]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackOffice {
    /// Address and port to listen on.
    pub bind: String,
    /// The base URL under which staff reach it, without a path: what a proxy in front is called.
    pub public_url: Option<String>,
    /// Addresses or networks of the proxies whose `X-Forwarded-For` and `identity_header` are believed.
    #[serde(deserialize_with = "load::strings")]
    pub trusted_proxies: Vec<String>,
    /// The header in which the ente's identity proxy names the user who is signed in there.
    pub identity_header: Option<String>,
    /// Megabytes (10⁶ bytes) of a file that staff load.
    pub upload_megabytes: NonZeroU16,
    /// Certificate and key; absent: plain HTTP, for loopback or a proxy in front.
    pub tls: Option<Tls>,
}

const UPLOAD_MEGABYTES: NonZeroU16 = match NonZeroU16::new(100) {
    Some(megabytes) => megabytes,
    None => NonZeroU16::MIN,
};

impl Default for BackOffice {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8081".to_owned(),
            public_url: None,
            trusted_proxies: Vec::new(),
            identity_header: None,
            upload_megabytes: UPLOAD_MEGABYTES,
            tls: None,
        }
    }
}

/// `[call_log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallLog {
    /// Days that an entry is kept.
    pub retention_days: u32,
    /// PEM file with the Ed25519 key that signs checkpoints.
    pub checkpoint_key: Option<PathBuf>,
    /// The file outside the database to which checkpoints are added.
    pub checkpoint_file: Option<PathBuf>,
    /// Minutes between checkpoints of a log that grows: 1 to 60.
    pub checkpoint_minutes: u16,
    /// Where checkpoints are sent, by `POST`.
    pub witness_url: Option<String>,
    /// What the logs are called in their checkpoints; the host of `api.public_url` unless said otherwise.
    pub origin: Option<String>,
}

impl Default for CallLog {
    fn default() -> Self {
        Self {
            retention_days: 365,
            checkpoint_key: None,
            checkpoint_file: None,
            checkpoint_minutes: 60,
            witness_url: None,
            origin: None,
        }
    }
}

/// `[retention]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Days after which the payload of a flow that INPS accepted is dropped; absent: never.
    pub payload_days: Option<u32>,
    /// Whether the payload that a cancellation would repeat is kept nevertheless.
    pub keep_for_cancellation: bool,
}

impl Default for Retention {
    fn default() -> Self {
        Self { payload_days: None, keep_for_cancellation: true }
    }
}

/// `[telemetry]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// Where a collector takes traces (OTLP over HTTP); absent: there are none.
    pub otlp_traces_url: Option<String>,
}

/// `[sinba]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sinba {
    /// The key that makes a child's pseudonym of its fiscal code.
    pub pseudonym_key: Option<SecretString>,
    /// The file that `pseudonym_key` was read from, if it was.
    pub pseudonym_key_file: Option<PathBuf>,
}
