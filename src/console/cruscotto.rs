//! The first page: how things stand with every e-service.

use std::collections::BTreeMap;

use askama::Template;
use url::form_urlencoded::byte_serialize;

use super::chart::Chart;
use super::frame::Frame;
use super::pages::{Access, Answer, Page, Section};
use super::refusal::Refusal;
use super::visit::{self, Visit};
use super::{Served, text};
use crate::call_log::{Limits, last_checkpoint, progress, sizes};
use crate::config::Environment;
use crate::doctor::{self, Severity};
use crate::pdnd::daily;
use crate::registry::riepilogo;
use crate::registry::{CodiceEsito, Monthly, Standing};
use crate::staff::Role;

/// The first page.
pub(super) const SECTION: Section = Section {
    label: Some("Cruscotto"),
    pages: &[Page::get("/", Access::Roles(&Role::ALL), |visit| Box::pin(show(visit)))],
};

/// E-services that are shown at once: what a page costs does not grow with their number.
const AT_ONCE: usize = 20;
/// Months that are shown, the present one included.
const MONTHS: i32 = 12;
/// Codes that are shown, the dearest first.
const MOST_CODES: usize = 15;
/// The page that a pull is taken to ask for, as long as none came: the largest.
const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "cruscotto.html")]
struct Cruscotto {
    frame: Frame,
    eservices: Vec<Stand>,
    /// Where there are more e-services than are shown: which these are, and where the others are.
    part: Option<Part>,
    /// What concerns the whole service: name, class of the badge, text.
    service: Vec<(&'static str, &'static str, String)>,
}

/// Which of many e-services are shown.
struct Part {
    label: String,
    previous: Option<String>,
    next: Option<String>,
}

impl Part {
    /// The part of `all` that begins at the place `first`.
    fn of(all: &[&Served], first: usize) -> Option<Self> {
        let until = first.saturating_add(AT_ONCE);
        let address = |place: usize| {
            let name: String = byte_serialize(all.get(place)?.config.name.as_bytes()).collect();
            Some(format!("/?da={name}"))
        };
        (all.len() > AT_ONCE).then(|| Self {
            label: format!("E-service da {} a {} di {}", first + 1, until.min(all.len()), all.len()),
            previous: if first > 0 { address(first.saturating_sub(AT_ONCE)) } else { None },
            next: address(until),
        })
    }
}

/// How things stand with an e-service.
struct Stand {
    name: String,
    environment: &'static str,
    /// Whether whoever is signed in sees all of it: flows and outcomes are counted for the whole e-service.
    is_whole: bool,
    waiting: String,
    days: String,
    last: String,
    taken: String,
    accepted: String,
    refused: String,
    /// What is late, if anything is.
    late: Vec<String>,
    keys: (&'static str, String),
    integrity: (&'static str, String),
    chart: Option<Chart>,
    months: Vec<[String; 4]>,
    codes: Vec<[String; 3]>,
}

async fn show(visit: Visit) -> Answer {
    let done = (visit.query.text("fatto") == "password").then_some("La password è stata cambiata.");
    let mut eservices = Vec::new();
    let all: Vec<&Served> = visit.eservices().collect();
    let from = visit.query.text("da");
    let first = all.iter().position(|served| served.config.name == from).unwrap_or_default();
    for (place, eservice) in all.iter().skip(first).take(AT_ONCE).enumerate() {
        eservices.push(stand(&visit, eservice, place).await?);
    }
    let part = Part::of(&all, first);
    let service = service(&visit).await?;
    visit::show(&Cruscotto { frame: visit.frame("Cruscotto").with_done(done), eservices, part, service })
}

async fn stand(visit: &Visit, served: &Served, place: usize) -> Result<Stand, Refusal> {
    let (console, config, id) = (&visit.console, &served.config, served.id);
    let (last, checkpoint, entries) = console
        .store
        .read_async(move |connection| {
            let entries = sizes(connection)?.get(&id.get()).copied().unwrap_or_default();
            Ok((progress(connection, id)?, last_checkpoint(connection, id)?, entries))
        })
        .await?;
    let enti: Option<Vec<String>> =
        visit.account()?.scope.enti(id).map(|enti| enti.into_iter().map(str::to_owned).collect());
    let is_whole =
        enti.as_ref().is_none_or(|enti| config.ente.iter().all(|ente| enti.contains(&ente.codice)));
    let until = riepilogo::mese(text::today(console.clock.now()));
    let from = riepilogo::after(until, 1 - MONTHS);
    let position = last.map_or(0, |last| last.position);
    let (standing, monthly) = console.registry.standing_async(id, position, enti, (from, until)).await?;
    let limits = Limits { per_consumer: config.daily_calls_per_consumer, total: config.daily_calls_total };
    let page = last.map(|last| last.page).filter(|page| *page > 0).unwrap_or(PAGE);
    let days = match limits.days_for(standing.waiting, page) {
        _ if standing.waiting == 0 => "nessuno".to_owned(),
        Some(1) => "1 giorno".to_owned(),
        Some(days) => format!("{} giorni", text::number(days)),
        None => "le soglie non ammettono chiamate".to_owned(),
    };
    let sums = by_month(&monthly, from);
    let chart = sums.iter().any(|(_, sum)| sum.in_corso != 0).then(|| {
        let bars: Vec<(String, i64)> =
            sums.iter().map(|(mese, sum)| (text::short_month(*mese), sum.importo)).collect();
        let description = format!(
            "Importi delle prestazioni in vigore da {} a {}, un mese per colonna; le cifre sono nella tabella.",
            text::month(from),
            text::month(until)
        );
        Chart::new(format!("grafico-{place}"), "Importi per mese", description, &bars)
    });
    let judged = |accepted: bool| {
        let of =
            standing.esiti.iter().filter(|(codice, _)| (*codice == CodiceEsito::Ok.as_str()) == accepted);
        text::number(of.map(|(_, flussi)| flussi).sum())
    };
    Ok(Stand {
        name: config.name.clone(),
        environment: environment(config.environment),
        is_whole,
        waiting: text::number(standing.waiting),
        days,
        last: last.map_or_else(|| "mai".to_owned(), |last| text::instant(last.instant.as_millisecond())),
        taken: text::number(standing.taken),
        accepted: judged(true),
        refused: judged(false),
        late: if is_whole { late(&standing) } else { Vec::new() },
        keys: keys(served),
        integrity: match checkpoint {
            Some((instant, size)) => (
                "ok",
                format!(
                    "{}; {} voci dopo",
                    text::instant(instant.as_millisecond()),
                    text::number(u64::try_from(entries - size).unwrap_or_default())
                ),
            ),
            None => ("attenzione", "il registro non è ancora firmato".to_owned()),
        },
        chart,
        months: sums.into_iter().map(|(mese, sum)| month_row(mese, &sum)).collect(),
        codes: by_code(&monthly),
    })
}

fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Produzione => "produzione",
        Environment::Collaudo => "collaudo",
        Environment::Attestazione => "attestazione",
        Environment::Locale => "locale, per prova",
    }
}

fn late(standing: &Standing) -> Vec<String> {
    let [a1_04, periodic] = standing.late;
    let mut late = Vec::new();
    if a1_04 > 0 {
        late.push(format!("{} pagamenti A1.04 di oltre 15 giorni fa", text::number(a1_04)));
    }
    if periodic > 0 {
        late.push(format!("{} prestazioni periodiche iniziate da oltre tre mesi", text::number(periodic)));
    }
    late
}

fn keys(served: &Served) -> (&'static str, String) {
    let status = served.keys.status();
    let read = status.fetched.map(|fetched| text::instant(fetched.as_millisecond()));
    match (read, status.failure) {
        (Some(read), None) => ("ok", format!("{}, lette il {read}", status.keys)),
        (Some(read), Some(_)) => ("attenzione", format!("non aggiornabili: si usano quelle del {read}")),
        (None, _) => ("errore", "nessuna: ogni chiamata riceve 503".to_owned()),
    }
}

/// The sums of each month from `from` on, those without anything too.
fn by_month(monthly: &[Monthly], from: i32) -> Vec<(i32, Monthly)> {
    (0..MONTHS)
        .map(|place| {
            let mese = riepilogo::after(from, place);
            let mut sum = Monthly { mese, codice: String::new(), iniziate: 0, in_corso: 0, importo: 0 };
            for one in monthly.iter().filter(|one| one.mese == mese) {
                sum.iniziate += one.iniziate;
                sum.in_corso += one.in_corso;
                sum.importo += one.importo;
            }
            (mese, sum)
        })
        .collect()
}

fn month_row(mese: i32, sum: &Monthly) -> [String; 4] {
    [text::month(mese), text::count(sum.iniziate), text::count(sum.in_corso), text::euro(sum.importo)]
}

/// Code, benefits begun and amount, the dearest first.
fn by_code(monthly: &[Monthly]) -> Vec<[String; 3]> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for one in monthly {
        let (iniziate, importo) = sums.entry(&one.codice).or_default();
        *iniziate += one.iniziate;
        *importo += one.importo;
    }
    let mut sums: Vec<_> = sums.into_iter().filter(|(_, sum)| *sum != (0, 0)).collect();
    sums.sort_by_key(|(_, (_, importo))| std::cmp::Reverse(*importo));
    sums.into_iter()
        .take(MOST_CODES)
        .map(|(codice, (iniziate, importo))| [codice.to_owned(), text::count(iniziate), text::euro(importo)])
        .collect()
}

/// What concerns the whole service: certificate and daily count.
async fn service(visit: &Visit) -> Result<Vec<(&'static str, &'static str, String)>, Refusal> {
    let console = &visit.console;
    let (config, clock) = (console.config.clone(), console.clock.clone());
    let worst = console
        .blocking(move || doctor::certificate(&config, &clock).into_iter().map(|one| one.severity).max())
        .await?;
    let certificate = match worst {
        None => ("neutro", "affidato al proxy"),
        Some(Severity::Ok) => ("ok", "in regola"),
        Some(Severity::Warning) => ("attenzione", "da rinnovare o da controllare presto"),
        Some(Severity::Error) => ("errore", "non valido: vedere i controlli"),
    };
    let mut service = vec![("Certificato", certificate.0, certificate.1.to_owned())];
    let now = console.clock.now();
    for section in &console.config.tracing {
        let name = section.name.clone();
        let standing =
            console.store.read_async(move |connection| daily::standing(connection, &name, now)).await?;
        let last = standing
            .last_accepted
            .map_or_else(|| "nessun giorno contato".to_owned(), |day| format!("fino al {}", day.italian()));
        let badge = match standing.deadline {
            Some(deadline) if standing.in_error > 0 || deadline <= now => "errore",
            _ if section.daily => "ok",
            _ => "attenzione",
        };
        service.push((
            "Conteggi a PDND",
            badge,
            format!("{}: {last}, {} da inviare", section.name, standing.owed),
        ));
    }
    if console.config.tracing.is_empty() {
        service.push(("Conteggi a PDND", "attenzione", "non configurati".to_owned()));
    }
    Ok(service)
}
