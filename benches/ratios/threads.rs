//! Many clients at once, for a while.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::turn;

/// Runs the work that `client` prepares for each of so many clients, again and again: how often, and in which time.
pub fn storm<W: FnMut()>(clients: usize, client: impl Fn(usize) -> W + Sync) -> (f64, Duration) {
    let ready = Barrier::new(clients);
    let results: Vec<(u32, Duration)> = thread::scope(|scope| {
        let running: Vec<_> = (0..clients)
            .map(|number| {
                let (client, ready) = (&client, &ready);
                scope.spawn(move || {
                    let mut work = client(number);
                    work();
                    ready.wait();
                    let begun = Instant::now();
                    let mut count = 0_u32;
                    while begun.elapsed() < turn() {
                        work();
                        count += 1;
                    }
                    (count, begun.elapsed())
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = results.iter().map(|(count, _)| f64::from(*count)).sum();
    (count, results.iter().map(|(_, time)| *time).max().unwrap())
}
