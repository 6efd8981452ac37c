//! The guided forms: of a benefit, a person and then the five steps of the official case; of a child in care, the parts
//! of SINBA; then what will be sent. The same form, filled in, corrects what was sent.
//!
//! What was entered travels with the form from step to step, and nothing is kept here before it is confirmed. The form
//! makes the record that a file would have brought, and the rulebook judges it as it judges that.

mod bozza;
mod calcolo;
mod campi;
mod giudizio;
mod minore;
mod modulo;
mod passo;
mod riepilogo;

use actix_web::HttpResponse;
use askama::Template as _;
use serde_json::json;

use self::bozza::Bozza;
use self::calcolo::Calcolo;
use self::campi::PRESTAZIONE;
use self::giudizio::errors_of;
use self::minore::MINORE;
use self::modulo::Modulo;
use self::passo::{At, page};
use self::riepilogo::summary;
use super::anteprima::perform;
use super::documento::record;
use super::{PRESTAZIONI, address, erogatore, held};
use crate::call_log::action::Kind;
use crate::console::Served;
use crate::console::form::Errors;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::intake;
use crate::registry::{Change, Confirmed, Found, Payload, Stato, Verdict};
use crate::siuss::described::Described;
use crate::siuss::element::Element;
use crate::siuss::record::{EnteErogatore, TipoFlusso};
use crate::siuss::rules::Rulebook;

/// Where the forms are.
pub(super) const NUOVA: &str = "/prestazioni/nuova";
pub(super) const MINORE_NUOVO: &str = "/prestazioni/nuovo-minore";

/// For whom the form works, and from what.
struct Target<'a> {
    modulo: &'static Modulo,
    served: &'a Served,
    ente: EnteErogatore,
    /// The benefit to correct and its record, if it is one.
    held: Option<(Found, Element)>,
}

impl Target<'_> {
    fn base(&self) -> Option<&Element> {
        self.held.as_ref().map(|(_, record)| record)
    }

    /// What the log says of a benefit that is written this way.
    fn change(&self, records: Vec<Described>) -> Change {
        match &self.held {
            Some((found, _)) => Change::Correct(found.id, records),
            None => Change::Register(records),
        }
    }

    fn at(&self, step: usize) -> At {
        let (address, back) = match &self.held {
            Some((found, _)) => {
                let back = address(&self.served.config.name, found.id);
                (format!("{back}/correzione"), back)
            }
            None => (self.modulo.address.to_owned(), PRESTAZIONI.to_owned()),
        };
        let ente = format!("{}:{}", self.served.config.name, self.ente.codice.as_str());
        At { modulo: self.modulo, address, back, ente, step, is_correction: self.held.is_some() }
    }
}

/// The enti for which whoever is signed in may write benefits.
fn enti(visit: &Visit) -> Result<Vec<(&Served, EnteErogatore)>, Refusal> {
    let scope = &visit.account()?.scope;
    let of = |served| -> Vec<(&Served, EnteErogatore)> {
        let served: &Served = served;
        let enti = served.config.ente.iter().filter(|ente| scope.includes_ente(served.id, &ente.codice));
        enti.filter_map(|ente| Some((served, ente.erogatore().ok()?))).collect()
    };
    Ok(visit.eservices().flat_map(of).collect())
}

fn value_of(served: &Served, ente: &EnteErogatore) -> String {
    format!("{}:{}", served.config.name, ente.codice.as_str())
}

/// The ente that the form names, or the first.
fn target<'a>(visit: &'a Visit, modulo: &'static Modulo) -> Result<Target<'a>, Refusal> {
    let asked = visit.form.text("ente");
    let mut choices = enti(visit)?.into_iter();
    let found = choices.find(|(served, ente)| asked.is_empty() || value_of(served, ente) == asked);
    let (served, ente) = found.ok_or(Refusal::NotFound)?;
    Ok(Target { modulo, served, ente, held: None })
}

/// The benefit that the path names, with the record that is in force. None where it cannot be corrected here.
async fn corrected(visit: &Visit) -> Result<Target<'_>, Refusal> {
    let (served, found) = held(visit).await?;
    let ente = erogatore(served, &found.codice_ente).ok_or(Refusal::NotFound)?;
    let record = can_be_corrected(&found).ok_or(Refusal::NotFound)?;
    let modulo = if found.tipo == TipoFlusso::Sinba { &MINORE } else { &PRESTAZIONE };
    Ok(Target { modulo, served, ente, held: Some((found, record)) })
}

/// The record in force of a benefit that can be corrected here: it is active, and its content is there.
pub(super) fn can_be_corrected(found: &Found) -> Option<Element> {
    let is_active = found.stato == Stato::Attiva;
    let last = found.flussi.iter().rfind(|flusso| flusso.operazione.as_deref() != Some("C"))?;
    match &last.payload {
        Payload::Xml(xml) if is_active => record(xml),
        _ => None,
    }
}

pub(super) async fn begin(visit: Visit) -> Answer {
    begin_with(&visit, &PRESTAZIONE).await
}

pub(super) async fn begin_child(visit: Visit) -> Answer {
    begin_with(&visit, &MINORE).await
}

async fn begin_with(visit: &Visit, modulo: &'static Modulo) -> Answer {
    let target = target(visit, modulo)?;
    let rules = visit.console.rules().await?;
    visit::show(&page(visit, &target, &Bozza::empty(modulo), 0, Errors::default(), &rules)?)
}

pub(super) async fn go_on(visit: Visit) -> Answer {
    step(&visit, &target(&visit, &PRESTAZIONE)?).await
}

pub(super) async fn go_on_with_child(visit: Visit) -> Answer {
    step(&visit, &target(&visit, &MINORE)?).await
}

pub(super) async fn correct(visit: Visit) -> Answer {
    let target = corrected(&visit).await?;
    let Some((found, record)) = &target.held else { return Err(Refusal::NotFound) };
    visit.log(visit.action(Kind::BenefitViewed)?.of(target.served.id).to(found.id)).await?;
    let rules = visit.console.rules().await?;
    visit::show(&page(&visit, &target, &Bozza::of(target.modulo, record), 0, Errors::default(), &rules)?)
}

pub(super) async fn go_on_correcting(visit: Visit) -> Answer {
    let target = corrected(&visit).await?;
    step(&visit, &target).await
}

/// What the form computes, for a script that shows it while one types.
pub(super) async fn compute(visit: Visit) -> Answer {
    let rules = visit.console.rules().await?;
    let html = Calcolo::new(&Bozza::read(&PRESTAZIONE, &visit.form), None, &rules.nomenclatore).render()?;
    Ok(HttpResponse::Ok().json(json!({ "html": html })))
}

/// The step to which the form leads.
async fn step(visit: &Visit, target: &Target<'_>) -> Answer {
    let rules = visit.console.rules().await?;
    let summary_at = target.modulo.summary();
    let mut bozza = Bozza::read(target.modulo, &visit.form);
    bozza.forget(rules.pseudonyms.as_ref(), text::today(visit.console.clock.now()));
    let step = visit.form.text("passo").parse().unwrap_or(0).min(summary_at);
    let next = match visit.form.text("vai") {
        "indietro" => step.saturating_sub(1),
        "ricalcola" => step,
        "conferma" => return confirm(visit, target, &bozza, &rules).await,
        "avanti" => {
            let errors = errors_of(&bozza, target, step, &rules);
            if !errors.is_empty() {
                return visit::show_again(&page(visit, target, &bozza, step, errors, &rules)?);
            }
            step + 1
        }
        other => other.parse().unwrap_or(step),
    };
    if next >= summary_at {
        return summary(visit, target, &bozza, &rules, None).await;
    }
    visit::show(&page(visit, target, &bozza, next, Errors::default(), &rules)?)
}

/// Publishes what was shown.
async fn confirm(visit: &Visit, target: &Target<'_>, bozza: &Bozza, rules: &Rulebook) -> Answer {
    let (record, fault) = bozza.record(target.base(), &rules.nomenclatore);
    let taken = intake::judge(record, rules);
    if fault.is_some() || taken.is_refused() || taken.records.is_empty() {
        return summary(visit, target, bozza, rules, None).await;
    }
    let change = target.change(taken.records);
    let confirmed = perform(visit, target.served, target.ente.clone(), change, Kind::BenefitChanged).await?;
    match confirmed.ok_or(Refusal::NotFound)? {
        Confirmed::Done(published) => {
            // A benefit that was another one is withdrawn first, and what took its place comes after.
            let mut now = published.iter().filter(|one| !matches!(one.verdict, Verdict::Withdrawn { .. }));
            let id = now.find_map(|one| one.prestazione).ok_or(Refusal::NotFound)?;
            let done = if target.held.is_some() { "correzione" } else { "nuova" };
            Ok(visit::go_to(&format!("{}?fatto={done}", address(&target.served.config.name, id))))
        }
        Confirmed::Other(preview) => summary(visit, target, bozza, rules, Some(*preview)).await,
    }
}
