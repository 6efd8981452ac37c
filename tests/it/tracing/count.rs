//! The file of a day, against a count of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::RunQueryDsl;
use futures_util::future::join_all;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use uuid::Uuid;
use waas_comuni::call_log::{Appender, Caller, Entry};
use waas_comuni::clock::Clock;
use waas_comuni::pdnd::count::{CountError, Status, count};
use waas_comuni::store::{AnyConnection, Day, EserviceId, Store};

use super::judge::{self, STATUSES};
use crate::conformance::random::Random;
use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::on_both_databases;
use crate::support::records::mensa;

/// Days with their bounds in milliseconds: one of 23 hours, one of 25, one of 24.
const DAYS: [(&str, &str, &str); 3] = [
    ("2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
    ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ("2026-06-10", "2026-06-09T22:00:00Z", "2026-06-10T22:00:00Z"),
];

pub(crate) fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn day(text: &str) -> Day {
    Day::from(text.parse::<Date>().unwrap())
}

/// A call with a good voucher.
pub(crate) fn call(
    eservice: EserviceId,
    instant: Timestamp,
    status: u16,
    purpose: Uuid,
    token: Uuid,
) -> Entry {
    Entry {
        eservice: Some(eservice),
        instant,
        request_id: Uuid::new_v4().to_string(),
        method: "GET".to_owned(),
        path: "/waas/v1/flussi".to_owned(),
        query: None,
        status,
        outcome: "ok",
        client_ip: None,
        caller: Caller {
            purpose_id: Some(purpose.to_string()),
            token_id: Some(token.to_string()),
            ..Caller::default()
        },
        voucher_check: None,
        since: None,
        limit: None,
        count: None,
        disclosed: None,
        benefit: None,
        esiti: None,
        duration: Duration::from_millis(1),
        bytes: None,
    }
}

/// Writes entries to the log.
pub(crate) fn log(store: &Store, entries: Vec<Entry>) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let appender = Appender::start(store.clone(), Clock::System).unwrap();
        for done in join_all(entries.into_iter().map(|entry| appender.append(entry, None))).await {
            done.unwrap();
        }
        appender.shutdown().await;
    });
}

fn counted(
    store: &Store,
    eservices: &[(String, EserviceId)],
    date: &str,
    now: &str,
) -> Result<String, CountError> {
    store
        .read(|connection| Ok(count(connection, eservices, day(date), instant(now), 3)))
        .unwrap()
        .map(|count| count.csv())
}

#[test]
fn the_list_of_statuses_is_pdnds() {
    let known: Vec<u16> = (0..=999).filter(|code| Status::new(*code).is_some()).collect();
    assert_eq!(known, STATUSES);
}

on_both_databases! {
    fn the_file_equals_an_independent_count(database) {
        let seed = Random::seed();
        eprintln!("WAAS_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let store = database.store();
        for case in 0..24 {
            let (date, start, end) = random.pick(&DAYS);
            let (start, end) = (instant(start).as_millisecond(), instant(end).as_millisecond());
            let eservices: Vec<(String, EserviceId)> = (0..random.within(1, 4))
                .map(|number| {
                    let name = format!("prova-{case}-{number}");
                    let id = store.register_eservice(&name).unwrap();
                    (name, id)
                })
                .collect();
            // The last of several is another member's.
            let (mine, _) = eservices.split_at((eservices.len() - 1).max(1));
            let purposes: Vec<Uuid> = (0..3).map(|_| Uuid::new_v4()).collect();
            let tokens: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
            let mut expected: BTreeMap<judge::Key, u64> = BTreeMap::new();
            let mut entries = Vec::new();
            for _ in 0..random.below(120) {
                let edge = random.pick(&[start, end]);
                let millis = match random.below(3) {
                    0 => edge + i64::try_from(random.below(5)).unwrap() - 2,
                    1 => edge + i64::try_from(random.below(7_200_000)).unwrap() - 3_600_000,
                    _ => start + i64::try_from(random.below(usize::try_from(end - start).unwrap())).unwrap(),
                };
                let (name, eservice) = random.pick(&eservices);
                let (purpose, token) = (random.pick(&purposes), random.pick(&tokens));
                let status = random.pick(&[200, 200, 204, 400, 429, 503, 511]);
                let at = Timestamp::from_millisecond(millis).unwrap();
                let mut entry = call(eservice, at, status, purpose, token);
                let mut counts = (start..end).contains(&millis) && mine.iter().any(|(own, _)| *own == name);
                match random.below(8) {
                    // Refused by a check of the voucher.
                    0 => { entry.voucher_check = Some("exp"); counts = false; }
                    // Without any voucher: the back office, /status, an address that is limited.
                    1 => { entry.caller = Caller::default(); counts = false; }
                    // The commit was given up and turned up all the same: the caller was answered 503.
                    2 => {
                        let late = Entry { status: 503, outcome: "call_log_unavailable", ..entry.clone() };
                        entries.push(std::mem::replace(&mut entry, late));
                    }
                    _ => {}
                }
                if counts {
                    let key = (purpose.to_string(), entry.status, token.to_string());
                    *expected.entry(key).or_default() += 1;
                }
                entries.push(entry);
            }
            log(&store, entries);
            let file = counted(&store, mine, date, "2026-12-01T00:00:00Z").unwrap();
            let rows = judge::read(&file, date).unwrap_or_else(|wrong| panic!("{wrong}\n{file}"));
            assert_eq!(rows, expected, "{date}, case {case}");
        }
    }

    fn a_day_is_counted_only_while_its_entries_are_there(database) {
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let eservices = [("prova".to_owned(), eservice)];
        let header = "date,purpose_id,status,token_id,requests_count\n";
        // Nothing was ever logged: that is the truth about a day without calls.
        assert_eq!(counted(&store, &eservices, "2026-06-10", "2026-06-10T12:00:00Z").unwrap(), header);
        let future = counted(&store, &eservices, "2026-06-11", "2026-06-10T21:59:59Z");
        assert!(matches!(future, Err(CountError::Future(_))), "{future:?}");
        assert!(counted(&store, &eservices, "2026-06-11", "2026-06-10T22:00:00Z").is_ok());
        // Ten entries were logged, and are gone.
        store
            .write(|connection| {
                // Ten leaves are a tree of eight and one of two.
                let frontier = match connection {
                    AnyConnection::Sqlite(_) => "zeroblob(64)",
                    AnyConnection::Postgres(_) => "decode(repeat('00', 64), 'hex')",
                };
                let head = format!("SET size = 10, hashed = 10, frontier = {frontier} WHERE log_id > 0");
                diesel::sql_query(format!("UPDATE call_log_head {head}")).execute(connection)?;
                Ok(())
            })
            .unwrap();
        // Younger ones are never removed: there were none.
        assert_eq!(counted(&store, &eservices, "2026-06-18", "2026-06-20T12:00:00Z").unwrap(), header);
        let gone = counted(&store, &eservices, "2026-06-10", "2026-06-20T12:00:00Z");
        assert!(matches!(gone, Err(CountError::Removed { .. })), "{gone:?}");
        let (purpose, token) = (Uuid::new_v4(), Uuid::new_v4());
        log(&store, vec![call(eservice, instant("2026-06-15T10:00:00Z"), 200, purpose, token)]);
        for (date, whole) in [("2026-06-10", false), ("2026-06-15", false), ("2026-06-16", true)] {
            let file = counted(&store, &eservices, date, "2026-06-20T12:00:00Z");
            assert_eq!(file.is_ok(), whole, "{date}: {file:?}");
        }
        let error = counted(&store, &eservices, "2026-06-10", "2026-06-20T12:00:00Z").unwrap_err().to_string();
        assert!(error.contains("\"prova\"") && error.contains("since 2026-06-15"), "{error}");
    }

    fn what_pdnd_would_refuse_is_an_error_that_says_where(database) {
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let eservices = [("prova".to_owned(), eservice)];
        let at = instant("2026-06-10T10:00:00Z");
        let (purpose, token) = (Uuid::new_v4(), Uuid::new_v4());
        let mut entries = [(); 3].map(|()| call(eservice, at, 200, purpose, token));
        entries[0].caller.purpose_id = None;
        entries[1].caller.token_id = Some("=1+1".to_owned());
        entries[2].status = 299;
        let dates = ["2026-06-10", "2026-06-11", "2026-06-12"];
        let wrong = ["the purpose \"\"", "the voucher \"=1+1\"", "the status 299"];
        for ((mut entry, date), what) in entries.into_iter().zip(dates).zip(wrong) {
            entry.instant = instant(&format!("{date}T10:00:00Z"));
            log(&store, vec![entry]);
            let error = counted(&store, &eservices, date, "2026-06-20T12:00:00Z").unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    fn the_command_counts_what_a_server_answered(database) {
        // 23:59:58 in Rome.
        let millis = Arc::new(AtomicI64::new(instant("2026-03-28T22:59:58Z").as_millisecond()));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |_| {});
        app.publish(&[mensa("2025/1", 8000)]);
        let bearer = format!("Bearer {}", app.voucher());
        let get = |path: &str, bearer: &str| {
            app.send("GET", &format!("/waas/v1{path}"), &[("Authorization", bearer)], b"").status
        };
        assert_eq!(get("/flussi?since=0", &bearer), 200);
        millis.fetch_add(2000, Ordering::SeqCst);
        // The next day, under the same voucher.
        assert_eq!(get("/flussi?since=0", &bearer), 200);
        assert_eq!(get("/flussi?since=0", &bearer), 200);
        assert_eq!(get("/flussi?since=x", &bearer), 400);
        assert_eq!(get("/flussi?since=0", "Bearer a.b.c"), 401);
        assert_eq!(get("/status", &bearer), 200);
        assert_eq!(get("/nothing", &bearer), 404);
        let key = app.send_back_office("POST", "/api/v1/prestazioni", &[("Authorization", &bearer)], b"");
        assert_eq!(key.status, 401);
        app.stop();

        let place = Place::new(database);
        let done = place.run(&["tracing", "export", "--date", "2026-03-29"]);
        assert_eq!(done.code, 0, "{done:?}");
        let rows = judge::read(&done.stdout, "2026-03-29").unwrap();
        let counts: Vec<(u16, u64)> = rows.iter().map(|((_, status, _), count)| (*status, *count)).collect();
        assert_eq!(counts, [(200, 2), (400, 1)]);
        assert!(done.stderr.contains("3 calls to prova"), "{done:?}");

        let done = place.run(&["tracing", "export", "--date", "2026-03-28", "--out", "a.csv"]);
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done:?}");
        let file = std::fs::read_to_string(place.path().join("a.csv")).unwrap();
        assert_eq!(judge::read(&file, "2026-03-28").unwrap().into_values().sum::<u64>(), 1);

        let done = place.run(&["tracing", "export", "--date", "2026-03-29", "--json"]);
        let object: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&object["calls"], &object["eservices"]), (&json!(3), &json!(["prova"])));
        assert_eq!(object["rows"].as_array().unwrap().len(), 2);

        for (arguments, code) in [
            (["--date", "2999-01-01"], 1),
            (["--date", "29/03/2026"], 2),
            (["--date", "2026-02-30"], 2),
        ] {
            let done = place.run(&[&["tracing", "export"][..], &arguments].concat());
            assert_eq!((done.code, done.stdout.as_str()), (code, ""), "{done:?}");
        }
    }
}
