//! What must be published, decided from the records and from what the registry holds. No database here.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Fingerprint;
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::record::{Record, TipoFlusso, TipoOperazione};
use crate::store::Day;

/// A withdrawal of what the registry does not hold.
pub(super) static NOT_HELD: Rule = Rule {
    code: "REG-01",
    severity: Severity::Errore,
    summary: "Si ritira (TipoOperazione C) soltanto una prestazione che il registro conosce.",
    source: "Specifica WaaS.Comuni: una cancellazione ripete il flusso inviato",
};

/// A withdrawal of what cannot be withdrawn.
pub(super) static NOT_CANCELLABLE: Rule = Rule {
    code: "REG-02",
    severity: Severity::Errore,
    summary: "Un flusso SINBA non si ritira: il tracciato non prevede la cancellazione.",
    source: "SINBA.xsd, che non ha TipoOperazione",
};
/// A correction of what was withdrawn.
pub(super) static WITHDRAWN: Rule = Rule {
    code: "REG-03",
    severity: Severity::Errore,
    summary: "Si corregge soltanto una prestazione attiva.",
    source: "Specifica WaaS.Comuni: una correzione è una cancellazione seguita da un inserimento",
};

/// A withdrawal that describes another content than the one in force.
pub(super) static OTHER_CONTENT: Rule = Rule {
    code: "REG-04",
    severity: Severity::Errore,
    summary: "Una riga con TipoOperazione C descrive la prestazione come è stata inviata.",
    source: "Fatti SIUSS, «Life of a record»: una cancellazione ripete ciò che fu inviato",
};

/// A change of a benefit whose payload was dropped.
pub(super) static PAYLOAD_GONE: Rule = Rule {
    code: "REG-06",
    severity: Severity::Errore,
    summary: "Non si ritira né si corregge una prestazione di cui il contenuto inviato è stato eliminato.",
    source: "[retention] della configurazione: una cancellazione ripete ciò che fu inviato",
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
    /// When the payload of the flow in force was dropped, if it was, in milliseconds since the epoch.
    pub(super) gone_ms: Option<i64>,
    /// The last record that the plan inserts of it, if any.
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
        let held = self.benefits.get(&keys.identity);
        let gone_ms = held.and_then(|held| held.gone_ms);
        let held = held.map(|held| (held.stato, held.content, held.in_force));
        match (record.operazione(), held) {
            (TipoOperazione::Cancellazione, Some((Stato::Active, content, _))) if content != keys.content => {
                Outcome::Refused(Box::new(other_content()))
            }
            (TipoOperazione::Cancellazione, _) => self.withdraw(keys.identity, record.tipo()),
            (TipoOperazione::Inserimento, None | Some((Stato::Withdrawn, _, _))) => {
                Outcome::New(self.insert(record, keys))
            }
            (TipoOperazione::Inserimento, Some((Stato::Active, content, _))) if content == keys.content => {
                Outcome::Unchanged
            }
            (TipoOperazione::Inserimento, Some((Stato::Active, _, in_force))) => {
                let cancellation = match (record.tipo(), gone_ms) {
                    (TipoFlusso::PsPsaSina, Some(gone_ms)) => {
                        return Outcome::Refused(Box::new(payload_gone(gone_ms)));
                    }
                    (TipoFlusso::PsPsaSina, None) => {
                        Some(self.flow(keys.identity, record.tipo(), Content::Cancellation(in_force)))
                    }
                    (TipoFlusso::Sinba, _) => None,
                };
                Outcome::Changed { cancellation, insertion: self.insert(record, keys) }
            }
        }
    }

    /// Adds the withdrawal of the benefit with this identity.
    pub(super) fn withdraw(&mut self, identity: Fingerprint, tipo: TipoFlusso) -> Outcome {
        let Some(held) = self.benefits.get(&identity) else {
            return Outcome::Refused(Box::new(not_held()));
        };
        let in_force = held.in_force;
        match (held.stato, tipo, held.gone_ms) {
            (Stato::Withdrawn, _, _) => Outcome::Unchanged,
            (Stato::Active, TipoFlusso::Sinba, _) => Outcome::Refused(Box::new(not_cancellable())),
            (Stato::Active, TipoFlusso::PsPsaSina, Some(gone_ms)) => {
                Outcome::Refused(Box::new(payload_gone(gone_ms)))
            }
            (Stato::Active, TipoFlusso::PsPsaSina, None) => {
                let flow = self.flow(identity, tipo, Content::Cancellation(in_force));
                if let Some(held) = self.benefits.get_mut(&identity) {
                    held.stato = Stato::Withdrawn;
                    held.in_force = Flow::Planned(flow);
                }
                Outcome::Withdrawn(flow)
            }
        }
    }

    /// Adds `records` in the place of the benefit with the identity `old`, which is withdrawn unless one of them is
    /// that benefit. Refused whole, with one outcome, when the benefit cannot be corrected.
    pub(super) fn correct(
        &mut self,
        old: Fingerprint,
        tipo: TipoFlusso,
        records: &'a [Record],
        keys: &[Keys],
    ) -> Vec<(Fingerprint, Outcome)> {
        if self.benefits.get(&old).is_some_and(|held| held.stato == Stato::Withdrawn) {
            return vec![(old, Outcome::Refused(Box::new(withdrawn())))];
        }
        let mut outcomes = Vec::with_capacity(records.len() + 1);
        if keys.iter().all(|keys| keys.identity != old) {
            let withdrawal = self.withdraw(old, tipo);
            let refused = matches!(withdrawal, Outcome::Refused(_));
            outcomes.push((old, withdrawal));
            if refused {
                return outcomes;
            }
        }
        let added = records.iter().zip(keys).map(|(record, keys)| (keys.identity, self.add(record, keys)));
        outcomes.extend(added);
        outcomes
    }

    fn insert(&mut self, record: &'a Record, keys: &Keys) -> usize {
        let flow = self.flow(keys.identity, record.tipo(), Content::Insertion(record));
        let id = self.benefits.get(&keys.identity).and_then(|held| held.id);
        let benefit = Benefit {
            id,
            content: keys.content,
            stato: Stato::Active,
            in_force: Flow::Planned(flow),
            gone_ms: None,
            record: Some(record),
        };
        self.benefits.insert(keys.identity, benefit);
        flow
    }

    fn flow(&mut self, identity: Fingerprint, tipo: TipoFlusso, content: Content<'a>) -> usize {
        self.flows.push(PlannedFlow { identity, tipo, content });
        self.flows.len() - 1
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

fn other_content() -> Notice {
    Notice::new(
        &OTHER_CONTENT,
        "TipoOperazione",
        "C",
        "La prestazione è nel registro, ma con un contenuto diverso da quello di questa riga.",
        "Se la riga descrive una versione già sostituita non c'è nulla da fare; per ritirare quella in vigore, \
         descriverla com'è, o usare `benefits withdraw`.",
    )
}

fn not_cancellable() -> Notice {
    Notice::new(
        &NOT_CANCELLABLE,
        "SINBA",
        "",
        "Un minore in carico (SINBA) non si può ritirare: il tracciato SINBA non prevede la cancellazione.",
        "Inviare la situazione aggiornata del minore, per esempio con MotivazioneChiusuraCarico; per una posizione \
         inviata per errore rivolgersi a INPS.",
    )
}

fn payload_gone(ms: i64) -> Notice {
    let day = Day::of(Timestamp::from_millisecond(ms).unwrap_or_default());
    Notice::new(
        &PAYLOAD_GONE,
        "TipoOperazione",
        "",
        format!(
            "Il contenuto che fu inviato di questa prestazione è stato eliminato il {day}, come vuole la \
             configurazione ([retention]): non si può più ripetere per annullarlo."
        ),
        "Lasciare la prestazione com'è. Se va annullata o corretta comunque, chiedere a INPS come farlo.",
    )
}

fn withdrawn() -> Notice {
    Notice::new(
        &WITHDRAWN,
        "id",
        "",
        "La prestazione è già stata ritirata: non si può correggere.",
        "Se è di nuovo dovuta, registrarla come nuova.",
    )
}
