//! From a CSV to published flows.

use std::fmt::Write;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use tempfile::TempDir;
use waas_comuni::clock::Clock;
use waas_comuni::import::{self, Destination, Listeners, Summary};
use waas_comuni::intake::{Mapping, Options};
use waas_comuni::registry::Registry;
use waas_comuni::siuss::rules::Rulebook;

use crate::harness::{Contestant, compare};
use crate::name;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::roma;

const ROWS: u32 = 100_000;

diesel::table! {
    copied (ts) {
        ts -> BigInt,
        codice_ente -> Text,
        denominazione -> Text,
        id_flusso -> Text,
        tipo -> Text,
        payload -> Text,
    }
}

pub fn measure(backends: &[Backend]) {
    let folder = TempDir::new().unwrap();
    let path = &benefits(folder.path(), ROWS);
    let mut contestants = vec![
        Contestant::of("csv crate: parse", ROWS, || {
            let file = File::open(path).unwrap();
            let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(file);
            let mut record = csv::StringRecord::new();
            let mut rows = 0;
            while reader.read_record(&mut record).unwrap() {
                rows += 1;
            }
            assert_eq!(rows, ROWS);
        }),
        Contestant::of("read, check", ROWS, || run(path, &mut Destination::Nowhere)),
    ];
    contestants.extend(backends.iter().map(|backend| {
        Contestant::timed(format!("read, check, publish: {}", name(*backend)), || publish(path, *backend))
    }));
    compare(&format!("Import of a CSV, {ROWS} rows, one thread"), "rows", 3, contestants);
    if backends.contains(&Backend::Postgres) {
        let rows = plain_rows(path);
        let contestants = vec![
            Contestant::timed("COPY of plain flow rows", || copy(&rows)),
            Contestant::timed("read, check, publish", || publish(path, Backend::Postgres)),
        ];
        compare(&format!("Import of a CSV, {ROWS} rows, PostgreSQL"), "rows", 3, contestants);
    }
}

/// Imports the file at `path` into a new database.
fn publish(path: &Path, backend: Backend) -> (f64, Duration) {
    let database = TestDatabase::new(backend);
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    let registry = Registry::new(store, Clock::System);
    let begun = Instant::now();
    run(path, &mut Destination::Feed { registry: &registry, eservice, ente: &roma() });
    (f64::from(ROWS), begun.elapsed())
}

/// The flows of the file at `path`, as rows of a plain table in the text form of COPY.
fn plain_rows(path: &Path) -> String {
    let database = TestDatabase::new(Backend::Sqlite);
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    let registry = Registry::new(store, Clock::System);
    run(path, &mut Destination::Feed { registry: &registry, eservice, ente: &roma() });
    let flussi = registry.page(eservice, 0, ROWS).unwrap();
    flussi.iter().fold(String::new(), |mut text, flusso| {
        let (codice, name, payload) =
            (&flusso.codice_ente, &flusso.denominazione_ente, BASE64_STANDARD.encode(&flusso.xml));
        let (ts, id, tipo) = (flusso.ts_ms, &flusso.id_flusso, flusso.tipo.as_str());
        writeln!(text, "{ts}\t{codice}\t{name}\t{id}\t{tipo}\t{payload}").unwrap();
        text
    })
}

/// Copies rows into a new plain table, in one transaction.
fn copy(rows: &str) -> (f64, Duration) {
    let database = TestDatabase::new(Backend::Postgres);
    let mut connection = PgConnection::establish(&database.url).unwrap();
    connection
        .batch_execute(
            "CREATE TABLE copied (ts BIGINT PRIMARY KEY, codice_ente TEXT NOT NULL, denominazione TEXT NOT NULL, \
             id_flusso TEXT NOT NULL, tipo TEXT NOT NULL, payload TEXT NOT NULL)",
        )
        .unwrap();
    let begun = Instant::now();
    let copied = diesel::copy_from(copied::table)
        .from_raw_data(copied::table, |out| {
            out.write_all(rows.as_bytes()).map_err(|error| Error::SerializationError(Box::new(error)))
        })
        .execute(&mut connection)
        .unwrap();
    let time = begun.elapsed();
    assert_eq!(copied, ROWS as usize);
    (f64::from(ROWS), time)
}

/// A CSV of made-up benefits.
pub fn benefits(folder: &Path, rows: u32) -> PathBuf {
    let path = folder.join("benefits.csv");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/benefits.awk");
    let mut awk = Command::new("awk");
    awk.arg("-v").arg(format!("rows={rows}")).arg("-f").arg(script).stdout(File::create(&path).unwrap());
    assert!(awk.status().unwrap().success());
    path
}

/// Imports the file at `path`, of which nothing is refused.
pub fn run(path: &Path, destination: &mut Destination<'_>) {
    let (mapping, rulebook) = (Mapping::default(), Rulebook::shipped());
    let options = Options { ente: "H501", format: None, mapping: &mapping, rulebook: &rulebook };
    let mut summary = Summary::default();
    let mut listeners = Listeners {
        notice: &mut |entry| panic!("line {}: {}", entry.line, entry.message),
        progress: &|_| {},
        batch: &mut |_| ControlFlow::Continue(()),
        report: None,
    };
    import::run(path, &options, destination, &mut summary, &mut listeners).unwrap();
}
