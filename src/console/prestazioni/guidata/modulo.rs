//! What a guided form is: its steps and their fields.

use crate::siuss::codes::ComposizioneFamiglia;
use crate::siuss::element::Element;
use crate::siuss::fields;
use crate::siuss::values::Value;

/// Which element of a record a field is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The record itself.
    Record,
    Anagrafica,
    Indirizzo,
    Prestazione,
    /// Elements of this name within the one that is called as the field: it has several values.
    List(&'static str),
}

/// For which benefits a field is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Only {
    Periodic,
    Occasional,
    All,
}

/// A field of the form, named as the attribute that it fills.
#[derive(Debug)]
pub(super) struct Campo {
    pub(super) id: &'static str,
    pub(super) place: Place,
    pub(super) only: Only,
    pub(super) needed: bool,
    /// What is asked for, in plain words.
    pub(super) hint: &'static str,
}

impl Campo {
    /// Its values with their meanings, where they are a closed list.
    pub(super) fn codes(&self) -> &'static [(&'static str, &'static str)] {
        match self.place {
            Place::List("ComposizioneFamiglia") => ComposizioneFamiglia::CODES,
            _ => fields::find(self.id).map(|field| field.codes).unwrap_or_default(),
        }
    }

    /// What it is called in the layout: its id there, or where it has none its name.
    pub(super) fn mark(&self) -> &'static str {
        match self.place {
            Place::Prestazione => fields::bx(self.id).unwrap_or_default(),
            Place::Record | Place::List(_) if self.id != "CodiceFiscale" => self.id,
            _ => "",
        }
    }

    /// Whether what is said of `field` is about it: of a list, it is said of the elements within.
    pub(super) fn is_named(&self, field: &str) -> bool {
        self.id == field || matches!(self.place, Place::List(item) if item == field)
    }

    /// The element of `record` that has it as an attribute.
    pub(super) fn owner<'a>(&self, record: &'a mut Element) -> Option<&'a mut Element> {
        match self.place {
            Place::Record => Some(record),
            Place::Anagrafica => record.child_mut("Anagrafica"),
            Place::Indirizzo => record.child_mut("Indirizzo"),
            Place::Prestazione => record.child_mut("PrestazioniSociali"),
            Place::List(_) => record.child_mut(self.id),
        }
    }
}

/// A step of the form.
#[derive(Debug)]
pub(super) struct Passo {
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    pub(super) campi: &'static [Campo],
}

/// A form, for one kind of record.
#[derive(Debug)]
pub(super) struct Modulo {
    /// The name of the record's element, and of those within that it begins with.
    pub(super) element: &'static str,
    pub(super) children: &'static [&'static str],
    /// Where a new record is written, and what that is called.
    pub(super) address: &'static str,
    pub(super) title: &'static str,
    pub(super) passi: &'static [Passo],
}

impl Modulo {
    /// Every field.
    pub(super) fn campi(&self) -> impl Iterator<Item = &'static Campo> + use<> {
        self.passi.iter().flat_map(|passo| passo.campi)
    }

    /// The step in which a field is.
    pub(super) fn step_of(&self, id: &str) -> Option<usize> {
        self.passi.iter().position(|passo| passo.campi.iter().any(|campo| campo.is_named(id)))
    }

    /// The step after the last: what will be sent.
    pub(super) fn summary(&self) -> usize {
        self.passi.len()
    }

    /// Whether it is that of a benefit, with a period and amounts.
    pub(super) fn is_benefit(&self) -> bool {
        self.element == "Beneficiario"
    }
}

pub(super) const fn campo(
    id: &'static str,
    place: Place,
    only: Only,
    needed: bool,
    hint: &'static str,
) -> Campo {
    Campo { id, place, only, needed, hint }
}
