//! From a CSV to published flows, by the command, the start of the program and the making of the tables included.

use std::fmt::Write;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use secrecy::ExposeSecret;
use tempfile::TempDir;
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::import::{self, Destination, Listeners, Summary};
use waas_comuni::intake::{Mapping, Options};
use waas_comuni::registry::Registry;
use waas_comuni::siuss::rules::Rulebook;
use waas_comuni::store::Store;

use crate::dataset;
use crate::harness::{Contestant, Figure, compare, figures};
use crate::name;
use crate::server::{PROGRAM, configuration};
use crate::support::database::Backend;
use crate::support::records::roma;

const ROWS: u32 = 100_000;
/// Rows of the file of which the memory is measured.
const MANY: u32 = 1_000_000;
const ROUNDS: usize = 3;

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
    let folder = TempDir::new_in(dataset::folder()).unwrap();
    let path = &benefits(folder.path(), "benefits", ROWS);
    let contestants = vec![
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
    compare(&format!("Reading of a CSV, {ROWS} rows, one thread"), "rows", ROUNDS, contestants);
    let many = &benefits(folder.path(), "many", MANY);
    for backend in backends {
        match backend {
            Backend::Sqlite => {
                let times: Vec<f64> =
                    (0..ROUNDS).map(|_| publish(path, *backend, true).time.as_secs_f64()).collect();
                let each = times.iter().map(|time| time * 1e6 / f64::from(ROWS)).collect::<Vec<_>>();
                let group = format!("Import of a CSV, {ROWS} rows, SQLite, one core");
                // 30,000 rows a second.
                figures(&group, vec![Figure::of("read, check, publish: a row", "µs", &each).at_most(33.3)]);
            }
            Backend::Postgres => {
                let rows = plain_rows(path);
                let contestants = vec![
                    Contestant::timed("COPY of plain flow rows", || copy(&rows)),
                    Contestant::timed("read, check, publish", || {
                        (f64::from(ROWS), publish(path, *backend, false).time)
                    })
                    .at_least(1.0 / 3.0),
                ];
                compare(&format!("Import of a CSV, {ROWS} rows, PostgreSQL"), "rows", ROUNDS, contestants);
            }
        }
        let memory = publish(many, *backend, false).memory / 1024.0;
        let group = format!("Import of a CSV, {MANY} rows, {}", name(*backend));
        figures(&group, vec![Figure::of("memory, at most", "MiB", &[memory]).at_most(150.0)]);
    }
}

/// What an import took.
struct Taken {
    time: Duration,
    /// In KiB, at most.
    memory: f64,
}

/// Imports the file at `path` into a new database, with one core if `alone`.
fn publish(path: &Path, backend: Backend, alone: bool) -> Taken {
    let database = Fresh::new(backend);
    let folder = TempDir::new().unwrap();
    let mut feed = configuration(&database.settings, "");
    feed += "[[eservice]]\nname = \"prova\"\nbase_path = \"/waas/v1\"\nenvironment = \"locale\"\n\
             audience = [\"SIUSS\"]\njwks_url = \"file:jwks.json\"\n\
             [[eservice.ente]]\ncodice = \"H501\"\ndenominazione = \"Comune di Roma\"\nsede = \"H501\"\n\
             cf_operatore = \"RSSMRA80A01H501U\"\n";
    fs::write(folder.path().join("waas-comuni.toml"), feed).unwrap();
    let mut command = if alone { Command::new("taskset") } else { Command::new(PROGRAM) };
    if alone {
        command.args(["-c", "0", PROGRAM]);
    }
    command.arg("import").arg(path).args(["--ente", "H501"]).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let (mut memory, status) = (0.0, format!("/proc/{}/status", child.id()));
    let ended = loop {
        // The kernel keeps the highest; it is gone with the process.
        let said = fs::read_to_string(&status).unwrap_or_default();
        let highest = said.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        memory = highest.map_or(memory, |highest| highest.parse().unwrap());
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let time = begun.elapsed();
    assert!(ended.success(), "{ended}");
    Taken { time, memory }
}

/// An empty database, which goes with it.
struct Fresh {
    settings: config::Database,
    /// A SQLite file's.
    folder: Option<TempDir>,
}

impl Fresh {
    const NAME: &str = "bench_import";

    fn new(backend: Backend) -> Self {
        let folder = match backend {
            Backend::Sqlite => Some(TempDir::new_in(dataset::folder()).unwrap()),
            Backend::Postgres => None,
        };
        let settings = match &folder {
            Some(folder) => {
                let url = format!("sqlite://{}", folder.path().join("waas-comuni.db").display());
                config::Database { url: url.into(), ..config::Database::default() }
            }
            None => {
                drop_database();
                dataset::settings(backend, Self::NAME)
            }
        };
        Self { settings, folder }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.folder.is_none() {
            drop_database();
        }
    }
}

fn drop_database() {
    let mut connection = PgConnection::establish(&std::env::var("WAAS_TEST_POSTGRES").unwrap()).unwrap();
    connection.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Fresh::NAME)).unwrap();
}

/// The flows of the file at `path`, as rows of a plain table in the text form of COPY.
fn plain_rows(path: &Path) -> String {
    let database = Fresh::new(Backend::Sqlite);
    let store = Store::open(&database.settings).unwrap();
    store.migrate().unwrap();
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
    let database = Fresh::new(Backend::Postgres);
    let mut connection = PgConnection::establish(database.settings.url.expose_secret()).unwrap();
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
fn benefits(folder: &Path, name: &str, rows: u32) -> PathBuf {
    let path = folder.join(name).with_extension("csv");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/benefits.awk");
    let mut awk = Command::new("awk");
    awk.arg("-v").arg(format!("rows={rows}")).arg("-f").arg(script).stdout(File::create(&path).unwrap());
    assert!(awk.status().unwrap().success());
    path
}

/// Imports the file at `path`, of which nothing is refused.
fn run(path: &Path, destination: &mut Destination<'_>) {
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
