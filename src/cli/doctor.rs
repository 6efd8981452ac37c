//! `doctor`: whether a deployment is well, and what to mend.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use super::{CliError, Globals};
use crate::clock::Clock;
use crate::doctor::{self, Finding, Severity};

/// Examine a deployment from inside: configuration, database, keys, clock, certificate, disk, what INPS has to pull.
///
/// Exit code 0: all is well, or there are warnings alone; 1: there are warnings, under --strict; 2: something does not
/// work, or will not for long.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Count warnings as a failure.
    #[arg(long)]
    strict: bool,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let findings = doctor::examine(&globals.config()?, &Clock::System, &super::runtime()?);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&findings).unwrap_or_default())?;
    } else {
        for Finding { severity, subject, meaning, remedy, .. } in &findings {
            let mark = match severity {
                Severity::Ok => "ok     ",
                Severity::Warning => "warning",
                Severity::Error => "ERROR  ",
            };
            writeln!(out, "{mark}  {subject}: {meaning}")?;
            if let Some(remedy) = remedy {
                writeln!(out, "         -> {remedy}")?;
            }
        }
    }
    Ok(match findings.iter().map(|finding| finding.severity).max() {
        Some(Severity::Error) => ExitCode::from(2),
        Some(Severity::Warning) if args.strict => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}
