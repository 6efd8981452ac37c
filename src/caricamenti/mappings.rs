//! Mappings of columns that staff keep for the next file of an ente.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::upsert::excluded;

use super::rows::ENTI;
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

/// Mappings that are listed.
const MOST: i64 = 1000;

/// What the mappings of these enti are called: the e-service, the ente, the name.
pub fn mapping_names(
    connection: &mut AnyConnection,
    enti: &[(EserviceId, String)],
) -> Result<Vec<(EserviceId, String, String)>, StoreError> {
    let mut names: Vec<(i64, String, String)> = Vec::new();
    for some in enti.chunks(ENTI) {
        let mut of_one: Box<dyn BoxableExpression<_, _, SqlType = Bool>> = Box::new(sql::<Bool>("1 = 0"));
        for (eservice, codice) in some {
            let is_it = mappatura::eservice_id.eq(eservice.get()).and(mappatura::codice_ente.eq(codice));
            of_one = Box::new(of_one.or(is_it));
        }
        let of_some: Vec<(i64, String, String)> = mappatura::table
            .filter(of_one)
            .order((mappatura::eservice_id, mappatura::codice_ente, mappatura::name))
            .limit(MOST)
            .select((mappatura::eservice_id, mappatura::codice_ente, mappatura::name))
            .load(connection)?;
        names.extend(of_some);
    }
    Ok(names.into_iter().map(|(id, codice, name)| (EserviceId::referred(id), codice, name)).collect())
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
