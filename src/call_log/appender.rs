//! The one writer of this process's entries.
//!
//! A thread takes all the entries that wait and commits them together, so that many calls share the wait for the disk.
//! A commit locks the head of each log that it extends, in the order of their ids: instances do not block each other in
//! a circle.
//!
//! What waits is bounded by permits. An entry that nobody waits for (a note, or one whose caller has gone) keeps its
//! permit and is tried again until the database takes it. Those that wait when the process stops while the database is
//! away are lost, and counted in the service's own log: each was answered with a refusal, and disclosed nothing.
//!
//! A database that is silent stops nobody: a commit is given up after twice the store's time-out. It may still come
//! through, so an entry that is tried again is looked for first, in a transaction that holds the head of the log. That
//! look is exact. A commit that was given up either held the head before it, and is seen; or it comes to the head later
//! and writes nothing: a transaction finds itself given up and undoes what it wrote, a single statement finds another
//! head than the one that it was made for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout_at;

use super::commit::{Appended, BATCH, Call, Outcome, Tried, commit, foresee};
use super::entry::Entry;
use super::head::Heads;
use super::thresholds::{self, Charge, Limits, Quota, Spent};
use crate::clock::Clock;
use crate::store::{EserviceId, Hand, Store, StoreError};

/// How many entries may wait in memory.
const WAITING: usize = 4096;

/// How long after a failure the entries that nobody waits for are tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Writes entries. Clones share one thread.
#[derive(Clone)]
pub struct Appender {
    jobs: Sender<Job>,
    permits: Arc<Semaphore>,
    writable: Arc<AtomicBool>,
    spent: Arc<Spent>,
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
        let spent = Arc::new(Spent::default());
        let writer = Writer {
            hand: store.hand(),
            writable: Arc::clone(&writable),
            spent: Arc::clone(&spent),
            heads: Heads::default(),
        };
        thread::Builder::new().name("call-log".to_owned()).spawn(move || run(writer, &receiver))?;
        Ok(Self {
            jobs: sender,
            permits: Arc::new(Semaphore::new(WAITING)),
            writable,
            spent,
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

    /// What is left of the thresholds for a consumer that is known to be beyond one today. [`Appender::append`] has the
    /// last word; this spares the work for calls that it would refuse.
    #[must_use]
    pub fn spent(&self, eservice: EserviceId, consumer: &str, limits: Limits) -> Option<Quota> {
        self.spent.find(eservice, consumer, limits, self.clock.now())
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
    hand: Hand,
    writable: Arc<AtomicBool>,
    spent: Arc<Spent>,
    /// As the last commit left them; none after one that failed.
    heads: Heads,
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
            let committed = self.commit(calls);
            self.writable.store(committed.is_ok(), Ordering::Relaxed);
            match committed {
                Ok(appended) => {
                    for (pending, appended) in entries.into_iter().zip(appended) {
                        if let Some(Appended { exceeded: true, quota: Some(quota), .. }) = appended
                            && let Some(charge) = &pending.call.charge
                            && let Some(eservice) = pending.call.entry.eservice
                        {
                            self.spent.remember(eservice, charge, pending.call.entry.instant, quota);
                        }
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
                    let reason = match error {
                        StoreError::Unavailable(reason) => reason,
                        other => other.to_string(),
                    };
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
    /// Commits `calls` in one way or the other. It may nevertheless be committed when it is given up.
    fn commit(&mut self, calls: Vec<Tried>) -> Result<Outcome, StoreError> {
        let given_up = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&given_up);
        let mut heads = std::mem::take(&mut self.heads);
        let committed = self.hand.run(move |store| {
            if let Some((changes, outcome)) = foresee(&mut heads, &calls)? {
                if store.statement(|connection| changes.write(connection))? {
                    return Ok((outcome, heads));
                }
                heads = Heads::default();
            }
            store.write(|connection| {
                let outcome = commit(connection, &mut heads, &calls)?;
                if heard.load(Ordering::SeqCst) {
                    return Err(StoreError::Unavailable("the commit was given up".to_owned()));
                }
                Ok((outcome, heads))
            })
        });
        given_up.store(true, Ordering::SeqCst);
        let (outcome, heads) = committed?;
        self.heads = heads;
        Ok(outcome)
    }
}
