//! Whether a database agrees with itself.

use diesel::dsl::{count_star, max, min};
use diesel::prelude::*;

use super::UpkeepError;
use crate::call_log;
use crate::call_log::seal::stored;
use crate::call_log::seal::writer::CheckpointError;
use crate::store::schema::{call_entry, call_log_head, eservice, flusso};
use crate::store::{AnyConnection, Store, StoreError};

/// Compares every entry of the log of calls with its hash, the entries of each log with its tree, and the tree with the
/// checkpoints in the database. Entries from before the tree are hashed first.
pub(super) fn log(store: &Store) -> Result<(), UpkeepError> {
    store.write(call_log::catch_up)?;
    let report = stored::verify(store, &[], &[], None).map_err(|error| match error {
        CheckpointError::Store(error) => UpkeepError::Store(error),
        error => UpkeepError::Damaged(error.to_string()),
    })?;
    let faulty = report.logs.iter().find_map(|log| Some((log.eservice.as_deref(), log.faults.first()?)));
    match (faulty, report.faults.first()) {
        (Some((name, fault)), _) => Err(UpkeepError::Damaged(format!(
            "the log of {}: {fault}",
            name.unwrap_or("the calls outside any e-service")
        ))),
        (None, Some(fault)) => Err(UpkeepError::Damaged(fault.to_string())),
        (None, None) => Ok(()),
    }
}

/// Checks that every log of calls is without gaps and as long as its head says, and that every sequencer is at its
/// last flow or beyond.
pub(super) fn consistent(connection: &mut AnyConnection) -> Result<(), UpkeepError> {
    let heads: Vec<(i64, i64)> = call_log_head::table
        .order(call_log_head::log_id)
        .select((call_log_head::log_id, call_log_head::size))
        .load(connection)
        .map_err(StoreError::from)?;
    for (log_id, size) in heads {
        let (count, first, last): (i64, Option<i64>, Option<i64>) = call_entry::table
            .filter(call_entry::log_id.eq(log_id))
            .select((count_star(), min(call_entry::entry_index), max(call_entry::entry_index)))
            .first(connection)
            .map_err(StoreError::from)?;
        // Retention removes the oldest entries.
        let (first, next) = (first.unwrap_or(size), last.map_or(size, |last| last + 1));
        if next != size || next - first != count {
            let what = format!("log {log_id} should have {size} entries; there are {count}, from {first} on");
            return Err(UpkeepError::Damaged(what));
        }
    }
    let ahead: Option<String> = eservice::table
        .inner_join(flusso::table.on(flusso::eservice_id.eq(eservice::id)))
        .filter(flusso::ts.gt(eservice::last_ts))
        .select(eservice::name)
        .first(connection)
        .optional()
        .map_err(StoreError::from)?;
    match ahead {
        Some(name) => Err(UpkeepError::Damaged(format!("{name} has a flow beyond its sequencer"))),
        None => Ok(()),
    }
}
