//! The first page: how things stand with every e-service.

mod altrove;
mod andamento;

use askama::Template;
use jiff::Timestamp;
use url::form_urlencoded::byte_serialize;

use self::altrove::{Elsewhere, elsewhere};
use self::andamento::{Andamento, MONTHS};
use super::frame::Frame;
use super::pages::{Access, Answer, Page, Section};
use super::parts::{AT_ONCE, Part, Parts};
use super::refusal::Refusal;
use super::visit::{self, Visit};
use super::{Served, text};
use crate::call_log::{Limits, Progress, last_checkpoint, progress, sizes};
use crate::config::Environment;
use crate::doctor::{self, Severity};
use crate::pdnd::daily;
use crate::registry::{CodiceEsito, Monthly, Standing, attesa, riepilogo};
use crate::siuss::tables::Nomenclatore;
use crate::staff::Role;
use crate::store::Day;

/// The first page.
pub(super) const SECTION: Section = Section {
    label: Some("Cruscotto"),
    pages: &[Page::get("/", Access::Roles(&Role::ALL), |visit| Box::pin(show(visit)))],
};

/// The page that a pull is taken to ask for, as long as none came: the largest.
const PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "cruscotto.html")]
struct Cruscotto {
    frame: Frame,
    eservices: Vec<Stand>,
    /// Where there are more e-services than are shown: which these are, and where the others are.
    part: Option<Part>,
    /// Those among the others that somebody should look at.
    elsewhere: Vec<Elsewhere>,
    /// What concerns the whole service: name, class of the badge, text.
    service: Vec<(&'static str, &'static str, String)>,
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
    /// Where refusals are settled, for whoever may and where there is any.
    esiti: Option<String>,
    /// What is late, if anything is.
    late: Vec<String>,
    keys: (&'static str, String),
    integrity: (&'static str, String),
    /// Benefits and amounts by month and by code; none where there is nothing to show.
    andamento: Option<Andamento>,
}

async fn show(visit: Visit) -> Answer {
    let done = (visit.query.text("fatto") == "password").then_some("La password è stata cambiata.");
    let all: Vec<&Served> = visit.eservices().collect();
    let names = all.iter().map(|served| served.config.name.as_str());
    let parts = Parts::new("/", "E-service", names, visit.query.text("da"));
    let rules = visit.console.rules().await?;
    let shown: Vec<&Served> = all.iter().skip(parts.first).take(AT_ONCE).copied().collect();
    let seen = look(&visit, &shown).await?;
    let mut eservices = Vec::new();
    for (place, (served, seen)) in shown.iter().zip(seen).enumerate() {
        eservices.push(stand(&visit, served, place, seen, &rules.nomenclatore)?);
    }
    let elsewhere = elsewhere(&visit, &all, &parts).await?;
    let service = service(&visit).await?;
    let frame = visit.frame("Cruscotto").with_done(done);
    visit::show(&Cruscotto { frame, eservices, part: parts.shown(), elsewhere, service })
}

/// Whether whoever is signed in sees all of an e-service.
fn sees_whole(visit: &Visit, served: &Served) -> Result<bool, Refusal> {
    let enti = visit.account()?.scope.enti(served.id);
    Ok(enti.is_none_or(|enti| served.config.ente.iter().all(|ente| enti.contains(&ente.codice.as_str()))))
}

/// What the database tells of an e-service.
struct Seen {
    last: Option<Progress>,
    /// When the last checkpoint was signed, and how many entries it covers.
    checkpoint: Option<(Timestamp, i64)>,
    /// Entries of the log.
    entries: i64,
    standing: Standing,
    monthly: Vec<Monthly>,
}

/// Looks at all of these at once.
async fn look(visit: &Visit, shown: &[&Served]) -> Result<Vec<Seen>, Refusal> {
    let scope = &visit.account()?.scope;
    let of = |served: &&Served| {
        let enti: Option<Vec<String>> =
            scope.enti(served.id).map(|enti| enti.into_iter().map(str::to_owned).collect());
        (served.id, enti)
    };
    let asked: Vec<_> = shown.iter().map(of).collect();
    let today = Day::of(visit.console.clock.now());
    let until = riepilogo::mese(today.date());
    let from = riepilogo::after(until, 1 - MONTHS);
    let seen = visit.console.store.read_async(move |connection| {
        let sizes = sizes(connection)?;
        let look = asked.into_iter().map(|(id, enti)| {
            let last = progress(connection, id)?;
            let position = last.map_or(0, |last| last.position);
            Ok(Seen {
                last,
                checkpoint: last_checkpoint(connection, id)?,
                entries: sizes.get(&id.get()).copied().unwrap_or_default(),
                standing: attesa::standing(connection, id, position, today)?,
                monthly: riepilogo::monthly(connection, id, enti.as_deref(), from, until)?,
            })
        });
        look.collect()
    });
    Ok(seen.await?)
}

fn stand(
    visit: &Visit,
    served: &Served,
    place: usize,
    seen: Seen,
    nomenclatore: &Nomenclatore,
) -> Result<Stand, Refusal> {
    let (console, config) = (&visit.console, &served.config);
    let Seen { last, checkpoint, entries, standing, monthly } = seen;
    let is_whole = sees_whole(visit, served)?;
    let until = riepilogo::mese(text::today(console.clock.now()));
    let from = riepilogo::after(until, 1 - MONTHS);
    let limits = Limits { per_consumer: config.daily_calls_per_consumer, total: config.daily_calls_total };
    let page = last.map(|last| last.page).filter(|page| *page > 0).unwrap_or(PAGE);
    let days = match limits.days_for(standing.waiting, page) {
        _ if standing.waiting == 0 => "nessuno".to_owned(),
        Some(days) => text::of(days, "giorno", "giorni"),
        None => "le soglie non ammettono chiamate".to_owned(),
    };
    let judged = |accepted: bool| {
        let of =
            standing.esiti.iter().filter(|(codice, _)| (*codice == CodiceEsito::Ok.as_str()) == accepted);
        of.map(|(_, flussi)| flussi).sum::<u64>()
    };
    let settles = judged(false) > 0 && visit.account()?.roles.has(Role::Operatore);
    Ok(Stand {
        name: config.name.clone(),
        environment: environment(config.environment),
        is_whole,
        waiting: text::of(standing.waiting, "flusso", "flussi"),
        days,
        last: last.map_or_else(|| "mai".to_owned(), |last| text::instant(last.instant.as_millisecond())),
        taken: text::of(standing.taken, "flusso", "flussi"),
        accepted: text::number(judged(true)),
        refused: text::number(judged(false)),
        esiti: settles.then(|| {
            let name: String = byte_serialize(config.name.as_bytes()).collect();
            format!("/esiti?eservice={name}")
        }),
        late: if is_whole { late(&standing) } else { Vec::new() },
        keys: keys(served),
        integrity: match checkpoint {
            Some((instant, size)) => (
                "ok",
                format!(
                    "{}; dopo, {}",
                    text::instant(instant.as_millisecond()),
                    text::of(u64::try_from(entries - size).unwrap_or_default(), "voce", "voci")
                ),
            ),
            None => ("attenzione", "il registro non è ancora firmato".to_owned()),
        },
        andamento: Andamento::new(place, &monthly, from, nomenclatore),
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
        late.push(text::of(
            a1_04,
            "pagamento A1.04 di oltre 15 giorni fa",
            "pagamenti A1.04 di oltre 15 giorni fa",
        ));
    }
    if periodic > 0 {
        late.push(text::of(
            periodic,
            "prestazione periodica iniziata da oltre tre mesi",
            "prestazioni periodiche iniziate da oltre tre mesi",
        ));
    }
    late
}

fn keys(served: &Served) -> (&'static str, String) {
    let status = served.keys.status();
    let read = status.fetched.map(|fetched| text::instant(fetched.as_millisecond()));
    match (read, status.failure) {
        (Some(read), None) => ("ok", format!("{} in uso, lette il {read}", status.keys)),
        (Some(read), Some(_)) => ("attenzione", format!("non aggiornabili: si usano quelle del {read}")),
        (None, _) => ("errore", "nessuna: ogni chiamata riceve 503".to_owned()),
    }
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
