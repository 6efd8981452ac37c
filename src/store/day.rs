//! The calendar day of Europe/Rome, by which flows are numbered and calls are counted.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};
use serde::{Serialize, Serializer};

/// The zone's rules are part of the program; the fixed offset stands for a build without them.
static ROME: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/Rome").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(1))));

/// A calendar day of Europe/Rome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day on which `instant` falls.
    #[must_use]
    pub fn of(instant: Timestamp) -> Self {
        Self(instant.to_zoned(ROME.clone()).date())
    }

    /// The day as the tables keep it and as the name of a flow spells it: 20260131.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.0.year()) * 10_000 + i32::from(self.0.month()) * 100 + i32::from(self.0.day())
    }

    /// The day of that number, if there is one.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let year = i16::try_from(number.div_euclid(10_000)).ok()?;
        let month = i8::try_from(number.rem_euclid(10_000) / 100).ok()?;
        let day = i8::try_from(number.rem_euclid(100)).ok()?;
        Date::new(year, month, day).ok().map(Self)
    }

    /// The day, of no zone.
    #[must_use]
    pub fn date(self) -> Date {
        self.0
    }

    /// The day as Italians write it: 31/01/2026.
    #[must_use]
    pub fn italian(self) -> String {
        format!("{:02}/{:02}/{:04}", self.0.day(), self.0.month(), self.0.year())
    }

    /// The time of `instant` on its day, to the minute: 12:05.
    #[must_use]
    pub fn time(instant: Timestamp) -> String {
        let zoned = instant.to_zoned(ROME.clone());
        format!("{:02}:{:02}", zoned.hour(), zoned.minute())
    }

    /// The day's first instant; none on the last day that can be told.
    #[must_use]
    pub fn start(self) -> Option<Timestamp> {
        self.0.to_zoned(ROME.clone()).ok().map(|start| start.timestamp())
    }

    /// The instant at which the day is over; none on the last day that can be told.
    #[must_use]
    pub fn end(self) -> Option<Timestamp> {
        self.next()?.start()
    }

    /// The instant at which the clocks of the day show `hour` and `minute`; none if they never do.
    #[must_use]
    pub fn at(self, hour: i8, minute: i8) -> Option<Timestamp> {
        let time = Time::new(hour, minute, 0, 0).ok()?;
        self.0.to_datetime(time).to_zoned(ROME.clone()).ok().map(|at| at.timestamp())
    }

    /// The day after; none after the last day that can be told.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1.day()).ok().map(Self)
    }

    /// Seconds from `instant` to the end of the day, rounded up; 0 when the day is over.
    #[must_use]
    pub fn seconds_left(self, instant: Timestamp) -> u32 {
        let millis =
            self.end().map_or(0, |end| end.as_millisecond().saturating_sub(instant.as_millisecond()));
        u32::try_from(millis.saturating_add(999) / 1000).unwrap_or(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// As `2026-01-31`.
impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Self {
        Self(date)
    }
}
