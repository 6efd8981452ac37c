//! `codes`: the official tables that the rules look into, loaded without a new release.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::civil::Date;

use super::{CliError, Globals};
use crate::clock::Clock;
use crate::codes::{self, CodesError, Kind, Loaded};

/// Load the official tables that the rules look into: benefits, municipalities.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni codes load comuni ANPR_archivio_comuni.csv --source \"ANPR\" --date 2025-10-01
  waas-comuni codes load nomenclatore nomenclatore.csv --source \"INPS\" --date 2025-10-01
  waas-comuni codes list")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Load(Load),
    List(List),
}

/// Put a table in the place of the one in force, for every import that begins afterwards.
///
/// The table is a CSV in UTF-8 with a header. `nomenclatore`: codice, denominazione, trasmissione (si, no,
/// solo-presa-in-carico, incerta); what the shipped one never sends stays refused unless the table says otherwise.
/// `comuni`: the columns of ANPR's archive, ceased municipalities included. A table that cannot be read to its end
/// changes nothing.
#[derive(Debug, Parser)]
struct Load {
    /// Which table it is.
    #[arg(value_enum)]
    table: Kind,
    /// The CSV.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who published it.
    #[arg(long)]
    source: String,
    /// The day on which it was current.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Date,
}

/// Show the tables in force, with their dates and sources.
#[derive(Debug, Parser)]
struct List {
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

impl From<CodesError> for CliError {
    fn from(error: CodesError) -> Self {
        match error {
            CodesError::Config(_) => Self::Usage(error.to_string()),
            CodesError::Table(_) | CodesError::Store(_) => Self::Failed(error.to_string()),
        }
    }
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let store = super::prepared(&globals.config()?)?;
    let mut out = std::io::stdout().lock();
    match &args.command {
        Command::Load(load) => {
            let content = read_table(&load.file)?;
            let source = load.source.clone();
            let codes = codes::load(&store, &Clock::System, load.table, content, load.date, source)?;
            writeln!(out, "{}: {codes} codes, of {}", load.table.as_str(), load.date)?;
        }
        Command::List(list) => {
            let tables = codes::list(&store)?;
            if list.json {
                writeln!(out, "{}", serde_json::to_string(&tables).unwrap_or_default())?;
            } else {
                for table in &tables {
                    writeln!(out, "{}", line(table))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(table: &Loaded) -> String {
    let date = table.date.as_deref().map_or_else(|| "shipped".to_owned(), |date| format!("of {date}"));
    format!("{}: {} codes, {date}, source: {}", table.table.as_str(), table.codes, table.source)
}

/// The text of a table.
pub(super) fn read_table(path: &std::path::Path) -> Result<String, CliError> {
    std::fs::read_to_string(path)
        .map_err(|error| CliError::Usage(format!("cannot read {} as UTF-8: {error}", path.display())))
}
