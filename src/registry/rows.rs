//! Rows as the registry writes them.

#![expect(clippy::ref_option_ref, reason = "it is diesel's derive that refers to an optional reference")]

use diesel::prelude::*;

use crate::store::schema::{flusso, prestazione};

/// How the tables mark a benefit that INPS should hold.
pub(super) const ACTIVE: i16 = 1;
/// How the tables mark a benefit that was withdrawn.
pub(super) const WITHDRAWN: i16 = 2;

/// Inserts new rows, however many: on PostgreSQL with COPY, for which there is nothing to plan and which writes many
/// rows of a page at once; on SQLite, where a statement costs no round trip, each with the one that is prepared once.
macro_rules! insert_all {
    ($connection:expr, $table:expr, $rows:expr) => {
        match $connection {
            $crate::store::AnyConnection::Sqlite(inner) => $rows
                .iter()
                .try_for_each(|row| diesel::insert_into($table).values(row).execute(inner).map(drop)),
            $crate::store::AnyConnection::Postgres(inner) => {
                diesel::copy_from($table).from_insertable($rows).execute(inner).map(drop)
            }
        }
    };
}
pub(super) use insert_all;

/// A flow to write.
#[derive(Insertable)]
#[diesel(table_name = flusso, treat_none_as_default_value = false)]
pub(super) struct FlussoRow<'a> {
    pub(super) eservice_id: i64,
    pub(super) ts: i64,
    pub(super) id_flusso: &'a str,
    pub(super) ente_id: i64,
    pub(super) tipo: i16,
    pub(super) operazione: Option<&'static str>,
    pub(super) prestazione_id: i64,
    pub(super) payload_format: i16,
    pub(super) payload: &'a [u8],
    pub(super) annulla_ts: Option<i64>,
}

/// A benefit to write.
#[derive(Insertable)]
#[diesel(table_name = prestazione, treat_none_as_default_value = false)]
pub(super) struct PrestazioneRow<'a> {
    pub(super) eservice_id: i64,
    pub(super) id: i64,
    pub(super) codice_ente: &'a str,
    pub(super) tipo: i16,
    pub(super) identity_hash: &'a [u8],
    pub(super) content_hash: &'a [u8],
    pub(super) person: &'a str,
    pub(super) label: &'a str,
    pub(super) stato: i16,
    pub(super) flusso_ts: i64,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) codice: Option<&'a str>,
    pub(super) primo_mese: Option<i32>,
    pub(super) mesi: Option<i16>,
    pub(super) importo: Option<i64>,
}
