//! The leaves of a log, as a verifier goes through them.
//!
//! A leaf is an entry, or the hash of one that is no longer there. Whatever takes entries away keeps the roots of the
//! perfect trees that they were, as small or as large as it likes, and [`Piece::Removed`] stands in the place of their
//! entries: [`each_stored`](super::stored::each_stored) gives it for the database, a
//! [`RemovedLine`](super::exported::RemovedLine) is its line in an export. A checkpoint whose size falls within such a
//! tree can no longer be compared, so trees should not reach over one.

use crate::call_log::tree::Hash;

/// What is known of the next leaves of a log.
#[derive(Clone, Debug)]
pub enum Piece {
    /// An entry.
    Entry {
        /// Its place in the log.
        index: u64,
        /// What it says, as an export says it; none if nobody can have written that.
        line: Option<String>,
        /// What stands beside it as its hash; none in an export.
        hash: Option<Vec<u8>>,
    },
    /// The 2^`level` entries from `first` on, which were removed.
    Removed {
        /// The place of the first in the log.
        first: u64,
        /// How many there were, as a power of two.
        level: u32,
        /// The root of their tree.
        root: Hash,
    },
}

impl Piece {
    /// The place in the log of its first leaf.
    #[must_use]
    pub fn first(&self) -> u64 {
        match self {
            Self::Entry { index, .. } => *index,
            Self::Removed { first, .. } => *first,
        }
    }

    /// The hash that is kept of it, if there is one.
    pub(super) fn hash(&self) -> Option<Hash> {
        match self {
            Self::Entry { hash, .. } => hash.as_deref()?.try_into().ok(),
            Self::Removed { root, .. } => Some(*root),
        }
    }

    /// The place behind its last leaf.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Entry { index, .. } => index.saturating_add(1),
            Self::Removed { first, level, .. } => {
                first.saturating_add(1_u64.checked_shl(*level).unwrap_or(u64::MAX))
            }
        }
    }
}
