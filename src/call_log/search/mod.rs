//! Finding entries again, in pages: oldest first, or newest first.
//!
//! A page costs what it shows, however long the log is: one index leads to the entries in the order in which they are
//! shown, and everything else that is asked for is tested on them. SQLite's planner knows nothing of how often a value
//! occurs, so it is told which index that is: conditions that shall not lead are written as expressions, which no index
//! answers.
//!
//! An entry keeps its place. So whatever was in the log when a search began is found once, whoever appends meanwhile.

mod about;
mod rows;

use std::collections::BTreeMap;

use diesel::prelude::*;
use jiff::Timestamp;

use super::rows::Row;
use crate::store::schema::{call_entry, eservice};
use crate::store::{AnyConnection, EserviceId, StoreError};

pub use about::{About, Held, benefits, held};

use about::{Scope, scopes};
use rows::{Bounds, horizon, rows};

/// Which entries to find: those for which everything given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Code of what was done; calls are no actions.
    pub action: Option<String>,
    /// Who acted, or for whom the consumer called, in its own terms.
    pub user: Option<String>,
    /// Code of the ente of which flows were given.
    pub ente: Option<String>,
    /// What data about was given, looked at or changed.
    pub about: Option<About>,
}

impl Filter {
    /// Whether it lets through everything in the logs that it names.
    pub(super) fn is_whole(&self) -> bool {
        self.is_period() && self.from.is_none() && self.until.is_none()
    }

    /// Whether it lets through everything of a period in the logs that it names.
    pub(super) fn is_period(&self) -> bool {
        let Self { eservice, from, until, .. } = self;
        *self == Self { eservice: eservice.clone(), from: *from, until: *until, ..Self::default() }
    }
}

/// A place between two entries, as text: give it back to continue from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    instant_ms: i64,
    log_id: i64,
    index: i64,
}

impl Cursor {
    fn of(row: &Row) -> Self {
        Self { instant_ms: row.instant_ms, log_id: row.log_id, index: row.entry_index }
    }
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

impl Found {
    /// The log that it is in; 0 is that of the calls outside any e-service.
    #[must_use]
    pub fn log_id(&self) -> i64 {
        self.row.log_id
    }

    /// Its place in its log.
    #[must_use]
    pub fn index(&self) -> i64 {
        self.row.entry_index
    }

    /// When the call arrived, in milliseconds since the epoch.
    #[must_use]
    pub fn instant_ms(&self) -> i64 {
        self.row.instant_ms
    }
}

/// Entries, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Page {
    /// The entries, in the order that was asked for. Fewer than were asked for do not mean that they are the last.
    pub entries: Vec<Found>,
    /// Where to continue; none after the last page.
    pub next: Option<Cursor>,
}

/// At most `limit` entries that `filter` lets through, after `after`, oldest first.
pub fn search(
    connection: &mut AnyConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page, StoreError> {
    paged(connection, filter, Bounds { log_id: None, after, last: None, limit, newest_first: false })
}

/// At most `limit` entries that `filter` lets through, before `before`, newest first.
pub fn search_newest(
    connection: &mut AnyConnection,
    filter: &Filter,
    before: Option<Cursor>,
    limit: u32,
) -> Result<Page, StoreError> {
    paged(connection, filter, Bounds { log_id: None, after: before, last: None, limit, newest_first: true })
}

/// The entry at this place of a log.
pub fn entry(connection: &mut AnyConnection, log_id: i64, index: i64) -> Result<Option<Found>, StoreError> {
    let row: Option<(Row, Option<String>)> = call_entry::table
        .left_join(eservice::table.on(eservice::id.eq(call_entry::log_id)))
        .filter(call_entry::log_id.eq(log_id))
        .filter(call_entry::entry_index.eq(index))
        .select((call_entry::all_columns, eservice::name.nullable()))
        .first(connection)
        .optional()?;
    Ok(row.map(|(row, eservice)| Found { row, eservice }))
}

fn paged(connection: &mut AnyConnection, filter: &Filter, bounds: Bounds) -> Result<Page, StoreError> {
    let nothing = Page { entries: Vec::new(), next: None };
    let log_id = match &filter.eservice {
        Some(name) => match id(connection, name)? {
            Some(id) => Some(id),
            None => return Ok(nothing),
        },
        None => None,
    };
    let bounds = Bounds { log_id, ..bounds };
    if let Some(about) = &filter.about {
        let scopes = scopes(connection, about, log_id)?;
        return merged(connection, filter, &bounds, &scopes);
    }
    let (scope, horizon) = match &filter.ente {
        Some(ente) => {
            (Scope::Enti(about::enti(connection, ente, log_id)?), horizon(connection, filter, &bounds)?)
        }
        None => (Scope::Everything, None),
    };
    let bounds = Bounds { last: horizon.map(|horizon| horizon.instant_ms), ..bounds };
    Ok(page(rows(connection, filter, &bounds, &scope)?, bounds.limit, horizon))
}

/// A page of `found`, which are all entries up to `horizon`, or all there are, unless they are as many as were asked.
fn page(found: Vec<Found>, limit: u32, horizon: Option<Cursor>) -> Page {
    let full = found.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if full { found.last().map(|found| Cursor::of(&found.row)) } else { horizon };
    Page { entries: found, next }
}

/// The page of all `scopes` together.
fn merged(
    connection: &mut AnyConnection,
    filter: &Filter,
    bounds: &Bounds,
    scopes: &[Scope],
) -> Result<Page, StoreError> {
    let most = usize::try_from(bounds.limit).unwrap_or(usize::MAX);
    let newest_first = bounds.newest_first;
    let mut all: BTreeMap<Cursor, Found> = BTreeMap::new();
    for scope in scopes {
        let farthest = if newest_first { all.first_key_value() } else { all.last_key_value() };
        let last = farthest.filter(|_| all.len() >= most).map(|(cursor, _)| cursor.instant_ms);
        for found in rows(connection, filter, &Bounds { last, ..*bounds }, scope)? {
            all.insert(Cursor::of(&found.row), found);
        }
        while all.len() > most {
            if newest_first {
                all.pop_first()
            } else {
                all.pop_last()
            };
        }
    }
    let found = if newest_first { all.into_values().rev().collect() } else { all.into_values().collect() };
    Ok(page(found, bounds.limit, None))
}

/// The log of the e-service of this name.
fn id(connection: &mut AnyConnection, name: &str) -> Result<Option<i64>, StoreError> {
    let id =
        eservice::table.filter(eservice::name.eq(name)).select(eservice::id).first(connection).optional()?;
    Ok(id)
}

/// The logs of all e-services, or the one that is asked for.
fn logs(connection: &mut AnyConnection, log_id: Option<i64>) -> Result<Vec<EserviceId>, StoreError> {
    let ids = match log_id {
        Some(id) => vec![id],
        None => eservice::table.order(eservice::id).select(eservice::id).load(connection)?,
    };
    Ok(ids.into_iter().map(EserviceId::referred).collect())
}
