//! How many days INPS needs, at the present thresholds, for the flows that it has not pulled yet; and whether it holds
//! flows that are missing here.

use jiff::Timestamp;

use super::{Finding, Severity};
use crate::call_log::{Limits, progress};
use crate::clock::Clock;
use crate::config::{Config, EService};
use crate::registry::Registry;
use crate::store::{Store, StoreError};

/// Days after which data reach INPS late enough to ask for higher thresholds.
const LONG: u64 = 7;

/// The page that a pull is taken to ask for, as long as none came: the largest.
const PAGE: u32 = 100;

pub(super) fn examine(config: &Config, store: &Store, clock: &Clock, findings: &mut Vec<Finding>) {
    for eservice in &config.eservice {
        let subject = format!("pulls of {}", eservice.name);
        findings.push(judge(eservice, store, clock, &subject).unwrap_or_else(|error| {
            Finding::bad(Severity::Error, &subject, error.to_string(), "see the finding on the database")
        }));
    }
}

/// Days for which it is recalled that flows may be missing.
const RECALLED: i64 = 30;

pub(super) fn missing(config: &Config, store: &Store, clock: &Clock, findings: &mut Vec<Finding>) {
    const DAY_MS: i64 = 86_400_000;
    let since = clock.now_ms() - RECALLED * DAY_MS;
    // Where the database does not answer, the other findings say so.
    let gaps = Registry::new(store.clone(), clock.clone()).gaps().unwrap_or_default();
    let is_served = |name: &String| config.eservice.iter().any(|eservice| eservice.name == *name);
    for (name, gap) in gaps.into_iter().filter(|(name, gap)| is_served(name) && gap.noticed_ms >= since) {
        let day = |ms| Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%d at %H:%M UTC");
        findings.push(Finding::bad(
            Severity::Warning,
            &format!("feed of {name}"),
            format!(
                "an older database took the place of this one, as was noticed on {}: what was published between {} and \
                 {} may be missing",
                day(gap.noticed_ms),
                day(gap.after_ts),
                day(gap.until_ts),
            ),
            "import again what was imported in that time, and see what INPS said of it, as docs/backup.md tells",
        ));
    }
}

fn judge(eservice: &EService, store: &Store, clock: &Clock, subject: &str) -> Result<Finding, StoreError> {
    let Some(id) = store.find_eservice(&eservice.name)? else {
        return Ok(Finding::ok(subject, "nothing was published yet"));
    };
    let last = store.read(|connection| progress(connection, id))?;
    let registry = Registry::new(store.clone(), clock.clone());
    let waiting = registry.waiting(id, last.map_or(0, |last| last.position))?;
    let pulled = match last {
        Some(last) => format!("INPS last pulled on {}", last.instant.strftime("%Y-%m-%d at %H:%M UTC")),
        None => "INPS has not pulled yet".to_owned(),
    };
    if waiting == 0 {
        return Ok(Finding::ok(subject, format!("{pulled}; no flow waits")));
    }
    let limits =
        Limits { per_consumer: eservice.daily_calls_per_consumer, total: eservice.daily_calls_total };
    let page = last.map(|last| last.page).filter(|page| *page > 0).unwrap_or(PAGE);
    let Some(days) = limits.days_for(waiting, page) else {
        let meaning = format!("{pulled}; {waiting} flows wait, and the thresholds let no call in");
        return Ok(Finding::bad(Severity::Error, subject, meaning, "raise them"));
    };
    let meaning = format!(
        "{pulled}; {waiting} flows wait, for which it needs {days} {} at {} calls a day, {page} flows a call",
        if days == 1 { "day" } else { "days" },
        limits.daily(),
    );
    Ok(if days > LONG {
        let remedy = "raise daily_calls_per_consumer and daily_calls_total here and on the e-service's card on PDND, \
                      in agreement with INPS";
        Finding::bad(Severity::Warning, subject, meaning, remedy)
    } else {
        Finding::ok(subject, meaning)
    })
}
