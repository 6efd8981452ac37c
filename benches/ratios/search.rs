//! How long a page of a search takes in a log of ten million entries.
//!
//! `WAAS_BENCH_ENTRIES` asks for another length. PostgreSQL takes part where `WAAS_TEST_POSTGRES` names a server. A
//! million entries take about a gigabyte of disk, one database after the other.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use waas_comuni::call_log::search::{About, Filter, search};
use waas_comuni::store::Store;

use crate::support::bulk::{self, BEGIN, STEP};
use crate::support::database::{Backend, TestDatabase};

const ENTRIES: i64 = 10_000_000;
const FLOWS: i64 = 200_000;
/// Entries of a page.
const PAGE: u32 = 50;
/// How often each search is made.
const TIMES: usize = 5;

pub fn all() {
    let entries = std::env::var("WAAS_BENCH_ENTRIES").map_or(ENTRIES, |text| text.parse().unwrap());
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if backend == Backend::Postgres && std::env::var_os("WAAS_TEST_POSTGRES").is_none() {
            eprintln!("WAAS_TEST_POSTGRES names no server: SQLite only (`make bench` starts one)");
            continue;
        }
        let database = TestDatabase::new(backend);
        let mut settings = database.settings();
        settings.timeout_seconds = 60;
        let store = Store::open(&settings).unwrap();
        store.migrate().unwrap();
        bulk::fill(&store, entries, FLOWS);
        println!("| **{entries} entries, {backend:?}** | | |");
        for (name, filter) in filters(entries) {
            measure(&store, name, &filter);
        }
        bulk::forget_feed(&store);
    }
}

fn measure(store: &Store, name: &str, filter: &Filter) {
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let begun = Instant::now();
        found = store.read(|connection| search(connection, filter, None, PAGE)).unwrap().entries.len();
        times.push(begun.elapsed());
    }
    // The first finds nothing of the database in memory that the search before did not need.
    let first = times[0];
    times.sort_unstable();
    println!("| {name} | {found} | {} ms, the first time {} ms |", millis(times[TIMES / 2]), millis(first));
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

fn filters(entries: i64) -> Vec<(&'static str, Filter)> {
    let none = Filter::default;
    let rare = || Some("rare".to_owned());
    let instant = |i: i64| Timestamp::from_millisecond(BEGIN + i * STEP).ok();
    let person = || Some(About::Person(vec!["P20000".to_owned()]));
    let purpose = || Some("9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f".to_owned());
    vec![
        ("period, at the end", Filter { from: instant(entries - 1000), ..none() }),
        ("outcome, rare", Filter { outcome: Some("threshold_exceeded".to_owned()), ..none() }),
        ("outcome that nothing has", Filter { outcome: Some("none".to_owned()), ..none() }),
        ("status 403", Filter { status: Some(403), ..none() }),
        ("status 200, at the end", Filter { status: Some(200), from: instant(entries - 1000), ..none() }),
        ("consumer, rare", Filter { consumer_id: rare(), ..none() }),
        ("client, rare", Filter { client_id: rare(), ..none() }),
        ("purpose, rare", Filter { purpose_id: rare(), ..none() }),
        ("purpose, of nearly all", Filter { purpose_id: purpose(), from: instant(entries / 2), ..none() }),
        (
            "voucher",
            Filter { token_id: Some(format!("{:08x}-0000-4000-8000-000000000000", entries / 200)), ..none() },
        ),
        ("request id", Filter { request_id: Some(bulk::request_id(entries / 2)), ..none() }),
        ("e-service, rare", Filter { eservice: Some("collaudo".to_owned()), ..none() }),
        ("action, rare", Filter { action: Some("benefit_viewed".to_owned()), ..none() }),
        ("flow", Filter { about: Some(About::Flow("F100000".to_owned())), ..none() }),
        ("benefit", Filter { about: Some(About::Benefit(101_000)), ..none() }),
        ("person, four benefits", Filter { about: person(), ..none() }),
        ("person, for a purpose", Filter { about: person(), purpose_id: purpose(), ..none() }),
        (
            "ente, rare (10,000 entries looked at for a page)",
            Filter { ente: Some("F205".to_owned()), ..none() },
        ),
        ("ente, of nearly all", Filter { ente: Some("H501".to_owned()), ..none() }),
    ]
}
