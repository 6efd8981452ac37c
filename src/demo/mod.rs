//! The demonstration's own things: keys, sample benefits of invented people, and a configuration that binds them.
//!
//! Here they are made; the command `demo` tells the story with them.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use crate::staff::password::{self, PasswordError};
use crate::staff::{self, Edit, Roles, Scope};
use crate::store::{Store, StoreError};
use crate::voucher::issuer::{self, IssuerError, Profile};

/// The Comune of the demonstration.
pub const ENTE: &str = "H501";

/// What [`prepare`] made, or found from an earlier time.
#[derive(Debug)]
pub struct Demo {
    /// The configuration.
    pub config: PathBuf,
    /// The private key and the profile of the local issuer.
    pub issuer: [PathBuf; 2],
    /// The files with benefits.
    pub samples: [PathBuf; 2],
}

/// With what one signs in to the demonstration's back office.
pub const USER: &str = "demo";

/// Makes the account of the demonstration's back office, which may do everything. Gives its first password; none when
/// somebody has chosen another since.
pub fn user(store: &Store, directory: &Path, now_ms: i64) -> Result<Option<String>, DemoError> {
    let path = directory.join("back-office-password");
    match store.read(|connection| staff::find(connection, USER))? {
        Some(listed) if !listed.account.provisional => return Ok(None),
        Some(_) => {
            let failed = |source| DemoError::File { path: path.clone(), source };
            return fs::read_to_string(&path).map(Some).map_err(failed);
        }
        None => {}
    }
    let password = password::generate().map_err(PasswordError::from)?;
    let hash = password::hash(&password)?;
    let write = || {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(password.expose_secret().as_bytes())
    };
    write().map_err(|source| DemoError::File { path: path.clone(), source })?;
    let edit =
        Edit { full_name: "Utente dimostrativo".to_owned(), roles: Roles::all(), scope: Scope::default() };
    store.write(|connection| staff::add(connection, USER, &edit, Some(&hash), now_ms))?;
    Ok(Some(password.expose_secret().to_owned()))
}

/// Why there is no demonstration.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file cannot be made.
    #[error("cannot prepare {path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// No password can be made.
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// The local issuer cannot be made.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
}

/// Makes in `directory` what the demonstration needs. What is there already is kept: the database goes on.
pub fn prepare(directory: &Path) -> Result<Demo, DemoError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::File { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let directory = fs::canonicalize(directory).map_err(failed(directory))?;
    let keys = directory.join("keys");
    if !keys.exists() {
        issuer::keygen(&keys, &Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]))?;
    }
    let samples =
        [("prestazioni.csv", include_str!("prestazioni.csv")), ("minori.csv", include_str!("minori.csv"))];
    let [prestazioni, minori] = samples.map(|(name, text)| (directory.join(name), text));
    for (path, text) in [&prestazioni, &minori] {
        fs::write(path, text).map_err(failed(path))?;
    }
    let config = directory.join("waas-comuni.toml");
    let mut file = fs::File::create(&config).map_err(failed(&config))?;
    file.write_all(configuration(&directory).as_bytes()).map_err(failed(&config))?;
    Ok(Demo {
        config,
        issuer: [keys.join(issuer::KEY_FILE), keys.join(issuer::PROFILE_FILE)],
        samples: [prestazioni.0, minori.0],
    })
}

/// The configuration: one local e-service, thresholds as high as the contract admits.
fn configuration(directory: &Path) -> String {
    let api = free_port(8080);
    let back_office = free_port(8081);
    let directory = directory.display();
    format!(
        r#"# The demonstration's configuration: vouchers of a local issuer, on this machine only.
[database]
url = "sqlite://{directory}/waas-comuni.db"

[api]
bind = "127.0.0.1:{api}"
public_url = "http://127.0.0.1:{api}"

[back_office]
bind = "127.0.0.1:{back_office}"

[[eservice]]
name = "demo"
base_path = "/waas/v1"
environment = "locale"
issuer = "locale.example.it"
jwks_url = "file:{directory}/keys/jwks.json"
audience = ["SIUSS"]
daily_calls_per_consumer = 100000
daily_calls_total = 100000

  [[eservice.ente]]
  codice = "{ENTE}"
  denominazione = "Comune di Roma"
  sede = "{ENTE}"
  cf_operatore = "RSSMRA80A01H501U"
"#
    )
}

/// `preferred`, or a port that is free where that one is taken.
fn free_port(preferred: u16) -> u16 {
    let try_port =
        |port: u16| TcpListener::bind(("127.0.0.1", port)).and_then(|listener| listener.local_addr());
    try_port(preferred).or_else(|_| try_port(0)).map_or(preferred, |address| address.port())
}
