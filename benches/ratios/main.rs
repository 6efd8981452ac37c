//! What the product costs beside what it is made of: `make bench`, which says which groups there are.
//!
//! Each figure is taken beside another, in rounds, in one run on one database ([`harness`]). The service runs as a
//! process of its own on feeds of a million flows ([`dataset`]), and is asked by `wrk`, by clients that follow the
//! cursor, or at a given rate; what it is compared with is the database itself, on plain tables ([`plain`]).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::items_after_statements,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a measurement ends where something fails, and has no public face"
)]

mod client;
mod dataset;
mod drain;
mod footprint;
mod gzip;
#[path = "../harness/mod.rs"]
mod harness;
mod import;
mod log;
mod open_loop;
mod overload;
mod pages;
mod plain;
mod search;
mod server;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest of it")]
mod support;
mod threads;
mod voucher;
mod wrk;
mod xml;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dataset::Dataset;
use harness::guard::{self, Results};
use support::database::Backend;

/// E-services of the feeds that are spread.
const ESERVICES: u64 = 1000;
/// What a run gave that the next ones are held against.
const COMMITTED: &str = "benches/ratios.toml";

/// A group on the databases, and the groups without one.
type OnDatabase = (&'static str, fn(&Dataset));
const ON_DATABASE: [OnDatabase; 11] = [
    ("data", data),
    ("pages", pages::measure),
    ("latency", pages::latency),
    ("depth", |dataset| pages::depth(dataset, &spread(dataset))),
    ("drain", drain::one),
    ("drains", |dataset| drain::many(dataset, &spread(dataset))),
    ("log", log::measure),
    ("overload", overload::measure),
    ("transport", pages::transport),
    ("disk", footprint::disk),
    ("memory", footprint::memory),
];
const WITHOUT: [&str; 5] = ["import", "xml", "gzip", "voucher", "search"];

/// Makes what the other groups measure, for those who measure in pieces.
fn data(dataset: &Dataset) {
    plain::Plain::of(dataset);
    spread(dataset);
}

/// How often each contestant runs, where a round takes seconds.
fn rounds() -> usize {
    std::env::var("ROUNDS").map_or(5, |rounds| rounds.parse().expect("ROUNDS is a number"))
}

/// How long a contestant runs in a round.
fn turn() -> Duration {
    Duration::from_secs(
        std::env::var("SECONDS_EACH").map_or(5, |turn| turn.parse().expect("SECONDS_EACH is a number")),
    )
}

/// As many flows in a thousand feeds.
fn spread(dataset: &Dataset) -> Dataset {
    Dataset::of(dataset.backend, ESERVICES, dataset.flows)
}

fn main() -> ExitCode {
    // Cargo adds options of its own.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let databases = ["sqlite", "postgresql"];
    let groups: Vec<&str> = ON_DATABASE.iter().map(|(name, _)| *name).chain(WITHOUT).collect();
    if let Some(unknown) =
        asked.iter().find(|asked| !groups.contains(&asked.as_str()) && !databases.contains(&asked.as_str()))
    {
        eprintln!("{unknown}: there are {}; and {}", groups.join(", "), databases.join(", "));
        return ExitCode::from(2);
    }
    let named = |names: &[&str]| asked.iter().any(|asked| names.contains(&asked.as_str()));
    // A log of ten million entries is made only for those who ask.
    let wanted = |group: &str| {
        if named(&groups) { asked.iter().any(|asked| asked == group) } else { group != "search" }
    };
    let backends: Vec<Backend> = [("sqlite", Backend::Sqlite), ("postgresql", Backend::Postgres)]
        .into_iter()
        .filter(|(name, _)| !named(&databases) || asked.iter().any(|asked| asked == name))
        .map(|(_, backend)| backend)
        .collect();
    if wanted("import") {
        import::measure(&backends);
    }
    if wanted("xml") {
        xml::measure();
    }
    if wanted("voucher") {
        voucher::measure();
    }
    if wanted("gzip") {
        gzip::measure(&Dataset::of(Backend::Sqlite, 1, 1000));
    }
    for backend in backends {
        let wanted: Vec<_> = ON_DATABASE.iter().filter(|(name, _)| wanted(name)).collect();
        if !wanted.is_empty() {
            let dataset = Dataset::of(backend, 1, dataset::flows());
            for (_, measure) in wanted {
                measure(&dataset);
            }
        }
    }
    if wanted("search") {
        search::all();
    }
    conclude(harness::results(), asked.is_empty())
}

/// Compares with what is committed, or puts this run in its place.
fn conclude(measured: Results, everything: bool) -> ExitCode {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    let committed: Results =
        std::fs::read_to_string(&path).map(|text| toml::from_str(&text).unwrap()).unwrap_or_default();
    if std::env::var_os("BENCH_CHECK").is_some() {
        assert_ne!(
            committed,
            Results::default(),
            "{COMMITTED} has nothing to compare with: run `make bench`"
        );
        let worse = guard::worse(&committed, &measured, everything);
        for line in &worse {
            eprintln!("worse: {line}");
        }
        return if worse.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // Another length of the feeds is another measurement.
    if std::env::var_os("FLOWS").is_none() {
        std::fs::write(&path, committed.updated(measured).to_toml()).unwrap();
    }
    ExitCode::SUCCESS
}

/// The name of a database in the table.
fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    }
}
