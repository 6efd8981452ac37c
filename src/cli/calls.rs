//! `calls`: what the log of calls holds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::operator::operator;
use super::person::person;
use super::{CliError, Globals, prune, seal};
use crate::call_log::action::{self, Action, Kind, Outcome};
use crate::call_log::export::{ExportError, Format, export};
use crate::call_log::seal::period;
use crate::call_log::search::{About, Cursor, Filter, benefits, search};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Day, Store};

/// Query the log of calls, export it, verify it, prove what is in it.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Search(Search),
    Export(Export),
    Checkpoint(seal::Checkpoint),
    Verify(seal::Verify),
    Prove(seal::Prove),
    Keygen(seal::Keygen),
    Prune(prune::Prune),
}

/// Find calls, oldest first.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni calls search --from 2026-03-01 --until 2026-03-02 --status 403
  waas-comuni calls search --person -            # who received data about a person; the code is asked for
  waas-comuni calls search --action benefit_viewed --from 2026-03-01
  waas-comuni calls search --request-id 5e0c…")]
struct Search {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many calls to show at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Continue where an earlier search ended.
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// Print one JSON object: the calls, and the cursor of what follows.
    #[arg(long)]
    json: bool,
}

/// Write calls out, oldest first: all of them, or those of a period.
#[derive(Debug, Parser)]
struct Export {
    #[command(flatten)]
    filter: FilterArgs,
    /// csv, safe to open in a spreadsheet, or jsonl, one object per line.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Where to write; standard output otherwise.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where to write the checkpoint of each log with which the export is verified: the first that covers the period, or
    /// the last.
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
}

/// Which calls: those for which everything given holds.
#[derive(Debug, clap::Args)]
struct FilterArgs {
    /// Of this e-service.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// At this instant or later: 2026-03-01T10:00:00Z, or a day (Europe/Rome).
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    from: Option<Timestamp>,
    /// Before this instant, or before this day begins.
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<Timestamp>,
    /// Answered with this HTTP status.
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,
    /// With this outcome.
    #[arg(long, value_name = "CODE")]
    outcome: Option<String>,
    /// Answered with this X-Request-Id.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// By this client of PDND.
    #[arg(long, value_name = "UUID")]
    client_id: Option<String>,
    /// By this member of PDND.
    #[arg(long, value_name = "UUID")]
    consumer_id: Option<String>,
    /// For this purpose.
    #[arg(long, value_name = "UUID")]
    purpose_id: Option<String>,
    /// With this voucher (its jti).
    #[arg(long, value_name = "UUID")]
    token_id: Option<String>,
    /// Not calls but what was done in the back office: this action.
    #[arg(long, value_name = "CODE")]
    action: Option<String>,
    /// Done by this user, or called for this one in the consumer's own terms.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    about: AboutArgs,
}

/// Of what data was given.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct AboutArgs {
    /// That were given flows of this ente.
    #[arg(long, value_name = "CODE")]
    ente: Option<String>,
    /// That were given this flow.
    #[arg(long, value_name = "NAME")]
    flow: Option<String>,
    /// That were given data of this benefit, and actions on it.
    #[arg(long, value_name = "NUMBER")]
    benefit: Option<i64>,
    /// That were given data of this person, by fiscal code, and actions on it; `-` reads the code from standard input,
    /// which leaves it in no shell's history.
    #[arg(long, value_name = "CODE")]
    person: Option<String>,
}

/// An instant, or the beginning of a day.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok().and_then(|date| Day::from(date).start());
    text.parse::<Timestamp>()
        .ok()
        .or_else(day)
        .ok_or_else(|| format!("{text:?} is neither an instant such as 2026-03-01T10:00:00Z nor a day"))
}

impl FilterArgs {
    /// The filter, and the database that it is for. Whoever asks about somebody's data is in the log before there is an
    /// answer.
    fn open(&self, globals: &Globals) -> Result<(Store, Filter), CliError> {
        let config = globals.config()?;
        let store = super::ready(&config)?;
        if let Some(name) = &self.eservice
            && store.find_eservice(name)?.is_none()
        {
            return Err(CliError::Usage(format!("the database knows no e-service {name:?}")));
        }
        let filter = Filter {
            eservice: self.eservice.clone(),
            from: self.from,
            until: self.until,
            status: self.status,
            outcome: self.outcome.clone(),
            request_id: self.request_id.clone(),
            client_id: self.client_id.clone(),
            consumer_id: self.consumer_id.clone(),
            purpose_id: self.purpose_id.clone(),
            token_id: self.token_id.clone(),
            action: self.action.clone(),
            user: self.user.clone(),
            ente: self.about.ente.clone(),
            about: self.about.read(&config)?,
        };
        if let Some(about) = &filter.about {
            record_search(&store, about)?;
        }
        Ok((store, filter))
    }
}

impl AboutArgs {
    fn read(&self, config: &Config) -> Result<Option<About>, CliError> {
        if let Some(code) = &self.person {
            return person(code, config).map(Some);
        }
        Ok(self.flow.clone().map(About::Flow).or(self.benefit.map(About::Benefit)))
    }
}

/// Logs that it was asked who received data: of which benefits, not of whom.
fn record_search(store: &Store, about: &About) -> Result<(), CliError> {
    let searched = Action::new(&operator(), Kind::CallsSearched);
    let of = store.read(|connection| benefits(connection, about))?;
    if of.is_empty() {
        action::record(store, &Clock::System, [searched.with(Outcome::NotFound)])?;
    } else {
        let of = of.into_iter().map(|(eservice, id)| searched.clone().of(eservice).to(id));
        action::record(store, &Clock::System, of)?;
    }
    Ok(())
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Search(args) => run_search(args, globals),
        Command::Export(args) => run_export(args, globals),
        Command::Checkpoint(args) => args.run(globals),
        Command::Verify(args) => args.run(globals),
        Command::Prove(args) => args.run(globals),
        Command::Keygen(args) => args.run(globals),
        Command::Prune(args) => args.run(globals),
    }
}

fn run_search(args: &Search, globals: &Globals) -> Result<ExitCode, CliError> {
    let (store, filter) = args.filter.open(globals)?;
    let mut calls = Vec::new();
    let mut next = args.after;
    let mut missing = args.limit;
    loop {
        let page = store.read(|connection| search(connection, &filter, next, missing))?;
        for found in &page.entries {
            calls.push(found.json()?);
            missing = missing.saturating_sub(1);
        }
        next = page.next;
        if missing == 0 || next.is_none() {
            break;
        }
    }
    let next = next.map(|cursor| cursor.to_string());
    let mut output = std::io::stdout().lock();
    if args.json {
        writeln!(output, "{}", json!({ "calls": calls, "next": next }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for call in &calls {
        writeln!(output, "{}", line(call))?;
    }
    if let Some(next) = next {
        eprintln!("There may be more: add --after {next}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A call on one line: what a person looks for first.
fn line(call: &Map<String, Value>) -> String {
    let value = |name: &str| match call.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.escape_debug().to_string(),
        Some(other) => other.to_string(),
    };
    format!(
        "{} {} {} {} {} {} consumer={} purpose={} since={} count={} request={}",
        value("instant"),
        value("eservice"),
        value("method"),
        value("path"),
        value("status"),
        value("outcome"),
        value("consumer_id"),
        value("purpose_id"),
        value("since"),
        value("count"),
        value("request_id"),
    )
}

fn run_export(args: &Export, globals: &Globals) -> Result<ExitCode, CliError> {
    let (store, filter) = args.filter.open(globals)?;
    // Before the entries: what a checkpoint speaks of must be in the export.
    if let Some(path) = &args.checkpoints {
        let notes = store.read(|connection| period::checkpoints(connection, &filter))?;
        let text: String = notes.iter().flat_map(|note| [note.as_str(), "\n"]).collect();
        std::fs::write(path, text)?;
    }
    let written = match &args.output {
        Some(path) => export(&store, &filter, args.format, BufWriter::new(File::create(path)?)),
        None => export(&store, &filter, args.format, BufWriter::new(std::io::stdout().lock())),
    };
    let mut exported = Action::new(&operator(), Kind::CallsExported);
    if let Some(name) = &filter.eservice {
        exported.eservice = store.find_eservice(name)?;
    }
    let exported = match &written {
        Ok(count) => exported.counting(*count),
        Err(_) => exported.with(Outcome::Failed),
    };
    action::record(&store, &Clock::System, [exported])?;
    eprintln!("{} calls", written?);
    Ok(ExitCode::SUCCESS)
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => error.into(),
            ExportError::Output(error) => error.into(),
        }
    }
}
