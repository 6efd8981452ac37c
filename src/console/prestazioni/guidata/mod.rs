//! The guided forms: of a benefit, a person and then the five steps of the official case; of a child in care, the parts
//! of SINBA; then what will be sent. The same form, filled in, corrects what was sent.
//!
//! What was entered travels with the form from step to step, and nothing is kept here before it is confirmed. The form
//! makes the record that a file would have brought, and the rulebook judges it as it judges that.

mod bozza;
mod calcolo;
mod campi;
mod minore;
mod modulo;

use actix_web::HttpResponse;
use askama::Template;
use serde_json::json;

use self::bozza::{BASE, Bozza};
use self::calcolo::Calcolo;
use self::campi::{IMPORTI, PERIODO, PRESTAZIONE};
use self::minore::MINORE;
use self::modulo::{Campo, Modulo, Place};
use super::anteprima::{Shown, perform, preview};
use super::documento::{label, record};
use super::{PRESTAZIONI, address, erogatore, held};
use crate::call_log::action::Kind;
use crate::console::Served;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::intake;
use crate::registry::{Change, Confirmed, Found, Payload, Preview, Verdict};
use crate::siuss::element::Element;
use crate::siuss::notice::{Notice, Severity};
use crate::siuss::pseudonym::SOURCE;
use crate::siuss::record::{EnteErogatore, TipoFlusso};
use crate::siuss::rules::Rulebook;

/// Where the forms are.
pub(super) const NUOVA: &str = "/prestazioni/nuova";
pub(super) const MINORE_NUOVO: &str = "/prestazioni/nuovo-minore";

/// The form at one of its steps.
#[derive(Template)]
#[template(path = "prestazioni/passo.html")]
struct PassoPage {
    frame: Frame,
    errors: Errors,
    at: At,
    intro: &'static str,
    fields: Vec<Field>,
    /// The codes of the nomenclature that are sent.
    codes: Vec<(String, String)>,
    /// Those that a new benefit may be of: a value, a label, whether it is chosen. Empty where there is no choice.
    enti: Vec<(String, String, bool)>,
    base: Option<&'static str>,
    calcolo: Option<String>,
    /// What other steps ask for.
    hidden: Vec<(&'static str, String)>,
}

/// What will be sent.
#[derive(Template)]
#[template(path = "prestazioni/riepilogo.html")]
struct Riepilogo {
    frame: Frame,
    at: At,
    /// What is wrong: the step to go to, and what is to be mended.
    errors: Vec<(usize, &'static str, String)>,
    warnings: Vec<String>,
    shown: Shown,
    /// What is to be known of it before it is confirmed.
    word: Option<&'static str>,
    has_changed: bool,
    hidden: Vec<(&'static str, String)>,
}

/// Where the form is: its address, the ente, and the steps.
struct At {
    modulo: &'static Modulo,
    address: String,
    /// Where one goes who leaves it.
    back: String,
    ente: String,
    step: usize,
    is_correction: bool,
}

impl At {
    /// The steps: number, title, whether it is this one.
    fn steps(&self) -> impl Iterator<Item = (usize, &'static str)> + use<> {
        let titles = self.modulo.passi.iter().map(|passo| passo.title).chain(["Riepilogo"]);
        titles.enumerate()
    }

    fn last(&self) -> bool {
        self.step + 1 == self.modulo.summary()
    }
}

/// A field as it is shown.
struct Field {
    id: &'static str,
    label: String,
    /// What the layout calls it.
    mark: &'static str,
    hint: &'static str,
    needed: bool,
    value: String,
    codes: &'static [(&'static str, &'static str)],
    /// Its values, where it has several out of a closed list.
    several: Option<Vec<String>>,
}

impl Field {
    /// Whether `code` is among its values.
    fn has(&self, code: &str) -> bool {
        self.several.iter().flatten().any(|value| value == code)
    }
}

/// For whom the form works, and from what.
struct Target<'a> {
    modulo: &'static Modulo,
    served: &'a Served,
    ente: EnteErogatore,
    /// The benefit to correct and its record, if it is one.
    held: Option<(Found, Element)>,
}

impl Target<'_> {
    fn base(&self) -> Option<&Element> {
        self.held.as_ref().map(|(_, record)| record)
    }

    /// What the log says of a benefit that is written this way.
    fn change(&self, records: Vec<crate::siuss::described::Described>) -> Change {
        match &self.held {
            Some((found, _)) => Change::Correct(found.id, records),
            None => Change::Register(records),
        }
    }

    fn at(&self, step: usize) -> At {
        let (address, back) = match &self.held {
            Some((found, _)) => {
                let back = address(&self.served.config.name, found.id);
                (format!("{back}/correzione"), back)
            }
            None => (self.modulo.address.to_owned(), PRESTAZIONI.to_owned()),
        };
        let ente = format!("{}:{}", self.served.config.name, self.ente.codice.as_str());
        At { modulo: self.modulo, address, back, ente, step, is_correction: self.held.is_some() }
    }
}

/// The enti for which whoever is signed in may write benefits.
fn enti(visit: &Visit) -> Result<Vec<(&Served, EnteErogatore)>, Refusal> {
    let scope = &visit.account()?.scope;
    let of = |served| -> Vec<(&Served, EnteErogatore)> {
        let served: &Served = served;
        let enti = served.config.ente.iter().filter(|ente| scope.includes_ente(served.id, &ente.codice));
        enti.filter_map(|ente| Some((served, ente.erogatore().ok()?))).collect()
    };
    Ok(visit.eservices().flat_map(of).collect())
}

fn value_of(served: &Served, ente: &EnteErogatore) -> String {
    format!("{}:{}", served.config.name, ente.codice.as_str())
}

/// The ente that the form names, or the first.
fn target<'a>(visit: &'a Visit, modulo: &'static Modulo) -> Result<Target<'a>, Refusal> {
    let asked = visit.form.text("ente");
    let mut choices = enti(visit)?.into_iter();
    let found = choices.find(|(served, ente)| asked.is_empty() || value_of(served, ente) == asked);
    let (served, ente) = found.ok_or(Refusal::NotFound)?;
    Ok(Target { modulo, served, ente, held: None })
}

/// The benefit that the path names, with the record that is in force. None where it cannot be corrected here.
async fn corrected(visit: &Visit) -> Result<Target<'_>, Refusal> {
    let (served, found) = held(visit).await?;
    let ente = erogatore(served, &found.codice_ente).ok_or(Refusal::NotFound)?;
    let record = can_be_corrected(&found).ok_or(Refusal::NotFound)?;
    let modulo = if found.tipo == TipoFlusso::Sinba { &MINORE } else { &PRESTAZIONE };
    Ok(Target { modulo, served, ente, held: Some((found, record)) })
}

/// The record in force of a benefit that can be corrected here: it is active, and its content is there.
pub(super) fn can_be_corrected(found: &Found) -> Option<Element> {
    let is_active = found.stato == crate::registry::Stato::Attiva;
    let last = found.flussi.iter().rfind(|flusso| flusso.operazione.as_deref() != Some("C"))?;
    match &last.payload {
        Payload::Xml(xml) if is_active => record(xml),
        _ => None,
    }
}

pub(super) async fn begin(visit: Visit) -> Answer {
    begin_with(&visit, &PRESTAZIONE).await
}

pub(super) async fn begin_child(visit: Visit) -> Answer {
    begin_with(&visit, &MINORE).await
}

async fn begin_with(visit: &Visit, modulo: &'static Modulo) -> Answer {
    let target = target(visit, modulo)?;
    let rules = visit.console.rules().await?;
    visit::show(&page(visit, &target, &Bozza::empty(modulo), 0, Errors::default(), &rules)?)
}

pub(super) async fn go_on(visit: Visit) -> Answer {
    step(&visit, &target(&visit, &PRESTAZIONE)?).await
}

pub(super) async fn go_on_with_child(visit: Visit) -> Answer {
    step(&visit, &target(&visit, &MINORE)?).await
}

pub(super) async fn correct(visit: Visit) -> Answer {
    let target = corrected(&visit).await?;
    let Some((found, record)) = &target.held else { return Err(Refusal::NotFound) };
    visit.log(visit.action(Kind::BenefitViewed)?.of(target.served.id).to(found.id)).await?;
    let rules = visit.console.rules().await?;
    visit::show(&page(&visit, &target, &Bozza::of(target.modulo, record), 0, Errors::default(), &rules)?)
}

pub(super) async fn go_on_correcting(visit: Visit) -> Answer {
    let target = corrected(&visit).await?;
    step(&visit, &target).await
}

/// What the form computes, for a script that shows it while one types.
pub(super) async fn compute(visit: Visit) -> Answer {
    let rules = visit.console.rules().await?;
    let html = Calcolo::new(&Bozza::read(&PRESTAZIONE, &visit.form), None, &rules.nomenclatore).render()?;
    Ok(HttpResponse::Ok().json(json!({ "html": html })))
}

/// The step to which the form leads.
async fn step(visit: &Visit, target: &Target<'_>) -> Answer {
    let rules = visit.console.rules().await?;
    let summary_at = target.modulo.summary();
    let mut bozza = Bozza::read(target.modulo, &visit.form);
    bozza.forget(rules.pseudonyms.as_ref(), text::today(visit.console.clock.now()));
    let step = visit.form.text("passo").parse().unwrap_or(0).min(summary_at);
    let next = match visit.form.text("vai") {
        "indietro" => step.saturating_sub(1),
        "ricalcola" => step,
        "conferma" => return confirm(visit, target, &bozza, &rules).await,
        "avanti" => {
            let errors = errors_of(&bozza, target, step, &rules);
            if !errors.is_empty() {
                return visit::show_again(&page(visit, target, &bozza, step, errors, &rules)?);
            }
            step + 1
        }
        other => other.parse().unwrap_or(step),
    };
    if next >= summary_at {
        return summary(visit, target, &bozza, &rules, None).await;
    }
    visit::show(&page(visit, target, &bozza, next, Errors::default(), &rules)?)
}

/// What is wrong with the fields of one step.
fn errors_of(bozza: &Bozza, target: &Target<'_>, step: usize, rules: &Rulebook) -> Errors {
    let mut errors = Errors::default();
    let Some(passo) = target.modulo.passi.get(step) else { return errors };
    let (record, fault) = bozza.record(target.base(), &rules.nomenclatore);
    if let Some(fault) = fault.filter(|_| target.modulo.is_benefit() && step == IMPORTI) {
        errors.add("ImportoMensile", fault);
    }
    let taken = intake::judge(bozza.probe(record, step), rules);
    for notice in taken.notices.iter().filter(|notice| notice.severity == Severity::Errore) {
        let field = passo.campi.iter().find(|campo| campo.is_named(&notice.field) && bozza.asks(campo));
        if let Some(field) = field.filter(|field| errors.of(field.id).is_none()) {
            errors.add(field.id, said(notice, target.modulo));
        }
    }
    errors
}

/// What a notice says, with the names that the pages use.
fn said(notice: &Notice, modulo: &Modulo) -> String {
    let names = |text: &str| {
        modulo.campi().fold(text.to_owned(), |text, campo| {
            // Names that are words too stand for themselves.
            if matches!(campo.id, "Nome" | "Cognome" | "Genere" | "Famiglia" | "Prestazioni") {
                return text;
            }
            replace_word(&text, campo.id, &format!("«{}»", label(campo.id)))
        })
    };
    format!("{} {}", names(&notice.message), names(&notice.remedy))
}

/// `text` with `name` replaced where it is no part of a longer name.
fn replace_word(text: &str, name: &str, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(name) {
        let whole = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if whole { with } else { name });
        rest = after;
    }
    out + rest
}

fn page(
    visit: &Visit,
    target: &Target<'_>,
    bozza: &Bozza,
    step: usize,
    errors: Errors,
    rules: &Rulebook,
) -> Result<PassoPage, Refusal> {
    let modulo = target.modulo;
    let passo = modulo.passi.get(step).ok_or(Refusal::NotFound)?;
    let field = |campo: &Campo| Field {
        id: campo.id,
        label: label(campo.id),
        mark: campo.mark(),
        hint: campo.hint,
        needed: campo.needed,
        value: bozza.value(campo.id).to_owned(),
        codes: campo.codes(),
        several: (matches!(campo.place, Place::List(_)) && !campo.codes().is_empty())
            .then(|| bozza.items(campo.id).map(str::to_owned).collect()),
    };
    // A fiscal code is asked for where a key can make something else of it, and nothing else was made of it before.
    let is_asked = |campo: &&Campo| {
        bozza.asks(campo) && (campo.id != SOURCE || (rules.pseudonyms.is_some() && target.held.is_none()))
    };
    let fields: Vec<Field> = passo.campi.iter().filter(is_asked).map(field).collect();
    let has_choice = step == 0 && target.held.is_none();
    let chosen = value_of(target.served, &target.ente);
    let enti = if has_choice { enti(visit)? } else { Vec::new() };
    let enti = enti.iter().map(|(served, ente)| {
        let name = ente.denominazione.as_ref().map_or(ente.codice.as_str(), |name| name.as_str());
        let value = value_of(served, ente);
        let is_chosen = value == chosen;
        (value, format!("{name} – {}", served.config.name), is_chosen)
    });
    let enti: Vec<_> = enti.collect();
    let computes = modulo.is_benefit() && matches!(step, PERIODO | IMPORTI) && bozza.is_periodic();
    let calcolo = computes.then(|| Calcolo::new(bozza, target.base(), &rules.nomenclatore).render());
    let has_base = computes && step == IMPORTI;
    let hidden = hidden(bozza, |id| fields.iter().any(|field| field.id == id) || (id == BASE && has_base));
    let number = match step {
        _ if !modulo.is_benefit() => format!(" (passo {} di {})", step + 1, modulo.summary()),
        0 => String::new(),
        _ => format!(" (passo {step} di 5)"),
    };
    Ok(PassoPage {
        frame: frame(visit, target, &format!("{}{number}", passo.title)),
        errors,
        at: target.at(step),
        intro: passo.intro,
        codes: if modulo.is_benefit() && step == 1 { rules.nomenclatore.sent() } else { Vec::new() },
        enti: if enti.len() > 1 { enti } else { Vec::new() },
        base: has_base.then(|| bozza.base()),
        calcolo: calcolo.transpose()?,
        hidden,
        fields,
    })
}

/// What was entered, but for what `is_shown`.
fn hidden(bozza: &Bozza, is_shown: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    let values = bozza.modulo.campi().map(|campo| (campo.id, bozza.value(campo.id).to_owned()));
    values
        .chain([(BASE, bozza.base().to_owned())])
        .filter(|(id, value)| !value.is_empty() && !is_shown(id))
        .collect()
}

fn frame(visit: &Visit, target: &Target<'_>, title: &str) -> Frame {
    let at = target.at(0);
    let frame = visit.frame(title).below("Cruscotto", "/").below("Prestazioni", PRESTAZIONI);
    match &target.held {
        Some((found, _)) => frame.below(&found.label, &at.back).below("Correzione", &at.address),
        None => frame.below(target.modulo.title, target.modulo.address),
    }
}

/// The page that says what will be sent; after something else was shown, `other` is that.
async fn summary(
    visit: &Visit,
    target: &Target<'_>,
    bozza: &Bozza,
    rules: &Rulebook,
    other: Option<Preview>,
) -> Answer {
    let (record, _) = bozza.record(target.base(), &rules.nomenclatore);
    let taken = intake::judge(record, rules);
    let mut errors: Vec<(usize, &'static str, String)> = Vec::new();
    let mut add = |step: usize, text: String| {
        if errors.iter().all(|(.., known)| *known != text) {
            errors.push((step, target.modulo.passi.get(step).map_or("", |passo| passo.title), text));
        }
    };
    // What is missing in one step must not hide what is wrong in another.
    for step in 0..target.modulo.summary() {
        for (_, text) in errors_of(bozza, target, step, rules).all() {
            add(step, text.clone());
        }
    }
    let (wrong, doubtful): (Vec<&Notice>, Vec<&Notice>) =
        taken.notices.iter().partition(|notice| notice.severity == Severity::Errore);
    for notice in wrong {
        add(target.modulo.step_of(&notice.field).unwrap_or(0), said(notice, target.modulo));
    }
    let has_changed = other.is_some();
    let mut preview_of = other;
    if errors.is_empty() && preview_of.is_none() {
        let change = target.change(taken.records);
        preview_of = preview(visit, target.served, target.ente.clone(), change).await?;
        if preview_of.is_none() {
            return Err(Refusal::NotFound);
        }
    }
    let word = preview_of.as_ref().and_then(|preview| word(preview, target));
    let shown =
        preview_of.as_ref().map(|preview| Shown::new(preview, &rules.nomenclatore)).unwrap_or_default();
    let page = Riepilogo {
        frame: frame(visit, target, "Riepilogo"),
        at: target.at(target.modulo.summary()),
        warnings: doubtful.into_iter().map(|notice| said(notice, target.modulo)).collect(),
        word,
        has_changed,
        hidden: hidden(bozza, |_| false),
        shown,
        errors,
    };
    if page.errors.is_empty() && !has_changed { visit::show(&page) } else { visit::show_again(&page) }
}

/// What whoever confirms should know beside the flows.
fn word(preview: &Preview, target: &Target<'_>) -> Option<&'static str> {
    if preview.flows.is_empty() {
        return Some("A INPS non viene inviato nulla: la prestazione risulta già così.");
    }
    let any = |wanted: fn(&Verdict) -> bool| preview.published.iter().any(|one| wanted(&one.verdict));
    if target.held.is_some() {
        let moves = any(|verdict| matches!(verdict, Verdict::Withdrawn { .. }));
        return moves.then_some(
            "Cambia ciò che distingue la prestazione (persona, codice, protocollo o primo giorno): quella di prima \
             viene ritirata, e questa prende il suo posto.",
        );
    }
    any(|verdict| matches!(verdict, Verdict::Changed { .. })).then_some(if target.modulo.is_benefit() {
        "Una prestazione della stessa persona, con lo stesso codice, protocollo e primo giorno, c'è già: viene corretta."
    } else {
        "Un minore con lo stesso codice anonimo c'è già: ciò che si sa di lui viene corretto."
    })
}

/// Publishes what was shown.
async fn confirm(visit: &Visit, target: &Target<'_>, bozza: &Bozza, rules: &Rulebook) -> Answer {
    let (record, fault) = bozza.record(target.base(), &rules.nomenclatore);
    let taken = intake::judge(record, rules);
    if fault.is_some() || taken.is_refused() || taken.records.is_empty() {
        return summary(visit, target, bozza, rules, None).await;
    }
    let change = target.change(taken.records);
    let confirmed = perform(visit, target.served, target.ente.clone(), change, Kind::BenefitChanged).await?;
    match confirmed.ok_or(Refusal::NotFound)? {
        Confirmed::Done(published) => {
            // A benefit that was another one is withdrawn first, and what took its place comes after.
            let mut now = published.iter().filter(|one| !matches!(one.verdict, Verdict::Withdrawn { .. }));
            let id = now.find_map(|one| one.prestazione).ok_or(Refusal::NotFound)?;
            let done = if target.held.is_some() { "correzione" } else { "nuova" };
            Ok(visit::go_to(&format!("{}?fatto={done}", address(&target.served.config.name, id))))
        }
        Confirmed::Other(preview) => summary(visit, target, bozza, rules, Some(*preview)).await,
    }
}
