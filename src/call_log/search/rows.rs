//! The one statement that reads entries, and which of its conditions leads.

use diesel::dsl::{exists, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, SingleValue, SmallInt, SqlType, Text};
use jiff::Timestamp;
use uuid::Uuid;

use super::about::Scope;
use super::{Cursor, Filter, Found};
use crate::call_log::action;
use crate::call_log::rows::Row;
use crate::store::schema::{call_entry, eservice, flusso};
use crate::store::{AnyConnection, StoreError};

/// How many entries are looked at for one page, where each look costs as much as the page of flows that the entry is about.
const ENTRIES_LOOKED_AT: i64 = 5_000;
/// How many flows all of these pages may have.
const FLOWS_LOOKED_AT: i64 = 20_000;

/// Between which entries to look, and for how many.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) log_id: Option<i64>,
    /// Beyond this place, in the order that is asked for.
    pub(super) after: Option<Cursor>,
    /// Not beyond this instant, in milliseconds since the epoch.
    pub(super) last: Option<i64>,
    pub(super) limit: u32,
    pub(super) newest_first: bool,
}

/// Which condition leads: the first that claims it. PostgreSQL is left to find out: it knows how often a value occurs,
/// which it would not know of an expression.
struct Lead {
    free: bool,
    told: bool,
}

impl Lead {
    fn claim(&mut self) -> bool {
        std::mem::take(&mut self.free)
    }

    /// A column of text, as itself for the condition that leads, else as an expression.
    fn text(&mut self, name: &str) -> SqlLiteral<Text> {
        let leads = self.claim();
        self.column(name, leads, " || ''")
    }

    /// The same, of a column of numbers.
    fn number<T: SqlType + SingleValue>(&mut self, name: &str) -> SqlLiteral<T> {
        let leads = self.claim();
        self.column(name, leads, " + 0")
    }

    /// A column of text for a condition that never leads.
    fn following_text(&self, name: &str) -> SqlLiteral<Text> {
        self.column(name, false, " || ''")
    }

    /// The same, of a column of numbers.
    fn following_number<T: SqlType + SingleValue>(&self, name: &str) -> SqlLiteral<T> {
        self.column(name, false, " + 0")
    }

    fn column<T: SqlType + SingleValue>(&self, name: &str, leads: bool, unindexed: &str) -> SqlLiteral<T> {
        column(name, leads || !self.told, unindexed)
    }
}

fn column<T: SqlType + SingleValue>(name: &str, leads: bool, unindexed: &str) -> SqlLiteral<T> {
    sql(&format!("(call_entry.{name}{})", if leads { "" } else { unindexed }))
}

/// A user's entries by the column `evidence`, of which the user is the first member.
struct User {
    /// What the column begins with.
    begins: String,
    /// The condition that it does so, up to that. PostgreSQL takes an equality of an expression for rare, and would
    /// rather sort all of a busy user's entries than walk along the index; of a case it supposes nothing.
    begins_so: String,
    /// What the index keeps of it, and the value that it has; PostgreSQL's is the name as JSON spells it, up to the
    /// first quotation mark, which others may share.
    indexed: (&'static str, String),
}

impl User {
    fn new(name: &str, connection: &AnyConnection) -> Self {
        // Text always serialises.
        let spelled = serde_json::to_string(name).unwrap_or_default();
        let indexed = match connection {
            AnyConnection::Sqlite(_) => ("(call_entry.evidence ->> 'user_id')", name.to_owned()),
            AnyConnection::Postgres(_) => {
                let beginning = spelled.split('"').nth(1).unwrap_or_default().to_owned();
                ("split_part(call_entry.evidence, '\"', 4)", beginning)
            }
        };
        let begins = format!("{{\"user_id\":{spelled}");
        let length = begins.chars().count();
        let begins_so = format!("CASE WHEN substr(call_entry.evidence, 1, {length}) = ");
        Self { begins, begins_so, indexed }
    }
}

/// The conditions under which an entry is within the period of `filter` and within `bounds`.
fn within(filter: &Filter, bounds: &Bounds, walked: bool) -> Vec<SqlLiteral<Bool>> {
    let instant = if walked { "call_entry.instant_ms" } else { "call_entry.instant_ms + 0" };
    let (onward, back) = if bounds.newest_first { ('<', '>') } else { ('>', '<') };
    let mut conditions = Vec::new();
    if let Some(from) = filter.from {
        conditions.push(sql(&format!("({instant} >= {})", from.as_millisecond())));
    }
    if let Some(until) = filter.until {
        conditions.push(sql(&format!("({instant} < {})", until.as_millisecond())));
    }
    if let Some(last) = bounds.last {
        conditions.push(sql(&format!("({instant} {back}= {last})")));
    }
    if let Some(Cursor { instant_ms, log_id, index }) = bounds.after {
        // The first condition is implied by the second, and lets the index be entered at the right place.
        conditions.push(sql(&format!("({instant} {onward}= {instant_ms})")));
        conditions.push(sql(&format!(
            "(call_entry.instant_ms {onward} {instant_ms} OR call_entry.log_id {onward} {log_id} \
             OR (call_entry.log_id = {log_id} AND call_entry.entry_index {onward} {index}))"
        )));
    }
    conditions
}

/// The instant in a request's id, in milliseconds since the epoch, if it was made here.
fn instant_of(request_id: &str) -> Option<i64> {
    let (seconds, nanoseconds) = Uuid::try_parse(request_id).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(i64::from(nanoseconds / 1_000_000))
}

/// At most `bounds.limit` entries of `scope` that `filter` lets through, in their order.
pub(super) fn rows(
    connection: &mut AnyConnection,
    filter: &Filter,
    bounds: &Bounds,
    scope: &Scope,
) -> Result<Vec<Found>, StoreError> {
    let mut query = call_entry::table
        .left_join(eservice::table.on(eservice::id.eq(call_entry::log_id)))
        .select((call_entry::all_columns, eservice::name.nullable()))
        .limit(i64::from(bounds.limit))
        .into_boxed();
    let mut lead = Lead { free: true, told: matches!(connection, AnyConnection::Sqlite(_)) };
    // From what few entries share to what many do.
    match scope {
        Scope::Pages { log_id, window, ts } => {
            lead.claim();
            query = query
                .filter(call_entry::log_id.eq(*log_id))
                .filter(call_entry::first_ts.between(window.earliest, *ts))
                .filter(call_entry::last_ts.ge(*ts));
            if let Some(dropped_ms) = window.dropped_ms {
                query = query.filter(call_entry::instant_ms.lt(dropped_ms));
            }
        }
        Scope::Benefit { log_id, id } => {
            lead.claim();
            query = query
                .filter(call_entry::benefit.eq(*id))
                .filter(lead.following_number::<BigInt>("log_id").eq(*log_id));
        }
        Scope::Enti(enti) => {
            query = query.filter(exists(
                flusso::table
                    .filter(flusso::eservice_id.eq(call_entry::log_id))
                    .filter(flusso::ts.nullable().between(call_entry::first_ts, call_entry::last_ts))
                    .filter(flusso::ente_id.eq_any(enti)),
            ));
        }
        Scope::Everything => {}
    }
    let walked = !matches!(scope, Scope::Pages { .. });
    if let Some(request_id) = &filter.request_id {
        if let Some(instant_ms) = instant_of(request_id) {
            query = query.filter(lead.number::<BigInt>("instant_ms").eq(instant_ms));
        }
        query = query.filter(call_entry::request_id.eq(request_id));
    }
    if let Some(token_id) = &filter.token_id {
        query = query.filter(lead.text("token_id").eq(token_id));
    }
    if let Some(user) = filter.user.as_deref().map(|name| User::new(name, connection)) {
        query = query.filter(
            sql::<Bool>(&user.begins_so).bind::<Text, _>(user.begins).sql(" THEN true ELSE false END"),
        );
        if lead.claim() || !lead.told {
            query = query.filter(sql::<Text>(user.indexed.0).eq(user.indexed.1));
            // The index has those entries alone. PostgreSQL knows that none of the others can be meant; told so, it would
            // count on finding few, and sort all of a busy user's entries.
            if lead.told {
                query = query.filter(call_entry::evidence.is_not_null());
            }
        }
    }
    if let Some(action) = &filter.action {
        query = query.filter(sql::<Bool>(&format!("call_entry.method = '{}'", action::METHOD)));
        query = query.filter(lead.text("path").eq(action));
    }
    if let Some(outcome) = &filter.outcome {
        if outcome == "ok" {
            query = query.filter(lead.following_text("outcome").eq(outcome));
        } else {
            query = query.filter(sql::<Bool>("call_entry.outcome <> 'ok'"));
            query = query.filter(lead.text("outcome").eq(outcome));
        }
    }
    if let Some(status) = filter.status {
        let number = i16::try_from(status).unwrap_or(i16::MAX);
        if status == 200 {
            query = query.filter(lead.following_number::<SmallInt>("status").eq(number));
        } else {
            query = query.filter(sql::<Bool>("call_entry.status <> 200"));
            query = query.filter(lead.number::<SmallInt>("status").eq(number));
        }
    }
    for (name, value) in [
        ("purpose_id", &filter.purpose_id),
        ("client_id", &filter.client_id),
        ("consumer_id", &filter.consumer_id),
    ] {
        if let Some(value) = value {
            query = query.filter(lead.text(name).eq(value));
        }
    }
    if let Some(log_id) = bounds.log_id {
        query = query.filter(lead.number::<BigInt>("log_id").eq(log_id));
    }
    // Whatever leads, it leads in the order of the instants; but for the pages with a flow, which are few, and are
    // sorted: in the order of the column itself, a planner would walk the whole log.
    let instant = || column::<BigInt>("instant_ms", walked, " + 0");
    for condition in within(filter, bounds, walked) {
        query = query.filter(condition);
    }
    query = if bounds.newest_first {
        query.order((instant().desc(), call_entry::log_id.desc(), call_entry::entry_index.desc()))
    } else {
        query.order((instant(), call_entry::log_id, call_entry::entry_index))
    };
    let rows: Vec<(Row, Option<String>)> = query.load(connection)?;
    Ok(rows.into_iter().map(|(row, eservice)| Found { row, eservice }).collect())
}

/// How far the log is looked through for one page; none: to its end.
pub(super) fn horizon(
    connection: &mut AnyConnection,
    filter: &Filter,
    bounds: &Bounds,
) -> Result<Option<Cursor>, StoreError> {
    let mut query = call_entry::table
        .select((call_entry::instant_ms, call_entry::first_ts, call_entry::item_count))
        .limit(ENTRIES_LOOKED_AT + 1)
        .into_boxed();
    if let Some(log_id) = bounds.log_id {
        query = query.filter(call_entry::log_id.eq(log_id));
    }
    let after = bounds.after.map(|after| after.instant_ms);
    let (from, until) = if bounds.newest_first { (None, after) } else { (after, None) };
    if let Some(from) = filter.from.map(Timestamp::as_millisecond).max(from) {
        query = query.filter(call_entry::instant_ms.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(call_entry::instant_ms.lt(until.as_millisecond()));
    }
    if let Some(until) = until {
        query = query.filter(call_entry::instant_ms.le(until));
    }
    query = if bounds.newest_first {
        query.order((
            call_entry::instant_ms.desc(),
            call_entry::log_id.desc(),
            call_entry::entry_index.desc(),
        ))
    } else {
        query.order((call_entry::instant_ms, call_entry::log_id, call_entry::entry_index))
    };
    let entries: Vec<(i64, Option<i64>, Option<i64>)> = query.load(connection)?;
    let mut left = FLOWS_LOOKED_AT;
    let beyond = entries.iter().enumerate().find(|(place, (_, first_ts, flows))| {
        left -= first_ts.and(*flows).unwrap_or_default();
        left < 0 || i64::try_from(*place).is_ok_and(|place| place == ENTRIES_LOOKED_AT)
    });
    let end = if bounds.newest_first { i64::MIN } else { i64::MAX };
    Ok(beyond.map(|(_, (instant_ms, ..))| Cursor { instant_ms: *instant_ms, log_id: end, index: end }))
}
