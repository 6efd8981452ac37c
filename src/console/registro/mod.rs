//! The register of calls, for auditors: finding calls, one call, who received a person's data, integrity, exports, and
//! the daily counts for PDND. No page of it shows a payload.

mod chiamata;
mod chiamate;
mod esportazioni;
mod integrita;
mod persona;
mod testi;
mod tracing;
mod verifica;

use std::future::ready;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::pages::{Access, Page, Section};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::staff::Role;
use crate::store::EserviceId;
use verifica::Verification;

const AUDITORS: Access = Access::Roles(&[Role::Revisore]);

const CHIAMATE: &str = "/registro";
const PERSONA: &str = "/registro/persona";
const INTEGRITA: &str = "/registro/integrita";
const ESPORTAZIONI: &str = "/registro/esportazioni";
const TRACING: &str = "/registro/tracing";

/// The part for auditors.
pub(super) const SECTION: Section = Section {
    label: Some("Registro"),
    pages: &[
        Page::get(CHIAMATE, AUDITORS, |visit| Box::pin(chiamate::show(visit))),
        Page::get("/registro/chiamate/{registro}/{indice}", AUDITORS, |visit| {
            Box::pin(chiamata::show(visit))
        }),
        Page::post("/registro/chiamate/{registro}/{indice}/prova", AUDITORS, |visit| {
            Box::pin(chiamata::prove(visit))
        }),
        Page::get(PERSONA, AUDITORS, |visit| Box::pin(ready(persona::ask(&visit)))),
        Page::post(PERSONA, AUDITORS, |visit| Box::pin(persona::tell(visit))),
        Page::get(INTEGRITA, AUDITORS, |visit| Box::pin(integrita::show(visit))),
        Page::post("/registro/integrita/verifica", AUDITORS, |visit| Box::pin(integrita::verify(visit))),
        Page::get(ESPORTAZIONI, AUDITORS, |visit| Box::pin(ready(esportazioni::ask(&visit)))),
        Page::post(ESPORTAZIONI, AUDITORS, |visit| Box::pin(esportazioni::send(visit))),
        Page::post("/registro/esportazioni/checkpoint", AUDITORS, |visit| {
            Box::pin(esportazioni::checkpoints(visit))
        }),
        Page::get(TRACING, AUDITORS, |visit| Box::pin(tracing::show(visit))),
    ],
};

/// How many exports and proofs are made at once: each reads a whole log.
const AT_ONCE: usize = 2;

/// What goes on behind the pages.
pub(super) struct Work {
    exports: Arc<Semaphore>,
    verification: Verification,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { exports: Arc::new(Semaphore::new(AT_ONCE)), verification: Verification::default() }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.verification.stop();
    }
}

/// A log that whoever is signed in may see.
struct Log {
    /// The table's number of it; 0 is that of the calls outside any e-service.
    id: i64,
    /// Name of the e-service.
    eservice: Option<String>,
    /// The enti of which they may see something; none: all of it.
    enti: Option<Vec<String>>,
}

impl Log {
    /// What pages call it.
    fn label(&self) -> &str {
        label(self.eservice.as_deref())
    }
}

/// What pages call the log of the e-service of this name.
fn label(eservice: Option<&str>) -> &str {
    eservice.unwrap_or("fuori da ogni e-service")
}

/// Whether whoever is signed in sees everything.
fn sees_all(visit: &Visit) -> Result<bool, Refusal> {
    Ok(!visit.account()?.scope.is_limited())
}

/// The logs that whoever is signed in may see; that of the calls outside any e-service last, for whom nothing is limited.
fn logs(visit: &Visit) -> Result<Vec<Log>, Refusal> {
    let scope = &visit.account()?.scope;
    let of = |id: EserviceId| scope.enti(id).map(|enti| enti.into_iter().map(str::to_owned).collect());
    let mut logs: Vec<Log> = visit
        .eservices()
        .map(|served| Log {
            id: served.id.get(),
            eservice: Some(served.config.name.clone()),
            enti: of(served.id),
        })
        .collect();
    if sees_all(visit)? {
        logs.push(Log { id: 0, eservice: None, enti: None });
    }
    Ok(logs)
}

/// The e-service of this name that whoever is signed in may see, where nothing of its log is hidden from them.
fn whole(visit: &Visit, name: &str) -> Result<Option<String>, Refusal> {
    if name.is_empty() {
        return if sees_all(visit)? { Ok(None) } else { Err(Refusal::NotFound) };
    }
    let is_it = |log: &Log| log.enti.is_none() && log.eservice.as_deref() == Some(name);
    logs(visit)?.into_iter().find(is_it).map(|log| log.eservice).ok_or(Refusal::NotFound)
}

/// Something to choose in a form.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

impl Choice {
    fn new(value: &str, label: impl Into<String>, chosen: &str) -> Self {
        Self { value: value.to_owned(), label: label.into(), chosen: value == chosen }
    }
}

/// The logs of which nothing is hidden, and all of them together where that may be.
fn whole_logs(visit: &Visit, chosen: &str) -> Result<Vec<Choice>, Refusal> {
    let mut choices = Vec::new();
    if sees_all(visit)? {
        choices.push(Choice::new("", "tutti i registri", chosen));
    }
    let whole = logs(visit)?.into_iter().filter(|log| log.enti.is_none());
    choices.extend(whole.filter_map(|log| Some(Choice::new(log.eservice.as_deref()?, log.label(), chosen))));
    Ok(choices)
}
