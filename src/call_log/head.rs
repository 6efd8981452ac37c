//! The head of a log: how many entries it has, and the tree that they are the leaves of.
//!
//! The row of the head is the log's lock: whoever extends a log holds it until the transaction ends, so that entries
//! are contiguous and have one order, whatever the number of instances.

use std::collections::HashMap;

use diesel::prelude::*;

use super::leaf::Leaf;
use super::rows::{Changes, Row, Tree};
use super::tree::Frontier;
use crate::store::schema::{call_entry, call_log_head, eservice};
use crate::store::{AnyConnection, StoreError, each_backend};

/// How many entries are read at a time.
const PAGE: i64 = 1000;

/// A log that the running transaction alone may extend.
pub(super) struct Head {
    log_id: i64,
    eservice: Option<String>,
    tree: Frontier,
}

/// The names of the e-services, which do not change, by their logs.
pub(super) type Names = HashMap<i64, Option<String>>;

impl Head {
    /// Locks a log and makes room for `count` more entries, those from [`Head::next`] on.
    pub(super) fn extend(
        connection: &mut AnyConnection,
        names: &mut Names,
        log_id: i64,
        count: usize,
    ) -> Result<Self, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let (size, hashed, frontier): (i64, i64, Vec<u8>) = each_backend!(connection, |inner| {
            diesel::update(call_log_head::table.find(log_id))
                .set(call_log_head::size.eq(call_log_head::size + count))
                .returning((call_log_head::size, call_log_head::hashed, call_log_head::frontier))
                .get_result(inner)
        })?;
        let eservice = match names.get(&log_id) {
            Some(name) => name.clone(),
            None => names.entry(log_id).or_insert(name(connection, log_id)?).clone(),
        };
        let mut head = Self { log_id, eservice, tree: tree(log_id, hashed, &frontier)? };
        head.catch_up(connection, size - count)?;
        Ok(head)
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
        Ok(Tree { log_id: self.log_id, hashed: self.next()?, frontier: self.tree.bytes() })
    }

    /// Hashes the entries below `size` that a version without trees has written.
    fn catch_up(&mut self, connection: &mut AnyConnection, size: i64) -> Result<(), StoreError> {
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
        Ok(())
    }
}

/// Hashes what a version without trees has written to any log.
pub fn catch_up(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let logs: Vec<i64> = call_log_head::table
        .filter(call_log_head::hashed.lt(call_log_head::size))
        .order(call_log_head::log_id)
        .select(call_log_head::log_id)
        .load(connection)?;
    for log_id in logs {
        let head = Head::extend(connection, &mut Names::new(), log_id, 0)?;
        Changes { trees: vec![head.tree()?], ..Changes::default() }.write(connection)?;
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
