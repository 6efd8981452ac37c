//! By which day INPS should have what was published: kept with each publishing transaction, and compared with how far the
//! pulls have come.

use std::collections::BTreeMap;

use diesel::dsl::{min, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::ToSpan;

use super::attesa::figure;
use super::plan::{Content, Plan};
use super::rows::{ScadenzaRow, insert_all};
use crate::siuss::codes::CaratterePrestazione;
use crate::siuss::record::Record;
use crate::store::schema::{eservice, scadenza};
use crate::store::{AnyConnection, Day, EserviceId, StoreError};

/// Days within which INPS should have a payment of A1.04 (facts of SIUSS, "Life of a record").
const A1_04_DAYS: i64 = 15;

/// How the tables number the deadlines.
const A1_04: i16 = 1;
const PERIODICA: i16 = 2;

/// By which day INPS should have `record`.
fn termine(record: &Record) -> Option<(i16, Day)> {
    let Record::PsPsaSina(record) = record else { return None };
    let dati = &record.prestazione;
    if dati.codice.as_str().starts_with("A1.04") {
        let paid = dati.data_erogazione.or(dati.data_evento).or(dati.data_inizio)?;
        let day = paid.day().checked_add(A1_04_DAYS.days()).ok()?;
        Some((A1_04, day.into()))
    } else if dati.carattere == Some(CaratterePrestazione::Periodica) {
        let day = dati.data_inizio?.day().checked_add(3.months()).ok()?;
        Some((PERIODICA, day.into()))
    } else {
        None
    }
}

/// Takes note of when the insertions that end with `last` are due, in the transaction that publishes them.
pub(super) fn published(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    last: i64,
    plan: &Plan<'_>,
) -> Result<(), StoreError> {
    let mut due: BTreeMap<(i16, Day), i64> = BTreeMap::new();
    for flow in &plan.flows {
        if let Content::Insertion(record) = flow.content
            && let Some(key) = termine(record)
        {
            *due.entry(key).or_default() += 1;
        }
    }
    let rows: Vec<_> = due
        .into_iter()
        .map(|((tipo, day), flussi)| ScadenzaRow {
            eservice_id: eservice.get(),
            ts: last,
            tipo,
            giorno: day.number(),
            flussi,
        })
        .collect();
    insert_all!(connection, scadenza::table, &rows)?;
    Ok(())
}

/// How the deadlines of what waits stand, of payments of A1.04 and of periodic benefits.
#[derive(Default)]
pub(super) struct Deadlines {
    /// Flows whose deadline has passed.
    pub(super) late: [u64; 2],
    /// The first deadline, passed or not.
    pub(super) due: [Option<Day>; 2],
}

/// The deadlines of what comes after `position`, when it is `today`.
pub(super) fn beyond(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    position: i64,
    today: Day,
) -> Result<Deadlines, StoreError> {
    let open =
        || scadenza::table.filter(scadenza::eservice_id.eq(eservice.get())).filter(scadenza::ts.gt(position));
    let sum = sql::<BigInt>("CAST(sum(flussi) AS BIGINT)");
    let passed = open().filter(scadenza::giorno.lt(today.number()));
    let sums: Vec<(i16, i64)> =
        passed.group_by(scadenza::tipo).select((scadenza::tipo, sum)).load(connection)?;
    let first: Vec<(i16, Option<i32>)> =
        open().group_by(scadenza::tipo).select((scadenza::tipo, min(scadenza::giorno))).load(connection)?;
    let late = |kind| sums.iter().find(|(tipo, _)| *tipo == kind).map_or(0, |(_, flussi)| figure(*flussi));
    let due = |kind| {
        let (_, giorno) = first.iter().find(|(tipo, _)| *tipo == kind)?;
        giorno.and_then(Day::from_number)
    };
    Ok(Deadlines { late: [A1_04, PERIODICA].map(late), due: [A1_04, PERIODICA].map(due) })
}

/// Of each feed, the timestamp of the newest flows that INPS should have had before `today`: they are late unless it has
/// them.
pub(crate) fn overdue(
    connection: &mut AnyConnection,
    today: Day,
) -> Result<BTreeMap<EserviceId, i64>, StoreError> {
    let newest = scadenza::table
        .filter(scadenza::eservice_id.eq(eservice::id))
        .filter(scadenza::giorno.lt(today.number()))
        .order(scadenza::ts.desc())
        .select(scadenza::ts)
        .limit(1)
        .single_value();
    let rows: Vec<(i64, Option<i64>)> = eservice::table.select((eservice::id, newest)).load(connection)?;
    Ok(rows.into_iter().filter_map(|(id, ts)| Some((EserviceId::referred(id), ts?))).collect())
}
