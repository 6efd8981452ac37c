//! The flows of a benefit and what INPS told of them, without the documents.

use std::collections::HashSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::esiti::CodiceEsito;
use super::standing::Sent;
use crate::store::schema::{esito, flusso};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// Benefits that one statement asks about: within the parameters of SQLite.
const CHUNK: usize = 2000;

/// A flow, and what was last said of it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) sent: Sent,
    pub(super) id_flusso: String,
    /// The detail of the outcome in force.
    pub(super) descrizione: Option<String>,
    /// When it arrived, in milliseconds since the epoch.
    pub(super) received_ms: Option<i64>,
    /// When its payload was dropped, if it was.
    pub(super) dropped_ms: Option<i64>,
}

/// The condition of the index on refusals, in the words of the index: with a parameter in it, neither database would
/// see that it is the same.
pub(super) const REFUSED: &str = "esito.codice_esito <> 'OK'";

/// Which of these benefits have a flow that INPS ever refused.
pub(super) fn ever_refused(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazioni: &[i64],
) -> Result<HashSet<i64>, StoreError> {
    // Almost every e-service, almost always, has no refusal at all, and every import asks.
    let any: Option<i64> = esito::table
        .filter(esito::eservice_id.eq(eservice.get()))
        .filter(sql::<Bool>(REFUSED))
        .select(esito::id)
        .first(connection)
        .optional()?;
    let mut refused = HashSet::new();
    if any.is_none() {
        return Ok(refused);
    }
    for chunk in prestazioni.chunks(CHUNK) {
        let found: Vec<i64> = each_backend!(connection, |inner| flusso::table
            .inner_join(esito::table.on(
                esito::eservice_id.eq(flusso::eservice_id).and(esito::flusso_ts.eq(flusso::ts.nullable()))
            ))
            .filter(sql::<Bool>(REFUSED))
            .filter(flusso::eservice_id.eq(eservice.get()))
            .filter(flusso::prestazione_id.eq_any(chunk))
            .select(flusso::prestazione_id)
            .distinct()
            .load(inner))?;
        refused.extend(found);
    }
    Ok(refused)
}

/// Every flow of a benefit, oldest first.
pub(super) fn told(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazione: i64,
) -> Result<Vec<Told>, StoreError> {
    let flows: Vec<(i64, String, Option<i64>, Option<i64>)> = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::prestazione_id.eq(prestazione))
        .order(flusso::ts)
        .select((flusso::ts, flusso::id_flusso, flusso::annulla_ts, flusso::eliminato_ms))
        .load(connection)?;
    flows
        .into_iter()
        .map(|(ts, id_flusso, cancels, dropped_ms)| {
            let rows: Vec<(i64, String, Option<String>, i64)> = esito::table
                .filter(esito::eservice_id.eq(eservice.get()))
                .filter(esito::id_flusso.eq(&id_flusso))
                .order(esito::id)
                .select((esito::id, esito::codice_esito, esito::descrizione, esito::received_ms))
                .load(connection)?;
            let last = rows.last();
            let (descrizione, received_ms) =
                last.map_or((None, None), |(_, _, detail, received)| (detail.clone(), Some(*received)));
            let esiti = rows
                .iter()
                .map(|(place, codice, ..)| {
                    let codice: CodiceEsito = codice
                        .parse()
                        .map_err(|()| StoreError::Unreadable(format!("the outcome {place}: {codice}")))?;
                    Ok((*place, codice))
                })
                .collect::<Result<_, StoreError>>()?;
            Ok(Told { sent: Sent { ts, cancels, esiti }, id_flusso, descrizione, received_ms, dropped_ms })
        })
        .collect()
}
