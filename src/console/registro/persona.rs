//! Who received data about a person. The code is typed in a form and stands in no address and in no log.

use askama::Template;

use super::chiamate::Riga;
use super::testi::member;
use super::{CHIAMATE, logs};
use crate::call_log::action::{Kind, METHOD, Outcome};
use crate::call_log::disclosed::disclosed;
use crate::call_log::search::{About, Cursor, Filter, Held, held, search_newest};
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::store::EserviceId;

/// Entries of each e-service on a page.
const PAGE: u32 = 50;
/// Benefits of a person in an e-service that are looked at.
const MOST: u32 = 200;

#[derive(Template)]
#[template(path = "registro/persona.html")]
struct Persona {
    frame: Frame,
    errors: Errors,
    code: String,
    from: String,
    until: String,
    sections: Option<Vec<Sezione>>,
    /// How long entries are kept, in days.
    days: String,
}

/// What an e-service has of the person.
struct Sezione {
    registro: String,
    benefits: usize,
    /// There are more benefits than were looked at.
    is_cut: bool,
    rows: Vec<Consegna>,
    next: Option<String>,
}

/// An entry about the person.
struct Consegna {
    riga: Riga,
    purpose: String,
    /// Each flow, with the record that it is about.
    flows: Vec<(String, String)>,
    /// The record that an action was about.
    record: String,
}

pub(super) fn ask(visit: &Visit) -> Answer {
    visit::show(&page(visit, Errors::default(), None))
}

fn page(visit: &Visit, errors: Errors, sections: Option<Vec<Sezione>>) -> Persona {
    Persona {
        frame: visit
            .frame("Chi ha ricevuto i dati di una persona")
            .below("Cruscotto", "/")
            .below("Registro delle chiamate", CHIAMATE),
        errors,
        code: visit.form.text("codice").to_owned(),
        from: visit.form.text("da").to_owned(),
        until: visit.form.text("a").to_owned(),
        sections,
        days: text::number(u64::from(visit.console.config.call_log.retention_days)),
    }
}

pub(super) async fn tell(visit: Visit) -> Answer {
    let mut errors = Errors::default();
    let about = About::person(visit.form.text("codice"), &visit.console.config);
    let (from, until) = visit.form.period(&mut errors);
    let Some(about) = about.filter(|_| errors.is_empty()) else {
        if errors.is_empty() {
            errors.add("codice", "Scrivere il codice fiscale, o il codice di un minore in carico.");
        }
        return visit::show_again(&page(&visit, errors, None));
    };
    // One section goes on where it stopped; then the others are not looked at.
    let asked = visit.form.text("registro").to_owned();
    let before: Option<Cursor> = visit.form.text("prima").parse().ok();
    let mut sections = Vec::new();
    let filter = Filter { from, until, ..Filter::default() };
    let logs = logs(&visit)?;
    let of_asked = logs.iter().filter(|log| asked.is_empty() || log.eservice.as_ref() == Some(&asked));
    let looked: Vec<(String, EserviceId, Option<Vec<String>>)> = of_asked
        .filter_map(|log| {
            let served = visit.eservices().find(|served| served.id.get() == log.id)?;
            Some((log.eservice.clone()?, served.id, log.enti.clone()))
        })
        .collect();
    let known = visit.console.store.read_async(move |connection| {
        let mut known = Vec::new();
        for (name, id, enti) in looked {
            let benefits = held(connection, id, &about, enti.as_deref(), MOST)?;
            if !benefits.is_empty() {
                known.push((name, id, benefits));
            }
        }
        Ok(known)
    });
    for (name, id, benefits) in known.await? {
        for benefit in &benefits {
            visit.log(visit.action(Kind::CallsSearched)?.of(id).to(benefit.id)).await?;
        }
        let ids: Vec<i64> = benefits.iter().map(|benefit| benefit.id).collect();
        let filter =
            Filter { eservice: Some(name.clone()), about: Some(About::Benefits(id, ids)), ..filter.clone() };
        sections.push(section(&visit, &name, benefits, filter, before).await?);
    }
    if sections.is_empty() {
        visit.log(visit.action(Kind::CallsSearched)?.with(Outcome::NotFound)).await?;
    }
    visit::show(&page(&visit, errors, Some(sections)))
}

async fn section(
    visit: &Visit,
    name: &str,
    benefits: Vec<Held>,
    filter: Filter,
    before: Option<Cursor>,
) -> Result<Sezione, Refusal> {
    let ids: Vec<i64> = benefits.iter().map(|benefit| benefit.id).collect();
    let read = move |connection: &mut _| {
        let page = search_newest(connection, &filter, before, PAGE)?;
        let mut found = Vec::with_capacity(page.entries.len());
        for entry in page.entries {
            let flows = disclosed(connection, &entry, Some(&ids))?;
            found.push((entry, flows));
        }
        Ok((found, page.next))
    };
    let (found, next) = visit.console.store.read_async(read).await?;
    let record = |id: i64| {
        let benefit = benefits.iter().find(|benefit| benefit.id == id);
        benefit.map(|benefit| benefit.label.clone()).unwrap_or_default()
    };
    let mut rows = Vec::with_capacity(found.len());
    for (entry, flows) in &found {
        let members = entry.json()?;
        let is_action = member(&members, "method") == METHOD;
        let benefit = members.get("benefit").and_then(serde_json::Value::as_i64);
        rows.push(Consegna {
            riga: Riga::of(entry)?,
            purpose: member(&members, "purpose_id"),
            flows: flows.iter().map(|flow| (flow.id_flusso.clone(), record(flow.benefit))).collect(),
            record: benefit.filter(|_| is_action || flows.is_empty()).map(record).unwrap_or_default(),
        });
    }
    Ok(Sezione {
        registro: name.to_owned(),
        benefits: benefits.len(),
        is_cut: benefits.len() >= usize::try_from(MOST).unwrap_or(usize::MAX),
        rows,
        next: next.map(|cursor| cursor.to_string()),
    })
}
