//! How many calls are worked on at once. What comes beyond waits its turn for a moment; what cannot be worked on soon
//! is shed with 503 and `Retry-After` before anything is spent on it, so that a storm slows nobody who is let in.
//!
//! Both the length of the queue and the time in it are bounded: the one bounds memory and what a fast database makes
//! callers wait, the other what a slow one does. A shed call leaves no entry of its own in the log of calls, and one
//! entry says for each e-service and minute how many there were: a flood of calls is no flood of entries.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::store::EserviceId;

/// How long a call waits for its turn.
const PATIENCE: Duration = Duration::from_millis(500);
/// How many calls wait for each one that is worked on. On four cores that lets two hundred callers pull at once, and
/// makes nobody wait for a twentieth of a second.
const WAITING_FOR_EACH: usize = 4;
/// Calls at once for each core, where the configuration does not say.
const CALLS_FOR_EACH_CORE: usize = 16;

/// Lets calls in.
pub(super) struct Admission {
    turns: Semaphore,
    waiting: Semaphore,
    shed: Mutex<Shed>,
}

#[derive(Default)]
struct Shed {
    /// Since the epoch.
    minute: i64,
    calls: BTreeMap<Option<EserviceId>, u32>,
    /// Of the minutes before, until it is taken away.
    over: Vec<ShedCalls>,
}

/// What was shed of one e-service in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShedCalls {
    /// Whose calls; `None`: calls to no address of any.
    pub(super) eservice: Option<EserviceId>,
    /// When the minute began.
    pub(super) minute: Timestamp,
    /// How many there were.
    pub(super) calls: u32,
}

impl Admission {
    /// At most so many calls at once; 0: as many as suit the cores of this machine.
    pub(super) fn new(calls: u32) -> Self {
        let calls = match usize::try_from(calls) {
            Ok(0) => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                cores.saturating_mul(CALLS_FOR_EACH_CORE)
            }
            Ok(calls) => calls,
            Err(_) => Semaphore::MAX_PERMITS,
        };
        let bounded = |permits: usize| Semaphore::new(permits.min(Semaphore::MAX_PERMITS));
        Self {
            turns: bounded(calls),
            waiting: bounded(calls.saturating_mul(WAITING_FOR_EACH)),
            shed: Mutex::default(),
        }
    }

    /// The turn of a call, which lasts until it is dropped; none for a call that is to be shed.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.turns.try_acquire() {
            return Some(turn);
        }
        let _place = self.waiting.try_acquire().ok()?;
        timeout(PATIENCE, self.turns.acquire()).await.ok()?.ok()
    }

    /// Counts a call that was shed.
    pub(super) fn count(&self, eservice: Option<EserviceId>, now: Timestamp) {
        let mut shed = self.at(now.as_second().div_euclid(60));
        let calls = shed.calls.entry(eservice).or_default();
        *calls = calls.saturating_add(1);
    }

    /// What was shed in minutes that are over, each told once.
    pub(super) fn take_shed(&self, now: Timestamp) -> Vec<ShedCalls> {
        std::mem::take(&mut self.at(now.as_second().div_euclid(60)).over)
    }

    /// What was shed and not yet told, the present minute included: the service ends.
    pub(super) fn close(&self) -> Vec<ShedCalls> {
        std::mem::take(&mut self.at(0).over)
    }

    fn at(&self, minute: i64) -> std::sync::MutexGuard<'_, Shed> {
        let mut shed = self.shed.lock().unwrap_or_else(PoisonError::into_inner);
        if shed.minute != minute {
            let began = Timestamp::from_second(shed.minute.saturating_mul(60)).unwrap_or_default();
            let over = std::mem::take(&mut shed.calls);
            shed.over.extend(over.into_iter().map(|(eservice, calls)| ShedCalls {
                eservice,
                minute: began,
                calls,
            }));
            shed.minute = minute;
        }
        shed
    }
}
