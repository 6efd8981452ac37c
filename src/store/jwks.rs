//! The last good set of keys of each issuer, kept across restarts. What a set means is the voucher room's matter.

use diesel::prelude::*;
use diesel::upsert::excluded;
use jiff::Timestamp;

use super::schema::jwks_cache;
use super::{AnyConnection, StoreError, each_backend};

/// A set of keys as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedJwks {
    /// The document.
    pub body: String,
    /// When it was fetched.
    pub fetched: Timestamp,
}

/// The last set kept for `url`.
pub fn load(connection: &mut AnyConnection, url: &str) -> Result<Option<CachedJwks>, StoreError> {
    let row: Option<(String, i64)> = jwks_cache::table
        .find(url)
        .select((jwks_cache::body, jwks_cache::fetched_ms))
        .first(connection)
        .optional()?;
    Ok(row.map(|(body, fetched_ms)| CachedJwks {
        body,
        fetched: Timestamp::from_millisecond(fetched_ms).unwrap_or_default(),
    }))
}

/// Keeps `jwks` for `url` in place of what was there.
pub fn save(connection: &mut AnyConnection, url: &str, jwks: &CachedJwks) -> Result<(), StoreError> {
    let row = (
        jwks_cache::url.eq(url),
        jwks_cache::body.eq(&jwks.body),
        jwks_cache::fetched_ms.eq(jwks.fetched.as_millisecond()),
    );
    each_backend!(connection, |inner| diesel::insert_into(jwks_cache::table)
        .values(row)
        .on_conflict(jwks_cache::url)
        .do_update()
        .set((
            jwks_cache::body.eq(excluded(jwks_cache::body)),
            jwks_cache::fetched_ms.eq(excluded(jwks_cache::fetched_ms)),
        ))
        .execute(inner))?;
    Ok(())
}
