//! How each feed and each call log stands: what was published, what INPS has taken and said of it, what is late, what is
//! signed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::api::service::EService;
use crate::call_log::{self, Progress};
use crate::registry::{self, Gap, gap};
use crate::registry::{Standing, attesa};
use crate::store::{AnyConnection, Day, EserviceId, StoreError};

/// What the database tells of the feeds and of the logs.
#[derive(Default)]
pub(super) struct Feeds {
    heads: BTreeMap<EserviceId, i64>,
    gaps: Vec<(String, Gap)>,
    logs: BTreeMap<i64, i64>,
    of: BTreeMap<EserviceId, Feed>,
}

/// What it tells of one.
struct Feed {
    progress: Option<Progress>,
    standing: Standing,
    /// When the last checkpoint was signed, and how many entries it covers.
    checkpoint: Option<(Timestamp, i64)>,
}

/// The kinds of deadline, as [`Standing`] has them.
const DEADLINES: [&str; 2] = ["a1_04", "periodica"];

pub(super) fn read(
    connection: &mut AnyConnection,
    ids: Vec<EserviceId>,
    now: Timestamp,
) -> Result<Feeds, StoreError> {
    let today = Day::of(now);
    let mut of = BTreeMap::new();
    for id in ids {
        let progress = call_log::progress(connection, id)?;
        let position = progress.map_or(0, |progress| progress.position);
        let standing = attesa::standing(connection, id, position, today)?;
        of.insert(id, Feed { progress, standing, checkpoint: call_log::last_checkpoint(connection, id)? });
    }
    Ok(Feeds {
        heads: registry::heads(connection)?,
        gaps: gap::gaps(connection)?,
        logs: call_log::sizes(connection)?,
        of,
    })
}

pub(super) fn describe() {
    describe_gauge!(
        "waas_comuni_feed_gaps",
        "stretches of a feed in which flows may be missing, since a backup was restored"
    );
    describe_gauge!(
        "waas_comuni_feed_head_timestamp_seconds",
        "timestamp of the last flow published, in seconds since the epoch"
    );
    describe_gauge!(
        "waas_comuni_feed_cursor_timestamp_seconds",
        "timestamp up to which the last pull has the flows, in seconds since the epoch"
    );
    describe_gauge!(
        "waas_comuni_last_pull_timestamp_seconds",
        "instant of the last pull that was answered, in seconds since the epoch"
    );
    describe_counter!("waas_comuni_feed_flows_total", "flows of the feed, whoever published them");
    describe_gauge!("waas_comuni_feed_waiting_flows", "flows that come after the cursor of the last pull");
    describe_gauge!(
        "waas_comuni_flows_judged",
        "flows by the outcome in force, whatever was said of them before"
    );
    describe_gauge!(
        "waas_comuni_flows_late",
        "flows that wait for INPS beyond their deadline: payments of A1.04, periodic benefits"
    );
    describe_gauge!(
        "waas_comuni_flows_due_timestamp_seconds",
        "deadline of the first of the flows that wait; absent while none of the kind waits"
    );
    describe_counter!(
        "waas_comuni_call_log_entries_total",
        "entries of a call log; without an e-service, of the calls outside any"
    );
    describe_gauge!(
        "waas_comuni_checkpoint_entries",
        "entries of the call log that the last checkpoint covers"
    );
    describe_gauge!(
        "waas_comuni_checkpoint_timestamp_seconds",
        "instant at which the last checkpoint was signed, in seconds since the epoch"
    );
}

/// Of the calls outside any e-service.
pub(super) fn measure_others(feeds: &Feeds) {
    if let Some(size) = feeds.logs.get(&0) {
        counter!("waas_comuni_call_log_entries_total", "eservice" => "").absolute(unsigned(*size));
    }
}

pub(super) fn measure(eservice: &EService, feeds: &Feeds) {
    let name = || eservice.config.name.clone();
    let head = feeds.heads.get(&eservice.id).copied().filter(|head| *head > 0);
    if let Some(head) = head {
        gauge!("waas_comuni_feed_head_timestamp_seconds", "eservice" => name()).set(seconds(head));
    }
    let gaps = feeds.gaps.iter().filter(|(of, _)| *of == eservice.config.name).count();
    gauge!("waas_comuni_feed_gaps", "eservice" => name())
        .set(f64::from(u32::try_from(gaps).unwrap_or(u32::MAX)));
    if let Some(size) = feeds.logs.get(&eservice.id.get()) {
        counter!("waas_comuni_call_log_entries_total", "eservice" => name()).absolute(unsigned(*size));
    }
    let Some(feed) = feeds.of.get(&eservice.id) else { return };
    if let Some(progress) = &feed.progress {
        // A cursor beyond every flow says nothing more than that there is nothing left.
        gauge!("waas_comuni_feed_cursor_timestamp_seconds", "eservice" => name())
            .set(seconds(progress.position.min(head.unwrap_or(i64::MAX))));
        gauge!("waas_comuni_last_pull_timestamp_seconds", "eservice" => name())
            .set(seconds(progress.instant.as_millisecond()));
    }
    standing(eservice, &feed.standing);
    if let Some((instant, entries)) = feed.checkpoint {
        gauge!("waas_comuni_checkpoint_timestamp_seconds", "eservice" => name())
            .set(seconds(instant.as_millisecond()));
        gauge!("waas_comuni_checkpoint_entries", "eservice" => name()).set(count(unsigned(entries)));
    }
}

fn standing(eservice: &EService, standing: &Standing) {
    let name = || eservice.config.name.clone();
    counter!("waas_comuni_feed_flows_total", "eservice" => name()).absolute(standing.flussi);
    gauge!("waas_comuni_feed_waiting_flows", "eservice" => name()).set(count(standing.waiting));
    for (codice, flows) in &standing.esiti {
        gauge!("waas_comuni_flows_judged", "eservice" => name(), "codice" => codice.clone())
            .set(count(*flows));
    }
    for (kind, (late, due)) in DEADLINES.into_iter().zip(standing.late.into_iter().zip(standing.due)) {
        gauge!("waas_comuni_flows_late", "eservice" => name(), "scadenza" => kind).set(count(late));
        if let Some(end) = due.and_then(Day::end) {
            gauge!("waas_comuni_flows_due_timestamp_seconds", "eservice" => name(), "scadenza" => kind)
                .set(seconds(end.as_millisecond()));
        }
    }
}

/// Milliseconds as seconds, which is Prometheus's unit.
fn seconds(millis: i64) -> f64 {
    jiff::SignedDuration::from_millis(millis).as_secs_f64()
}

fn count(figure: u64) -> f64 {
    f64::from(u32::try_from(figure).unwrap_or(u32::MAX))
}

fn unsigned(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or_default()
}
