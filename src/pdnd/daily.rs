//! The job that sends the file of each day by itself, for the sections that ask for it.
//!
//! A round looks which days are over and not counted by PDND yet, takes the section's turn, and settles each of them,
//! oldest first; whatever does not succeed is tried again later. Rounds are cheap while nothing is due, and any number
//! of instances may have them. What is done for a day is in `settle`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use uuid::Uuid;

use super::http::CALL_TIMEOUT;
use super::ledger::{self, Record};
use super::member;
use super::service::State;
use super::settle::{Asked, SettleError, Settled, Settler, deadline, ready};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{AnyConnection, Day, Store, StoreError};

/// The time between two rounds.
const TICK: Duration = Duration::from_secs(30);
/// When to look again at a file that PDND is looking at.
const POLL: SignedDuration = SignedDuration::from_mins(10);
/// When to look again at a day that only a person can mend.
const REST: SignedDuration = SignedDuration::from_hours(1);
/// The shortest and the longest wait after a failure; it doubles from one to the next.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(30);
/// How long before the deadline there is an attempt, whatever the waits.
const LAST_CALL: SignedDuration = SignedDuration::from_mins(10);

/// The daily job of one section.
pub struct Job {
    settler: Settler,
    stopping: Arc<AtomicBool>,
}

impl Job {
    /// The job that sends with `settler`.
    #[must_use]
    pub fn new(settler: Settler) -> Self {
        Self { settler, stopping: Arc::default() }
    }

    /// Does what is due. Blocks, and waits for the network.
    ///
    /// Fails when the database does: everything that PDND or the network do is written down, logged and tried again.
    pub fn round(&self) -> Result<(), StoreError> {
        let Settler { name, store, clock, .. } = &self.settler;
        let now = clock.now();
        let first = match store.read(|connection| ledger::first_day(connection, name))? {
            Some(first) => first,
            None => {
                let today = Day::of(now);
                store.write(|connection| ledger::enable(connection, name, today))?;
                today
            }
        };
        let records = store.read(|connection| ledger::since(connection, name, first))?;
        let open = open_days(first, &records, now);
        if let Some(next) = open.first().map(|record| record.day).or_else(|| first_open(first, now))
            && next > first
        {
            store.write(|connection| ledger::advance(connection, name, next))?;
        }
        if !open.iter().any(|record| record.next <= now) || !self.settler.take_turn()? {
            return Ok(());
        }
        let done = self.settle(first);
        self.settler.end_turn();
        done
    }

    /// Settles what is due, now that it is this instance's turn: another may have done some of it a moment ago.
    fn settle(&self, first: Day) -> Result<(), StoreError> {
        let Settler { name, store, clock, service, .. } = &self.settler;
        let now = clock.now();
        let records = store.read(|connection| ledger::since(connection, name, first))?;
        let due = open_days(first, &records, now).into_iter().filter(|record| record.next <= now);
        let known = service.days(&[]);
        for record in due {
            if self.stopping.load(Ordering::Relaxed) {
                break;
            }
            let settled = match &known {
                Ok(known) => self.settler.settle(record.day, known, Asked::Daily),
                // The reason is the same for every day, and is told of each.
                Err(error) => {
                    self.postpone(&record, &error.to_string(), error.retry_after())?;
                    continue;
                }
            };
            match settled {
                Ok(settled) => self.conclude(record.day, &settled)?,
                Err(SettleError::Store(error)) => return Err(error),
                Err(error) => {
                    let wait = match &error {
                        SettleError::Pdnd(error) => error.retry_after(),
                        _ => None,
                    };
                    self.postpone(&record, &error.to_string(), wait)?;
                }
            }
        }
        Ok(())
    }

    fn conclude(&self, day: Day, settled: &Settled) -> Result<(), StoreError> {
        let Settler { name, clock, .. } = &self.settler;
        let after = |wait: SignedDuration| clock.now().checked_add(wait).unwrap_or_default();
        match settled {
            Settled::Sent(..) | Settled::Waiting => self.settler.later(day, None, after(POLL)),
            Settled::Accepted(State::Warning) | Settled::AcceptedOther(State::Warning, _) => {
                tracing::warn!(section = name, %day, "PDND counted the day, with remarks: see `tracing status`");
                self.settler.later(day, Some("counted with remarks"), after(REST))
            }
            Settled::Accepted(_) => {
                tracing::info!(section = name, %day, "PDND counted the day");
                self.settler.later(day, None, after(REST))
            }
            Settled::AcceptedOther(..) => {
                tracing::warn!(
                    section = name, %day,
                    "PDND counted the day with a file that is not this service's: see `tracing status`"
                );
                self.settler.later(day, Some("counted with another file"), after(REST))
            }
            Settled::LeftInError(id) => {
                let errors = self.settler.service.errors(*id).unwrap_or_default();
                let first = errors.first().and_then(|error| error.message.clone()).unwrap_or_default();
                tracing::error!(
                    section = name, %day, errors = errors.len(), first,
                    "PDND finds the file of the day wrong, and it was sent twice: see `tracing status`"
                );
                let note = format!("PDND finds the file wrong ({} errors): {first}", errors.len());
                self.settler.later(day, Some(&note), after(REST))
            }
        }
    }

    fn postpone(&self, record: &Record, reason: &str, asked: Option<Duration>) -> Result<(), StoreError> {
        let Settler { name, clock, .. } = &self.settler;
        let now = clock.now();
        let next = next_attempt(record.day, record.failures, asked, now);
        let missed = deadline(record.day).is_none_or(|deadline| deadline <= now);
        let day = record.day;
        if missed {
            tracing::error!(section = name, %day, reason, %next, "the count of a day is late with PDND");
        } else {
            tracing::warn!(section = name, %day, reason, %next, "the count of a day could not be sent to PDND");
        }
        self.settler.failed(day, reason, next)
    }
}

/// When to try again after one more failure than `failures`: later each time, but once more just before the deadline.
fn next_attempt(day: Day, failures: i32, asked: Option<Duration>, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(failures).unwrap_or(0).min(10);
    let wait = SHORTEST_WAIT.saturating_mul(2_i32.saturating_pow(doublings)).min(LONGEST_WAIT);
    let asked = asked.and_then(|asked| SignedDuration::try_from(asked).ok()).unwrap_or_default();
    let next = now.checked_add(wait.max(asked.min(REST))).unwrap_or(now);
    match deadline(day).and_then(|deadline| deadline.checked_sub(LAST_CALL).ok()) {
        Some(last_call) if now < last_call => next.min(last_call),
        _ => next,
    }
}

/// The days from `first` on that are over and not counted yet.
fn open_days(first: Day, records: &[Record], now: Timestamp) -> Vec<Record> {
    let over = |day: &Day| ready(*day).is_some_and(|ready| ready <= now);
    std::iter::successors(Some(first), |day| day.next())
        .take_while(over)
        .map(|day| {
            records.iter().find(|record| record.day == day).cloned().unwrap_or_else(|| Record::new(day))
        })
        .filter(|record| !record.is_accepted())
        .collect()
}

/// The first day that is not over.
fn first_open(first: Day, now: Timestamp) -> Option<Day> {
    std::iter::successors(Some(first), |day| day.next())
        .find(|day| ready(*day).is_none_or(|ready| ready > now))
}

/// How a section stands, for `doctor` and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Days that are over and that PDND has not counted.
    pub owed: u32,
    /// How many of them PDND found wrong, or missed.
    pub in_error: u32,
    /// Until when the oldest of them can be sent.
    pub deadline: Option<Timestamp>,
    /// The last day that PDND counted.
    pub last_accepted: Option<Day>,
    /// Why the last attempt for the oldest of them failed.
    pub last_error: Option<String>,
}

/// How the section of that name stands at `now`, as the ledger has it.
pub fn standing(connection: &mut AnyConnection, name: &str, now: Timestamp) -> Result<Standing, StoreError> {
    let first = ledger::first_day(connection, name)?;
    let open = match first {
        Some(first) => open_days(first, &ledger::since(connection, name, first)?, now),
        None => Vec::new(),
    };
    let wrong = |record: &&Record| matches!(record.state, Some(State::Error | State::Missing));
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Standing {
        owed: count(open.len()),
        in_error: count(open.iter().filter(wrong).count()),
        deadline: open.first().and_then(|record| deadline(record.day)),
        last_accepted: ledger::last_accepted(connection, name)?,
        last_error: open.into_iter().next().and_then(|record| record.last_error),
    })
}

/// A job that runs.
pub struct Running {
    stopping: Arc<AtomicBool>,
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Running {
    /// Lets the call to PDND that is in flight end, and begins no other.
    pub async fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        if tokio::time::timeout(CALL_TIMEOUT.saturating_mul(2), self.task).await.is_err() {
            tracing::warn!("the daily count was cut off; it is taken up at the next start");
        }
    }
}

/// Starts the jobs of the sections that ask for it. Needs a tokio runtime.
#[must_use]
pub fn start(config: &Config, store: &Store, clock: &Clock) -> Vec<Running> {
    let mut running = Vec::new();
    for section in config.tracing.iter().filter(|section| section.daily) {
        let holder = Uuid::new_v4().to_string();
        match member::settler(config, section, store.clone(), clock.clone(), holder) {
            Ok(settler) => running.push(spawn(Job::new(settler))),
            Err(error) => tracing::error!(%error, "the daily count is not sent"),
        }
    }
    running
}

fn spawn(job: Job) -> Running {
    let stopping = Arc::clone(&job.stopping);
    let wake = Arc::new(Notify::new());
    let woken = Arc::clone(&wake);
    let job = Arc::new(job);
    let task = tokio::spawn(async move {
        while !job.stopping.load(Ordering::Relaxed) {
            let round = Arc::clone(&job);
            match spawn_blocking(move || round.round()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(section = job.settler.name, %error, "the daily count waits for the database");
                }
                Err(error) => tracing::error!(%error, "a round of the daily count was cut off"),
            }
            let _ = tokio::time::timeout(TICK, woken.notified()).await;
        }
    });
    Running { stopping, wake, task }
}
