//! The place that running work occupies among the connections, and how it is freed when the work hangs.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Held by work while it runs, and by whoever waits for it.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    /// The place that `permit` stands for.
    pub(super) fn with(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Gives the place to others, for as long as there is a spare one that the work can occupy instead: without any,
    /// it stays occupied until the work ends.
    pub(super) fn write_off(&self, spare: &Arc<Semaphore>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(permit) = Arc::clone(spare).try_acquire_owned() {
            *held = Some(permit);
        }
        tracing::error!(
            left = spare.available_permits(),
            "the database is silent: its connection is written off"
        );
    }
}
