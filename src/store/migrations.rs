//! The tables' own history: which migrations this program carries, and how they are run.
//!
//! All that is missing runs in one transaction under a lock, so that several instances may start at once and a
//! failure leaves the database as it was.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{AnyConnection, each_backend};
use super::error::StoreError;
use super::losses;
use super::payloads;

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

/// What brought the tables from one version to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Versions that were run, oldest first.
    pub applied: Vec<String>,
    /// Versions that were undone, newest first.
    pub reverted: Vec<String>,
}

/// The version before the first.
pub(super) const NONE: &str = "0000";

/// Runs what is missing, within the caller's transaction. Returns the versions run.
pub(super) fn run(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    lock(connection)?;
    if let Some(applied) = recorded(connection)? {
        refuse_newer(&applied)?;
        let mut missing = known(connection)?;
        missing.retain(|version| !applied.contains(version));
        if missing.is_empty() {
            return Ok(missing);
        }
        if !owns_tables(connection)? {
            return Err(StoreError::NotOwner(missing));
        }
    }
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer_in(inner, &source)?;
        versions(inner.run_pending_migrations(source))
    })
}

/// The versions that were run, oldest first, where they can be told without the right to make tables: diesel makes its
/// own table before it looks, which a role that may only use them cannot.
fn recorded(connection: &mut AnyConnection) -> Result<Option<Vec<String>>, StoreError> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let AnyConnection::Postgres(inner) = connection else { return Ok(None) };
    let exists = sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL");
    if !diesel::select(exists).get_result(inner)? {
        return Ok(None);
    }
    let rows: Vec<Version> =
        diesel::sql_query("SELECT version::text AS version FROM __diesel_schema_migrations ORDER BY version")
            .load(inner)?;
    Ok(Some(rows.into_iter().map(|row| row.version).collect()))
}

/// Whether the tables are this role's, to change them.
fn owns_tables(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let AnyConnection::Postgres(inner) = connection else { return Ok(true) };
    let owns = sql::<Bool>(
        "coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
                   WHERE oid = to_regclass('__diesel_schema_migrations')), true)",
    );
    Ok(diesel::select(owns).get_result(inner)?)
}

/// Brings the tables to `target` ([`NONE`]: to nothing), within the caller's transaction: runs what is missing up to
/// it, undoes what is beyond it. Where that would lose data, nothing is done unless `accept_loss`.
pub(super) fn move_to(
    connection: &mut AnyConnection,
    target: &str,
    accept_loss: bool,
) -> Result<Moved, StoreError> {
    lock(connection)?;
    let known = known(connection)?;
    if target != NONE && known.iter().all(|version| version != target) {
        return Err(StoreError::UnknownMigration { asked: target.to_owned(), known });
    }
    let lost = losses::of(connection, |connection| revert_beyond(connection, target))?;
    if !lost.is_empty() && !accept_loss {
        return Err(StoreError::Loss(lost));
    }
    let applied = each_backend!(connection, |inner| versions(inner.applied_migrations()))?;
    if target < payloads::COMPRESSED && applied.iter().any(|version| version == payloads::COMPRESSED) {
        payloads::write_plain(connection)?;
    }
    let reverted = revert_beyond(connection, target)?;
    let applied = each_backend!(connection, |inner| {
        let mut pending = inner.pending_migrations(embedded(inner)).map_err(failed)?;
        pending.retain(|one| one.name().version().to_string().as_str() <= target);
        versions(inner.run_migrations(&pending))
    })?;
    Ok(Moved { applied, reverted })
}

fn revert_beyond(connection: &mut AnyConnection, target: &str) -> Result<Vec<String>, StoreError> {
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer_in(inner, &source)?;
        let mut reverted = Vec::new();
        while inner
            .applied_migrations()
            .map_err(failed)?
            .first()
            .is_some_and(|newest| newest.to_string().as_str() > target)
        {
            reverted.push(inner.revert_last_migration(embedded(inner)).map_err(failed)?.to_string());
        }
        Ok(reverted)
    })
}

/// The versions that this program carries, oldest first.
fn known(connection: &AnyConnection) -> Result<Vec<String>, StoreError> {
    match connection {
        AnyConnection::Sqlite(_) => versions_of::<diesel::sqlite::Sqlite>(&SQLITE),
        AnyConnection::Postgres(_) => versions_of::<diesel::pg::Pg>(&POSTGRES),
    }
}

fn versions_of<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, StoreError>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    let mut versions: Vec<_> = migrations.iter().map(|one| one.name().version().to_string()).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// What was run and what is missing.
pub(super) fn state(connection: &mut AnyConnection) -> Result<SchemaState, StoreError> {
    // Looking makes the table of migrations where it is missing, which two cannot do at once.
    exclude_others(connection)?;
    if let Some(applied) = recorded(connection)? {
        refuse_newer(&applied)?;
        let mut pending = known(connection)?;
        pending.retain(|version| !applied.contains(version));
        return Ok(SchemaState { applied, pending });
    }
    each_backend!(connection, |inner| {
        let source = embedded(inner);
        refuse_newer_in(inner, &source)?;
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

impl Embedded for SqliteConnection {
    const SOURCE: EmbeddedMigrations = SQLITE;
}

impl Embedded for PgConnection {
    const SOURCE: EmbeddedMigrations = POSTGRES;
}

fn embedded<C: Embedded>(_connection: &C) -> EmbeddedMigrations {
    C::SOURCE
}

/// Keeps others out until the transaction ends, which may take as long as it needs.
fn lock(connection: &mut AnyConnection) -> Result<(), StoreError> {
    connection.without_time_limit()?;
    exclude_others(connection)
}

/// On SQLite the transaction, which began as a writer's, is the lock.
fn exclude_others(connection: &mut AnyConnection) -> Result<(), StoreError> {
    if let AnyConnection::Postgres(inner) = connection {
        inner.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK})"))?;
    }
    Ok(())
}

/// Refuses a list of versions that were run, if this program does not know one of them.
pub fn refuse_newer(applied: &[String]) -> Result<(), StoreError> {
    refuse_unknown(applied, versions_of::<diesel::sqlite::Sqlite>(&SQLITE)?)
}

fn refuse_unknown(applied: &[String], mut known: Vec<String>) -> Result<(), StoreError> {
    match applied.iter().find(|version| !known.contains(version)) {
        Some(unknown) => Err(StoreError::NewerSchema {
            unknown: unknown.clone(),
            newest: known.pop().unwrap_or_else(|| NONE.to_owned()),
        }),
        None => Ok(()),
    }
}

fn refuse_newer_in<C, DB>(connection: &mut C, source: &EmbeddedMigrations) -> Result<(), StoreError>
where
    C: MigrationHarness<DB>,
    DB: diesel::backend::Backend,
    EmbeddedMigrations: MigrationSource<DB>,
{
    refuse_unknown(&versions(connection.applied_migrations())?, versions_of::<DB>(source)?)
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
