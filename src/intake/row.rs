//! A row of a CSV on its way to an [`Element`]: each value in the element that it belongs to, as XML writes it.

use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::columns::{Owner, Target};
use crate::siuss::element::Element;
use crate::siuss::values::Kind;

/// A row on its way to an [`Element`].
pub(super) struct Row {
    record: Element,
    anagrafica: Element,
    indirizzo: Element,
    prestazione: Element,
    sina: Element,
    /// The lists of `SINA` or `SINBA`, in the order of the schema.
    lists: [Element; 2],
    is_sinba: bool,
}

impl Row {
    pub(super) fn new(is_sinba: bool, line: u64) -> Self {
        let element = |name| Element::new(name, line);
        let (record, lists) = if is_sinba {
            ("SINBA", ["Prestazioni", "Famiglia"])
        } else {
            ("Beneficiario", ["NecessitaInterventiSociali", "InvaliditaCivile"])
        };
        Self {
            record: element(record),
            anagrafica: element("Anagrafica"),
            indirizzo: element("Indirizzo"),
            prestazione: element("PrestazioniSociali"),
            sina: element("SINA"),
            lists: lists.map(element),
            is_sinba,
        }
    }

    pub(super) fn set(&mut self, target: Target, value: &str) {
        let owner = match target.owner {
            Owner::Beneficiario | Owner::Sinba => &mut self.record,
            Owner::Anagrafica => &mut self.anagrafica,
            Owner::Indirizzo => &mut self.indirizzo,
            Owner::Prestazione => &mut self.prestazione,
            Owner::Sina => &mut self.sina,
            Owner::SinaList(list) | Owner::SinbaList(list) => {
                let Some(list) = self.lists.iter_mut().find(|element| element.name == list) else { return };
                let line = list.line;
                for value in value.split('|').map(str::trim).filter(|value| !value.is_empty()) {
                    list.children.push(Element { text: value.to_owned(), ..Element::new(target.name, line) });
                }
                return;
            }
        };
        owner.attributes.push((target.name.into(), canonical(target.kind, value)));
    }

    pub(super) fn finish(mut self) -> Element {
        if self.is_sinba {
            self.record.children.extend(self.lists);
            return self.record;
        }
        self.sina.children = self.lists.into_iter().filter(|list| !list.children.is_empty()).collect();
        if !self.sina.attributes.is_empty() || !self.sina.children.is_empty() {
            self.prestazione.children.push(self.sina);
        }
        self.record.children.extend([self.anagrafica, self.indirizzo, self.prestazione]);
        self.record
    }
}

/// `value` as XML writes it: the two forms of a date, the comma of decimals. What is neither stays as it stands in the
/// source, for that is where whoever mends it will look for it.
pub(crate) fn canonical(kind: Kind, value: &str) -> String {
    let other_form = match kind {
        Kind::Text => None,
        Kind::Number => decimal_point(value),
        Kind::Day => day_first(value),
    };
    other_form.unwrap_or_else(|| value.to_owned())
}

/// The day that `GG/MM/AAAA` names, or `G/M/AAAA`, as some spreadsheets write it.
fn day_first(value: &str) -> Option<String> {
    let (day, rest) = value.split_once('/')?;
    let (month, year) = rest.split_once('/')?;
    let digits = |text: &str, lengths: RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !(digits(day, 1..=2) && digits(month, 1..=2) && digits(year, 4..=4)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok().map(|date| date.to_string())
}

fn decimal_point(value: &str) -> Option<String> {
    let (whole, decimals) = value.split_once(',')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole.trim_start_matches(['+', '-'])) && digits(decimals)).then(|| format!("{whole}.{decimals}"))
}
