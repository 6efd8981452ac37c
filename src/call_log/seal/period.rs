//! What stands in the export of a period for the entries outside of it: the roots of the trees that they make. With them
//! the export is held against the checkpoint that covers the period, as an export of the whole log is.

use std::collections::BTreeMap;
use std::ops::Range;

use diesel::prelude::*;
use jiff::Timestamp;

use super::exported::RemovedLine;
use super::stored::{LEAVES, count, each_leaf, logs, newest_before};
use crate::call_log::leaf::hex;
use crate::call_log::search::Filter;
use crate::call_log::tree::{Hash, Trees};
use crate::store::schema::{call_checkpoint, call_entry};
use crate::store::{AnyConnection, Store, StoreError};

/// Behind which entry of each log the export of a period ends: what comes while it is written belongs to the next one.
pub type Ends = BTreeMap<i64, i64>;

/// Gives the lines that stand for what the period of `filter` leaves out, log by log, and returns where each log ends.
pub fn each_left_out<E: From<StoreError>>(
    store: &Store,
    filter: &Filter,
    mut found: impl FnMut(RemovedLine) -> Result<(), E>,
) -> Result<Ends, E> {
    let mut ends = Ends::new();
    for (log_id, eservice) in store.read(|connection| named(connection, filter))? {
        let Some(span) = store.read(|connection| span(connection, log_id, filter))? else { continue };
        let before = store.read(|connection| newest_before(connection, log_id, span.start))?;
        // As the checkpoint has them, which can be compared then too.
        let mut lines: Vec<_> = before.trees().collect();
        lines.extend(trees(store, log_id, before.size()..count(span.start))?);
        let checkpoint = store.read(|connection| checkpoint(connection, log_id, span.end))?;
        let signed = checkpoint.map_or(span.end, |(size, _)| size);
        // No tree reaches over the checkpoint, with which it could not be compared then.
        let middle = signed.clamp(span.start, span.end);
        for part in [span.start..middle, middle..span.end] {
            lines.extend(outside(store, log_id, part, filter)?);
        }
        lines.extend(trees(store, log_id, count(span.end)..count(signed))?);
        for (index, level, root) in lines {
            found(RemovedLine { index, eservice: eservice.clone(), level, removed: hex(&root) })?;
        }
        ends.insert(log_id, span.end);
    }
    Ok(ends)
}

/// The checkpoints that go with an export of this period, as notes: of each log the first that covers it, else the last.
pub fn checkpoints(connection: &mut AnyConnection, filter: &Filter) -> Result<Vec<String>, StoreError> {
    let mut notes = Vec::new();
    for (log_id, _) in named(connection, filter)? {
        let span = if filter.is_whole() { None } else { span(connection, log_id, filter)? };
        let end = span.map_or(i64::MAX, |span| span.end);
        notes.extend(checkpoint(connection, log_id, end)?.map(|(_, note)| note));
    }
    Ok(notes)
}

/// The logs that `filter` asks for.
fn named(
    connection: &mut AnyConnection,
    filter: &Filter,
) -> Result<BTreeMap<i64, Option<String>>, StoreError> {
    let mut logs = logs(connection)?;
    logs.retain(|_, name| filter.eservice.is_none() || *name == filter.eservice);
    Ok(logs)
}

fn instants(filter: &Filter) -> Range<i64> {
    let from = filter.from.map_or(i64::MIN, Timestamp::as_millisecond);
    let until = filter.until.map_or(i64::MAX, Timestamp::as_millisecond);
    from..until
}

/// From the first entry of the period to behind the last; nothing if there is none.
fn span(
    connection: &mut AnyConnection,
    log_id: i64,
    filter: &Filter,
) -> Result<Option<Range<i64>>, StoreError> {
    let instants = instants(filter);
    // Counted too, so that PostgreSQL goes by the instants: for the first and the last alone it would go through the log from
    // either end.
    let (first, last, _): (Option<i64>, Option<i64>, i64) = call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .filter(call_entry::instant_ms.ge(instants.start))
        .filter(call_entry::instant_ms.lt(instants.end))
        .select((
            diesel::dsl::min(call_entry::entry_index),
            diesel::dsl::max(call_entry::entry_index),
            diesel::dsl::count_star(),
        ))
        .first(connection)?;
    Ok(first.zip(last).map(|(first, last)| first..last.saturating_add(1)))
}

/// The trees of those entries in `part` that came before the period or after it: some calls take longer than the next
/// ones, and clocks are set.
fn outside(
    store: &Store,
    log_id: i64,
    part: Range<i64>,
    filter: &Filter,
) -> Result<Vec<(u64, u32, Hash)>, StoreError> {
    let instants = instants(filter);
    let mut trees = Trees::default();
    let mut next = part.start;
    loop {
        let came_otherwise =
            call_entry::instant_ms.lt(instants.start).or(call_entry::instant_ms.ge(instants.end));
        let rows: Vec<(i64, Option<Vec<u8>>)> = store.read(|connection| {
            Ok(call_entry::table
                .filter(call_entry::log_id.eq(log_id))
                .filter(call_entry::entry_index.ge(next))
                .filter(call_entry::entry_index.lt(part.end))
                .filter(came_otherwise)
                .order(call_entry::entry_index)
                .limit(LEAVES)
                .select((call_entry::entry_index, call_entry::leaf_hash))
                .load(connection)?)
        })?;
        let Some((last, _)) = rows.last() else { return Ok(trees.into_vec()) };
        next = last.saturating_add(1);
        for (index, hash) in rows {
            if let Some(hash) = hash.and_then(|hash| hash.try_into().ok()) {
                trees.push(count(index), hash);
            }
        }
    }
}

/// The first checkpoint of so many entries at least, else the last: its size and its note.
fn checkpoint(
    connection: &mut AnyConnection,
    log_id: i64,
    entries: i64,
) -> Result<Option<(i64, String)>, StoreError> {
    let of_the_log = || {
        call_checkpoint::table
            .filter(call_checkpoint::log_id.eq(log_id))
            .select((call_checkpoint::size, call_checkpoint::note))
    };
    let covering = of_the_log()
        .filter(call_checkpoint::size.ge(entries))
        .order(call_checkpoint::size)
        .first(connection)
        .optional()?;
    match covering {
        Some(covering) => Ok(Some(covering)),
        None => Ok(of_the_log().order(call_checkpoint::size.desc()).first(connection).optional()?),
    }
}

/// The trees of these leaves.
fn trees(store: &Store, log_id: i64, leaves: Range<u64>) -> Result<Vec<(u64, u32, Hash)>, StoreError> {
    let mut trees = Trees::default();
    each_leaf(store, log_id, leaves, |piece| {
        if let Some(hash) = piece.hash() {
            trees.push(piece.first(), hash);
        }
    })?;
    Ok(trees.into_vec())
}
