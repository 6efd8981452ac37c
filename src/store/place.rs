//! The place that running work occupies among the connections, and how it is freed when the work hangs.

use std::sync::atomic::{AtomicU64, Ordering};
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
    pub(super) fn write_off(&self, spare: &Spare) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(permit) = Arc::clone(&spare.places).try_acquire_owned() {
            *held = Some(permit);
        }
        spare.silences.fetch_add(1, Ordering::SeqCst);
        tracing::error!(
            left = spare.places.available_permits(),
            "the database is silent: its connection is written off"
        );
    }
}

/// Where work goes that was written off.
#[derive(Clone)]
pub(super) struct Spare {
    places: Arc<Semaphore>,
    silences: Silences,
}

/// How often work was written off, as the connections of a pool hear of it.
pub(super) type Silences = Arc<AtomicU64>;

impl Spare {
    /// Room for the work of so many connections.
    pub(super) fn new(places: Arc<Semaphore>, silences: Silences) -> Self {
        Self { places, silences }
    }
}
