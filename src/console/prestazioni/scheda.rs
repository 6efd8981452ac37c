//! The page of a benefit: its content, its flows, when INPS took each, what it said, what changed.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header;
use askama::Template;

use super::anteprima::preview;
use super::documento::{Part, differences, parts, record};
use super::guidata::can_be_corrected;
use super::ricerca::{badge, flow_badge};
use super::{PRESTAZIONI, address, erogatore, held};
use crate::call_log::action::Kind;
use crate::call_log::pulls::{Pull, Pulls, pulls_of};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::rimedi;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::registry::{Change, CodiceEsito, FlussoSeen, Found, Payload, Stato};
use crate::siuss::tables::Nomenclatore;

#[derive(Template)]
#[template(path = "prestazioni/scheda.html")]
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing on the page whether it is there")]
struct Scheda {
    frame: Frame,
    found: Found,
    address: String,
    ente: String,
    eservice: String,
    created: String,
    updated: String,
    stato: (&'static str, &'static str),
    is_active: bool,
    /// What INPS said against it, and what to do.
    refusal: Option<(String, &'static str)>,
    /// Whether what INPS refused can be sent again.
    can_resend: bool,
    /// Whether the configuration still has the ente.
    has_ente: bool,
    can_be_corrected: bool,
    parts: Vec<Part>,
    /// When the content was dropped, where it was.
    dropped: Option<String>,
    flows: Vec<Flow>,
    changes: Vec<Changes>,
}

/// A flow as it is listed.
struct Flow {
    name: String,
    operation: &'static str,
    published: String,
    stato: (&'static str, &'static str),
    pulls: Option<Taken>,
    esiti: Vec<Esito>,
    dropped: Option<String>,
}

/// The calls with which INPS took a flow.
struct Taken {
    count: i64,
    first: String,
    last: String,
}

struct Esito {
    received: String,
    codice: String,
    descrizione: String,
    acquisizione: String,
}

/// What a correction changed.
struct Changes {
    when: String,
    values: Vec<(String, String, String)>,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let (served, found) = held(&visit).await?;
    let id = served.id;
    let timestamps: Vec<i64> = found.flussi.iter().map(|flusso| flusso.ts_ms).collect();
    let pulls =
        visit.console.store.read_async(move |connection| pulls_of(connection, id, timestamps)).await?;
    let ente = erogatore(served, &found.codice_ente);
    let can_resend = match ente.clone() {
        Some(ente) => {
            let preview = preview(&visit, served, ente, Change::Resend(found.id)).await?;
            preview.is_some_and(|preview| preview.refusal().is_none() && !preview.flows.is_empty())
        }
        None => false,
    };
    visit.log(visit.action(Kind::BenefitViewed)?.of(id).to(found.id)).await?;
    let rules = visit.console.rules().await?;
    let done = match visit.query.text("fatto") {
        "nuova" => Some("La prestazione è pubblicata: INPS la prenderà alla prossima chiamata."),
        "ritiro" => Some("La prestazione è ritirata."),
        "invio" => Some("La prestazione è inviata di nuovo."),
        "correzione" => Some("La correzione è pubblicata."),
        _ => None,
    };
    let in_force = found.flussi.last();
    let stato = in_force.map_or(("neutro", "senza flussi"), |flusso| {
        badge(found.stato, flusso.stato(pulls.contains_key(&flusso.ts_ms)))
    });
    let contents = contents(&found, &rules.nomenclatore);
    let dropped = found.flussi.iter().rfind(|flusso| !cancels(flusso)).and_then(dropped);
    let denominazione = ente.as_ref().and_then(|ente| ente.denominazione.as_ref());
    let page = Scheda {
        frame: visit
            .frame(&format!("Prestazione {}", found.label))
            .below("Cruscotto", "/")
            .below("Prestazioni", PRESTAZIONI)
            .with_done(done),
        address: address(&served.config.name, found.id),
        ente: denominazione.map_or_else(
            || found.codice_ente.clone(),
            |name| format!("{} ({})", name.as_str(), found.codice_ente),
        ),
        eservice: served.config.name.clone(),
        created: text::instant(found.created_ms),
        updated: text::instant(found.updated_ms),
        stato,
        is_active: found.stato == Stato::Attiva,
        refusal: in_force.and_then(refusal),
        can_resend,
        has_ente: ente.is_some(),
        can_be_corrected: can_be_corrected(&found).is_some(),
        flows: found.flussi.iter().rev().map(|flusso| flow(flusso, &pulls)).collect(),
        changes: changes(&contents),
        parts: if dropped.is_none() {
            contents.into_iter().next_back().map(|(_, parts)| parts).unwrap_or_default()
        } else {
            Vec::new()
        },
        dropped,
        found,
    };
    visit::show(&page)
}

fn cancels(flusso: &FlussoSeen) -> bool {
    flusso.operazione.as_deref() == Some("C")
}

fn dropped(flusso: &FlussoSeen) -> Option<String> {
    match flusso.payload {
        Payload::Dropped { ms } => Some(text::day(ms)),
        Payload::Xml(_) => None,
    }
}

/// What each insertion said, oldest first, and when it was published.
fn contents(found: &Found, nomenclatore: &Nomenclatore) -> Vec<(i64, Vec<Part>)> {
    let read = |flusso: &FlussoSeen| match &flusso.payload {
        Payload::Xml(xml) if !cancels(flusso) => Some((flusso.ts_ms, parts(&record(xml)?, nomenclatore))),
        _ => None,
    };
    found.flussi.iter().filter_map(read).collect()
}

/// What changed from each content to the next, the latest first.
fn changes(contents: &[(i64, Vec<Part>)]) -> Vec<Changes> {
    let pairs = contents.iter().zip(contents.iter().skip(1));
    let mut changes: Vec<Changes> = pairs
        .map(|((_, before), (ts_ms, after))| Changes {
            when: text::instant(*ts_ms),
            values: differences(before, after),
        })
        .filter(|changes| !changes.values.is_empty())
        .collect();
    changes.reverse();
    changes
}

/// What INPS said against the flow, if that is its last word, and what to do about it.
fn refusal(flusso: &FlussoSeen) -> Option<(String, &'static str)> {
    let esito = flusso.esiti.last()?;
    let codice: CodiceEsito = esito.codice_esito.parse().ok()?;
    let advice = match codice {
        CodiceEsito::Ok => return None,
        _ if cancels(flusso) => rimedi::CANCELLATION,
        codice => rimedi::insertion(codice),
    };
    let detail = esito.descrizione.as_deref().unwrap_or("nessun dettaglio");
    Some((format!("{codice}: {detail}"), advice))
}

fn flow(flusso: &FlussoSeen, pulls: &BTreeMap<i64, Pulls>) -> Flow {
    let taken = pulls.get(&flusso.ts_ms);
    Flow {
        name: flusso.id_flusso.clone(),
        operation: if cancels(flusso) { "Annullamento (C)" } else { "Inserimento (I)" },
        published: text::instant(flusso.ts_ms),
        stato: flow_badge(flusso.stato(taken.is_some())),
        pulls: taken.map(|pulls| Taken {
            count: pulls.count,
            first: call(&pulls.first),
            last: call(&pulls.last),
        }),
        esiti: flusso
            .esiti
            .iter()
            .map(|esito| Esito {
                received: text::instant(esito.received_ms),
                codice: esito.codice_esito.clone(),
                descrizione: esito.descrizione.clone().unwrap_or_default(),
                acquisizione: esito.id_acquisizione_siuss.clone().unwrap_or_default(),
            })
            .collect(),
        dropped: dropped(flusso),
    }
}

fn call(pull: &Pull) -> String {
    format!("{} (chiamata {} del registro)", text::instant(pull.instant.as_millisecond()), pull.index)
}

/// A flow as it was sent.
pub(super) async fn xml(visit: Visit) -> Answer {
    let (served, found) = held(&visit).await?;
    let name = visit.parameter("flusso")?;
    let flusso = found.flussi.iter().find(|flusso| flusso.id_flusso == name).ok_or(Refusal::NotFound)?;
    let Payload::Xml(xml) = &flusso.payload else { return Err(Refusal::NotFound) };
    visit.log(visit.action(Kind::BenefitsExported)?.of(served.id).to(found.id).counting(1)).await?;
    let file: String =
        name.chars().map(|one| if one.is_ascii_alphanumeric() || one == '.' { one } else { '_' }).collect();
    Ok(HttpResponse::Ok()
        .content_type("application/xml; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}.xml\"")))
        .body(xml.clone()))
}
