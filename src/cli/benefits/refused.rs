//! `benefits refused`: what INPS refused, why, and what is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{CliError, Globals, Place, instant};
use crate::call_log::action::{self, Action, Kind};
use crate::cli::calls::instant as parse_instant;
use crate::cli::operator::operator;
use crate::clock::Clock;
use crate::registry::{Case, CodiceEsito, Refused, RefusedFilter, Verdict};

/// List the flows that INPS refused and about which something is to be done: what, whose, when, and what to do.
///
/// A flow leaves the list when the benefit is corrected, withdrawn, or sent again, and when INPS takes its refusal
/// back. With --resend, everything that is listed is sent again as it stands: for `ERRORE_GENERICO`, which says nothing
/// against the benefit itself.
///
/// Exit code 0: the list was printed, be it empty; 3: with --resend, something could not be sent again.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni benefits refused
  waas-comuni benefits refused --codice RICHIESTA_INVALIDA --since 2026-03-01 --json
  waas-comuni benefits refused --codice ERRORE_GENERICO --resend")]
pub(super) struct Args {
    /// Of this e-service; needed when there are several.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// Of this ente.
    #[arg(long, value_name = "CODE")]
    ente: Option<String>,
    /// With this verdict: `DATI_NON_TROVATI`, `RICHIESTA_INVALIDA`, `ERRORE_GENERICO`; `OK` for refusals that INPS took
    /// back too late.
    #[arg(long, value_name = "CODE", value_parser = codice)]
    codice: Option<CodiceEsito>,
    /// Whose outcome arrived at this instant or later: 2026-03-01T10:00:00Z, or a day (Europe/Rome).
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    since: Option<Timestamp>,
    /// Whose outcome arrived before this instant, or before this day begins.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant)]
    until: Option<Timestamp>,
    /// List those about which nothing is left to do, too.
    #[arg(long, conflicts_with = "resend")]
    all: bool,
    /// Send again everything that is listed.
    #[arg(long)]
    resend: bool,
    /// How many flows to list at most.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Continue where an earlier list ended.
    #[arg(long, value_name = "CURSOR")]
    after: Option<i64>,
    /// Print one JSON object: the flows, and the cursor of what follows.
    #[arg(long)]
    json: bool,
}

fn codice(text: &str) -> Result<CodiceEsito, String> {
    text.parse().map_err(|()| format!("one of {}", CodiceEsito::ALL.map(CodiceEsito::as_str).join(", ")))
}

pub(super) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let place = Place::open(globals, args.eservice.as_deref())?;
    let filter = RefusedFilter {
        ente: args.ente.clone(),
        codice: args.codice,
        from: args.since,
        until: args.until,
        settled: args.all,
    };
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut flows = Vec::new();
    let mut next = args.after;
    loop {
        let page = place.registry.refused(place.id, &filter, next, limit.saturating_sub(flows.len()))?;
        flows.extend(page.flows);
        next = page.next;
        if next.is_none() || flows.len() >= limit {
            break;
        }
    }
    let listed = Action::new(&operator(), Kind::BenefitsListed).of(place.id);
    let count = u64::try_from(flows.len()).unwrap_or(u64::MAX);
    action::record(&place.store, &Clock::System, [listed.counting(count)])?;
    let failed = if args.resend { resend(&place, &flows)? } else { BTreeMap::new() };
    if args.json {
        let list: Vec<Value> =
            flows.iter().map(|flow| document(flow, failed.get(&flow.prestazione))).collect();
        say!("{}", json!({ "refused": list, "next": next.map(|next| next.to_string()) }));
    } else {
        print(&flows, args.resend, &failed);
        if let Some(next) = next {
            say!("Ce ne sono altri: proseguire con --after {next}.");
        }
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(super::REFUSED) })
}

/// Sends the benefits of `flows` again; gives those for which it cannot be done, with the reason.
fn resend(place: &Place, flows: &[Refused]) -> Result<BTreeMap<i64, String>, CliError> {
    let benefits: BTreeSet<(i64, &str)> =
        flows.iter().map(|flow| (flow.prestazione, flow.codice_ente.as_str())).collect();
    let mut failed = BTreeMap::new();
    for (id, codice_ente) in benefits {
        let ente = place.ente(codice_ente)?;
        let Some(published) = place.registry.resend(place.id, &ente, id)? else { continue };
        place.log(Kind::BenefitResent, id, &published.verdict)?;
        if let Verdict::Refused(notice) = published.verdict {
            failed.insert(id, format!("{} {}", notice.message, notice.remedy));
        }
    }
    Ok(failed)
}

fn document(flow: &Refused, failed: Option<&String>) -> Value {
    json!({
        "id": flow.prestazione.to_string(),
        "ente": flow.codice_ente,
        "tipo": flow.tipo.as_str(),
        "protocollo": flow.label,
        "stato": flow.stato,
        "id_flusso": flow.id_flusso,
        "operazione": operation(flow),
        "published": instant(flow.ts_ms),
        "codice_esito": flow.codice.as_str(),
        "descrizione": flow.descrizione,
        "received": instant(flow.received_ms),
        "case": flow.case,
        "remedy": flow.remedy(),
        "not_resent": failed,
    })
}

fn operation(flow: &Refused) -> &'static str {
    if flow.cancels { "C" } else { "I" }
}

/// By reason: those that are put right in the same way stand together.
fn print(flows: &[Refused], resent: bool, failed: &BTreeMap<i64, String>) {
    type Reason<'a> = (Option<Case>, &'static str, Option<&'a str>, &'static str);
    let mut reasons: BTreeMap<Reason<'_>, Vec<&Refused>> = BTreeMap::new();
    for flow in flows {
        let reason = (flow.case, flow.codice.as_str(), flow.descrizione.as_deref(), flow.remedy());
        reasons.entry(reason).or_default().push(flow);
    }
    if flows.is_empty() {
        say!("INPS non ha rifiutato nulla che sia ancora da sistemare.");
    }
    for ((case, codice, descrizione, remedy), flows) in reasons {
        let what = match case {
            None => "Già sistemato",
            Some(Case::InsertionRefused) => "Inserimento rifiutato",
            Some(Case::CancellationRefused) => "Cancellazione rifiutata",
            Some(Case::AcceptedLate) => "Accettato in ritardo",
        };
        let detail = descrizione.map(|text| format!(": {}", text.escape_debug())).unwrap_or_default();
        say!("{what}, {codice}{detail} (flussi: {})", flows.len());
        if resent {
            say!("  Inviato di nuovo.");
        } else if !remedy.is_empty() {
            say!("  Che fare: {remedy}");
        }
        for flow in flows {
            say!(
                "  {} {} {} ente {}, protocollo {}, prestazione {}",
                instant(flow.received_ms),
                flow.id_flusso,
                operation(flow),
                flow.codice_ente,
                flow.label,
                flow.prestazione
            );
            if let Some(reason) = failed.get(&flow.prestazione) {
                say!("    non inviato: {reason}");
            }
        }
    }
}
