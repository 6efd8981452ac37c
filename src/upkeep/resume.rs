//! Letting the feeds go on after an older database took the place of a newer one.
//!
//! INPS asks for what comes after the last flow that it has. What is published below that cursor it never sees, so a
//! feed goes on above everything that anybody can have pulled: above the present, whose milliseconds no earlier flow
//! had, above what the restored log of calls tells, and above what the operator knows from elsewhere.

use std::collections::BTreeMap;
use std::io::BufRead;

use diesel::dsl::max;
use diesel::prelude::*;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::UpkeepError;
use crate::clock::Clock;
use crate::registry::gap::{self, Gap, Noticed};
use crate::store::schema::{call_entry, eservice};
use crate::store::{AnyConnection, EserviceId, Store, StoreError, sequencer};

/// The longest line of an export of calls that is read, in bytes.
const LONGEST_LINE: usize = 1 << 16;

/// How a cursor is written for about two and a half centuries: with 13 digits, so that its order is that of the text.
const DIGITS: i32 = 13;

/// Cursors that are known from outside the database, in milliseconds since the epoch.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Of every e-service.
    pub everywhere: Option<i64>,
    /// By the name of the e-service.
    pub by_eservice: BTreeMap<String, i64>,
}

impl Known {
    /// Adds what an export of calls (JSON lines) tells: the cursors that were asked with and the flows that were given.
    pub fn add_calls(&mut self, mut calls: impl BufRead) -> std::io::Result<()> {
        #[derive(Deserialize)]
        struct Call {
            eservice: Option<String>,
            status: u16,
            since: Option<u128>,
            last_ts: Option<i64>,
        }
        let invalid = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let limit = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
            if std::io::Read::take(&mut calls, limit).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let call: Call =
                serde_json::from_slice(&line).map_err(|error| invalid(format!("line {number}: {error}")))?;
            let Some(name) = call.eservice.filter(|_| call.status == 200) else { continue };
            // A cursor beyond every timestamp is legal, and tells nothing.
            let since = call.since.and_then(|since| i64::try_from(since).ok());
            let known = self.by_eservice.entry(name).or_default();
            *known = (*known).max(since.unwrap_or(0)).max(call.last_ts.unwrap_or(0));
        }
        Ok(())
    }
}

/// A feed, and how it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// Name of the e-service.
    pub eservice: String,
    /// What may be missing; none if the feed was ahead of all that is known.
    pub gap: Option<Gap>,
}

/// Lets every feed go on above the present and above everything that is known to have been pulled: those of the
/// database, and those of the e-services `configured`, which a backup may be too old to have. One transaction: all of
/// them, or none. Blocks.
pub(super) fn resume(
    store: &Store,
    configured: &[&str],
    known: &Known,
    clock: &Clock,
) -> Result<Vec<Resumed>, UpkeepError> {
    let now_ms = clock.now_ms();
    let latest = now_ms.saturating_add(sequencer::TOLERANCE_MS);
    // What a database or an export holds may be a cursor that nobody gave out; what the operator says must be right.
    if let Some(ts) = known.everywhere.filter(|ts| *ts > latest) {
        return Err(UpkeepError::Future(Timestamp::from_millisecond(ts).unwrap_or_default().to_string()));
    }
    for name in configured {
        store.register_eservice(name)?;
    }
    // Looking through a long log takes its time, for which nobody should wait.
    let feeds = store.snapshot(|connection| {
        let feeds: Vec<(i64, String)> =
            eservice::table.order(eservice::id).select((eservice::id, eservice::name)).load(connection)?;
        feeds
            .into_iter()
            .map(|(id, name)| Ok((id, name, logged(connection, id)?)))
            .collect::<Result<Vec<_>, StoreError>>()
    })?;
    Ok(store.write(|connection| {
        let mut resumed = Vec::with_capacity(feeds.len());
        for (id, name, logged) in feeds {
            let until_ts = [known.everywhere, known.by_eservice.get(&name).copied(), logged]
                .into_iter()
                .flatten()
                .filter(|ts| *ts <= latest)
                .fold(now_ms, i64::max);
            let owner = EserviceId::referred(id);
            let gap = gap::raise(connection, owner, until_ts, Noticed::Restore, now_ms)?;
            resumed.push(Resumed { eservice: name, gap });
        }
        Ok(resumed)
    })?)
}

/// The latest timestamp that a log of calls shows somebody to have.
fn logged(connection: &mut AnyConnection, log_id: i64) -> Result<Option<i64>, StoreError> {
    diesel::define_sql_function!(fn length(text: diesel::sql_types::Text) -> diesel::sql_types::Integer);
    let given: Option<i64> = call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .select(max(call_entry::last_ts))
        .first(connection)?;
    let asked: Option<String> = call_entry::table
        .filter(call_entry::log_id.eq(log_id))
        .filter(call_entry::status.eq(200))
        .filter(length(call_entry::since.assume_not_null()).eq(DIGITS))
        .select(max(call_entry::since))
        .first(connection)?;
    Ok(given.max(asked.and_then(|since| since.parse().ok())))
}
