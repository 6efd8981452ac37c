//! The official tables that an operator loads, and the rulebook that they and the configuration make.
//!
//! A table is kept as it was given, with its date and its source, and read when it is needed: what it means is for
//! [`crate::siuss::tables`] to say.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use secrecy::SecretString;
use serde::Serialize;

use crate::clock::Clock;
use crate::config::Config;
use crate::siuss::pseudonym;
use crate::siuss::rules::{Rulebook, Severities};
use crate::siuss::tables::{Comuni, NOMENCLATORE, Nomenclatore, TableError};
use crate::store::tables::{self, StoredTable};
use crate::store::{Store, StoreError};

/// The tables that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The nomenclature of benefits: codice, denominazione, trasmissione.
    Nomenclatore,
    /// The archive of municipalities, in the form of ANPR's.
    Comuni,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Nomenclatore, Self::Comuni];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nomenclatore => "nomenclatore",
            Self::Comuni => "comuni",
        }
    }
}

/// Why no table was loaded, or no rulebook made.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    /// The table is not one.
    #[error("the table cannot be used: {0}")]
    Table(#[from] TableError),
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The configuration cannot be used, which `config check` explains.
    #[error("{0} in the configuration cannot be used: ask `config check`")]
    Config(&'static str),
}

/// A table in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Which.
    pub table: Kind,
    /// How many codes it has.
    pub codes: usize,
    /// The day on which its source says that it was current; none for what the product ships.
    pub date: Option<String>,
    /// Who published it.
    pub source: String,
    /// When it was loaded, in milliseconds since the epoch.
    pub loaded_ms: Option<i64>,
}

/// Puts a table in the place of the one in force, if it can be read to its end. Gives how many codes it has. Blocks.
pub fn load(
    store: &Store,
    clock: &Clock,
    kind: Kind,
    content: String,
    date: Date,
    source: String,
) -> Result<usize, CodesError> {
    let codes = count(kind, &content)?;
    let table = StoredTable { content, date: date.to_string(), source, loaded_ms: clock.now_ms() };
    store.write(|connection| tables::save(connection, kind.as_str(), &table))?;
    Ok(codes)
}

/// The tables in force. Blocks.
pub fn list(store: &Store) -> Result<Vec<Loaded>, CodesError> {
    let mut list = Vec::new();
    for kind in Kind::ALL {
        let loaded = stored(store, kind)?;
        list.extend(match (loaded, kind) {
            (Some(table), _) => Some(Loaded {
                table: kind,
                codes: count(kind, &table.content)?,
                date: Some(table.date),
                source: table.source,
                loaded_ms: Some(table.loaded_ms),
            }),
            (None, Kind::Nomenclatore) => Some(Loaded {
                table: kind,
                codes: NOMENCLATORE.len(),
                date: None,
                source: "waas-comuni".to_owned(),
                loaded_ms: None,
            }),
            (None, Kind::Comuni) => None,
        });
    }
    Ok(list)
}

/// What the configuration and the tables in force ask of a record. Blocks.
pub fn rulebook(config: &Config, store: &Store) -> Result<Rulebook, CodesError> {
    let mut rulebook = Rulebook::shipped();
    if let Some(table) = stored(store, Kind::Nomenclatore)? {
        rulebook.nomenclatore = nomenclatore(&table.content)?;
    }
    if let Some(table) = stored(store, Kind::Comuni)? {
        rulebook.comuni = Some(Comuni::from_csv(&table.content)?);
    }
    rulebook.severities = Severities::new(&config.rules).map_err(|_| CodesError::Config("[rules]"))?;
    rulebook.pseudonyms = config.sinba.pseudonym_key.clone().map(key).transpose()?;
    Ok(rulebook)
}

/// The rulebook of a process that runs on while operators load tables.
#[derive(Debug)]
pub struct RulesInForce {
    config: Config,
    store: Store,
    current: Mutex<Option<Current>>,
}

/// A rulebook, and when each of its tables was loaded.
#[derive(Debug)]
struct Current {
    loaded: Vec<(String, i64)>,
    rulebook: Arc<Rulebook>,
}

impl RulesInForce {
    /// What the configuration and the tables of `store` ask of a record.
    #[must_use]
    pub fn new(config: &Config, store: Store) -> Self {
        Self { config: config.clone(), store, current: Mutex::new(None) }
    }

    /// What the operator makes of rules.
    #[must_use]
    pub fn severities(&self) -> Severities {
        // What is wrong with them keeps `serve` from starting.
        Severities::new(&self.config.rules).unwrap_or_default()
    }

    /// The rulebook of this moment. Blocks; the tables are read again only when one was loaded.
    pub fn get(&self) -> Result<Arc<Rulebook>, CodesError> {
        let loaded = self.store.read_bounded(tables::loaded)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| current.loaded == loaded) {
            return Ok(Arc::clone(&current.rulebook));
        }
        let rulebook = Arc::new(rulebook(&self.config, &self.store)?);
        *current = Some(Current { loaded, rulebook: Arc::clone(&rulebook) });
        Ok(rulebook)
    }
}

/// A nomenclature that was loaded, which lets out nothing that the shipped one refuses without saying so.
pub fn nomenclatore(content: &str) -> Result<Nomenclatore, TableError> {
    Ok(Nomenclatore::from_csv(content)?.with_refusals_of(&NOMENCLATORE))
}

fn key(text: SecretString) -> Result<pseudonym::Key, CodesError> {
    pseudonym::Key::new(text).ok_or(CodesError::Config("sinba.pseudonym_key"))
}

fn count(kind: Kind, content: &str) -> Result<usize, TableError> {
    Ok(match kind {
        Kind::Nomenclatore => Nomenclatore::from_csv(content)?.len(),
        Kind::Comuni => Comuni::from_csv(content)?.len(),
    })
}

fn stored(store: &Store, kind: Kind) -> Result<Option<StoredTable>, StoreError> {
    store.read_bounded(move |connection| tables::load(connection, kind.as_str()))
}
