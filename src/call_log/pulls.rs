//! Which calls disclosed a flow: derived from the pages that the entries name, and kept nowhere else.
//!
//! A page holds flows that follow one another in the feed, at most [`LARGEST_PAGE`] of them. So a page with a given
//! flow begins at that flow or at one of the 99 before it, and an index on the first flow of the pages finds it,
//! however long the log is. Flows never come in between, and a page passes over those whose payload was dropped: counted
//! without them, the window of today is no narrower than that of the day when the page was served.

use std::collections::BTreeMap;

use diesel::dsl::{count_star, max, min, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;

use super::rows::Row;
use super::search::Found;
use crate::store::schema::{call_entry, eservice, flusso};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// The most flows that a page may hold.
pub const LARGEST_PAGE: u16 = 100;

/// A call that disclosed a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Its entry in the e-service's log.
    pub index: i64,
    /// When it arrived.
    pub instant: Timestamp,
    /// `X-Request-Id` of its answer.
    pub request_id: String,
    /// `client_id` of its voucher.
    pub client_id: Option<String>,
    /// `consumerId` of its voucher.
    pub consumer_id: Option<String>,
    /// `purposeId` of its voucher.
    pub purpose_id: Option<String>,
}

/// The calls that disclosed a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulls {
    /// How many there were.
    pub count: i64,
    /// The first, in the order of the log.
    pub first: Pull,
    /// The last; the first again when there was only one.
    pub last: Pull,
}

/// The calls that disclosed the flow with the timestamp `ts`; none if nobody was given it yet.
pub fn pulls(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    ts: i64,
) -> Result<Option<Pulls>, StoreError> {
    let window = Window::of(connection, eservice, ts)?;
    let mut pages = call_entry::table
        .filter(call_entry::log_id.eq(eservice.get()))
        .filter(call_entry::first_ts.between(window.earliest, ts))
        .filter(call_entry::last_ts.ge(ts))
        .select((count_star(), min(call_entry::entry_index), max(call_entry::entry_index)))
        .into_boxed();
    // Asked for only where it matters: the instant is not in the index.
    if let Some(dropped_ms) = window.dropped_ms {
        pages = pages.filter(call_entry::instant_ms.lt(dropped_ms));
    }
    let (count, first, last): (i64, Option<i64>, Option<i64>) = pages.first(connection)?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let first = pull(connection, eservice, first)?;
    let last = if last == first.index { first.clone() } else { pull(connection, eservice, last)? };
    Ok(Some(Pulls { count, first, last }))
}

/// [`pulls`] of several flows, by their timestamps. A flow that nobody was given yet is not among them.
pub fn pulls_of(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    timestamps: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<i64, Pulls>, StoreError> {
    let mut found = BTreeMap::new();
    for ts in timestamps {
        if let Some(pulls) = pulls(connection, eservice, ts)? {
            found.insert(ts, pulls);
        }
    }
    Ok(found)
}

/// At most `limit` entries of the calls that disclosed the flow with the timestamp `ts`, oldest first; those after
/// the entry `after`, where it is given.
pub fn entries(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    ts: i64,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    let window = Window::of(connection, eservice, ts)?;
    let rows: Vec<(Row, Option<String>)> = call_entry::table
        .left_join(eservice::table.on(eservice::id.eq(call_entry::log_id)))
        .filter(call_entry::log_id.eq(eservice.get()))
        .filter(call_entry::first_ts.between(window.earliest, ts))
        .filter(call_entry::last_ts.ge(ts))
        .filter(call_entry::instant_ms.lt(window.dropped_ms.unwrap_or(i64::MAX)))
        .filter(place().gt(after.unwrap_or(-1)))
        .order(place())
        .limit(i64::from(limit))
        .select((call_entry::all_columns, eservice::name.nullable()))
        .load(connection)?;
    Ok(rows.into_iter().map(|(row, eservice)| Found { row, eservice }).collect())
}

/// The place of an entry in its log, as an expression: asked for the order of the column itself, a planner would walk
/// the whole log in that order instead of looking up the pages.
fn place() -> SqlLiteral<BigInt> {
    sql("call_entry.entry_index + 0")
}

/// Where and when a page with a flow can begin.
pub(super) struct Window {
    /// The timestamp before which no page with the flow begins.
    pub(super) earliest: i64,
    /// When its payload was dropped, if it was: no page held it from then on.
    pub(super) dropped_ms: Option<i64>,
}

impl Window {
    pub(super) fn of(
        connection: &mut AnyConnection,
        eservice: EserviceId,
        ts: i64,
    ) -> Result<Self, StoreError> {
        let dropped_ms: Option<Option<i64>> = flusso::table
            .find((eservice.get(), ts))
            .select(flusso::eliminato_ms)
            .first(connection)
            .optional()?;
        let earliest: Option<i64> = flusso::table
            .filter(flusso::eservice_id.eq(eservice.get()))
            .filter(flusso::ts.le(ts))
            .filter(flusso::eliminato_ms.is_null())
            .order(flusso::ts.desc())
            .offset(i64::from(LARGEST_PAGE) - 1)
            .limit(1)
            .select(flusso::ts)
            .first(connection)
            .optional()?;
        Ok(Self { earliest: earliest.unwrap_or(0), dropped_ms: dropped_ms.flatten() })
    }
}

fn pull(connection: &mut AnyConnection, eservice: EserviceId, index: i64) -> Result<Pull, StoreError> {
    type Row = (i64, String, Option<String>, Option<String>, Option<String>);
    let (instant_ms, request_id, client_id, consumer_id, purpose_id): Row = call_entry::table
        .find((eservice.get(), index))
        .select((
            call_entry::instant_ms,
            call_entry::request_id,
            call_entry::client_id,
            call_entry::consumer_id,
            call_entry::purpose_id,
        ))
        .first(connection)?;
    let instant = Timestamp::from_millisecond(instant_ms).unwrap_or_default();
    Ok(Pull { index, instant, request_id, client_id, consumer_id, purpose_id })
}
