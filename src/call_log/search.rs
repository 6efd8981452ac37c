//! Finding entries again, oldest first, in pages.

use diesel::prelude::*;
use jiff::Timestamp;

use super::entry::Row;
use crate::store::schema::{call_entry, eservice};
use crate::store::{AnyConnection, StoreError, each_backend};

/// Which entries to find: those for which everything given holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Name of the e-service.
    pub eservice: Option<String>,
    /// At this instant or later.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Stable code of what happened.
    pub outcome: Option<String>,
    /// `X-Request-Id` of the answer.
    pub request_id: Option<String>,
    /// `client_id` of the voucher.
    pub client_id: Option<String>,
    /// `consumerId` of the voucher.
    pub consumer_id: Option<String>,
    /// `purposeId` of the voucher.
    pub purpose_id: Option<String>,
    /// `jti` of the voucher.
    pub token_id: Option<String>,
}

/// A place between two entries, as text: give it back to continue from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    instant_ms: i64,
    log_id: i64,
    index: i64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}.{}", self.instant_ms, self.log_id, self.index)
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(instant_ms)), Some(Ok(log_id)), Some(Ok(index)), None) => {
                Ok(Self { instant_ms, log_id, index })
            }
            _ => Err(format!("{text:?} is not a cursor that a search gave")),
        }
    }
}

/// An entry that was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub(super) row: Row,
    /// Name of the e-service called; none for a path outside all of them.
    pub(super) eservice: Option<String>,
}

/// Entries, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Page {
    /// The entries, oldest first.
    pub entries: Vec<Found>,
    /// Where to continue; none after the last page.
    pub next: Option<Cursor>,
}

/// At most `limit` entries that `filter` lets through, after `after`.
pub fn search(
    connection: &mut AnyConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page, StoreError> {
    let rows: Vec<(Row, Option<String>)> = each_backend!(connection, |inner| {
        let mut query = call_entry::table
            .left_join(eservice::table.on(eservice::id.eq(call_entry::log_id)))
            .select((call_entry::all_columns, eservice::name.nullable()))
            .order((call_entry::instant_ms, call_entry::log_id, call_entry::entry_index))
            .limit(i64::from(limit))
            .into_boxed();
        if let Some(name) = &filter.eservice {
            query = query.filter(eservice::name.eq(name));
        }
        if let Some(from) = filter.from {
            query = query.filter(call_entry::instant_ms.ge(from.as_millisecond()));
        }
        if let Some(until) = filter.until {
            query = query.filter(call_entry::instant_ms.lt(until.as_millisecond()));
        }
        if let Some(status) = filter.status {
            query = query.filter(call_entry::status.eq(i16::try_from(status).unwrap_or(i16::MAX)));
        }
        if let Some(outcome) = &filter.outcome {
            query = query.filter(call_entry::outcome.eq(outcome));
        }
        if let Some(request_id) = &filter.request_id {
            query = query.filter(call_entry::request_id.eq(request_id));
        }
        if let Some(client_id) = &filter.client_id {
            query = query.filter(call_entry::client_id.eq(client_id));
        }
        if let Some(consumer_id) = &filter.consumer_id {
            query = query.filter(call_entry::consumer_id.eq(consumer_id));
        }
        if let Some(purpose_id) = &filter.purpose_id {
            query = query.filter(call_entry::purpose_id.eq(purpose_id));
        }
        if let Some(token_id) = &filter.token_id {
            query = query.filter(call_entry::token_id.eq(token_id));
        }
        if let Some(after) = after {
            // The first condition is implied by the second, and lets the index be entered at the right place.
            query = query.filter(call_entry::instant_ms.ge(after.instant_ms)).filter(
                call_entry::instant_ms
                    .gt(after.instant_ms)
                    .or(call_entry::log_id.gt(after.log_id))
                    .or(call_entry::log_id.eq(after.log_id).and(call_entry::entry_index.gt(after.index))),
            );
        }
        query.load(inner)
    })?;
    let full = rows.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next = rows.last().filter(|_| full).map(|(row, _)| Cursor {
        instant_ms: row.instant_ms,
        log_id: row.log_id,
        index: row.entry_index,
    });
    let entries = rows.into_iter().map(|(row, eservice)| Found { row, eservice }).collect();
    Ok(Page { entries, next })
}
