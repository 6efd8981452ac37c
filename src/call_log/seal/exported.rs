//! The logs of an export in JSON lines: their leaves, and whether they are what was signed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkpoint::{each_in_file, suffix};
use super::note::PublicKey;
use super::pieces::Piece;
use super::proof::{Proof, ProofError, Prover};
use super::verify::{LogCheck, Marks, Report};
use crate::call_log::tree::Hash;

/// The longest line of an export, in bytes: an entry's texts are bounded, and so is their escaping.
const LONGEST_LINE: u64 = 256 * 1024;

/// How many entries of an export may stand before one that comes earlier in its log: calls are logged as they are
/// answered, and exported as they came.
const OUT_OF_ORDER: usize = 100_000;

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportReadError {
    /// A file.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line.
    #[error("{path}, line {line}: neither an entry nor the hash of entries that were removed", path = path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
    },
    /// There is no line.
    #[error("there is no entry in the export")]
    Empty,
}

/// What a verifier has to know of an entry's line.
#[derive(Deserialize)]
struct EntryLine {
    index: u64,
    eservice: Option<String>,
}

/// The line of an export in the place of 2^`level` entries that were removed.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemovedLine {
    /// The place of the first in the log.
    pub index: u64,
    /// The name of the e-service; null for the calls outside all of them.
    pub eservice: Option<String>,
    /// How many, as a power of two.
    pub level: u32,
    /// The root of their tree, in hexadecimal digits.
    pub removed: String,
}

/// Goes through the leaves of an export in JSON lines, those of each log in their order, with the name of the log.
///
/// Leaves that are missing are passed over.
pub fn each_exported(
    files: &[PathBuf],
    mut found: impl FnMut(Option<&str>, Piece),
) -> Result<(), ExportReadError> {
    let mut logs: HashMap<Option<String>, Ordered> = HashMap::new();
    for path in files {
        each_line(path, |log, piece| {
            let known = logs.entry(log).or_insert_with_key(|log| Ordered::new(log.clone()));
            known.take(piece, &mut found);
        })?;
    }
    for (_, log) in logs {
        log.finish(&mut found);
    }
    Ok(())
}

fn each_line(path: &Path, mut found: impl FnMut(Option<String>, Piece)) -> Result<(), ExportReadError> {
    let failed = |source| ExportReadError::File { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(failed)?);
    let mut number = 0;
    loop {
        let mut line = String::new();
        if (&mut file).take(LONGEST_LINE).read_line(&mut line).map_err(failed)? == 0 {
            return Ok(());
        }
        number += 1;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let (log, piece) =
            read(line).ok_or_else(|| ExportReadError::Line { path: path.to_owned(), line: number })?;
        found(log, piece);
    }
}

fn read(line: &str) -> Option<(Option<String>, Piece)> {
    if let Ok(removed) = serde_json::from_str::<RemovedLine>(line) {
        let root = decode_hex(&removed.removed)?;
        return Some((removed.eservice, Piece::Removed { first: removed.index, level: removed.level, root }));
    }
    let EntryLine { index, eservice } = serde_json::from_str(line).ok()?;
    Some((eservice, Piece::Entry { index, line: Some(line.to_owned()), hash: None }))
}

fn decode_hex(text: &str) -> Option<Hash> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| rest.is_empty())?.try_into().ok()
}

/// Puts the leaves of a log into their order.
struct Ordered {
    log: Option<String>,
    next: u64,
    /// By their first leaf, and in the order in which they came.
    waiting: BTreeMap<(u64, u64), Piece>,
    taken: u64,
}

impl Ordered {
    fn new(log: Option<String>) -> Self {
        Self { log, next: 0, waiting: BTreeMap::new(), taken: 0 }
    }

    fn take(&mut self, piece: Piece, found: &mut impl FnMut(Option<&str>, Piece)) {
        self.taken += 1;
        self.waiting.insert((piece.first(), self.taken), piece);
        while let Some(entry) = self.waiting.first_entry()
            && (entry.key().0 <= self.next || self.waiting.len() > OUT_OF_ORDER)
        {
            let Some((_, piece)) = self.waiting.pop_first() else { break };
            self.next = piece.end();
            found(self.log.as_deref(), piece);
        }
    }

    fn finish(self, found: &mut impl FnMut(Option<&str>, Piece)) {
        for piece in self.waiting.into_values() {
            found(self.log.as_deref(), piece);
        }
    }
}

/// Checks the logs of an export with the checkpoints in `files`. What is not in the export is not looked for.
pub fn verify(export: &[PathBuf], files: &[PathBuf], keys: &[PublicKey]) -> Result<Report, ExportReadError> {
    let mut marks = Marks::default();
    for path in files {
        each_in_file(path, |kept| marks.take(kept, keys))
            .map_err(|source| ExportReadError::File { path: path.clone(), source })?;
    }
    let mut checks: BTreeMap<Option<String>, LogCheck> = BTreeMap::new();
    each_exported(export, |log, piece| {
        let check = checks
            .entry(log.map(str::to_owned))
            .or_insert_with(|| LogCheck::new(log, &suffix(log), &mut marks));
        check.take(&piece);
    })?;
    if checks.is_empty() {
        return Err(ExportReadError::Empty);
    }
    Ok(Report {
        signatures: !keys.is_empty(),
        logs: checks.into_values().map(LogCheck::finish).collect(),
        not_exported: marks.rest().map(|(_, origin)| origin).collect(),
        faults: marks.faults,
    })
}

/// Proves that the entry at `index` of a log in an export is in the first of the checkpoints in `files` that covers it.
pub fn prove(
    export: &[PathBuf],
    files: &[PathBuf],
    eservice: Option<&str>,
    index: u64,
) -> Result<Result<Proof, ProofError>, ExportReadError> {
    let mut covering: Option<(u64, String)> = None;
    for path in files {
        each_in_file(path, |kept| {
            if let Some((checkpoint, _)) = kept.read()
                && checkpoint.log() == suffix(eservice)
                && checkpoint.size > index
                && covering.as_ref().is_none_or(|(size, _)| checkpoint.size < *size)
            {
                covering = Some((checkpoint.size, kept.note));
            }
        })
        .map_err(|source| ExportReadError::File { path: path.clone(), source })?;
    }
    let prover = covering.ok_or(ProofError::NotCovered).and_then(|(_, note)| Prover::new(index, note));
    let mut prover = match prover {
        Ok(prover) => prover,
        Err(error) => return Ok(Err(error)),
    };
    each_exported(export, |log, piece| {
        if log == eservice {
            prover.take(piece);
        }
    })?;
    Ok(prover.finish())
}

/// The log and the index of the entry with this `X-Request-Id`.
pub fn find(export: &[PathBuf], request_id: &str) -> Result<Option<(Option<String>, u64)>, ExportReadError> {
    #[derive(Deserialize)]
    struct Line<'a> {
        request_id: Cow<'a, str>,
    }
    let mut found = None;
    for path in export {
        each_line(path, |log, piece| {
            if let Piece::Entry { index, line: Some(line), .. } = piece
                && serde_json::from_str::<Line<'_>>(&line).is_ok_and(|line| line.request_id == request_id)
            {
                found = Some((log, index));
            }
        })?;
    }
    Ok(found)
}
