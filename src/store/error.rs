//! Why the store could not do what was asked, told apart by what the caller can do about it.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error};

use super::losses::Loss;
use crate::payload::PayloadError;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be used at present: no connection, a time-out, a lock not obtained, no room on the disk.
    /// Trying later may succeed.
    #[error("the database cannot be used at present: {0}")]
    Unavailable(String),
    /// The database refused a statement, or gave back what was not asked: trying again would not help.
    #[error("the database refused a statement: {0}")]
    Query(#[source] Error),
    /// `database.url` names no database that this program knows.
    #[error("database.url must begin with sqlite:// or postgres://")]
    Url,
    /// The parts of a server's address cannot be told apart. It is not repeated: it may hold a password.
    #[error(
        "the user, password, host and port of the database's address cannot be told apart: in a name or password write \
         %40 for @, %3A for :, %2F for /, %3F for ?, %25 for %"
    )]
    UnreadableUrl,
    /// SQLite cannot make sense of its file: trying again would not help.
    #[error(
        "the database file is damaged, or is no database at all: bring back a backup (docs/backup.md): {0}"
    )]
    Damaged(String),
    /// The folder or the file of the database cannot be made, or not be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer version of this program has changed the tables.
    #[error(
        "the database has migration {unknown}, which this program does not know: use the newer version that made it. To \
         go back to this program, let the newer one say `db migrate --to {newest}`"
    )]
    NewerSchema {
        /// A version that was run.
        unknown: String,
        /// The last version that this program carries.
        newest: String,
    },
    /// There is no such migration.
    #[error("there is no migration {asked:?}, only 0000 (none), {}", known.join(", "))]
    UnknownMigration {
        /// What was asked for.
        asked: String,
        /// The versions that this program carries.
        known: Vec<String>,
    },
    /// Undoing migrations would lose data, which nobody has accepted; nothing was done.
    #[error("this would be lost for ever: {}", .0.iter().map(Loss::to_string).collect::<Vec<_>>().join(", "))]
    Loss(Vec<Loss>),
    /// Tables are to be changed, which are another role's.
    #[error(
        "the database lacks the migrations {}, which the role of this program may not run: let the owner of the tables say \
         `waas-comuni db migrate`", .0.join(", ")
    )]
    NotOwner(Vec<String>),
    /// A migration failed; nothing of it was kept.
    #[error("migration failed: {0}")]
    Migration(String),
    /// The tables hold what this program cannot have written.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
}

impl StoreError {
    /// Whether trying later may succeed.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// The state of a database that says this of itself.
    fn of_a_state(said: &str) -> Self {
        /// What SQLite says of a file that is damaged, or was never its own.
        const DAMAGED: [&str; 3] =
            ["database disk image is malformed", "malformed database schema", "file is not a database"];
        // libpq says some things in several lines.
        let said_once = said.split_whitespace().collect::<Vec<_>>().join(" ");
        if DAMAGED.iter().any(|words| said.contains(words)) {
            Self::Damaged(said_once)
        } else {
            Self::Unavailable(said_once)
        }
    }
}

impl From<Error> for StoreError {
    /// A violated constraint is a mistake of the statement. Whatever else a database reports (time-outs, a full disk,
    /// a shutdown, a deadlock) is a state of the database: neither diesel nor a server that speaks its
    /// administrator's language lets them be told apart further.
    fn from(error: Error) -> Self {
        use DatabaseErrorKind as Kind;
        match error {
            Error::DatabaseError(
                Kind::UniqueViolation
                | Kind::ForeignKeyViolation
                | Kind::NotNullViolation
                | Kind::CheckViolation
                | Kind::RestrictViolation
                | Kind::ExclusionViolation,
                _,
            ) => Self::Query(error),
            Error::DatabaseError(_, _)
            | Error::BrokenTransactionManager
            | Error::RollbackErrorOnCommit { .. } => Self::of_a_state(&error.to_string()),
            _ => Self::Query(error),
        }
    }
}

impl From<PayloadError> for StoreError {
    fn from(error: PayloadError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl From<diesel::r2d2::PoolError> for StoreError {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        Self::of_a_state(&error.to_string())
    }
}
