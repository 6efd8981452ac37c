//! What somebody should look at of the e-services that the first page does not show.

use std::collections::{BTreeMap, BTreeSet};

use super::{keys, sees_whole};
use crate::call_log::{furthest, progress};
use crate::console::Served;
use crate::console::parts::{AT_ONCE, Parts};
use crate::console::refusal::Refusal;
use crate::console::visit::Visit;
use crate::registry::scadenze;
use crate::store::{AnyConnection, Day, EserviceId, StoreError};

/// E-services of another part that somebody should look at.
pub(super) struct Elsewhere {
    /// Which part, and its address.
    pub(super) label: String,
    pub(super) address: String,
    /// The names, each with what is to be looked at.
    pub(super) eservices: Vec<(String, String)>,
}

/// What there is to look at of the e-services that are not in the part that is shown. It costs two statements, however
/// many they are.
pub(super) async fn elsewhere(
    visit: &Visit,
    all: &[&Served],
    parts: &Parts<'_>,
) -> Result<Vec<Elsewhere>, Refusal> {
    let is_shown = |place: usize| (parts.first..parts.first.saturating_add(AT_ONCE)).contains(&place);
    if all.len() <= AT_ONCE {
        return Ok(Vec::new());
    }
    let (clock, call_log) = (&visit.console.clock, &visit.console.config.call_log);
    let today = Day::of(clock.now());
    let kept_ms =
        clock.now_ms().saturating_sub(i64::from(call_log.retention_days).saturating_mul(86_400_000));
    let late =
        visit.console.store.read_async(move |connection| late_feeds(connection, today, kept_ms)).await?;
    let mut others: BTreeMap<usize, Elsewhere> = BTreeMap::new();
    for (place, served) in all.iter().enumerate().filter(|(place, _)| !is_shown(*place)) {
        let is_late = late.contains(&served.id) && sees_whole(visit, served)?;
        let (badge, keys) = keys(served);
        let what = match (is_late, badge != "ok") {
            (true, true) => format!("in ritardo; chiavi di PDND: {keys}"),
            (true, false) => "in ritardo".to_owned(),
            (false, true) => format!("chiavi di PDND: {keys}"),
            (false, false) => continue,
        };
        let first = place - place % AT_ONCE;
        let other = others.entry(first).or_insert_with(|| Elsewhere {
            label: parts.label(first),
            address: parts.address(first).unwrap_or_default(),
            eservices: Vec::new(),
        });
        other.eservices.push((served.config.name.clone(), what));
    }
    Ok(others.into_values().collect())
}

/// The feeds with flows that INPS should have had before `today` and was never given. The log has every page that was given
/// since `kept_ms`.
fn late_feeds(
    connection: &mut AnyConnection,
    today: Day,
    kept_ms: i64,
) -> Result<BTreeSet<EserviceId>, StoreError> {
    let given = furthest(connection)?;
    let mut late = BTreeSet::new();
    for (id, newest) in scadenze::overdue(connection, today)? {
        let position = match given.get(&id) {
            Some(last) => *last,
            None if newest >= kept_ms => 0,
            // The log may have forgotten the page, but not the cursor with which INPS came since.
            None => progress(connection, id)?.map_or(0, |last| last.position),
        };
        if newest > position {
            late.insert(id);
        }
    }
    Ok(late)
}
