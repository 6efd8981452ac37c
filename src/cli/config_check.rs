//! `config`: its subcommands, and `config check`: what is wrong with a configuration, and what is risky.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::config_init::Init;
use super::{CliError, Globals};
use crate::config::check::{Finding, Severity};

/// Make a configuration, and look after it.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<Init>),
    Check(Check),
}

/// Say everything that is wrong with the configuration, and everything that is risky.
///
/// Exit code 0: it can be served; 1: it is risky, under --strict; 2: it is wrong, and `serve` refuses to start.
#[derive(Debug, Parser)]
struct Check {
    /// Count what is risky as a failure.
    #[arg(long)]
    strict: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Init(init) => init.run(),
        Command::Check(args) => check(&args, globals),
    }
}

fn check(args: &Check, globals: &Globals) -> Result<ExitCode, CliError> {
    let findings = crate::config::check::check(&globals.config()?);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&findings).unwrap_or_default())?;
    } else if findings.is_empty() {
        writeln!(out, "nothing is wrong with the configuration")?;
    } else {
        writeln!(out, "{}", lines(&findings))?;
    }
    Ok(if findings.iter().any(|finding| finding.severity == Severity::Wrong) {
        ExitCode::from(2)
    } else if args.strict && !findings.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The findings, one after the other.
pub(super) fn lines(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Wrong => "wrong",
            Severity::Risky => "risky",
        };
        format!("{severity}: {}: {}; {}", finding.subject(), finding.message, finding.remedy)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
