//! Finds the records of one source that speak of the same benefit and say different things.
//!
//! Some thirty bytes for each benefit of the source are kept, whatever the record's size.

use std::collections::HashMap;

use crate::siuss::described::Fingerprint;
use crate::siuss::record::TipoOperazione;
use crate::siuss::rules::{self, Rulebook};

use super::Taken;

/// The benefits of a source so far. A part of a fingerprint stands for what it is of: two benefits that share one by
/// accident (one in tens of millions of files) cost a needless warning.
#[derive(Default)]
pub(super) struct Seen {
    benefits: HashMap<u64, Mention>,
}

/// What the source said of a benefit, and on which line.
struct Mention {
    content: u32,
    line: u32,
}

impl Seen {
    /// The same record, with a warning if an earlier one contradicts it.
    pub(super) fn look(&mut self, mut taken: Taken, rulebook: &Rulebook) -> Taken {
        let mut notices = Vec::new();
        let line = u32::try_from(taken.line).unwrap_or(u32::MAX);
        for record in &taken.records {
            let key = leading(record.key());
            if record.operazione() == TipoOperazione::Cancellazione {
                // What follows a withdrawal replaces what was withdrawn, and contradicts nothing.
                self.benefits.remove(&key);
                continue;
            }
            let content = u32::try_from(leading(record.digest()) >> 32).unwrap_or_default();
            match self.benefits.insert(key, Mention { content, line }) {
                Some(earlier) if earlier.content != content && notices.is_empty() => {
                    notices.push(rules::repeated(record, u64::from(earlier.line)));
                }
                _ => {}
            }
        }
        rulebook.severities.weigh(&mut notices);
        taken.notices.extend(notices);
        if taken.is_refused() {
            taken.records.clear();
        }
        taken
    }
}

/// The first half of a fingerprint.
fn leading(fingerprint: Fingerprint) -> u64 {
    fingerprint.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
