//! Files as a whole: their digest, and writing them so that they are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use openssl::sha::Sha256;

use super::UpkeepError;
use crate::call_log::hex;

/// How many bytes are held at a time.
const CHUNK: usize = 1 << 16;

/// The length of a file and its SHA-256 in hexadecimal digits.
pub(super) fn digest(path: &Path) -> Result<(u64, String), UpkeepError> {
    let mut file = File::open(path).map_err(UpkeepError::file(path))?;
    copy(&mut file, &mut std::io::sink()).map_err(UpkeepError::file(path))
}

/// Copies to the end; gives the length and the SHA-256 of what was copied.
pub(super) fn copy(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut length: u64 = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok((length, hex(&hash.finish())));
        };
        hash.update(read);
        to.write_all(read)?;
        length = length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// A file that is not finished: readable by its owner alone, and gone unless it is finished.
pub(super) struct Partial {
    path: PathBuf,
}

impl Partial {
    /// An empty file beside `target`, with `suffix` after its name.
    pub(super) fn beside(target: &Path, suffix: &str) -> Result<Self, UpkeepError> {
        let path = with_suffix(target, suffix);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => Ok(Self { path }),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(UpkeepError::Exists(
                path,
                ": another command is writing it, or was interrupted; in that case remove it",
            )),
            Err(error) => Err(UpkeepError::file(&path)(error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, once it is on the disk.
    pub(super) fn finish(self, target: &Path) -> Result<(), UpkeepError> {
        let failed = || UpkeepError::file(target);
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(failed())?;
        fs::rename(&self.path, target).map_err(failed())?;
        File::open(folder(target)).and_then(|folder| folder.sync_all()).map_err(failed())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // Once it is finished there is nothing to remove.
            let _ = fs::remove_file(with_suffix(&self.path, suffix));
        }
    }
}

/// `path` with `suffix` after its last name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder in which `path` is.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
