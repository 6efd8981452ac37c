//! Finding calls: the filters of the log as a form, what they find newest first, page after page.

use std::collections::BTreeMap;

use askama::Template;
use url::form_urlencoded::Serializer;

use super::testi::{self, OUTCOMES, badge, member, what, who};
use super::{CHIAMATE, Choice, Log, label, logs, sees_all};
use crate::call_log::action::{Kind, Outcome};
use crate::call_log::search::{About, Cursor, Filter, Found, held, search_newest};
use crate::console::form::{Errors, Form};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::store::{EserviceId, StoreError};

/// Entries of a page.
const PAGE: u32 = 50;
/// The longest text that is looked for, in characters.
const LONGEST: usize = 128;

/// What may be asked.
const FIELDS: [&str; 14] = [
    "registro",
    "da",
    "a",
    "esito",
    "stato",
    "azione",
    "utente",
    "fruitore",
    "finalita",
    "voucher",
    "richiesta",
    "ente",
    "flusso",
    "prestazione",
];

#[derive(Template)]
#[template(path = "registro/chiamate.html")]
struct Chiamate {
    frame: Frame,
    errors: Errors,
    values: BTreeMap<&'static str, String>,
    registri: Vec<Choice>,
    enti: Vec<Choice>,
    esiti: Vec<Choice>,
    azioni: Vec<Choice>,
    rows: Vec<Riga>,
    /// The address of what follows.
    next: Option<String>,
    is_filtered: bool,
}

impl Chiamate {
    fn value(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// An entry as a row of a table.
pub(super) struct Riga {
    pub(super) path: String,
    pub(super) index: i64,
    pub(super) instant: String,
    pub(super) registro: String,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) outcome: String,
    pub(super) badge: &'static str,
    pub(super) count: String,
}

impl Riga {
    pub(super) fn of(found: &Found) -> Result<Self, StoreError> {
        let entry = found.json()?;
        let eservice = member(&entry, "eservice");
        Ok(Self {
            path: format!("/registro/chiamate/{}/{}", found.log_id(), found.index()),
            index: found.index(),
            instant: text::instant(found.instant_ms()),
            registro: label((!eservice.is_empty()).then_some(eservice.as_str())).to_owned(),
            who: who(&entry),
            what: what(&entry),
            outcome: testi::outcome(&member(&entry, "outcome")).into_owned(),
            badge: badge(&entry),
            count: member(&entry, "count"),
        })
    }
}

/// What was asked, as far as it may be.
struct Asked {
    filter: Filter,
    /// The e-service and the enti that what is asked about must be of, where it is asked by somebody limited to enti.
    within: Option<(EserviceId, Vec<String>)>,
}

fn asked(visit: &Visit, logs: &[Log], errors: &mut Errors) -> Result<Asked, Refusal> {
    let query = &visit.query;
    let text = |name: &str| {
        let text = query.text(name);
        (!text.is_empty()).then(|| text.chars().take(LONGEST).collect::<String>())
    };
    // Without limits nothing need be chosen; with limits, the first is chosen where nothing is.
    let log = match text("registro") {
        Some(name) => {
            let found = logs.iter().find(|log| log.eservice.as_ref() == Some(&name));
            Some(found.ok_or(Refusal::NotFound)?)
        }
        None if sees_all(visit)? => None,
        None => Some(logs.first().ok_or(Refusal::Forbidden)?),
    };
    let mut ente = text("ente");
    if let Some(enti) = log.and_then(|log| log.enti.as_ref()) {
        let chosen = ente.or_else(|| enti.first().cloned()).filter(|ente| enti.contains(ente));
        ente = Some(chosen.ok_or(Refusal::NotFound)?);
    }
    let (from, until) = query.period(errors);
    let mut number = |name: &'static str, wrong: &'static str| {
        let number = text(name).map(|text| text.parse::<i64>());
        if matches!(number, Some(Err(_))) {
            errors.add(name, wrong);
        }
        number.and_then(Result::ok)
    };
    let status = number("stato", "Lo stato HTTP è un numero, per esempio 403.")
        .map(|status| u16::try_from(status).unwrap_or(u16::MAX));
    let benefit = number("prestazione", "La prestazione si cerca con il numero che ha in questo archivio.");
    let about = text("flusso").map(About::Flow).or(benefit.map(About::Benefit));
    if about.is_some() && benefit.is_some() && text("flusso").is_some() {
        errors.add("prestazione", "Cercare per flusso o per prestazione, non per entrambi.");
    }
    let within = log.and_then(|log| {
        let eservice = visit.eservices().find(|served| served.id.get() == log.id)?.id;
        Some((eservice, log.enti.clone()?))
    });
    let filter = Filter {
        eservice: log.and_then(|log| log.eservice.clone()),
        from,
        until,
        status,
        outcome: text("esito"),
        request_id: text("richiesta"),
        client_id: None,
        consumer_id: text("fruitore"),
        purpose_id: text("finalita"),
        token_id: text("voucher"),
        action: text("azione"),
        user: text("utente"),
        ente,
        about,
    };
    Ok(Asked { filter, within })
}

pub(super) async fn show(visit: Visit) -> Answer {
    let logs = logs(&visit)?;
    let mut errors = Errors::default();
    let Asked { filter, within } = asked(&visit, &logs, &mut errors)?;
    let before: Option<Cursor> = visit.query.text("prima").parse().ok();
    let mut rows = Vec::new();
    let mut next = None;
    let mut is_hidden = !errors.is_empty();
    if let (Some(about), true) = (filter.about.clone(), errors.is_empty()) {
        is_hidden = !log_search(&visit, &logs, &filter, about, within).await?;
    }
    if !is_hidden {
        let filter = filter.clone();
        let search = move |connection: &mut _| search_newest(connection, &filter, before, PAGE);
        let page = visit.console.store.read_async(search).await?;
        rows = page.entries.iter().map(Riga::of).collect::<Result<_, _>>()?;
        next = page.next.map(|cursor| address(&visit.query, &cursor));
    }
    let wrong = !errors.is_empty();
    let page = page(&visit, &logs, &filter, errors, rows, next)?;
    if wrong { visit::show_again(&page) } else { visit::show(&page) }
}

/// Logs that it was asked who received a flow or a benefit. Says whether they may be told.
async fn log_search(
    visit: &Visit,
    logs: &[Log],
    filter: &Filter,
    about: About,
    within: Option<(EserviceId, Vec<String>)>,
) -> Result<bool, Refusal> {
    let asked = visit.eservices().filter(|served| {
        let is_asked = filter.eservice.as_ref().is_none_or(|name| *name == served.config.name);
        is_asked && logs.iter().any(|log| log.id == served.id.get())
    });
    let ids: Vec<EserviceId> = asked.map(|served| served.id).collect();
    let enti = within.map(|(_, enti)| enti);
    let found = visit.console.store.read_async(move |connection| {
        let mut found = Vec::new();
        for id in ids {
            let benefits = held(connection, id, &about, enti.as_deref(), 1)?;
            found.extend(benefits.into_iter().map(|benefit| (id, benefit.id)));
        }
        Ok(found)
    });
    let found = found.await?;
    for (id, benefit) in &found {
        visit.log(visit.action(Kind::CallsSearched)?.of(*id).to(*benefit)).await?;
    }
    if found.is_empty() {
        visit.log(visit.action(Kind::CallsSearched)?.with(Outcome::NotFound)).await?;
    }
    Ok(!found.is_empty())
}

/// The same search, from `cursor` on.
fn address(query: &Form, cursor: &Cursor) -> String {
    let mut pairs = Serializer::new(String::new());
    for name in FIELDS.into_iter().filter(|name| !query.text(name).is_empty()) {
        pairs.append_pair(name, query.text(name));
    }
    format!("{CHIAMATE}?{}", pairs.append_pair("prima", &cursor.to_string()).finish())
}

fn page(
    visit: &Visit,
    logs: &[Log],
    filter: &Filter,
    errors: Errors,
    rows: Vec<Riga>,
    next: Option<String>,
) -> Result<Chiamate, Refusal> {
    let values: BTreeMap<_, _> =
        FIELDS.iter().map(|name| (*name, visit.query.text(name).to_owned())).collect();
    let chosen = filter.eservice.as_deref().unwrap_or_default();
    let mut registri = Vec::new();
    if sees_all(visit)? {
        registri.push(Choice::new("", "tutti i registri", chosen));
    }
    let named = logs.iter().filter_map(|log| log.eservice.as_deref());
    registri.extend(named.map(|name| Choice::new(name, name, chosen)));
    let first = |label: &str| Choice::new("", label, "");
    let mut esiti = vec![first("tutti")];
    let outcome = filter.outcome.as_deref().unwrap_or_default();
    esiti.extend(OUTCOMES.iter().map(|code| Choice::new(code, testi::outcome(code), outcome)));
    let mut azioni = vec![first("chiamate e azioni")];
    let action = filter.action.as_deref().unwrap_or_default();
    azioni.extend(
        Kind::ALL
            .iter()
            .map(|kind| Choice::new(kind.code(), format!("l'utente {}", testi::action(kind.code())), action)),
    );
    Ok(Chiamate {
        frame: visit.frame("Registro delle chiamate").below("Cruscotto", "/"),
        errors,
        is_filtered: values.iter().any(|(_, value)| !value.is_empty()),
        values,
        registri,
        enti: enti(visit, logs, filter.ente.as_deref().unwrap_or_default()),
        esiti,
        azioni,
        rows,
        next,
    })
}

/// The enti that whoever is signed in may see, and all of them together where that may be.
fn enti(visit: &Visit, logs: &[Log], chosen: &str) -> Vec<Choice> {
    let mut named = BTreeMap::new();
    for served in visit.eservices() {
        let scope = logs.iter().find(|log| log.id == served.id.get()).and_then(|log| log.enti.as_ref());
        for one in &served.config.ente {
            if scope.is_none_or(|enti| enti.contains(&one.codice)) {
                named.insert(&one.codice, format!("{} ({})", one.denominazione, one.codice));
            }
        }
    }
    let all = logs.iter().any(|log| log.enti.is_none()).then(|| Choice::new("", "tutti", chosen));
    all.into_iter()
        .chain(named.into_iter().map(|(codice, label)| Choice::new(codice, label, chosen)))
        .collect()
}
