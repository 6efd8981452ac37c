//! The one writer of this process's entries.
//!
//! A thread takes all the entries that wait and commits them in one transaction, so that many calls share the wait
//! for the disk. The transaction locks the head of each log that it extends, in the order of their ids: instances
//! do not block each other in a circle.
//!
//! What waits is bounded by permits. An entry that nobody waits for (a note, or one whose caller has gone) keeps its
//! permit and is tried again until the database takes it. Those that wait when the process stops while the database is
//! away are lost, and counted in the service's own log: each was answered with a refusal, and disclosed nothing.
//!
//! A database that is silent stops nobody: a commit is given up after twice the store's time-out. It may still come
//! through, so an entry that is tried again is looked for first. That look is exact: it holds the head of the log, as
//! the commit that was given up did from its beginning to its end, and a commit that finds itself given up undoes what
//! it wrote.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout_at;

use super::entry::Entry;
use super::head::{Head, Names};
use super::rows::Changes;
use super::thresholds::{self, Charge, Counters, EXCEEDED, Limits, Quota};
use crate::clock::Clock;
use crate::store::schema::call_entry;
use crate::store::{AnyConnection, EserviceId, Store, StoreError};

/// How many entries may wait in memory.
const WAITING: usize = 4096;

/// How many entries one transaction takes.
pub(super) const BATCH: usize = 1024;

/// How long after a failure the entries that nobody waits for are tried again.
const RETRY: Duration = Duration::from_millis(250);

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

/// Writes entries. Clones share one thread.
#[derive(Clone)]
pub struct Appender {
    jobs: Sender<Job>,
    permits: Arc<Semaphore>,
    writable: Arc<AtomicBool>,
    store: Store,
    clock: Clock,
    #[cfg(feature = "measure-log")]
    discards: bool,
}

/// Appenders that are started while this is set write nothing.
#[cfg(feature = "measure-log")]
pub static DISCARD: AtomicBool = AtomicBool::new(false);

enum Job {
    Write(Box<Pending>),
    Stop(oneshot::Sender<()>),
}

/// What is to be written. A commit that was given up still refers to it.
struct Call {
    entry: Entry,
    charge: Option<Charge>,
}

struct Pending {
    call: Arc<Call>,
    /// It was tried before, and may have been written.
    again: bool,
    waiter: Option<oneshot::Sender<Result<Appended, StoreError>>>,
    _permit: OwnedSemaphorePermit,
}

impl Appender {
    /// Starts the thread that writes.
    pub fn start(store: Store, clock: Clock) -> Result<Self, std::io::Error> {
        let (sender, receiver) = channel();
        let writable = Arc::new(AtomicBool::new(true));
        let writer = Writer { store: store.clone(), writable: Arc::clone(&writable), names: Names::new() };
        thread::Builder::new().name("call-log".to_owned()).spawn(move || run(writer, &receiver))?;
        Ok(Self {
            jobs: sender,
            permits: Arc::new(Semaphore::new(WAITING)),
            writable,
            store,
            clock,
            #[cfg(feature = "measure-log")]
            discards: DISCARD.load(Ordering::Relaxed),
        })
    }

    /// Whether the last attempt to write succeeded. One that failed is repeated until it succeeds, calls or no calls.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Writes `entry`, which is durable when this returns, and counts the call if it is charged.
    ///
    /// Fails within twice the store's time-out; the entry may then still be written, saying what was about to be
    /// answered.
    pub async fn append(&self, entry: Entry, charge: Option<Charge>) -> Result<Appended, StoreError> {
        #[cfg(feature = "measure-log")]
        if self.discards {
            return Ok(Appended { index: 0, quota: None, exceeded: false });
        }
        let deadline = Instant::now() + self.store.longest();
        let (waiter, result) = oneshot::channel();
        self.send(entry, charge, Some(waiter)).await?;
        timeout_at(deadline.into(), result)
            .await
            .map_err(|_| StoreError::Unavailable("the call log was not written in time".to_owned()))?
            .map_err(|_| stopped())?
    }

    /// Hands over an entry on which no answer waits; it is durable within a second while the database is there.
    pub async fn note(&self, entry: Entry) -> Result<(), StoreError> {
        self.send(entry, None, None).await
    }

    async fn send(
        &self,
        entry: Entry,
        charge: Option<Charge>,
        waiter: Option<oneshot::Sender<Result<Appended, StoreError>>>,
    ) -> Result<(), StoreError> {
        let deadline = Instant::now() + self.store.timeout();
        let permit = timeout_at(deadline.into(), Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| StoreError::Unavailable("too many entries of the call log are waiting".to_owned()))?
            .map_err(|_| stopped())?;
        self.jobs
            .send(Job::Write(Box::new(Pending {
                call: Arc::new(Call { entry, charge }),
                again: false,
                waiter,
                _permit: permit,
            })))
            .map_err(|_| stopped())
    }

    /// The instant, by the clock that the log goes by.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is left of the thresholds, without counting a call; of the total only, for a consumer that is not known
    /// yet.
    pub async fn quota(
        &self,
        eservice: EserviceId,
        consumer: Option<String>,
        limits: Limits,
    ) -> Result<Quota, StoreError> {
        let instant = self.clock.now();
        self.store
            .read_async(move |connection| {
                thresholds::quota(connection, eservice, consumer.as_deref(), limits, instant)
            })
            .await
    }

    /// Writes what waits, then ends the thread: later entries are refused. What the database does not take is given up
    /// after one more attempt, within four times the store's time-out.
    pub async fn shutdown(&self) {
        let (done, ended) = oneshot::channel();
        if self.jobs.send(Job::Stop(done)).is_ok() {
            // An error means that the thread has ended already, having written what it had.
            let _ = ended.await;
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the call log is closed".to_owned())
}

/// What the thread writes with.
struct Writer {
    store: Store,
    writable: Arc<AtomicBool>,
    /// Those that were looked up; none after a commit that failed.
    names: Names,
}

fn run(mut writer: Writer, jobs: &Receiver<Job>) {
    let mut waiting: Vec<Pending> = Vec::new();
    let mut stop = None;
    loop {
        let first = if waiting.is_empty() && writer.writable.load(Ordering::Relaxed) {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(RETRY)
        };
        let ended = matches!(first, Err(RecvTimeoutError::Disconnected));
        for job in first.into_iter().chain(jobs.try_iter()) {
            match job {
                Job::Write(pending) => waiting.push(*pending),
                Job::Stop(done) => stop = Some(done),
            }
        }
        if !waiting.is_empty() || !writer.writable.load(Ordering::Relaxed) {
            waiting = writer.write(waiting);
        }
        if ended || stop.is_some() {
            if !waiting.is_empty() {
                tracing::error!(
                    entries = waiting.len(),
                    "entries of the call log are lost: the database is away"
                );
            }
            if let Some(done) = stop {
                // Nobody may be waiting for the end.
                let _ = done.send(());
            }
            return;
        }
    }
}

impl Writer {
    /// Commits `entries` and tells those who wait. Returns what must be tried again. Without entries, only tries
    /// whether the log can be written.
    fn write(&mut self, mut entries: Vec<Pending>) -> Vec<Pending> {
        let mut again = Vec::new();
        loop {
            let mut rest = entries.split_off(entries.len().min(BATCH));
            let calls: Vec<_> =
                entries.iter().map(|pending| (Arc::clone(&pending.call), pending.again)).collect();
            let given_up = Arc::new(AtomicBool::new(false));
            let heard = Arc::clone(&given_up);
            let mut names = std::mem::take(&mut self.names);
            let committed = self.store.write_bounded(move |connection| {
                let appended = commit(connection, &mut names, &calls)?;
                if heard.load(Ordering::SeqCst) {
                    return Err(StoreError::Unavailable("the commit was given up".to_owned()));
                }
                Ok((appended, names))
            });
            given_up.store(true, Ordering::SeqCst);
            self.writable.store(committed.is_ok(), Ordering::Relaxed);
            match committed {
                Ok((appended, names)) => {
                    self.names = names;
                    for (pending, appended) in entries.into_iter().zip(appended) {
                        if let (Some(waiter), Some(appended)) = (pending.waiter, appended) {
                            // A caller that has gone away needs no answer.
                            let _ = waiter.send(Ok(appended));
                        }
                    }
                }
                Err(error) => {
                    if error.is_unavailable() {
                        // Nor would the others be taken: each attempt would cost the time of one.
                        entries.append(&mut rest);
                    }
                    tracing::error!(%error, entries = entries.len(), "the call log cannot be written");
                    let reason = error.to_string();
                    for mut pending in entries {
                        let told = pending.waiter.take().is_some_and(|waiter| {
                            waiter.send(Err(StoreError::Unavailable(reason.clone()))).is_ok()
                        });
                        if !told {
                            pending.again = true;
                            again.push(pending);
                        }
                    }
                }
            }
            if rest.is_empty() {
                return again;
            }
            entries = rest;
        }
    }
}

/// Writes `entries`, of which no call is charged, within the caller's transaction. At most [`BATCH`].
pub(super) fn append_in(connection: &mut AnyConnection, entries: &[Entry]) -> Result<(), StoreError> {
    let call = |entry: &Entry| (Arc::new(Call { entry: entry.clone(), charge: None }), false);
    let calls: Vec<_> = entries.iter().map(call).collect();
    commit(connection, &mut Names::new(), &calls).map(drop)
}

/// Writes `calls` in their order within each log, and returns what became of each: nothing of one that is tried again
/// and was written before.
fn commit(
    connection: &mut AnyConnection,
    names: &mut Names,
    calls: &[(Arc<Call>, bool)],
) -> Result<Vec<Option<Appended>>, StoreError> {
    if calls.is_empty() {
        Head::extend(connection, names, 0, 0)?;
    }
    let mut logs: BTreeMap<i64, Vec<(usize, &Call, bool)>> = BTreeMap::new();
    for (place, (call, again)) in calls.iter().enumerate() {
        logs.entry(call.entry.log_id()).or_default().push((place, call, *again));
    }
    let mut changes = Changes::default();
    let mut appended: Vec<Option<Appended>> = vec![None; calls.len()];
    for (log_id, mut members) in logs {
        if members.iter().any(|(_, _, again)| *again) {
            Head::extend(connection, names, log_id, 0)?;
            let mut absent = Vec::with_capacity(members.len());
            for member in members {
                if !(member.2 && is_written(connection, &member.1.entry)?) {
                    absent.push(member);
                }
            }
            members = absent;
        }
        let mut head = Head::extend(connection, names, log_id, members.len())?;
        let charged =
            members.iter().filter_map(|(_, call, _)| Some((call.entry.instant, call.charge.as_ref()?)));
        let mut counters = Counters::read(connection, EserviceId::referred(log_id), charged)?;
        for (place, call, _) in members {
            let index = head.next()?;
            let mut done = Appended { index, quota: None, exceeded: false };
            if let Some(charge) = &call.charge {
                let (room, quota) = counters.charge(charge, call.entry.instant);
                done = Appended { index, quota: Some(quota), exceeded: !room };
            }
            let mut row =
                if done.exceeded { call.entry.refused(EXCEEDED).row(index) } else { call.entry.row(index) };
            head.push(&mut row)?;
            changes.entries.push(row);
            if let Some(appended) = appended.get_mut(place) {
                *appended = Some(done);
            }
        }
        changes.counts.extend(counters.rows());
        changes.trees.push(head.tree()?);
    }
    changes.write(connection)?;
    Ok(appended)
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
