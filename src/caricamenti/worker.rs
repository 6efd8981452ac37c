//! Who works on the files that wait: one hand in each process, which takes them e-service by e-service in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::rows;
use super::run::{self, RunError, Tools};
use super::turn;
use super::{Caricamento, Stato};
use crate::call_log::Actor;
use crate::call_log::action::{self, Action, Kind, Outcome, Way};
use crate::clock::Clock;
use crate::codes::RulesInForce;
use crate::config::EService;
use crate::current::Current;
use crate::import::ImportError;
use crate::store::{EserviceId, Store, StoreError};

/// How often it is looked whether another instance left something to do.
const TICK: Duration = Duration::from_secs(10);
/// How often what is too old is dropped.
const SWEEP: Duration = Duration::from_secs(60 * 60);

/// Tells the worker of this process that there is something to do.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// There is something to do.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

/// The worker of this process.
#[derive(Debug)]
pub struct Worker {
    task: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    bell: Bell,
    range: Arc<Current<Range>>,
}

/// For whom it works, and by what rules.
#[derive(Debug)]
struct Range {
    eservices: Vec<(EserviceId, EService)>,
    rules: Arc<RulesInForce>,
}

/// Is told the name of an e-service, and how many records of a file that is published were taken and refused.
pub type Tally = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

#[derive(Clone)]
struct Hand {
    store: Store,
    clock: Clock,
    range: Arc<Current<Range>>,
    tally: Tally,
    stop: Arc<AtomicBool>,
}

impl Worker {
    /// Starts it, for the files of these e-services. Needs a tokio runtime.
    #[must_use]
    pub fn start(
        store: Store,
        clock: Clock,
        rules: Arc<RulesInForce>,
        eservices: Vec<(EserviceId, EService)>,
        bell: Bell,
        tally: Tally,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let range = Arc::new(Current::new(Range { eservices, rules }));
        let hand = Hand { store, clock, range: Arc::clone(&range), tally, stop: Arc::clone(&stop) };
        Self { task: tokio::spawn(hand.work(bell.clone())), stop, bell, range }
    }

    /// From the next file on it works for these e-services, and by these rules.
    pub fn assign(&self, rules: Arc<RulesInForce>, eservices: Vec<(EserviceId, EService)>) {
        self.range.replace(Range { eservices, rules });
        self.bell.ring();
    }

    /// Stops it: what it is at counts as interrupted, and can be begun again.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.bell.ring();
        if self.task.await.is_err() {
            tracing::error!("the work on loaded files ended badly");
        }
    }
}

impl Hand {
    async fn work(self, bell: Bell) {
        let mut swept: Option<Instant> = None;
        while !self.stops() {
            let sweeps = swept.is_none_or(|last| last.elapsed() >= SWEEP);
            let hand = self.clone();
            let round = spawn_blocking(move || {
                let worked = hand.round();
                if sweeps {
                    hand.sweep();
                }
                worked
            });
            if sweeps {
                swept = Some(Instant::now());
            }
            if !round.await.unwrap_or(false) && !self.stops() {
                // Whether it rang or not: there may be something.
                let _ = timeout(TICK, bell.0.notified()).await;
            }
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        if let Err(error) = self.store.write_bounded(move |connection| rows::sweep(connection, now_ms)) {
            tracing::warn!(%error, "loaded files that are too old cannot be dropped");
        }
    }

    /// One file of each e-service that has one waiting; whether there was any.
    fn round(&self) -> bool {
        let mut worked = false;
        let Range { eservices, rules } = &*self.range.get();
        for (id, eservice) in eservices {
            if self.stops() {
                break;
            }
            let (id, now_ms) = (*id, self.clock.now_ms());
            let claimed = match self.store.read_bounded(move |connection| turn::waits(connection, id)) {
                Ok(true) => self.store.write_bounded(move |connection| turn::claim(connection, id, now_ms)),
                Ok(false) => Ok(None),
                Err(error) => Err(error),
            };
            match claimed {
                Ok(Some(job)) => {
                    self.deal_with(eservice, rules, &job);
                    worked = true;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "it is not known which loaded files wait"),
            }
        }
        worked
    }

    fn deal_with(&self, eservice: &EService, rules: &Arc<RulesInForce>, job: &Caricamento) {
        let stop = || self.stops();
        let tools = Tools { store: &self.store, clock: &self.clock, rules, stop: &stop };
        let done = run::run(&tools, eservice, job);
        let (outcome, taken) = match &done {
            Ok(Some(summary)) => {
                let taken = summary.records.saturating_sub(summary.refused);
                if job.stato == Stato::Pubblicazione {
                    (self.tally)(&eservice.name, taken, summary.refused);
                }
                (Outcome::Done, taken)
            }
            Ok(None) => return,
            Err(error) => {
                if !matches!(error, RunError::Import(ImportError::Stopped)) {
                    tracing::error!(upload = job.id, %error, "a loaded file was not dealt with to its end");
                }
                (Outcome::Failed, 0)
            }
        };
        if let Err(error) = self.end(job, outcome, taken) {
            tracing::error!(upload = job.id, %error, "the end of an import is not in the log");
        }
    }

    fn end(&self, job: &Caricamento, outcome: Outcome, taken: u64) -> Result<(), StoreError> {
        let (job, clock) = (job.clone(), self.clock.clone());
        self.store.write_bounded(move |connection| {
            if outcome == Outcome::Failed {
                turn::release(connection, &job)?;
            }
            if job.stato == Stato::Pubblicazione {
                let user = job.confirmed_by.clone().unwrap_or_default();
                let actor = Actor { user, way: Way::Console, client_ip: None };
                let ended = Action::new(&actor, Kind::ImportEnded).of(job.eservice).with(outcome);
                let ended = ended.saying(format!("caricamento={}", job.id)).counting(taken);
                action::record_in(connection, &clock, [ended])?;
            }
            Ok(())
        })
    }
}
