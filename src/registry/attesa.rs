//! How a feed stands with INPS, in figures that are kept beside what they count, in the same transaction: how many flows
//! come after a cursor, and what INPS said of them. Reading them costs the same however many flows there are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::scadenze::{self, Deadlines};
use crate::store::schema::{esito_riepilogo, feed_mark, flusso};
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend};

/// Marks how many flows the feed has with the `count` that end with `last`.
pub(super) fn mark(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    last: i64,
    count: i64,
) -> Result<(), StoreError> {
    let before = total(connection, eservice)?;
    diesel::insert_into(feed_mark::table)
        .values((
            feed_mark::eservice_id.eq(eservice.get()),
            feed_mark::ts.eq(last),
            feed_mark::flussi.eq(before.saturating_add(count)),
        ))
        .execute(connection)?;
    Ok(())
}

/// How many flows the feed has.
fn total(connection: &mut AnyConnection, eservice: EserviceId) -> Result<i64, StoreError> {
    let last: Option<i64> = feed_mark::table
        .filter(feed_mark::eservice_id.eq(eservice.get()))
        .order(feed_mark::ts.desc())
        .select(feed_mark::flussi)
        .first(connection)
        .optional()?;
    Ok(last.unwrap_or_default())
}

/// How many flows the feed has up to and with `position`.
pub(super) fn up_to(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    position: i64,
) -> Result<i64, StoreError> {
    let mark: Option<(i64, i64)> = feed_mark::table
        .filter(feed_mark::eservice_id.eq(eservice.get()))
        .filter(feed_mark::ts.le(position))
        .order(feed_mark::ts.desc())
        .select((feed_mark::ts, feed_mark::flussi))
        .first(connection)
        .optional()?;
    let (from, counted) = mark.unwrap_or((i64::MIN, 0));
    let rest: i64 = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.gt(from))
        .filter(flusso::ts.le(position))
        .count()
        .get_result(connection)?;
    Ok(counted + rest)
}

/// How many flows come after `since`; those whose payload was dropped come no more.
pub(super) fn waiting(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    since: i64,
) -> Result<u64, StoreError> {
    let passed = up_to(connection, eservice, since)?;
    let dropped = dropped(connection, eservice, since)?;
    Ok(figure(total(connection, eservice)? - passed - dropped))
}

/// How many of the flows after `since` come no more.
fn dropped(connection: &mut AnyConnection, eservice: EserviceId, since: i64) -> Result<i64, StoreError> {
    let dropped = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.gt(since))
        .filter(flusso::eliminato_ms.is_not_null())
        .count()
        .get_result(connection)?;
    Ok(dropped)
}

/// How a feed stands with INPS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// All of its flows.
    pub flussi: u64,
    /// Flows that INPS has taken.
    pub taken: u64,
    /// Flows that wait for it.
    pub waiting: u64,
    /// Of these, payments of A1.04 of more than fifteen days ago, and periodic benefits that began more than three months
    /// ago. What was published at once counts until all of it is taken.
    pub late: [u64; 2],
    /// Of either kind, the last day on which the first of those that wait is not late.
    pub due: [Option<Day>; 2],
    /// Our flows by the outcome in force, by its name in the contract.
    pub esiti: BTreeMap<String, u64>,
}

/// How a feed stands when INPS has its flows up to `position` and it is `today`.
pub(crate) fn standing(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    position: i64,
    today: Day,
) -> Result<Standing, StoreError> {
    let id = eservice.get();
    let flussi = total(connection, eservice)?;
    let taken = up_to(connection, eservice, position)?;
    let waiting = figure(flussi - taken - dropped(connection, eservice, position)?);
    let Deadlines { late, due } = match waiting {
        0 => Deadlines::default(),
        _ => scadenze::beyond(connection, eservice, position, today)?,
    };
    let esiti: Vec<(String, i64)> = esito_riepilogo::table
        .filter(esito_riepilogo::eservice_id.eq(id))
        .select((esito_riepilogo::codice_esito, esito_riepilogo::flussi))
        .load(connection)?;
    let esiti = esiti.into_iter().map(|(codice, flussi)| (codice, figure(flussi))).collect();
    Ok(Standing { flussi: figure(flussi), taken: figure(taken), waiting, late, due, esiti })
}

pub(super) fn figure(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Takes note of an outcome that is about to be stored: the flow's former one is in force no longer.
pub(super) fn judged(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    former: Option<&str>,
    codice: &str,
) -> Result<(), StoreError> {
    for (codice, change) in [former.map(|former| (former, -1_i64)), Some((codice, 1))].into_iter().flatten() {
        let row = (
            esito_riepilogo::eservice_id.eq(eservice.get()),
            esito_riepilogo::codice_esito.eq(codice),
            esito_riepilogo::flussi.eq(change),
        );
        each_backend!(connection, |inner| diesel::insert_into(esito_riepilogo::table)
            .values(row)
            .on_conflict((esito_riepilogo::eservice_id, esito_riepilogo::codice_esito))
            .do_update()
            .set(esito_riepilogo::flussi.eq(esito_riepilogo::flussi + excluded(esito_riepilogo::flussi)))
            .execute(inner))?;
    }
    Ok(())
}
