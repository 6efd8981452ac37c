//! Benefits: looking for them, the page of one, writing, correcting and withdrawing it, sending it again.
//!
//! Whatever changes what INPS holds is shown before it is done, and what was shown is what is published. Which flows
//! those are is decided by the registry; here is only what people see of it.

mod anteprima;
mod documento;
mod guidata;
mod ricerca;
mod scheda;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Served;
use super::pages::{Access, Page, Section};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::call_log::action::{Kind, Outcome};
use crate::registry::{Found, Lookup, RefusedInsertions, Registry};
use crate::siuss::record::EnteErogatore;
use crate::staff::Role;

const OPERATORS: Access = Access::Roles(&[Role::Operatore]);

/// Where benefits are looked for.
const PRESTAZIONI: &str = "/prestazioni";

/// The part about benefits.
pub(super) const SECTION: Section = Section {
    label: Some("Prestazioni"),
    pages: &[
        Page::get(PRESTAZIONI, OPERATORS, |visit| Box::pin(ricerca::show(visit))),
        Page::post(PRESTAZIONI, OPERATORS, |visit| Box::pin(ricerca::look(visit))),
        Page::get(guidata::NUOVA, OPERATORS, |visit| Box::pin(guidata::begin(visit))),
        Page::post(guidata::NUOVA, OPERATORS, |visit| Box::pin(guidata::go_on(visit))),
        Page::get(guidata::MINORE_NUOVO, OPERATORS, |visit| Box::pin(guidata::begin_child(visit))),
        Page::post(guidata::MINORE_NUOVO, OPERATORS, |visit| Box::pin(guidata::go_on_with_child(visit))),
        Page::post("/prestazioni/calcolo", OPERATORS, |visit| Box::pin(guidata::compute(visit))),
        Page::get("/prestazioni/{eservice}/{id}/correzione", OPERATORS, |visit| {
            Box::pin(guidata::correct(visit))
        }),
        Page::post("/prestazioni/{eservice}/{id}/correzione", OPERATORS, |visit| {
            Box::pin(guidata::go_on_correcting(visit))
        }),
        Page::get("/prestazioni/{eservice}/{id}", OPERATORS, |visit| Box::pin(scheda::show(visit))),
        Page::get("/prestazioni/{eservice}/{id}/xml/{flusso}", OPERATORS, |visit| {
            Box::pin(scheda::xml(visit))
        }),
        Page::get("/prestazioni/{eservice}/{id}/ritiro", OPERATORS, |visit| {
            Box::pin(anteprima::show(visit, &anteprima::RITIRO))
        }),
        Page::post("/prestazioni/{eservice}/{id}/ritiro", OPERATORS, |visit| {
            Box::pin(anteprima::confirm(visit, &anteprima::RITIRO))
        }),
        Page::get("/prestazioni/{eservice}/{id}/invio", OPERATORS, |visit| {
            Box::pin(anteprima::show(visit, &anteprima::INVIO))
        }),
        Page::post("/prestazioni/{eservice}/{id}/invio", OPERATORS, |visit| {
            Box::pin(anteprima::confirm(visit, &anteprima::INVIO))
        }),
    ],
};

/// The address of the page of a benefit.
fn address(eservice: &str, id: i64) -> String {
    format!("{PRESTAZIONI}/{}/{id}", utf8_percent_encode(eservice, NON_ALPHANUMERIC))
}

/// The e-service of this name, if whoever is signed in may see it.
fn served<'a>(visit: &'a Visit, name: &str) -> Result<&'a Served, Refusal> {
    visit.eservices().find(|served| served.config.name == name).ok_or(Refusal::NotFound)
}

/// The registry, which deals with refusals as the e-service is configured to.
fn registry(visit: &Visit, served: &Served) -> Registry {
    let refused = RefusedInsertions::of(served.config.cancel_refused);
    visit.console.registry.clone().with_refused(refused)
}

/// The ente with this code, as flows name it; none if the e-service has no such ente, or the configuration of it is
/// wrong.
fn erogatore(served: &Served, codice: &str) -> Option<EnteErogatore> {
    served.config.ente.iter().find(|ente| ente.codice == codice)?.erogatore().ok()
}

/// The benefit that the path names, of an ente whose data whoever is signed in may see. One of another ente is not told
/// from one that does not exist.
async fn held(visit: &Visit) -> Result<(&Served, Found), Refusal> {
    let served = served(visit, visit.parameter("eservice")?)?;
    let id: Option<i64> = visit.parameter("id")?.parse().ok();
    let mut found = None;
    if let Some(id) = id {
        let benefits = visit.console.registry.find_async(served.id, Lookup::Id(id), 1).await?;
        let scope = &visit.account()?.scope;
        found = benefits.into_iter().find(|found| scope.includes_ente(served.id, &found.codice_ente));
    }
    if found.is_none() {
        visit.log(visit.action(Kind::BenefitViewed)?.of(served.id).with(Outcome::NotFound)).await?;
    }
    found.map(|found| (served, found)).ok_or(Refusal::NotFound)
}
