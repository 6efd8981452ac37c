//! `benefits`: what the registry holds of a benefit, what was published of it, and its withdrawal; what INPS refused.

mod refused;
mod resend;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::operator::operator;
use super::{CliError, Globals, expire};
use crate::call_log::action::{self, Action, Kind, Outcome};
use crate::call_log::pulls::{Pull, Pulls, pulls_of};
use crate::clock::Clock;
use crate::config::EService;
use crate::registry::{Found, Lookup, Payload, RefusedInsertions, Registry, Stato, Verdict};
use crate::siuss::record::EnteErogatore;
use crate::siuss::values::{CodiceFiscale, Value as _};
use crate::store::{EserviceId, Store};
use crate::vendor;

/// Something was refused.
const REFUSED: u8 = 3;
/// Benefits that are shown at most.
const MOST: u32 = 1000;

/// Look at a benefit, at its flows and outcomes, or withdraw it; see what INPS refused, and send it again.
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
    Refused(refused::Args),
    Resend(resend::Args),
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

/// Show every flow that was published of benefits: how far it has come, which calls were given it, what INPS said.
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
    place: Place,
    found: Vec<Found>,
}

/// An e-service and its registry.
struct Place {
    store: Store,
    registry: Registry,
    eservice: EService,
    id: EserviceId,
}

impl Place {
    fn open(globals: &Globals, eservice: Option<&str>) -> Result<Self, CliError> {
        let config = globals.config()?;
        let eservice = super::select(&config, eservice)?.clone();
        let store = super::ready(&config)?;
        let id = store.register_eservice(&eservice.name)?;
        let refused = RefusedInsertions::of(eservice.cancel_refused);
        let registry = Registry::new(store.clone(), Clock::System).with_refused(refused);
        Ok(Self { store, registry, eservice, id })
    }

    /// Logs what was done with the benefit `id`.
    fn log(&self, kind: Kind, id: i64, verdict: &Verdict) -> Result<(), CliError> {
        let outcome = if matches!(verdict, Verdict::Refused(_)) { Outcome::Refused } else { Outcome::Done };
        let done = Action::new(&operator(), kind).of(self.id).to(id).with(outcome);
        Ok(action::record(&self.store, &Clock::System, [done])?)
    }

    /// The ente with this code, as flows name it.
    fn ente(&self, codice: &str) -> Result<EnteErogatore, CliError> {
        let ente = self
            .eservice
            .ente
            .iter()
            .find(|ente| ente.codice == codice)
            .ok_or_else(|| CliError::Usage(format!("the e-service has no ente {codice:?} any longer")))?;
        ente.erogatore().map_err(|wrong| {
            CliError::Usage(format!("the configuration of the ente is wrong: {}", wrong.join(", ")))
        })
    }
}

impl Held {
    /// The one benefit that was asked for.
    fn only(&self) -> Result<&Found, CliError> {
        let [found] = self.found.as_slice() else {
            let which: Vec<_> = self.found.iter().map(heading).collect();
            let message =
                format!("there are several such benefits, say which with --id:\n{}", which.join("\n"));
            return Err(CliError::Usage(message));
        };
        Ok(found)
    }
}

impl Which {
    /// Finds them, and logs that they were looked at.
    fn find(&self, globals: &Globals) -> Result<Held, CliError> {
        let place = Place::open(globals, self.eservice.as_deref())?;
        let found = place.registry.find(place.id, &self.by.lookup()?, MOST)?;
        let viewed = Action::new(&operator(), Kind::BenefitViewed).of(place.id);
        if found.is_empty() {
            action::record(&place.store, &Clock::System, [viewed.with(Outcome::NotFound)])?;
            return Err(CliError::Failed("the registry holds no such benefit".to_owned()));
        }
        let viewed = found.iter().map(|found| viewed.clone().to(found.id));
        action::record(&place.store, &Clock::System, viewed)?;
        Ok(Held { place, found })
    }
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match &args.command {
        Command::Show(args) => print(&args.which.find(globals)?, args.json, show),
        Command::History(args) => print(&args.which.find(globals)?, args.json, history),
        Command::Expire(args) => expire::run(args, globals),
        Command::Withdraw(args) => withdraw(&args.which.find(globals)?, args.json),
        Command::Refused(args) => refused::run(args, globals),
        Command::Resend(args) => resend::run(args, globals),
    }
}

fn print(
    held: &Held,
    as_json: bool,
    text: fn(&Found, &Value, &BTreeMap<i64, Pulls>),
) -> Result<ExitCode, CliError> {
    let Held { place, found } = held;
    let timestamps = found.iter().flat_map(|found| &found.flussi).map(|flusso| flusso.ts_ms);
    let pulls = place.store.read(|connection| pulls_of(connection, place.id, timestamps))?;
    let documents =
        found.iter().map(|found| vendor::document(found, &pulls)).collect::<Result<Vec<_>, _>>()?;
    if as_json {
        say!("{}", json!(documents));
    } else {
        for (found, document) in found.iter().zip(&documents) {
            say!("{}", heading(found));
            text(found, document, &pulls);
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
fn show(found: &Found, document: &Value, _: &BTreeMap<i64, Pulls>) {
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

/// The flows, the calls that were given them, and their outcomes.
fn history(found: &Found, _: &Value, pulls: &BTreeMap<i64, Pulls>) {
    for flusso in &found.flussi {
        let operation = match flusso.operazione.as_deref() {
            Some("C") => "cancellazione",
            _ => "inserimento",
        };
        let pulls = pulls.get(&flusso.ts_ms);
        let stato = flusso.stato(pulls.is_some()).as_str();
        say!("  {} {} {operation}, {stato}", instant(flusso.ts_ms), flusso.id_flusso);
        if let Payload::Dropped { ms } = flusso.payload {
            say!("    contenuto eliminato il {}", instant(ms));
        }
        match pulls {
            None => say!("    mai prelevato"),
            Some(Pulls { count: 1, first, .. }) => say!("    prelevato {}", call(first)),
            Some(Pulls { count, first, last }) => {
                say!("    prelevato {count} volte: la prima {}, l'ultima {}", call(first), call(last));
            }
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

fn call(pull: &Pull) -> String {
    format!("{:.0} (chiamata {} del registro)", pull.instant, pull.index)
}

fn withdraw(held: &Held, as_json: bool) -> Result<ExitCode, CliError> {
    let (place, found) = (&held.place, held.only()?);
    let ente = place.ente(&found.codice_ente)?;
    let published = place
        .registry
        .withdraw(place.id, &ente, found.id)?
        .ok_or_else(|| CliError::Failed("the registry holds no such benefit".to_owned()))?;
    place.log(Kind::BenefitWithdrawn, found.id, &published.verdict)?;
    Ok(answer(found.id, &published.verdict, as_json))
}

/// Prints what became of a benefit.
fn answer(id: i64, verdict: &Verdict, as_json: bool) -> ExitCode {
    let (name, text) = match verdict {
        Verdict::Refused(notice) => {
            ("refused", format!("{}: {} {}", notice.rule.code, notice.message, notice.remedy))
        }
        Verdict::Withdrawn { cancellations } if cancellations.is_empty() => {
            ("withdrawn", "Ritirata: INPS l'aveva rifiutata, e non c'è nulla da annullare.".to_owned())
        }
        Verdict::Withdrawn { cancellations } => {
            ("withdrawn", format!("Ritirata: pubblicato {}.", flows(cancellations)))
        }
        Verdict::Changed { cancellations, insertion } => {
            let flows = flows(&[cancellations.as_slice(), std::slice::from_ref(insertion)].concat());
            ("changed", format!("Inviata di nuovo: pubblicato {flows}."))
        }
        Verdict::New { id_flusso } => {
            ("published", format!("Pubblicato {}.", flows(std::slice::from_ref(id_flusso))))
        }
        Verdict::Unchanged => ("unchanged", "Era già così: non è stato pubblicato nulla.".to_owned()),
        Verdict::Unsettled(notice) => {
            ("unchanged", format!("Non è stato pubblicato nulla. {} {}", notice.message, notice.remedy))
        }
    };
    if as_json {
        say!("{}", json!({ "id": id.to_string(), "verdict": name, "message": text }));
    } else {
        say!("{text}");
    }
    if name == "refused" { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS }
}

fn flows(names: &[String]) -> String {
    match names {
        [only] => format!("il flusso {only}"),
        several => format!("i flussi {}", several.join(", ")),
    }
}

fn instant(ms: i64) -> String {
    format!("{:.0}", Timestamp::from_millisecond(ms).unwrap_or_default())
}
