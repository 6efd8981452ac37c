//! The feed, as it became visible to somebody who looks again and again.

use std::collections::{HashMap, HashSet};

use super::connection::{Flow, Open};
use super::{Seen, Trouble};
use crate::records::{Benefit, Said, hash, said};

/// Flows whose number is taken at every look; that of all is taken now and then.
const RECENT: usize = 20_000;
/// Flows that are read at once.
const PAGE: usize = 20_000;

/// Every flow that became visible, in that order.
#[derive(Default)]
pub(super) struct Feed {
    flows: Vec<(i64, u64)>,
    names: HashSet<u64>,
    /// Everything that was ever inserted.
    inserted: HashSet<u64>,
    /// By protocol: what is in force.
    in_force: HashMap<u64, u64>,
}

impl Feed {
    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    fn last(&self) -> i64 {
        self.flows.last().map_or(0, |(ts, _)| *ts)
    }

    /// Takes note of what is there since the last look; nothing may have appeared before it.
    pub(super) fn look(&mut self, open: &mut Open, eservice: i64, at_all: bool) -> Result<(), Trouble> {
        let from = if at_all { 0 } else { self.flows.len().saturating_sub(RECENT) };
        if let Some((first, _)) = self.flows.get(from) {
            let first = if from == 0 { 0 } else { *first };
            let count = open.number(&format!(
                "SELECT count(*) AS number FROM flusso WHERE eservice_id = {eservice} AND ts >= {first} AND ts <= {}",
                self.last()
            ))?;
            if count != i64::try_from(self.flows.len() - from).unwrap() {
                self.compare(open, eservice)?;
                let what = format!("{count} flows where there were {}", self.flows.len() - from);
                return Err(Trouble::Violation(what));
            }
        }
        loop {
            let flows = page(open, eservice, self.last())?;
            for flow in &flows {
                self.add(flow).map_err(Trouble::Violation)?;
            }
            if flows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn add(&mut self, flow: &Flow) -> Result<(), String> {
        let Flow { ts, id_flusso, payload, .. } = flow;
        if !self.names.insert(hash(id_flusso)) {
            return Err(format!("two flows are called {id_flusso}"));
        }
        let Some(Said { benefit, withdraws, rest }) = said(payload) else {
            return Err(format!("{id_flusso} is not a flow of this run"));
        };
        let key = hash(&benefit.protocollo);
        match (self.in_force.get(&key), withdraws) {
            (None, false) => {
                self.in_force.insert(key, rest);
                self.inserted.insert(hash(&benefit));
            }
            (Some(in_force), true) if *in_force == rest => {
                self.in_force.remove(&key);
            }
            (Some(_), true) => return Err(format!("{id_flusso} cancels what is not in force: {benefit:?}")),
            (Some(_), false) => return Err(format!("{id_flusso} inserts what is in force: {benefit:?}")),
            (None, true) => return Err(format!("{id_flusso} cancels what was not there: {benefit:?}")),
        }
        self.flows.push((*ts, content(flow)));
        Ok(())
    }

    /// Whether this is the flow that comes at this place.
    pub(super) fn is_next(&self, position: usize, seen: &Seen) -> Result<(), String> {
        let Seen { ts, id_flusso, .. } = seen;
        match self.flows.get(position) {
            Some(flow) if *flow == (*ts, seen.content) => Ok(()),
            Some((next, _)) if next < ts => {
                Err(format!("the flow of {next} was not seen, and {id_flusso} of {ts} was"))
            }
            Some((next, _)) if next == ts => Err(format!("{id_flusso} of {ts} was not what the feed holds")),
            _ => Err(format!("{id_flusso} of {ts} was seen, and is not in the feed")),
        }
    }

    pub(super) fn has(&self, id_flusso: &str) -> Result<(), String> {
        let is_known = self.names.contains(&hash(&id_flusso));
        is_known.then_some(()).ok_or_else(|| format!("{id_flusso} was acknowledged, and is not in the feed"))
    }

    pub(super) fn says(&self, benefit: &Benefit) -> Result<(), String> {
        let is_known = self.inserted.contains(&hash(benefit));
        is_known.then_some(()).ok_or_else(|| format!("{benefit:?} was imported, and is not in the feed"))
    }

    /// Reads the whole feed again: it must be what it was.
    pub(super) fn compare(&self, open: &mut Open, eservice: i64) -> Result<(), Trouble> {
        let (mut last, mut position) = (0, 0);
        loop {
            let flows = page(open, eservice, last)?;
            for flow in &flows {
                let Flow { ts, id_flusso, .. } = flow;
                let known = self.flows.get(position);
                if known != Some(&(*ts, content(flow))) {
                    let after = self.last();
                    let what = match known {
                        Some((next, _)) if ts < next => {
                            format!("{id_flusso} of {ts} appeared after that of {after} was visible")
                        }
                        Some((next, _)) => format!("the flow of {next} has changed or is gone"),
                        None => format!("{id_flusso} of {ts} appeared at the end"),
                    };
                    return Err(Trouble::Violation(what));
                }
                (last, position) = (*ts, position + 1);
            }
            if flows.len() < PAGE {
                break;
            }
        }
        if position != self.flows.len() {
            return Err(Trouble::Violation(format!("of {} flows {position} are left", self.flows.len())));
        }
        Ok(())
    }
}

fn page(open: &mut Open, eservice: i64, after: i64) -> Result<Vec<Flow>, String> {
    let flows: Vec<Flow> = open.load(&format!(
        "SELECT ts, id_flusso, CAST(payload_format AS BIGINT) AS payload_format, payload FROM flusso \
         WHERE eservice_id = {eservice} AND ts > {after} ORDER BY ts LIMIT {PAGE}"
    ))?;
    flows.into_iter().map(Flow::plain).collect()
}

fn content(flow: &Flow) -> u64 {
    hash(&(&flow.id_flusso, &flow.payload))
}
