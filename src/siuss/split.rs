//! A periodic benefit that crosses calendar years becomes one record for each year, and months are counted.
//!
//! Facts of SIUSS, rules 5 and 6, and the school-meals case: nine months from 1 September are 4 of one year and 5 of
//! the next.

use jiff::Unit;
use jiff::civil::{Date, date};

use super::element::Element;
use super::notice::Notice;
use super::rules;
use super::values::{Data, Value};

/// Years that one source record may cover: more is a mistake of the source, and is left to the rules.
const MOST_YEARS: i16 = 30;

/// The months from `first` to `last`, both included: whole ones, and one for what remains.
#[must_use]
pub fn months(first: Date, last: Date) -> Option<i32> {
    let after = last.tomorrow().ok()?;
    let span = first.until((Unit::Month, after)).ok()?;
    let whole = span.get_months();
    let remainder = span.get_days();
    i32::try_from(i64::from(whole) + i64::from(remainder > 0)).ok()
}

/// `record` as one record for each calendar year of its period.
///
/// A record that does not cross years, or whose dates cannot be read, is given back as it is. The months of each part
/// are counted; `notices` is told when the source states another number than they make together.
pub fn by_year(record: Element, notices: &mut Vec<Notice>) -> Vec<Element> {
    let Some((first, last)) = period(&record) else { return vec![record] };
    if first.year() >= last.year() || last.year() - first.year() >= MOST_YEARS {
        return vec![record];
    }
    let parts = (first.year()..=last.year()).map(|year| {
        let from = if year == first.year() { first } else { date(year, 1, 1) };
        let to = if year == last.year() { last } else { date(year, 12, 31) };
        (from, to, months(from, to))
    });
    let stated = record.child("PrestazioniSociali").and_then(|dati| dati.attribute("PeriodoErogazione"));
    if let Some(stated) = stated
        && let Some(counted) = parts.clone().map(|(_, _, months)| months).sum()
        && stated.trim().parse() != Ok(counted)
    {
        notices.push(rules::other_months_of_parts(stated, first, last, counted));
    }
    parts
        .map(|(from, to, months)| {
            let mut part = record.clone();
            if let Some(prestazione) = part.child_mut("PrestazioniSociali") {
                let mut set = |name: &str, value: String| prestazione.set_attribute(name, Some(value));
                set("DataInizioPrestazione", Data::from(from).text());
                set("DataFinePrestazione", Data::from(to).text());
                if let Some(months) = months {
                    set("PeriodoErogazione", months.to_string());
                }
            }
            part
        })
        .collect()
}

/// The first and last day of a periodic benefit.
fn period(record: &Element) -> Option<(Date, Date)> {
    let prestazione = record.child("PrestazioniSociali")?;
    if prestazione.attribute("CaratterePrestazione") != Some("1") {
        return None;
    }
    let day = |name| Data::read(prestazione.attribute(name)?).map(Data::day);
    Some((day("DataInizioPrestazione")?, day("DataFinePrestazione")?))
}
