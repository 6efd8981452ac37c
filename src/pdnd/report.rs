//! How days stand with PDND, beside what this service sent and counts, and what there is to do: `tracing status`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::count::{Count, CountError};
use super::ledger::{self, Record};
use super::service::{Known, RowError, State};
use super::settle::{SettleError, Settler, deadline, learn, ready};
use crate::store::Day;

/// Days that are told of although PDND has counted them.
const RECENT: SignedDuration = SignedDuration::from_hours(24 * 31);

/// How the file that PDND has compares with the count of this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum File {
    /// It is the same.
    Same,
    /// It counts otherwise.
    Differs,
    /// PDND has one that was not sent from here, or it is not known which of two it has.
    Unknown,
    /// PDND has none.
    None,
}

/// How one day stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayReport {
    /// The day.
    pub date: Day,
    /// What PDND says of it; null when it knows nothing.
    pub state: Option<State>,
    /// PDND's id of the day's tracing.
    pub tracing_id: Option<Uuid>,
    /// How the file that PDND has compares with the count of this moment.
    pub file: File,
    /// Calls of the day as the log has them; null when they cannot be counted any more.
    pub calls: Option<u64>,
    /// When a file was last sent from here.
    pub submitted: Option<Timestamp>,
    /// Attempts that failed since the last that succeeded.
    pub failures: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// What PDND found in the file.
    pub errors: Vec<RowError>,
    /// What there is to do, if anything.
    pub remedy: Option<String>,
}

/// Which days are told of.
#[derive(Clone, Debug)]
pub enum Which {
    /// This one.
    Day(Day),
    /// Those that PDND has in one of these states.
    States(Vec<State>),
    /// Those of the last month, and whatever is owed.
    Recent,
}

/// How the days stand, oldest first. Nothing is sent, and nothing is written down.
pub fn report(settler: &Settler, which: &Which) -> Result<Vec<DayReport>, SettleError> {
    let now = settler.clock.now();
    let states = match which {
        Which::States(states) => states.as_slice(),
        Which::Day(_) | Which::Recent => &[],
    };
    let known = settler.service.days(states)?;
    let days = match which {
        Which::Day(day) => BTreeSet::from([*day]),
        Which::States(_) => known.keys().copied().collect(),
        Which::Recent => recent(settler, &known, now)?,
    };
    days.into_iter().map(|day| one(settler, day, known.get(&day).copied(), now)).collect()
}

fn recent(
    settler: &Settler,
    known: &BTreeMap<Day, Known>,
    now: Timestamp,
) -> Result<BTreeSet<Day>, SettleError> {
    let from = Day::of(now.checked_sub(RECENT).unwrap_or(Timestamp::MIN));
    let told = |(day, known): (&Day, &Known)| (*day >= from || !known.state.is_accepted()).then_some(*day);
    let mut days: BTreeSet<Day> = known.iter().filter_map(told).collect();
    let (first, records) = settler.store.read(|connection| {
        let first = ledger::first_day(connection, &settler.name)?;
        Ok((first, ledger::since(connection, &settler.name, from)?))
    })?;
    days.extend(records.iter().map(|record| record.day));
    let over = |day: &Day| ready(*day).is_some_and(|ready| ready <= now);
    days.extend(std::iter::successors(first, |day| day.next()).take_while(over));
    Ok(days)
}

fn one(settler: &Settler, day: Day, known: Option<Known>, now: Timestamp) -> Result<DayReport, SettleError> {
    let mut record = settler.store.read(|connection| ledger::load(connection, &settler.name, day))?;
    learn(&mut record, known);
    let count = match settler.count(day) {
        Ok(count) => Some(count),
        Err(CountError::Store(error)) => return Err(error.into()),
        Err(_) => None,
    };
    let errors = match (record.state, record.tracing_id) {
        (Some(State::Error | State::Warning), Some(id)) => settler.service.errors(id)?,
        _ => Vec::new(),
    };
    let file = compare(&record, count.as_ref());
    Ok(DayReport {
        date: day,
        state: record.state,
        tracing_id: record.tracing_id,
        file,
        calls: count.map(|count| count.calls()),
        submitted: record.submitted,
        failures: record.failures,
        remedy: remedy(&record, file, now),
        last_error: record.last_error,
        errors,
    })
}

fn compare(record: &Record, count: Option<&Count>) -> File {
    match (record.state, &record.digest, count) {
        (None | Some(State::Missing), ..) => File::None,
        (_, Some(sent), Some(count)) if *sent == count.digest() => File::Same,
        (_, Some(_), Some(_)) => File::Differs,
        (_, None, _) | (_, _, None) => File::Unknown,
    }
}

fn remedy(record: &Record, file: File, now: Timestamp) -> Option<String> {
    let day = record.day;
    let command = |option| format!("`waas-comuni tracing submit --date {day}{option}`");
    let submit = command("");
    Some(match record.state {
        None => match (ready(day), deadline(day)) {
            (Some(ready), Some(deadline)) if ready <= now => {
                format!("it is owed until {deadline}: {submit} sends it, and so does the daily job where it is enabled")
            }
            _ => return None,
        },
        Some(State::Pending) => "PDND is looking at the file: ask again in some minutes".to_owned(),
        Some(State::Missing) => format!("its time has passed without a file: {submit} sends it late"),
        Some(State::Error) if file == File::Differs => {
            format!("the calls are counted otherwise by now: {submit} sends the count of this moment")
        }
        Some(State::Error) => format!(
            "none of the day counts: read what PDND found; when the cause is mended {submit} sends the file again, and \
             where the file is right, PDND's support must be told"
        ),
        Some(State::Warning) if file != File::Differs => {
            "the day is counted; PDND's remarks are about purposes that it does not know as those of this member's \
             e-services"
                .to_owned()
        }
        Some(State::Completed | State::Warning) if file == File::Differs => {
            let replace = command(" --replace");
            format!("the calls are counted otherwise by now: {replace} sends the count of this moment")
        }
        Some(State::Completed | State::Warning) => return None,
    })
}
