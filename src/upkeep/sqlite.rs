//! Copies of a SQLite file.
//!
//! `VACUUM INTO` reads one instant of the database in one transaction: with a write-ahead log it makes no writer wait,
//! and a writer does not make it begin again, as the steps of SQLite's online backup would. What it costs is that the
//! log cannot be folded into the file until it ends. The copy is compact, and a file of its own.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::digest::folder;
use super::{Engine, UpkeepError};
use crate::config;
use crate::store::{AnyConnection, Store, StoreError, each_backend};

/// Room that a backup leaves on a disk, in bytes: the service may write there too.
const LEFT: u64 = 100 << 20;

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    message: String,
}

/// Copies the database in the file `from` into the empty file `to`.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), UpkeepError> {
    let failed = |error: diesel::result::Error| UpkeepError::Store(error.into());
    // The connections of the store that read would refuse: they take the copy for something written.
    let mut connection = SqliteConnection::establish(utf8(from)?)
        .map(AnyConnection::Sqlite)
        .map_err(|error| UpkeepError::Damaged(error.to_string()))?;
    connection.batch_execute("PRAGMA busy_timeout = 5000").map_err(failed)?;
    let size = u64::try_from(Engine::measure(&mut connection)?.bytes).unwrap_or_default();
    let needed = size.saturating_add(LEFT);
    let folder = folder(to);
    let disk = rustix::fs::statvfs(folder).map_err(|error| UpkeepError::file(folder)(error.into()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed {
        return Err(UpkeepError::Room { folder: folder.to_owned(), free: free >> 20, needed: needed >> 20 });
    }
    let statement = diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(utf8(to)?);
    each_backend!(&mut connection, |inner| statement.execute(inner)).map_err(failed)?;
    Ok(())
}

/// The database in the file at `path`.
pub(super) fn open(path: &Path) -> Result<Store, UpkeepError> {
    let url = format!("sqlite://{}", utf8(path)?).into();
    Ok(Store::open(&config::Database { url, ..config::Database::default() })?)
}

/// Checks every page of the database.
pub(super) fn intact(connection: &mut AnyConnection) -> Result<(), UpkeepError> {
    let AnyConnection::Sqlite(inner) = connection else { return Ok(()) };
    let said: Vec<Said> = diesel::sql_query("SELECT integrity_check AS message FROM pragma_integrity_check")
        .load(inner)
        .map_err(StoreError::from)?;
    match said.into_iter().find(|said| said.message != "ok") {
        Some(said) => Err(UpkeepError::Damaged(said.message)),
        None => Ok(()),
    }
}

/// Folds the write-ahead log into the file, which is whole by itself then. Fails while another process has it open.
pub(super) fn settle(path: &Path) -> Result<(), UpkeepError> {
    let failed = |error: &dyn std::fmt::Display| {
        let said = error.to_string();
        if said.contains("locked") { UpkeepError::InUse(path.to_owned()) } else { UpkeepError::Damaged(said) }
    };
    let mut connection = SqliteConnection::establish(utf8(path)?).map_err(|error| failed(&error))?;
    connection
        .batch_execute("PRAGMA busy_timeout = 2000; PRAGMA journal_mode = DELETE")
        .map_err(|error| failed(&error))
}

/// Whether the file holds no table.
pub(super) fn is_empty(path: &Path) -> bool {
    let tables = || {
        let mut connection = SqliteConnection::establish(path.to_str()?).ok()?;
        let query = diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM sqlite_schema");
        diesel::select(query).get_result::<i64>(&mut connection).ok()
    };
    tables() == Some(0)
}

fn utf8(path: &Path) -> Result<&str, UpkeepError> {
    path.to_str().ok_or_else(|| {
        UpkeepError::file(path)(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "its name is not UTF-8",
        ))
    })
}
