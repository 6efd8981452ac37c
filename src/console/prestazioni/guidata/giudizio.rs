//! What is wrong with what was entered: what the rulebook says, in the words and the forms of the pages.

use super::Target;
use super::bozza::{Bozza, IMPORTO, QUOTE};
use super::campi::IMPORTI;
use super::modulo::{Modulo, Place};
use crate::console::form::Errors;
use crate::console::prestazioni::documento::{italian_day, label};
use crate::intake;
use crate::siuss::notice::{Notice, Severity};
use crate::siuss::rules::Rulebook;
use crate::siuss::values::{Data, Importo, Value};

/// What is wrong with the fields of one step.
pub(super) fn errors_of(bozza: &Bozza, target: &Target<'_>, step: usize, rules: &Rulebook) -> Errors {
    let mut errors = Errors::default();
    let Some(passo) = target.modulo.passi.get(step) else { return errors };
    let (record, fault) = bozza.record(target.base(), &rules.nomenclatore);
    if let Some(fault) = fault.filter(|_| target.modulo.is_benefit() && step == IMPORTI) {
        errors.add(IMPORTO, fault);
    }
    let taken = intake::judge(bozza.probe(record, step), rules);
    for notice in taken.notices.iter().filter(|notice| notice.severity == Severity::Errore) {
        if fault.is_some() && is_of_an_amount(notice) {
            continue;
        }
        let field = passo.campi.iter().find(|campo| campo.is_named(&notice.field) && bozza.asks(campo));
        if let Some(field) = field.filter(|field| errors.of(field.id).is_none()) {
            errors.add(field.id, said(notice, target.modulo));
        }
    }
    errors
}

/// Whether a notice is about what is divided: of amounts that cannot be, that is all there is to say.
pub(super) fn is_of_an_amount(notice: &Notice) -> bool {
    notice.field == IMPORTO || QUOTE.contains(&notice.field.as_ref())
}

/// What a notice says, with the names and the forms that the pages use.
pub(super) fn said(notice: &Notice, modulo: &Modulo) -> String {
    let campo = modulo.campi().find(|campo| campo.is_named(&notice.field));
    if let Some(campo) =
        campo.filter(|campo| matches!(campo.place, Place::List(_)) && notice.value.is_empty())
    {
        return format!("Manca «{}», che è obbligatorio: indicare almeno una voce.", label(campo.id));
    }
    let names = |text: &str| {
        modulo.campi().fold(text.to_owned(), |text, campo| {
            // Names that are words too stand for themselves.
            if matches!(campo.id, "Nome" | "Cognome" | "Genere" | "Famiglia" | "Prestazioni") {
                return text;
            }
            replace_word(&text, campo.id, &format!("«{}»", label(campo.id)))
        })
    };
    // The rules speak of files; here is one benefit, whose days and amounts have the form that the page itself asks for.
    let remedy = match &notice.remedy {
        asked if *asked == format!("Scrivere {}.", Data::expected()) => {
            "Scrivere una data esistente, nella forma GG/MM/AAAA."
        }
        asked if *asked == format!("Scrivere {}.", Importo::expected()) => {
            "Scrivere un numero con la virgola dei decimali e senza il punto delle migliaia, per esempio 84,20."
        }
        other => other,
    };
    let remedy =
        remedy.replace("Togliere la riga, o correggere", "Correggere").replace("una riga", "una prestazione");
    italian(&format!("{} {}", names(&notice.message), names(&remedy)))
}

/// `text` with the days and amounts of a flow as people write them.
fn italian(text: &str) -> String {
    let word = |word: &str| {
        let value = word.trim_matches(|character: char| !character.is_alphanumeric());
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let written = match value.split_once('.') {
            Some((whole, cents)) if digits(whole) && digits(cents) => format!("{whole},{cents}"),
            _ if Data::read(value).is_some() => italian_day(value),
            _ => return word.to_owned(),
        };
        word.replacen(value, &written, 1)
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
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
