//! How often a password may be tried: for one name, and from one address.
//!
//! Counted in memory, for each process: what is kept is bounded, and a restart forgives everybody.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How long failures count, in milliseconds.
const WINDOW_MS: i64 = 15 * 60 * 1000;
/// Failures of one name, and of one address, after which nothing more is tried in a window.
const MOST_OF_A_NAME: u32 = 10;
const MOST_OF_AN_ADDRESS: u32 = 50;
/// How many names, and how many addresses, are told apart; past them the others count together.
const MOST_KEPT: usize = 10_000;

/// Failed attempts.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    counters: Mutex<(Counter<String>, Counter<IpAddr>)>,
}

impl Throttle {
    /// Counts an attempt as a failure until [`Throttle::forgive`] says that it was none, so that attempts at once count
    /// each other. False when there were too many.
    pub(super) fn attempt(&self, name: &str, address: Option<IpAddr>, now_ms: i64) -> bool {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let name = counters.0.count(name.to_owned(), now_ms) <= MOST_OF_A_NAME;
        let address = address.is_none_or(|address| counters.1.count(address, now_ms) <= MOST_OF_AN_ADDRESS);
        name && address
    }

    /// The attempt was no failure. Those of the address before it still are: a good password does not pay for guessing
    /// others.
    pub(super) fn forgive(&self, name: &str, address: Option<IpAddr>) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.0.0.remove(&Some(name.to_owned()));
        if let Some((_, failures)) = address.and_then(|address| counters.1.0.get_mut(&Some(address))) {
            *failures = failures.saturating_sub(1);
        }
    }
}

/// Failures by key: since when, and how many. The key `None` stands for all that found no room.
#[derive(Debug)]
struct Counter<K>(HashMap<Option<K>, (i64, u32)>);

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counter<K> {
    /// One more failure of `key`; gives how many there are.
    fn count(&mut self, key: K, now_ms: i64) -> u32 {
        let mut key = Some(key);
        if self.0.len() >= MOST_KEPT && !self.0.contains_key(&key) {
            self.0.retain(|_, (since, _)| now_ms - *since < WINDOW_MS);
            key = key.filter(|_| self.0.len() < MOST_KEPT);
        }
        let (since, failures) = self.0.entry(key).or_insert((now_ms, 0));
        if now_ms - *since >= WINDOW_MS {
            (*since, *failures) = (now_ms, 0);
        }
        *failures = failures.saturating_add(1);
        *failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_names_counts_together_and_is_forgotten() {
        let throttle = Throttle::default();
        for name in 0..MOST_KEPT {
            assert!(throttle.attempt(&name.to_string(), None, 0));
        }
        let others = (0..20).filter(|name| throttle.attempt(&format!("x{name}"), None, 1)).count();
        assert_eq!(others, 10);
        assert!(throttle.attempt("y", None, WINDOW_MS));
    }
}
