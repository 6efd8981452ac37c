//! How far the pulls of a feed have come, as the log has it, and how long the logs are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use jiff::Timestamp;

use super::thresholds;
use crate::store::schema::{call_checkpoint, call_entry, call_log_head, eservice};
use crate::store::sequencer::credible;
use crate::store::{AnyConnection, EserviceId, StoreError};

/// Pulls among which the last with a cursor that tells something is looked for.
const LOOKED_AT: i64 = 20;

/// The last pull that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When.
    pub instant: Timestamp,
    /// The timestamp up to which the caller has the flows, in milliseconds since the epoch: that of the last one which
    /// it was given, or else the cursor that it asked with. Cursors too far in the future are passed over.
    pub position: i64,
    /// How many flows it asked for.
    pub page: u32,
}

/// The last pull of an e-service's feed, if there was any.
pub fn progress(
    connection: &mut AnyConnection,
    eservice: EserviceId,
) -> Result<Option<Progress>, StoreError> {
    type Row = (i64, Option<String>, Option<i64>, Option<i64>);
    // PDND probes every few minutes, and INPS may stay away for months: the days with calls lead past all that.
    let Some(day) = thresholds::last_day(connection, eservice)? else { return Ok(None) };
    let end = day.end().map_or(i64::MAX, Timestamp::as_millisecond);
    let last: Vec<Row> = call_entry::table
        .filter(call_entry::log_id.eq(eservice.get()))
        .filter(call_entry::status.eq(200))
        .filter(call_entry::since.is_not_null())
        .filter(call_entry::instant_ms.lt(end))
        .order((call_entry::instant_ms.desc(), call_entry::entry_index.desc()))
        .select((call_entry::instant_ms, call_entry::since, call_entry::page_limit, call_entry::last_ts))
        .limit(LOOKED_AT)
        .load(connection)?;
    // A cursor that nobody was given is legal, and tells nothing of what the caller has.
    let position = last.iter().find_map(|(instant_ms, since, _, last_ts)| {
        last_ts.or_else(|| credible(since.as_ref()?.parse().ok()?, *instant_ms))
    });
    Ok(last.first().map(|(instant_ms, _, page, _)| Progress {
        instant: Timestamp::from_millisecond(*instant_ms).unwrap_or_default(),
        position: position.unwrap_or_default(),
        page: page.and_then(|page| u32::try_from(page).ok()).unwrap_or_default(),
    }))
}

/// The timestamp of the last flow on the page of each feed that lies furthest ahead of those which the log has.
pub fn furthest(connection: &mut AnyConnection) -> Result<BTreeMap<EserviceId, i64>, StoreError> {
    let last = call_entry::table
        .filter(call_entry::log_id.eq(eservice::id))
        .filter(call_entry::first_ts.is_not_null())
        .order(call_entry::first_ts.desc())
        .select(call_entry::last_ts)
        .limit(1)
        .single_value();
    let rows: Vec<(i64, Option<i64>)> = eservice::table.select((eservice::id, last)).load(connection)?;
    Ok(rows.into_iter().filter_map(|(id, last)| Some((EserviceId::referred(id), last?))).collect())
}

/// How many entries each log has, by its id.
pub fn sizes(connection: &mut AnyConnection) -> Result<BTreeMap<i64, i64>, StoreError> {
    let sizes: Vec<(i64, i64)> =
        call_log_head::table.select((call_log_head::log_id, call_log_head::size)).load(connection)?;
    Ok(sizes.into_iter().collect())
}

/// The last checkpoint of an e-service's log, if there is any: when it was signed, and how many entries it covers.
pub fn last_checkpoint(
    connection: &mut AnyConnection,
    eservice: EserviceId,
) -> Result<Option<(Timestamp, i64)>, StoreError> {
    let last: Option<(i64, i64)> = call_checkpoint::table
        .filter(call_checkpoint::log_id.eq(eservice.get()))
        .order(call_checkpoint::size.desc())
        .select((call_checkpoint::instant_ms, call_checkpoint::size))
        .first(connection)
        .optional()?;
    Ok(last.map(|(ms, size)| (Timestamp::from_millisecond(ms).unwrap_or_default(), size)))
}
