//! What must be published, decided from the records and from what the registry holds. No database here.

use std::collections::HashMap;

use super::esiti::CodiceEsito;
use super::notices::{not_cancellable, not_held, other_content, payload_gone, unsettled, withdrawn};
use crate::siuss::described::{Described, Fingerprint};
use crate::siuss::notice::Notice;
use crate::siuss::record::{Record, TipoFlusso, TipoOperazione};

/// Whether INPS should hold the benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stato {
    Active,
    Withdrawn,
}

/// A flow that a benefit has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// In the feed, with this timestamp.
    Sent(i64),
    /// In this plan, at this place.
    Planned(usize),
}

/// A benefit, as the plan leaves it.
#[derive(Clone, Debug)]
pub(super) struct Benefit<'a> {
    /// Its id, if the registry held it before.
    pub(super) id: Option<i64>,
    pub(super) content: Fingerprint,
    pub(super) stato: Stato,
    /// The last insertion published for it, or the cancellation with which it was withdrawn.
    pub(super) in_force: Flow,
    /// When what a cancellation or another insertion would repeat was dropped, if it was, in milliseconds since the epoch.
    pub(super) gone_ms: Option<i64>,
    /// Insertions to cancel before another takes their place: INPS holds them, or will. Oldest first.
    pub(super) live: Vec<Flow>,
    /// What INPS said against the insertion in force, if that is its last word.
    pub(super) refusal: Option<Refusal>,
    /// The last record that the plan inserts of it, if any.
    pub(super) record: Option<&'a Record>,
    /// Whether the plan changes it.
    pub(super) changed: bool,
    /// Whether it is what its source said of a later year in the row of an earlier one.
    pub(super) is_rest: bool,
    /// Whether the plan changes that, whatever else it changes.
    pub(super) relinked: bool,
    /// What its source said of the next year in the same row, and no longer does.
    pub(super) next: Option<Fingerprint>,
}

/// INPS's refusal of a flow.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) id_flusso: String,
    pub(super) codice: CodiceEsito,
    pub(super) descrizione: Option<String>,
}

impl Benefit<'_> {
    /// Whether INPS is believed to hold what the registry has. Of a child in care it holds every version.
    fn is_settled(&self, tipo: TipoFlusso) -> bool {
        match (self.stato, tipo) {
            (Stato::Withdrawn, _) => self.live.is_empty(),
            (Stato::Active, TipoFlusso::Sinba) => self.refusal.is_none(),
            (Stato::Active, TipoFlusso::PsPsaSina) => {
                self.refusal.is_none() && self.live.as_slice() == [self.in_force]
            }
        }
    }
}

/// What a flow says.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A record.
    Insertion(&'a Described),
    /// The insertion of what that flow inserted.
    Repetition(Flow),
    /// The cancellation of that flow.
    Cancellation(Flow),
}

/// A flow to publish.
#[derive(Debug)]
pub(super) struct PlannedFlow<'a> {
    /// Whose flow it is.
    pub(super) identity: Fingerprint,
    pub(super) tipo: TipoFlusso,
    pub(super) content: Content<'a>,
}

/// What becomes of one record; flows by their place in the plan.
pub(super) enum Outcome {
    New(usize),
    Unchanged,
    Unsettled(Box<Notice>),
    Changed { cancellations: Vec<usize>, insertion: usize },
    Withdrawn { cancellations: Vec<usize> },
    Refused(Box<Notice>),
}

/// What a batch changes.
pub(super) struct Plan<'a> {
    pub(super) benefits: HashMap<Fingerprint, Benefit<'a>>,
    /// In the order in which they are published.
    pub(super) flows: Vec<PlannedFlow<'a>>,
}

impl<'a> Plan<'a> {
    /// A plan on top of the benefits that the registry holds.
    pub(super) fn new(held: HashMap<Fingerprint, Benefit<'a>>) -> Self {
        Self { benefits: held, flows: Vec::new() }
    }

    /// Whether it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.benefits.values().all(|benefit| !benefit.changed && !benefit.relinked)
    }

    /// Adds what `records` change, one after the other: of the parts of one source record all, or, where one of them is
    /// refused, none. What the same row said of later years, and no longer does, is withdrawn.
    pub(super) fn add(&mut self, records: &'a [Described]) -> Vec<(Fingerprint, Outcome)> {
        let mut outcomes = Vec::with_capacity(records.len());
        for parts in records.chunk_by(|_, next| next.continues()) {
            let Some(last) = parts.last() else { continue };
            let ended = self.ended(last);
            let refusal = parts.iter().find_map(|part| self.refusal(part)).or_else(|| {
                ended.iter().find_map(|identity| self.no_withdrawal(*identity, TipoFlusso::PsPsaSina))
            });
            if let Some(notice) = refusal {
                let refused = |part: &Described| (part.key(), Outcome::Refused(Box::new(notice.clone())));
                outcomes.extend(parts.iter().map(refused));
                continue;
            }
            for part in parts {
                outcomes.push((part.key(), self.take(part)));
                self.link(part);
            }
            if let Some((_, outcome)) = outcomes.last_mut() {
                self.end(ended, outcome);
            }
        }
        outcomes
    }

    /// What the row of `last` said of later years, now that it ends with `last`.
    fn ended(&self, last: &Described) -> Vec<Fingerprint> {
        let next = |identity: &Fingerprint| self.benefits.get(identity)?.next;
        match last.operazione() {
            TipoOperazione::Cancellazione => Vec::new(),
            TipoOperazione::Inserimento => std::iter::successors(next(&last.key()), next).collect(),
        }
    }

    /// Withdraws the benefits that have `ended`, as part of the `outcome` of the record that ended them, which changes.
    fn end(&mut self, ended: Vec<Fingerprint>, outcome: &mut Outcome) {
        for identity in ended {
            let Outcome::Withdrawn { cancellations: gone } = self.withdraw(identity, TipoFlusso::PsPsaSina)
            else {
                continue;
            };
            match outcome {
                Outcome::Changed { cancellations, .. } => cancellations.extend(gone),
                Outcome::New(insertion) => {
                    *outcome = Outcome::Changed { cancellations: gone, insertion: *insertion };
                }
                _ => {}
            }
        }
    }

    /// Notes whether `record` is what its source says of a later year in the row of an earlier one.
    fn link(&mut self, record: &Described) {
        if let Some(held) = self.benefits.get_mut(&record.key())
            && record.operazione() == TipoOperazione::Inserimento
            && held.is_rest != record.continues()
        {
            held.is_rest = record.continues();
            held.relinked = true;
        }
    }

    /// Whether the registry has the benefit of `record`, in what state, and whether as `record` describes it.
    fn known(&self, record: &Described) -> Option<(Stato, bool)> {
        self.benefits.get(&record.key()).map(|held| (held.stato, held.content == record.digest()))
    }

    /// Why nothing can be done with `record`, if nothing can.
    fn refusal(&self, record: &Described) -> Option<Notice> {
        match (record.operazione(), self.known(record)) {
            (TipoOperazione::Cancellazione, Some((Stato::Active, false))) => Some(other_content()),
            (TipoOperazione::Cancellazione, _) => self.no_withdrawal(record.key(), record.tipo()),
            (TipoOperazione::Inserimento, Some((Stato::Active, true))) => None,
            (TipoOperazione::Inserimento, _) => self.barred(record.key(), record.tipo()),
        }
    }

    /// Adds what `record` changes, which [`Plan::refusal`] has nothing against.
    fn take(&mut self, record: &'a Described) -> Outcome {
        match (record.operazione(), self.known(record)) {
            (TipoOperazione::Cancellazione, _) => self.withdraw(record.key(), record.tipo()),
            (TipoOperazione::Inserimento, Some((Stato::Active, true))) => {
                self.unchanged(record.key(), record.tipo())
            }
            (TipoOperazione::Inserimento, held) => {
                let cancellations = self.cancel(record.key(), record.tipo());
                let insertion = self.insert(record);
                match held {
                    // What INPS holds of a benefit that was withdrawn has to go first: its withdrawal failed.
                    None | Some((Stato::Withdrawn, _)) if cancellations.is_empty() => Outcome::New(insertion),
                    _ => Outcome::Changed { cancellations, insertion },
                }
            }
        }
    }

    /// Adds the withdrawal of the benefit with this identity.
    pub(super) fn withdraw(&mut self, identity: Fingerprint, tipo: TipoFlusso) -> Outcome {
        match self.no_withdrawal(identity, tipo) {
            Some(notice) => Outcome::Refused(Box::new(notice)),
            None if self.benefits.get(&identity).is_some_and(|held| held.stato == Stato::Withdrawn) => {
                self.unchanged(identity, tipo)
            }
            None => self.cancel_for_good(identity, tipo),
        }
    }

    /// Why the benefit with this identity cannot be withdrawn, if it cannot.
    fn no_withdrawal(&self, identity: Fingerprint, tipo: TipoFlusso) -> Option<Notice> {
        let Some(held) = self.benefits.get(&identity) else { return Some(not_held()) };
        match (held.stato, tipo) {
            (Stato::Withdrawn, _) => None,
            (Stato::Active, TipoFlusso::Sinba) if !held.live.is_empty() => Some(not_cancellable()),
            (Stato::Active, _) => self.barred(identity, tipo),
        }
    }

    /// Adds what makes INPS hold what the registry has, as far as INPS's outcomes tell that it does not: whatever it
    /// may hold is cancelled, and an active benefit inserted again.
    pub(super) fn resend(&mut self, identity: Fingerprint, tipo: TipoFlusso) -> Outcome {
        let Some(held) = self.benefits.get(&identity) else {
            return Outcome::Refused(Box::new(not_held()));
        };
        if held.is_settled(tipo) {
            return Outcome::Unchanged;
        }
        if let Some(gone_ms) = held.gone_ms {
            return Outcome::Refused(Box::new(payload_gone(gone_ms)));
        }
        let in_force = held.in_force;
        match (held.stato, tipo) {
            (Stato::Withdrawn, TipoFlusso::Sinba) => Outcome::Refused(Box::new(not_cancellable())),
            (Stato::Withdrawn, TipoFlusso::PsPsaSina) => self.cancel_for_good(identity, tipo),
            (Stato::Active, _) => {
                let cancellations = self.cancel(identity, tipo);
                let insertion = self.flow(identity, tipo, Content::Repetition(in_force));
                if let Some(held) = self.benefits.get_mut(&identity) {
                    held.inserted(insertion);
                }
                Outcome::Changed { cancellations, insertion }
            }
        }
    }

    /// Adds `records` in the place of the benefit with the identity `old`, which is withdrawn unless one of them is
    /// that benefit. Refused whole, with one outcome, when the benefit cannot be corrected.
    pub(super) fn correct(
        &mut self,
        old: Fingerprint,
        tipo: TipoFlusso,
        records: &'a [Described],
    ) -> Vec<(Fingerprint, Outcome)> {
        if self.benefits.get(&old).is_some_and(|held| held.stato == Stato::Withdrawn) {
            return vec![(old, Outcome::Refused(Box::new(withdrawn())))];
        }
        if let Some(notice) = records.iter().find_map(|record| self.refusal(record)) {
            return vec![(old, Outcome::Refused(Box::new(notice)))];
        }
        let mut outcomes = Vec::with_capacity(records.len() + 1);
        if records.iter().all(|record| record.key() != old) {
            let withdrawal = self.withdraw(old, tipo);
            let refused = matches!(withdrawal, Outcome::Refused(_));
            outcomes.push((old, withdrawal));
            if refused {
                return outcomes;
            }
        }
        for record in records {
            outcomes.push((record.key(), self.take(record)));
        }
        outcomes
    }

    /// The outcome of a record that describes a benefit as the registry has it.
    fn unchanged(&self, identity: Fingerprint, tipo: TipoFlusso) -> Outcome {
        match self.benefits.get(&identity) {
            Some(held) if !held.is_settled(tipo) => Outcome::Unsettled(Box::new(unsettled(held))),
            _ => Outcome::Unchanged,
        }
    }

    /// The refusal to cancel what can no longer be repeated.
    fn barred(&self, identity: Fingerprint, tipo: TipoFlusso) -> Option<Notice> {
        let held = self.benefits.get(&identity)?;
        let cancels = tipo == TipoFlusso::PsPsaSina && !held.live.is_empty();
        held.gone_ms.filter(|_| cancels).map(payload_gone)
    }

    fn insert(&mut self, record: &'a Described) -> usize {
        let flow = self.flow(record.key(), record.tipo(), Content::Insertion(record));
        let benefit = self.benefits.entry(record.key()).or_insert_with(|| Benefit {
            id: None,
            content: record.digest(),
            stato: Stato::Active,
            in_force: Flow::Planned(flow),
            gone_ms: None,
            live: Vec::new(),
            refusal: None,
            record: None,
            changed: true,
            is_rest: false,
            relinked: false,
            next: None,
        });
        benefit.content = record.digest();
        benefit.stato = Stato::Active;
        benefit.record = Some(record);
        benefit.inserted(flow);
        flow
    }

    /// Cancels what INPS holds of a benefit, which is then withdrawn.
    fn cancel_for_good(&mut self, identity: Fingerprint, tipo: TipoFlusso) -> Outcome {
        let cancellations = self.cancel(identity, tipo);
        if let Some(held) = self.benefits.get_mut(&identity) {
            held.stato = Stato::Withdrawn;
            held.refusal = None;
            held.changed = true;
            if let Some(last) = cancellations.last() {
                held.in_force = Flow::Planned(*last);
            }
        }
        Outcome::Withdrawn { cancellations }
    }

    /// Cancels what INPS holds of a benefit; of a child in care nothing can be cancelled.
    fn cancel(&mut self, identity: Fingerprint, tipo: TipoFlusso) -> Vec<usize> {
        let live = match (tipo, self.benefits.get_mut(&identity)) {
            (TipoFlusso::PsPsaSina, Some(held)) => std::mem::take(&mut held.live),
            _ => Vec::new(),
        };
        live.into_iter().map(|flow| self.flow(identity, tipo, Content::Cancellation(flow))).collect()
    }

    fn flow(&mut self, identity: Fingerprint, tipo: TipoFlusso, content: Content<'a>) -> usize {
        self.flows.push(PlannedFlow { identity, tipo, content });
        self.flows.len() - 1
    }
}

impl Benefit<'_> {
    fn inserted(&mut self, flow: usize) {
        self.in_force = Flow::Planned(flow);
        self.live.push(Flow::Planned(flow));
        self.refusal = None;
        self.gone_ms = None;
        self.changed = true;
    }
}
