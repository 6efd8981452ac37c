//! What INPS refused and is still to be put right: by reason, with what to do about each and the buttons that do it.

use std::collections::BTreeMap;

use askama::Template;

use super::{Asked, Filtro, PAGE, address, asked, benefit, operation};
use crate::call_log::action::Kind;
use crate::console::form::{Errors, Form};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::visit::{self, Visit};
use crate::console::{Served, rimedi, text};
use crate::registry::{Case, ReceivedFilter, Refused, RefusedFilter, RefusedInsertions, Registry, Stato};
use crate::siuss::record::TipoFlusso;

#[derive(Template)]
#[template(path = "esiti/rifiutati.html")]
struct Rifiutati {
    frame: Frame,
    errors: Errors,
    filtro: Filtro,
    settled: bool,
    reasons: Vec<Motivo>,
    next: Option<String>,
}

/// Flows that are put right in the same way.
struct Motivo {
    what: &'static str,
    /// What INPS has, in consequence.
    holds: &'static str,
    /// Whether it is one of the cases that INPS's own answers left open, no plain refusal.
    is_anomaly: bool,
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
    /// Which of the buttons are of use.
    can_correct: bool,
    can_resend: bool,
}

/// What is left to do, as it is called, and what INPS has in consequence.
pub(super) fn what(case: Option<Case>) -> (&'static str, &'static str) {
    match case {
        Some(Case::InsertionRefused) => ("Inserimento rifiutato", "INPS non ha la prestazione."),
        Some(Case::CancellationRefused) => {
            ("Annullamento rifiutato", "INPS ha ancora una versione che non dovrebbe avere.")
        }
        Some(Case::AcceptedLate) => ("Accettato in ritardo", "INPS ha una versione di troppo."),
        None => ("Già sistemato", "Non c'è altro da fare."),
    }
}

/// What is asked of the list of refusals.
pub(super) fn refused(filter: ReceivedFilter, form: &Form) -> RefusedFilter {
    let ReceivedFilter { ente, from, until } = filter;
    RefusedFilter { ente, codice: None, from, until, settled: form.text("sistemati") == "si" }
}

/// The registry, which deals with refusals as the e-service is configured to.
pub(super) fn registry(visit: &Visit, served: &Served) -> Registry {
    let policy = RefusedInsertions::of(served.config.cancel_refused);
    visit.console.registry.clone().with_refused(policy)
}

pub(super) async fn show(visit: Visit) -> Answer {
    let Asked { served, filter, errors, filtro } = asked(&visit, &visit.query)?;
    let filter = refused(filter, &visit.query);
    let mut shown = Rifiutati {
        frame: visit.frame("Esiti: che cosa ha rifiutato INPS").below("Cruscotto", "/"),
        errors,
        filtro,
        settled: filter.settled,
        reasons: Vec::new(),
        next: None,
    };
    if !shown.errors.is_empty() {
        return visit::show_again(&shown);
    }
    let after: Option<i64> = visit.query.text("dopo").parse().ok();
    let (registry, id) = (registry(&visit, served), served.id);
    let found = visit.console.blocking(move || registry.refused(id, &filter, after, PAGE)).await??;
    visit.log(visit.action(Kind::BenefitsListed)?.of(served.id).counting(found.flows.len())).await?;
    shown.next = found.next.map(|next| address(&visit, &next.to_string()));
    shown.reasons = by_reason(&found.flows, served);
    visit::show(&shown)
}

fn by_reason(flows: &[Refused], served: &Served) -> Vec<Motivo> {
    let mut reasons: BTreeMap<_, Motivo> = BTreeMap::new();
    for flow in flows {
        let (what, holds) = what(flow.case);
        let detail = flow.descrizione.clone().unwrap_or_default();
        let remedy = flow.case.map_or("", |case| rimedi::of(case, flow.codice, flow.tipo));
        // What is settled comes last.
        let key = (flow.case.is_none(), flow.case, flow.codice.as_str(), detail.clone(), remedy);
        let reason = reasons.entry(key).or_insert_with(|| Motivo {
            what,
            holds,
            is_anomaly: matches!(flow.case, Some(Case::CancellationRefused | Case::AcceptedLate)),
            code: flow.codice.as_str(),
            detail,
            remedy,
            flows: Vec::new(),
        });
        reason.flows.push(Rifiutato {
            path: benefit(served, flow.prestazione),
            label: flow.label.clone(),
            ente: flow.codice_ente.clone(),
            id_flusso: flow.id_flusso.clone(),
            operation: operation(flow.cancels),
            received: text::instant(flow.received_ms),
            can_correct: flow.case == Some(Case::InsertionRefused) && flow.stato == Stato::Attiva,
            can_resend: flow.case.is_some()
                && !(flow.case == Some(Case::AcceptedLate) && flow.tipo == TipoFlusso::Sinba),
        });
    }
    reasons.into_values().collect()
}
