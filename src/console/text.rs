//! How the pages write days, instants and numbers: as Italians do, in the time of Rome.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::intake::canonical;
use crate::registry::Mese;
use crate::siuss::values::{Data, Kind, Value};
use crate::store::Day;

/// The day on which an instant falls: `31/01/2026`.
pub(super) fn day(ms: i64) -> String {
    Day::of(instant_of(ms)).italian()
}

/// An instant, to the minute: `31/01/2026, 12:05`.
pub(super) fn instant(ms: i64) -> String {
    let instant = instant_of(ms);
    format!("{}, {}", Day::of(instant).italian(), Day::time(instant))
}

fn instant_of(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

/// A number with points between the thousands: `1.000.000`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 flusso`, `1.000 flussi`.
pub(super) fn of(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { several })
}

/// A count, which is negative when more was taken away than was counted.
pub(super) fn count(count: i64) -> String {
    let sign = if count < 0 { "−" } else { "" };
    format!("{sign}{}", number(count.unsigned_abs()))
}

/// An amount of euro, given in cents: `1.234,50 €`.
pub(super) fn euro(cents: i64) -> String {
    let sign = if cents < 0 { "−" } else { "" };
    format!("{sign}{},{:02} €", number(cents.unsigned_abs() / 100), cents.unsigned_abs() % 100)
}

/// What is said where no day was written.
pub(super) const NO_DAY: &str = "Scrivere il giorno come GG/MM/AAAA, per esempio 31/01/2026.";

/// A day as browsers send it (`2026-01-31`), or as Italians write it.
pub(super) fn read_day(text: &str) -> Option<Day> {
    Some(Day::from(Data::read(&canonical(Kind::Day, text))?.day()))
}

/// The day of Rome on which an instant falls.
pub(super) fn today(instant: Timestamp) -> Date {
    Day::of(instant).date()
}

const MONTHS: [&str; 12] = [
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
];

/// A month: `gennaio 2026`.
pub(super) fn month(mese: Mese) -> String {
    format!("{} {}", name(mese), mese.div_euclid(100))
}

/// A month where there is little room: `gen 26`.
pub(super) fn short_month(mese: Mese) -> String {
    let name: String = name(mese).chars().take(3).collect();
    format!("{name} {:02}", mese.div_euclid(100).rem_euclid(100))
}

fn name(mese: Mese) -> &'static str {
    let index = usize::try_from(mese.rem_euclid(100) - 1).unwrap_or_default();
    MONTHS.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_italians_write_them() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1.234.567");
        assert_eq!(of(1, "flusso", "flussi"), "1 flusso");
        assert_eq!(of(2000, "flusso", "flussi"), "2.000 flussi");
        assert_eq!(euro(123_450), "1.234,50 €");
        assert_eq!(euro(-5), "−0,05 €");
        assert_eq!((month(202_601), short_month(202_512)), ("gennaio 2026".to_owned(), "dic 25".to_owned()));
        assert_eq!(instant(1_767_225_600_000), "01/01/2026, 01:00");
    }
}
