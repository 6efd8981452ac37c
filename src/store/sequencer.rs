//! The timestamps of a feed: unique, and strictly increasing in the order in which flows become visible.
//!
//! A transaction that publishes locks the row of its e-service first ([`lock`]) and, once it knows how many flows it
//! will write, takes a range of timestamps ([`LockedFeed::reserve`]). Why a reader that sees a timestamp sees every
//! lower one:
//!
//! - ranges of one e-service are taken under the row's lock, each above the one before;
//! - the lock is released when the transaction ends, and both databases make a commit visible before they release
//!   its locks; so when a range is taken, all lower ones are visible, or were rolled back and never will be.
//!
//! Neither the clock nor the number of instances appears in the argument: the clock only chooses how far above the
//! last timestamp a range lies.
//!
//! The lock is taken at the beginning, not at the last step. Whatever the transaction looks up (is this benefit
//! known, what is the day's next number) is then the newest state, so two imports of one file agree; and since the
//! lock is held until the commit is on the disk in either case, taking it early costs little (a batch of one record
//! spends most of its time in the commit). Locks are taken in this order: the row of the e-service, then rows that
//! belong to that e-service alone. Nobody who holds another lock asks for the row, so there is no cycle.
//!
//! On PostgreSQL the lock is `FOR NO KEY UPDATE`, which lets foreign keys to the row be checked meanwhile. On SQLite
//! the transaction itself is the lock.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use diesel::prelude::*;

use super::schema::{call_log_head, eservice};
use super::{AnyConnection, StoreError, each_backend};

/// An e-service, as the tables know it: the owner of a feed of flows and of a call log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EserviceId(i64);

impl EserviceId {
    /// The e-service that a row refers to.
    pub(crate) fn referred(id: i64) -> Self {
        Self(id)
    }

    pub(crate) fn get(self) -> i64 {
        self.0
    }
}

/// How far in the future a cursor may lie to be believed, in milliseconds: an hour. A clock that was stepped back, or
/// a load that took more timestamps than there were milliseconds, makes flows of the near future; a cursor that is
/// merely absurd must not push the feed away from the present, nor tell how far its caller has come.
pub(crate) const TOLERANCE_MS: i64 = 3_600_000;

/// The cursor of a call at `instant_ms` as a timestamp that its feed, or one that it replaces, may have given out.
pub(crate) fn credible(since: u128, instant_ms: i64) -> Option<i64> {
    i64::try_from(since).ok().filter(|since| *since <= instant_ms.saturating_add(TOLERANCE_MS))
}

/// The e-service of that name, which is given its rows the first time.
pub(super) fn register(connection: &mut AnyConnection, name: &str) -> Result<EserviceId, StoreError> {
    each_backend!(connection, |inner| {
        diesel::insert_into(eservice::table)
            .values(eservice::name.eq(name))
            .on_conflict(eservice::name)
            .do_nothing()
            .execute(inner)?;
        let id = eservice::table.filter(eservice::name.eq(name)).select(eservice::id).first(inner)?;
        diesel::insert_into(call_log_head::table)
            .values((call_log_head::log_id.eq(id), call_log_head::size.eq(0)))
            .on_conflict(call_log_head::log_id)
            .do_nothing()
            .execute(inner)?;
        Ok(EserviceId(id))
    })
}

/// Every e-service that was ever registered, by its name.
pub(super) fn all(connection: &mut AnyConnection) -> Result<BTreeMap<String, EserviceId>, StoreError> {
    let rows: Vec<(String, i64)> = eservice::table.select((eservice::name, eservice::id)).load(connection)?;
    Ok(rows.into_iter().map(|(name, id)| (name, EserviceId(id))).collect())
}

/// The e-service of that name, if it was ever registered.
pub(super) fn find(connection: &mut AnyConnection, name: &str) -> Result<Option<EserviceId>, StoreError> {
    let id =
        eservice::table.filter(eservice::name.eq(name)).select(eservice::id).first(connection).optional()?;
    Ok(id.map(EserviceId))
}

/// A feed that the running transaction alone may extend.
#[derive(Debug)]
pub(crate) struct LockedFeed {
    eservice: EserviceId,
    last_ts: i64,
}

/// Whether timestamps are drawn under the lock: always, but in the build that shows that `make torture` would notice.
const IN_FORCE: bool = !cfg!(feature = "without-sequencer");

#[cfg(all(feature = "without-sequencer", not(debug_assertions)))]
compile_error!("without-sequencer loses flows: it is for the torture test alone");

/// Locks the feed until the transaction ends.
pub(crate) fn lock(connection: &mut AnyConnection, eservice: EserviceId) -> Result<LockedFeed, StoreError> {
    let row = eservice::table.find(eservice.0).select(eservice::last_ts);
    let last_ts = match connection {
        AnyConnection::Sqlite(inner) => row.first(inner)?,
        AnyConnection::Postgres(inner) if IN_FORCE => row.for_no_key_update().first(inner)?,
        AnyConnection::Postgres(inner) => row.first(inner)?,
    };
    Ok(LockedFeed { eservice, last_ts })
}

impl LockedFeed {
    /// Takes `count` timestamps for the flows that this transaction is about to write, of a load of which `following`
    /// more may come.
    ///
    /// Where there is room between the last flow and now, they leave as much of it as the others need up to `now_ms`:
    /// a load that is faster than a flow a millisecond does not run into the future (facts of the contract, "The cursor
    /// is everything"). Where there is no room, they follow the last flow.
    pub(crate) fn reserve(
        self,
        connection: &mut AnyConnection,
        count: NonZeroU32,
        following: u32,
        now_ms: i64,
    ) -> Result<RangeInclusive<i64>, StoreError> {
        let more = i64::from(count.get()) - 1;
        if !IN_FORCE {
            tracing::error!("this build has no sequencer: flows get lost");
            return Ok(now_ms.saturating_sub(more)..=now_ms);
        }
        let before_now = more.saturating_add(i64::from(following));
        let first = self.last_ts.saturating_add(1).max(now_ms.saturating_sub(before_now));
        let last = first
            .checked_add(more)
            .ok_or_else(|| StoreError::Unreadable("the sequencer has reached the end of time".to_owned()))?;
        diesel::update(eservice::table.find(self.eservice.0))
            .set(eservice::last_ts.eq(last))
            .execute(connection)?;
        Ok(first..=last)
    }

    /// Lets the feed go on above `ts`, and gives the timestamp above which it would have gone on; none if it goes on
    /// above `ts` already.
    pub(crate) fn raise(self, connection: &mut AnyConnection, ts: i64) -> Result<Option<i64>, StoreError> {
        if ts <= self.last_ts {
            return Ok(None);
        }
        diesel::update(eservice::table.find(self.eservice.0))
            .set(eservice::last_ts.eq(ts))
            .execute(connection)?;
        Ok(Some(self.last_ts))
    }
}

/// The sequencer of a feed, as it stands.
pub(crate) fn last_ts(connection: &mut AnyConnection, eservice: EserviceId) -> Result<i64, StoreError> {
    Ok(eservice::table.find(eservice.0).select(eservice::last_ts).first(connection)?)
}
