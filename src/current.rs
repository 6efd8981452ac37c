//! What is in force of the configuration, while it can be replaced: the snapshot that a reload puts in another's place.
//!
//! Whoever takes it keeps it unchanged to the end of a call, a page, a round of work. Nothing waits for a reload, and a
//! reload waits for nobody.

use std::sync::{Arc, PoisonError, RwLock};

/// A value that is replaced as a whole and never changed in place.
#[derive(Debug)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// With this value in force.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// The value in force at this moment.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `value` in force for whoever comes from here on.
    pub fn replace(&self, value: T) {
        let value = Arc::new(value);
        let former = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), value);
        // What it may take to end it is not waited for under the lock.
        drop(former);
    }
}
