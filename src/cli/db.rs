//! `db`: the database as a whole.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::operator::operator;
use super::{CliError, Globals};
use crate::call_log::Action;
use crate::call_log::action::{self, Kind};
use crate::clock::Clock;
use crate::config::Config;
use crate::registry::{gap, unknown};
use crate::store::{Moved, SchemaState, Store, StoreError};
use crate::upkeep::{self, Contents, Engine, EserviceContents, Known, Manifest, UpkeepError};

/// Outcomes about unknown flows that are listed at most.
const MOST_UNKNOWN: u32 = 1000;

/// Look at the database, change its tables, make a backup of it, bring one back.
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
    Backup(Backup),
    Restore(Restore),
}

/// Bring the tables up to date, or to a version.
///
/// `serve` and `import` bring them up to date by themselves, and so does what may come before them: the first user, key
/// or official table. Going back is for returning to an older version of this program: stop the service first, and make
/// a backup.
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
    /// List the outcomes about flows that the registry does not hold, the latest first, up to a thousand.
    #[arg(long)]
    unknown: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Copy the database to a file, while the service runs.
///
/// The copy is of one instant, is examined before it takes its name, and can be read by its owner alone: it holds
/// personal data. FILE.json beside it says what it holds; keep the two together. For PostgreSQL the program
/// `pg_dump` does the work.
#[derive(Debug, Parser)]
#[command(after_long_help = "Example:
  waas-comuni db backup --to /backup/waas-$(date +%F).db")]
struct Backup {
    /// The file to make; there must be none of that name.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Print one JSON object: the manifest.
    #[arg(long)]
    json: bool,
}

/// Bring a backup back into an empty database, and let the feeds go on above what INPS has pulled.
///
/// Stop the service first. Without FROM: the database was brought back by other means (a snapshot of the machine,
/// PostgreSQL's own recovery); it is examined and its feeds are raised. What was published after the backup is not in
/// it, although INPS may have pulled it: docs/backup.md tells what to do.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni db restore /backup/waas-2026-03-01.db
  waas-comuni db restore /backup/waas-2026-03-01.db --replace --calls calls-since-then.jsonl
  waas-comuni db restore --above 2026-03-02T10:15:30.123Z")]
struct Restore {
    /// The backup; its manifest is beside it.
    from: Option<PathBuf>,
    /// Move aside a SQLite database that is not empty.
    #[arg(long, requires = "from")]
    replace: bool,
    /// A `ts_flusso` that INPS has: the feeds go on above it.
    #[arg(long, value_name = "INSTANT", value_parser = timestamp)]
    above: Option<i64>,
    /// An export of calls (jsonl) made after the backup: the feeds go on above what it shows to have been pulled.
    #[arg(long, value_name = "FILE")]
    calls: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// An instant, or milliseconds since the epoch.
fn timestamp(text: &str) -> Result<i64, String> {
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).or_else(|_| text.parse()).map_err(|_| {
        format!("{text:?} is neither an instant such as 2026-03-01T10:00:00.000Z nor milliseconds")
    })
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    match &args.command {
        Command::Migrate(args) => migrate(args, &config),
        Command::Status(args) => status(args, &config),
        Command::Backup(args) => backup(args, &config),
        Command::Restore(args) => restore(args, &config),
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
    let (engine, contents, gaps, unknown) = store.snapshot(|connection| {
        let contents = if state.applied.is_empty() { None } else { Some(Contents::count(connection)?) };
        let gaps = if state.pending.is_empty() { gap::gaps(connection)? } else { Vec::new() };
        let wanted = args.unknown && contents.is_some();
        let unknown = if wanted { unknown::unknown(connection, MOST_UNKNOWN)? } else { Vec::new() };
        Ok::<_, StoreError>((Engine::measure(connection)?, contents, gaps, unknown))
    })?;
    if args.json {
        let SchemaState { applied, pending } = state;
        let schema = json!({ "applied": applied, "pending": pending });
        let gaps: Vec<_> =
            gaps.iter().map(|(eservice, gap)| json!({ "eservice": eservice, "gap": gap })).collect();
        let mut said = json!({ "database": engine, "schema": schema, "contents": contents, "gaps": gaps });
        if args.unknown
            && let Some(members) = said.as_object_mut()
        {
            members.insert("unknown".to_owned(), json!(unknown));
        }
        say!("{said}");
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
    for esito in &unknown {
        say!(
            "unknown   {} {} {:.3} {} {:.0} {}",
            esito.eservice,
            esito.id_flusso.escape_debug(),
            esito.ts_flusso,
            esito.codice_esito,
            esito.received,
            esito.descrizione.as_deref().unwrap_or_default().escape_debug(),
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn backup(args: &Backup, config: &Config) -> Result<ExitCode, CliError> {
    let store = existing(config)?;
    let manifest = upkeep::backup(&config.database, &args.to, &Clock::System)?;
    // A backup may be made to be safe before the tables are brought up to date.
    if store.schema_state()?.pending.is_empty() {
        log(&store, Kind::BackupMade)?;
    }
    if args.json {
        say!("{}", serde_json::to_string(&manifest).map_err(std::io::Error::from)?);
    } else {
        say!("{}: {}", args.to.display(), described(&manifest));
        say!("{}: what it holds, and its digest", Manifest::path(&args.to).display());
    }
    Ok(ExitCode::SUCCESS)
}

fn restore(args: &Restore, config: &Config) -> Result<ExitCode, CliError> {
    let mut known = Known { everywhere: args.above, ..Known::default() };
    for path in &args.calls {
        let failed = |error| CliError::Usage(format!("{}: {error}", path.display()));
        known.add_calls(BufReader::new(File::open(path).map_err(failed)?)).map_err(failed)?;
    }
    let configured: Vec<&str> = config.eservice.iter().map(|eservice| eservice.name.as_str()).collect();
    let clock = Clock::System;
    let restored = match &args.from {
        Some(from) => {
            Some(upkeep::restore(&config.database, from, args.replace, &configured, &known, &clock)?)
        }
        None => None,
    };
    let feeds = match &restored {
        Some(restored) => restored.feeds.clone(),
        None => upkeep::resume_in_place(&existing(config)?, &configured, &known, &clock)?,
    };
    log(&existing(config)?, Kind::DatabaseRestored)?;
    if args.json {
        say!(
            "{}",
            json!({
                "manifest": restored.as_ref().map(|restored| &restored.manifest),
                "applied": restored.as_ref().map(|restored| &restored.applied),
                "moved_aside": restored.as_ref().and_then(|restored| restored.moved_aside.as_ref()),
                "feeds": feeds,
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(restored) = &restored {
        say!("restored {}", described(&restored.manifest));
        if !restored.applied.is_empty() {
            say!("run      {}", restored.applied.join(" "));
        }
        if let Some(path) = &restored.moved_aside {
            say!(
                "aside    {}: what was there before; remove it when nothing in it is needed",
                path.display()
            );
        }
    }
    for feed in &feeds {
        if let Some(gap) = &feed.gap {
            say!("feed     {} goes on above {}", feed.eservice, instant(gap.until_ts));
        }
    }
    if let Some(restored) = &restored {
        say!("What was imported, registered or withdrawn after {:.0} is missing.", restored.manifest.made);
        say!("Import the same files again; docs/backup.md tells what INPS makes of it.");
    }
    if let Some(path) = config.call_log.checkpoint_file.as_ref().filter(|path| path.exists()) {
        say!(
            "Put {} aside, and keep it: it speaks of calls that this database does not hold, and no checkpoint is made \
             beside it.",
            path.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Leaves a trace in the log of calls.
fn log(store: &Store, kind: Kind) -> Result<(), CliError> {
    Ok(action::record(store, &Clock::System, [Action::new(&operator(), kind)])?)
}

fn described(manifest: &Manifest) -> String {
    let of =
        |figure: fn(&EserviceContents) -> i64| manifest.contents.eservices.iter().map(figure).sum::<i64>();
    format!(
        "{} backup of {:.0}, {} KiB, {} e-services, {} benefits, {} flows, {} outcomes, {} calls",
        manifest.engine,
        manifest.made,
        manifest.bytes / 1024,
        manifest.contents.eservices.len(),
        of(|one| one.benefits),
        of(|one| one.flows),
        of(|one| one.outcomes),
        of(|one| one.calls) + manifest.contents.other_calls,
    )
}

impl From<UpkeepError> for CliError {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Store(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The database, which is not made where it is missing.
fn existing(config: &Config) -> Result<Store, CliError> {
    super::require_database(config)?;
    Ok(Store::open(&config.database)?)
}

fn list(versions: &[String]) -> String {
    if versions.is_empty() { "none".to_owned() } else { versions.join(" ") }
}

/// A timestamp of the feed, exactly.
fn instant(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or_default())
}
