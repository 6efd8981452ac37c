//! Removing entries whose time is over. Whole days go, from the beginning of a log, and the hashes of what goes are
//! kept: what remains is proven by the same checkpoints as before. Each step is one transaction, with the entry that
//! says what was removed.
//!
//! The tables allow it only this way (their triggers compare the hash that is kept), and not before a day has passed.

use std::borrow::Cow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use jiff::Timestamp;
use serde::Deserialize;

use super::action::{self, Action, Actor, Kind};
use super::leaf::hex;
use super::seal::exported::RemovedLine;
use super::tree::Hash;
use crate::clock::Clock;
use crate::config::CallLog;
use crate::store::schema::{call_checkpoint, call_entry, call_log_head, call_removed, eservice};
use crate::store::{AnyConnection, Day, EserviceId, Store, StoreError};

/// Entries of one transaction.
const STEP: i64 = 5000;
/// Hashes of one row.
const TILE: usize = 256;
/// One lock per log, apart from all others: "prun" in the upper half of the key.
const LOCK: i64 = 0x7072_756e_0000_0000;

/// What goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruning {
    /// What came before this instant: the beginning of a day.
    pub before: Timestamp,
    /// Only what a checkpoint vouches for, because checkpoints are written.
    signed: bool,
}

impl Pruning {
    /// What the configuration lets go at `now`.
    #[must_use]
    pub fn new(config: &CallLog, now: Timestamp) -> Self {
        let days = i64::from(config.retention_days.max(1));
        let last = now.as_millisecond().saturating_sub(days.saturating_mul(86_400_000));
        let before = Timestamp::from_millisecond(last).ok().and_then(|last| Day::of(last).start());
        Self { before: before.unwrap_or(Timestamp::MIN), signed: config.checkpoint_key.is_some() }
    }
}

/// What one log loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The e-service; none for the calls outside all of them.
    pub eservice: Option<String>,
    /// How many entries.
    pub entries: u64,
}

/// Removes what `pruning` says from every log, until `stop` says so, as done by `actor`. Blocks.
pub fn prune(
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    pruning: Pruning,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<Pruned>, StoreError> {
    each_log(store, |log_id| {
        let mut entries = 0;
        while !stop() {
            let removed = store.write(|connection| step(connection, clock, actor, log_id, pruning))?;
            entries += removed;
            if removed == 0 {
                break;
            }
        }
        Ok(entries)
    })
}

/// How much [`prune`] would remove. Blocks.
pub fn prunable(store: &Store, pruning: Pruning) -> Result<Vec<Pruned>, StoreError> {
    each_log(store, |log_id| {
        let (mut entries, mut from) = (0, 0);
        loop {
            let due = store.read(|connection| due(connection, log_id, from, pruning))?;
            let Some((last, _)) = due.last() else { return Ok(entries) };
            from = last.saturating_add(1);
            entries += count(due.len());
        }
    })
}

fn each_log(
    store: &Store,
    mut work: impl FnMut(i64) -> Result<u64, StoreError>,
) -> Result<Vec<Pruned>, StoreError> {
    let logs = store.read(logs)?;
    logs.into_iter().map(|(log_id, eservice)| Ok(Pruned { eservice, entries: work(log_id)? })).collect()
}

fn logs(connection: &mut AnyConnection) -> Result<Vec<(i64, Option<String>)>, StoreError> {
    Ok(call_log_head::table
        .left_join(eservice::table.on(eservice::id.eq(call_log_head::log_id)))
        .order(call_log_head::log_id)
        .select((call_log_head::log_id, eservice::name.nullable()))
        .load(connection)?)
}

/// Removes some entries, and returns how many.
fn step(
    connection: &mut AnyConnection,
    clock: &Clock,
    actor: &Actor,
    log_id: i64,
    pruning: Pruning,
) -> Result<u64, StoreError> {
    if !alone(connection, log_id)? {
        return Ok(0);
    }
    let due = due(connection, log_id, 0, pruning)?;
    let (Some((first, _)), Some((last, _))) = (due.first(), due.last()) else { return Ok(0) };
    let below = last.saturating_add(1);
    for tile in due.chunks(TILE) {
        let hashes: Vec<u8> = tile.iter().flat_map(|(_, hash)| hash).copied().collect();
        let Some((first, _)) = tile.first() else { continue };
        diesel::insert_into(call_removed::table)
            .values((
                call_removed::log_id.eq(log_id),
                call_removed::first_index.eq(first),
                call_removed::hashes.eq(hashes),
            ))
            .execute(connection)?;
    }
    match connection {
        AnyConnection::Sqlite(inner) => diesel::delete(
            call_entry::table.filter(call_entry::log_id.eq(log_id)).filter(call_entry::entry_index.lt(below)),
        )
        .execute(inner)?,
        AnyConnection::Postgres(inner) => diesel::sql_query("SELECT call_log_remove($1, $2)")
            .bind::<BigInt, _>(log_id)
            .bind::<BigInt, _>(below)
            .execute(inner)?,
    };
    let mut pruned = Action::new(actor, Kind::CallsPruned)
        .counting(due.len())
        .saying(format!("before={:.3}&from={first}&to={last}", pruning.before));
    if log_id != 0 {
        pruned = pruned.of(EserviceId::referred(log_id));
    }
    action::record_in(connection, clock, [pruned])?;
    Ok(count(due.len()))
}

/// Whether no other instance is at it. On SQLite the transaction is the lock.
fn alone(connection: &mut AnyConnection, log_id: i64) -> Result<bool, StoreError> {
    match connection {
        AnyConnection::Sqlite(_) => Ok(true),
        AnyConnection::Postgres(inner) => {
            let lock = LOCK.wrapping_add(log_id);
            Ok(diesel::select(diesel::dsl::sql::<Bool>(&format!("pg_try_advisory_xact_lock({lock})")))
                .get_result(inner)?)
        }
    }
}

/// The first entries from `from` on that may go, with their hashes: as long as one follows the other.
fn due(
    connection: &mut AnyConnection,
    log_id: i64,
    from: i64,
    pruning: Pruning,
) -> Result<Vec<(i64, Hash)>, StoreError> {
    let signed: Option<i64> = call_checkpoint::table
        .filter(call_checkpoint::log_id.eq(log_id))
        .select(diesel::dsl::max(call_checkpoint::size))
        .first(connection)?;
    let covered = signed.unwrap_or(if pruning.signed { 0 } else { i64::MAX });
    let rows: Vec<(i64, i64, Option<Vec<u8>>)> = call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .filter(call_entry::entry_index.ge(from))
        .filter(call_entry::entry_index.lt(covered))
        .order(call_entry::entry_index)
        .limit(STEP)
        .select((call_entry::entry_index, call_entry::instant_ms, call_entry::leaf_hash))
        .load(connection)?;
    let mut due: Vec<(i64, Hash)> = Vec::new();
    for (index, instant_ms, hash) in rows {
        let follows = due.last().is_none_or(|(last, _)| last.saturating_add(1) == index);
        let hash = hash.and_then(|hash| Hash::try_from(hash).ok());
        match hash.filter(|_| follows && instant_ms < pruning.before.as_millisecond()) {
            Some(hash) => due.push((index, hash)),
            None => break,
        }
    }
    Ok(due)
}

/// The first and the last of the entries whose removal this line of an export tells.
///
/// Each removal is told in its log by an entry behind what it removes, and goes on where the one before ended: so the last
/// of them is never among what was removed, and whoever takes more away, with the hashes, leaves it untold.
pub(super) fn told(line: &str) -> Option<(u64, u64)> {
    #[derive(Deserialize)]
    struct Line<'a> {
        method: Cow<'a, str>,
        path: Cow<'a, str>,
        query: Cow<'a, str>,
    }
    let code = Kind::CallsPruned.code();
    // Hardly any line is one: the others are not parsed.
    let line: Line<'_> = line.contains(code).then(|| serde_json::from_str(line).ok()).flatten()?;
    let member = |name| line.query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse().ok());
    (line.method == action::METHOD && line.path == code).then_some(())?;
    Some((member("from=")?, member("to=")?))
}

/// The hashes of the entries of a log from `from` on that were removed, as far as one follows the other; at most some
/// hundreds.
pub(super) fn removed(
    connection: &mut AnyConnection,
    log_id: i64,
    from: i64,
) -> Result<Vec<Hash>, StoreError> {
    let row: Option<(i64, Vec<u8>)> = call_removed::table
        .filter(call_removed::log_id.eq(log_id))
        .filter(call_removed::first_index.le(from))
        .order(call_removed::first_index.desc())
        .select((call_removed::first_index, call_removed::hashes))
        .first(connection)
        .optional()?;
    let Some((first, hashes)) = row else { return Ok(Vec::new()) };
    let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
    let (hashes, _) = hashes.as_chunks::<32>();
    Ok(hashes.get(skipped..).unwrap_or_default().to_vec())
}

/// Gives the line of each removed entry, of every log or of that of one e-service.
pub(super) fn each_removed<E: From<StoreError>>(
    store: &Store,
    only: Option<&str>,
    mut found: impl FnMut(RemovedLine) -> Result<(), E>,
) -> Result<(), E> {
    for (log_id, eservice) in store.read(logs)? {
        if only.is_some() && eservice.as_deref() != only {
            continue;
        }
        let mut next = 0;
        loop {
            let hashes = store.read(|connection| removed(connection, log_id, next))?;
            if hashes.is_empty() {
                break;
            }
            for (index, hash) in (next..).zip(hashes) {
                next = index.saturating_add(1);
                found(RemovedLine {
                    index: index.unsigned_abs(),
                    eservice: eservice.clone(),
                    level: 0,
                    removed: hex(&hash),
                })?;
            }
        }
    }
    Ok(())
}

fn count(entries: usize) -> u64 {
    u64::try_from(entries).unwrap_or(u64::MAX)
}
