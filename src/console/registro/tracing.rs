//! The daily counts of calls that members owe PDND: how the last days stand, and what to do.

use std::collections::BTreeMap;

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use super::CHIAMATE;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::pdnd::ledger::{self, Record};
use crate::pdnd::service::State;
use crate::pdnd::settle::{deadline, ready};
use crate::store::Day;

/// How far back the days are shown.
const SHOWN: SignedDuration = SignedDuration::from_hours(24 * 60);

#[derive(Template)]
#[template(path = "registro/tracing.html")]
struct Tracing {
    frame: Frame,
    members: Vec<Aderente>,
}

/// A member, and its days, newest first.
struct Aderente {
    name: String,
    eservices: String,
    /// What there is to say of the sending by itself.
    automatic: &'static str,
    days: Vec<Giorno>,
}

struct Giorno {
    day: String,
    state: &'static str,
    badge: &'static str,
    submitted: String,
    failures: i32,
    last_error: String,
    remedy: String,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let now = visit.console.clock.now();
    let first = Day::of(now.checked_sub(SHOWN).unwrap_or(Timestamp::MIN));
    let mut members = Vec::new();
    for section in &visit.console.config.tracing {
        let may_see = |name: &String| visit.eservices().any(|served| served.config.name == *name);
        if !section.eservices.iter().all(may_see) {
            continue;
        }
        let name = section.name.clone();
        let read = move |connection: &mut _| {
            Ok((ledger::first_day(connection, &name)?, ledger::since(connection, &name, first)?))
        };
        let (owed_since, records) = visit.console.store.read_async(read).await?;
        let mut days: BTreeMap<Day, Record> =
            records.into_iter().map(|record| (record.day, record)).collect();
        let over = |day: &Day| day.end().is_some_and(|end| end <= now);
        let owed = std::iter::successors(owed_since.map(|day| day.max(first)), |day| day.next());
        for day in owed.take_while(over) {
            days.entry(day).or_insert_with(|| Record::new(day));
        }
        members.push(Aderente {
            name: section.name.clone(),
            eservices: section.eservices.join(", "),
            automatic: match owed_since {
                _ if section.daily => "",
                Some(_) => "L'invio automatico è spento nella configurazione.",
                None => "L'invio automatico non è mai stato attivato.",
            },
            days: days.values().rev().map(|record| giorno(record, section.daily, now)).collect(),
        });
    }
    let frame =
        visit.frame("Conteggi per PDND").below("Cruscotto", "/").below("Registro delle chiamate", CHIAMATE);
    visit::show(&Tracing { frame, members })
}

fn giorno(record: &Record, daily: bool, now: Timestamp) -> Giorno {
    let (state, badge) = match record.state {
        _ if record.sending.is_some() => ("invio in corso", "neutro"),
        None => ("non inviato", "attenzione"),
        Some(State::Pending) => ("in esame da PDND", "neutro"),
        Some(State::Completed) => ("conteggiato", "ok"),
        Some(State::Warning) => ("conteggiato con osservazioni", "ok"),
        Some(State::Error) => ("rifiutato da PDND", "errore"),
        Some(State::Missing) => ("mancato", "errore"),
    };
    Giorno {
        day: record.day.italian(),
        state,
        badge,
        submitted: record.submitted.map(|at| text::instant(at.as_millisecond())).unwrap_or_default(),
        failures: record.failures,
        last_error: record.last_error.clone().unwrap_or_default(),
        remedy: remedy(record, daily, now),
    }
}

/// What to do about a day that is sent by itself if `daily`; nothing where nothing is to be done.
fn remedy(record: &Record, daily: bool, now: Timestamp) -> String {
    let command = format!("waas-comuni tracing submit --date {}", record.day);
    match record.state {
        _ if record.sending.is_some() && daily => {
            "Non si sa ancora se l'invio è arrivato: il servizio lo chiede a PDND da sé.".to_owned()
        }
        _ if record.sending.is_some() => format!(
            "Non si sa se l'invio è arrivato: chi gestisce il servizio usa «{command}», che prima lo chiede a PDND."
        ),
        None if ready(record.day).is_none_or(|ready| now < ready) => {
            "Nulla: si invia pochi minuti dopo la fine del giorno.".to_owned()
        }
        None | Some(State::Missing) => {
            let when = match deadline(record.day) {
                Some(until) if record.state.is_none() && now < until => {
                    format!("Si può inviare fino al {}", text::instant(until.as_millisecond()))
                }
                _ => "Il termine è passato senza invio".to_owned(),
            };
            if daily {
                format!("{when}: il servizio prova da sé. Se non riesce, chi lo gestisce usa «{command}».")
            } else {
                format!("{when}: chi gestisce il servizio usa «{command}».")
            }
        }
        Some(State::Pending) => "Nulla: PDND risponde di solito in pochi minuti.".to_owned(),
        Some(State::Completed) => String::new(),
        Some(State::Warning) => {
            "Il giorno conta. Controllare su PDND che le finalità siano quelle di questi e-service."
                .to_owned()
        }
        Some(State::Error) => format!(
            "Il giorno non conta: leggere che cosa ha trovato PDND, rimediare, poi chi gestisce il servizio usa \
             «{command}»."
        ),
    }
}
