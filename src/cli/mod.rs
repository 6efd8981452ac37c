//! The command line: one file per command, which reads its arguments, asks one room, and prints.
//!
//! What a command prints is for people; under `--json` it is for programs. Exit codes: 0 done, 1 not done, 2 the
//! command or the configuration cannot be understood, 4 a newer version of this program has changed the tables.

/// Prints a line. Whoever closed the pipe wants no more of it, which is no reason to stop the work.
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($line)*);
    }};
}

mod apikey;
mod benefits;
mod calls;
mod codes;
mod config_check;
mod config_init;
mod db;
mod demo;
mod doctor;
mod expire;
mod import;
mod inps;
mod openapi;
mod operator;
mod person;
mod prune;
mod seal;
mod serve;
mod tracing;
mod user;
mod voucher;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::config::check::Finding;
use crate::config::{self, Config, ConfigError, EService};
use crate::store::{Store, StoreError};
use crate::telemetry::{self, LogFormat};

/// The e-service WaaS.Comuni of an Italian municipality: its social benefits, pulled by INPS over PDND.
#[derive(Debug, Parser)]
#[command(name = "waas-comuni", version)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command accepts.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Globals {
    /// Configuration: a file, or a folder whose *.toml are read together; waas-comuni.toml if it is there.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Form of the logs, which go to standard error.
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORM")]
    log: LogFormat,
    /// Log more; twice, everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Import(import::Args),
    Check(import::CheckArgs),
    Codes(codes::Args),
    Calls(calls::Args),
    Tracing(tracing::Args),
    Benefits(benefits::Args),
    Apikey(apikey::Args),
    User(user::Args),
    Inps(inps::Args),
    Voucher(voucher::Args),
    Openapi(openapi::Args),
    Doctor(doctor::Args),
    Config(config_check::Args),
    Db(db::Args),
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The configuration has findings that forbid a start.
    #[error("the configuration is wrong:\n{}", config_check::lines(.0))]
    WrongConfig(Vec<Finding>),
    /// The arguments contradict the configuration or each other.
    #[error("{0}")]
    Usage(String),
    /// The tables are those of a newer version of this program.
    #[error("{0}")]
    NewerSchema(String),
    /// The work itself failed.
    #[error("{0}")]
    Failed(String),
    /// The output cannot be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::WrongConfig(_) | Self::Usage(_) => 2,
            Self::NewerSchema(_) => 4,
            Self::Failed(_) | Self::Output(_) => 1,
        })
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NewerSchema { .. } => Self::NewerSchema(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl Globals {
    /// The configuration with the environment laid over it.
    pub(crate) fn config(&self) -> Result<Config, CliError> {
        Ok(self.read_config()?)
    }

    /// The same, for whom it matters why there is none.
    fn read_config(&self) -> Result<Config, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        config::load(self.config.as_deref(), environment)
    }
}

/// The e-service of that name; without a name, the only one.
pub(crate) fn select<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a EService, CliError> {
    let known =
        || config.eservice.iter().map(|eservice| eservice.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.eservice.as_slice()) {
        (None, [only]) => Ok(only),
        (None, []) => Err(CliError::Usage("the configuration has no e-service".to_owned())),
        (None, _) => Err(CliError::Usage(format!("say which e-service with --eservice: {}", known()))),
        (Some(name), all) => all.iter().find(|eservice| eservice.name == name).ok_or_else(|| {
            CliError::Usage(format!("the configuration has no e-service {name:?}, only: {}", known()))
        }),
    }
}

/// How many times `database.timeout_seconds` a command waits for one transaction.
const PATIENCE: u32 = 6;

/// The database, for a command of one thread: if it falls silent in the middle, the process ends with exit code 1.
pub(crate) fn open(config: &Config) -> Result<Store, CliError> {
    let store = Store::open(&config.database)?;
    let watched = store.clone();
    let patience = store.timeout().saturating_mul(PATIENCE);
    #[expect(clippy::disallowed_methods, reason = "the thread that would return the code waits for ever")]
    let watch = move || {
        while watched.waiting_for().is_none_or(|waiting| waiting < patience) {
            thread::sleep(Duration::from_millis(250));
        }
        eprintln!(
            "waas-comuni: the database has not answered for {} seconds. What was reported as done is done; the last \
             step may have been done or not: repeat the command when the database answers",
            patience.as_secs()
        );
        std::process::exit(1);
    };
    thread::Builder::new().name("watch".to_owned()).spawn(watch)?;
    Ok(store)
}

/// The database, made and brought up to date where it is not yet: for commands that may come before the service.
pub(crate) fn prepared(config: &Config) -> Result<Store, CliError> {
    let store = open(config)?;
    store.migrate()?;
    Ok(store)
}

/// The database, if it is there and its tables are those of this version: for commands that work on what others left.
pub(crate) fn ready(config: &Config) -> Result<Store, CliError> {
    require_database(config)?;
    let store = open(config)?;
    if store.schema_state()?.pending.is_empty() {
        return Ok(store);
    }
    let message = "the database is not ready for this version: start the service, or `db migrate`";
    Err(CliError::Failed(message.to_owned()))
}

/// Refuses to go on where the database would have to be made: a command that looks for what others left would say that
/// there is nothing, and leave an empty file behind.
pub(crate) fn require_database(config: &Config) -> Result<(), CliError> {
    match config.database.sqlite_file().filter(|file| !file.exists()) {
        None => Ok(()),
        Some(missing) => Err(CliError::Failed(format!(
            "there is no database {}: name the configuration with --config, or run the command in the folder where the \
             service runs",
            missing.display()
        ))),
    }
}

/// What serves many calls at once.
fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Failed(format!("cannot start: {error}")))
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The demonstration tells its own story, which logs would interrupt.
    let quiet = matches!(cli.command, Command::Demo(_));
    telemetry::start(cli.globals.log, cli.globals.verbose, quiet);
    let done = match cli.command {
        Command::Demo(args) => demo::run(&args, &cli.globals),
        Command::Serve(args) => serve::run(&args, &cli.globals),
        Command::Import(args) => import::run(&args, &cli.globals),
        Command::Check(args) => import::check(&args),
        Command::Codes(args) => codes::run(&args, &cli.globals),
        Command::Benefits(args) => benefits::run(&args, &cli.globals),
        Command::Apikey(args) => apikey::run(&args, &cli.globals),
        Command::User(args) => user::run(&args, &cli.globals),
        Command::Calls(args) => calls::run(&args, &cli.globals),
        Command::Tracing(args) => tracing::run(&args, &cli.globals),
        Command::Inps(args) => inps::run(&args),
        Command::Voucher(args) => voucher::run(args, &cli.globals),
        Command::Doctor(args) => doctor::run(&args, &cli.globals),
        Command::Openapi(args) => openapi::run(&args, &cli.globals),
        Command::Config(args) => config_check::run(args, &cli.globals),
        Command::Db(args) => db::run(&args, &cli.globals),
    };
    done.unwrap_or_else(|error| match error {
        CliError::Output(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        error => {
            eprintln!("waas-comuni: {error}");
            error.exit_code()
        }
    })
}
