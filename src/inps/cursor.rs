//! The cursor that outlives a run: a file with the instant of the last flow that was acquired.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::InpsError;

/// The cursor in the file at `path`, in milliseconds since the epoch; 0 where there is no file yet.
pub fn load(path: &Path) -> Result<u64, InpsError> {
    let failed = |source| InpsError::File { path: path.to_owned(), source };
    match std::fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|_| InpsError::Cursor(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(failed(error)),
    }
}

/// Puts `cursor` in the place of what the file at `path` holds: whenever the program dies, it holds the one or the
/// other, whole.
pub(super) fn save(path: &Path, cursor: u64) -> Result<(), InpsError> {
    let failed = |source| InpsError::File { path: path.to_owned(), source };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside).map_err(failed)?;
    writeln!(file, "{cursor}").and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}
