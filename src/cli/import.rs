//! `import` and `check`: files in, flows or refusals out.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use indicatif::{ProgressBar, ProgressStyle};

use super::codes::read_table;
use super::operator::operator;
use super::{CliError, Globals};
use crate::call_log::action::{self, Action, Kind, Outcome};
use crate::catalogue;
use crate::clock::Clock;
use crate::codes;
use crate::config::{self, Config, EService};
use crate::import::{self, Destination, ImportError, Listeners, Summary};
use crate::intake::report::{Entry, Report};
use crate::intake::{Format, Mapping, MappingError, Options};
use crate::registry::{Forecast, RefusedInsertions, Registry};
use crate::siuss::notice::Severity;
use crate::siuss::rules::Rulebook;
use crate::siuss::tables::{Comuni, TableError};

/// Some records were refused; the rest was done.
const SOME_REFUSED: u8 = 3;

/// Publish the benefits in CSV, SIUSS XML or JSON Lines files.
///
/// A record that INPS would refuse is refused here, with line, field, value and what to do; it stops no other record.
/// Importing a file again publishes only what changed. Exit code 0: every record was taken; 3: some were refused, the
/// rest is published; 1: nothing could be done; 2: the command or the configuration cannot be understood.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni import mensa-2025.csv --ente H501 --report rifiuti.csv
  waas-comuni import casellario.xml --ente H501 --eservice produzione --dry-run")]
pub(crate) struct Args {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Code of the ente whose benefits they are.
    #[arg(long, value_name = "CODE")]
    ente: String,
    #[command(flatten)]
    source: Source,
    /// The e-service into whose feed they go; needed when several carry the ente.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// Judge the records, say what would be published, and publish nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Judge CSV, SIUSS XML or JSON Lines files as `import` would, without a database and without a configuration.
///
/// Exit code 0: every record is good; 3: some would be refused; 1: a file cannot be read. With --rules, only print the
/// rules: code, severity, what each asks, where it comes from.
#[derive(Debug, Parser)]
pub(crate) struct CheckArgs {
    /// The files.
    #[arg(required_unless_present = "rules", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Code of the ente whose benefits they are.
    #[arg(long, value_name = "CODE", required_unless_present = "rules", value_parser = NonEmptyStringValueParser::new())]
    ente: Option<String>,
    /// Print every rule, and judge nothing.
    #[arg(long, conflicts_with_all = ["files", "ente"])]
    rules: bool,
    /// Nomenclature of benefits to use instead of the shipped one, as `codes load` takes it.
    #[arg(long, value_name = "FILE")]
    nomenclatore: Option<PathBuf>,
    /// Archive of municipalities to look codes up in, as `codes load` takes it.
    #[arg(long, value_name = "FILE")]
    comuni: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

/// What is read, and what is told of it.
#[derive(Debug, clap::Args)]
struct Source {
    /// TOML file that says which field a column of another name contains.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Where to write refusals and warnings: a .json file, else CSV. Of several files, with the name of each.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Form of the files; told from name and content otherwise.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print the summary as JSON, and no refusals.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let (eservice, ente) = addressee(&config, args.eservice.as_deref(), &args.ente)?;
    let ente = ente.erogatore().map_err(|wrong| {
        CliError::Usage(format!("the configuration of the ente is wrong: {}", wrong.join(", ")))
    })?;
    // A dry run looks into the loaded tables too: it says what the import would.
    let store = super::prepared(&config)?;
    let rulebook = codes::rulebook(&config, &store)?;
    let mut summary = Summary::default();
    let mut import = |mut destination: Destination<'_>| {
        args.source.import(&args.files, &args.ente, &rulebook, &mut destination, &mut summary)
    };
    let id = store.register_eservice(&eservice.name)?;
    let refused = RefusedInsertions::of(eservice.cancel_refused);
    let registry = &Registry::new(store.clone(), Clock::System).with_refused(refused);
    if args.dry_run {
        let forecast = Forecast::default();
        return import(Destination::Forecast { registry, eservice: id, ente: &ente, forecast });
    }
    let actor = operator();
    action::record(&store, &Clock::System, [Action::new(&actor, Kind::ImportBegun).of(id)])?;
    let done = import(Destination::Feed { registry, eservice: id, ente: &ente });
    let outcome = if done.is_ok() { Outcome::Done } else { Outcome::Failed };
    let ended = Action::new(&actor, Kind::ImportEnded).of(id).with(outcome);
    let taken = summary.records.saturating_sub(summary.refused);
    let recorded = action::record(&store, &Clock::System, [ended.counting(taken)]);
    // What ended the import says more than that its end cannot be written down either.
    let code = done?;
    recorded?;
    Ok(code)
}

/// Why an import could not go on, and what is there of it.
fn interrupted(error: &ImportError, summary: &Summary, destination: &Destination<'_>) -> CliError {
    let flussi = summary.flussi;
    CliError::Failed(match destination {
        Destination::Feed { .. } if flussi > 0 => format!(
            "{error}\n{flussi} flows were published before that; import the files again when it is mended: nothing is \
             published twice"
        ),
        _ => error.to_string(),
    })
}

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let (Some(ente), false) = (&args.ente, args.rules) else { return print_rules(args.source.json) };
    let mut rulebook = Rulebook::shipped();
    let unusable = |path: &Path| {
        let path = path.display().to_string();
        move |error: TableError| CliError::Usage(format!("{path}: {error}"))
    };
    if let Some(path) = &args.nomenclatore {
        rulebook.nomenclatore = codes::nomenclatore(&read_table(path)?).map_err(unusable(path))?;
    }
    if let Some(path) = &args.comuni {
        rulebook.comuni = Some(Comuni::from_csv(&read_table(path)?).map_err(unusable(path))?);
    }
    let nowhere = &mut Destination::Nowhere;
    args.source.import(&args.files, ente, &rulebook, nowhere, &mut Summary::default())
}

fn print_rules(json: bool) -> Result<ExitCode, CliError> {
    let mut out = std::io::stdout().lock();
    if json {
        let rules: Vec<_> = catalogue::rules().collect();
        writeln!(out, "{}", serde_json::to_string(&rules).unwrap_or_default())?;
    } else {
        for rule in catalogue::rules() {
            writeln!(out, "{:<9} {:<7} {}", rule.code, rule.severity.as_str(), rule.summary)?;
            writeln!(out, "{:17} fonte: {}", "", rule.source)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The e-service that carries the ente, and the ente.
fn addressee<'a>(
    config: &'a Config,
    eservice: Option<&str>,
    codice: &str,
) -> Result<(&'a EService, &'a config::Ente), CliError> {
    let carriers: Vec<_> = config
        .eservice
        .iter()
        .filter(|candidate| eservice.is_none_or(|name| candidate.name == name))
        .filter_map(|candidate| Some((candidate, candidate.ente.iter().find(|ente| ente.codice == codice)?)))
        .collect();
    match carriers.as_slice() {
        [only] => Ok(*only),
        [] => Err(CliError::Usage(match eservice {
            Some(name) => format!("the configuration has no e-service {name:?} with an ente {codice:?}"),
            None => format!("the configuration has no ente {codice:?}: add it to an [[eservice]]"),
        })),
        several => {
            let names: Vec<&str> = several.iter().map(|(eservice, _)| eservice.name.as_str()).collect();
            Err(CliError::Usage(format!("say into which feed with --eservice: {}", names.join(", "))))
        }
    }
}

impl Source {
    fn import(
        &self,
        files: &[PathBuf],
        ente: &str,
        rulebook: &Rulebook,
        destination: &mut Destination<'_>,
        summary: &mut Summary,
    ) -> Result<ExitCode, CliError> {
        let mapping = match &self.mapping {
            Some(path) => {
                Mapping::load(path).map_err(|error: MappingError| CliError::Usage(error.to_string()))?
            }
            None => Mapping::default(),
        };
        let options = Options { ente, format: self.format, mapping: &mapping, rulebook };
        let mut report = match &self.report {
            Some(path) => Some(self.create_report(path, files)?),
            None => None,
        };
        let bar = progress_bar(files);
        let mut readable = false;
        for path in files {
            if !self.json {
                bar.suspend(|| say!("{}", path.display()));
            }
            if let Some(report) = &mut report {
                report.of(path);
            }
            let mut listeners = Listeners {
                notice: &mut |entry| {
                    if !self.json {
                        bar.suspend(|| print_notice(entry));
                    }
                },
                progress: &|bytes| bar.inc(bytes),
                batch: &mut |_| ControlFlow::Continue(()),
                report: report.as_mut(),
            };
            readable |= import::run(path, &options, destination, summary, &mut listeners)
                .map_err(|error: ImportError| interrupted(&error, summary, destination))?;
        }
        bar.finish_and_clear();
        if let Some(report) = report {
            report.finish().map_err(|error| CliError::Failed(format!("cannot write the report: {error}")))?;
        }
        if self.json {
            say!("{}", serde_json::to_string(summary).unwrap_or_default());
        } else {
            print_summary(summary, destination);
        }
        Ok(match (readable, summary.refused) {
            (false, _) => ExitCode::FAILURE,
            (true, 0) => ExitCode::SUCCESS,
            (true, _) => ExitCode::from(SOME_REFUSED),
        })
    }

    /// The report at `path`, which is none of the files that are read.
    fn create_report(&self, path: &Path, files: &[PathBuf]) -> Result<Report, CliError> {
        let same = |read: &&PathBuf| match (read.canonicalize(), path.canonicalize()) {
            (Ok(read), Ok(path)) => read == path,
            _ => false,
        };
        if let Some(read) = files.iter().chain(&self.mapping).find(same) {
            let message = format!("--report would overwrite {}, which is to be read", read.display());
            return Err(CliError::Usage(message));
        }
        Report::create(path, files.len() > 1)
            .map_err(|error| CliError::Failed(format!("cannot create {}: {error}", path.display())))
    }
}

fn progress_bar(files: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let size = files.iter().filter_map(|path| path.metadata().ok()).map(|metadata| metadata.len()).sum();
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left");
    let bar = ProgressBar::new(size);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn print_notice(entry: &Entry<'_>) {
    let severity = match entry.severity {
        Severity::Errore => "rifiutata",
        Severity::Avviso => "avviso",
    };
    let bx = entry.bx.map(|bx| format!(" ({bx})")).unwrap_or_default();
    let value = if entry.value.is_empty() { String::new() } else { format!(" = {:?}", entry.value) };
    say!("  riga {}, {severity}, {}: {}{bx}{value}", entry.line, entry.rule, entry.field);
    say!("    {} {}", entry.message, entry.remedy);
}

fn print_summary(summary: &Summary, destination: &Destination<'_>) {
    say!(
        "Record letti: {}. Rifiutati: {}. Con avvisi: {}.",
        summary.records,
        summary.refused,
        summary.warned
    );
    let flussi = match destination {
        Destination::Feed { .. } => Some("Flussi pubblicati"),
        Destination::Forecast { .. } => Some("Flussi che si pubblicherebbero"),
        Destination::Nowhere => None,
    };
    if let Some(flussi) = flussi {
        say!(
            "{flussi}: {}. Prestazioni nuove: {}, modificate: {}, invariate: {}, ritirate: {}.",
            summary.flussi,
            summary.new,
            summary.changed,
            summary.unchanged,
            summary.withdrawn
        );
    }
    for (rule, count) in &summary.by_rule {
        say!("  {rule}: {count}");
    }
}
