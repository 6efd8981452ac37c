//! The feed under fire: whatever crashes, restarts, scales or steps back in time, a client that follows the cursor sees
//! every flow once, in order.
//!
//! Importers and vendors' software write, clients pull and send outcomes; meanwhile instances and importers are killed,
//! connections are cut, the database crashes, clocks step; and a checker of its own compares all the time what everybody
//! was told with what the database holds. `docs/reliability.md` says what is checked, and what a long run gave.
//!
//! This program is its own test harness, because it is three things: two short tests for `make test`, the long run of
//! `make torture`, and each instance of the service, which is a process of its own so that it can be killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect by panicking, and have no public face"
)]

mod chaos;
mod checker;
mod client;
mod cluster;
mod fleet;
mod http;
mod importer;
mod instance;
mod proxy;
mod random;
mod records;
mod run;
mod stats;
mod vendor;

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use run::{Database, Plan};

/// The tests that `make test` runs, by database.
const TESTS: [(&str, Database); 2] =
    [("a_short_run::postgres", Database::Postgres), ("a_short_run::sqlite", Database::Sqlite)];

/// Crash everything, at length.
#[derive(Parser)]
struct Long {
    /// On which database; both, one after the other, unless one is named.
    #[arg(long)]
    database: Option<Database>,
    /// How long, in minutes, on each.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// What makes the same choices again.
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write the report as JSON as well.
    #[arg(long)]
    report: Option<PathBuf>,
    /// Succeed when something that must hold does not, as in a build without the sequencer.
    #[arg(long)]
    expect_violation: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("instance") => instance::run(arguments[2].as_ref(), arguments[3].parse().unwrap()),
        Some("run") => long(&Long::parse_from(&arguments[1..])),
        _ => short(&arguments[1..]),
    }
}

fn long(asked: &Long) -> ExitCode {
    let seed = asked.seed.unwrap_or_else(|| RandomState::new().hash_one(()) >> 32);
    let databases: Vec<Database> =
        asked.database.map_or_else(|| Database::value_variants().to_vec(), |one| vec![one]);
    let mut reports = Vec::new();
    let mut is_good = true;
    for database in databases {
        let time = Duration::from_secs_f64(asked.minutes * 60.0);
        let report = run::run(&Plan {
            database,
            seed,
            time,
            pace: (100, 1_500),
            expect_violation: asked.expect_violation,
        });
        println!("{}", report.text);
        is_good &= report.violation.is_some() == asked.expect_violation;
        reports.push(report.json);
    }
    if let Some(path) = &asked.report {
        std::fs::write(path, format!("{:#}\n", serde_json::Value::from(reports))).unwrap();
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As a test harness is called: by `cargo test`, or by a runner that lists the tests and runs each by its name.
fn short(arguments: &[String]) -> ExitCode {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--format" | "--test-threads" | "--skip" | "--color" | "--logfile" | "-Z" => drop(rest.next()),
            flag if flag.starts_with('-') => {}
            name => wanted.push(name),
        }
    }
    let is_wanted = |name: &str| {
        let matches = |wanted: &&str| if has("--exact") { name == *wanted } else { name.contains(*wanted) };
        !has("--ignored") && (wanted.is_empty() || wanted.iter().any(matches))
    };
    let mut code = ExitCode::SUCCESS;
    for (name, database) in TESTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        let seed = RandomState::new().hash_one(()) >> 32;
        let plan =
            Plan { database, seed, time: Duration::from_secs(6), pace: (100, 500), expect_violation: false };
        let report = run::run(&plan);
        println!("{}", report.text);
        if report.violation.is_some() {
            code = ExitCode::FAILURE;
        }
    }
    code
}
