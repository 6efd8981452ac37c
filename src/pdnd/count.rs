//! The calls of one day, counted from the call log, and the file that PDND takes (facts of PDND, "Tracing").
//!
//! A call counts when its voucher passed every check, whatever it was answered then: its entry has the voucher's id
//! and no check that failed. Calls refused for their address, before any voucher was looked at, and those to the back
//! office have neither. Sending the file is not done here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use openssl::sha::sha256;
use uuid::Uuid;

use crate::store::schema::{call_entry, call_log_head};
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend};

/// The first line of the file.
const HEADER: &str = "date,purpose_id,status,token_id,requests_count\n";

/// The outcome of a call that was answered 503 because its entry could not be written. That entry may turn up all
/// the same, beside the one that tells of the refusal: together they are one call.
const NOT_LOGGED: &str = "call_log_unavailable";

/// Why a day cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The day has not begun.
    #[error("{0} has not begun")]
    Future(Day),
    /// Entries of the day may have been removed from the call log.
    #[error(
        "the calls of {day} cannot be counted: the call log of {eservice:?} keeps entries since {since} only, older \
         ones were removed when call_log.retention_days had passed"
    )]
    Removed {
        /// The day.
        day: Day,
        /// Whose log.
        eservice: String,
        /// The oldest entry that is left, or a word for none.
        since: String,
    },
    /// An entry says what no file may say.
    #[error(
        "the call log has a call of {day} with {what}, which PDND would refuse together with the whole day: see \
         `calls search --token-id {token_id}`"
    )]
    Unfit {
        /// The day.
        day: Day,
        /// What is wrong.
        what: String,
        /// The voucher's id, as the log has it.
        token_id: String,
    },
}

/// An HTTP status that the file may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// The status of this number, if it is in PDND's list.
    #[must_use]
    pub fn new(code: u16) -> Option<Self> {
        let listed = matches!(
            code,
            100..=103
                | 200..=208
                | 226
                | 300..=305
                | 307
                | 308
                | 400..=418
                | 421..=426
                | 428
                | 429
                | 431
                | 451
                | 500..=511
        );
        listed.then_some(Self(code))
    }

    /// Its number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }
}

/// What a row counts: the calls for one purpose, with one answer, under one voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// PDND's purpose (finalità) of the consumer.
    pub purpose_id: Uuid,
    /// How the calls were answered.
    pub status: Status,
    /// The voucher's `jti`.
    pub token_id: Uuid,
}

/// The calls of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    day: Day,
    rows: BTreeMap<Key, u64>,
}

impl Count {
    /// The day.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day
    }

    /// The rows of the file, and how many calls each counts.
    #[must_use]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&Key, u64)> {
        self.rows.iter().map(|(key, calls)| (key, *calls))
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.rows.values().sum()
    }

    /// The file: the header alone on a day without calls. The same calls always give the same bytes.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = HEADER.to_owned();
        for (Key { purpose_id, status, token_id }, calls) in &self.rows {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{},{purpose_id},{},{token_id},{calls}", self.day, status.code());
        }
        text
    }

    /// The SHA-256 of the file, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256(self.csv().as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Counts the calls of `day` to the e-services of one member, by name and id, at `now`. Entries younger than
/// `retention_days` are never removed.
pub fn count(
    connection: &mut AnyConnection,
    eservices: &[(String, EserviceId)],
    day: Day,
    now: Timestamp,
    retention_days: u32,
) -> Result<Count, CountError> {
    let (Some(start), Some(end)) = (day.start(), day.end()) else { return Err(CountError::Future(day)) };
    if now < start {
        return Err(CountError::Future(day));
    }
    let retention = SignedDuration::from_hours(i64::from(retention_days).saturating_mul(24));
    if now.checked_sub(retention).is_ok_and(|removed_before| start < removed_before) {
        for (name, id) in eservices {
            require_entries_since(connection, name, *id, day, start)?;
        }
    }
    let mut rows = BTreeMap::new();
    for (purpose_id, status, token_id, calls) in read(connection, eservices, start, end)? {
        let key = key(day, purpose_id.as_deref(), status, token_id.as_deref())?;
        let sum: &mut u64 = rows.entry(key).or_default();
        *sum = sum.saturating_add(u64::try_from(calls).unwrap_or_default());
    }
    Ok(Count { day, rows })
}

fn key(day: Day, purpose_id: Option<&str>, status: i16, token_id: Option<&str>) -> Result<Key, CountError> {
    let token = token_id.unwrap_or_default();
    let unfit = |what: String| CountError::Unfit { day, what, token_id: token.to_owned() };
    Ok(Key {
        purpose_id: purpose_id
            .and_then(|id| Uuid::try_parse(id).ok())
            .ok_or_else(|| unfit(format!("the purpose {:?}", purpose_id.unwrap_or_default())))?,
        status: u16::try_from(status)
            .ok()
            .and_then(Status::new)
            .ok_or_else(|| unfit(format!("the status {status}")))?,
        token_id: Uuid::try_parse(token).map_err(|_| unfit(format!("the voucher {token:?}")))?,
    })
}

type Row = (Option<String>, i16, Option<String>, i64);

fn read(
    connection: &mut AnyConnection,
    eservices: &[(String, EserviceId)],
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    let logs: Vec<i64> = eservices.iter().map(|(_, id)| id.get()).collect();
    let refusal = diesel::alias!(call_entry as refusal);
    let rows = each_backend!(connection, |inner| call_entry::table
        .filter(call_entry::log_id.eq_any(&logs))
        .filter(call_entry::instant_ms.ge(start.as_millisecond()))
        .filter(call_entry::instant_ms.lt(end.as_millisecond()))
        .filter(call_entry::voucher_check.is_null())
        .filter(call_entry::token_id.is_not_null())
        .filter(not(exists(
            refusal
                .filter(refusal.field(call_entry::instant_ms).eq(call_entry::instant_ms))
                .filter(refusal.field(call_entry::log_id).eq(call_entry::log_id))
                .filter(refusal.field(call_entry::request_id).eq(call_entry::request_id))
                .filter(refusal.field(call_entry::entry_index).ne(call_entry::entry_index))
                .filter(refusal.field(call_entry::outcome).eq(NOT_LOGGED)),
        )))
        .group_by((call_entry::purpose_id, call_entry::status, call_entry::token_id))
        .select((call_entry::purpose_id, call_entry::status, call_entry::token_id, count_star()))
        .load(inner))?;
    Ok(rows)
}

/// Refuses a day of which entries may have been removed. Entries are numbered from 0 in the order of their commits,
/// and the oldest are removed first: a log that begins with a later one is whole from the instant of that one.
fn require_entries_since(
    connection: &mut AnyConnection,
    name: &str,
    eservice: EserviceId,
    day: Day,
    start: Timestamp,
) -> Result<(), CountError> {
    let oldest: Option<(i64, i64)> = call_entry::table
        .filter(call_entry::log_id.eq(eservice.get()))
        .order(call_entry::entry_index)
        .select((call_entry::entry_index, call_entry::instant_ms))
        .first(connection)
        .optional()
        .map_err(StoreError::from)?;
    let since = match oldest {
        Some((0, _)) => return Ok(()),
        Some((_, instant_ms)) if instant_ms <= start.as_millisecond() => return Ok(()),
        Some((_, instant_ms)) => {
            let instant = Timestamp::from_millisecond(instant_ms).unwrap_or_default();
            Day::of(instant).to_string()
        }
        None => {
            let size: Option<i64> = call_log_head::table
                .find(eservice.get())
                .select(call_log_head::size)
                .first(connection)
                .optional()
                .map_err(StoreError::from)?;
            if size.unwrap_or_default() == 0 {
                return Ok(());
            }
            "never".to_owned()
        }
    };
    Err(CountError::Removed { day, eservice: name.to_owned(), since })
}
