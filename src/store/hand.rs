//! A thread that works on the database for whoever cannot wait for ever.

use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, channel, sync_channel};
use std::thread;

use super::place::Place;
use super::{Store, StoreError, unavailable};

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one piece of work after the other. Work that takes longer than [`Store::longest`] is left alone
/// with its thread, and the next is given to another.
///
/// On SQLite, where waits end by themselves, whoever asks works himself.
pub struct Hand {
    store: Store,
    jobs: Option<Sender<Job>>,
}

impl Hand {
    pub(super) fn new(store: Store) -> Self {
        Self { store, jobs: None }
    }

    /// Does `work`, and gives it up after [`Store::longest`]; what it writes may nevertheless be written.
    pub fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.store.waits_end_by_themselves {
            return work(&self.store);
        }
        let place = Place::default();
        let occupied = place.clone();
        let (done, result) = sync_channel(1);
        let store = self.store.clone();
        self.give(Box::new(move || {
            let result = work(&store);
            drop(occupied);
            // Nobody may be waiting any longer.
            let _ = done.send(result);
        }))?;
        let failure = match result.recv_timeout(self.store.longest()) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => unavailable("the work was interrupted"),
            Err(RecvTimeoutError::Timeout) => {
                place.write_off(&self.store.spare);
                unavailable("no answer in time")
            }
        };
        self.jobs = None;
        Err(failure)
    }

    fn give(&mut self, job: Job) -> Result<(), StoreError> {
        let job = match &self.jobs {
            Some(jobs) => match jobs.send(job) {
                Ok(()) => return Ok(()),
                Err(SendError(job)) => job,
            },
            None => job,
        };
        let (jobs, given) = channel::<Job>();
        let work = move || given.into_iter().for_each(|job| job());
        let spawned = thread::Builder::new().name("store".to_owned()).spawn(work);
        spawned.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // The thread that has just begun is there to take it.
        let _ = jobs.send(job);
        self.jobs = Some(jobs);
        Ok(())
    }
}
