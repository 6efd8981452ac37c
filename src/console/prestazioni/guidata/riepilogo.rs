//! The last page of the form: what will be sent, or what is still to be mended.

use askama::Template;

use super::Target;
use super::bozza::Bozza;
use super::calcolo::Calcolo;
use super::giudizio::{errors_of, is_of_an_amount, said};
use super::passo::{At, frame, hidden};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::prestazioni::anteprima::{Shown, preview};
use crate::console::refusal::Refusal;
use crate::console::visit::{self, Visit};
use crate::intake;
use crate::registry::{Preview, Verdict};
use crate::siuss::notice::{Notice, Severity};
use crate::siuss::rules::Rulebook;

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

/// The page that says what will be sent; after something else was shown, `other` is that.
pub(super) async fn summary(
    visit: &Visit,
    target: &Target<'_>,
    bozza: &Bozza,
    rules: &Rulebook,
    other: Option<Preview>,
) -> Answer {
    let (record, fault) = bozza.record(target.base(), &rules.nomenclatore);
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
    for notice in wrong.into_iter().filter(|notice| fault.is_none() || !is_of_an_amount(notice)) {
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
    let missed = Calcolo::new(bozza, target.base(), &rules.nomenclatore).missed;
    let page = Riepilogo {
        frame: frame(visit, target, "Riepilogo"),
        at: target.at(target.modulo.summary()),
        warnings: doubtful.into_iter().map(|notice| said(notice, target.modulo)).chain(missed).collect(),
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
