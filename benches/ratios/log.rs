//! Entries of the call log that share a commit, beside rows with a commit of their own.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use waas_comuni::call_log::{Appender, Caller, Disclosed, Entry};
use waas_comuni::clock::Clock;
use waas_comuni::store::EserviceId;

use crate::harness::{Contestant, compare};
use crate::name;
use crate::plain::Plain;
use crate::support::database::{Backend, TestDatabase};
use crate::threads::{CLIENTS, storm};

pub fn measure(backend: Backend) {
    let database = TestDatabase::new(backend);
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    let plain = Plain::new(&database, &[]);
    let runtime = Runtime::new().unwrap();
    let appender = Appender::start(store, Clock::System).unwrap();
    let appends = |waiting: usize| {
        Contestant::timed(format!("call log, {waiting} calls waiting"), {
            let (appender, runtime) = (&appender, &runtime);
            move || runtime.block_on(append(appender, eservice, waiting))
        })
    };
    let rows = |clients: usize| {
        let plain = &plain;
        Contestant::timed(format!("one commit each, {clients} clients (plain table)"), move || {
            storm(clients, |_| {
                let mut client = plain.client();
                move || client.log(1, 100, 100)
            })
        })
    };
    let group = format!("Durable log entries, {}", name(backend));
    compare(&format!("{group}, one at a time"), "entries", 5, vec![rows(1), appends(1)]);
    let contestants = vec![rows(CLIENTS), appends(CLIENTS), appends(256)];
    compare(&format!("{group}, many at once"), "entries", 5, contestants);
    runtime.block_on(appender.shutdown());
}

/// Appends from so many calls at once for a second.
async fn append(appender: &Appender, eservice: EserviceId, waiting: usize) -> (f64, Duration) {
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..waiting {
        let appender = appender.clone();
        calls.spawn(async move {
            let mut count = 0_u32;
            while begun.elapsed() < Duration::from_secs(1) {
                appender.append(entry(eservice), None).await.unwrap();
                count += 1;
            }
            count
        });
    }
    let count = calls.join_all().await.into_iter().map(f64::from).sum();
    (count, begun.elapsed())
}

fn entry(eservice: EserviceId) -> Entry {
    Entry {
        eservice: Some(eservice),
        instant: Clock::System.now(),
        request_id: "2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11".to_owned(),
        method: "GET".to_owned(),
        path: "/waas/v1/flussi".to_owned(),
        query: Some("since=1767225600000&limit=100".to_owned()),
        status: 200,
        outcome: "ok",
        client_ip: None,
        caller: Caller {
            client_id: Some("0f3b6c1e-8a4d-4c1b-9f6e-1b7f3a112f0f".to_owned()),
            purpose_id: Some("9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f".to_owned()),
            ..Caller::default()
        },
        voucher_check: None,
        since: Some(1_767_225_600_000),
        limit: Some(100),
        count: Some(100),
        disclosed: Some(Disclosed::new(1, 100, ["H501.PS.20260101.0000001"])),
        benefit: None,
        esiti: None,
        duration: Duration::from_millis(3),
        bytes: Some(180_000),
    }
}
