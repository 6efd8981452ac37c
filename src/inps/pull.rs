//! The pull: page after page along the cursor, as INPS does it, and the first and last page once more.

use serde_json::Value;

use super::check::Check;
use super::entry::{digest, instant};
use super::esiti::Deliveries;
use super::judge::Judge;
use super::session::Session;
use super::{InpsError, cursor};
use crate::clock::Clock;

/// How far a pull came.
#[derive(Debug)]
pub(super) struct Pull {
    /// The cursor after the last flow, in milliseconds since the epoch.
    pub(super) cursor: u64,
    /// Pages with flows.
    pub(super) pages: u64,
    /// Whether the list became empty.
    pub(super) complete: bool,
    /// Digests of the entries of the first page.
    first_page: Vec<[u8; 32]>,
}

/// Follows the cursor to an empty list, as far as the service lets it.
pub(super) fn to_the_end(
    session: &mut Session<'_>,
    judge: &mut Judge<'_>,
    deliveries: &mut Deliveries,
    clock: &Clock,
) -> Result<Pull, InpsError> {
    let mut pull = Pull { cursor: session.options.since, pages: 0, complete: false, first_page: Vec::new() };
    let stopped = loop {
        let since = pull.cursor;
        let entries = match session.page(&since.to_string()) {
            Ok(entries) => entries,
            Err(error) => break Some(format!("stopped at since={since}: {error}")),
        };
        if entries.is_empty() {
            pull.complete = true;
            break None;
        }
        if pull.pages == 0 {
            pull.first_page = entries.iter().map(digest).collect();
        }
        pull.pages += 1;
        let mut last = None;
        for (position, entry) in entries.iter().enumerate() {
            let place = format!("entry {} after since={since}", position + 1);
            last = judge.entry(entry, &place, &mut session.tally);
            deliveries.acquired(entry, &session.options.esiti, clock);
        }
        session.watcher.pulled(judge.flows.total, pull.pages);
        let saved = session.options.cursor_file.as_deref();
        if saved.is_some() {
            // Whoever goes on from the file does not see these flows again.
            deliveries.send_all(session);
        } else {
            deliveries.send_full(session);
        }
        match last.filter(|last| *last > since) {
            Some(last) => {
                pull.cursor = last;
                if let Some(path) = saved {
                    cursor::save(path, last)?;
                }
            }
            None => break Some(format!("the last flow after since={since} does not move the cursor on")),
        }
    };
    session.tally.judge(Check::Complete, stopped.is_none(), || stopped.unwrap_or_default());
    Ok(pull)
}

/// Asks for the first and for the last page again: what was served is served again, and not twice to one cursor.
pub(super) fn again(session: &mut Session<'_>, pull: &Pull) {
    if !pull.first_page.is_empty() {
        let since = session.options.since;
        let page = session.page(&since.to_string());
        let same = page.as_ref().is_ok_and(|entries| {
            // A page that was not full may have grown meanwhile.
            entries.len() >= pull.first_page.len()
                && entries.iter().map(digest).zip(&pull.first_page).all(|(again, first)| again == *first)
        });
        session.tally.judge(Check::Repeatable, same, || match page {
            Ok(_) => format!("since={since} gives other flows the second time"),
            Err(error) => format!("since={since}: {error}"),
        });
    }
    if pull.complete {
        let page = session.page(&pull.cursor.to_string());
        // Flows that were published meanwhile may follow.
        let later = |entry: &Value| {
            let instant = entry.get("ts_flusso").and_then(Value::as_str).and_then(|text| instant(text).0);
            instant.and_then(|instant| u64::try_from(instant.as_millisecond()).ok()) > Some(pull.cursor)
        };
        let nothing_old = page.as_ref().is_ok_and(|entries| entries.iter().all(later));
        session.tally.judge(Check::End, nothing_old, || match page {
            Ok(_) => format!("since={} gave an empty list, and then a flow that is not later", pull.cursor),
            Err(error) => format!("since={}: {error}", pull.cursor),
        });
    }
}
