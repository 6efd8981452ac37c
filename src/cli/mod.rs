//! The command line: one file per command, which reads its arguments, asks one room, and prints.
//!
//! What a command prints is for people; under `--json` it is for programs. Exit codes: 0 done, 1 not done, 2 the
//! command or the configuration cannot be understood.

mod voucher;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, ConfigError, EService};

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
#[derive(Debug, clap::Args)]
pub(crate) struct Globals {
    /// Configuration file; waas-comuni.toml if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Voucher(voucher::Args),
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The arguments contradict the configuration or each other.
    #[error("{0}")]
    Usage(String),
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
            Self::Config(_) | Self::Usage(_) => 2,
            Self::Failed(_) | Self::Output(_) => 1,
        })
    }
}

impl Globals {
    /// The configuration with the environment laid over it.
    pub(crate) fn config(&self) -> Result<Config, CliError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(config::load(self.config.as_deref(), environment)?)
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

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Voucher(args) => voucher::run(args, &cli.globals),
    };
    done.unwrap_or_else(|error| {
        eprintln!("waas-comuni: {error}");
        error.exit_code()
    })
}
