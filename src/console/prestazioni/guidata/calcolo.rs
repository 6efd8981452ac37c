//! What the form computes while it is filled in: the parts of the benefit, one for each calendar year.

use askama::Template;
use rust_decimal::Decimal;

use super::bozza::Bozza;
use crate::console::prestazioni::documento::italian_day;
use crate::siuss::element::Element;
use crate::siuss::split::by_year;
use crate::siuss::tables::Nomenclatore;
use crate::siuss::values::{Importo, Value};

/// The parts of a benefit, as a table.
#[derive(Template)]
#[template(path = "prestazioni/calcolo.html")]
pub(super) struct Calcolo {
    pub(super) parts: Vec<Part>,
    /// Why nothing can be computed.
    pub(super) fault: Option<&'static str>,
}

/// What one flow will carry.
pub(super) struct Part {
    pub(super) from: String,
    pub(super) until: String,
    pub(super) months: String,
    pub(super) monthly: String,
    pub(super) shares: Vec<(&'static str, String)>,
    pub(super) total: String,
}

const SHARES: [(&str, &str); 3] = [
    ("ImportoQuotaEnte", "ente"),
    ("ImportoQuotaUtente", "famiglia"),
    ("ImportoQuotaSSN", "servizio sanitario"),
];

impl Calcolo {
    /// What is known so far; nothing of a benefit that is given once.
    pub(super) fn new(bozza: &Bozza, base: Option<&Element>, nomenclatore: &Nomenclatore) -> Self {
        if !bozza.is_periodic() {
            return Self { parts: Vec::new(), fault: None };
        }
        let (record, fault) = bozza.record(base, nomenclatore);
        let parts = by_year(record, &mut Vec::new());
        Self { parts: parts.iter().filter_map(part).collect(), fault }
    }
}

fn part(record: &Element) -> Option<Part> {
    let prestazione = record.child("PrestazioniSociali")?;
    let text = |name: &str| prestazione.attribute(name).unwrap_or_default();
    if text("DataInizioPrestazione").is_empty() {
        return None;
    }
    let amount = |name: &str| Importo::read(text(name)).map(Importo::number);
    let monthly = amount("ImportoMensile");
    let months: Option<u32> = text("PeriodoErogazione").parse().ok();
    let total = monthly.zip(months).and_then(|(monthly, months)| monthly.checked_mul(Decimal::from(months)));
    let shares = SHARES.iter().filter_map(|(name, who)| Some((*who, euro(amount(name)?))));
    Some(Part {
        from: italian_day(text("DataInizioPrestazione")),
        until: italian_day(text("DataFinePrestazione")),
        months: text("PeriodoErogazione").to_owned(),
        monthly: monthly.map(euro).unwrap_or_default(),
        shares: shares.collect(),
        total: total.map(euro).unwrap_or_default(),
    })
}

fn euro(amount: Decimal) -> String {
    format!("{} €", Importo::from(amount).text().replacen('.', ",", 1))
}
