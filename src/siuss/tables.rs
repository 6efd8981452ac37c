//! The tables that rules look into: the nomenclature of benefits and the regions, as far as public sources give them.

use std::collections::HashMap;
use std::sync::LazyLock;

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
    /// Reads `codice,denominazione,trasmissione,nota` with a header; rows that it cannot read are an error.
    pub fn from_csv(text: &str) -> Result<Self, csv::Error> {
        let mut table = HashMap::new();
        for row in csv::Reader::from_reader(text.as_bytes()).into_records() {
            let row = row?;
            let field = |index| row.get(index).map(str::trim).filter(|text| !text.is_empty());
            let Some(codice) = field(0) else { continue };
            let trasmissione = match field(2) {
                Some("si") => Trasmissione::Si,
                Some("no") => Trasmissione::No,
                Some("solo-presa-in-carico") => Trasmissione::SoloPresaInCarico,
                _ => Trasmissione::Incerta,
            };
            let denominazione = field(1).map(str::to_owned);
            table.insert(codice.to_owned(), Voce { denominazione, trasmissione });
        }
        Ok(Self(table))
    }

    /// The benefit with this code.
    #[must_use]
    pub fn get(&self, codice: &str) -> Option<&Voce> {
        self.0.get(codice)
    }
}

/// The nomenclature that the product ships.
pub static NOMENCLATORE: LazyLock<Nomenclatore> = LazyLock::new(|| {
    Nomenclatore::from_csv(include_str!("../../specs/nomenclatore.csv")).unwrap_or_default()
});

/// The codes of the regions in the flows: the order of Agenzia Entrate, not ISTAT's (facts of SIUSS).
pub static REGIONI: LazyLock<Vec<String>> = LazyLock::new(|| {
    csv::Reader::from_reader(include_str!("../../specs/regioni.csv").as_bytes())
        .into_records()
        .filter_map(|row| row.ok()?.get(0).map(str::to_owned))
        .collect()
});
