//! The daily thresholds of an e-service: counted in the database, so that they survive restarts and are shared by
//! instances.
//!
//! Whoever changes a counter holds the lock on the head of the e-service's log; the counters of one transaction are
//! therefore exact.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

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

/// The counts of one e-service on the days of late.
pub(super) struct Counters {
    eservice: EserviceId,
    days: BTreeMap<i32, BTreeMap<String, Counter>>,
}

#[derive(Clone, Copy, Default)]
struct Counter {
    calls: u32,
    /// Other than the table has it.
    changed: bool,
}

impl Counters {
    /// Those of this e-service, of which none is known.
    pub(super) fn of(eservice: EserviceId) -> Self {
        Self { eservice, days: BTreeMap::new() }
    }

    /// Whether all are known that calls count in which arrived at these instants, with these charges.
    pub(super) fn know<'a>(&self, calls: impl Iterator<Item = (Timestamp, &'a Charge)>) -> bool {
        self.unknown(calls).is_empty()
    }

    fn unknown<'a>(&self, calls: impl Iterator<Item = (Timestamp, &'a Charge)>) -> BTreeSet<(i32, &'a str)> {
        let mut unknown = BTreeSet::new();
        for (instant, charge) in calls {
            let day = Day::of(instant).number();
            let known = self.days.get(&day);
            for name in [charge.consumer_id.as_str(), TOTAL] {
                if !known.is_some_and(|known| known.contains_key(name)) {
                    unknown.insert((day, name));
                }
            }
        }
        unknown
    }

    /// Reads those that are not known of the ones in which these calls count.
    pub(super) fn learn<'a>(
        &mut self,
        connection: &mut AnyConnection,
        calls: impl Iterator<Item = (Timestamp, &'a Charge)> + Clone,
    ) -> Result<(), StoreError> {
        let unknown = self.unknown(calls.clone());
        if unknown.is_empty() {
            return Ok(());
        }
        // The days before are over: should a call of theirs come late, they are read again.
        let first = calls.map(|(instant, _)| Day::of(instant).number()).min();
        self.days.retain(|day, _| Some(*day) >= first);
        let (days, names): (Vec<i32>, Vec<&str>) = unknown.iter().copied().unzip();
        let kept: Vec<(i32, String, i64)> = each_backend!(connection, |inner| daily_calls::table
            .filter(daily_calls::eservice_id.eq(self.eservice.get()))
            .filter(daily_calls::giorno.eq_any(days))
            .filter(daily_calls::consumer_id.eq_any(names))
            .select((daily_calls::giorno, daily_calls::consumer_id, daily_calls::calls))
            .load(inner))?;
        for (day, name) in &unknown {
            self.days.entry(*day).or_default().insert((*name).to_owned(), Counter::default());
        }
        for (day, name, calls) in kept {
            if unknown.contains(&(day, name.as_str()))
                && let Some(counter) = self.days.get_mut(&day).and_then(|day| day.get_mut(&name))
            {
                counter.calls = u32::try_from(calls).unwrap_or(u32::MAX);
            }
        }
        Ok(())
    }

    /// Counts a call that arrived at `instant` if both thresholds have room for it. Returns whether they had, and
    /// what is left. The counts must be known.
    pub(super) fn charge(&mut self, charge: &Charge, instant: Timestamp) -> (bool, Quota) {
        let day = Day::of(instant);
        let names = [charge.consumer_id.as_str(), TOTAL];
        let known = self.days.entry(day.number()).or_default();
        let [consumer, total] = names.map(|name| known.get(name).map_or(0, |counter| counter.calls));
        let room = consumer < charge.limits.per_consumer && total < charge.limits.total;
        let more = u32::from(room);
        if room {
            for (name, calls) in names.into_iter().zip([consumer, total]) {
                if let Some(counter) = known.get_mut(name) {
                    *counter = Counter { calls: calls + 1, changed: true };
                }
            }
        }
        (room, tighter(charge.limits, Some(consumer + more), total + more, day.seconds_left(instant)))
    }

    /// The counts that changed, to be kept.
    pub(super) fn changed(&mut self) -> Vec<Count> {
        let eservice_id = self.eservice.get();
        let all = self
            .days
            .iter_mut()
            .flat_map(|(day, counters)| counters.iter_mut().map(|(name, counter)| (*day, name, counter)));
        all.filter_map(|(giorno, name, counter)| {
            std::mem::take(&mut counter.changed).then(|| Count {
                eservice_id,
                giorno,
                consumer_id: name.clone(),
                calls: i64::from(counter.calls),
            })
        })
        .collect()
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

/// The last day on which calls of an e-service were counted, if any ever was.
pub(super) fn last_day(
    connection: &mut AnyConnection,
    eservice: EserviceId,
) -> Result<Option<Day>, StoreError> {
    let last: Option<i32> = daily_calls::table
        .filter(daily_calls::eservice_id.eq(eservice.get()))
        .order(daily_calls::giorno.desc())
        .select(daily_calls::giorno)
        .first(connection)
        .optional()?;
    Ok(last.and_then(Day::from_number))
}

/// The thresholds that were found used up, of the present day: what this process knows without asking. A caller that it
/// does not know of may be beyond a threshold all the same, which is found when its call is counted.
#[derive(Default)]
pub(super) struct Spent(Mutex<HashMap<EserviceId, Consumers>>);

/// On which day which thresholds were found used up by a consumer, and what was left.
type Consumers = HashMap<String, (Day, Limits, Quota)>;

impl Spent {
    /// A call at `instant` was beyond a threshold.
    pub(super) fn remember(&self, eservice: EserviceId, charge: &Charge, instant: Timestamp, quota: Quota) {
        let day = Day::of(instant);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let consumers = known.entry(eservice).or_default();
        consumers.retain(|_, (spent, ..)| *spent == day);
        consumers.insert(charge.consumer_id.clone(), (day, charge.limits, quota));
    }

    /// What is left, which is nothing, for a consumer known to be beyond one of these thresholds at `instant`.
    pub(super) fn find(
        &self,
        eservice: EserviceId,
        consumer: &str,
        limits: Limits,
        instant: Timestamp,
    ) -> Option<Quota> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (spent, spent_limits, quota) = known.get(&eservice)?.get(consumer)?;
        let day = Day::of(instant);
        (*spent == day && *spent_limits == limits)
            .then(|| Quota { reset_seconds: day.seconds_left(instant), ..*quota })
    }
}
