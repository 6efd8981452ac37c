//! What INPS refused: by reason, with what to do about each and the way to the record.

use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use url::form_urlencoded::Serializer;

use super::Served;
use super::form::Errors;
use super::frame::Frame;
use super::pages::{Access, Answer, Page, Section};
use super::refusal::Refusal;
use super::text;
use super::visit::{self, Visit};
use crate::call_log::action::Kind;
use crate::registry::{Case, Refused, RefusedFilter, RefusedInsertions};
use crate::staff::Role;
use crate::store::Day;

/// What operators read of the outcomes.
pub(super) const SECTION: Section = Section {
    label: Some("Esiti"),
    pages: &[Page::get("/esiti", Access::Roles(&[Role::Operatore]), |visit| Box::pin(show(visit)))],
};

/// Flows of a page.
const PAGE: usize = 100;

/// What may be asked.
const FIELDS: [&str; 5] = ["eservice", "ente", "da", "a", "sistemati"];

#[derive(Template)]
#[template(path = "esiti.html")]
struct Esiti {
    frame: Frame,
    errors: Errors,
    eservices: Vec<(String, bool)>,
    enti: Vec<(String, String, bool)>,
    from: String,
    until: String,
    settled: bool,
    reasons: Vec<Motivo>,
    next: Option<String>,
}

/// Flows that are put right in the same way.
struct Motivo {
    what: &'static str,
    code: &'static str,
    detail: String,
    remedy: &'static str,
    flows: Vec<Rifiutato>,
}

struct Rifiutato {
    path: String,
    label: String,
    ente: String,
    id_flusso: String,
    operation: &'static str,
    received: String,
}

/// The e-service that is asked about: the first, where none is named.
fn asked(visit: &Visit) -> Result<&Served, Refusal> {
    let name = visit.query.text("eservice");
    let mut eservices = visit.eservices().filter(|served| name.is_empty() || served.config.name == name);
    eservices.next().ok_or(Refusal::NotFound)
}

/// The instant at which the day in a field begins, or ends.
fn bound(
    visit: &Visit,
    name: &'static str,
    at: fn(Day) -> Option<Timestamp>,
    errors: &mut Errors,
) -> Option<Timestamp> {
    let text = visit.query.text(name);
    if text.is_empty() {
        return None;
    }
    let day = text.parse::<Date>().ok().map(Day::from);
    if day.is_none() {
        errors.add(name, "Scrivere un giorno, per esempio 2026-03-01.");
    }
    day.and_then(at)
}

async fn show(visit: Visit) -> Answer {
    let served = asked(&visit)?;
    let scope = visit.account()?.scope.enti(served.id);
    let mut ente = visit.query.text("ente").to_owned();
    if let Some(enti) = &scope {
        if ente.is_empty() {
            ente = enti.first().map(|ente| (*ente).to_owned()).unwrap_or_default();
        }
        if !enti.contains(&ente.as_str()) {
            return Err(Refusal::NotFound);
        }
    }
    let mut errors = Errors::default();
    let settled = visit.query.text("sistemati") == "si";
    let filter = RefusedFilter {
        ente: Some(ente.clone()).filter(|ente| !ente.is_empty()),
        codice: None,
        from: bound(&visit, "da", Day::start, &mut errors),
        until: bound(&visit, "a", Day::end, &mut errors),
        settled,
    };
    let mut page = Esiti {
        frame: visit.frame("Esiti: che cosa ha rifiutato INPS").below("Cruscotto", "/"),
        eservices: visit.eservices().map(|one| (one.config.name.clone(), one.id == served.id)).collect(),
        enti: enti(served, scope.as_deref(), &ente),
        from: visit.query.text("da").to_owned(),
        until: visit.query.text("a").to_owned(),
        settled,
        reasons: Vec::new(),
        next: None,
        errors,
    };
    if !page.errors.is_empty() {
        return visit::show_again(&page);
    }
    let after: Option<i64> = visit.query.text("dopo").parse().ok();
    let (id, policy) = (served.id, RefusedInsertions::of(served.config.cancel_refused));
    let registry = visit.console.registry.clone().with_refused(policy);
    let found = visit.console.blocking(move || registry.refused(id, &filter, after, PAGE)).await??;
    visit.log(visit.action(Kind::BenefitsListed)?.of(id).counting(found.flows.len())).await?;
    page.next = found.next.map(|next| address(&visit, next));
    page.reasons = by_reason(&found.flows, &served.config.name);
    visit::show(&page)
}

/// The enti of an e-service that may be asked about, each with whether it is.
fn enti(served: &Served, scope: Option<&[&str]>, chosen: &str) -> Vec<(String, String, bool)> {
    let mut choices = Vec::new();
    if scope.is_none() {
        choices.push((String::new(), "tutti".to_owned(), chosen.is_empty()));
    }
    let seen = served
        .config
        .ente
        .iter()
        .filter(|ente| scope.is_none_or(|enti| enti.contains(&ente.codice.as_str())));
    choices.extend(seen.map(|ente| {
        let label = format!("{} ({})", ente.denominazione, ente.codice);
        (ente.codice.clone(), label, ente.codice == chosen)
    }));
    choices
}

/// The same page, from the flow `next` on.
fn address(visit: &Visit, next: i64) -> String {
    let mut pairs = Serializer::new(String::new());
    for name in FIELDS.into_iter().filter(|name| !visit.query.text(name).is_empty()) {
        pairs.append_pair(name, visit.query.text(name));
    }
    format!("/esiti?{}", pairs.append_pair("dopo", &next.to_string()).finish())
}

fn by_reason(flows: &[Refused], eservice: &str) -> Vec<Motivo> {
    let mut reasons: BTreeMap<_, Motivo> = BTreeMap::new();
    let name: String = url::form_urlencoded::byte_serialize(eservice.as_bytes()).collect();
    for flow in flows {
        let what = match flow.case {
            None => "Già sistemato",
            Some(Case::InsertionRefused) => "Inserimento rifiutato",
            Some(Case::CancellationRefused) => "Cancellazione rifiutata",
            Some(Case::AcceptedLate) => "Accettato in ritardo",
        };
        let detail = flow.descrizione.clone().unwrap_or_default();
        let key = (flow.case, flow.codice.as_str(), detail.clone(), flow.remedy());
        let reason = reasons.entry(key).or_insert_with(|| Motivo {
            what,
            code: flow.codice.as_str(),
            detail,
            remedy: flow.remedy(),
            flows: Vec::new(),
        });
        reason.flows.push(Rifiutato {
            path: format!("/prestazioni/{}/{}", name.replace('+', "%20"), flow.prestazione),
            label: flow.label.clone(),
            ente: flow.codice_ente.clone(),
            id_flusso: flow.id_flusso.clone(),
            operation: if flow.cancels { "cancellazione" } else { "inserimento" },
            received: text::instant(flow.received_ms),
        });
    }
    reasons.into_values().collect()
}
