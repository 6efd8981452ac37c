//! The page of one file: what would be published or was, what was refused, and what can be done next.

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::HttpResponse;
use askama::Template;
use serde_json::json;

use super::{ELENCO, asked, elenco, enti, path_of, publishes, state_text};
use crate::call_log::action::Kind;
use crate::caricamenti::{self, Caricamento, FILE_DAYS, MOST_PAGES, PAGE, SavedMapping, Stato};
use crate::catalogue;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::intake::report::Kept;
use crate::intake::{fields, nearest_field};
use crate::siuss::pseudonym;

/// How an address asks for what refuses records alone.
const RIFIUTI: &str = "rifiuti";
/// Characters of a mapping's name.
const LONGEST_NAME: usize = 64;

#[derive(Template)]
#[template(path = "caricamenti/scheda.html")]
struct Scheda {
    frame: Frame,
    errors: Errors,
    path: String,
    ente: String,
    one: Caricamento,
    state: &'static str,
    badge: &'static str,
    is_interrupted: bool,
    /// Whether something is being done with it, or about to be.
    is_moving: bool,
    /// Whether it is ready, and confirming it would publish something.
    can_be_confirmed: bool,
    size: String,
    when: String,
    until: String,
    percent: u8,
    figures: Vec<(&'static str, String)>,
    rules: Vec<RuleRow>,
    entries: Vec<Kept>,
    pages: Pages,
    columns: Vec<ColumnRow>,
    fields: Vec<(&'static str, Option<&'static str>)>,
    mapping_name: String,
}

struct RuleRow {
    code: String,
    summary: &'static str,
    count: String,
}

/// Where one is in the report.
struct Pages {
    /// Whether what refuses records is shown alone, and whether there is anything else.
    only_refusals: bool,
    has_both: bool,
    /// The number of the page, from 1; none among refusals alone.
    current: Option<i64>,
    previous: Option<String>,
    next: Option<String>,
    /// Whether there was more to say than is kept.
    is_cut: bool,
}

struct ColumnRow {
    id: String,
    name: String,
    /// The field that is chosen: `-` to ignore it, nothing when nothing was.
    chosen: String,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let page = page(&visit, Errors::default(), None).await?;
    visit::show(&page)
}

async fn page(
    visit: &Visit,
    errors: Errors,
    chosen: Option<&BTreeMap<String, String>>,
) -> Result<Scheda, Refusal> {
    let one = asked(visit).await?;
    let now_ms = visit.console.clock.now_ms();
    let is_moving = is_moving(&one, now_ms);
    // Once the work is over, the page says how it ended.
    let done = match visit.query.text("fatto") {
        _ if !is_moving => None,
        "conferma" => {
            Some("Confermato: le prestazioni si stanno pubblicando. Potete chiudere questa pagina.")
        }
        "colonne" => Some("Le colonne sono state indicate: il file viene letto di nuovo."),
        "ripreso" => Some("Il caricamento è stato ripreso: quanto era già pubblicato non si ripete."),
        _ => None,
    };
    let current = visit.query.text("pagina").parse().unwrap_or(1).clamp(1, i64::MAX - 1);
    let id = one.id;
    let path = path_of(id);
    let only_refusals = visit.query.text("solo") == RIFIUTI;
    let (entries, next) = visit
        .console
        .store
        .read_async(move |connection| {
            if only_refusals {
                return caricamenti::refusals(connection, id, current - 1);
            }
            let entries = caricamenti::page(connection, id, current - 1)?;
            let has_next = entries.len() == PAGE && !caricamenti::page(connection, id, current)?.is_empty();
            Ok((entries, has_next.then_some(current)))
        })
        .await?;
    // Pages are numbered from 1 where people see them.
    let address = |page: i64| {
        let solo = if only_refusals { format!("solo={RIFIUTI}&") } else { String::new() };
        format!("{path}?{solo}pagina={}#rapporto", page.saturating_add(1))
    };
    if !entries.is_empty() {
        // Values of people's records are shown.
        let shown = visit.action(Kind::BenefitsListed)?.of(one.eservice);
        visit.log(shown.saying(format!("caricamento={id}")).counting(entries.len())).await?;
    }
    let (state, badge) = state_text(&one, now_ms);
    let is_interrupted = one.is_interrupted(now_ms);
    let maps = matches!(one.stato, Stato::Colonne | Stato::Illeggibile | Stato::Pronto);
    let said: u64 = one.figures.by_rule.values().sum();
    let kept = u64::try_from(MOST_PAGES * PAGE).unwrap_or(u64::MAX);
    let pseudonyms = visit.console.config.sinba.pseudonym_key.is_some();
    Ok(Scheda {
        frame: visit
            .frame(&format!("Caricamento {id}"))
            .below("Cruscotto", "/")
            .below("Caricamenti", ELENCO)
            .with_done(done),
        errors,
        path: path.clone(),
        ente: enti(visit)
            .find(|(eservice, _, ente)| *eservice == one.eservice && ente.codice == one.codice_ente)
            .map_or_else(
                || one.codice_ente.clone(),
                |(_, eservice, ente)| format!("{} ({}), {}", ente.denominazione, ente.codice, eservice.name),
            ),
        state,
        badge,
        is_interrupted,
        is_moving,
        can_be_confirmed: one.stato == Stato::Pronto && publishes(&one),
        size: size(one.bytes),
        when: text::instant(one.created_ms),
        until: text::day(one.created_ms + FILE_DAYS * 24 * 60 * 60 * 1000),
        percent: percent(&one),
        figures: figures(&one),
        rules: rules(&one),
        entries,
        pages: Pages {
            only_refusals,
            has_both: one.figures.refused > 0 && one.figures.warned > 0,
            current: (!only_refusals).then_some(current),
            previous: (current > 1 && !only_refusals).then(|| address(current - 2)),
            next: next.map(address),
            is_cut: said > kept,
        },
        columns: if maps { columns(&one, chosen) } else { Vec::new() },
        fields: fields().chain(pseudonyms.then_some((pseudonym::SOURCE, None))).collect(),
        mapping_name: visit.form.text("nome").to_owned(),
        one,
    })
}

fn columns(one: &Caricamento, chosen: Option<&BTreeMap<String, String>>) -> Vec<ColumnRow> {
    let chosen = chosen.unwrap_or(&one.mapping);
    one.columns
        .iter()
        .enumerate()
        .map(|(place, name)| ColumnRow {
            id: format!("colonna-{place}"),
            name: if name.is_empty() { "(senza nome)".to_owned() } else { name.clone() },
            chosen: match chosen.get(name).map(String::as_str) {
                Some("") => "-".to_owned(),
                Some(field) => field.to_owned(),
                None => nearest_field(name).unwrap_or_default().to_owned(),
            },
        })
        .collect()
}

/// What the figures are called: before the publication they are a forecast.
fn figures(one: &Caricamento) -> Vec<(&'static str, String)> {
    let figures = &one.figures;
    let published = matches!(one.stato, Stato::Pubblicazione | Stato::Concluso);
    let flussi = if published { "Flussi pubblicati" } else { "Flussi che si pubblicheranno" };
    [
        ("Record letti", figures.records),
        ("Prestazioni nuove", figures.new),
        ("Modificate", figures.changed),
        ("Invariate", figures.unchanged),
        ("Ritirate", figures.withdrawn),
        ("Record rifiutati", figures.refused),
        ("Record con avvisi", figures.warned),
        (flussi, figures.flussi),
    ]
    .map(|(name, count)| (name, text::number(count)))
    .to_vec()
}

fn rules(one: &Caricamento) -> Vec<RuleRow> {
    let row = |(code, count): (&Cow<'static, str>, &u64)| RuleRow {
        code: code.to_string(),
        summary: catalogue::rules().find(|rule| rule.code == code).map_or("", |rule| rule.summary),
        count: text::number(*count),
    };
    one.figures.by_rule.iter().map(row).collect()
}

fn is_moving(one: &Caricamento, now_ms: i64) -> bool {
    let moves = [Stato::DaLeggere, Stato::Lettura, Stato::DaPubblicare, Stato::Pubblicazione];
    moves.contains(&one.stato) && !one.is_interrupted(now_ms)
}

fn percent(one: &Caricamento) -> u8 {
    let percent = one.bytes_read.saturating_mul(100) / one.bytes.max(1);
    u8::try_from(percent.clamp(0, 100)).unwrap_or_default()
}

fn size(bytes: i64) -> String {
    let kilobytes = u64::try_from(bytes).unwrap_or_default().div_ceil(1000);
    format!("{} kB", text::number(kilobytes))
}

/// How far the work is, for a page that waits for it.
pub(super) async fn state(visit: Visit) -> Answer {
    let one = asked(&visit).await?;
    let now_ms = visit.console.clock.now_ms();
    let (state, _) = state_text(&one, now_ms);
    let records = text::number(one.figures.records);
    let answer = json!({
        "inCorso": is_moving(&one, now_ms),
        "percento": percent(&one),
        "testo": format!("{state}: {records} record, {}%", percent(&one)),
    });
    Ok(HttpResponse::Ok().json(answer))
}

pub(super) async fn map(visit: Visit) -> Answer {
    let one = asked(&visit).await?;
    let known: Vec<&str> = fields().map(|(name, _)| name).chain([pseudonym::SOURCE]).collect();
    let mut errors = Errors::default();
    let mut mapping = BTreeMap::new();
    for (place, name) in one.columns.iter().enumerate() {
        match visit.form.text(&format!("colonna-{place}")) {
            "-" => {
                mapping.insert(name.clone(), String::new());
            }
            field if known.contains(&field) => {
                mapping.insert(name.clone(), field.to_owned());
            }
            _ => {}
        }
    }
    if mapping.len() < one.columns.len() {
        errors.add("colonna-0", "Indicare per ogni colonna quale campo contiene, o che va ignorata.");
    }
    let mut chosen: Vec<&String> = mapping.values().filter(|field| !field.is_empty()).collect();
    chosen.sort_unstable();
    if chosen.windows(2).any(|pair| pair.first() == pair.last()) {
        errors.add("colonna-0", "Due colonne indicano lo stesso campo: tenerne una sola e ignorare l'altra.");
    }
    let name = visit.form.text("nome");
    if name.chars().count() > LONGEST_NAME {
        errors.add("nome", "Il nome ammette al più 64 caratteri.");
    }
    if !errors.is_empty() {
        return visit::show_again(&page(&visit, errors, Some(&mapping)).await?);
    }
    let saved = (!name.is_empty()).then(|| SavedMapping { name: name.to_owned(), fields: mapping.clone() });
    if saved.is_some() {
        visit.log(visit.action(Kind::MappingSaved)?.of(one.eservice)).await?;
    }
    let (id, by, now_ms) = (one.id, visit.account()?.name.clone(), visit.console.clock.now_ms());
    let work = move |connection: &mut _| {
        if let Some(saved) = &saved {
            caricamenti::save_mapping(connection, one.eservice, &one.codice_ente, saved, &by, now_ms)?;
        }
        caricamenti::map(connection, id, &mapping)
    };
    let done = visit.console.store.write_async(work).await?;
    Ok(further(&visit, id, done, "colonne"))
}

pub(super) async fn confirm(visit: Visit) -> Answer {
    let one = asked(&visit).await?;
    let run: i64 = visit.form.text("lettura").parse().unwrap_or(-1);
    let (id, by) = (one.id, visit.account()?.name.clone());
    if one.stato == Stato::Pronto && one.run == run {
        let begun = visit.action(Kind::ImportBegun)?.of(one.eservice);
        visit.log(begun.saying(format!("caricamento={id}"))).await?;
    }
    let work = move |connection: &mut _| caricamenti::confirm(connection, id, run, &by);
    let done = visit.console.store.write_async(work).await?;
    Ok(further(&visit, id, done, "conferma"))
}

pub(super) async fn withdraw(visit: Visit) -> Answer {
    let one = asked(&visit).await?;
    let (id, now_ms) = (one.id, visit.console.clock.now_ms());
    let work = move |connection: &mut _| caricamenti::withdraw(connection, id, now_ms);
    if !visit.console.store.write_async(work).await? {
        return Ok(visit::go_to(&path_of(id)));
    }
    let withdrawn = visit.action(Kind::FileWithdrawn)?.of(one.eservice);
    visit.log(withdrawn.saying(format!("caricamento={id}"))).await?;
    Ok(elenco::back("annullato"))
}

pub(super) async fn resume(visit: Visit) -> Answer {
    let one = asked(&visit).await?;
    let (id, now_ms) = (one.id, visit.console.clock.now_ms());
    if one.stato == Stato::Pubblicazione && one.is_interrupted(now_ms) {
        let begun = visit.action(Kind::ImportBegun)?.of(one.eservice);
        visit.log(begun.saying(format!("caricamento={id}"))).await?;
    }
    let work = move |connection: &mut _| caricamenti::resume(connection, id, now_ms);
    let done = visit.console.store.write_async(work).await?;
    Ok(further(&visit, id, done, "ripreso"))
}

/// Leads back to the page of the file; with word of what was done, if it was.
fn further(visit: &Visit, id: i64, done: bool, what: &str) -> HttpResponse {
    if !done {
        return visit::go_to(&path_of(id));
    }
    visit.console.bell.ring();
    visit::go_to(&format!("{}?fatto={what}", path_of(id)))
}
