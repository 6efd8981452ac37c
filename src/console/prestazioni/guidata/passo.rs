//! The form at one of its steps, and what every page of it carries.

use askama::Template;

use super::bozza::{BASE, Bozza};
use super::calcolo::Calcolo;
use super::campi::{IMPORTI, PERIODO};
use super::modulo::{Campo, Modulo, Place};
use super::{Target, enti, value_of};
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::prestazioni::PRESTAZIONI;
use crate::console::prestazioni::documento::label;
use crate::console::refusal::Refusal;
use crate::console::visit::Visit;
use crate::siuss::pseudonym::SOURCE;
use crate::siuss::rules::Rulebook;

/// The form at one of its steps.
#[derive(Template)]
#[template(path = "prestazioni/passo.html")]
pub(super) struct PassoPage {
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

/// Where the form is: its address, the ente, and the steps.
pub(super) struct At {
    pub(super) modulo: &'static Modulo,
    pub(super) address: String,
    /// Where one goes who leaves it.
    pub(super) back: String,
    pub(super) ente: String,
    pub(super) step: usize,
    pub(super) is_correction: bool,
}

impl At {
    /// The steps: number, title, whether it is this one.
    pub(super) fn steps(&self) -> impl Iterator<Item = (usize, &'static str)> + use<> {
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

pub(super) fn page(
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
pub(super) fn hidden(bozza: &Bozza, is_shown: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    let values = bozza.modulo.campi().map(|campo| (campo.id, bozza.value(campo.id).to_owned()));
    values
        .chain([(BASE, bozza.base().to_owned())])
        .filter(|(id, value)| !value.is_empty() && !is_shown(id))
        .collect()
}

pub(super) fn frame(visit: &Visit, target: &Target<'_>, title: &str) -> Frame {
    let at = target.at(0);
    let frame = visit.frame(title).below("Cruscotto", "/").below("Prestazioni", PRESTAZIONI);
    match &target.held {
        Some((found, _)) => frame.below(&found.label, &at.back).below("Correzione", &at.address),
        None => frame.below(target.modulo.title, target.modulo.address),
    }
}
