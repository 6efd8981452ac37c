//! Dropping what was kept long enough: payloads, and entries of the call log; once a day in a service that runs.
//!
//! Which entries go is the call log's matter, which payloads the registry's; here the latter is done for each
//! e-service, and noted in its log: how many, and accepted before when. No person is named.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::call_log::Actor;
use crate::call_log::action::{self, Action, Kind, Way};
use crate::call_log::prune::{Pruning, prune};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::registry::Registry;
use crate::registry::retention::{Dropped, Note, Retention};
use crate::store::{Day, EserviceId, Store, StoreError};

/// How often it is looked whether another day (Europe/Rome) has begun.
const TICK: Duration = Duration::from_secs(60);

/// Drops what `retention` says of one feed, until `stop` says so, and notes it in the log as done by `actor`. Blocks.
pub fn drop_payloads(
    store: &Store,
    clock: &Clock,
    actor: &Actor,
    eservice: EserviceId,
    retention: Retention,
    stop: &dyn Fn() -> bool,
) -> Result<Dropped, StoreError> {
    let actor = actor.clone();
    let times = clock.clone();
    let note: Note = Arc::new(move |connection, count| {
        let action = Action::new(&actor, Kind::PayloadsDropped)
            .of(eservice)
            .counting(count)
            .saying(format!("accepted_before={:.3}", retention.accepted_before));
        action::record_in(connection, &times, [action])
    });
    Registry::new(store.clone(), clock.clone()).drop_payloads(eservice, retention, &note, stop)
}

/// The daily run of a service. It ends when this is dropped, after the few payloads that it is at.
#[derive(Debug)]
pub struct Daily {
    task: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl Daily {
    /// Starts the runs, the first at once. Needs a tokio runtime.
    #[must_use]
    pub fn start(config: &Config, store: &Store, clock: &Clock) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let job = Job {
            settings: config.retention.clone(),
            call_log: config.call_log.clone(),
            eservices: config.eservice.iter().map(|eservice| eservice.name.clone()).collect(),
            store: store.clone(),
            clock: clock.clone(),
            stop: Arc::clone(&stop),
        };
        Self { task: tokio::spawn(job.run()), stop }
    }
}

impl Drop for Daily {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

#[derive(Clone)]
struct Job {
    settings: config::Retention,
    call_log: config::CallLog,
    eservices: Vec<String>,
    store: Store,
    clock: Clock,
    stop: Arc<AtomicBool>,
}

impl Job {
    async fn run(self) {
        let mut last = None;
        loop {
            let today = Day::of(self.clock.now());
            if last != Some(today) {
                let job = self.clone();
                // A day whose run failed is tried again at the next look.
                if spawn_blocking(move || job.once()).await.unwrap_or(false) {
                    last = Some(today);
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Whether all that could be dropped was.
    fn once(&self) -> bool {
        let actor = Actor { user: "waas-comuni".to_owned(), way: Way::Service, client_ip: None };
        let pruned = self.prune(&actor);
        self.drop_payloads(&actor) && pruned
    }

    fn prune(&self, actor: &Actor) -> bool {
        let pruning = Pruning::new(&self.call_log, self.clock.now());
        let stop = || self.stop.load(Ordering::Relaxed);
        match prune(&self.store, &self.clock, actor, pruning, &stop) {
            Ok(pruned) => {
                let entries: u64 = pruned.iter().map(|log| log.entries).sum();
                if entries > 0 {
                    tracing::info!(entries, before = %pruning.before, "old entries of the call log were removed");
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "old entries of the call log cannot be removed");
                false
            }
        }
    }

    fn drop_payloads(&self, actor: &Actor) -> bool {
        let Some(retention) = Retention::new(&self.settings, self.clock.now()) else { return true };
        let mut complete = true;
        for name in &self.eservices {
            let stop = || self.stop.load(Ordering::Relaxed);
            let dropped = self.store.register_eservice(name).and_then(|eservice| {
                drop_payloads(&self.store, &self.clock, actor, eservice, retention, &stop)
            });
            match dropped {
                Ok(Dropped { flussi: 0, .. }) => {}
                Ok(Dropped { flussi, .. }) => {
                    tracing::info!(eservice = name, flussi, "payloads whose time was over were dropped");
                }
                Err(error) => {
                    tracing::error!(eservice = name, %error, "payloads whose time is over cannot be dropped");
                    complete = false;
                }
            }
        }
        complete
    }
}
