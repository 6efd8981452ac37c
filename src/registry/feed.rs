//! What a cursor sees.

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::tipo_of;
use crate::payload;
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{ente, flusso};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// A flow as it was published, and as it is served until its payload is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedFlusso {
    /// Code of the ente that grants the benefit.
    pub codice_ente: String,
    /// Its name when the flow was published.
    pub denominazione_ente: String,
    /// The flow's own name.
    pub id_flusso: String,
    /// Its place in the feed, in milliseconds since the epoch.
    pub ts_ms: i64,
    /// Its kind.
    pub tipo: TipoFlusso,
    /// The document.
    pub xml: Vec<u8>,
}

pub(super) fn page(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    since: u128,
    limit: u32,
) -> Result<Vec<PublishedFlusso>, StoreError> {
    type Row = (String, String, String, i64, i16, i16, Vec<u8>);
    let Ok(since) = i64::try_from(since) else {
        // No flow will ever be later than the last timestamp that the tables can hold.
        return Ok(Vec::new());
    };
    let flows = flusso::table
        .inner_join(ente::table.on(ente::id.eq(flusso::ente_id)))
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.gt(since))
        .filter(flusso::eliminato_ms.is_null())
        .order(flusso::ts)
        .select((
            ente::codice,
            ente::denominazione,
            flusso::id_flusso,
            flusso::ts,
            flusso::tipo,
            flusso::payload_format,
            flusso::payload,
        ));
    let rows: Vec<Row> = match connection {
        // SQLite plans a statement anew each time that a parameter of its LIMIT is bound. It gives rows as they are
        // asked for: whoever asks for no more has limited it.
        AnyConnection::Sqlite(inner) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            flows.load_iter::<Row, DefaultLoadingMode>(inner)?.take(limit).collect::<QueryResult<_>>()?
        }
        AnyConnection::Postgres(inner) => flows.limit(i64::from(limit)).load(inner)?,
    };
    rows.into_iter()
        .map(|(codice_ente, denominazione_ente, id_flusso, ts_ms, tipo, format, bytes)| {
            Ok(PublishedFlusso {
                codice_ente,
                denominazione_ente,
                id_flusso,
                ts_ms,
                tipo: tipo_of(tipo)?,
                xml: payload::unpack(format, bytes)?,
            })
        })
        .collect()
}
