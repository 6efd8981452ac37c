//! That no personal datum and no token reaches logs or metrics is checked in every test (`support/watch.rs`). Here is shown
//! that the check finds what it is for, and that nothing that tests start goes around it.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use waas_comuni::vendor::keys;

use crate::serving::Server;
use crate::support::app::App;
use crate::support::command::{Place, Program};
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;
use crate::support::watch::{WATCH, Watch};

/// A watch of this test's own, which nobody else is judged by.
fn watch() -> &'static Watch {
    Box::leak(Box::default())
}

#[test]
fn what_looks_like_a_secret_is_found_in_any_event() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let voucher = app.voucher();
    let (header, rest) = voucher.split_once('.').unwrap();
    let key = keys::generate().unwrap();
    for secret in [
        "CNTLCU15E09H501T",
        "cntlcu15e09h501t",
        "CNTLCUMRE09H501T",
        &voucher,
        header,
        rest.split('.').next().unwrap(),
        "Bearer 6f1b7f3a112f0f9b6e4d",
        key.expose_secret(),
        "postgres://waas:secret@db/waas",
        "-----BEGIN PRIVATE KEY-----",
    ] {
        let watch = watch();
        tracing::subscriber::with_default(watch.subscriber(), || {
            tracing::info!("harmless");
            assert_eq!(watch.leaks(), [""; 0]);
            tracing::debug!(value = secret, "said in passing");
        });
        assert_eq!(watch.leaks().len(), 1, "{secret}");
    }
    let watch = watch();
    for harmless in [
        "2026-01-31T10:00:00.000Z INFO serving api=127.0.0.1:8443 eservices=2",
        "request_id=019b2c1e-8a4d-7c1b-9f6e-1b7f3a112f0f eservice=\"prova\" method=GET status=200",
        "origin=\"waas.comune.example.it/prova\" size=42 checkpoint of the call log",
        "url=\"https://uat.interop.pagopa.it/.well-known/jwks.json\" keys are at hand",
        "postgres://db.example.it/waas",
    ] {
        watch.hear(harmless);
    }
    assert_eq!(watch.leaks(), [""; 0]);
}

#[test]
fn what_people_are_called_is_known_from_what_was_published() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.publish(&[mensa("2025/1", 8000)]);
    let flusso = &app.registry.page(app.eservice, 0, 1).unwrap()[0];
    for (said, leaks) in [
        ("a benefit of Luca Conti", 2),
        ("a benefit of \"Conti\"", 1),
        ("dsu=INPS-ISEE-2020-01234567A-00", 1),
        ("the accounts (Conticini) and INPS-ISEE-2020", 0),
    ] {
        let watch = watch();
        // Whether a name is a secret may be learned after it was said.
        watch.hear(said);
        watch.keep_secret_all_of(&flusso.xml);
        assert_eq!(watch.leaks().len(), leaks, "{said}: {:?}", watch.leaks());
    }
}

#[test]
fn of_what_a_program_says_its_log_is_watched_and_its_reports_are_not() {
    let said = "riga 2, CNTLCU15E09H501T: refused\n\
                2026-01-31T10:00:00.000000Z  INFO waas_comuni: CNTLCU15E09H501T\n\
                {\"timestamp\":\"2026-01-31T10:00:00Z\",\"level\":\"INFO\",\"code\":\"CNTLCU15E09H501T\"}\n";
    for (all, leaks) in [(false, 2), (true, 3)] {
        let watch = watch();
        watch.hear_program(said, all);
        assert_eq!(watch.leaks().len(), leaks);
    }
}

#[test]
fn services_programs_and_metrics_are_heard() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let answer = app.get("/flussi?since=0");
    let call = format!("call request_id={}", answer.header("x-request-id").unwrap());
    assert!(WATCH.heard(&call), "what a service in this process logs");
    assert!(WATCH.heard("DEBUG "), "what -vv adds");
    app.stop();
    assert!(WATCH.heard("waas_comuni_calls_total{eservice=\"prova\",operation=\"flussi\",status=\"200\"}"));
    let place = Place::new(&database);
    let mut server = Server::start(&place);
    server.terminate();
    assert!(server.child.wait().unwrap().success());
    assert!(WATCH.heard(&format!("serving api={}", server.api)), "what another process logs");
}

#[test]
fn what_a_program_says_while_it_runs_reaches_the_test_too() {
    let mut child = Program::through("sh").args(["-c", "echo one >&2; echo two >&2"]).spawn().unwrap();
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(said, "one\ntwo\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn no_test_starts_the_program_where_it_is_not_watched() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")];
    let mut around: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read_to_string(&path).unwrap().contains(concat!("CARGO_BIN_EXE", "_waas-comuni")) {
                around.push(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned());
            }
        }
    }
    assert_eq!(around, [Path::new("tests/it/support/command.rs")], "they take support::command::Program");
}
