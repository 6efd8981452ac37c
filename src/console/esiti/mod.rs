//! What INPS said of the flows: what it refused and is still to be put right, what it accepted, and what it said of
//! flows that are not ours; each list as a file, too.
//!
//! Which outcomes those are is told by the registry.

mod file;
mod ricevuti;
mod rifiutati;

use url::form_urlencoded::{Serializer, byte_serialize};

use super::Served;
use super::form::{Errors, Form};
use super::pages::{Access, Page, Section};
use super::refusal::Refusal;
use super::visit::Visit;
use crate::registry::{ReceivedFilter, Which};
use crate::staff::Role;

const OPERATORS: Access = Access::Roles(&[Role::Operatore]);

const ESITI: &str = "/esiti";

/// What operators read of the outcomes.
pub(super) const SECTION: Section = Section {
    label: Some("Esiti"),
    pages: &[
        Page::get(ESITI, OPERATORS, |visit| Box::pin(rifiutati::show(visit))),
        Page::get("/esiti/accettati", OPERATORS, |visit| Box::pin(ricevuti::show(visit, Which::Accepted))),
        Page::get("/esiti/sconosciuti", OPERATORS, |visit| Box::pin(ricevuti::show(visit, Which::Unknown))),
        Page::post("/esiti/file", OPERATORS, |visit| Box::pin(file::send(visit))),
    ],
};

/// Outcomes of a page.
const PAGE: usize = 100;

/// What is asked of every list.
struct Asked<'a> {
    served: &'a Served,
    filter: ReceivedFilter,
    errors: Errors,
    /// The form, filled in as it was sent.
    filtro: Filtro,
}

/// The form above every list, and what a file of it repeats.
struct Filtro {
    eservices: Vec<(String, bool)>,
    /// A value, a label, whether it is chosen.
    enti: Vec<(String, String, bool)>,
    eservice: String,
    ente: String,
    from: String,
    until: String,
}

/// What `form` asks for, as far as whoever is signed in may: the first e-service, and all enti or the first, where none
/// is named.
fn asked<'a>(visit: &'a Visit, form: &Form) -> Result<Asked<'a>, Refusal> {
    let name = form.text("eservice");
    let mut eservices = visit.eservices().filter(|served| name.is_empty() || served.config.name == name);
    let served = eservices.next().ok_or(Refusal::NotFound)?;
    let scope = visit.account()?.scope.enti(served.id);
    let mut ente = form.text("ente").to_owned();
    if let Some(enti) = &scope {
        if ente.is_empty() {
            ente = enti.first().map(|ente| (*ente).to_owned()).unwrap_or_default();
        }
        if !enti.contains(&ente.as_str()) {
            return Err(Refusal::NotFound);
        }
    }
    let mut errors = Errors::default();
    let (from, until) = form.period(&mut errors);
    let filter = ReceivedFilter { ente: Some(ente.clone()).filter(|ente| !ente.is_empty()), from, until };
    let filtro = Filtro {
        eservices: visit.eservices().map(|one| (one.config.name.clone(), one.id == served.id)).collect(),
        enti: enti(served, scope.as_deref(), &ente),
        eservice: served.config.name.clone(),
        ente,
        from: form.text("da").to_owned(),
        until: form.text("a").to_owned(),
    };
    Ok(Asked { served, filter, errors, filtro })
}

/// The enti of an e-service that may be asked about.
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

/// The address of the same list, from `next` on.
fn address(visit: &Visit, next: &str) -> String {
    let mut pairs = Serializer::new(String::new());
    for name in ["eservice", "ente", "da", "a", "sistemati"] {
        let value = visit.query.text(name);
        if !value.is_empty() {
            pairs.append_pair(name, value);
        }
    }
    format!("{}?{}", visit.path, pairs.append_pair("dopo", next).finish())
}

/// The address of the page of a benefit.
fn benefit(served: &Served, id: i64) -> String {
    let name: String = byte_serialize(served.config.name.as_bytes()).collect();
    format!("/prestazioni/{}/{id}", name.replace('+', "%20"))
}

/// What a flow does, by whether it is a cancellation.
fn operation(cancels: bool) -> &'static str {
    if cancels { "annullamento" } else { "inserimento" }
}
