//! The log of calls: contiguous, durable before the answer, exact about the thresholds, found and exported again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::search::{Cursor, Filter, search};
use waas_comuni::call_log::{Appender, Caller, Charge, Disclosed, EXCEEDED, Entry, Limits};
use waas_comuni::clock::Clock;
use waas_comuni::store::{EserviceId, Store};

use crate::support::command::Program;
use crate::support::database::on_both_databases;

fn entry(eservice: Option<EserviceId>, request_id: &str) -> Entry {
    Entry {
        eservice,
        instant: instant("2026-03-01T10:00:00.123Z"),
        request_id: request_id.to_owned(),
        method: "GET".to_owned(),
        path: "/waas/v1/flussi".to_owned(),
        query: None,
        status: 200,
        outcome: "ok",
        client_ip: None,
        caller: Caller::default(),
        voucher_check: None,
        since: None,
        limit: None,
        count: None,
        disclosed: None,
        benefit: None,
        esiti: None,
        duration: Duration::from_micros(1500),
        bytes: None,
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn appender(store: &Store) -> Appender {
    Appender::start(store.clone(), Clock::System).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

/// Every entry as the export gives it.
fn logged(store: &Store, filter: &Filter) -> Vec<Value> {
    let mut text = Vec::new();
    let count = export(store, filter, Format::Jsonl, &mut text).unwrap();
    let lines: Vec<Value> =
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(count, lines.len() as u64);
    lines
}

on_both_databases! {
    fn each_log_is_contiguous_whoever_writes(database) {
        let stores = [database.store(), database.store()];
        let logs = [
            None,
            Some(stores[0].register_eservice("produzione").unwrap()),
            Some(stores[0].register_eservice("collaudo").unwrap()),
        ];
        let mut given: BTreeMap<Option<EserviceId>, BTreeMap<i64, String>> = BTreeMap::new();
        run(async {
            let appenders = stores.each_ref().map(appender);
            let mut tasks = Vec::new();
            for writer in 0..16 {
                let appender = appenders[writer % 2].clone();
                tasks.push(tokio::spawn(async move {
                    let mut done = Vec::new();
                    for call in 0..30 {
                        let log = logs[(writer + call) % 3];
                        let id = format!("{writer}-{call}");
                        let index = appender.append(entry(log, &id), None).await.unwrap().index;
                        done.push((log, index, id));
                    }
                    done
                }));
            }
            for task in tasks {
                for (log, index, id) in task.await.unwrap() {
                    assert_eq!(given.entry(log).or_default().insert(index, id), None);
                }
            }
        });
        for entries in given.values() {
            assert_eq!(entries.len(), 160);
            assert!(entries.keys().copied().eq(0..160));
        }
        for (log, name) in [(logs[1], "produzione"), (logs[2], "collaudo")] {
            let filter = Filter { eservice: Some(name.to_owned()), ..Filter::default() };
            let found: BTreeMap<i64, String> = logged(&stores[0], &filter)
                .iter()
                .map(|line| (line["index"].as_i64().unwrap(), line["request_id"].as_str().unwrap().to_owned()))
                .collect();
            assert_eq!(found, given[&log]);
        }
        let outside = logged(&stores[1], &Filter::default()).into_iter().filter(|line| line["eservice"].is_null());
        assert_eq!(outside.count(), 160);
    }

    fn thresholds_are_exact_over_two_instances(database) {
        let stores = [database.store(), database.store()];
        let eservice = stores[0].register_eservice("produzione").unwrap();
        let limits = Limits { per_consumer: 30, total: 50 };
        let granted: Vec<(usize, bool)> = run(async {
            let appenders = stores.each_ref().map(appender);
            let mut tasks = Vec::new();
            for writer in 0..8 {
                let appender = appenders[writer % 2].clone();
                tasks.push(tokio::spawn(async move {
                    // Two thirds of the calls are INPS's.
                    let consumer = usize::from(writer % 3 == 2);
                    let mut granted = Vec::new();
                    for call in 0..20 {
                        let charge = Charge { consumer_id: format!("consumer-{consumer}"), limits };
                        let id = format!("{writer}-{call}");
                        let mut call = entry(Some(eservice), &id);
                        call.count = Some(1);
                        let done = appender.append(call, Some(charge)).await.unwrap();
                        assert!(!done.exceeded || done.quota.unwrap().remaining == 0);
                        granted.push((consumer, !done.exceeded));
                    }
                    granted
                }));
            }
            let mut granted = Vec::new();
            for task in tasks {
                granted.extend(task.await.unwrap());
            }
            granted
        });
        let of = |consumer| granted.iter().filter(|(who, granted)| *who == consumer && *granted).count();
        assert!(of(0) <= 30 && of(1) <= 30, "{} {}", of(0), of(1));
        assert_eq!(of(0) + of(1), 50);
        let refused = logged(&stores[0], &Filter { status: Some(429), ..Filter::default() });
        assert_eq!(refused.len(), 160 - 50);
        for line in &refused {
            assert_eq!((&line["outcome"], &line["count"]), (&EXCEEDED.into(), &Value::Null));
        }
        assert_eq!(logged(&stores[1], &Filter { status: Some(200), ..Filter::default() }).len(), 50);
    }

    fn the_count_begins_again_with_the_day_of_rome(database) {
        let store = database.store();
        let eservice = store.register_eservice("produzione").unwrap();
        // The clock of summer: midnight in Rome is 22:00 in UTC.
        let before = instant("2026-07-01T21:59:58.500Z");
        let clock = Clock::Manual(std::sync::Arc::new(before.as_millisecond().into()));
        let limits = Limits { per_consumer: 2, total: 100 };
        run(async {
            let appender = Appender::start(store.clone(), clock).unwrap();
            let quota = appender.quota(eservice, Some("inps".into()), limits).await.unwrap();
            assert_eq!((quota.limit, quota.remaining, quota.reset_seconds), (2, 2, 2));
            let quota = appender.quota(eservice, None, limits).await.unwrap();
            assert_eq!((quota.limit, quota.remaining), (100, 100));
            let expected = [
                (before, 1, 2, false),
                (before, 0, 2, false),
                (before, 0, 2, true),
                (instant("2026-07-01T22:00:00Z"), 1, 86400, false),
            ];
            for (instant, remaining, reset_seconds, exceeded) in expected {
                let charge = Charge { consumer_id: "inps".into(), limits };
                let call = Entry { instant, ..entry(Some(eservice), "r") };
                let done = appender.append(call, Some(charge)).await.unwrap();
                let quota = done.quota.unwrap();
                assert_eq!(
                    (quota.limit, quota.remaining, quota.reset_seconds, done.exceeded),
                    (2, remaining, reset_seconds, exceeded)
                );
            }
            // A call that was refused does not count: 98 of the total are left on the first day.
            let quota = appender.quota(eservice, None, limits).await.unwrap();
            assert_eq!((quota.limit, quota.remaining), (100, 98));
        });
    }

    fn a_shutdown_writes_what_waits(database) {
        let store = database.store();
        run(async {
            let appender = appender(&store);
            for call in 0..100 {
                appender.note(entry(None, &call.to_string())).await.unwrap();
            }
            appender.shutdown().await;
            assert_eq!(logged(&store, &Filter::default()).len(), 100);
            assert!(appender.append(entry(None, "late"), None).await.unwrap_err().is_unavailable());
        });
        assert_eq!(logged(&store, &Filter::default()).len(), 100);
    }

    fn no_call_can_make_its_own_entry_impossible(database) {
        let store = database.store();
        run(async {
            let mut call = entry(None, "r");
            call.path = format!("/\0{}", "è".repeat(100_000));
            call.query = Some("a\0b".to_owned());
            call.method = "M".repeat(10_000);
            call.caller.consumer_id = Some("c\0".repeat(10_000));
            call.since = Some(u128::MAX);
            call.bytes = Some(u64::MAX);
            call.status = u16::MAX;
            appender(&store).append(call, None).await.unwrap();
        });
        let line = logged(&store, &Filter::default()).pop().unwrap();
        assert_eq!(line["query"], "a\u{FFFD}b");
        assert_eq!(line["path"].as_str().unwrap().chars().count(), 2048);
        assert_eq!(line["since"].to_string(), u128::MAX.to_string());
    }

    fn while_the_database_is_away_answers_fail_in_time_and_notes_wait(database) {
        let store = database.store();
        let mut settings = database.settings();
        settings.timeout_seconds = 1;
        let impatient = Store::open(&settings).unwrap();
        run(async {
            let appender = appender(&impatient);
            let held = store.clone();
            let (locked, is_locked) = tokio::sync::oneshot::channel();
            let (release, released) = std::sync::mpsc::channel::<()>();
            let holder = tokio::task::spawn_blocking(move || {
                held.write(|connection| {
                    use diesel::connection::SimpleConnection;
                    connection.batch_execute("UPDATE call_log_head SET size = size WHERE log_id = 0")?;
                    locked.send(()).unwrap();
                    released.recv().unwrap();
                    Ok(())
                })
            });
            is_locked.await.unwrap();
            appender.note(entry(None, "note")).await.unwrap();
            let began = std::time::Instant::now();
            let refused = appender.append(entry(None, "answer"), None).await;
            let said = refused.unwrap_err().to_string();
            assert_eq!(said.matches("the database cannot be used at present").count(), 1, "{said}");
            assert!(began.elapsed() < Duration::from_secs(5));
            release.send(()).unwrap();
            holder.await.unwrap().unwrap();
            appender.append(entry(None, "later"), None).await.unwrap();
            appender.shutdown().await;
        });
        let ids: Vec<Value> =
            logged(&store, &Filter::default()).into_iter().map(|line| line["request_id"].clone()).collect();
        // The entry whose caller was told that it failed may be there or not.
        for id in ["note", "later"] {
            assert_eq!(ids.iter().filter(|one| *one == id).count(), 1, "{ids:?}");
        }
    }

    fn entries_are_found_by_what_they_say(database) {
        let store = database.store();
        let eservice = store.register_eservice("produzione").unwrap();
        run(async {
            let appender = appender(&store);
            for call in 0..25u16 {
                let mut one = entry(Some(eservice).filter(|_| call % 2 == 0), &format!("r{call}"));
                // Several calls of one millisecond, so that pages end between them.
                let millis = instant("2026-03-01T00:00:00Z").as_millisecond() + i64::from(call / 10);
                one.instant = Timestamp::from_millisecond(millis).unwrap();
                one.status = if call == 7 { 401 } else { 200 };
                one.caller.token_id = Some(format!("t{}", call % 3));
                appender.append(one, None).await.unwrap();
            }
        });
        let find = |filter: Filter| {
            let mut found = Vec::new();
            let mut after: Option<Cursor> = None;
            loop {
                let page = store.read(|connection| search(connection, &filter, after, 4)).unwrap();
                found.extend(page.entries.iter().map(|one| one.json().unwrap()["request_id"].as_str().unwrap().to_owned()));
                match page.next {
                    // A cursor survives being written down.
                    Some(next) => after = Some(next.to_string().parse().unwrap()),
                    None => return found,
                }
            }
        };
        let all = find(Filter::default());
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 25);
        assert_eq!(all.len(), 25);
        assert_eq!(find(Filter { eservice: Some("produzione".into()), ..Filter::default() }).len(), 13);
        assert_eq!(find(Filter { eservice: Some("collaudo".into()), ..Filter::default() }).len(), 0);
        assert_eq!(find(Filter { status: Some(401), ..Filter::default() }), ["r7"]);
        assert_eq!(find(Filter { token_id: Some("t0".into()), ..Filter::default() }).len(), 9);
        assert_eq!(find(Filter { request_id: Some("r24".into()), ..Filter::default() }), ["r24"]);
        let second = Filter {
            from: Some(instant("2026-03-01T00:00:00.001Z")),
            until: Some(instant("2026-03-01T00:00:00.002Z")),
            ..Filter::default()
        };
        assert_eq!(find(second).len(), 10);
        assert!("1.2".parse::<Cursor>().is_err() && "1.2.3.4".parse::<Cursor>().is_err());
    }

    fn exports_have_the_promised_names(database) {
        let store = database.store();
        let eservice = store.register_eservice("produzione").unwrap();
        let mut empty = Vec::new();
        assert_eq!(export(&store, &Filter::default(), Format::Csv, &mut empty).unwrap(), 0);
        run(async {
            let mut call = entry(Some(eservice), "r1");
            call.query = Some("=HYPERLINK(\"x\")".to_owned());
            call.client_ip = Some("192.0.2.7".parse().unwrap());
            call.caller.consumer_id = Some("c1".to_owned());
            call.caller.eservice_id = Some("e1".to_owned());
            call.since = Some(100_000_000_000_000_000_000);
            call.limit = Some(100);
            call.count = Some(2);
            call.disclosed = Some(Disclosed::new(5, 9, ["H501.PS.20260101.0000001", "H501.PS.20260101.0000002"]));
            call.bytes = Some(4096);
            let appender = appender(&store);
            appender.append(call, None).await.unwrap();
            appender.append(entry(None, "r2"), None).await.unwrap();
        });
        let lines = logged(&store, &Filter::default());
        let line = lines.iter().find(|line| line["request_id"] == "r1").unwrap();
        let expected: Value = serde_json::from_str(
            r#"{"index":0,"instant":"2026-03-01T10:00:00.123Z","request_id":"r1","eservice":"produzione",
                "method":"GET","path":"/waas/v1/flussi","query":"=HYPERLINK(\"x\")","status":200,"outcome":"ok",
                "voucher_check":null,"client_ip":"192.0.2.7","client_id":null,"consumer_id":"c1",
                "purpose_id":null,"token_id":null,"kid":null,"producer_id":null,"eservice_id":"e1",
                "descriptor_id":null,"user_id":null,"user_location":null,"loa":null,"since":100000000000000000000,"limit":100,"first_ts":5,"last_ts":9,
                "count":2,"flows_digest":"","duration_ms":1.500,"bytes":4096}"#,
        )
        .unwrap();
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(line), names(&expected));
        for name in names(line).iter().filter(|name| *name != "flows_digest") {
            assert_eq!(line[name], expected[name], "{name}");
        }
        let digest = openssl::sha::sha256(b"H501.PS.20260101.0000001\nH501.PS.20260101.0000002\n");
        assert_eq!(line["flows_digest"], digest.map(|byte| format!("{byte:02x}")).concat());
        let bare = lines.iter().find(|line| line["request_id"] == "r2").unwrap();
        for name in ["eservice", "query", "client_ip", "since", "limit", "first_ts", "last_ts", "count", "bytes"] {
            assert!(bare[name].is_null(), "{name}");
        }
        let mut text = Vec::new();
        assert_eq!(export(&store, &Filter::default(), Format::Csv, &mut text).unwrap(), 2);
        assert!(text.starts_with(&empty) && !empty.is_empty());
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert!(header.starts_with(&names(&expected)));
        assert_eq!(header[names(&expected).len()..], ["benefit", "esiti"]);
        let query = header.iter().position(|name| name == "query").unwrap();
        assert!(reader.records().any(|record| &record.unwrap()[query] == "'=HYPERLINK(\"x\")"));
    }

    fn the_command_line_searches_and_exports(database) {
        let folder = tempfile::tempdir().unwrap();
        let calls = |arguments: &[&str]| {
            let output = Program::new()
                .arg("calls")
                .args(arguments)
                .current_dir(folder.path())
                .env("WAAS__DATABASE__URL", &database.url)
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
        };
        let (code, _, complaint) = calls(&["search"]);
        assert_eq!(code, 1, "{complaint}");
        // SQLite has not even a file yet.
        assert!(complaint.contains("not ready") || complaint.contains("there is no database"), "{complaint}");

        let store = database.store();
        let eservice = store.register_eservice("produzione").unwrap();
        run(async {
            let appender = appender(&store);
            // The first is still in February, in Rome.
            for (number, at) in ["2026-02-28T22:59:59Z", "2026-02-28T23:00:00Z", "2026-03-01T12:00:00Z"]
                .into_iter()
                .enumerate()
            {
                let call = Entry { instant: instant(at), ..entry(Some(eservice), &format!("r{number}")) };
                appender.append(call, None).await.unwrap();
            }
        });
        let (code, text, _) = calls(&["search"]);
        assert_eq!((code, text.lines().count()), (0, 3));
        assert!(text.contains("produzione GET /waas/v1/flussi 200 ok"), "{text}");
        let (_, text, _) = calls(&["search", "--from", "2026-03-01", "--until", "2026-03-02", "--json"]);
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["calls"].as_array().unwrap().len(), 2);
        assert_eq!(found["next"], Value::Null);
        let (_, text, _) = calls(&["search", "--limit", "2", "--json"]);
        let found: Value = serde_json::from_str(&text).unwrap();
        let (_, text, _) = calls(&["search", "--after", found["next"].as_str().unwrap(), "--json"]);
        let rest: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(rest["calls"][0]["request_id"], "r2");
        let (code, text, note) = calls(&["export"]);
        assert_eq!((code, text.lines().count(), note.trim()), (0, 3, "3 calls"));
        let (code, text, _) = calls(&["export", "--format", "csv", "--output", "calls.csv", "--status", "200"]);
        assert_eq!((code, text.as_str()), (0, ""));
        // The header, the calls, and the export before.
        let written = std::fs::read_to_string(folder.path().join("calls.csv")).unwrap();
        assert!(written.starts_with("index,instant,request_id,eservice,") && written.lines().count() == 5);
        for wrong in [["search", "--eservice", "collaudo"], ["search", "--from", "yesterday"]] {
            assert_eq!(calls(&wrong).0, 2);
        }
    }
}
