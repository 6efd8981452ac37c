//! One commit: which entry gets which place, what it counts, what is written.
//!
//! A log that only this process extends costs one round trip: what is to be written is worked out from the head as it
//! was left ([`foresee`]), and one statement writes it if the head is still that. Otherwise, and always on SQLite, a
//! transaction locks the heads first and looks ([`commit`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::prelude::*;
use jiff::Timestamp;

use super::entry::Entry;
use super::head::{self, Head, Heads};
use super::rows::Changes;
use super::thresholds::{Charge, EXCEEDED, Quota};
use crate::store::schema::call_entry;
use crate::store::{AnyConnection, StoreError};

/// How many entries one commit takes.
pub(super) const BATCH: usize = 1024;

/// An entry that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its place in the log, from 0.
    pub index: i64,
    /// What is left of the thresholds, if the call was charged.
    pub quota: Option<Quota>,
    /// The call is beyond a threshold: it was logged as refused with status 429, and must be answered so.
    pub exceeded: bool,
}

/// What is to be written. A commit that was given up still refers to it.
pub(super) struct Call {
    pub(super) entry: Entry,
    pub(super) charge: Option<Charge>,
}

/// A call, and whether it was tried before and may have been written.
pub(super) type Tried = (Arc<Call>, bool);

/// What became of each call of a commit: nothing of one that is tried again and was written before.
pub(super) type Outcome = Vec<Option<Appended>>;

/// Calls of one log, with their places in the commit.
type Members<'a> = Vec<(usize, &'a Call, bool)>;

/// Writes `entries`, of which no call is charged, within the caller's transaction. At most [`BATCH`].
pub(super) fn append_in(connection: &mut AnyConnection, entries: &[Entry]) -> Result<(), StoreError> {
    let call = |entry: &Entry| (Arc::new(Call { entry: entry.clone(), charge: None }), false);
    let calls: Vec<_> = entries.iter().map(call).collect();
    commit(connection, &mut Heads::default(), &calls).map(drop)
}

/// What to write for `calls`, and what becomes of them then, if all their logs are as this process left them.
pub(super) fn foresee(heads: &mut Heads, calls: &[Tried]) -> Result<Option<(Changes, Outcome)>, StoreError> {
    let logs = by_log(calls);
    let known = |(log_id, members): (&i64, &Members<'_>)| {
        !members.iter().any(|(_, _, again)| *again)
            && heads.undisturbed(*log_id).is_some_and(|head| head.counters.know(charged(members)))
    };
    if logs.is_empty() || !logs.iter().all(known) {
        return Ok(None);
    }
    let (mut changes, mut outcome) = (Changes::default(), vec![None; calls.len()]);
    for (log_id, members) in &logs {
        if let Some(head) = heads.undisturbed(*log_id) {
            extend(head, members, &mut changes, &mut outcome)?;
        }
    }
    Ok(Some((changes, outcome)))
}

/// Writes `calls` in their order within each log, within the caller's transaction. Without any, only tries whether the
/// log can be written.
pub(super) fn commit(
    connection: &mut AnyConnection,
    heads: &mut Heads,
    calls: &[Tried],
) -> Result<Outcome, StoreError> {
    if calls.is_empty() {
        head::touch(connection)?;
    }
    let (mut changes, mut outcome) = (Changes::default(), vec![None; calls.len()]);
    for (log_id, mut members) in by_log(calls) {
        let head = heads.lock(connection, log_id)?;
        if members.iter().any(|(_, _, again)| *again) {
            let mut absent = Vec::with_capacity(members.len());
            for member in members {
                if !(member.2 && is_written(connection, &member.1.entry)?) {
                    absent.push(member);
                }
            }
            members = absent;
        }
        if !members.is_empty() {
            head.counters.learn(connection, charged(&members))?;
            extend(head, &members, &mut changes, &mut outcome)?;
        }
    }
    if !changes.write(connection)? {
        return Err(StoreError::Unreadable("the head of a log changed under its lock".to_owned()));
    }
    Ok(outcome)
}

fn by_log(calls: &[Tried]) -> BTreeMap<i64, Members<'_>> {
    let mut logs: BTreeMap<i64, Members<'_>> = BTreeMap::new();
    for (place, (call, again)) in calls.iter().enumerate() {
        logs.entry(call.entry.log_id()).or_default().push((place, call, *again));
    }
    logs
}

fn charged<'a>(members: &'a Members<'_>) -> impl Iterator<Item = (Timestamp, &'a Charge)> + Clone {
    members.iter().filter_map(|(_, call, _)| Some((call.entry.instant, call.charge.as_ref()?)))
}

/// Adds the entries of `members` to a log.
fn extend(
    head: &mut Head,
    members: &Members<'_>,
    changes: &mut Changes,
    outcome: &mut Outcome,
) -> Result<(), StoreError> {
    changes.before.push(head.was()?);
    for (place, call, _) in members {
        let index = head.next()?;
        let mut done = Appended { index, quota: None, exceeded: false };
        if let Some(charge) = &call.charge {
            let (room, quota) = head.counters.charge(charge, call.entry.instant);
            done = Appended { index, quota: Some(quota), exceeded: !room };
        }
        let mut row =
            if done.exceeded { call.entry.refused(EXCEEDED).row(index) } else { call.entry.row(index) };
        head.push(&mut row)?;
        changes.entries.push(row);
        if let Some(outcome) = outcome.get_mut(*place) {
            *outcome = Some(done);
        }
    }
    changes.counts.extend(head.counters.changed());
    changes.trees.push(head.tree()?);
    Ok(())
}

/// Whether the log has this entry. One call may have two, with different answers: the one that was about to leave and
/// the refusal that left.
fn is_written(connection: &mut AnyConnection, entry: &Entry) -> Result<bool, StoreError> {
    let same = call_entry::table
        .filter(call_entry::instant_ms.eq(entry.instant.as_millisecond()))
        .filter(call_entry::log_id.eq(entry.log_id()))
        .filter(call_entry::request_id.eq(&entry.request_id))
        .filter(call_entry::outcome.eq(entry.outcome));
    Ok(diesel::select(diesel::dsl::exists(same)).get_result(connection)?)
}
