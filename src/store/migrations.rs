//! The tables' own history: which migrations this program carries, and how they are run.
//!
//! All that is missing runs in one transaction under a lock, so that several instances may start at once and a
//! failure leaves the database as it was.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{AnyConnection, each_backend};
use super::error::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The key of PostgreSQL's advisory lock: "waascomu" as a number.
const LOCK: i64 = 0x7761_6173_636f_6d75;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// How far the database's tables are from what this program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// Versions that were run, oldest first.
    pub applied: Vec<String>,
    /// Versions that this program carries and that were not run, oldest first.
    pub pending: Vec<String>,
}

/// Runs what is missing, within the caller's transaction. Returns the versions run.
pub(super) fn run(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    lock(connection)?;
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer(inner, &source)?;
        versions(inner.run_pending_migrations(source))
    })
}

/// Undoes every migration, within the caller's transaction: all data is lost.
pub(super) fn revert_all(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    lock(connection)?;
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer(inner, &source)?;
        versions(inner.revert_all_migrations(source))
    })
}

/// What was run and what is missing.
pub(super) fn state(connection: &mut AnyConnection) -> Result<SchemaState, StoreError> {
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer(inner, &source)?;
        let mut applied = versions(inner.applied_migrations())?;
        applied.reverse();
        let pending = inner.pending_migrations(source).map_err(failed)?;
        Ok(SchemaState {
            applied,
            pending: pending.iter().map(|one| one.name().version().to_string()).collect(),
        })
    })
}

/// The migrations written for a connection's database.
trait Embedded {
    const SOURCE: EmbeddedMigrations;
}

impl Embedded for diesel::SqliteConnection {
    const SOURCE: EmbeddedMigrations = SQLITE;
}

impl Embedded for PgConnection {
    const SOURCE: EmbeddedMigrations = POSTGRES;
}

fn embedded<C: Embedded>(_connection: &C) -> EmbeddedMigrations {
    C::SOURCE
}

/// On SQLite the transaction, which began as a writer's, is the lock.
fn lock(connection: &mut AnyConnection) -> Result<(), StoreError> {
    if let AnyConnection::Postgres(inner) = connection {
        // Another instance's migrations may take longer than any statement should.
        inner.batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})"
        ))?;
    }
    Ok(())
}

fn refuse_newer<C, DB>(connection: &mut C, source: &EmbeddedMigrations) -> Result<(), StoreError>
where
    C: MigrationHarness<DB>,
    DB: diesel::backend::Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    let applied = connection.applied_migrations().map_err(failed)?;
    match applied.iter().find(|version| known.iter().all(|one| one.name().version() != **version)) {
        Some(unknown) => Err(StoreError::NewerSchema(unknown.to_string())),
        None => Ok(()),
    }
}

fn versions(result: Result<Vec<MigrationVersion<'_>>, AnyError>) -> Result<Vec<String>, StoreError> {
    Ok(result.map_err(failed)?.iter().map(ToString::to_string).collect())
}

fn failed(error: AnyError) -> StoreError {
    match error.downcast::<diesel::result::Error>() {
        Ok(error) => StoreError::from(*error),
        Err(error) => StoreError::Migration(error.to_string()),
    }
}
