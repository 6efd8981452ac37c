//! How the pages write days, instants and numbers: as Italians do, in the time of Rome.

use jiff::Timestamp;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_italians_write_them() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1.234.567");
        assert_eq!(instant(1_767_225_600_000), "01/01/2026, 01:00");
    }
}
