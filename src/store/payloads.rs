//! Payloads as programs read them that know of no compression: for going back to such a program.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary};

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::{eservice, flusso};
use crate::payload::{self, PLAIN, ZSTD_1};

/// The migration with which compressed payloads came.
pub(super) const COMPRESSED: &str = "0017";

/// Flows that are written at once.
const PAGE: i64 = 1000;

/// Writes every payload as plain XML, within the caller's transaction.
pub(super) fn write_plain(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let eservices: Vec<i64> = eservice::table.select(eservice::id).load(connection)?;
    for id in eservices {
        let mut after = i64::MIN;
        while let Some(last) = page(connection, id, after)? {
            after = last;
        }
    }
    Ok(())
}

/// [`write_plain`] of the next flows of an e-service; gives the last of them.
fn page(connection: &mut AnyConnection, eservice: i64, after: i64) -> Result<Option<i64>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = flusso::table
        .filter(flusso::eservice_id.eq(eservice))
        .filter(flusso::ts.gt(after))
        .filter(flusso::payload_format.eq(ZSTD_1))
        .order(flusso::ts)
        .limit(PAGE)
        .select((flusso::ts, flusso::payload))
        .load(connection)?;
    let (mut timestamps, mut documents) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (ts, bytes) in rows {
        timestamps.push(ts);
        documents.push(payload::unpack(ZSTD_1, bytes)?);
    }
    match connection {
        AnyConnection::Postgres(inner) => {
            diesel::sql_query(format!(
                "UPDATE flusso SET payload_format = {PLAIN}, payload = document.payload \
                 FROM unnest($2, $3) AS document (ts, payload) \
                 WHERE flusso.eservice_id = $1 AND flusso.ts = document.ts"
            ))
            .bind::<BigInt, _>(eservice)
            .bind::<Array<BigInt>, _>(&timestamps)
            .bind::<Array<Binary>, _>(&documents)
            .execute(inner)?;
        }
        AnyConnection::Sqlite(inner) => {
            for (ts, document) in timestamps.iter().zip(&documents) {
                diesel::update(flusso::table.find((eservice, ts)))
                    .set((flusso::payload_format.eq(PLAIN), flusso::payload.eq(document)))
                    .execute(inner)?;
            }
        }
    }
    Ok(timestamps.pop())
}
