//! INPS, as far as it can be guessed from outside: what it makes of flows, in each way in which it may recognise what
//! it already has, refusing some and changing its mind.

use waas_comuni::registry::{CodiceEsito, Esito, PublishedFlusso};
use waas_comuni::siuss::record::TipoOperazione;
use waas_comuni::siuss::xml;

use super::esito;

/// How INPS recognises what it has: this is not published.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recognition {
    /// Every insertion is one more; a cancellation takes away one with its text.
    Each,
    /// Two insertions with the same text are one.
    Text,
    /// An insertion takes the place of any other of the same benefit, and a cancellation removes whatever is there.
    Benefit,
}

struct Held {
    flow: usize,
    benefit: String,
    text: String,
}

struct Seen {
    flusso: PublishedFlusso,
    cancels: bool,
    benefit: String,
    text: String,
    codice: CodiceEsito,
    changed_mind: bool,
    /// What its cancellation took away.
    removed: Option<Held>,
}

pub(super) struct Inps {
    pub(super) recognition: Recognition,
    /// Whether a cancellation of nothing is accepted.
    pub(super) lenient: bool,
    held: Vec<Held>,
    seen: Vec<Seen>,
    /// Outcomes that were not delivered yet.
    outbox: Vec<Esito>,
}

impl Inps {
    pub(super) fn new(recognition: Recognition, lenient: bool) -> Self {
        Self { recognition, lenient, held: Vec::new(), seen: Vec::new(), outbox: Vec::new() }
    }

    pub(super) fn cursor(&self) -> u128 {
        self.seen.last().map_or(0, |last| u128::try_from(last.flusso.ts_ms).unwrap())
    }

    /// Takes a flow of the feed, and refuses it with `refusal` if there is one.
    pub(super) fn process(&mut self, flusso: PublishedFlusso, refusal: Option<CodiceEsito>) {
        let sent = xml::read(&flusso.xml).unwrap();
        let mut seen = Seen {
            cancels: sent.record.operazione() == TipoOperazione::Cancellazione,
            benefit: sent.record.identity(),
            text: sent.record.content(),
            codice: refusal.unwrap_or(CodiceEsito::Ok),
            changed_mind: false,
            removed: None,
            flusso,
        };
        if refusal.is_none() && seen.cancels {
            seen.removed = self.remove(&seen);
            if seen.removed.is_none() && !self.lenient {
                seen.codice = CodiceEsito::DatiNonTrovati;
            }
        } else if refusal.is_none() {
            self.insert(self.seen.len(), seen.benefit.clone(), seen.text.clone());
        }
        self.outbox.push(esito(&seen.flusso, seen.codice));
        self.seen.push(seen);
    }

    fn insert(&mut self, flow: usize, benefit: String, text: String) {
        match self.recognition {
            Recognition::Text if self.held.iter().any(|held| held.text == text) => return,
            Recognition::Each | Recognition::Text => {}
            Recognition::Benefit => self.held.retain(|held| held.benefit != benefit),
        }
        self.held.push(Held { flow, benefit, text });
    }

    fn remove(&mut self, seen: &Seen) -> Option<Held> {
        let place = self.held.iter().position(|held| match self.recognition {
            Recognition::Each | Recognition::Text => held.text == seen.text,
            Recognition::Benefit => held.benefit == seen.benefit,
        })?;
        Some(self.held.remove(place))
    }

    /// Says the opposite of a flow of which it said something, once. Nothing where INPS would contradict what it made
    /// of later flows.
    pub(super) fn change_mind(&mut self, pick: usize) {
        let Some(flow) = (!self.seen.is_empty()).then(|| pick % self.seen.len()) else { return };
        let Seen { cancels, benefit, text, codice, changed_mind, .. } = &self.seen[flow];
        let (cancels, benefit, text) = (*cancels, benefit.clone(), text.clone());
        let accepts = *codice != CodiceEsito::Ok;
        if *changed_mind || (cancels && accepts) {
            return;
        }
        match (cancels, accepts) {
            (false, true) => self.insert(flow, benefit, text),
            (false, false) => self.held.retain(|held| held.flow != flow),
            (true, _) => {
                let Some(removed) = self.seen[flow].removed.take() else { return };
                // What it does not accept any longer does not come back.
                if self.seen[removed.flow].codice == CodiceEsito::Ok {
                    self.insert(removed.flow, removed.benefit, removed.text);
                }
            }
        }
        let seen = &mut self.seen[flow];
        seen.codice = if accepts { CodiceEsito::Ok } else { CodiceEsito::ErroreGenerico };
        seen.changed_mind = true;
        self.outbox.push(esito(&seen.flusso, seen.codice));
    }

    /// Outcomes to deliver: all of them or one, and some that were delivered before.
    pub(super) fn deliver(&mut self, all: bool, pick: usize) -> Vec<Esito> {
        if all || self.outbox.is_empty() {
            return std::mem::take(&mut self.outbox);
        }
        let id = self.outbox[pick % self.outbox.len()].id_flusso.clone();
        // Of one flow, in their order.
        let place = self.outbox.iter().position(|esito| esito.id_flusso == id).unwrap();
        let esito = self.outbox.remove(place);
        vec![esito.clone(), esito]
    }

    /// What it holds of a benefit, by its text.
    pub(super) fn holds(&self, benefit: &str) -> Vec<&str> {
        self.held.iter().filter(|held| held.benefit == benefit).map(|held| held.text.as_str()).collect()
    }
}
