//! The register of calls: without gaps, and an entry for whatever a caller was answered.

use std::collections::HashMap;

use super::Trouble;
use super::connection::{Logged, Open};

/// Entries that are read at once.
const PAGE: usize = 20_000;

/// The entries so far.
#[derive(Default)]
pub(super) struct Log {
    size: i64,
    /// Entries of which nobody has told yet, by request.
    untold: HashMap<String, Logged>,
}

impl Log {
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.size).unwrap()
    }

    /// Takes note of the entries since the last look, which must follow those that were known.
    pub(super) fn look(&mut self, open: &mut Open, eservice: i64) -> Result<(), Trouble> {
        loop {
            let entries: Vec<Logged> = open.load(&format!(
                "SELECT entry_index, request_id, CAST(status AS BIGINT) AS status, first_ts, last_ts, item_count FROM \
                 call_entry WHERE log_id = {eservice} AND entry_index >= {} ORDER BY entry_index LIMIT {PAGE}",
                self.size
            ))?;
            let count = entries.len();
            for entry in entries {
                if entry.entry_index != self.size {
                    let what =
                        format!("entry {} of the log follows entry {}", entry.entry_index, self.size - 1);
                    return Err(Trouble::Violation(what));
                }
                self.size += 1;
                // The entry of a refusal for want of the log stands beside that of what was about to be answered.
                if entry.status != 503 {
                    self.untold.insert(entry.request_id.clone(), entry);
                }
            }
            if count < PAGE {
                return Ok(());
            }
        }
    }

    /// Whether a call was logged with this answer, which disclosed or took so many.
    pub(super) fn has(
        &mut self,
        request_id: &str,
        status: i64,
        count: usize,
        ends: Option<(i64, i64)>,
    ) -> Result<(), String> {
        let Some(entry) = self.untold.remove(request_id) else {
            return Err(format!("the call {request_id} was answered {status} and is not in the log"));
        };
        let logged = (entry.status, entry.item_count, entry.first_ts.zip(entry.last_ts));
        if logged != (status, i64::try_from(count).ok(), ends) {
            return Err(format!(
                "the call {request_id} was answered {status}, with {count}, and is logged as {logged:?}"
            ));
        }
        Ok(())
    }

    /// Whether a call of vendors' software that was answered 200 was logged.
    pub(super) fn has_call(&mut self, request_id: &str) -> Result<(), String> {
        match self.untold.remove(request_id) {
            Some(entry) if entry.status == 200 => Ok(()),
            Some(entry) => {
                Err(format!("the call {request_id} was answered 200 and is logged as {}", entry.status))
            }
            None => Err(format!("the call {request_id} was answered 200 and is not in the log")),
        }
    }

    /// Whether the log is as long as it says.
    pub(super) fn compare(&self, open: &mut Open, eservice: i64) -> Result<(), Trouble> {
        let head =
            open.number(&format!("SELECT size AS number FROM call_log_head WHERE log_id = {eservice}"))?;
        let count =
            open.number(&format!("SELECT count(*) AS number FROM call_entry WHERE log_id = {eservice}"))?;
        if (head, count) != (self.size, self.size) {
            let what = format!("the log says that it has {head} entries, has {count}, and had {}", self.size);
            return Err(Trouble::Violation(what));
        }
        Ok(())
    }
}
