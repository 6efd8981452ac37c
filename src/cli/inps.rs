//! `inps`: plays INPS against a service, and tells what it found.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget};
use regex::Regex;

use super::CliError;
use crate::clock::Clock;
use crate::inps::{self, BELFIORE, Base, Credentials, Esiti, InpsError, Options, PageSize, Watcher};

/// Play INPS against any service that speaks the contract: pull to the end, judge every flow, send outcomes.
///
/// Verifies what a client can see: answers, pages, the rules of the cursor, documents against schema and rules,
/// refusals. It makes about ten calls besides those of the pull and of the outcomes, and they count against the
/// service's daily thresholds. Exit code 0: all of it holds; 1: something does not, or the service cannot be reached;
/// 2: the command cannot be understood.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni inps --url https://waas.comune.example.it/waas/v1 --token-file voucher.txt
  waas-comuni inps --url http://127.0.0.1:8080/waas/v1 --issuer-key keys/local/private.pem \\
      --issuer-config keys/local/issuer.toml --since 1767225600000 --esiti none --json")]
pub(crate) struct Args {
    /// The service's base: what comes before /status, /flussi and /esiti.
    #[arg(long, value_name = "BASE")]
    url: Base,
    /// Trust the certificate authorities in this PEM file instead of the machine's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The voucher that the calls carry. Without it and without an issuer they carry none.
    #[arg(long, value_name = "FILE", conflicts_with = "issuer_key")]
    token_file: Option<PathBuf>,
    /// Private key of a local issuer, which mints the vouchers (see `voucher keygen`).
    #[arg(long, value_name = "FILE", requires = "issuer_config")]
    issuer_key: Option<PathBuf>,
    /// Profile of that issuer.
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    issuer_config: Option<PathBuf>,
    /// The first cursor, in milliseconds since the epoch; 0 asks for all flows.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    since: u64,
    /// Flows to ask for in one page, 1 to 100.
    #[arg(long, value_name = "N", default_value = "100")]
    limit: PageSize,
    /// Outcomes to send: `ok` for every flow pulled, `none`, or those in a file (JSON lines, or a document as
    /// INPS sends it), as they are.
    #[arg(long, value_name = "ok|none|FILE", default_value = "ok")]
    esiti: String,
    /// How long one call may be put off with 429 or 503 before giving up.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,
    /// The form of an ente's code, where it is not a Belfiore code.
    #[arg(long, value_name = "REGEX", default_value = BELFIORE)]
    codice_ente_pattern: Regex,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<ExitCode, CliError> {
    let json = args.json;
    let options = args.options()?;
    let mut bar = Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
    if !std::io::stderr().is_terminal() {
        bar.0.set_draw_target(ProgressDrawTarget::hidden());
    }
    let report = inps::run(&options, &Clock::System, &mut bar);
    bar.0.finish_and_clear();
    let report = report?;
    let mut out = std::io::stdout().lock();
    if json {
        let report = serde_json::to_string_pretty(&report).map_err(std::io::Error::from)?;
        writeln!(out, "{report}")?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    fn options(self) -> Result<Options, InpsError> {
        let credentials = match (&self.token_file, &self.issuer_key, &self.issuer_config) {
            (Some(token), _, _) => Credentials::from_token_file(token)?,
            (None, Some(key), Some(profile)) => Credentials::from_issuer(key, profile)?,
            _ => Credentials::None,
        };
        let esiti = match self.esiti.as_str() {
            "ok" => Esiti::Ok,
            "none" => Esiti::None,
            path => Esiti::from_file(Path::new(path))?,
        };
        Ok(Options {
            url: self.url,
            ca: self.ca,
            credentials,
            since: self.since,
            limit: self.limit,
            esiti,
            patience: Duration::from_secs(self.patience),
            codice_ente: self.codice_ente_pattern,
        })
    }
}

impl From<InpsError> for CliError {
    fn from(error: InpsError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Shows how far a pull is.
struct Bar(ProgressBar);

impl Watcher for Bar {
    fn pulled(&mut self, flows: u64, pages: u64) {
        self.0.set_message(format!("{} flows in {} pages", HumanCount(flows), HumanCount(pages)));
        self.0.tick();
    }

    fn wait(&mut self, time: Duration) {
        self.0.println(format!("The service asks to come again in {} s.", time.as_secs()));
        std::thread::sleep(time);
    }
}
