//! What the call log costs a pull: the service beside the same service that logs nothing, in one process.

use std::sync::atomic::Ordering;

use waas_comuni::call_log::DISCARD;

use crate::client::{cursors, fill, http, start};
use crate::harness::compare;
use crate::name;
use crate::support::database::{Backend, TestDatabase};

/// Few clients wait for one commit together; with many, some pages are read meanwhile.
const CLIENTS: [usize; 3] = [16, 32, 64];

pub fn measure(backend: Backend) {
    let database = TestDatabase::new(backend);
    DISCARD.store(true, Ordering::Relaxed);
    let unlogged = start(&database);
    DISCARD.store(false, Ordering::Relaxed);
    let app = start(&database);
    let cursors = cursors(&fill(&app));
    for limit in [10, 100] {
        for clients in CLIENTS {
            let contestants = vec![
                http("without a call log", &unlogged, clients, &cursors, limit),
                http("with it", &app, clients, &cursors, limit),
            ];
            let group =
                format!("Pull of {limit} flows, {}, {clients} clients, what the log costs", name(backend));
            compare(&group, "pages", 7, contestants);
        }
    }
}
