//! The logs of a database: their leaves, and whether they still say what they said.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::prelude::*;

use super::checkpoint::{Kept, each_in_file, suffix};
use super::note::PublicKey;
use super::pieces::Piece;
use super::proof::{Proof, ProofError, Prover};
use super::verify::{Fault, LogCheck, Marks, Report};
use super::writer::CheckpointError;
use crate::call_log::head::tree;
use crate::call_log::leaf::Leaf;
use crate::call_log::prune;
use crate::call_log::rows::Row;
use crate::call_log::search::{Filter, search};
use crate::call_log::tree::Frontier;
use crate::store::schema::{call_checkpoint, call_entry, call_log_head, eservice};
use crate::store::{AnyConnection, Store, StoreError};

/// How many entries are read at a time.
const PAGE: i64 = 1000;
/// How many hashes are read at a time.
pub(super) const LEAVES: i64 = 20_000;

/// Goes through the first `until` leaves of a log in the database, in their order.
pub fn each_stored(
    store: &Store,
    log_id: i64,
    eservice: Option<&str>,
    until: i64,
    mut found: impl FnMut(Piece) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let (mut next, goes_on) = each_removed(store, log_id, 0..until, &mut found)?;
    if goes_on.is_break() {
        return Ok(());
    }
    while next < until {
        let rows: Vec<Row> = store.read(|connection| {
            Ok(call_entry::table
                .filter(call_entry::log_id.eq(log_id))
                .filter(call_entry::entry_index.ge(next))
                .filter(call_entry::entry_index.lt(until))
                .order(call_entry::entry_index)
                .limit(PAGE)
                .load(connection)?)
        })?;
        let Some(last) = rows.last() else { break };
        next = last.entry_index.saturating_add(1);
        for row in rows {
            let piece = Piece::Entry {
                index: count(row.entry_index),
                line: line(&row, eservice),
                hash: Some(row.leaf_hash.unwrap_or_default()),
            };
            if found(piece).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Goes through those leaves in `range` that were removed. They stood at the beginning of the log; where an entry is still
/// there, it is the entry that is looked at. Returns the place of the next leaf, and whether it is wanted.
fn each_removed(
    store: &Store,
    log_id: i64,
    range: Range<i64>,
    mut found: impl FnMut(Piece) -> ControlFlow<()>,
) -> Result<(i64, ControlFlow<()>), StoreError> {
    let first = store.read(|connection| first(connection, log_id))?.unwrap_or(i64::MAX).min(range.end);
    let mut next = range.start;
    while next < first {
        let hashes = store.read(|connection| prune::removed(connection, log_id, next))?;
        if hashes.is_empty() {
            break;
        }
        for (index, root) in (next..first).zip(hashes) {
            next = index.saturating_add(1);
            if found(Piece::Removed { first: count(index), level: 0, root }).is_break() {
                return Ok((next, ControlFlow::Break(())));
            }
        }
    }
    Ok((next, ControlFlow::Continue(())))
}

/// What an entry says, as an export says it; none if nobody can have written that.
fn line(row: &Row, eservice: Option<&str>) -> Option<String> {
    Leaf::new(row, eservice).and_then(|leaf| leaf.text()).ok()
}

/// The first entry of a log that is there.
fn first(connection: &mut AnyConnection, log_id: i64) -> Result<Option<i64>, StoreError> {
    Ok(call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .order(call_entry::entry_index)
        .select(call_entry::entry_index)
        .first(connection)
        .optional()?)
}

/// The tree of the newest checkpoint of a log that speaks of at most so many entries; the empty one where there is none, or
/// an earlier version signed it.
pub(super) fn newest_before(
    connection: &mut AnyConnection,
    log_id: i64,
    entries: i64,
) -> Result<Frontier, StoreError> {
    let before: Option<(i64, Vec<u8>)> = call_checkpoint::table
        .filter(call_checkpoint::log_id.eq(log_id))
        .filter(call_checkpoint::size.le(entries))
        .filter(call_checkpoint::frontier.is_not_null())
        .order(call_checkpoint::size.desc())
        .select((call_checkpoint::size, call_checkpoint::frontier.assume_not_null()))
        .first(connection)
        .optional()?;
    Ok(before.and_then(|(size, frontier)| Frontier::read(count(size), &frontier)).unwrap_or_default())
}

/// How far a verification has come, and whether it is to go on.
#[derive(Debug, Default)]
pub struct Watch {
    checked: AtomicU64,
    stopped: AtomicBool,
}

impl Watch {
    /// How many leaves were looked at.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Ends the verification: what it then finds is not to be used.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Checks every log of a database, or that of one e-service, with the checkpoints that it holds and those in `files`.
pub fn verify(
    store: &Store,
    files: &[PathBuf],
    keys: &[PublicKey],
    only: Option<&str>,
) -> Result<Report, CheckpointError> {
    watched(store, files, keys, only, &Watch::default())
}

/// [`verify`], while somebody looks at how far it has come.
pub fn watched(
    store: &Store,
    files: &[PathBuf],
    keys: &[PublicKey],
    only: Option<&str>,
    watch: &Watch,
) -> Result<Report, CheckpointError> {
    let mut marks = Marks::default();
    // Checkpoints first, and heads before entries: a log that grows meanwhile is longer than what it is compared with. What
    // is gone before both: an entry below the head tells of it.
    for (log_id, size, note) in store.read(notes)? {
        marks.take(
            Kept { place: format!("checkpoint of {size} entries of log {log_id} in the database"), note },
            keys,
        );
    }
    for path in files {
        let mut read = false;
        let file = each_in_file(path, |kept| {
            read = true;
            marks.take(kept, keys);
        });
        match file {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CheckpointError::File { path: path.clone(), source: error });
            }
            // A log that was never signed has no file yet.
            _ if !read && !marks.is_empty() => {
                marks.faults.push(Fault::FileMissing { place: path.display().to_string() });
            }
            _ => {}
        }
    }
    let mut report = Report {
        signatures: !keys.is_empty(),
        logs: Vec::new(),
        not_exported: Vec::new(),
        faults: Vec::new(),
    };
    for (log_id, name) in store.read(logs)? {
        if only.is_some_and(|only| name.as_deref() != Some(only)) {
            continue;
        }
        let name = name.as_deref();
        let mut check = LogCheck::new(name, &suffix(name), &mut marks);
        let first = store.read(|connection| first(connection, log_id))?;
        let head = store.read(|connection| head(connection, log_id))?;
        let until = head.as_ref().map_or(i64::MAX, |head| head.hashed);
        each_stored(store, log_id, name, until, |piece| {
            watch.checked.fetch_add(1, Ordering::Relaxed);
            let goes_on = check.take(&piece) && !watch.is_stopped();
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let behind = head.as_ref().and_then(|head| head.last.filter(|last| *last >= head.size)).map(count);
        check.head(
            head.map(|head| (count(head.size), count(head.hashed), head.frontier)),
            behind,
            first.map(count),
        );
        report.logs.push(check.finish());
    }
    if only.is_none() {
        report.faults.extend(marks.rest().map(|(place, origin)| Fault::LogUnknown { place, origin }));
    }
    report.faults.append(&mut marks.faults);
    Ok(report)
}

fn notes(connection: &mut AnyConnection) -> Result<Vec<(i64, i64, String)>, StoreError> {
    Ok(call_checkpoint::table
        .order((call_checkpoint::log_id, call_checkpoint::size))
        .select((call_checkpoint::log_id, call_checkpoint::size, call_checkpoint::note))
        .load(connection)?)
}

/// Every log that has a head, an e-service, or entries.
pub(super) fn logs(connection: &mut AnyConnection) -> Result<BTreeMap<i64, Option<String>>, StoreError> {
    let heads: Vec<i64> = call_log_head::table.select(call_log_head::log_id).load(connection)?;
    let named: Vec<(i64, String)> =
        eservice::table.select((eservice::id, eservice::name)).load(connection)?;
    let mut logs: BTreeMap<i64, Option<String>> = heads.into_iter().map(|log_id| (log_id, None)).collect();
    logs.extend(named.into_iter().map(|(log_id, name)| (log_id, Some(name))));
    // Each step is one look into the index of the entries.
    let mut last = i64::MIN;
    while let Some(log_id) = call_entry::table
        .filter(call_entry::log_id.gt(last))
        .order(call_entry::log_id)
        .select(call_entry::log_id)
        .first::<i64>(connection)
        .optional()?
    {
        logs.entry(log_id).or_default();
        last = log_id;
    }
    Ok(logs)
}

/// The head of a log, and the last entry that was there when it was read.
struct Head {
    size: i64,
    hashed: i64,
    frontier: Vec<u8>,
    last: Option<i64>,
}

fn head(connection: &mut AnyConnection, log_id: i64) -> Result<Option<Head>, StoreError> {
    let last = call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .select(diesel::dsl::max(call_entry::entry_index))
        .single_value();
    let head: Option<(i64, i64, Vec<u8>, Option<i64>)> = call_log_head::table
        .find(log_id)
        .select((call_log_head::size, call_log_head::hashed, call_log_head::frontier, last))
        .first(connection)
        .optional()?;
    Ok(head.map(|(size, hashed, frontier, last)| Head { size, hashed, frontier, last }))
}

/// How a log stands, as its head has it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The log; 0 is that of the calls outside any e-service.
    pub log_id: i64,
    /// Name of the e-service; none for the calls outside all of them.
    pub eservice: Option<String>,
    /// How many entries it has, with those that were removed.
    pub size: i64,
    /// The root of the tree of those entries, in base64 as in a checkpoint.
    pub root: String,
}

/// A checkpoint in the database.
#[derive(Clone, Debug, Queryable)]
pub struct Signed {
    /// How many entries it vouches for.
    pub size: i64,
    /// When it was written, in milliseconds since the epoch.
    pub instant_ms: i64,
}

/// How every log stands. Nothing is verified.
pub fn standing(connection: &mut AnyConnection) -> Result<Vec<Standing>, StoreError> {
    type Row = (i64, Option<String>, i64, i64, Vec<u8>);
    let heads: Vec<Row> = call_log_head::table
        .left_join(eservice::table.on(eservice::id.eq(call_log_head::log_id)))
        .order(call_log_head::log_id)
        .select((
            call_log_head::log_id,
            eservice::name.nullable(),
            call_log_head::size,
            call_log_head::hashed,
            call_log_head::frontier,
        ))
        .load(connection)?;
    let standing = heads.into_iter().map(|(log_id, eservice, size, hashed, frontier)| {
        let root = BASE64_STANDARD.encode(tree(log_id, hashed, &frontier)?.root());
        Ok(Standing { log_id, eservice, size, root })
    });
    standing.collect()
}

/// The last checkpoints of a log in the database, the newest first.
pub fn last_signed(
    connection: &mut AnyConnection,
    log_id: i64,
    most: u32,
) -> Result<Vec<Signed>, StoreError> {
    Ok(call_checkpoint::table
        .filter(call_checkpoint::log_id.eq(log_id))
        .order(call_checkpoint::size.desc())
        .limit(i64::from(most))
        .select((call_checkpoint::size, call_checkpoint::instant_ms))
        .load(connection)?)
}

/// A number that only somebody else can have made negative.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Proves that an entry is in the first checkpoint of its log that covers it, which the database holds, from at most so
/// many leaves of the log.
///
/// The tree of the checkpoint before stands beside that one, so that only the leaves between the two are read, however
/// long the log is. Where it does not (an earlier version signed), or is not what it was, the leaves before are read too.
pub fn prove(
    store: &Store,
    log_id: i64,
    index: i64,
    most: u64,
) -> Result<Result<Proof, ProofError>, StoreError> {
    let covering = call_checkpoint::table
        .filter(call_checkpoint::log_id.eq(log_id))
        .filter(call_checkpoint::size.gt(index))
        .order(call_checkpoint::size)
        .select(call_checkpoint::note);
    let (name, covering, before, row) = store.read(|connection| {
        let name: Option<String> =
            eservice::table.find(log_id).select(eservice::name).first(connection).optional()?;
        let covering: Option<String> = covering.first(connection).optional()?;
        let before = newest_before(connection, log_id, index)?;
        let row: Option<Row> = call_entry::table.find((log_id, index)).first(connection).optional()?;
        Ok((name, covering, before, row))
    })?;
    let Some(note) = covering else { return Ok(Err(ProofError::NotCovered)) };
    let prove = |tree: Frontier| {
        let mut prover = match Prover::new(count(index), note.clone()) {
            Ok(prover) => prover,
            Err(error) => return Ok(Err(error)),
        };
        let leaves = tree.size()..prover.size();
        if leaves.end.saturating_sub(leaves.start) > most {
            return Ok(Err(ProofError::TooFar));
        }
        tree.trees().for_each(|(first, level, root)| prover.take(Piece::Removed { first, level, root }));
        each_leaf(store, log_id, leaves, |piece| {
            if piece.first() != count(index) {
                prover.take(piece);
            }
        })?;
        let line = row.as_ref().and_then(|row| line(row, name.as_deref()));
        prover.take(Piece::Entry { index: count(index), line, hash: None });
        Ok(prover.finish())
    };
    match prove(before)? {
        Err(ProofError::Contradicted | ProofError::Incomplete) => prove(Frontier::default()),
        proved => Ok(proved),
    }
}

/// Goes through the hashes of leaves, without what their entries say.
pub(super) fn each_leaf(
    store: &Store,
    log_id: i64,
    leaves: Range<u64>,
    mut found: impl FnMut(Piece),
) -> Result<(), StoreError> {
    let place = |leaf| i64::try_from(leaf).unwrap_or(i64::MAX);
    let (from, until) = (place(leaves.start), place(leaves.end));
    let mut each = |piece| {
        found(piece);
        ControlFlow::Continue(())
    };
    let (mut next, _) = each_removed(store, log_id, from..until, &mut each)?;
    while next < until {
        let rows: Vec<(i64, Option<Vec<u8>>)> = store.read(|connection| {
            Ok(call_entry::table
                .filter(call_entry::log_id.eq(log_id))
                .filter(call_entry::entry_index.ge(next))
                .filter(call_entry::entry_index.lt(until))
                .order(call_entry::entry_index)
                .limit(LEAVES)
                .select((call_entry::entry_index, call_entry::leaf_hash))
                .load(connection)?)
        })?;
        let Some((last, _)) = rows.last() else { break };
        next = last.saturating_add(1);
        for (index, hash) in rows {
            let _ = each(Piece::Entry { index: count(index), line: None, hash });
        }
    }
    Ok(())
}

/// The log and the index of the entry with this `X-Request-Id`.
pub fn find(store: &Store, request_id: &str) -> Result<Option<(i64, i64)>, StoreError> {
    let filter = Filter { request_id: Some(request_id.to_owned()), ..Filter::default() };
    let found = store.read(|connection| search(connection, &filter, None, 1))?.entries.pop();
    Ok(found.map(|found| (found.row.log_id, found.row.entry_index)))
}
