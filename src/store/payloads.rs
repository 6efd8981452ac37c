//! The way back to a program that reads plain payloads alone.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::flusso;
use crate::payload::{PLAIN, unpack};

/// The migration since which payloads may be compressed.
pub(super) const COMPRESSED: &str = "0017";

/// How many payloads are held in memory at once.
const BATCH: i64 = 1000;

/// The format of a payload that was dropped: there is nothing to write.
const DROPPED: i16 = 0;

/// Writes every payload as plain XML, within the caller's transaction.
pub(super) fn write_plain(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let (eservice, ts) = after;
        let behind =
            flusso::eservice_id.gt(eservice).or(flusso::eservice_id.eq(eservice).and(flusso::ts.gt(ts)));
        let rows: Vec<(i64, i64, i16, Vec<u8>)> = flusso::table
            .filter(behind)
            .filter(flusso::payload_format.ne_all([PLAIN, DROPPED]))
            .order((flusso::eservice_id, flusso::ts))
            .limit(BATCH)
            .select((flusso::eservice_id, flusso::ts, flusso::payload_format, flusso::payload))
            .load(connection)?;
        let Some((eservice, ts, ..)) = rows.last() else { return Ok(()) };
        after = (*eservice, *ts);
        for (eservice, ts, format, payload) in rows {
            diesel::update(flusso::table.find((eservice, ts)))
                .set((flusso::payload_format.eq(PLAIN), flusso::payload.eq(unpack(format, payload)?)))
                .execute(connection)?;
        }
    }
}
