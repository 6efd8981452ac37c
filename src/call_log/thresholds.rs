//! The daily thresholds of an e-service: counted in the database, so that they survive restarts and are shared by
//! instances.
//!
//! Whoever changes a counter holds the lock on the head of the e-service's log; the counters of one transaction are
//! therefore exact.

use std::collections::BTreeMap;

use diesel::prelude::*;
use jiff::Timestamp;

use super::rows::Count;
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

/// The counts of one e-service, read and written back at once.
pub(super) struct Counters {
    eservice: EserviceId,
    calls: BTreeMap<(i32, String), u32>,
}

impl Counters {
    /// Those that calls which arrived at these instants, with these charges, count in.
    pub(super) fn read<'a>(
        connection: &mut AnyConnection,
        eservice: EserviceId,
        calls: impl Iterator<Item = (Timestamp, &'a Charge)>,
    ) -> Result<Self, StoreError> {
        let mut counters = Self { eservice, calls: BTreeMap::new() };
        for (instant, charge) in calls {
            let day = Day::of(instant).number();
            for name in [&charge.consumer_id, TOTAL] {
                counters.calls.insert((day, name.to_owned()), 0);
            }
        }
        if counters.calls.is_empty() {
            return Ok(counters);
        }
        let (days, names): (Vec<i32>, Vec<&str>) =
            counters.calls.keys().map(|(day, name)| (*day, name.as_str())).unzip();
        let kept: Vec<(i32, String, i64)> = each_backend!(connection, |inner| daily_calls::table
            .filter(daily_calls::eservice_id.eq(eservice.get()))
            .filter(daily_calls::giorno.eq_any(days))
            .filter(daily_calls::consumer_id.eq_any(names))
            .select((daily_calls::giorno, daily_calls::consumer_id, daily_calls::calls))
            .load(inner))?;
        for (day, name, calls) in kept {
            if let Some(counter) = counters.calls.get_mut(&(day, name)) {
                *counter = u32::try_from(calls).unwrap_or(u32::MAX);
            }
        }
        Ok(counters)
    }

    /// Counts a call that arrived at `instant` if both thresholds have room for it. Returns whether they had, and
    /// what is left.
    pub(super) fn charge(&mut self, charge: &Charge, instant: Timestamp) -> (bool, Quota) {
        let day = Day::of(instant);
        let keys = [charge.consumer_id.as_str(), TOTAL].map(|name| (day.number(), name.to_owned()));
        let [consumer, total] = keys.each_ref().map(|key| self.calls.get(key).copied().unwrap_or_default());
        let room = consumer < charge.limits.per_consumer && total < charge.limits.total;
        let more = u32::from(room);
        for (key, calls) in keys.into_iter().zip([consumer, total]) {
            self.calls.insert(key, calls + more);
        }
        (room, tighter(charge.limits, Some(consumer + more), total + more, day.seconds_left(instant)))
    }

    /// The counts, to be kept.
    pub(super) fn rows(&self) -> impl Iterator<Item = Count> {
        self.calls.iter().map(|((giorno, consumer_id), calls)| Count {
            eservice_id: self.eservice.get(),
            giorno: *giorno,
            consumer_id: consumer_id.clone(),
            calls: i64::from(*calls),
        })
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
