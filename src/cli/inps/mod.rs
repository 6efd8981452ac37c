//! `inps`: plays INPS against one service or several, and tells what it found.

mod targets;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget};
use regex::Regex;
use serde::Serialize;

use self::targets::{Reports, Target, TargetReport};
use super::CliError;
use crate::clock::Clock;
use crate::inps::{
    self, BELFIORE, Base, Credentials, Esiti, InpsError, Options, PageSize, Report, Share, Watcher, cursor,
};

/// Play INPS against any service that speaks the contract: pull to the end, judge every flow, send outcomes.
///
/// Verifies what a client can see: answers, pages, the rules of the cursor, documents against schema and rules,
/// refusals. It makes about ten calls besides those of the pull and of the outcomes, and they count against the
/// service's daily thresholds. docs/collaudo.md tells in Italian how to make the acceptance test with it, and what the
/// JSON report says. Exit code 0: all of it holds; 1: something does not, or a service cannot be reached; 2: the command
/// cannot be understood.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni inps --url https://waas.comune.example.it/waas/v1 --token-file voucher.txt
  waas-comuni inps --url http://127.0.0.1:8080/waas/v1 --issuer-key keys/local/private.pem \\
      --issuer-config keys/local/issuer.toml --since 1767225600000 --esiti none --json
  waas-comuni inps --url https://collaudo.comune.example.it/waas/v1 --token-file voucher.txt \\
      --esiti refuse=10%:ERRORE_GENERICO --rehearse --cursor-file cursor
  waas-comuni inps --targets servizi.toml --json

A file of targets has for each e-service, and paths are relative to where the command runs:
  [[target]]
  name = \"produzione\"
  url = \"https://waas.comune.example.it/waas/v1\"
  token_file = \"voucher.txt\"            # or issuer_key and issuer_config
  cursor_file = \"produzione.cursor\"     # or since; also ca, codice_ente_pattern")]
pub(crate) struct Args {
    /// The service's base: what comes before /status, /flussi and /esiti.
    #[arg(long, value_name = "BASE", required_unless_present = "targets")]
    url: Option<Base>,
    /// TOML file that names several e-services, each with its address and credentials; see below.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "ca", "token_file", "issuer_key", "cursor_file", "since"])]
    targets: Option<PathBuf>,
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
    #[arg(long, value_name = "MS", conflicts_with = "cursor_file")]
    since: Option<u64>,
    /// Begin at the cursor in this file (0 where it is missing), and write it there after each page whose flows were
    /// acquired and whose outcomes were sent.
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// Flows to ask for in one page, 1 to 100.
    #[arg(long, value_name = "N", default_value = "100")]
    limit: PageSize,
    /// Outcomes to send: `ok` for every flow pulled; `refuse=10%` for a refusal of that share and `ok` for the others,
    /// `refuse=10%:ERRORE_GENERICO,DATI_NON_TROVATI` to say which refusals; `none`; or those in a file (JSON lines, or a
    /// document as INPS sends it), as they are.
    #[arg(long, value_name = "ok|refuse=N%|none|FILE", default_value = "ok")]
    esiti: String,
    /// Chooses which flows are refused: the same seed refuses the same flows.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Do what INPS does now and then, too: outcomes in another order, a refusal that is taken back, an outcome of a flow
    /// that was never published. Not against a service in production.
    #[arg(long)]
    rehearse: bool,
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

pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let Some(path) = &args.targets else {
        let report = play(&args.options()?)?;
        print(args.json, &report)?;
        return Ok(code(report.passed));
    };
    let targets = targets::load(path).map_err(CliError::Usage)?;
    let reports = targets.into_iter().map(|target| {
        let report = args.options_for(&target)?.and_then(|options| play(&options));
        Ok(TargetReport::new(target.name, report))
    });
    let reports = Reports::of(reports.collect::<Result<_, CliError>>()?);
    print(args.json, &reports)?;
    Ok(code(reports.passed))
}

fn play(options: &Options) -> Result<Report, InpsError> {
    let mut bar = Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
    if !std::io::stderr().is_terminal() {
        bar.0.set_draw_target(ProgressDrawTarget::hidden());
    }
    let report = inps::run(options, &Clock::System, &mut bar);
    bar.0.finish_and_clear();
    report
}

fn print(json: bool, report: &(impl Display + Serialize)) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    if json {
        let report = serde_json::to_string_pretty(report).map_err(std::io::Error::from)?;
        writeln!(out, "{report}")?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(())
}

fn code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Args {
    /// What is asked of the one service.
    fn options(&self) -> Result<Options, CliError> {
        let url =
            self.url.clone().ok_or_else(|| CliError::Usage("say which service with --url".to_owned()))?;
        let credentials = credentials(
            self.token_file.as_deref(),
            self.issuer_key.as_deref(),
            self.issuer_config.as_deref(),
        )?;
        Ok(Options {
            url,
            ca: self.ca.clone(),
            credentials,
            since: since(self.since, self.cursor_file.as_deref())?,
            limit: self.limit,
            cursor_file: self.cursor_file.clone(),
            esiti: self.esiti()?,
            rehearse: self.rehearse,
            patience: Duration::from_secs(self.patience),
            codice_ente: self.codice_ente_pattern.clone(),
        })
    }

    /// What is asked of one of several; the inner error is the service's own.
    fn options_for(&self, target: &Target) -> Result<Result<Options, InpsError>, CliError> {
        let url = target.base().map_err(CliError::Usage)?;
        let pattern = target.pattern().map_err(CliError::Usage)?;
        let esiti = self.esiti()?;
        let credentials = credentials(
            target.token_file.as_deref(),
            target.issuer_key.as_deref(),
            target.issuer_config.as_deref(),
        );
        Ok(credentials.and_then(|credentials| {
            Ok(Options {
                url,
                ca: target.ca.clone(),
                credentials,
                since: since(target.since, target.cursor_file.as_deref())?,
                limit: self.limit,
                cursor_file: target.cursor_file.clone(),
                esiti,
                rehearse: self.rehearse,
                patience: Duration::from_secs(self.patience),
                codice_ente: pattern.unwrap_or_else(|| self.codice_ente_pattern.clone()),
            })
        }))
    }

    fn esiti(&self) -> Result<Esiti, CliError> {
        let esiti = match self.esiti.as_str() {
            "ok" => Esiti::Ok,
            "none" => Esiti::None,
            other => match other.strip_prefix("refuse=") {
                Some(share) => {
                    let share: Share = share.parse().map_err(CliError::Usage)?;
                    Esiti::Refuse(share.with_seed(self.seed))
                }
                None => Esiti::from_file(Path::new(other))?,
            },
        };
        match esiti {
            Esiti::None | Esiti::These(_) if self.rehearse => Err(CliError::Usage(
                "--rehearse needs outcomes to rehearse with: --esiti ok or refuse".to_owned(),
            )),
            esiti => Ok(esiti),
        }
    }
}

fn credentials(
    token: Option<&Path>,
    key: Option<&Path>,
    profile: Option<&Path>,
) -> Result<Credentials, InpsError> {
    match (token, key, profile) {
        (Some(token), _, _) => Credentials::from_token_file(token),
        (None, Some(key), Some(profile)) => Credentials::from_issuer(key, profile),
        _ => Ok(Credentials::None),
    }
}

fn since(since: Option<u64>, cursor_file: Option<&Path>) -> Result<u64, InpsError> {
    match cursor_file {
        Some(path) => cursor::load(path),
        None => Ok(since.unwrap_or(0)),
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
