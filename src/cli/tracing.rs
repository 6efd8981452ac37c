//! `tracing`: the daily count of calls that members owe PDND.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use super::{CliError, Globals, select};
use crate::clock::Clock;
use crate::config::Config;
use crate::pdnd::count::{Count, CountError, count};
use crate::store::{Day, EserviceId, Store};

/// The daily count of calls that every member of PDND owes it: write it.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Export(Export),
}

/// Write the file of one day: what was answered to calls with a good voucher, by purpose, status and voucher.
///
/// Exit code 0: it was written; 1: it cannot be, for example because the entries of that day were removed; 2: the
/// arguments or the configuration cannot be understood.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni tracing export --date 2026-03-01 --out 2026-03-01.csv
  waas-comuni tracing export --date 2026-03-01 --name produzione")]
struct Export {
    #[command(flatten)]
    which: Which,
    /// Where to write; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of the file: its rows, its SHA-256.
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Whose count of which day.
#[derive(Debug, clap::Args)]
struct Which {
    /// The day (Europe/Rome).
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Date,
    /// The [[tracing]] section; needed when there are several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Export(args) => run_export(args, globals),
    }
}

fn run_export(args: &Export, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let names = eservices(&config, args.which.name.as_deref())?;
    let store = open(&config)?;
    let day = Day::from(args.which.date);
    let now = Clock::System.now();
    let known = known(&store, &names)?;
    let counted = store.read(|connection| Ok(count(connection, &known, day, now)))??;
    if day.end().is_none_or(|end| now < end) {
        eprintln!("{day} is not over: calls are still missing from this file, and PDND would refuse it");
    }
    if args.json {
        say!("{}", as_json(&counted, &names));
        return Ok(ExitCode::SUCCESS);
    }
    match &args.out {
        Some(path) => std::fs::write(path, counted.csv())?,
        None => write!(std::io::stdout(), "{}", counted.csv())?,
    }
    eprintln!("{day}: {} calls to {}", counted.calls(), names.join(", "));
    Ok(ExitCode::SUCCESS)
}

fn as_json(counted: &Count, eservices: &[String]) -> serde_json::Value {
    let rows: Vec<_> = counted
        .rows()
        .map(|(key, calls)| {
            json!({
                "purpose_id": key.purpose_id,
                "status": key.status.code(),
                "token_id": key.token_id,
                "requests_count": calls,
            })
        })
        .collect();
    json!({
        "date": counted.day().to_string(),
        "eservices": eservices,
        "calls": counted.calls(),
        "sha256": counted.digest(),
        "rows": rows,
    })
}

/// The e-services of the section of that name; without a name, of the only section; without sections, the only
/// e-service.
fn eservices(config: &Config, name: Option<&str>) -> Result<Vec<String>, CliError> {
    let names = || config.tracing.iter().map(|tracing| tracing.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.tracing.as_slice()) {
        (None, []) if config.eservice.len() > 1 => Err(CliError::Usage(
            "the configuration has several e-services and no [[tracing]] section that says which of them are counted \
             together"
                .to_owned(),
        )),
        (None, []) => Ok(vec![select(config, None)?.name.clone()]),
        (None, [only]) => Ok(only.eservices.clone()),
        (None, _) => Err(CliError::Usage(format!("say which [[tracing]] section with --name: {}", names()))),
        (Some(name), all) => {
            let found = all.iter().find(|tracing| tracing.name == name).ok_or_else(|| {
                CliError::Usage(format!(
                    "the configuration has no [[tracing]] section {name:?}, only: {}",
                    names()
                ))
            })?;
            Ok(found.eservices.clone())
        }
    }
}

fn open(config: &Config) -> Result<Store, CliError> {
    let store = Store::open(&config.database)?;
    if store.schema_state()?.pending.is_empty() {
        return Ok(store);
    }
    let message = "the database is not ready for this version: start the service or import a file first";
    Err(CliError::Failed(message.to_owned()))
}

/// Those of the e-services that the database knows: one that was never served or published has had no call.
fn known(store: &Store, names: &[String]) -> Result<Vec<(String, EserviceId)>, CliError> {
    let mut known = Vec::with_capacity(names.len());
    for name in names {
        match store.find_eservice(name)? {
            Some(id) => known.push((name.clone(), id)),
            None => eprintln!("{name} was never served with this database: it has had no call"),
        }
    }
    Ok(known)
}

impl From<CountError> for CliError {
    fn from(error: CountError) -> Self {
        Self::Failed(error.to_string())
    }
}
