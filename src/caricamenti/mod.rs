//! Files that staff load: kept until they are dealt with, previewed, and published in the background.
//!
//! The content of a file lies in the database, in parts, and nowhere else: whichever instance has a hand free works on
//! it, and one that died leaves nothing behind. Work on a file is a *run*: its first reads the file and foresees what
//! would be published; once somebody has confirmed that, another publishes. A run that ended in the middle is begun
//! again from the first record, which harms nothing: what is in the feed as it stands is not published twice.
//!
//! Not here: how a file is read and judged ([`crate::import`]), and the pages that show all this.

mod content;
mod mappings;
mod rows;
mod run;
mod turn;
mod worker;

use std::collections::BTreeMap;

use crate::import::Summary;
use crate::intake::Format;
use crate::store::EserviceId;

pub use mappings::{SavedMapping, mapping, mapping_names, save_mapping};
pub use rows::{
    New, append, arrived, begin, confirm, find, forget, list, map, page, refusals, resume, sweep, withdraw,
};
pub use worker::{Bell, Tally, Worker};

/// Files of one e-service that may be open at once: loaded, and neither published nor withdrawn.
pub const MOST_OPEN: i64 = 20;
/// Entries of a report in one page.
pub const PAGE: usize = 50;
/// Pages of a report that are kept; the figures count what comes after, too.
pub const MOST_PAGES: usize = 2_000;
/// Bytes of one part of a file.
pub const PART: usize = 256 * 1024;
/// How long a run shows no sign before it is taken for dead.
pub const SILENCE_MS: i64 = 60_000;
/// How long a file is kept that nobody confirms.
pub const FILE_DAYS: i64 = 7;
/// How long the report of a file is kept.
pub const REPORT_DAYS: i64 = 90;

/// What has become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stato {
    /// It is being sent.
    InArrivo,
    /// It waits to be read.
    DaLeggere,
    /// It is read, and what would be published is foreseen.
    Lettura,
    /// Somebody must say which fields its columns contain.
    Colonne,
    /// Nothing in it can be read.
    Illeggibile,
    /// What would be published is known, and waits for somebody to confirm it.
    Pronto,
    /// It was confirmed, and waits to be published.
    DaPubblicare,
    /// It is being published.
    Pubblicazione,
    /// It was published.
    Concluso,
    /// It was withdrawn.
    Annullato,
    /// Nobody confirmed it in time.
    Scaduto,
}

impl Stato {
    const ALL: [(Self, &'static str); 11] = [
        (Self::InArrivo, "in_arrivo"),
        (Self::DaLeggere, "da_leggere"),
        (Self::Lettura, "lettura"),
        (Self::Colonne, "colonne"),
        (Self::Illeggibile, "illeggibile"),
        (Self::Pronto, "pronto"),
        (Self::DaPubblicare, "da_pubblicare"),
        (Self::Pubblicazione, "pubblicazione"),
        (Self::Concluso, "concluso"),
        (Self::Annullato, "annullato"),
        (Self::Scaduto, "scaduto"),
    ];

    /// What is still to be dealt with, and whose file is kept.
    const OPEN: [Self; 8] = [
        Self::InArrivo,
        Self::DaLeggere,
        Self::Lettura,
        Self::Colonne,
        Self::Illeggibile,
        Self::Pronto,
        Self::DaPubblicare,
        Self::Pubblicazione,
    ];

    /// What the tables call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(stato, _)| *stato == self).map_or("", |(_, name)| name)
    }

    fn read(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(stato, _)| *stato)
    }

    /// The state in which a run of this state waits for its turn, if this is the state of a run.
    fn before_run(self) -> Option<Self> {
        match self {
            Self::Lettura => Some(Self::DaLeggere),
            Self::Pubblicazione => Some(Self::DaPubblicare),
            _ => None,
        }
    }
}

/// A file that was loaded.
#[derive(Clone, Debug)]
pub struct Caricamento {
    /// The tables' number of it.
    pub id: i64,
    /// Into whose feed its benefits go.
    pub eservice: EserviceId,
    /// The ente whose benefits they are.
    pub codice_ente: String,
    /// What the file was called.
    pub file_name: String,
    /// Its form.
    pub format: Format,
    /// How long it is.
    pub bytes: i64,
    /// What has become of it.
    pub stato: Stato,
    /// Who loaded it.
    pub loaded_by: String,
    /// When, in milliseconds since the epoch.
    pub created_ms: i64,
    /// Who confirmed it.
    pub confirmed_by: Option<String>,
    /// When it was published, withdrawn, or too old.
    pub ended_ms: Option<i64>,
    /// The columns of a CSV that are no field's by their own names.
    pub columns: Vec<String>,
    /// Which fields they contain.
    pub mapping: BTreeMap<String, String>,
    /// How often work on it was begun.
    pub run: i64,
    /// When that work last showed that it goes on, in milliseconds since the epoch; 0 when it gave up.
    pub beat_ms: i64,
    /// How far it was read, in bytes.
    pub bytes_read: i64,
    /// What the last run did, so far.
    pub figures: Summary,
}

impl Caricamento {
    /// Whether the work on it ended in the middle.
    #[must_use]
    pub fn is_interrupted(&self, now_ms: i64) -> bool {
        self.stato.before_run().is_some() && self.beat_ms < now_ms - SILENCE_MS
    }
}

/// `summary` as it is kept.
fn kept(summary: &Summary) -> String {
    serde_json::to_string(summary).unwrap_or_default()
}
