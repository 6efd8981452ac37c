//! The search. What tells a person is typed in a form and stands in no address; any other search has one, so that one can
//! come back to it.

use askama::Template;
use jiff::Timestamp;
use url::form_urlencoded;

use super::{PRESTAZIONI, address, served};
use crate::call_log::action::Kind;
use crate::call_log::progress;
use crate::console::Served;
use crate::console::form::{Errors, Form, period};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::registry::search::search;
use crate::registry::{Listed, Search, SearchPage, Stato, StatoFlusso, Wanted};
use crate::siuss::values::{CodiceFiscale, Value};

/// Benefits on a page.
const PAGE: usize = 25;
/// Characters of what is looked for: more than any field may have.
const LONGEST: usize = 64;

/// What may be asked of how far a benefit has come.
const STATES: [(&str, &str, Wanted); 6] = [
    ("attive", "Attive", Wanted::Active),
    ("ritirate", "Ritirate", Wanted::Withdrawn),
    ("attesa", "In attesa di INPS", Wanted::Flow(StatoFlusso::Pubblicato)),
    ("prelevate", "Prelevate, senza esito", Wanted::Flow(StatoFlusso::Prelevato)),
    ("accettate", "Accettate", Wanted::Flow(StatoFlusso::Accettato)),
    ("rifiutate", "Rifiutate", Wanted::Flow(StatoFlusso::Rifiutato)),
];

#[derive(Template)]
#[template(path = "prestazioni/ricerca.html")]
struct Ricerca {
    frame: Frame,
    errors: Errors,
    eservices: Vec<(String, bool)>,
    asked: Asked,
    states: Vec<(&'static str, &'static str, bool)>,
    has_enti: bool,
    rows: Vec<Row>,
    /// The benefit after which the next page goes on.
    next: Option<i64>,
}

/// A benefit as a row of the table.
struct Row {
    address: String,
    listed: Listed,
    /// The month in which it begins.
    from: String,
    created: String,
    stato: (&'static str, &'static str),
}

/// How a benefit's state is shown: the kind of badge, and its text.
pub(super) fn badge(stato: Stato, flusso: StatoFlusso) -> (&'static str, &'static str) {
    match (stato, flusso) {
        (Stato::Ritirata, StatoFlusso::Rifiutato) => ("errore", "ritiro rifiutato"),
        (Stato::Ritirata, _) => ("neutro", "ritirata"),
        (Stato::Attiva, flusso) => flow_badge(flusso),
    }
}

/// How the state of a flow is shown.
pub(super) fn flow_badge(flusso: StatoFlusso) -> (&'static str, &'static str) {
    match flusso {
        StatoFlusso::Pubblicato => ("attenzione", "in attesa di INPS"),
        StatoFlusso::Prelevato => ("attenzione", "prelevata, senza esito"),
        StatoFlusso::Accettato => ("ok", "accettata"),
        StatoFlusso::Rifiutato => ("errore", "rifiutata"),
    }
}

/// What is looked for, as it was typed.
struct Asked {
    servizio: String,
    person: String,
    protocol: String,
    codice: String,
    state: String,
    from: String,
    until: String,
    /// The benefit after which the search goes on.
    after: String,
}

impl Asked {
    fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).chars().take(LONGEST).collect::<String>();
        Self {
            servizio: text("servizio"),
            person: text("persona"),
            protocol: text("protocollo"),
            codice: text("codice"),
            state: text("stato"),
            from: text("dal"),
            until: text("al"),
            after: text("dopo"),
        }
    }

    /// What an address may ask: nothing that tells a person, be it there.
    fn read_address(query: &Form) -> Self {
        Self { person: String::new(), protocol: String::new(), ..Self::read(query) }
    }

    /// The address of the same search; none where something of it may tell a person, or was typed into the field of
    /// something else: addresses are kept by browsers and proxies.
    fn address(&self) -> Option<String> {
        let is_code = self.codice.is_empty() || (self.codice.len() <= 10 && self.codice.contains('.'));
        if !(self.person.is_empty() && self.protocol.is_empty() && is_code) {
            return None;
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        let state = STATES.iter().find(|(name, ..)| *name == self.state).map_or("", |(name, ..)| name);
        let after = self.after.parse::<i64>().map_or("", |_| self.after.as_str());
        for (name, value) in [
            ("servizio", self.servizio.as_str()),
            ("codice", &self.codice),
            ("stato", state),
            ("dal", &self.from),
            ("al", &self.until),
            ("dopo", after),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        Some(if query.is_empty() { PRESTAZIONI.to_owned() } else { format!("{PRESTAZIONI}?{query}") })
    }

    /// What the registry is to look for.
    fn search(&self, errors: &mut Errors) -> Search {
        // A fiscal code is kept in capitals; a child's code as it was given.
        let person =
            CodiceFiscale::read(&self.person).map_or(self.person.clone(), |code| code.as_str().to_owned());
        let (from, until) = period([("dal", &self.from), ("al", &self.until)], errors);
        Search {
            person: some(person),
            label: some(self.protocol.clone()),
            codice: some(self.codice.to_ascii_uppercase()),
            wanted: STATES.iter().find(|(name, ..)| *name == self.state).map(|(.., wanted)| *wanted),
            from_ms: from.map(Timestamp::as_millisecond),
            until_ms: until.map(Timestamp::as_millisecond),
            ..Search::default()
        }
    }
}

/// The search that an address asks for.
pub(super) async fn show(visit: Visit) -> Answer {
    let asked = Asked::read_address(&visit.query);
    let mut errors = Errors::default();
    let search = asked.search(&mut errors);
    answer(&visit, asked, search, errors).await
}

/// The search that the form asks for: at an address of its own wherever it may have one.
pub(super) async fn look(visit: Visit) -> Answer {
    let asked = Asked::read(&visit.form);
    let mut errors = Errors::default();
    let search = asked.search(&mut errors);
    match asked.address() {
        Some(address) if errors.is_empty() => Ok(visit::go_to(&address)),
        _ => answer(&visit, asked, search, errors).await,
    }
}

async fn answer(visit: &Visit, asked: Asked, search: Search, errors: Errors) -> Answer {
    let chosen = match asked.servizio.as_str() {
        "" => visit.eservices().next(),
        name => Some(served(visit, name)?),
    };
    let found = match chosen {
        Some(served) if errors.is_empty() => find(visit, served, search, asked.after.parse().ok()).await?,
        _ => SearchPage::default(),
    };
    let name = chosen.map(|served| served.config.name.as_str()).unwrap_or_default();
    let rows = found.benefits.into_iter().map(|listed| Row {
        address: address(name, listed.id),
        from: listed.primo_mese.map(text::month).unwrap_or_default(),
        created: text::day(listed.created_ms),
        stato: badge(listed.stato, listed.flusso),
        listed,
    });
    let rows = rows.collect();
    let page = Ricerca {
        frame: visit.frame("Prestazioni").below("Cruscotto", "/"),
        eservices: visit.eservices().map(|one| (one.config.name.clone(), one.config.name == name)).collect(),
        has_enti: chosen.is_some_and(|served| served.config.ente.len() > 1),
        states: STATES.iter().map(|(name, text, _)| (*name, *text, *name == asked.state)).collect(),
        errors,
        asked,
        rows,
        next: found.next,
    };
    if page.errors.is_empty() { visit::show(&page) } else { visit::show_again(&page) }
}

async fn find(
    visit: &Visit,
    served: &Served,
    mut looked: Search,
    after: Option<i64>,
) -> Result<SearchPage, Refusal> {
    let id = served.id;
    let enti = visit.account()?.scope.enti(id);
    looked.enti = enti.map(|enti| enti.into_iter().map(str::to_owned).collect());
    let found = visit
        .console
        .store
        .read_async(move |connection| {
            looked.pulled = progress(connection, id)?.map_or(0, |progress| progress.position);
            search(connection, id, &looked, after, PAGE)
        })
        .await?;
    visit.log(visit.action(Kind::BenefitsListed)?.of(id).counting(found.benefits.len())).await?;
    Ok(found)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
