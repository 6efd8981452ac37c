//! `benefits`: what the registry holds of a benefit, what was published of it, and its withdrawal.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::operator::operator;
use super::{CliError, Globals, expire};
use crate::call_log::action::{self, Action, Kind, Outcome};
use crate::clock::Clock;
use crate::config::EService;
use crate::registry::{Found, Lookup, Payload, Registry, Stato, Verdict};
use crate::siuss::values::{CodiceFiscale, Value as _};
use crate::store::{EserviceId, Store};
use crate::vendor;

/// Something was refused.
const REFUSED: u8 = 3;
/// Benefits that are shown at most.
const MOST: u32 = 1000;

/// Look at a benefit, at its flows and outcomes, or withdraw it.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    History(History),
    Withdraw(Withdraw),
    Expire(expire::Expire),
}

/// Show benefits: whose they are, whether INPS should hold them, what was sent.
///
/// Exit code 1: there is none.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni benefits show --protocollo 2025/1234
  waas-comuni benefits show --person CNTLCU15E09H501T --json")]
struct Show {
    #[command(flatten)]
    which: Which,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Show every flow that was published of benefits, and what INPS said of each.
///
/// Exit code 1: there is none.
#[derive(Debug, Parser)]
struct History {
    #[command(flatten)]
    which: Which,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Withdraw a benefit: the cancellation of what was sent is published.
///
/// Exit code 0: it is withdrawn; 1: there is none; 2: there are several, of which --id names one; 3: it cannot be
/// withdrawn.
#[derive(Debug, Parser)]
struct Withdraw {
    #[command(flatten)]
    which: Which,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Which benefits.
#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    by: By,
    /// Of this e-service; needed when there are several.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct By {
    /// The registry's own number of it.
    #[arg(long, value_name = "NUMBER")]
    id: Option<i64>,
    /// Its `ProtocolloDomanda`, or a child's `IDBeneficiario`.
    #[arg(long, value_name = "TEXT")]
    protocollo: Option<String>,
    /// The fiscal code of the person, or a child's `IDBeneficiario`.
    #[arg(long, value_name = "CODE")]
    person: Option<String>,
}

impl By {
    fn lookup(&self) -> Result<Lookup, CliError> {
        match (self.id, &self.protocollo, &self.person) {
            (Some(id), _, _) => Ok(Lookup::Id(id)),
            (None, Some(label), _) => Ok(Lookup::Label(label.clone())),
            (None, None, Some(person)) => {
                // A fiscal code is kept in capitals; a child's code as it was given.
                let code = CodiceFiscale::read(person).map(|code| code.as_str().to_owned());
                Ok(Lookup::Person(code.unwrap_or_else(|| person.clone())))
            }
            (None, None, None) => Err(CliError::Usage("say which benefit".to_owned())),
        }
    }
}

/// What was asked for, found.
struct Held {
    store: Store,
    registry: Registry,
    eservice: EService,
    id: EserviceId,
    found: Vec<Found>,
}

impl Which {
    /// Finds them, and logs that they were looked at.
    fn find(&self, globals: &Globals) -> Result<Held, CliError> {
        let config = globals.config()?;
        let eservice = super::select(&config, self.eservice.as_deref())?.clone();
        let store = super::open(&config)?;
        store.migrate()?;
        let id = store.register_eservice(&eservice.name)?;
        let registry = Registry::new(store.clone(), Clock::System);
        let found = registry.find(id, &self.by.lookup()?, MOST)?;
        let viewed = Action::new(&operator(), Kind::BenefitViewed).of(id);
        if found.is_empty() {
            action::record(&store, &Clock::System, [viewed.with(Outcome::NotFound)])?;
            return Err(CliError::Failed("the registry holds no such benefit".to_owned()));
        }
        let viewed = found.iter().map(|found| viewed.clone().to(found.id));
        action::record(&store, &Clock::System, viewed)?;
        Ok(Held { store, registry, eservice, id, found })
    }
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Show(args) => print(&args.which.find(globals)?.found, args.json, show),
        Command::History(args) => print(&args.which.find(globals)?.found, args.json, history),
        Command::Expire(args) => expire::run(args, globals),
        Command::Withdraw(args) => withdraw(&args.which.find(globals)?, args.json),
    }
}

fn print(found: &[Found], as_json: bool, text: fn(&Found, &Value)) -> Result<ExitCode, CliError> {
    let documents = found.iter().map(vendor::document).collect::<Result<Vec<_>, _>>()?;
    if as_json {
        say!("{}", json!(documents));
    } else {
        for (found, document) in found.iter().zip(&documents) {
            say!("{}", heading(found));
            text(found, document);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn heading(found: &Found) -> String {
    let stato = match found.stato {
        Stato::Attiva => "attiva",
        Stato::Ritirata => "ritirata",
    };
    format!(
        "{} {} {} {}, protocollo {}, {stato}",
        found.id,
        found.codice_ente,
        found.tipo.as_str(),
        found.person,
        found.label
    )
}

/// The record, one value to a line.
fn show(found: &Found, document: &Value) {
    say!("  pubblicata la prima volta {}, l'ultima {}", instant(found.created_ms), instant(found.updated_ms));
    let element =
        document.get("record").and_then(|record| record.get("Beneficiario").or(record.get("SINBA")));
    if let Some(element) = element {
        values("", element);
    }
    if let Some(Payload::Dropped { ms }) = found.flussi.last().map(|flusso| &flusso.payload) {
        say!("  contenuto eliminato il {}", instant(*ms));
    }
}

fn values(path: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                values(&format!("{path}/{name}"), value);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(path, item)),
        Value::String(text) => say!("  {} = {}", path.trim_start_matches('/'), text.escape_debug()),
        other => say!("  {} = {other}", path.trim_start_matches('/')),
    }
}

/// The flows and their outcomes.
fn history(found: &Found, _: &Value) {
    for flusso in &found.flussi {
        let operation = match flusso.operazione.as_deref() {
            Some("C") => "cancellazione",
            _ => "inserimento",
        };
        say!("  {} {} {operation}", instant(flusso.ts_ms), flusso.id_flusso);
        if let Payload::Dropped { ms } = flusso.payload {
            say!("    contenuto eliminato il {}", instant(ms));
        }
        for esito in &flusso.esiti {
            let detail = esito.descrizione.as_deref().unwrap_or_default();
            say!("    {} esito {} {}", instant(esito.received_ms), esito.codice_esito, detail.escape_debug());
        }
        if flusso.esiti.is_empty() {
            say!("    nessun esito");
        }
    }
}

fn withdraw(held: &Held, as_json: bool) -> Result<ExitCode, CliError> {
    let [found] = held.found.as_slice() else {
        let which: Vec<_> = held.found.iter().map(heading).collect();
        let message = format!("there are several such benefits, say which with --id:\n{}", which.join("\n"));
        return Err(CliError::Usage(message));
    };
    let ente = held.eservice.ente.iter().find(|ente| ente.codice == found.codice_ente).ok_or_else(|| {
        CliError::Usage(format!("the e-service has no ente {:?} any longer", found.codice_ente))
    })?;
    let ente = ente.erogatore().map_err(|wrong| {
        CliError::Usage(format!("the configuration of the ente is wrong: {}", wrong.join(", ")))
    })?;
    let published = held
        .registry
        .withdraw(held.id, &ente, found.id)?
        .ok_or_else(|| CliError::Failed("the registry holds no such benefit".to_owned()))?;
    let outcome =
        if matches!(published.verdict, Verdict::Refused(_)) { Outcome::Refused } else { Outcome::Done };
    let withdrawn = Action::new(&operator(), Kind::BenefitWithdrawn).of(held.id).to(found.id).with(outcome);
    action::record(&held.store, &Clock::System, [withdrawn])?;
    let (verdict, text, code) = match &published.verdict {
        Verdict::Refused(notice) => {
            ("refused", format!("{}: {} {}", notice.rule.code, notice.message, notice.remedy), REFUSED)
        }
        Verdict::Withdrawn { id_flusso } => {
            ("withdrawn", format!("Ritirata: pubblicato il flusso {id_flusso}."), 0)
        }
        Verdict::Unchanged | Verdict::New { .. } | Verdict::Changed { .. } => {
            ("unchanged", "Era già ritirata: non è stato pubblicato nulla.".to_owned(), 0)
        }
    };
    if as_json {
        say!("{}", json!({ "id": found.id.to_string(), "verdict": verdict, "message": text }));
    } else {
        say!("{text}");
    }
    Ok(ExitCode::from(code))
}

fn instant(ms: i64) -> String {
    format!("{:.0}", Timestamp::from_millisecond(ms).unwrap_or_default())
}
