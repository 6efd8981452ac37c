//! What happened, counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;

use serde_json::{Value, json};

/// Everything that is counted, in the order of the report.
const ROWS: &[&str] = &[
    "flows published",
    "benefits registered by vendors",
    "benefits corrected by vendors",
    "benefits withdrawn by vendors",
    "requests of vendors repeated",
    "imports completed",
    "imports of one file at once",
    "imports given up, and run again",
    "importers killed",
    "pages pulled",
    "flows pulled",
    "pages asked twice",
    "outcomes acknowledged",
    "outcomes sent twice",
    "outcomes that refuse",
    "insertions in place of refused ones",
    "answers 503",
    "calls without an answer",
    "instances killed",
    "instances that ended by themselves",
    "instances stopped or added",
    "connections cut",
    "times the database stood still",
    "database restarts",
    "clock steps",
    "looks of the checker",
    "log entries checked",
    "checkpoints signed",
];

/// Counters that everybody shares.
#[derive(Default)]
pub(crate) struct Stats(Mutex<BTreeMap<&'static str, u64>>);

impl Stats {
    pub(crate) fn add(&self, row: &'static str, count: u64) {
        debug_assert!(ROWS.contains(&row), "{row}");
        *self.0.lock().unwrap().entry(row).or_default() += count;
    }

    pub(crate) fn get(&self, row: &'static str) -> u64 {
        self.0.lock().unwrap().get(row).copied().unwrap_or_default()
    }

    /// A line for each row.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        for row in ROWS {
            writeln!(table, "{row:<36} {:>12}", self.get(row)).unwrap();
        }
        table
    }

    pub(crate) fn json(&self) -> Value {
        ROWS.iter().map(|row| (row.replace(' ', "_"), json!(self.get(row)))).collect()
    }
}
