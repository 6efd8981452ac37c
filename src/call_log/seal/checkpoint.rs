//! Checkpoints (C2SP tlog-checkpoint): how many entries a log had, and the root of their tree.
//!
//! The origin of a log is `BASE/NAME`: what the operator calls this service, and the name of the e-service,
//! percent-encoded; no name for the calls outside all of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded::byte_serialize;

use super::note::{KeyError, Note, SigningKey};
use crate::call_log::tree::Hash;
use crate::config::Config;

/// The longest line of a file of checkpoints that is read, in bytes.
const LONGEST_LINE: u64 = 4096;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree of those entries.
    pub root: Hash,
}

/// The first part of the origins of this service's logs: `call_log.origin`, or else the host of `api.public_url`.
#[must_use]
pub fn base(config: &Config) -> String {
    let host = || url::Url::parse(config.api.public_url.as_deref()?).ok()?.host_str().map(str::to_owned);
    config.call_log.origin.clone().or_else(host).unwrap_or_else(|| "waas-comuni".to_owned())
}

/// The name of a log as its origin ends with it.
#[must_use]
pub fn suffix(eservice: Option<&str>) -> String {
    byte_serialize(eservice.unwrap_or_default().as_bytes()).collect::<String>().replace('+', "%20")
}

impl Checkpoint {
    /// Reads the text of a note; none if it is not a checkpoint.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let canonical = size == "0" || !size.starts_with(['0', '+']);
        let root = BASE64_STANDARD.decode(root).ok()?.try_into().ok()?;
        let size = size.parse().ok().filter(|_| canonical && !origin.is_empty())?;
        Some(Self { origin: origin.to_owned(), size, root })
    }

    /// The checkpoint as a note, signed under its origin.
    pub fn sign(&self, key: &SigningKey) -> Result<String, KeyError> {
        let text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64_STANDARD.encode(self.root));
        key.sign(&self.origin, &text)
    }

    /// The log that it is of, as [`suffix`] spells it.
    #[must_use]
    pub fn log(&self) -> &str {
        self.origin.rsplit_once('/').map_or(self.origin.as_str(), |(_, log)| log)
    }
}

/// A note as it stands somewhere.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where: a file and the number of the note's first line, or the database.
    pub place: String,
    /// The note, as it stands there.
    pub note: String,
}

impl Kept {
    /// What the note says and the note; none if it is no checkpoint.
    #[must_use]
    pub fn read(&self) -> Option<(Checkpoint, Note)> {
        let note = Note::read(&self.note)?;
        Some((Checkpoint::read(&note.text)?, note))
    }
}

/// Goes through a file of checkpoints: notes, each followed by an empty line.
pub fn each_in_file(path: &Path, mut found: impl FnMut(Kept)) -> std::io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut number, mut first, mut signed) = (0_u64, 1, false);
    let mut note = String::new();
    loop {
        let mut line = String::new();
        if (&mut file).take(LONGEST_LINE).read_line(&mut line)? == 0 {
            break;
        }
        number += 1;
        signed |= line.starts_with("— ");
        let ends = line == "\n" && signed;
        if !ends {
            note.push_str(&line);
        }
        // What is no note must not fill the memory.
        if ends || note.len() > 64 * 1024 {
            found(Kept {
                place: format!("{}, line {first}", path.display()),
                note: std::mem::take(&mut note),
            });
            (first, signed) = (number + 1, false);
        }
    }
    if !note.is_empty() {
        found(Kept { place: format!("{}, line {first}", path.display()), note });
    }
    Ok(())
}

/// The largest size of which a file has a checkpoint, by origin; nothing if the file is not there yet.
pub(super) fn largest_in_file(path: &Path) -> std::io::Result<BTreeMap<String, u64>> {
    let mut largest = BTreeMap::new();
    let read = each_in_file(path, |kept| {
        if let Some((checkpoint, _)) = kept.read() {
            let size = largest.entry(checkpoint.origin).or_default();
            *size = checkpoint.size.max(*size);
        }
    });
    match read {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(largest),
    }
}
