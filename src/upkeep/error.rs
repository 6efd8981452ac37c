//! Why a copy could not be made or brought back.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Why a copy could not be made or brought back.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something already where a file would be written.
    #[error("{path} is there already{1}", path = .0.display())]
    Exists(PathBuf, &'static str),
    /// The disk has too little room.
    #[error("{folder} has {free} MiB free, and the backup may take {needed} MiB", folder = .folder.display())]
    Room {
        /// Where.
        folder: PathBuf,
        /// How much there is.
        free: u64,
        /// How much there should be.
        needed: u64,
    },
    /// One of PostgreSQL's own programs is missing.
    #[error(
        "there is no {0} on this machine: install PostgreSQL's client programs (Debian, Ubuntu: postgresql-client), of \
         the server's version or a later one"
    )]
    NoProgram(&'static str),
    /// One of PostgreSQL's own programs failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// A backup is not what was written.
    #[error("{path} is not a whole backup: {what}", path = path.display())]
    NotWhole {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The database contradicts itself.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database into which a backup would be restored is not empty.
    #[error("{0}")]
    NotEmpty(String),
    /// Another process uses the database.
    #[error("another process uses {path}: stop the service first", path = .0.display())]
    InUse(PathBuf),
    /// A cursor that nobody can have.
    #[error("{0} lies more than an hour in the future: it would push the feed there for good")]
    Future(String),
}

impl UpkeepError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}
