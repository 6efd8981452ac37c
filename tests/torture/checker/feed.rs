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
    /// By protocol: what is in force, and the name of the flow that inserted it.
    in_force: HashMap<u64, (u64, String)>,
    /// Insertions in the place of one that INPS refused, which needs no cancellation.
    replaced: u64,
}

impl Feed {
    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    pub(super) fn replaced(&self) -> u64 {
        self.replaced
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
                self.add(open, eservice, flow)?;
            }
            if flows.len() < PAGE {
                return Ok(());
            }
        }
    }

    fn add(&mut self, open: &mut Open, eservice: i64, flow: &Flow) -> Result<(), Trouble> {
        let Flow { ts, id_flusso, payload, .. } = flow;
        let wrong = |what: String| Err(Trouble::Violation(format!("{id_flusso} {what}")));
        let Some(Said { benefit, withdraws, rest }) = said(payload) else {
            return wrong("is not a flow of this run".to_owned());
        };
        let key = hash(&benefit.protocollo);
        let is_replaced = match self.in_force.get(&key) {
            // What it rests on was stored before it was published.
            Some((_, name)) if !withdraws => is_refused(open, eservice, name)?,
            _ => false,
        };
        match (self.in_force.get(&key), withdraws) {
            (in_force, false) if in_force.is_none() || is_replaced => {
                self.in_force.insert(key, (rest, id_flusso.clone()));
                self.inserted.insert(hash(&benefit));
                self.replaced += u64::from(is_replaced);
            }
            (Some((in_force, _)), true) if *in_force == rest => {
                self.in_force.remove(&key);
            }
            (Some(_), true) => return wrong(format!("cancels what is not in force: {benefit:?}")),
            (_, false) => return wrong(format!("inserts what is in force: {benefit:?}")),
            (None, true) => return wrong(format!("cancels what was not there: {benefit:?}")),
        }
        if !self.names.insert(hash(id_flusso)) {
            return wrong("is the name of two flows".to_owned());
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

/// Whether INPS refused the flow of this name.
fn is_refused(open: &mut Open, eservice: i64, name: &str) -> Result<bool, String> {
    let refusals = open.number(&format!(
        "SELECT count(*) AS number FROM esito WHERE eservice_id = {eservice} AND id_flusso = '{name}' AND codice_esito \
         <> 'OK'"
    ))?;
    Ok(refusals > 0)
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
