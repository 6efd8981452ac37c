//! The search.

use askama::Template;
use url::form_urlencoded;

use super::{PRESTAZIONI, address, served};
use crate::call_log::action::Kind;
use crate::call_log::progress;
use crate::console::Served;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::intake::canonical;
use crate::registry::search::search;
use crate::registry::{Listed, Search, SearchPage, Stato, StatoFlusso, Wanted};
use crate::siuss::values::{CodiceFiscale, Data, Kind as ValueKind, Value};
use crate::store::Day;

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
    person: String,
    protocol: String,
    codice: String,
    from: String,
    until: String,
    states: Vec<(&'static str, &'static str, bool)>,
    has_enti: bool,
    rows: Vec<Row>,
    /// The next page.
    next: Option<String>,
}

/// A benefit as a row of the table.
struct Row {
    address: String,
    listed: Listed,
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

pub(super) async fn show(visit: Visit) -> Answer {
    let asked = |name: &str| visit.query.text(name).chars().take(LONGEST).collect::<String>();
    let mut errors = Errors::default();
    let chosen = match asked("servizio") {
        name if name.is_empty() => visit.eservices().next(),
        name => Some(served(&visit, &name)?),
    };
    let state = asked("stato");
    let (person, protocol, codice) = (asked("persona"), asked("protocollo"), asked("codice"));
    let mut looked = Search {
        // A fiscal code is kept in capitals; a child's code as it was given.
        person: some(CodiceFiscale::read(&person).map_or(person.clone(), |code| code.as_str().to_owned())),
        label: some(protocol.clone()),
        codice: some(codice.to_ascii_uppercase()),
        wanted: STATES.iter().find(|(name, ..)| *name == state).map(|(.., wanted)| *wanted),
        ..Search::default()
    };
    for (field, bound) in [("dal", &mut looked.from_ms), ("al", &mut looked.until_ms)] {
        let text = asked(field);
        if text.is_empty() {
            continue;
        }
        let day = Data::read(&canonical(ValueKind::Day, &text)).map(|day| Day::from(day.day()));
        let instant = day.and_then(|day| if field == "dal" { day.start() } else { day.end() });
        match instant {
            Some(instant) => *bound = Some(instant.as_millisecond()),
            None => errors.add(field, "Scrivere il giorno come GG/MM/AAAA, per esempio 31/01/2026."),
        }
    }
    let found = match chosen {
        Some(served) if errors.is_empty() => find(&visit, served, looked).await?,
        _ => SearchPage::default(),
    };
    let next = found.next.map(|after| next_address(&visit, after));
    let name = chosen.map(|served| served.config.name.as_str()).unwrap_or_default();
    let rows = found.benefits.into_iter().map(|listed| Row {
        address: address(name, listed.id),
        created: text::day(listed.created_ms),
        stato: badge(listed.stato, listed.flusso),
        listed,
    });
    let rows = rows.collect();
    let page = Ricerca {
        frame: visit.frame("Prestazioni").below("Cruscotto", "/"),
        eservices: visit.eservices().map(|one| (one.config.name.clone(), one.config.name == name)).collect(),
        has_enti: chosen.is_some_and(|served| served.config.ente.len() > 1),
        errors,
        person,
        protocol,
        codice,
        from: asked("dal"),
        until: asked("al"),
        states: STATES.iter().map(|(name, text, _)| (*name, *text, *name == state)).collect(),
        rows,
        next,
    };
    if page.errors.is_empty() { visit::show(&page) } else { visit::show_again(&page) }
}

async fn find(visit: &Visit, served: &Served, mut looked: Search) -> Result<SearchPage, Refusal> {
    let id = served.id;
    let enti = visit.account()?.scope.enti(id);
    looked.enti = enti.map(|enti| enti.into_iter().map(str::to_owned).collect());
    let after = visit.query.text("dopo").parse().ok();
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

/// The address of the same search, after the benefit `after`.
fn next_address(visit: &Visit, after: i64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["servizio", "persona", "protocollo", "codice", "stato", "dal", "al"] {
        let value = visit.query.text(name);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    query.append_pair("dopo", &after.to_string());
    format!("{PRESTAZIONI}?{}", query.finish())
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
