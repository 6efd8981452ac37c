//! One connection to either database: how it is opened, how its transactions begin, how a pool keeps it.

use std::fs::{DirBuilder, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::r2d2::{Error as PoolError, ManageConnection, Pool, R2D2Connection};
use diesel::{Connection as _, ConnectionError, PgConnection, QueryResult, SqliteConnection};
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;
use super::place::Silences;
use crate::config::check::database::is_readable;

/// A connection to either database. Statements that both understand are run on it directly; where diesel has no
/// common form (batches, `on_conflict`), on what is inside, through [`each_backend`](super::each_backend).
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// To a SQLite file.
    Sqlite(SqliteConnection),
    /// To a PostgreSQL server.
    Postgres(PgConnection),
}

/// Runs the same diesel statement on whichever connection there is, compiled once for each database.
macro_rules! each_backend {
    ($connection:expr, |$inner:ident| $body:expr) => {
        match $connection {
            $crate::store::AnyConnection::Sqlite($inner) => $body,
            $crate::store::AnyConnection::Postgres($inner) => $body,
        }
    };
}
pub(crate) use each_backend;

impl AnyConnection {
    /// Runs `work` in one transaction that may write, committed if it succeeds. On SQLite it waits for its turn no longer
    /// than `patience`.
    ///
    /// On SQLite the transaction takes the write lock at its beginning: one that began as a reader could not become
    /// a writer once another had written.
    pub(super) fn write<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(inner) => begin_immediate(inner, patience)?,
            Self::Postgres(inner) => AnsiTransactionManager::begin_transaction(inner)?,
        }
        self.finish(work)
    }

    /// Runs `work` in one transaction that sees the database as it is at its first statement.
    pub(super) fn snapshot<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Self::Sqlite(inner) => AnsiTransactionManager::begin_transaction(inner),
            Self::Postgres(inner) => AnsiTransactionManager::begin_transaction_sql(
                inner,
                "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            ),
        }
        .map_err(StoreError::from)?;
        self.finish(|connection| {
            connection.without_time_limit()?;
            work(connection)
        })
    }

    /// Lets the statements of the running transaction take as long as they need.
    pub(super) fn without_time_limit(&mut self) -> Result<(), StoreError> {
        if let Self::Postgres(inner) = self {
            inner.batch_execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
            )?;
        }
        Ok(())
    }

    /// Lets what comes sort as much as it needs on the disk, or in memory again.
    pub(super) fn sort_on_disk(&mut self, on_disk: bool) -> Result<(), StoreError> {
        if let Self::Sqlite(inner) = self {
            let place = if on_disk { "FILE" } else { "MEMORY" };
            inner.batch_execute(&format!("PRAGMA temp_store = {place}"))?;
        }
        Ok(())
    }

    fn finish<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match work(self) {
            Ok(value) => {
                <Self as diesel::Connection>::TransactionManager::commit_transaction(self)
                    .map_err(StoreError::from)?;
                Ok(value)
            }
            Err(error) => {
                // A connection whose rollback fails is broken, and its pool drops it: the first error is the one
                // that tells what happened.
                let _ = <Self as diesel::Connection>::TransactionManager::rollback_transaction(self);
                Err(error)
            }
        }
    }
}

/// Between two attempts to write to a file to which somebody else writes.
const RETRY: Duration = Duration::from_millis(1);

/// Begins a transaction that writes, for which it waits no longer than `patience`.
///
/// SQLite itself asks ever more seldom whether the file is free, at last every 100 ms: whoever writes batch after batch
/// leaves it free for a few milliseconds at a time, and the others would wait for long.
fn begin_immediate(connection: &mut SqliteConnection, patience: Duration) -> QueryResult<()> {
    let began = Instant::now();
    connection.batch_execute("PRAGMA busy_timeout = 0")?;
    let result = loop {
        match AnsiTransactionManager::begin_transaction_sql(connection, "BEGIN IMMEDIATE") {
            Err(error) if is_busy(&error) && began.elapsed() < patience => std::thread::sleep(RETRY),
            result => break result,
        }
    };
    connection.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis()))?;
    result
}

/// Whether somebody else writes to the file.
fn is_busy(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, said) if said.message() == "database is locked")
}

/// Where the database is.
pub(super) enum Target {
    /// A file.
    Sqlite(PathBuf),
    /// A server, with this connection string.
    Postgres(SecretString),
}

impl Target {
    pub(super) fn parse(url: &SecretString, timeout: Duration) -> Result<Self, StoreError> {
        let url = url.expose_secret();
        if let Some(path) = url.strip_prefix("sqlite://")
            && !path.is_empty()
        {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            if !is_readable(url) {
                return Err(StoreError::UnreadableUrl);
            }
            return Ok(Self::Postgres(with_parameters(url, timeout).into()));
        }
        Err(StoreError::Url)
    }
}

/// Adds to a PostgreSQL URL what bounds a wait on the network, and the program's name. What the operator wrote stays.
fn with_parameters(url: &str, timeout: Duration) -> String {
    let mut url = url.to_owned();
    let seconds = timeout.as_secs().max(2).to_string();
    let millis = timeout.as_millis().to_string();
    for (name, value) in [
        ("application_name", "waas-comuni"),
        ("connect_timeout", seconds.as_str()),
        ("tcp_user_timeout", millis.as_str()),
        // A machine that has gone without a word is found out while its answer is awaited.
        ("keepalives_idle", seconds.as_str()),
        ("keepalives_interval", "1"),
        ("keepalives_count", "3"),
    ] {
        let given = url.split_once('?').is_some_and(|(_, query)| {
            query.split('&').any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == name))
        });
        if !given {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(name);
            url.push('=');
            url.push_str(value);
        }
    }
    url
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// How long a connection that was in use is believed to be good, unless another one breaks.
const TRUSTED: Duration = Duration::from_secs(1);

/// How many pages the write-ahead log has before a commit copies it back, where no thread does. An import changes the
/// same pages of its indexes again and again: 16 MiB are copied back with fewer writes than four times 4 MiB.
pub(super) const COPIED_AT: i64 = 4096;

/// A connection in a pool.
pub(super) struct Pooled {
    inner: AnyConnection,
    used: Instant,
    /// How many connections of the pool had broken when it was last in use.
    broken: u64,
    /// How often the pool's server had fallen silent when it was opened.
    silences: u64,
}

impl Deref for Pooled {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

/// Opens connections for a pool.
///
/// The pool asks the server whether a connection is good before it hands it out, but not of one that was in use a moment
/// ago: the question is a round trip. What breaks one connection (a restart, a network) breaks others: once one is
/// found broken, all are asked again. What makes one silent for ever does so to others, which are not even asked: each
/// would keep its asker waiting, and there are more of them than may be written off.
pub(super) struct Manager {
    target: Target,
    access: Access,
    timeout: Duration,
    /// How many pages SQLite's write-ahead log has before a commit copies it back.
    copied_at: i64,
    /// How many connections were found broken.
    broken: AtomicU64,
    silences: Silences,
}

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = PoolError;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let silences = self.silences.load(Ordering::SeqCst);
        let broken = self.broken.load(Ordering::Relaxed);
        Ok(Pooled { inner: self.open()?, used: Instant::now(), broken, silences })
    }

    fn is_valid(&self, connection: &mut Pooled) -> Result<(), Self::Error> {
        if connection.silences != self.silences.load(Ordering::SeqCst) {
            let reason = "the server fell silent since this connection was opened";
            return Err(PoolError::ConnectionError(ConnectionError::BadConnection(reason.to_owned())));
        }
        if connection.used.elapsed() < TRUSTED && connection.broken == self.broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        connection.ping().map_err(|error| {
            self.broken.fetch_add(1, Ordering::Relaxed);
            PoolError::QueryError(error)
        })
    }

    fn has_broken(&self, connection: &mut Pooled) -> bool {
        if std::thread::panicking() || connection.is_broken() {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        connection.used = Instant::now();
        connection.broken = self.broken.load(Ordering::Relaxed);
        false
    }
}

impl Manager {
    pub(super) fn new(target: Target, access: Access, timeout: Duration) -> Self {
        Self {
            target,
            access,
            timeout,
            copied_at: COPIED_AT,
            broken: AtomicU64::new(0),
            silences: Silences::default(),
        }
    }

    /// Where its connections hear that the server fell silent.
    pub(super) fn silences(&self) -> Silences {
        Silences::clone(&self.silences)
    }

    /// The same, whose commits copy SQLite's write-ahead log back when it has so many pages.
    pub(super) fn copying_at(self, pages: i64) -> Self {
        Self { copied_at: pages, ..self }
    }

    /// Where the database is, if it is a file.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.target {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        }
    }

    /// A connection, as a pool opens one.
    pub(super) fn open(&self) -> Result<AnyConnection, PoolError> {
        let mut inner = self.establish().map_err(PoolError::ConnectionError)?;
        inner.batch_execute(&self.settings()).map_err(PoolError::QueryError)?;
        Ok(inner)
    }

    fn establish(&self) -> Result<AnyConnection, ConnectionError> {
        match &self.target {
            Target::Sqlite(path) => {
                let path = path.to_str().ok_or_else(|| {
                    ConnectionError::InvalidConnectionUrl("the path of the database is not UTF-8".to_owned())
                })?;
                SqliteConnection::establish(path).map(AnyConnection::Sqlite)
            }
            Target::Postgres(url) => {
                PgConnection::establish(url.expose_secret()).map(AnyConnection::Postgres)
            }
        }
    }

    /// The statements with which a connection begins.
    fn settings(&self) -> String {
        let millis = self.timeout.as_millis();
        match (&self.target, self.access) {
            // The time-out comes first: the other settings may have to wait for a lock themselves. A row that a trigger may
            // refuse is written with what it changes kept aside: in a file, unless `temp_store` says otherwise, to which
            // each entry of the log of calls then writes a dozen pages.
            (Target::Sqlite(_), Access::Write) => format!(
                "PRAGMA busy_timeout = {millis}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = {}; \
                 PRAGMA temp_store = MEMORY;",
                self.copied_at
            ),
            (Target::Sqlite(_), Access::Read) => {
                format!("PRAGMA busy_timeout = {millis}; PRAGMA query_only = ON;")
            }
            // A process that stops in the middle of a transaction must not keep its locks for ever. No statement runs for
            // so long that compiling it first would pay.
            (Target::Postgres(_), _) => format!(
                "SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {}; SET jit = off",
                millis.saturating_mul(4)
            ),
        }
    }

    /// A pool of at most `size` connections, opened when they are needed.
    pub(super) fn pool(self, size: u32) -> Pool<Self> {
        let timeout = self.timeout;
        let lifetime = match self.target {
            Target::Sqlite(_) => None,
            Target::Postgres(_) => Some(Duration::from_secs(30 * 60)),
        };
        Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .max_lifetime(lifetime)
            .idle_timeout(lifetime)
            .connection_timeout(timeout)
            .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
            .build_unchecked(self)
    }
}

/// Makes the folder and the file of a SQLite database, for their owner alone, where they are missing.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    create_folder_of(path)?;
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    Ok(())
}

/// Makes the folder in which a SQLite database shall be, for its owner alone, where it is missing.
pub(crate) fn create_folder_of(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| StoreError::File { path: folder.to_owned(), source })?;
    }
    Ok(())
}
