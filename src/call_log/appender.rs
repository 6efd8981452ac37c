//! The one writer of this process's entries.
//!
//! A thread takes all the entries that wait and commits them in one transaction, so that many calls share the wait
//! for the disk. The transaction locks the head of each log that it extends, in the order of their ids: instances
//! do not block each other in a circle.
//!
//! What waits is bounded by permits. An entry that nobody waits for (a note, or one whose caller has gone) keeps its
//! permit and is tried again until the database takes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use diesel::prelude::*;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::entry::{Entry, Row};
use super::head::{Head, Names};
use super::thresholds::{self, Charge, Counters, EXCEEDED, Limits, Quota};
use crate::clock::Clock;
use crate::store::schema::call_entry;
use crate::store::{AnyConnection, EserviceId, Store, StoreError, each_backend};

/// How many entries may wait in memory.
const WAITING: usize = 4096;

/// How many entries one transaction takes: with 31 columns each, within PostgreSQL's 65535 parameters and SQLite's
/// 32766.
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
    store: Store,
    clock: Clock,
}

enum Job {
    Write(Box<Pending>),
    Stop(oneshot::Sender<()>),
}

struct Pending {
    entry: Entry,
    charge: Option<Charge>,
    waiter: Option<oneshot::Sender<Result<Appended, StoreError>>>,
    _permit: OwnedSemaphorePermit,
}

/// An entry as it is written.
struct Call<'a> {
    entry: &'a Entry,
    charge: Option<&'a Charge>,
}

impl Pending {
    fn call(&self) -> Call<'_> {
        Call { entry: &self.entry, charge: self.charge.as_ref() }
    }
}

impl Appender {
    /// Starts the thread that writes.
    pub fn start(store: Store, clock: Clock) -> Result<Self, std::io::Error> {
        let (sender, receiver) = channel();
        let writer = store.clone();
        thread::Builder::new().name("call-log".to_owned()).spawn(move || run(&writer, &receiver))?;
        Ok(Self { jobs: sender, permits: Arc::new(Semaphore::new(WAITING)), store, clock })
    }

    /// Writes `entry`, which is durable when this returns, and counts the call if it is charged.
    ///
    /// Fails within three times the store's time-out; the entry may then still be written, saying what was about to
    /// be answered.
    pub async fn append(&self, entry: Entry, charge: Option<Charge>) -> Result<Appended, StoreError> {
        let (waiter, result) = oneshot::channel();
        self.send(entry, charge, Some(waiter)).await?;
        timeout(self.store.timeout().saturating_mul(2), result)
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
        let permit = timeout(self.store.timeout(), Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| StoreError::Unavailable("too many entries of the call log are waiting".to_owned()))?
            .map_err(|_| stopped())?;
        self.jobs
            .send(Job::Write(Box::new(Pending { entry, charge, waiter, _permit: permit })))
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

    /// Writes what waits, then ends the thread: later entries are refused.
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

fn run(store: &Store, jobs: &Receiver<Job>) {
    let mut names = Names::new();
    let mut waiting: Vec<Pending> = Vec::new();
    let mut stop = None;
    loop {
        let first = if waiting.is_empty() {
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
        waiting = write(store, &mut names, waiting);
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

/// Commits `entries` and tells those who wait. Returns what must be tried again.
fn write(store: &Store, names: &mut Names, mut entries: Vec<Pending>) -> Vec<Pending> {
    let mut again = Vec::new();
    while !entries.is_empty() {
        let rest = entries.split_off(entries.len().min(BATCH));
        let calls: Vec<Call<'_>> = entries.iter().map(Pending::call).collect();
        match store.write(|connection| commit(connection, names, &calls)) {
            Ok(appended) => {
                for (pending, appended) in entries.into_iter().zip(appended) {
                    if let Some(waiter) = pending.waiter {
                        // A caller that has gone away needs no answer.
                        let _ = waiter.send(Ok(appended));
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, entries = entries.len(), "the call log cannot be written");
                let reason = error.to_string();
                for mut pending in entries {
                    let told = pending.waiter.take().is_some_and(|waiter| {
                        waiter.send(Err(StoreError::Unavailable(reason.clone()))).is_ok()
                    });
                    if !told {
                        again.push(pending);
                    }
                }
            }
        }
        entries = rest;
    }
    again
}

/// Writes `entries`, of which no call is charged, within the caller's transaction. At most [`BATCH`].
pub(super) fn append_in(connection: &mut AnyConnection, entries: &[Entry]) -> Result<(), StoreError> {
    let calls: Vec<Call<'_>> = entries.iter().map(|entry| Call { entry, charge: None }).collect();
    commit(connection, &mut Names::new(), &calls).map(drop)
}

/// Writes `entries` in their order within each log, and returns what became of each.
fn commit(
    connection: &mut AnyConnection,
    names: &mut Names,
    entries: &[Call<'_>],
) -> Result<Vec<Appended>, StoreError> {
    let mut logs: BTreeMap<i64, Vec<(usize, &Call<'_>)>> = BTreeMap::new();
    for (place, pending) in entries.iter().enumerate() {
        logs.entry(pending.entry.log_id()).or_default().push((place, pending));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(entries.len());
    let mut appended: Vec<(usize, Appended)> = Vec::with_capacity(entries.len());
    for (log_id, members) in logs {
        let mut head = Head::extend(connection, names, log_id, members.len())?;
        let mut counters = None;
        for (place, pending) in members {
            let index = head.next()?;
            let mut done = Appended { index, quota: None, exceeded: false };
            if let (Some(charge), Some(eservice)) = (pending.charge, pending.entry.eservice) {
                let (room, quota) = counters.get_or_insert_with(|| Counters::new(eservice)).charge(
                    connection,
                    charge,
                    pending.entry.instant,
                )?;
                done = Appended { index, quota: Some(quota), exceeded: !room };
            }
            let mut row = if done.exceeded {
                pending.entry.refused(EXCEEDED).row(index)
            } else {
                pending.entry.row(index)
            };
            head.push(&mut row)?;
            rows.push(row);
            appended.push((place, done));
        }
        if let Some(counters) = counters {
            counters.save(connection)?;
        }
        head.save(connection)?;
    }
    each_backend!(connection, |inner| diesel::insert_into(call_entry::table).values(&rows).execute(inner))?;
    appended.sort_unstable_by_key(|(place, _)| *place);
    Ok(appended.into_iter().map(|(_, appended)| appended).collect())
}
