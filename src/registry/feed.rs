//! What a cursor sees.
//!
//! Calls that wait at the same time are given their pages by one statement: a server then plans nothing, and is asked
//! once for all of them.

use diesel::connection::DefaultLoadingMode;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Integer, SmallInt, Text};

use super::tipo_of;
use crate::payload::{self, Packed};
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

/// The same, its document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedFlusso {
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
    pub payload: Packed<'static>,
}

impl PackedFlusso {
    /// The same, with its document.
    pub fn unpacked(self) -> Result<PublishedFlusso, StoreError> {
        let Self { codice_ente, denominazione_ente, id_flusso, ts_ms, tipo, payload } = self;
        let xml = payload::unpack(payload.format, payload.bytes.into_owned())?;
        Ok(PublishedFlusso { codice_ente, denominazione_ente, id_flusso, ts_ms, tipo, xml })
    }
}

/// The flows that a caller asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    eservice: i64,
    since: i64,
    limit: i64,
}

impl Asked {
    /// At most `limit` flows after `since`; none where no flow can ever be, which is above the last timestamp that the
    /// tables can hold.
    pub(super) fn new(eservice: EserviceId, since: u128, limit: u32) -> Option<Self> {
        let since = i64::try_from(since).ok()?;
        Some(Self { eservice: eservice.get(), since, limit: limit.into() })
    }

    /// At most how many flows.
    pub(super) fn limit(self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }
}

/// A flow as the table has it: code and name of its ente, its own name, timestamp, kind, format and bytes of its
/// payload.
pub(super) type Row = (String, String, String, i64, i16, i16, Vec<u8>);

/// The pages that these callers ask for, in their order.
pub(super) fn pages(connection: &mut AnyConnection, asked: &[Asked]) -> Result<Vec<Vec<Row>>, StoreError> {
    match connection {
        AnyConnection::Sqlite(inner) => asked.iter().map(|asked| page(inner, *asked)).collect(),
        AnyConnection::Postgres(inner) => {
            let column = |of: fn(&Asked) -> i64| asked.iter().map(of).collect();
            let statement = Pages {
                eservices: column(|asked| asked.eservice),
                since: column(|asked| asked.since),
                limits: column(|asked| asked.limit),
            };
            let mut pages = vec![Vec::new(); asked.len()];
            for (place, row) in statement.load::<(i32, Row)>(inner)? {
                let place = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
                if let Some(page) = place.and_then(|place| pages.get_mut(place)) {
                    page.push(row);
                }
            }
            for page in &mut pages {
                page.sort_by_key(|(_, _, _, ts, ..)| *ts);
            }
            Ok(pages)
        }
    }
}

/// The flows in these rows.
pub(super) fn packed(rows: Vec<Row>) -> Result<Vec<PackedFlusso>, StoreError> {
    rows.into_iter()
        .map(|(codice_ente, denominazione_ente, id_flusso, ts_ms, tipo, format, bytes)| {
            let payload = Packed { format, bytes: bytes.into() };
            let tipo = tipo_of(tipo)?;
            Ok(PackedFlusso { codice_ente, denominazione_ente, id_flusso, ts_ms, tipo, payload })
        })
        .collect()
}

fn page(connection: &mut SqliteConnection, asked: Asked) -> Result<Vec<Row>, StoreError> {
    // SQLite plans a statement anew each time that a parameter of its LIMIT is bound. It gives rows as they are asked
    // for: whoever asks for no more has limited it.
    flusso::table
        .inner_join(ente::table.on(ente::id.eq(flusso::ente_id)))
        .filter(flusso::eservice_id.eq(asked.eservice))
        .filter(flusso::ts.gt(asked.since))
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
        ))
        .load_iter::<Row, DefaultLoadingMode>(connection)?
        .take(asked.limit())
        .map(|row| Ok(row?))
        .collect()
}

/// The pages of all who ask, each row with the place of who asked for it, from 1.
///
/// Its text and its plan are the same for any number of callers. PostgreSQL keeps a plan only if it does not believe
/// that one made for the parameters at hand would be cheaper, as it does of any plan in which it sees a limit or the
/// length of an array: here it sees neither. What stands in each `LATERAL` is looked up by its key, however many enti
/// there are.
#[derive(QueryId)]
struct Pages {
    eservices: Vec<i64>,
    since: Vec<i64>,
    limits: Vec<i64>,
}

impl QueryFragment<Pg> for Pages {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT asked.place, ente.codice, ente.denominazione, page.id_flusso, page.ts, page.tipo, \
             page.payload_format, page.payload FROM (SELECT ",
        );
        out.push_bind_param::<Array<BigInt>, _>(&self.eservices)?;
        out.push_sql(" AS eservices, ");
        out.push_bind_param::<Array<BigInt>, _>(&self.since)?;
        out.push_sql(" AS since, ");
        out.push_bind_param::<Array<BigInt>, _>(&self.limits)?;
        out.push_sql(
            " AS limits OFFSET 0) AS call \
             CROSS JOIN LATERAL generate_subscripts(call.eservices, 1) AS asked (place) \
             CROSS JOIN LATERAL (SELECT ente_id, id_flusso, ts, tipo, payload_format, payload FROM flusso \
             WHERE eservice_id = call.eservices[asked.place] AND ts > call.since[asked.place] \
             AND eliminato_ms IS NULL ORDER BY ts LIMIT call.limits[asked.place]) AS page \
             CROSS JOIN LATERAL (SELECT codice, denominazione FROM ente WHERE id = page.ente_id OFFSET 0) AS ente",
        );
        Ok(())
    }
}

impl Query for Pages {
    type SqlType = (Integer, (Text, Text, Text, BigInt, SmallInt, SmallInt, Binary));
}

impl RunQueryDsl<PgConnection> for Pages {}
