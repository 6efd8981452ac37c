//! The verification that is started from a page, on a thread of its own: one at a time, whichever instance does it. How it
//! stands is in the database.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::call_log::seal::note::PublicKey;
use crate::call_log::seal::runs::{self, Task};
use crate::call_log::seal::stored::{self, Watch};
use crate::call_log::seal::verify::Report;
use crate::call_log::seal::writer::CheckpointError;
use crate::clock::Clock;
use crate::store::{Store, StoreError};

/// How often a verification shows that it goes on.
const BEAT: Duration = Duration::from_secs(1);

/// What a verification works with.
#[derive(Clone)]
pub(super) struct Means {
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// Where checkpoints are kept outside the database.
    pub(super) files: Vec<PathBuf>,
    /// The key that signs them.
    pub(super) key: Option<PathBuf>,
}

/// The verification that this process does, if it does one.
#[derive(Default)]
pub(super) struct Verification(Mutex<Option<Arc<Watch>>>);

impl Verification {
    /// Starts `task`, unless one goes on. Blocks.
    pub(super) fn start(&self, task: &Task, means: &Means) -> Result<(), StoreError> {
        let now_ms = means.clock.now_ms();
        let begun = means.store.write(|connection| runs::begin(connection, task, now_ms))?;
        let Some(id) = begun else { return Ok(()) };
        let watch = Arc::new(Watch::default());
        *self.lock() = Some(Arc::clone(&watch));
        let (only, work) = (task.eservice.clone(), means.clone());
        let spawned = thread::Builder::new()
            .name("verification".to_owned())
            .spawn(move || work.run(id, only.as_deref(), &watch));
        if let Err(error) = spawned {
            tracing::error!(%error, "a verification cannot be started");
            means.end(id, None);
        }
        Ok(())
    }

    /// Ends the one that goes on here, if one does.
    pub(super) fn stop(&self) {
        if let Some(watch) = &*self.lock() {
            watch.stop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Watch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Means {
    fn run(&self, id: i64, only: Option<&str>, watch: &Watch) {
        let found = thread::scope(|scope| {
            let (done, until_done) = mpsc::channel::<()>();
            let work = scope.spawn(move || {
                let _done = done;
                self.verify(only, watch)
            });
            // It ends with the work, whose end of the channel goes with it.
            while until_done.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let now_ms = self.clock.now_ms();
                match self.store.write(|connection| runs::beat(connection, id, watch.checked(), now_ms)) {
                    Ok(true) => {}
                    Ok(false) => watch.stop(),
                    Err(error) => tracing::warn!(%error, "a verification cannot show that it goes on"),
                }
            }
            work.join()
        });
        let report = match found {
            Ok(Ok(report)) => Some(report).filter(|_| !watch.is_stopped()),
            Ok(Err(error)) => {
                tracing::error!(%error, "the verification started from the console ended early");
                None
            }
            Err(_) => None,
        };
        self.end(id, report.as_ref());
    }

    fn verify(&self, only: Option<&str>, watch: &Watch) -> Result<Report, CheckpointError> {
        let key = self.key.as_deref().map(PublicKey::read).transpose()?;
        stored::watched(&self.store, &self.files, key.as_slice(), only, watch)
    }

    fn end(&self, id: i64, report: Option<&Report>) {
        let now_ms = self.clock.now_ms();
        if let Err(error) = self.store.write(|connection| runs::end(connection, id, report, now_ms)) {
            tracing::error!(%error, "how a verification ended cannot be kept");
        }
    }
}
