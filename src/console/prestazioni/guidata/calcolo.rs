//! What the form computes while it is filled in: the parts of the benefit, one for each calendar year.

use askama::Template;
use rust_decimal::Decimal;

use super::bozza::{Bozza, IMPORTO, QUOTE, stated_months};
use crate::console::prestazioni::documento::italian_day;
use crate::intake::canonical;
use crate::siuss::element::Element;
use crate::siuss::split::by_year;
use crate::siuss::tables::Nomenclatore;
use crate::siuss::values::{Importo, Kind, Value};

/// The parts of a benefit, as a table.
#[derive(Template)]
#[template(path = "prestazioni/calcolo.html")]
pub(super) struct Calcolo {
    pub(super) parts: Vec<Part>,
    /// Why nothing can be computed.
    pub(super) fault: Option<&'static str>,
    /// By how much the parts miss the amounts of the whole period.
    pub(super) missed: Option<String>,
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

/// Who pays the shares.
const WHO: [&str; 3] = ["ente", "famiglia", "servizio sanitario"];

impl Calcolo {
    /// What is known so far; nothing of a benefit that is given once.
    pub(super) fn new(bozza: &Bozza, base: Option<&Element>, nomenclatore: &Nomenclatore) -> Self {
        if !bozza.is_periodic() {
            return Self { parts: Vec::new(), fault: None, missed: None };
        }
        let (record, fault) = bozza.record(base, nomenclatore);
        let parts = by_year(record, &mut Vec::new());
        let missed = if fault.is_none() { missed(bozza, &parts) } else { None };
        Self { parts: parts.iter().filter_map(part).collect(), fault, missed }
    }
}

/// By how much `parts` miss the amounts of the whole period: each month has the same amount, to the cent.
fn missed(bozza: &Bozza, parts: &[Element]) -> Option<String> {
    if !bozza.is_whole {
        return None;
    }
    let of = |(name, who): (&str, &str)| {
        let entered = Importo::read(&canonical(Kind::Number, bozza.value(name)))?.number();
        let total = |part: &Element| {
            let monthly = Importo::read(part.child("PrestazioniSociali")?.attribute(name)?)?.number();
            monthly.checked_mul(Decimal::from(stated_months(part)?))
        };
        let together = parts.iter().map(total).sum::<Option<Decimal>>()?;
        (together != entered).then(|| format!("{who} {} e non {}", euro(together), euro(entered)))
    };
    let names = [IMPORTO].into_iter().chain(QUOTE);
    let missed: Vec<String> = names.zip(["importo"].into_iter().chain(WHO)).filter_map(of).collect();
    (!missed.is_empty()).then(|| {
        format!(
            "Tutti i mesi insieme fanno: {}. Ogni mese ha lo stesso importo, al centesimo: di più non ci si può \
             avvicinare.",
            missed.join("; ")
        )
    })
}

fn part(record: &Element) -> Option<Part> {
    let prestazione = record.child("PrestazioniSociali")?;
    let text = |name: &str| prestazione.attribute(name).unwrap_or_default();
    if text("DataInizioPrestazione").is_empty() {
        return None;
    }
    let amount = |name: &str| Importo::read(text(name)).map(Importo::number);
    let monthly = amount(IMPORTO);
    let total = monthly
        .zip(stated_months(record))
        .and_then(|(monthly, months)| monthly.checked_mul(Decimal::from(months)));
    let shares = QUOTE.into_iter().zip(WHO).filter_map(|(name, who)| Some((who, euro(amount(name)?))));
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
