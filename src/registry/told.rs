//! The flows of a benefit and what INPS told of them, without the documents.

use std::collections::HashMap;

use diesel::prelude::*;

use super::esiti::CodiceEsito;
use super::standing::Sent;
use crate::store::schema::{esito, flusso};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// Benefits that one statement asks about: within the parameters of SQLite.
pub(super) const CHUNK: usize = 2000;

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

/// Every flow of a benefit, oldest first.
pub(super) fn told(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazione: i64,
) -> Result<Vec<Told>, StoreError> {
    Ok(told_of(connection, eservice, &[prestazione])?.remove(&prestazione).unwrap_or_default())
}

/// [`told`] of several benefits, in one statement for each [`CHUNK`] of them.
pub(super) fn told_of(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazioni: &[i64],
) -> Result<HashMap<i64, Vec<Told>>, StoreError> {
    type Row = (i64, i64, String, Option<i64>, Option<i64>, Option<Outcome>);
    let mut found: HashMap<i64, Vec<Told>> = HashMap::with_capacity(prestazioni.len());
    for chunk in prestazioni.chunks(CHUNK) {
        let rows: Vec<Row> =
            each_backend!(connection, |inner| flusso::table
                .left_join(esito::table.on(
                    esito::eservice_id.eq(flusso::eservice_id).and(esito::id_flusso.eq(flusso::id_flusso))
                ))
                .filter(flusso::eservice_id.eq(eservice.get()))
                .filter(flusso::prestazione_id.eq_any(chunk))
                .order((flusso::ts, esito::id))
                .select((
                    flusso::prestazione_id,
                    flusso::ts,
                    flusso::id_flusso,
                    flusso::annulla_ts,
                    flusso::eliminato_ms,
                    (esito::id, esito::codice_esito, esito::descrizione, esito::received_ms).nullable(),
                ))
                .load(inner))?;
        for (prestazione, ts, id_flusso, cancels, dropped_ms, outcome) in rows {
            let flows = found.entry(prestazione).or_default();
            if flows.last().is_none_or(|last| last.sent.ts != ts) {
                let sent = Sent { ts, cancels, esiti: Vec::new() };
                flows.push(Told { sent, id_flusso, descrizione: None, received_ms: None, dropped_ms });
            }
            if let (Some(flow), Some((place, codice, descrizione, received_ms))) = (flows.last_mut(), outcome)
            {
                let codice: CodiceEsito = codice
                    .parse()
                    .map_err(|()| StoreError::Unreadable(format!("the outcome {place}: {codice}")))?;
                flow.sent.esiti.push((place, codice));
                (flow.descrizione, flow.received_ms) = (descrizione, Some(received_ms));
            }
        }
    }
    Ok(found)
}

/// An outcome of a flow: its place among all that arrived, the verdict, its detail, and when it arrived.
type Outcome = (i64, String, Option<String>, i64);
