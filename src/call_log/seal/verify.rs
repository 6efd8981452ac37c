//! Whether a log still says what it said: every entry beside its hash, every checkpoint beside the tree.
//!
//! One pass over the leaves, in the memory of one page: the tree that grows on the way is compared with each checkpoint
//! when it has that checkpoint's size. A checkpoint that agrees with the tree vouches for every entry before it; two
//! that agree are consistent with each other.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::checkpoint::Kept;
use super::note::{PublicKey, Trust};
use super::pieces::Piece;
use crate::call_log::prune;
use crate::call_log::tree::{self, Frontier, Hash};

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Fault {
    /// An entry does not say what it said when it was written. The first such entry of its log.
    EntryChanged {
        /// Which.
        index: u64,
    },
    /// There is no entry at this place. What follows cannot be checked.
    EntryMissing {
        /// Where.
        index: u64,
    },
    /// There is an entry too many.
    EntryUnexpected {
        /// Where.
        index: u64,
    },
    /// This entry and those after it are from before the tree, and the first start has yet to hash them; or somebody
    /// wants it to look so.
    EntryUnhashed {
        /// Which.
        index: u64,
    },
    /// Entries are gone whose removal the log does not tell.
    EntriesGone {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The log has entries, and no head.
    HeadMissing,
    /// The head of the log is not that of its entries.
    HeadChanged {
        /// How many entries the head says that there are.
        size: u64,
        /// How many there are.
        entries: u64,
    },
    /// Something that stands among checkpoints is none.
    CheckpointUnreadable {
        /// Where.
        place: String,
    },
    /// None of the keys signed a checkpoint.
    CheckpointUnsigned {
        /// Where.
        place: String,
    },
    /// The signature of a checkpoint is wrong.
    CheckpointForged {
        /// Where.
        place: String,
    },
    /// The entries are not those that were signed. The first such checkpoint of its log.
    CheckpointContradicted {
        /// Where.
        place: String,
        /// The entries before this one are those that were signed.
        from: u64,
        /// How many entries the checkpoint is about: one of those from `from` on, and before this one, was changed.
        size: u64,
    },
    /// More entries were signed than there are.
    LogShortened {
        /// Where.
        place: String,
        /// How many were signed.
        size: u64,
        /// How many there are.
        entries: u64,
    },
    /// A checkpoint is about a log that is not here.
    LogUnknown {
        /// Where.
        place: String,
        /// What the log was called.
        origin: String,
    },
    /// The file of the checkpoints is gone, or empty.
    FileMissing {
        /// Which.
        place: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryChanged { index } => {
                write!(out, "entry {index} was changed: it does not say what it said when it was written")
            }
            Self::EntryMissing { index } => {
                write!(out, "entry {index} is missing; what follows it cannot be checked")
            }
            Self::EntryUnexpected { index } => {
                write!(out, "entry {index} is one too many: the log did not write it")
            }
            Self::EntryUnhashed { index } => write!(
                out,
                "from entry {index} on there are no hashes: if an earlier version wrote these entries, start the service"
            ),
            Self::EntriesGone { from, to } => write!(
                out,
                "entries {from} to {to} are gone, their hashes are kept, and the log does not say that they were removed"
            ),
            Self::HeadMissing => write!(out, "the head of the log is missing"),
            Self::HeadChanged { size, entries } => write!(
                out,
                "the head of the log, which says that there are {size} entries, is not that of the {entries} that are \
                 there"
            ),
            Self::CheckpointUnreadable { place } => write!(out, "{place}: this is not a checkpoint"),
            Self::CheckpointUnsigned { place } => write!(
                out,
                "{place}: none of the keys given signed this checkpoint; if the log had another key then, give it with \
                 --key"
            ),
            Self::CheckpointForged { place } => {
                write!(out, "{place}: the signature of this checkpoint is wrong")
            }
            Self::CheckpointContradicted { place, from, size } => {
                let last = size.saturating_sub(1);
                write!(
                    out,
                    "{place}: entries {from} to {last} are not those that were signed: one of them was changed, inserted \
                     or dropped, or they were written again"
                )
            }
            Self::LogShortened { place, size, entries } => write!(
                out,
                "{place}: {size} entries were signed and {entries} are here: from entry {entries} on the log was cut, \
                 or an old database was restored"
            ),
            Self::LogUnknown { place, origin } => write!(out, "{place}: there is no log {origin} here"),
            Self::FileMissing { place } => {
                write!(out, "{place} is missing or empty: the checkpoints that it had are gone")
            }
        }
    }
}

/// What was found of one log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogReport {
    /// The name of the e-service; none for the calls outside all of them.
    pub eservice: Option<String>,
    /// How many entries it has, with those that were removed.
    pub entries: u64,
    /// How many of them were removed.
    pub removed: u64,
    /// How many of them were changed.
    pub changed: u64,
    /// The root of their tree, in base64 as in a checkpoint.
    pub root: String,
    /// How many checkpoints agree with the tree.
    pub checkpoints: u64,
    /// How many checkpoints could not be compared, because something before them is wrong or was removed.
    pub not_compared: u64,
    /// How many entries the last checkpoint that agrees vouches for; those after it are not signed yet.
    pub signed: u64,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether signatures were checked: without a key nothing but the agreement of the log with itself can be.
    pub signatures: bool,
    /// Each log.
    pub logs: Vec<LogReport>,
    /// The logs that were signed and are not in the export, by their origins.
    pub not_exported: Vec<String>,
    /// What is wrong, and is not of one log.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.faults.is_empty() && self.logs.iter().all(|log| log.faults.is_empty())
    }
}

/// A checkpoint to compare with the tree.
struct Mark {
    size: u64,
    root: Hash,
    place: String,
    origin: String,
}

/// The checkpoints that may be believed, by log.
#[derive(Default)]
pub struct Marks {
    logs: BTreeMap<String, Vec<Mark>>,
    pub(super) faults: Vec<Fault>,
}

impl Marks {
    /// Takes a checkpoint, if one of `keys` signed it; without keys in any case.
    pub fn take(&mut self, kept: Kept, keys: &[PublicKey]) {
        let Some((checkpoint, note)) = kept.read() else {
            self.faults.push(Fault::CheckpointUnreadable { place: kept.place });
            return;
        };
        match note.trust(keys, &checkpoint.origin) {
            Trust::Forged => self.faults.push(Fault::CheckpointForged { place: kept.place }),
            Trust::Unknown if !keys.is_empty() => {
                self.faults.push(Fault::CheckpointUnsigned { place: kept.place });
            }
            _ => self.logs.entry(checkpoint.log().to_owned()).or_default().push(Mark {
                size: checkpoint.size,
                root: checkpoint.root,
                place: kept.place,
                origin: checkpoint.origin,
            }),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// The checkpoints of a log, the smallest last.
    fn of(&mut self, log: &str) -> Vec<Mark> {
        let mut marks = self.logs.remove(log).unwrap_or_default();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.size));
        marks
    }

    /// The first checkpoint of each log that was not asked for: where it stands, and what the log is called.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = (String, String)> {
        std::mem::take(&mut self.logs)
            .into_values()
            .filter_map(|marks| marks.into_iter().next())
            .map(|mark| (mark.place, mark.origin))
    }
}

/// A log whose leaves are being gone through.
pub struct LogCheck {
    report: LogReport,
    tree: Frontier,
    /// The smallest last.
    marks: Vec<Mark>,
    /// The tree is not that of the log: nothing can be compared with it.
    lost: bool,
    contradicted: bool,
    /// Up to which entry removals are told.
    told: Option<u64>,
    /// The first removal that does not begin where the one before ended: what is between.
    untold: Option<(u64, u64)>,
}

impl LogCheck {
    /// A log before its first leaf. `log` is its name as origins spell it.
    #[must_use]
    pub fn new(eservice: Option<&str>, log: &str, marks: &mut Marks) -> Self {
        let mut check = Self {
            report: LogReport {
                eservice: eservice.map(str::to_owned),
                entries: 0,
                removed: 0,
                changed: 0,
                root: String::new(),
                checkpoints: 0,
                not_compared: 0,
                signed: 0,
                faults: Vec::new(),
            },
            tree: Frontier::default(),
            marks: marks.of(log),
            lost: false,
            contradicted: false,
            told: None,
            untold: None,
        };
        check.compare();
        check
    }

    /// Takes the next leaves. Returns whether the rest can still be checked.
    pub fn take(&mut self, piece: &Piece) -> bool {
        if self.lost {
            return false;
        }
        let next = self.tree.size();
        if piece.first() != next {
            self.fault(if piece.first() > next {
                Fault::EntryMissing { index: next }
            } else {
                Fault::EntryUnexpected { index: piece.first() }
            });
            self.lost = true;
            return false;
        }
        match piece {
            Piece::Entry { index, line, hash } => {
                let said = line.as_ref().map(|line| tree::leaf(line.as_bytes()));
                let kept: Option<Hash> = hash.as_deref().and_then(|hash| hash.try_into().ok());
                if said.is_none() || hash.as_ref().is_some_and(|_| kept != said) {
                    if self.report.changed == 0 {
                        self.fault(Fault::EntryChanged { index: *index });
                    }
                    self.report.changed += 1;
                }
                let Some(leaf) = kept.or(said) else {
                    self.lost = true;
                    return false;
                };
                self.tree.push(leaf);
                if let Some((from, to)) = line.as_deref().and_then(prune::told) {
                    let before = self.told.replace(to.saturating_add(1)).unwrap_or(from);
                    if before < from && self.untold.is_none() {
                        self.untold = Some((before, from - 1));
                    }
                }
            }
            Piece::Removed { level, root, .. } => {
                if !self.tree.push_tree(*level, *root) {
                    self.fault(Fault::EntryUnexpected { index: next });
                    self.lost = true;
                    return false;
                }
                self.report.removed += self.tree.size() - next;
            }
        }
        self.compare();
        true
    }

    fn fault(&mut self, fault: Fault) {
        self.report.faults.push(fault);
    }

    /// Compares the tree with the checkpoints of its size.
    fn compare(&mut self) {
        while let Some(mark) = self.marks.pop_if(|mark| mark.size <= self.tree.size()) {
            // A tree that was removed whole has grown over this size; and what follows a contradiction contradicts as
            // well.
            if mark.size < self.tree.size() || self.contradicted {
                self.report.not_compared += 1;
            } else if mark.root == self.tree.root() {
                self.report.checkpoints += 1;
                self.report.signed = mark.size;
            } else {
                self.contradicted = true;
                let (place, from, size) = (mark.place, self.report.signed, mark.size);
                self.fault(Fault::CheckpointContradicted { place, from, size });
            }
        }
    }

    /// Compares the tree with the head of the log: how many entries there should be, how many are in the tree, and its
    /// frontier; none if there is no head. `behind` is an entry behind the last that there should be, and `gone` are as
    /// many as were no longer there before the head was read: the log below it tells of them.
    pub fn head(&mut self, head: Option<(u64, u64, Vec<u8>)>, behind: Option<u64>, gone: Option<u64>) {
        let gone = gone.unwrap_or(self.report.removed);
        let told = self.told.unwrap_or(0);
        let rest = (told < gone).then(|| (told, gone.saturating_sub(1)));
        if let Some((from, to)) = self.untold.or(rest).filter(|_| !self.lost) {
            self.fault(Fault::EntriesGone { from, to });
        }
        let Some((size, hashed, frontier)) = head else {
            self.fault(Fault::HeadMissing);
            return;
        };
        let entries = self.tree.size();
        if !self.lost {
            if entries < hashed {
                self.fault(Fault::EntryMissing { index: entries });
            } else if frontier != self.tree.bytes() || hashed > size {
                self.fault(Fault::HeadChanged { size, entries });
            } else if hashed < size {
                self.fault(Fault::EntryUnhashed { index: hashed });
            }
        }
        if let Some(index) = behind {
            self.fault(Fault::EntryUnexpected { index });
        }
    }

    /// The log behind its last leaf.
    #[must_use]
    pub fn finish(mut self) -> LogReport {
        let entries = self.tree.size();
        if self.lost || self.contradicted {
            self.report.not_compared += u64::try_from(self.marks.len()).unwrap_or(u64::MAX);
        } else if let Some(mark) = self.marks.pop() {
            self.report.not_compared += u64::try_from(self.marks.len()).unwrap_or(u64::MAX);
            self.fault(Fault::LogShortened { place: mark.place, size: mark.size, entries });
        }
        self.report.entries = entries;
        self.report.root = BASE64_STANDARD.encode(self.tree.root());
        self.report
    }
}
