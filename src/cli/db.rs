//! `db`: the database as a whole.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::{CliError, Globals};
use crate::config::Config;
use crate::registry::gap;
use crate::store::{Moved, SchemaState, Store, StoreError};
use crate::upkeep::{Contents, Engine};

/// Look at the database, change its tables.
///
/// Exit code 4: a newer version of this program has changed the tables.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Migrate(Migrate),
    Status(Status),
}

/// Bring the tables up to date, or to a version.
///
/// `serve` and `import` bring them up to date by themselves. Going back is for returning to an older version of this
/// program: stop the service first, and make a backup.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni db migrate
  waas-comuni db migrate --to 0005
  waas-comuni db migrate --to 0004 --accept-loss")]
struct Migrate {
    /// The last migration that shall be in force; those beyond it are undone. 0000: none, an empty database.
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Go back although it loses data. Without it, what would be lost is said, and nothing is done.
    #[arg(long, requires = "to")]
    accept_loss: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Show the state of the tables, and how much they hold.
#[derive(Debug, Parser)]
struct Status {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    match &args.command {
        Command::Migrate(args) => migrate(args, &config),
        Command::Status(args) => status(args, &config),
    }
}

fn migrate(args: &Migrate, config: &Config) -> Result<ExitCode, CliError> {
    let store = Store::open(&config.database)?;
    let moved = match &args.to {
        None => store.migrate().map(|applied| Moved { applied, ..Moved::default() }),
        Some(version) => store.migrate_to(version, args.accept_loss),
    }
    .map_err(|error| match error {
        StoreError::UnknownMigration { .. } => CliError::Usage(error.to_string()),
        StoreError::Loss(_) => CliError::Failed(format!(
            "{error}\nNothing was done. Make a backup with `db backup`, then say --accept-loss."
        )),
        error => error.into(),
    })?;
    if args.json {
        say!("{}", json!({ "applied": moved.applied, "reverted": moved.reverted }));
        return Ok(ExitCode::SUCCESS);
    }
    for version in &moved.reverted {
        say!("undone  {version}");
    }
    for version in &moved.applied {
        say!("run     {version}");
    }
    if moved == Moved::default() {
        say!("nothing to do");
    }
    Ok(ExitCode::SUCCESS)
}

fn status(args: &Status, config: &Config) -> Result<ExitCode, CliError> {
    let store = existing(config)?;
    let state = store.schema_state()?;
    let (engine, contents, gaps) = store.snapshot(|connection| {
        let contents = if state.applied.is_empty() { None } else { Some(Contents::count(connection)?) };
        let gaps = if state.pending.is_empty() { gap::gaps(connection)? } else { Vec::new() };
        Ok((Engine::measure(connection)?, contents, gaps))
    })?;
    if args.json {
        let SchemaState { applied, pending } = state;
        let schema = json!({ "applied": applied, "pending": pending });
        let gaps: Vec<_> =
            gaps.iter().map(|(eservice, gap)| json!({ "eservice": eservice, "gap": gap })).collect();
        say!("{}", json!({ "database": engine, "schema": schema, "contents": contents, "gaps": gaps }));
        return Ok(ExitCode::SUCCESS);
    }
    say!("database  {} {}, {} KiB", engine.name, engine.version, engine.bytes / 1024);
    say!("schema    run: {}; missing: {}", list(&state.applied), list(&state.pending));
    let Some(contents) = contents else { return Ok(ExitCode::SUCCESS) };
    for one in &contents.eservices {
        say!("e-service {}", one.name);
        say!("  sequencer  {}", if one.last_ts == 0 { "-".to_owned() } else { instant(one.last_ts) });
        say!("  flows      {}", one.flows);
        say!("  benefits   {}", one.benefits);
        say!("  outcomes   {}, of unknown flows: {}", one.outcomes, one.outcomes_of_unknown_flows);
        say!("  calls      {}", one.calls);
        for (_, gap) in gaps.iter().filter(|(name, _)| *name == one.name) {
            say!(
                "  MISSING    what was published between {} and {}",
                instant(gap.after_ts),
                instant(gap.until_ts)
            );
        }
    }
    say!("calls outside any e-service: {}", contents.other_calls);
    Ok(ExitCode::SUCCESS)
}

/// The database, which is not made where it is missing.
fn existing(config: &Config) -> Result<Store, CliError> {
    match config.database.sqlite_file() {
        Some(file) if !file.exists() => {
            Err(CliError::Failed(format!("there is no database {}", file.display())))
        }
        _ => Ok(Store::open(&config.database)?),
    }
}

fn list(versions: &[String]) -> String {
    if versions.is_empty() { "none".to_owned() } else { versions.join(" ") }
}

/// A timestamp of the feed, exactly.
fn instant(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or_default())
}
