//! More calls at once than can be worked on: what is shed, what is let in, and who is not in the way.

use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use diesel::RunQueryDsl;
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::store::AnyConnection;
use waas_comuni::voucher::issuer::JWKS_FILE;

use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

/// Longer than any wait under test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that works on one call at a time.
fn narrow(database: &TestDatabase) -> App {
    let app = App::start_with(database, |config| config.api.calls_in_flight = 1);
    app.publish(&[mensa("2025/1", 8000)]);
    app
}

/// Runs `work` while nothing can be written to the log of the calls.
fn while_the_log_is_held(app: &App, work: impl FnOnce()) {
    let held = app.store.write(|connection| {
        // On SQLite a transaction that writes holds the whole file.
        if let AnyConnection::Postgres(inner) = connection {
            diesel::sql_query("SELECT log_id FROM call_log_head FOR UPDATE").execute(inner)?;
        }
        work();
        Ok(())
    });
    held.unwrap();
}

/// So many pulls at once: their answers, as they come.
fn pulls<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    app: &'scope App,
    count: usize,
) -> Receiver<Answer> {
    let (sender, answers) = channel();
    for _ in 0..count {
        let sender = sender.clone();
        scope.spawn(move || sender.send(app.get("/flussi?since=0")).unwrap());
    }
    answers
}

on_both_databases! {
    fn what_cannot_be_worked_on_soon_is_shed_and_the_rest_is_answered(database) {
        let app = narrow(database);
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
        thread::scope(|scope| {
            let mut answers = None;
            while_the_log_is_held(&app, || {
                // One is let in and waits for the log; the others wait for it, and not for long.
                let pulls = pulls(scope, &app, 12);
                for _ in 0..11 {
                    let shed = pulls.recv_timeout(PATIENCE).unwrap();
                    assert!(shed.problem(503).contains("più chiamate"), "{shed:?}");
                    assert_eq!(shed.header("retry-after"), Some("5"));
                    assert_eq!((shed.header("etag"), shed.header("cache-control")), (None, Some("no-store")));
                }
                assert!(app.send("GET", "/waas/v1/none", &[], b"").problem(503).contains("più chiamate"));
                // Nobody else is in the way of the storm, nor it in theirs.
                assert_eq!(app.send("GET", "/waas/v1/status", &[], b"").status, 200);
                assert_eq!(app.send("GET", "/waas/v1/openapi.yaml", &[], b"").status, 200);
                for path in ["/health/live", "/health/ready", "/metrics", "/accesso"] {
                    assert_eq!(app.send_back_office("GET", path, &[], b"").status, 200, "{path}");
                }
                let metrics = app.send_back_office("GET", "/metrics", &[], b"").body;
                assert!(metrics.contains("\nwaas_comuni_calls_shed_total 12\n"), "{metrics}");
                answers = Some(pulls);
            });
            // The log is free again: the one that was let in is answered, and the next is let in at once.
            let answer = answers.unwrap().recv_timeout(PATIENCE).unwrap();
            assert_eq!(answer.flussi().len(), 1);
        });
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);

        let log = app.stop();
        let shed: Vec<_> = log.iter().filter(|entry| entry["outcome"] == "overloaded").collect();
        assert_eq!(shed.iter().map(|entry| entry["count"].as_u64().unwrap()).sum::<u64>(), 12);
        assert!(shed.len() <= 2, "one entry for each minute, not for each call: {shed:?}");
        for entry in shed {
            assert_eq!((&entry["status"], &entry["eservice"]), (&json!(503), &json!("prova")));
            assert!(entry["client_ip"].is_null() && entry["first_ts"].is_null(), "{entry}");
        }
    }
}

/// Anybody can send a token that names an unknown key; the keys are then looked for, which takes as long as PDND does.
#[test]
fn whoever_waits_for_keys_is_in_nobodys_way() {
    const NOW: i64 = 1_790_000_000_000;
    let database = TestDatabase::new(Backend::Sqlite);
    let millis = Arc::new(AtomicI64::new(NOW));
    let app = App::start_at(&database, Clock::Manual(Arc::clone(&millis)), |config| {
        config.api.calls_in_flight = 1;
    });
    app.publish(&[mensa("2025/1", 8000)]);
    let keys = app.keys.path().join(JWKS_FILE);
    let jwks = std::fs::read(&keys).unwrap();
    // A pipe gives nothing until somebody writes to it.
    std::fs::remove_file(&keys).unwrap();
    assert!(Command::new("mkfifo").arg(&keys).status().unwrap().success());
    // Keys are looked for once a minute.
    millis.store(NOW + 61_000, Ordering::SeqCst);
    let unknown = app.voucher_with(|draft| drop(draft.header.insert("kid".to_owned(), json!("unknown"))));
    let unknown = format!("Bearer {unknown}");
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| app.send("GET", "/waas/v1/flussi?since=0", &[("Authorization", &unknown)], b""));
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&keys).unwrap();
        for _ in 0..3 {
            assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
        }
        assert!(!waiting.is_finished());
        pipe.write_all(&jwks).unwrap();
        drop(pipe);
        waiting.join().unwrap().problem(401);
    });
}
