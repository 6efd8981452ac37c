//! The head of a log: how many entries it has, and the tree that they are the leaves of.
//!
//! The row of the head is the log's lock: whoever extends a log holds it until the transaction ends, so that entries
//! are contiguous and have one order, whatever the number of instances.

use std::collections::HashMap;

use diesel::prelude::*;

use super::leaf::Leaf;
use super::rows::{Row, Tree, Was};
use super::thresholds::Counters;
use super::tree::Frontier;
use crate::store::schema::{call_entry, call_log_head, eservice};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// How many entries are read at a time.
const PAGE: i64 = 1000;

/// A log, as whoever holds its lock sees it, or left it.
pub(super) struct Head {
    log_id: i64,
    eservice: Option<String>,
    tree: Frontier,
    /// The e-service's counts. Whoever changes one extends the log: they hold as long as the head is as it was left.
    pub(super) counters: Counters,
    /// Nobody else had extended the log when it was last looked at, and PostgreSQL compares heads while it writes.
    undisturbed: bool,
}

/// The logs to which a process writes, as it left them. A commit that fails leaves nothing of them.
#[derive(Default)]
pub(super) struct Heads(HashMap<i64, Head>);

impl Heads {
    /// Locks a log until the transaction ends.
    pub(super) fn lock(
        &mut self,
        connection: &mut AnyConnection,
        log_id: i64,
    ) -> Result<&mut Head, StoreError> {
        let row = call_log_head::table.find(log_id).select((
            call_log_head::size,
            call_log_head::hashed,
            call_log_head::frontier,
        ));
        // On SQLite the transaction itself is the lock.
        let (size, hashed, frontier): (i64, i64, Vec<u8>) = match connection {
            AnyConnection::Sqlite(inner) => row.first(inner)?,
            AnyConnection::Postgres(inner) => row.for_no_key_update().first(inner)?,
        };
        let tree = tree(log_id, hashed, &frontier)?;
        let head = match self.0.remove(&log_id) {
            Some(left) if left.tree == tree && size == hashed => {
                Head { undisturbed: matches!(connection, AnyConnection::Postgres(_)), ..left }
            }
            left => {
                let eservice = match left {
                    Some(left) => left.eservice,
                    None => name(connection, log_id)?,
                };
                let counters = Counters::of(EserviceId::referred(log_id));
                let mut head = Head { log_id, eservice, tree, counters, undisturbed: false };
                head.catch_up(connection, size)?;
                head
            }
        };
        Ok(self.0.entry(log_id).or_insert(head))
    }

    /// A log that nobody else seems to extend.
    pub(super) fn undisturbed(&mut self, log_id: i64) -> Option<&mut Head> {
        self.0.get_mut(&log_id).filter(|head| head.undisturbed)
    }
}

impl Head {
    /// The head as the table has it, if nobody has extended the log since.
    pub(super) fn was(&self) -> Result<Was, StoreError> {
        Ok(Was { log_id: self.log_id, size: self.next()?, frontier: self.tree.bytes() })
    }

    /// The index of the next entry.
    pub(super) fn next(&self) -> Result<i64, StoreError> {
        i64::try_from(self.tree.size()).map_err(|_| unreadable(self.log_id))
    }

    /// Makes `row` the next leaf.
    pub(super) fn push(&mut self, row: &mut Row) -> Result<(), StoreError> {
        let hash = Leaf::new(row, self.eservice.as_deref())?.hash()?;
        row.leaf_hash = Some(hash.to_vec());
        self.tree.push(hash);
        Ok(())
    }

    /// The tree, to be kept.
    pub(super) fn tree(&self) -> Result<Tree, StoreError> {
        let size = self.next()?;
        Ok(Tree { log_id: self.log_id, size, hashed: size, frontier: self.tree.bytes() })
    }

    /// Hashes the entries below `size` that a version without trees has written.
    fn catch_up(&mut self, connection: &mut AnyConnection, size: i64) -> Result<(), StoreError> {
        if self.next()? == size {
            return Ok(());
        }
        while self.next()? < size {
            let from = self.next()?;
            let rows: Vec<Row> = call_entry::table
                .filter(call_entry::log_id.eq(self.log_id))
                .filter(call_entry::entry_index.ge(from))
                .filter(call_entry::entry_index.lt(size))
                .order(call_entry::entry_index)
                .limit(PAGE)
                .load(connection)?;
            let (first, last) = (rows.first(), rows.last());
            let span = first.zip(last).map(|(first, last)| (first.entry_index, last.entry_index));
            let count = i64::try_from(rows.len()).unwrap_or(PAGE);
            if span != Some((from, from + count - 1)) {
                return Err(StoreError::Unreadable(format!(
                    "an entry of log {} is missing, at {from} or soon after",
                    self.log_id
                )));
            }
            for mut row in rows {
                self.push(&mut row)?;
                diesel::update(call_entry::table.find((self.log_id, row.entry_index)))
                    .set(call_entry::leaf_hash.eq(row.leaf_hash))
                    .execute(connection)?;
            }
        }
        diesel::update(call_log_head::table.find(self.log_id))
            .set((call_log_head::hashed.eq(size), call_log_head::frontier.eq(self.tree.bytes())))
            .execute(connection)?;
        Ok(())
    }
}

/// Writes to a head without changing it: a log can be written that can do this.
pub(super) fn touch(connection: &mut AnyConnection) -> Result<(), StoreError> {
    diesel::update(call_log_head::table.find(0))
        .set(call_log_head::size.eq(call_log_head::size))
        .execute(connection)?;
    Ok(())
}

/// Hashes what a version without trees has written to any log.
pub fn catch_up(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let logs: Vec<i64> = call_log_head::table
        .filter(call_log_head::hashed.lt(call_log_head::size))
        .order(call_log_head::log_id)
        .select(call_log_head::log_id)
        .load(connection)?;
    for log_id in logs {
        Heads::default().lock(connection, log_id)?;
    }
    Ok(())
}

/// The name of the e-service whose log it is; none for the calls outside all of them.
fn name(connection: &mut AnyConnection, log_id: i64) -> Result<Option<String>, StoreError> {
    Ok(eservice::table.find(log_id).select(eservice::name).first(connection).optional()?)
}

/// The tree as the head keeps it.
pub(super) fn tree(log_id: i64, hashed: i64, frontier: &[u8]) -> Result<Frontier, StoreError> {
    u64::try_from(hashed)
        .ok()
        .and_then(|size| Frontier::read(size, frontier))
        .ok_or_else(|| unreadable(log_id))
}

fn unreadable(log_id: i64) -> StoreError {
    StoreError::Unreadable(format!("the head of log {log_id}"))
}
