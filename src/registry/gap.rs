//! Flows that INPS may hold and the registry does not, because a database was lost and an older one took its place.
//!
//! INPS's cursor is then ahead of the feed, and what is published below it is never seen. So the feed is raised above
//! every cursor that is known: at a restore, and when a cursor comes that lies above every flow, which a consumer has
//! only from a database that held more. Names are like timestamps: INPS's outcome for a lost flow must not find
//! another flow of its name, so the numbers of the day jump as well.

use diesel::dsl::max;
use diesel::prelude::*;
use jiff::Timestamp;
use serde::Serialize;

use crate::store::schema::{eservice, feed_gap};
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend, sequencer};

/// The first of the numbers of 8 digits: no ente publishes as many flows in a day.
const EIGHT_DIGITS: i64 = 10_000_000;

/// How it was noticed that flows are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Noticed {
    /// A backup was restored.
    Restore,
    /// A cursor came that lies above every flow.
    Pull,
}

impl Noticed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Pull => "pull",
        }
    }
}

/// A stretch of a feed in which flows may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Queryable)]
pub struct Gap {
    /// The last timestamp before it, in milliseconds since the epoch.
    pub after_ts: i64,
    /// The last timestamp in it: the feed goes on above.
    pub until_ts: i64,
    /// When it was noticed, in milliseconds since the epoch.
    pub noticed_ms: i64,
    /// `restore` or `pull`.
    pub noticed_by: String,
}

/// Raises the feed above `until_ts` and remembers what may be missing; none if the feed is above it already.
pub(crate) fn raise(
    connection: &mut AnyConnection,
    owner: EserviceId,
    until_ts: i64,
    by: Noticed,
    now_ms: i64,
) -> Result<Option<Gap>, StoreError> {
    let Some(after_ts) = sequencer::lock(connection, owner)?.raise(connection, until_ts)? else {
        return Ok(None);
    };
    let gap = Gap { after_ts, until_ts, noticed_ms: now_ms, noticed_by: by.as_str().to_owned() };
    let row = (
        feed_gap::eservice_id.eq(owner.get()),
        feed_gap::after_ts.eq(gap.after_ts),
        feed_gap::until_ts.eq(gap.until_ts),
        feed_gap::noticed_ms.eq(gap.noticed_ms),
        feed_gap::noticed_by.eq(&gap.noticed_by),
    );
    each_backend!(connection, |inner| diesel::insert_into(feed_gap::table).values(row).execute(inner))?;
    Ok(Some(gap))
}

/// The stretches of every feed in which flows may be missing, with the names of their e-services, oldest first.
pub(crate) fn gaps(connection: &mut AnyConnection) -> Result<Vec<(String, Gap)>, StoreError> {
    let gaps = feed_gap::table
        .inner_join(eservice::table.on(eservice::id.eq(feed_gap::eservice_id)))
        .order((eservice::name, feed_gap::until_ts))
        .select((
            eservice::name,
            (feed_gap::after_ts, feed_gap::until_ts, feed_gap::noticed_ms, feed_gap::noticed_by),
        ))
        .load(connection)?;
    Ok(gaps)
}

/// The number of the day above which a flow's name is surely not that of a flow that was lost; 0 on a day on which
/// none were.
pub(super) fn numbers_above(
    connection: &mut AnyConnection,
    owner: EserviceId,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let Some(start) = Day::of(now).start().map(Timestamp::as_millisecond) else {
        return Ok(0);
    };
    let (until_ts, noticed_ms): (Option<i64>, Option<i64>) = feed_gap::table
        .filter(feed_gap::eservice_id.eq(owner.get()))
        .filter(feed_gap::noticed_ms.ge(start))
        .select((max(feed_gap::until_ts), max(feed_gap::noticed_ms)))
        .first(connection)?;
    // Of two losses on one day the later leaves more room than there are milliseconds between them.
    Ok(until_ts.max(noticed_ms).map_or(0, |reach| EIGHT_DIGITS.saturating_add(reach - start)))
}
