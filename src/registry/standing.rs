//! What INPS is believed to hold of a benefit, told from its flows and from what INPS said of them. No database here.
//!
//! A flow of which nothing was said yet is believed to succeed. An insertion that INPS refused was never made. A
//! cancellation that INPS refused took nothing away, unless it was refused because there is nothing
//! (`DATI_NON_TROVATI`): then what it was for is so. An acceptance that takes back a refusal is news of that moment:
//! a cancellation that INPS had dealt with before cannot have concerned it.

use serde::Serialize;

use super::esiti::CodiceEsito;

/// Whether a correction cancels an insertion that INPS refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefusedInsertions {
    /// No: INPS does not hold it.
    #[default]
    Left,
    /// Yes, once.
    Cancelled,
}

impl RefusedInsertions {
    /// What the setting `cancel_refused` asks for.
    #[must_use]
    pub fn of(cancel_refused: bool) -> Self {
        if cancel_refused { Self::Cancelled } else { Self::Left }
    }
}

/// What is left to do about a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// INPS refused the insertion of a benefit that it should hold.
    InsertionRefused,
    /// INPS refused the cancellation of what it should not hold any longer.
    CancellationRefused,
    /// INPS refused an insertion, and accepted it when another had taken its place or it had been withdrawn.
    AcceptedLate,
}

/// A flow of a benefit, and what was said of it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) ts: i64,
    /// The flow that it cancels; none for an insertion.
    pub(super) cancels: Option<i64>,
    /// The outcomes and their places among all that arrived, in that order.
    pub(super) esiti: Vec<(i64, CodiceEsito)>,
}

impl Sent {
    fn last(&self) -> Option<(i64, CodiceEsito)> {
        self.esiti.last().copied()
    }

    /// Whether INPS's last word is a refusal.
    pub(super) fn is_refused(&self) -> bool {
        self.last().is_some_and(|(_, codice)| codice != CodiceEsito::Ok)
    }

    /// Whether INPS ever refused it.
    pub(super) fn was_refused(&self) -> bool {
        self.esiti.iter().any(|(_, codice)| *codice != CodiceEsito::Ok)
    }

    /// When INPS took back a refusal, if it did.
    fn revived(&self) -> Option<i64> {
        self.last().filter(|_| self.was_refused() && !self.is_refused()).map(|(place, _)| place)
    }

    /// Whether, as a cancellation of `insertion`, it is believed to have had its effect.
    fn undoes(&self, insertion: &Self) -> bool {
        if self.cancels != Some(insertion.ts) {
            return false;
        }
        match self.last() {
            None => true,
            Some((place, CodiceEsito::Ok | CodiceEsito::DatiNonTrovati)) => {
                insertion.revived().is_none_or(|revived| revived < place)
            }
            Some((_, CodiceEsito::RichiestaInvalida | CodiceEsito::ErroreGenerico)) => false,
        }
    }
}

/// The insertions among `flows`, the whole history of a benefit in the order of the feed, that are to be cancelled
/// before another takes their place: INPS holds them, or will. By their timestamps, oldest first.
pub(super) fn live(flows: &[Sent], policy: RefusedInsertions) -> Vec<i64> {
    let is_live = |insertion: &&Sent| {
        let mut cancellations = flows.iter().filter(|flow| flow.cancels == Some(insertion.ts));
        if insertion.is_refused() {
            policy == RefusedInsertions::Cancelled && cancellations.next().is_none()
        } else {
            !cancellations.any(|flow| flow.undoes(insertion))
        }
    };
    let insertions = flows.iter().filter(|flow| flow.cancels.is_none());
    insertions.filter(is_live).map(|insertion| insertion.ts).collect()
}

/// What is left to do about the flow with the timestamp `ts`, one of `flows`. `in_force` is the insertion that INPS
/// should hold, if it should hold the benefit at all; where nothing can be cancelled it holds every version.
pub(super) fn case(
    flows: &[Sent],
    ts: i64,
    in_force: Option<i64>,
    cancellable: bool,
    policy: RefusedInsertions,
) -> Option<Case> {
    let flow = flows.iter().find(|flow| flow.ts == ts)?;
    let live = live(flows, policy);
    match flow.cancels {
        None if flow.is_refused() => (in_force == Some(ts)).then_some(Case::InsertionRefused),
        None => {
            let wanted = in_force == Some(ts) || (in_force.is_some() && !cancellable);
            (flow.revived().is_some() && live.contains(&ts) && !wanted).then_some(Case::AcceptedLate)
        }
        Some(target) => {
            let is_last =
                flows.iter().rfind(|flow| flow.cancels == Some(target)).is_some_and(|last| last.ts == ts);
            let failed = flow.is_refused() && live.contains(&target);
            (is_last && failed).then_some(Case::CancellationRefused)
        }
    }
}
