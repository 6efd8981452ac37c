//! Files of benefits: load one, look at what would be published, say what its columns are, confirm, follow, look back.
//!
//! What becomes of a file is decided in [`crate::caricamenti`]; here it is shown, and asked for.

mod elenco;
mod report;
mod scheda;

use super::Served;
use super::pages::{Access, Page, Section};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::caricamenti::{self, Caricamento, Stato};
use crate::config::{EService, Ente};
use crate::staff::Role;
use crate::store::EserviceId;

const OPERATORS: Access = Access::Roles(&[Role::Operatore]);

/// Where files are loaded and listed.
const ELENCO: &str = "/caricamenti";

/// The part for files.
pub(super) const SECTION: Section = Section {
    label: Some("Caricamenti"),
    pages: &[
        Page::get(ELENCO, OPERATORS, |visit| Box::pin(elenco::show(visit))),
        Page::post_file(ELENCO, OPERATORS, |visit| Box::pin(elenco::load(visit))),
        Page::get("/caricamenti/{id}", OPERATORS, |visit| Box::pin(scheda::show(visit))),
        Page::get("/caricamenti/{id}/stato", OPERATORS, |visit| Box::pin(scheda::state(visit))),
        Page::get("/caricamenti/{id}/rapporto.csv", OPERATORS, |visit| Box::pin(report::csv(visit))),
        Page::get("/caricamenti/{id}/rapporto.json", OPERATORS, |visit| Box::pin(report::json(visit))),
        Page::post("/caricamenti/{id}/colonne", OPERATORS, |visit| Box::pin(scheda::map(visit))),
        Page::post("/caricamenti/{id}/conferma", OPERATORS, |visit| Box::pin(scheda::confirm(visit))),
        Page::post("/caricamenti/{id}/annulla", OPERATORS, |visit| Box::pin(scheda::withdraw(visit))),
        Page::post("/caricamenti/{id}/riprendi", OPERATORS, |visit| Box::pin(scheda::resume(visit))),
    ],
};

/// The enti that whoever is signed in may load for.
fn enti(visit: &Visit) -> impl Iterator<Item = (EserviceId, &EService, &Ente)> {
    let account = visit.visitor.account.as_ref();
    visit
        .eservices()
        .flat_map(|Served { id, config, .. }| config.ente.iter().map(move |ente| (*id, config, ente)))
        .filter(move |(id, _, ente)| {
            account.is_some_and(|account| account.scope.includes_ente(*id, &ente.codice))
        })
}

/// The file that the path names, if whoever is signed in may see it: whether there is one that they may not is not told.
async fn asked(visit: &Visit) -> Result<Caricamento, Refusal> {
    let id: i64 = visit.parameter("id")?.parse().map_err(|_| Refusal::NotFound)?;
    let found = visit.console.store.read_async(move |connection| caricamenti::find(connection, id)).await?;
    let found = found.ok_or(Refusal::NotFound)?;
    let scope = &visit.account()?.scope;
    if scope.includes_ente(found.eservice, &found.codice_ente) { Ok(found) } else { Err(Refusal::NotFound) }
}

/// Where a file is shown.
fn path_of(id: i64) -> String {
    format!("{ELENCO}/{id}")
}

/// Whether publishing the file would change anything.
fn publishes(caricamento: &Caricamento) -> bool {
    let figures = &caricamento.figures;
    figures.new + figures.changed + figures.withdrawn > 0
}

/// What pages call a state, and how they mark it.
fn state_text(caricamento: &Caricamento, now_ms: i64) -> (&'static str, &'static str) {
    if caricamento.is_interrupted(now_ms) {
        return ("interrotto", "errore");
    }
    match caricamento.stato {
        Stato::InArrivo => ("in arrivo", "neutro"),
        Stato::DaLeggere => ("in attesa di essere letto", "neutro"),
        Stato::Lettura => ("lettura in corso", "neutro"),
        Stato::Colonne => ("colonne da indicare", "attenzione"),
        Stato::Illeggibile => ("non leggibile", "errore"),
        Stato::Pronto if !publishes(caricamento) => ("nulla da pubblicare", "attenzione"),
        Stato::Pronto => ("da confermare", "attenzione"),
        Stato::DaPubblicare => ("in attesa di essere pubblicato", "neutro"),
        Stato::Pubblicazione => ("pubblicazione in corso", "neutro"),
        Stato::Concluso => ("pubblicato", "ok"),
        Stato::Annullato => ("annullato", "neutro"),
        Stato::Scaduto => ("scaduto", "neutro"),
    }
}
