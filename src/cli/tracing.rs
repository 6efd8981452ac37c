//! `tracing`: the daily count of calls that members owe PDND.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use serde_json::json;
use uuid::Uuid;

use super::{CliError, Globals};
use crate::clock::Clock;
use crate::config::check::{self, Severity};
use crate::config::{Config, Tracing};
use crate::pdnd::count::{Count, CountError};
use crate::pdnd::member;
use crate::pdnd::report::{self, DayReport, File, report};
use crate::pdnd::service::State;
use crate::pdnd::settle::{Asked, How, SettleError, Settled, Settler, counted};
use crate::store::Day;

/// The daily count of calls that every member of PDND owes it: write it, send it, see how it stands.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Export(Export),
    Submit(Submit),
    Status(Status),
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

/// Send the file of one day to PDND.
///
/// PDND is asked first how the day stands: a day without a file is submitted, one that PDND finds wrong or has missed is
/// recovered with the count of this moment. One that it has counted is left alone, unless --replace is given and the
/// count has changed.
///
/// Exit code 0: PDND has the file of this moment, or is looking at one; 1: it has not; 2: the arguments or the
/// configuration cannot be understood.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni tracing submit --date 2026-03-01
  waas-comuni tracing submit --date 2026-03-01 --replace")]
struct Submit {
    #[command(flatten)]
    which: Which,
    /// Let a day that PDND has counted have another file, if the count has changed.
    #[arg(long)]
    replace: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Say how the days stand with PDND, what it found in their files, and what to do.
///
/// Tells of the last month and of all that is owed, unless a day or states are named.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni tracing status
  waas-comuni tracing status --states ERROR,MISSING
  waas-comuni tracing status --date 2026-03-01 --json")]
struct Status {
    /// One day (Europe/Rome).
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with = "states")]
    date: Option<Date>,
    /// The days that PDND has in these states.
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true, value_name = "STATE,…")]
    states: Vec<State>,
    /// The [[tracing]] section; needed when there are several.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Print one JSON array.
    #[arg(long)]
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
        Command::Submit(args) => run_submit(args, globals),
        Command::Status(args) => run_status(args, globals),
    }
}

fn run_export(args: &Export, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let names = eservices(&config, args.which.name.as_deref())?;
    let store = super::ready(&config)?;
    let day = Day::from(args.which.date);
    let now = Clock::System.now();
    let (counted, unknown) = counted(&store, &names, day, now, config.call_log.retention_days)?;
    for name in unknown {
        eprintln!("{name} was never served with this database: it has had no call");
    }
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

fn run_submit(args: &Submit, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let settler = settler(&config, args.which.name.as_deref())?;
    let day = Day::from(args.which.date);
    let asked = if args.replace { Asked::Replace } else { Asked::Submit };
    if !settler.take_turn()? {
        return Err(SettleError::Busy.into());
    }
    let settled = patiently(|| {
        let known = settler.service.days(&[])?;
        settler.settle(day, &known, asked)
    });
    settler.end_turn();
    let settled = settled?;
    let (done, code, meaning) = match &settled {
        Settled::Sent(How::Submitted, _) => (true, "submitted", "the file was sent; PDND is looking at it"),
        Settled::Sent(How::Recovered, _) => {
            (true, "recovered", "the file was sent again; PDND is looking at it")
        }
        Settled::Sent(How::Replaced, _) => (true, "replaced", "another file was sent; PDND is looking at it"),
        Settled::Waiting => (true, "pending", "PDND is looking at a file that it has already"),
        Settled::Accepted(_) => (true, "accepted", "PDND has counted this very file: nothing was sent"),
        Settled::AcceptedOther(_, true) => {
            (false, "differs", "PDND has counted another file: --replace sends the count of this moment")
        }
        Settled::AcceptedOther(_, false) => (
            false,
            "unknown",
            "PDND has counted a file that was not sent from here: --replace sends the count of this moment",
        ),
        Settled::LeftInError(_) => (false, "error", "PDND finds the file wrong: see `tracing status`"),
    };
    let others = matches!(&settled, Settled::Sent(_, taken) if taken.others_in_error);
    if args.json {
        say!(
            "{}",
            json!({ "date": day.to_string(), "section": settler.name, "result": code, "other_days_in_error": others })
        );
    } else {
        say!("{day}: {meaning}");
    }
    if others {
        eprintln!("other days are in error: see `waas-comuni tracing status --states ERROR,MISSING`");
    }
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_status(args: &Status, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let settler = settler(&config, args.name.as_deref())?;
    let which = match args.date {
        Some(date) => report::Which::Day(Day::from(date)),
        None if args.states.is_empty() => report::Which::Recent,
        None => report::Which::States(args.states.clone()),
    };
    let days = patiently(|| report(&settler, &which))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&days).map_err(std::io::Error::from)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if days.is_empty() {
        writeln!(out, "PDND knows of no such day, and none is owed")?;
    }
    for day in &days {
        tell(day, &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One day, and below it what PDND found and what to do.
fn tell(day: &DayReport, out: &mut impl Write) -> std::io::Result<()> {
    let state = day.state.map_or("not sent", State::as_str);
    let calls =
        day.calls.map_or_else(|| "calls cannot be counted any more".to_owned(), |n| format!("{n} calls"));
    let file = match day.file {
        File::Same => ", the file that was sent",
        File::Differs => ", another file than the count of this moment",
        File::Unknown => ", a file that was not sent from here or cannot be compared",
        File::None => "",
    };
    let id = day.tracing_id.map_or_else(String::new, |id| format!(", tracing {id}"));
    writeln!(out, "{}  {state}: {calls}{file}{id}", day.date)?;
    if let Some(error) = &day.last_error {
        writeln!(out, "            last: {}", error.escape_debug())?;
    }
    for error in &day.errors {
        let told = |text: &Option<String>| text.as_deref().unwrap_or("-").escape_debug().to_string();
        let row = error.row_number.map_or_else(|| "-".to_owned(), |row| row.to_string());
        writeln!(
            out,
            "            {} row {row} purpose {}: {} {}",
            told(&error.severity),
            told(&error.purpose_id),
            told(&error.error_code),
            told(&error.message),
        )?;
    }
    if let Some(remedy) = &day.remedy {
        writeln!(out, "            -> {remedy}")?;
    }
    Ok(())
}

/// Seconds to wait before trying again, where PDND does not say how many.
const WAITS: [u64; 4] = [1, 2, 4, 8];
/// The longest wait that PDND may ask of a command.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Does `work` until it succeeds, or fails for a reason that does not pass.
fn patiently<T>(mut work: impl FnMut() -> Result<T, SettleError>) -> Result<T, SettleError> {
    for wait in WAITS.map(Duration::from_secs) {
        match work() {
            Err(SettleError::Pdnd(error)) if error.is_passing() => {
                let wait = error.retry_after().unwrap_or(wait).min(LONGEST_WAIT);
                eprintln!("{error}: trying again in {} seconds", wait.as_secs());
                std::thread::sleep(wait);
            }
            done => return done,
        }
    }
    work()
}

/// The section of that name; without a name, the only one.
fn section<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a Tracing, CliError> {
    let names = || config.tracing.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.tracing.as_slice()) {
        (_, []) => Err(CliError::Usage(
            "the configuration has no [[tracing]] section, which says whose calls are counted together"
                .to_owned(),
        )),
        (None, [only]) => Ok(only),
        (None, _) => Err(CliError::Usage(format!("say which [[tracing]] section with --name: {}", names()))),
        (Some(name), all) => all.iter().find(|one| one.name == name).ok_or_else(|| {
            CliError::Usage(format!(
                "the configuration has no [[tracing]] section {name:?}, only: {}",
                names()
            ))
        }),
    }
}

/// The e-services of the section of that name; where there are no sections, the only e-service.
fn eservices(config: &Config, name: Option<&str>) -> Result<Vec<String>, CliError> {
    match (name, config.tracing.as_slice(), config.eservice.as_slice()) {
        (None, [], [only]) => Ok(vec![only.name.clone()]),
        _ => Ok(section(config, name)?.eservices.clone()),
    }
}

/// What sends the files of the section of that name.
fn settler(config: &Config, name: Option<&str>) -> Result<Settler, CliError> {
    let section = section(config, name)?;
    let wrong: Vec<_> = check::check(config)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Wrong && finding.key.starts_with("tracing"))
        .collect();
    if !wrong.is_empty() {
        return Err(CliError::WrongConfig(wrong));
    }
    let holder = format!("command {}", Uuid::new_v4());
    member::settler(config, section, super::ready(config)?, Clock::System, holder)
        .map_err(|error| CliError::Usage(error.to_string()))
}

impl From<CountError> for CliError {
    fn from(error: CountError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SettleError> for CliError {
    fn from(error: SettleError) -> Self {
        Self::Failed(error.to_string())
    }
}
