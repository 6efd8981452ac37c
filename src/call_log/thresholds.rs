//! The daily thresholds of an e-service: counted in the database, so that they survive restarts and are shared by
//! instances.
//!
//! Whoever changes a counter holds the lock on the head of the e-service's log; the counters of one transaction are
//! therefore exact.

use std::collections::BTreeMap;

use diesel::prelude::*;
use jiff::Timestamp;

use crate::store::schema::daily_calls;
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend};

/// The outcome of a call beyond a threshold.
pub const EXCEEDED: &str = "threshold_exceeded";

/// The name under which all consumers' calls are counted together.
const TOTAL: &str = "";

/// How many calls a day (Europe/Rome) an e-service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For one consumer.
    pub per_consumer: u32,
    /// For all together.
    pub total: u32,
}

impl Limits {
    /// The calls that one consumer alone may make in a day.
    #[must_use]
    pub fn daily(self) -> u32 {
        self.per_consumer.min(self.total)
    }

    /// Days that one consumer needs for this many flows in pages of this size: a call for each page, one that finds
    /// nothing more, and one with the outcomes of each hundred flows. None, if it would never come to an end.
    #[must_use]
    pub fn days_for(self, flows: u64, page: u32) -> Option<u64> {
        const ESITI: u64 = 100;
        let pages = flows.checked_add(u64::from(page).checked_sub(1)?)?.checked_div(u64::from(page))?;
        let calls = pages.saturating_add(1).saturating_add(flows.div_ceil(ESITI));
        let daily = u64::from(self.daily());
        (daily > 0).then(|| calls.div_ceil(daily))
    }
}

/// A call that counts against the thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Whose call it is.
    pub consumer_id: String,
    /// The thresholds in force.
    pub limits: Limits,
}

/// What is left of the tighter threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The threshold.
    pub limit: u32,
    /// How many more calls will be answered.
    pub remaining: u32,
    /// Seconds to the end of the day, when the count begins again: up to 90000, on the day that has 25 hours.
    pub reset_seconds: u32,
}

/// The counts of one e-service, read when they are needed and written back once.
pub(super) struct Counters {
    eservice: EserviceId,
    calls: BTreeMap<(Day, String), u32>,
}

impl Counters {
    pub(super) fn new(eservice: EserviceId) -> Self {
        Self { eservice, calls: BTreeMap::new() }
    }

    /// Counts a call that arrived at `instant` if both thresholds have room for it. Returns whether they had, and
    /// what is left.
    pub(super) fn charge(
        &mut self,
        connection: &mut AnyConnection,
        charge: &Charge,
        instant: Timestamp,
    ) -> Result<(bool, Quota), StoreError> {
        let day = Day::of(instant);
        let consumer = self.calls(connection, day, &charge.consumer_id)?;
        let total = self.calls(connection, day, TOTAL)?;
        let room = consumer < charge.limits.per_consumer && total < charge.limits.total;
        if room {
            for name in [&charge.consumer_id, TOTAL] {
                if let Some(calls) = self.calls.get_mut(&(day, name.to_owned())) {
                    *calls = calls.saturating_add(1);
                }
            }
        }
        let more = u32::from(room);
        Ok((room, tighter(charge.limits, Some(consumer + more), total + more, day.seconds_left(instant))))
    }

    fn calls(&mut self, connection: &mut AnyConnection, day: Day, consumer: &str) -> Result<u32, StoreError> {
        let key = (day, consumer.to_owned());
        if let Some(calls) = self.calls.get(&key) {
            return Ok(*calls);
        }
        let calls = read(connection, self.eservice, day, consumer)?;
        self.calls.insert(key, calls);
        Ok(calls)
    }

    pub(super) fn save(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for ((day, consumer), calls) in self.calls {
            let calls = i64::from(calls);
            let row = (
                daily_calls::eservice_id.eq(self.eservice.get()),
                daily_calls::giorno.eq(day.number()),
                daily_calls::consumer_id.eq(consumer),
                daily_calls::calls.eq(calls),
            );
            each_backend!(connection, |inner| diesel::insert_into(daily_calls::table)
                .values(row)
                .on_conflict((daily_calls::eservice_id, daily_calls::giorno, daily_calls::consumer_id))
                .do_update()
                .set(daily_calls::calls.eq(calls))
                .execute(inner))?;
        }
        Ok(())
    }
}

/// What is left at `instant`, without counting a call; of the total only, for a consumer that is not known yet.
pub(super) fn quota(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    consumer: Option<&str>,
    limits: Limits,
    instant: Timestamp,
) -> Result<Quota, StoreError> {
    let day = Day::of(instant);
    let consumer = consumer.map(|name| read(connection, eservice, day, name)).transpose()?;
    let total = read(connection, eservice, day, TOTAL)?;
    Ok(tighter(limits, consumer, total, day.seconds_left(instant)))
}

fn tighter(limits: Limits, consumer: Option<u32>, total: u32, reset_seconds: u32) -> Quota {
    let of = |limit: u32, calls: u32| Quota { limit, remaining: limit.saturating_sub(calls), reset_seconds };
    let total = of(limits.total, total);
    match consumer.map(|calls| of(limits.per_consumer, calls)) {
        Some(consumer) if consumer.remaining <= total.remaining => consumer,
        _ => total,
    }
}

fn read(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    day: Day,
    consumer: &str,
) -> Result<u32, StoreError> {
    let calls: Option<i64> = daily_calls::table
        .find((eservice.get(), day.number(), consumer))
        .select(daily_calls::calls)
        .first(connection)
        .optional()?;
    Ok(u32::try_from(calls.unwrap_or(0)).unwrap_or(u32::MAX))
}
