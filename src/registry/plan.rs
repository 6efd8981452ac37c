//! What must be published, decided from the records and from what the registry holds. No database here.

use std::collections::HashMap;

use super::Fingerprint;
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::record::{Record, TipoFlusso, TipoOperazione};

/// A withdrawal of what the registry does not hold.
pub static NOT_HELD: Rule = Rule {
    code: "REG-01",
    severity: Severity::Errore,
    summary: "Si ritira (TipoOperazione C) soltanto una prestazione che il registro conosce.",
    source: "Specifica WaaS.Comuni: una cancellazione ripete il flusso inviato",
};

/// What identifies a record, and what tells whether it changed.
pub(super) struct Keys {
    pub(super) identity: Fingerprint,
    content: Fingerprint,
}

impl Keys {
    pub(super) fn of(record: &Record) -> Self {
        Self { identity: Fingerprint::of(&record.identity()), content: Fingerprint::of(&record.content()) }
    }
}

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
#[derive(Debug)]
pub(super) struct Benefit<'a> {
    /// Its id, if the registry held it before.
    pub(super) id: Option<i64>,
    pub(super) content: Fingerprint,
    pub(super) stato: Stato,
    /// The last flow published for it.
    pub(super) in_force: Flow,
    /// The last record that changed it; none if the plan does not touch it.
    pub(super) record: Option<&'a Record>,
}

/// What a flow says.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Insertion(&'a Record),
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
    Changed { cancellation: Option<usize>, insertion: usize },
    Withdrawn(usize),
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

    /// Adds what `record` changes.
    pub(super) fn add(&mut self, record: &'a Record, keys: &Keys) -> Outcome {
        let held = self.benefits.get(&keys.identity).map(|held| (held.stato, held.content, held.in_force));
        match (record.operazione(), held) {
            (TipoOperazione::Cancellazione, None) => Outcome::Refused(Box::new(not_held())),
            (TipoOperazione::Cancellazione, Some((Stato::Withdrawn, _, _))) => Outcome::Unchanged,
            (TipoOperazione::Cancellazione, Some((Stato::Active, content, in_force))) => {
                let flow = self.flow(record, keys, Content::Cancellation(in_force));
                self.leave(record, keys.identity, content, Stato::Withdrawn, flow);
                Outcome::Withdrawn(flow)
            }
            (TipoOperazione::Inserimento, None | Some((Stato::Withdrawn, _, _))) => {
                Outcome::New(self.insert(record, keys))
            }
            (TipoOperazione::Inserimento, Some((Stato::Active, content, _))) if content == keys.content => {
                Outcome::Unchanged
            }
            (TipoOperazione::Inserimento, Some((Stato::Active, _, in_force))) => {
                let cancellation = match record.tipo() {
                    TipoFlusso::PsPsaSina => Some(self.flow(record, keys, Content::Cancellation(in_force))),
                    TipoFlusso::Sinba => None,
                };
                Outcome::Changed { cancellation, insertion: self.insert(record, keys) }
            }
        }
    }

    fn insert(&mut self, record: &'a Record, keys: &Keys) -> usize {
        let flow = self.flow(record, keys, Content::Insertion(record));
        self.leave(record, keys.identity, keys.content, Stato::Active, flow);
        flow
    }

    fn flow(&mut self, record: &Record, keys: &Keys, content: Content<'a>) -> usize {
        self.flows.push(PlannedFlow { identity: keys.identity, tipo: record.tipo(), content });
        self.flows.len() - 1
    }

    fn leave(
        &mut self,
        record: &'a Record,
        identity: Fingerprint,
        content: Fingerprint,
        stato: Stato,
        flow: usize,
    ) {
        let id = self.benefits.get(&identity).and_then(|held| held.id);
        let benefit = Benefit { id, content, stato, in_force: Flow::Planned(flow), record: Some(record) };
        self.benefits.insert(identity, benefit);
    }
}

fn not_held() -> Notice {
    Notice::new(
        &NOT_HELD,
        "TipoOperazione",
        "C",
        "La prestazione da ritirare non è nel registro: non risulta mai pubblicata con questo codice fiscale, codice \
         prestazione, protocollo e data.",
        "Controllare che questi dati siano quelli con cui fu inviata; se non fu mai inviata, togliere la riga.",
    )
}
