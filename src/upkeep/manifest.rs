//! What stands beside a backup: how to recognise it whole, and what it holds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::digest::{Partial, digest, with_suffix};
use super::{Contents, UpkeepError};

/// The form of this manifest.
const FORMAT: u32 = 1;

/// The longest manifest that is read, in bytes: that of some tens of thousands of e-services.
const LONGEST: u64 = 16 << 20;

/// What is said of a backup in the file of its name with `.json` after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest: 1.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When: what was written to the database later is not in the backup.
    pub made: Timestamp,
    /// `sqlite` or `postgresql`.
    pub engine: String,
    /// The migrations in force, oldest first.
    pub schema: Vec<String>,
    /// What the backup holds.
    pub contents: Contents,
    /// Length of the backup, in bytes.
    pub bytes: u64,
    /// SHA-256 of the backup, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Where the manifest of `backup` is.
    #[must_use]
    pub fn path(backup: &Path) -> PathBuf {
        with_suffix(backup, ".json")
    }

    /// That of the finished file at `path`.
    pub(super) fn of(
        path: &Path,
        engine: &str,
        made: Timestamp,
        schema: Vec<String>,
        contents: Contents,
    ) -> Result<Self, UpkeepError> {
        let (bytes, sha256) = digest(path)?;
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { format: FORMAT, program, made, engine: engine.to_owned(), schema, contents, bytes, sha256 })
    }

    /// Writes it beside `backup`.
    pub(super) fn write(&self, backup: &Path) -> Result<(), UpkeepError> {
        let path = Self::path(backup);
        let partial = Partial::beside(&path, ".partial")?;
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::from);
        text.and_then(|text| {
            fs::OpenOptions::new().write(true).open(partial.path())?.write_all(format!("{text}\n").as_bytes())
        })
        .map_err(UpkeepError::file(partial.path()))?;
        partial.finish(&path)
    }

    /// That of `backup`.
    pub fn read(backup: &Path) -> Result<Self, UpkeepError> {
        let path = Self::path(backup);
        let length = fs::metadata(&path).map_err(UpkeepError::file(&path))?.len();
        let wrong = |what: String| UpkeepError::NotWhole { path: path.clone(), what };
        if length > LONGEST {
            return Err(wrong(format!("it has {length} bytes")));
        }
        let text = fs::read_to_string(&path).map_err(UpkeepError::file(&path))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if manifest.format == FORMAT {
            Ok(manifest)
        } else {
            Err(wrong(format!("its form is {}, which this program does not know", manifest.format)))
        }
    }

    /// Checks that a copy has the backup's length and digest.
    pub(super) fn recognise(&self, path: &Path, (bytes, sha256): &(u64, String)) -> Result<(), UpkeepError> {
        if *bytes == self.bytes && *sha256 == self.sha256 {
            return Ok(());
        }
        let what = format!("its manifest says {} bytes with SHA-256 {}", self.bytes, self.sha256);
        Err(UpkeepError::NotWhole {
            path: path.to_owned(),
            what: format!("{what}; it has {bytes} with {sha256}"),
        })
    }

    /// Checks that a database that was made of the backup holds what the backup held.
    pub(super) fn compare(&self, path: &Path, found: &Contents) -> Result<(), UpkeepError> {
        if *found == self.contents {
            return Ok(());
        }
        let what = "the database made of it does not hold what its manifest says".to_owned();
        Err(UpkeepError::NotWhole { path: path.to_owned(), what })
    }
}
