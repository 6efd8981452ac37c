//! That one entry is among those that a checkpoint signed: a text that says so, and needs nothing else to be checked
//! but the public key (C2SP tlog-proof, the entry's line as its extra data).

use std::ops::Range;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::checkpoint::{Checkpoint, Kept};
use super::note::{PublicKey, Trust};
use super::pieces::Piece;
use crate::call_log::tree::{self, Frontier, Hash};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why an entry is not proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint is about fewer entries.
    #[error(
        "the checkpoint does not cover this entry yet: `waas-comuni calls checkpoint` writes one that does"
    )]
    NotCovered,
    /// The entry is not there any longer.
    #[error("the entry is not in the log: it never was, or it was removed")]
    Missing,
    /// What else is needed is not there.
    #[error("some entries before the checkpoint are missing: `waas-comuni calls verify` says which")]
    Incomplete,
    /// More of the log must be read than was allowed.
    #[error("the checkpoints around this entry are too far from each other")]
    TooFar,
    /// The log is not what was signed.
    #[error("the log is not the one that was signed: `waas-comuni calls verify` says where it differs")]
    Contradicted,
    /// The text has not the form of a proof.
    #[error("this is not a proof of an entry")]
    Unreadable,
    /// None of the keys signed the checkpoint.
    #[error("none of the keys given signed the checkpoint")]
    Unsigned,
    /// The signature of the checkpoint is wrong.
    #[error("the signature of the checkpoint is wrong")]
    Forged,
}

/// A proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The place of the entry in its log.
    pub index: u64,
    /// What the entry says.
    pub line: String,
    /// The roots of what is beside the entry in the tree, from its neighbour upwards.
    hashes: Vec<Hash>,
    /// The checkpoint.
    note: String,
}

impl Proof {
    /// The proof as a text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text =
            format!("{HEADER}\nextra {}\nindex {}\n", BASE64_STANDARD.encode(&self.line), self.index);
        for hash in &self.hashes {
            text.push_str(&BASE64_STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.note);
        text
    }

    /// Reads the text of a proof.
    pub fn read(text: &str) -> Result<Self, ProofError> {
        Self::parts(text).ok_or(ProofError::Unreadable)
    }

    fn parts(text: &str) -> Option<Self> {
        let (proof, note) = text.split_once("\n\n")?;
        let mut lines = proof.split('\n');
        lines.next().filter(|header| *header == HEADER)?;
        let line = BASE64_STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
        let index = lines.next()?.strip_prefix("index ")?.parse().ok()?;
        let hash = |line| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
        let hashes = lines.map(hash).collect::<Option<_>>()?;
        Some(Self { index, line: String::from_utf8(line).ok()?, hashes, note: note.to_owned() })
    }

    /// Whether the entry is among those that the checkpoint signed with one of `keys`; gives the checkpoint.
    pub fn check(&self, keys: &[PublicKey]) -> Result<Checkpoint, ProofError> {
        let kept = Kept { place: String::new(), note: self.note.clone() };
        let (checkpoint, note) = kept.read().ok_or(ProofError::Unreadable)?;
        match note.trust(keys, &checkpoint.origin) {
            Trust::Forged => Err(ProofError::Forged),
            Trust::Unknown => Err(ProofError::Unsigned),
            Trust::Signed if self.agrees_with(&checkpoint) => Ok(checkpoint),
            Trust::Signed => Err(ProofError::Contradicted),
        }
    }

    fn agrees_with(&self, checkpoint: &Checkpoint) -> bool {
        let leaf = tree::leaf(self.line.as_bytes());
        tree::root_from_inclusion(leaf, self.index, checkpoint.size, &self.hashes) == Some(checkpoint.root)
    }
}

/// Makes a proof while the leaves of the log go by.
pub struct Prover {
    index: u64,
    checkpoint: Checkpoint,
    note: String,
    line: Option<String>,
    /// What is beside the entry, in the order of the proof.
    beside: Vec<(Range<u64>, Frontier)>,
}

impl Prover {
    /// For the entry at `index`, in the tree of the checkpoint in `note`.
    pub fn new(index: u64, note: String) -> Result<Self, ProofError> {
        let kept = Kept { place: String::new(), note };
        let (checkpoint, _) = kept.read().ok_or(ProofError::Unreadable)?;
        let ranges = tree::inclusion(index, checkpoint.size).ok_or(ProofError::NotCovered)?;
        let beside = ranges.into_iter().map(|range| (range, Frontier::default())).collect();
        Ok(Self { index, checkpoint, note: kept.note, line: None, beside })
    }

    /// How many leaves it needs.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Takes the next leaves; what is out of place is missed when the proof is made.
    pub fn take(&mut self, piece: Piece) {
        let first = piece.first();
        match (self.beside.iter_mut().find(|(range, _)| range.contains(&first)), piece) {
            (None, Piece::Entry { line, .. }) if first == self.index => self.line = line,
            (Some((range, tree)), Piece::Entry { line, hash, .. }) if range.start + tree.size() == first => {
                let kept = hash.and_then(|hash| hash.try_into().ok());
                if let Some(leaf) = kept.or_else(|| Some(tree::leaf(line?.as_bytes()))) {
                    tree.push(leaf);
                }
            }
            (Some((range, tree)), Piece::Removed { level, root, .. })
                if range.start + tree.size() == first =>
            {
                // What does not fit is missed as well.
                let _ = tree.push_tree(level, root);
            }
            _ => {}
        }
    }

    /// The proof, which holds.
    pub fn finish(self) -> Result<Proof, ProofError> {
        let line = self.line.ok_or(ProofError::Missing)?;
        if self.beside.iter().any(|(range, tree)| tree.size() != range.end - range.start) {
            return Err(ProofError::Incomplete);
        }
        let hashes = self.beside.iter().map(|(_, tree)| tree.root()).collect();
        let proof = Proof { index: self.index, line, hashes, note: self.note };
        if proof.agrees_with(&self.checkpoint) { Ok(proof) } else { Err(ProofError::Contradicted) }
    }
}
