//! A page over HTTP, with voucher and durable log entry, beside the same select and a committed insert.

use crate::client::{anywhere, cursors, fill, http, start};
use crate::harness::{Contestant, compare};
use crate::name;
use crate::plain::Plain;
use crate::support::database::{Backend, TestDatabase};
use crate::threads::{CLIENTS, storm};

pub fn measure(backend: Backend) {
    let database = TestDatabase::new(backend);
    let app = start(&database);
    let flussi = fill(&app);
    let plain = Plain::new(&database, &flussi);
    let cursors = cursors(&flussi);
    for limit in [10, 100] {
        let contestants = vec![
            Contestant::timed("select, committed insert (plain tables)", || {
                storm(CLIENTS, |number| {
                    let mut client = plain.client();
                    let mut cursors = anywhere(&cursors, number);
                    move || client.pull(cursors.next().unwrap(), limit)
                })
            }),
            http("HTTP: voucher, page, durable log entry", &app, CLIENTS, &cursors, limit),
        ];
        let group = format!("Pull of {limit} flows, {}, {CLIENTS} clients", name(backend));
        compare(&group, "pages", 5, contestants);
    }
}
