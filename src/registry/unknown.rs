//! Outcomes about flows that the registry does not hold: those of a database that was lost, or a mistake of INPS.

use diesel::prelude::*;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::schema::{eservice, esito};
use crate::store::{AnyConnection, StoreError};

/// An outcome about a flow that the registry does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownEsito {
    /// Name of the e-service.
    pub eservice: String,
    /// The flow.
    pub id_flusso: String,
    /// The flow's timestamp, as INPS repeats it.
    pub ts_flusso: Timestamp,
    /// The verdict, by its name in the contract.
    pub codice_esito: String,
    /// Its detail.
    pub descrizione: Option<String>,
    /// When it arrived.
    pub received: Timestamp,
}

/// At most `limit` of them, the latest first.
pub(crate) fn unknown(connection: &mut AnyConnection, limit: u32) -> Result<Vec<UnknownEsito>, StoreError> {
    type Row = (String, String, i64, String, Option<String>, i64);
    let rows: Vec<Row> = esito::table
        .inner_join(eservice::table.on(eservice::id.eq(esito::eservice_id)))
        .filter(esito::flusso_ts.is_null())
        .order(esito::id.desc())
        .limit(i64::from(limit))
        .select((
            eservice::name,
            esito::id_flusso,
            esito::ts_flusso_ms,
            esito::codice_esito,
            esito::descrizione,
            esito::received_ms,
        ))
        .load(connection)?;
    let instant = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|(eservice, id_flusso, ts_flusso_ms, codice_esito, descrizione, received_ms)| UnknownEsito {
            eservice,
            id_flusso,
            ts_flusso: instant(ts_flusso_ms),
            codice_esito,
            descrizione,
            received: instant(received_ms),
        })
        .collect())
}
