//! Mappings of columns that staff keep for the next file of an ente.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::store::schema::mappatura;
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// A mapping under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMapping {
    /// What staff call it.
    pub name: String,
    /// Which field each column contains.
    pub fields: BTreeMap<String, String>,
}

/// Mappings of an ente that are listed.
const MOST: i64 = 100;

/// The mappings of an ente, by name.
pub fn mappings(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codice_ente: &str,
) -> Result<Vec<SavedMapping>, StoreError> {
    let rows: Vec<(String, String)> = mappatura::table
        .filter(mappatura::eservice_id.eq(eservice.get()))
        .filter(mappatura::codice_ente.eq(codice_ente))
        .order(mappatura::name)
        .limit(MOST)
        .select((mappatura::name, mappatura::fields))
        .load(connection)?;
    Ok(rows
        .into_iter()
        .map(|(name, fields)| SavedMapping { name, fields: super::rows::json(&fields) })
        .collect())
}

/// The mapping of an ente with this name.
pub fn mapping(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codice_ente: &str,
    name: &str,
) -> Result<Option<SavedMapping>, StoreError> {
    let fields: Option<String> = mappatura::table
        .find((eservice.get(), codice_ente, name))
        .select(mappatura::fields)
        .first(connection)
        .optional()?;
    Ok(fields.map(|fields| SavedMapping { name: name.to_owned(), fields: super::rows::json(&fields) }))
}

/// Keeps `saved` in the place of the mapping of its name.
pub fn save_mapping(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codice_ente: &str,
    saved: &SavedMapping,
    by: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let fields = serde_json::to_string(&saved.fields).unwrap_or_default();
    let row = (
        mappatura::eservice_id.eq(eservice.get()),
        mappatura::codice_ente.eq(codice_ente),
        mappatura::name.eq(&saved.name),
        mappatura::fields.eq(&fields),
        mappatura::saved_by.eq(by),
        mappatura::saved_ms.eq(now_ms),
    );
    each_backend!(connection, |inner| diesel::insert_into(mappatura::table)
        .values(row)
        .on_conflict((mappatura::eservice_id, mappatura::codice_ente, mappatura::name))
        .do_update()
        .set((
            mappatura::fields.eq(excluded(mappatura::fields)),
            mappatura::saved_by.eq(excluded(mappatura::saved_by)),
            mappatura::saved_ms.eq(excluded(mappatura::saved_ms)),
        ))
        .execute(inner))?;
    Ok(())
}
