//! What a run found, for people and for programs. Ids of flows and codes of rules, never a name or a fiscal code.

use std::fmt;

use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;
use serde::Serialize;

use super::check::{Check, Count};

/// What INPS would find.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Whether every check that was made holds.
    pub passed: bool,
    /// Where the service is.
    pub url: String,
    /// The cursor of the first page, in milliseconds since the epoch.
    pub since: u64,
    /// Flows asked for in one page.
    pub limit: u8,
    /// Pages with flows.
    pub pages: u64,
    /// What was pulled.
    pub flows: Flows,
    /// The cursor of the next pull, in milliseconds since the epoch.
    pub next_since: u64,
    /// Outcomes that the service took.
    pub esiti: u64,
    /// Those of them that refuse a flow.
    pub refusals: u64,
    /// Calls with which it took them.
    pub deliveries: u64,
    /// What it cost.
    pub traffic: Traffic,
    /// Every check, those that were not made included.
    pub checks: Vec<CheckReport>,
    /// The rules that some flows seem to break, and for which INPS may or may not refuse them.
    pub warnings: Vec<Warning>,
}

/// Flows by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flows {
    /// All of them.
    pub total: u64,
    /// Benefits.
    pub ps_psa_sina: Operations,
    /// Children in care, whose flows have no operation.
    pub sinba: u64,
    /// Flows whose document cannot be read.
    pub unreadable: u64,
    /// The instant of the first flow, in milliseconds since the epoch.
    pub first_ts: Option<u64>,
    /// The instant of the last flow, in milliseconds since the epoch.
    pub last_ts: Option<u64>,
}

/// Flows by what they ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operations {
    /// `TipoOperazione` I, or none.
    pub insertions: u64,
    /// `TipoOperazione` C.
    pub cancellations: u64,
}

/// Calls, bytes and time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// Calls of every kind.
    pub calls: u64,
    /// Bytes of the bodies received.
    pub bytes: u64,
    /// Seconds that all of it took.
    pub seconds: f64,
    /// Seconds of these that were spent waiting because the service asked for it.
    pub waited_seconds: u64,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Which.
    pub check: Check,
    /// What must hold.
    pub demand: &'static str,
    /// Whether it does.
    pub outcome: Outcome,
    /// How often.
    #[serde(flatten)]
    pub count: Count,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds, every time.
    Passed,
    /// It does not.
    Failed,
    /// There was nothing to check, or nothing to check it with.
    NotMade,
}

/// A rule that some flows seem to break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its code.
    pub rule: &'static str,
    /// What it asks for, in Italian.
    pub summary: &'static str,
    /// How many times it was met.
    pub count: u64,
    /// The first flow.
    pub first: String,
}

impl CheckReport {
    pub(super) fn new((check, count): (Check, Count)) -> Self {
        let outcome = match (count.made, count.failed) {
            (0, _) => Outcome::NotMade,
            (_, 0) => Outcome::Passed,
            _ => Outcome::Failed,
        };
        Self { check, demand: check.demand(), outcome, count }
    }
}

impl Report {
    /// The checks that went so.
    pub fn checks_that(&self, outcome: Outcome) -> impl Iterator<Item = &CheckReport> {
        self.checks.iter().filter(move |check| check.outcome == outcome)
    }
}

/// An instant in milliseconds since the epoch, as the contract writes it.
pub(super) fn written(millis: u64) -> String {
    let instant = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    instant.map_or_else(|| millis.to_string(), |instant| format!("{instant:.3}"))
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "A pull as INPS does it from {}", self.url)?;
        writeln!(out, "  asked      since {}, {} flows at a time", self.since, self.limit)?;
        self.flows(out)?;
        let (esiti, deliveries) = (HumanCount(self.esiti), HumanCount(self.deliveries));
        let refusals = HumanCount(self.refusals);
        writeln!(
            out,
            "  outcomes   {esiti} taken, of which {refusals} refusals, in {deliveries} deliveries"
        )?;
        let Traffic { calls, bytes, seconds, waited_seconds } = self.traffic;
        write!(out, "  traffic    {} calls, {} received, ", HumanCount(calls), HumanBytes(bytes))?;
        writeln!(
            out,
            "{seconds:.1} s, of which {waited_seconds} s waiting because the service asked for it"
        )?;
        writeln!(out, "\nChecks")?;
        for check in &self.checks {
            check.line(out)?;
        }
        if !self.warnings.is_empty() {
            writeln!(
                out,
                "\nWarnings: rules of uncertain source, for which INPS may or may not refuse a flow"
            )?;
            for Warning { rule, summary, count, first } in &self.warnings {
                writeln!(out, "  {:>9}  {rule}: {summary}", HumanCount(*count).to_string())?;
                writeln!(out, "             first {first}")?;
            }
        }
        let failed = self.checks_that(Outcome::Failed).count();
        let made = failed + self.checks_that(Outcome::Passed).count();
        writeln!(out)?;
        match failed {
            0 => writeln!(out, "All {made} checks that could be made hold: INPS can pull from this service."),
            _ => writeln!(out, "{failed} of {made} checks fail: INPS could not rely on this service."),
        }
    }
}

impl Report {
    fn flows(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flows { total, ps_psa_sina, sinba, unreadable, first_ts, last_ts } = &self.flows;
        writeln!(out, "  got        {} flows, in {} pages", HumanCount(*total), HumanCount(self.pages))?;
        let Operations { insertions, cancellations } = ps_psa_sina;
        let counts = [
            ("PS_PSA_SINA, insertions (I)", insertions),
            ("PS_PSA_SINA, cancellations (C)", cancellations),
            ("SINBA", sinba),
            ("not readable", unreadable),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| **count > 0) {
            writeln!(out, "  {:>9}    {what}", HumanCount(*count).to_string())?;
        }
        if let (Some(first), Some(last)) = (first_ts, last_ts) {
            writeln!(out, "             from {} to {}", written(*first), written(*last))?;
        }
        writeln!(out, "  next       --since {}", self.next_since)
    }
}

impl CheckReport {
    fn line(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { made, failed, first } = &self.count;
        let mark = match self.outcome {
            Outcome::Passed => "ok  ",
            Outcome::Failed => "FAIL",
            Outcome::NotMade => "-   ",
        };
        write!(out, "  {mark} {:<17} {}", self.check.code(), self.demand)?;
        match self.outcome {
            Outcome::Passed => writeln!(out, " ({})", HumanCount(*made)),
            Outcome::NotMade => writeln!(out, " (not made)"),
            Outcome::Failed => {
                writeln!(out, " ({} of {} do not)", HumanCount(*failed), HumanCount(*made))?;
                writeln!(out, "       first: {}", first.as_deref().unwrap_or_default())
            }
        }
    }
}
