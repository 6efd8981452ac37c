//! The nomenclature of benefits.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Rows, TableError};

/// Whether a benefit is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trasmissione {
    /// It is.
    Si,
    /// Never: INPS pays it and already holds it.
    No,
    /// Only for people whom the social service follows.
    SoloPresaInCarico,
    /// Public sources do not say.
    Incerta,
}

/// A benefit of the nomenclature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voce {
    /// Its name, where public sources give it.
    pub denominazione: Option<String>,
    /// Whether it is sent.
    pub trasmissione: Trasmissione,
}

/// The nomenclature of benefits, by code.
#[derive(Clone, Debug, Default)]
pub struct Nomenclatore(HashMap<String, Voce>);

impl Nomenclatore {
    /// Reads a CSV with the columns `codice`, `denominazione` and `trasmissione` (`si`, `no`, `solo-presa-in-carico`,
    /// `incerta`).
    pub fn from_csv(text: &str) -> Result<Self, TableError> {
        let mut table = HashMap::new();
        for (line, value) in Rows::read(text, &["codice", "denominazione", "trasmissione"])?.iter() {
            let wrong = |message: String| TableError::Line { line, message };
            let codice = value("codice");
            if !(5..=10).contains(&codice.chars().count()) {
                return Err(wrong(format!("{codice:?} is no code of a benefit: 5 to 10 characters")));
            }
            let trasmissione = match value("trasmissione") {
                "si" => Trasmissione::Si,
                "no" => Trasmissione::No,
                "solo-presa-in-carico" => Trasmissione::SoloPresaInCarico,
                "incerta" => Trasmissione::Incerta,
                other => {
                    let known = "si, no, solo-presa-in-carico or incerta";
                    return Err(wrong(format!("trasmissione is {other:?}, and should be {known}")));
                }
            };
            let denominazione =
                Some(value("denominazione")).filter(|name| !name.is_empty()).map(str::to_owned);
            if table.insert(codice.to_owned(), Voce { denominazione, trasmissione }).is_some() {
                return Err(wrong(format!("the code {codice} is there twice")));
            }
        }
        Ok(Self(table))
    }

    /// The benefit with this code.
    #[must_use]
    pub fn get(&self, codice: &str) -> Option<&Voce> {
        self.0.get(codice)
    }

    /// The code that `codice` is but for capitals and white space, and its benefit.
    #[must_use]
    pub fn meant(&self, codice: &str) -> Option<(&str, &Voce)> {
        let plain: String = codice.to_uppercase().split_whitespace().collect();
        self.0.get_key_value(&plain).map(|(codice, voce)| (codice.as_str(), voce))
    }

    /// The benefits that are sent, or may be: code and name, in the order of the codes.
    #[must_use]
    pub fn sent(&self) -> Vec<(String, String)> {
        let sent = self.0.iter().filter(|(_, voce)| voce.trasmissione != Trasmissione::No);
        let mut sent: Vec<_> = sent
            .map(|(codice, voce)| (codice.clone(), voce.denominazione.clone().unwrap_or_default()))
            .collect();
        sent.sort();
        sent
    }

    /// How many benefits it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This table with the codes that `other` never sends and that this one does not speak of: a table that is short of
    /// them must not let out what INPS refuses.
    #[must_use]
    pub fn with_refusals_of(mut self, other: &Self) -> Self {
        for (codice, voce) in other.0.iter().filter(|(_, voce)| voce.trasmissione == Trasmissione::No) {
            self.0.entry(codice.clone()).or_insert_with(|| voce.clone());
        }
        self
    }
}

/// The nomenclature that the product ships.
pub static NOMENCLATORE: LazyLock<Nomenclatore> = LazyLock::new(|| {
    Nomenclatore::from_csv(include_str!("../../../specs/nomenclatore.csv")).unwrap_or_default()
});
