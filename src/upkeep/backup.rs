//! Making a copy while the service runs.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::digest::Partial;
use super::{Contents, Manifest, UpkeepError, postgres, sqlite, verify};
use crate::clock::Clock;
use crate::config;
use crate::store::{AnyConnection, Store, StoreError, each_backend};

/// Copies the database to the new file `to`, of one instant and readable by its owner alone, and puts its manifest
/// beside it. The copy has been examined when this returns, and nothing is there under either name when it fails.
/// Blocks.
pub fn backup(settings: &config::Database, to: &Path, clock: &Clock) -> Result<Manifest, UpkeepError> {
    for path in [to, &Manifest::path(to)] {
        if path.exists() {
            return Err(UpkeepError::Exists(path.to_owned(), ": a backup is never written over another"));
        }
    }
    let partial = Partial::beside(to, ".partial")?;
    let made = clock.now();
    let (engine, schema, contents) = if let Some(file) = settings.sqlite_file() {
        sqlite::copy(file, partial.path())?;
        let copy = sqlite::open(partial.path())?;
        copy.snapshot(sqlite::intact)?;
        let (schema, contents) = copy.snapshot(examine)?;
        ("sqlite", schema, contents)
    } else {
        let (schema, contents) = Store::open(settings)?.snapshot(|connection| {
            let examined = examine(connection)?;
            postgres::dump(connection, &settings.url, partial.path())?;
            Ok::<_, UpkeepError>(examined)
        })?;
        postgres::read_through(partial.path())?;
        ("postgresql", schema, contents)
    };
    let manifest = Manifest::of(partial.path(), engine, made, schema, contents)?;
    partial.finish(to)?;
    manifest.write(to)?;
    Ok(manifest)
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The migrations that were run and what there is, once the database is found to agree with itself.
fn examine(connection: &mut AnyConnection) -> Result<(Vec<String>, Contents), UpkeepError> {
    verify::consistent(connection)?;
    let query = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let applied: Vec<Applied> =
        each_backend!(connection, |inner| diesel::sql_query(query).load(inner)).map_err(StoreError::from)?;
    let schema = applied.into_iter().map(|applied| applied.version).collect();
    Ok((schema, Contents::count(connection)?))
}
