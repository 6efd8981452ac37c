//! The official tables that were loaded, whole, as they were given. What they say is the `siuss` room's matter.

use diesel::prelude::*;
use diesel::upsert::excluded;

use super::schema::codes_table;
use super::{AnyConnection, StoreError, each_backend};

/// A table as it was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTable {
    /// The CSV.
    pub content: String,
    /// The day on which it was current, `YYYY-MM-DD`.
    pub date: String,
    /// Who published it.
    pub source: String,
    /// When it was loaded, in milliseconds since the epoch.
    pub loaded_ms: i64,
}

/// The table of this kind, if one was loaded.
pub fn load(connection: &mut AnyConnection, kind: &str) -> Result<Option<StoredTable>, StoreError> {
    let row: Option<(String, String, String, i64)> = codes_table::table
        .find(kind)
        .select((codes_table::content, codes_table::date, codes_table::source, codes_table::loaded_ms))
        .first(connection)
        .optional()?;
    Ok(row.map(|(content, date, source, loaded_ms)| StoredTable { content, date, source, loaded_ms }))
}

/// When each table was loaded, by kind: whoever holds what a table says learns from it that there is a newer one.
pub fn loaded(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = codes_table::table
        .order(codes_table::kind)
        .select((codes_table::kind, codes_table::loaded_ms))
        .load(connection)?;
    Ok(rows)
}

/// Keeps `table` in place of the one of its kind.
pub fn save(connection: &mut AnyConnection, kind: &str, table: &StoredTable) -> Result<(), StoreError> {
    let row = (
        codes_table::kind.eq(kind),
        codes_table::content.eq(&table.content),
        codes_table::date.eq(&table.date),
        codes_table::source.eq(&table.source),
        codes_table::loaded_ms.eq(table.loaded_ms),
    );
    each_backend!(connection, |inner| diesel::insert_into(codes_table::table)
        .values(row)
        .on_conflict(codes_table::kind)
        .do_update()
        .set((
            codes_table::content.eq(excluded(codes_table::content)),
            codes_table::date.eq(excluded(codes_table::date)),
            codes_table::source.eq(excluded(codes_table::source)),
            codes_table::loaded_ms.eq(excluded(codes_table::loaded_ms)),
        ))
        .execute(inner))?;
    Ok(())
}
