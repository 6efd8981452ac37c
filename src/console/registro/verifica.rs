//! The verification that is started from a page: one at a time in each process, on a thread of its own; what it found is
//! kept until the next one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::call_log::seal::note::PublicKey;
use crate::call_log::seal::stored::{self, Watch};
use crate::call_log::seal::verify::Report;
use crate::call_log::seal::writer::CheckpointError;
use crate::clock::Clock;
use crate::store::Store;

/// What is verified, and for whom.
#[derive(Clone)]
pub(super) struct Task {
    /// The e-service; none: every log.
    pub(super) only: Option<String>,
    /// Who started it.
    pub(super) user: String,
    /// How many entries there are.
    pub(super) entries: u64,
    /// When it was started, in milliseconds since the epoch.
    pub(super) started_ms: i64,
}

/// How a verification stands.
#[derive(Clone)]
pub(super) enum Stand {
    /// It goes on.
    Running(Arc<Watch>),
    /// It has ended, at this instant in milliseconds since the epoch.
    Ended(Arc<Report>, i64),
    /// It could not be done; the service's own log says why.
    Failed,
}

/// The verification of this process, if one was ever started.
#[derive(Default)]
pub(super) struct Verification(Mutex<Option<(Task, Stand)>>);

impl Verification {
    /// The last one.
    pub(super) fn last(&self) -> Option<(Task, Stand)> {
        self.lock().clone()
    }

    /// Whether one goes on.
    pub(super) fn is_running(&self) -> bool {
        matches!(*self.lock(), Some((_, Stand::Running(_))))
    }

    /// Starts `task`. False when another goes on.
    pub(super) fn start(
        self: &Arc<Self>,
        task: Task,
        store: Store,
        clock: Clock,
        files: Vec<PathBuf>,
        key: Option<PathBuf>,
    ) -> bool {
        let watch = Arc::new(Watch::default());
        {
            let mut state = self.lock();
            if matches!(*state, Some((_, Stand::Running(_)))) {
                return false;
            }
            *state = Some((task.clone(), Stand::Running(Arc::clone(&watch))));
        }
        let this = Arc::clone(self);
        let only = task.only.clone();
        let spawned = thread::Builder::new().name("verification".to_owned()).spawn(move || {
            let found = key
                .map(|path| PublicKey::read(&path))
                .transpose()
                .map_err(CheckpointError::from)
                .and_then(|key| stored::watched(&store, &files, key.as_slice(), only.as_deref(), &watch));
            let stand = match found {
                Ok(report) if !watch.is_stopped() => Stand::Ended(Arc::new(report), clock.now_ms()),
                Ok(_) => Stand::Failed,
                Err(error) => {
                    tracing::error!(%error, "the verification started from the console ended early");
                    Stand::Failed
                }
            };
            *this.lock() = Some((task, stand));
        });
        if let Err(error) = &spawned {
            tracing::error!(%error, "the verification cannot be started");
            if let Some((_, stand)) = self.lock().as_mut() {
                *stand = Stand::Failed;
            }
        }
        true
    }

    /// Ends the one that goes on, if one does.
    pub(super) fn stop(&self) {
        if let Some((_, Stand::Running(watch))) = &*self.lock() {
            watch.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Task, Stand)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
