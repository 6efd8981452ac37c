//! `doctor` on deployments that are well, and on those that are not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use jiff::SignedDuration;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;
use tempfile::TempDir;
use waas_comuni::clock::Clock;
use waas_comuni::config::check::check;
use waas_comuni::config::{Config, Tls};
use waas_comuni::doctor::{Finding, Severity, examine};

use crate::serving::certify;
use crate::support::app::{self, App};
use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;
use crate::voucher_cli::https;

/// What is found of one subject.
fn about<'a>(findings: &'a [Finding], subject: &str) -> Vec<(Severity, &'a str)> {
    let of = findings.iter().filter(|finding| finding.subject.starts_with(subject));
    of.map(|finding| (finding.severity, finding.meaning.as_str())).collect()
}

fn findings(config: &Config, clock: &Clock) -> Vec<Finding> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let findings = examine(config, clock, &runtime);
    for finding in &findings {
        assert_eq!(finding.remedy.is_none(), finding.severity == Severity::Ok, "{finding:?}");
        assert!(!finding.meaning.is_empty());
    }
    findings
}

fn json(done: &Done) -> Vec<Value> {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

on_both_databases! {
    fn a_deployment_that_works_is_told_so(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000)]);
        drop(app);
        let place = Place::new(database);
        let done = place.run(&["doctor"]);
        assert_eq!(done.code, 0, "{done:?}");
        for part in ["database: it answers", "keys at file:keys/jwks.json: 1 keys", "INPS has not pulled yet; 1 flows"] {
            assert!(done.stdout.contains(part), "{part}: {done:?}");
        }
        let found = json(&place.run(&["doctor", "--json"]));
        assert!(found.iter().any(|finding| finding["subject"] == "database" && finding["severity"] == "ok"));
        // No checkpoint key is configured: a warning, which counts only when it is asked to.
        assert!(found.iter().any(|finding| finding["severity"] == "warning" && finding["remedy"].is_string()));
        assert_eq!(place.run(&["doctor", "--strict"]).code, 1);
    }

    fn it_says_how_many_days_inps_needs(database) {
        let app = App::start(database);
        let records: Vec<_> = (0..250).map(|number| mensa(&format!("2025/{number}"), 8000)).collect();
        app.publish(&records);
        let keys = app.keys.path().to_owned();
        let days = |per_consumer, total| {
            let mut config = app::config(database, &keys);
            config.eservice[0].daily_calls_per_consumer = per_consumer;
            config.eservice[0].daily_calls_total = total;
            about(&findings(&config, &Clock::System), "pulls of prova")
                .into_iter()
                .map(|(severity, meaning)| (severity, meaning.to_owned()))
                .next()
                .unwrap()
        };
        // Three pages and one that finds nothing more, three calls with outcomes.
        let (severity, meaning) = days(7, 100);
        assert_eq!(severity, Severity::Ok);
        assert!(meaning.contains("250 flows wait, for which it needs 1 day at 7 calls a day"), "{meaning}");
        assert!(days(100, 3).1.contains("needs 3 days at 3 calls a day"));
        assert_eq!(days(0, 100).0, Severity::Error);

        // A first page of ten: 24 remain, one empty, and three calls with outcomes.
        assert_eq!(app.get("/flussi?since=0&limit=10").flussi().len(), 10);
        let (severity, meaning) = days(1, 100);
        assert_eq!(severity, Severity::Warning, "too long to be left so");
        assert!(meaning.contains("240 flows wait, for which it needs 28 days"), "{meaning}");
        let last = app.get("/flussi?since=0&limit=100").flussi().len();
        assert_eq!(last, 100);
        assert!(days(100, 100).1.contains("150 flows wait"));
        assert_eq!(app.get("/flussi?since=99999999999999999999").flussi().len(), 0);
        assert!(days(100, 100).1.contains("150 flows wait"), "an absurd cursor took nothing");
        let newest = app.registry.page(app.eservice, 0, 1000).unwrap().last().unwrap().ts_ms;
        assert_eq!(app.get(&format!("/flussi?since={newest}")).flussi().len(), 0);
        assert!(days(100, 100).1.contains("no flow waits"));
    }
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let done = place.run(&["doctor", "--json"]);
    assert_eq!(done.code, 2, "{done:?}");
    let found = json(&done);
    let finding = found.iter().find(|finding| finding["subject"] == "database").unwrap();
    assert_eq!(finding["severity"], "error");
    assert!(!Path::new(database.url.strip_prefix("sqlite://").unwrap()).exists());
    // Tables that are not this program's are found too.
    std::fs::write(database.url.strip_prefix("sqlite://").unwrap(), "").unwrap();
    let empty = place.run(&["doctor"]);
    assert!(empty.stdout.contains("without the migrations"), "{empty:?}");
}

#[test]
fn a_server_that_is_away_is_an_error() {
    let database = TestDatabase::new(Backend::Sqlite);
    let mut config = app::config(&database, database.url.as_ref());
    config.database.url = "postgres://nobody@127.0.0.1:1/nothing".into();
    config.database.timeout_seconds = 1;
    let found = findings(&config, &Clock::System);
    assert_eq!(about(&found, "database")[0].0, Severity::Error);
    assert!(about(&found, "keys at")[0].1.contains("every call is answered 503"), "{found:?}");
}

#[test]
fn the_certificate_is_read_before_callers_do() {
    let database = TestDatabase::new(Backend::Sqlite);
    drop(database.store());
    let folder = tempfile::tempdir().unwrap();
    let files = Tls { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
    let mut config = app::config(&database, folder.path());
    config.api.tls = Some(files.clone());
    config.api.public_url = Some("https://waas.example.it".to_owned());
    let judged = |config: &Config, clock: &Clock| {
        let found = findings(config, clock);
        let found = about(&found, "certificate");
        found.into_iter().map(|(severity, meaning)| (severity, meaning.to_owned())).collect::<Vec<_>>()
    };
    let now = Clock::System;
    assert!(judged(&config, &now)[0].1.contains("cannot be read"));

    certify(&files, "waas.example.it");
    let good = judged(&config, &now);
    assert_eq!(good[0].0, Severity::Warning, "a day is left: {good:?}");
    assert_eq!((good[1].0, good.len()), (Severity::Ok, 2), "{good:?}");
    let later = Clock::Manual(Arc::new(AtomicI64::new(now.now_ms() + 2 * 86_400_000)));
    let expired = judged(&config, &later);
    assert!(expired[0].0 == Severity::Error && expired[0].1.contains("expired"), "{expired:?}");
    let earlier = Clock::Manual(Arc::new(AtomicI64::new(now.now_ms() - 2 * 86_400_000)));
    assert!(judged(&config, &earlier)[0].1.contains("not in force before"));

    for (host, severity) in [
        ("waas.example.it", Severity::Ok),
        ("altro.example.it", Severity::Error),
        ("example.it", Severity::Error),
        ("a.waas.example.it", Severity::Error),
    ] {
        config.api.public_url = Some(format!("https://{host}"));
        assert_eq!(judged(&config, &now)[1].0, severity, "{host}");
    }
    certify(&files, "*.example.it");
    for (host, severity) in [
        ("waas.example.it", Severity::Ok),
        ("a.waas.example.it", Severity::Error),
        ("example.it", Severity::Error),
    ] {
        config.api.public_url = Some(format!("https://{host}:8443"));
        assert_eq!(judged(&config, &now)[1].0, severity, "{host}");
    }

    let key = std::fs::read(&files.key).unwrap();
    certify(&files, "waas.example.it");
    std::fs::write(&files.key, key).unwrap();
    assert!(judged(&config, &now)[0].1.contains("not of the key"));
    std::fs::write(&files.certificate, "").unwrap();
    assert!(judged(&config, &now)[0].1.contains("no certificate"));
}

/// What `doctor` says when the keys are at an HTTPS server whose clock differs by so many seconds.
fn with_a_clock(seconds: i64) -> (i32, Vec<Value>) {
    let database = TestDatabase::new(Backend::Sqlite);
    drop(database.store());
    let place = Place::new(&database);
    let jwks = std::fs::read_to_string(place.path().join("keys/jwks.json")).unwrap();
    let port = https(place.path(), move |stream| {
        let date = Clock::System.now() + SignedDuration::from_secs(seconds);
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{jwks}", jwks.len())
    });
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    let url = format!("https://localhost:{port}/jwks.json");
    place.file("waas-comuni.toml", config.replace("file:keys/jwks.json", &url));
    let certificate = place.path().join("ca.pem");
    let output = place.command(&["doctor", "--json"]).env("SSL_CERT_FILE", certificate).output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_clock_that_would_refuse_good_vouchers_is_found() {
    let clock = |found: &[Value]| {
        let finding = found.iter().find(|finding| finding["subject"] == "clock").unwrap();
        finding["severity"].as_str().unwrap().to_owned()
    };
    let (code, found) = with_a_clock(0);
    assert_eq!((code, clock(&found).as_str()), (0, "ok"), "{found:?}");
    for seconds in [-60, 60] {
        let (code, found) = with_a_clock(seconds);
        assert_eq!((code, clock(&found).as_str()), (2, "error"), "{found:?}");
    }
}

#[test]
fn keys_that_cannot_be_refreshed_are_told_with_their_age() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let config = app::config(&database, app.keys.path());
    std::fs::remove_file(app.keys.path().join("jwks.json")).unwrap();
    let judged = |hours: i64| {
        let clock = Clock::Manual(Arc::new(AtomicI64::new(Clock::System.now_ms() + hours * 3_600_000)));
        let found = findings(&config, &clock);
        let (severity, meaning) = about(&found, "keys at")[0];
        (severity, meaning.to_owned())
    };
    let (severity, meaning) = judged(3);
    assert!(severity == Severity::Warning && meaning.contains("fetched 3 hours ago"), "{meaning}");
    assert_eq!(judged(25).0, Severity::Error);
}

#[test]
fn a_file_of_checkpoints_that_cannot_be_written_is_found() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("checkpoints.txt");
    let found = |file: &Path| {
        let mut config = Config::default();
        config.call_log.checkpoint_file = Some(file.to_owned());
        check(&config).into_iter().filter(|finding| finding.key == "call_log.checkpoint_file").count()
    };
    assert_eq!(found(&file), 0, "it can be made");
    assert_eq!(found(Path::new("checkpoints.txt")), 0, "here");
    assert!(!file.exists() && !Path::new("checkpoints.txt").exists(), "nothing is made to find out");
    std::fs::write(&file, "").unwrap();
    assert_eq!(found(&file), 0);
    assert_eq!(found(&file.join("in a file")), 1);
    assert_eq!(found(&folder.path().join("nowhere/checkpoints.txt")), 1);
}
