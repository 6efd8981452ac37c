//! From a CSV to published flows.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

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
        Contestant::timed(format!("read, check, publish: {}", name(*backend)), || {
            let database = TestDatabase::new(*backend);
            let store = database.store();
            let eservice = store.register_eservice("prova").unwrap();
            let registry = Registry::new(store, Clock::System);
            let begun = Instant::now();
            run(path, &mut Destination::Feed { registry: &registry, eservice, ente: &roma() });
            (f64::from(ROWS), begun.elapsed())
        })
    }));
    compare(&format!("Import of a CSV, {ROWS} rows, one thread"), "rows", 3, contestants);
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
