//! INPS's outcomes: which are sent, and whether they are taken.

use std::path::Path;

use serde_json::{Value, json};

use super::check::Check;
use super::client::Answer;
use super::session::{Bearer, Session};
use super::share::Share;
use super::{InpsError, problem};
use crate::clock::Clock;

/// Outcomes of one call.
const BATCH: usize = 100;

/// Which outcomes are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Esiti {
    /// None.
    None,
    /// `OK` for every flow that was pulled.
    Ok,
    /// A refusal for a share of them, `OK` for the others.
    Refuse(Share),
    /// These, as they are, after the pull.
    These(Vec<Value>),
}

/// A flow that no service ever published: of a day before there was any.
const UNKNOWN: &str = "X000.PS.19990101.0000001";

impl Esiti {
    /// What is said of a flow that was acquired; nothing where outcomes are not made here.
    fn verdict(&self, id_flusso: &str) -> Option<&'static str> {
        match self {
            Self::None | Self::These(_) => None,
            Self::Ok => Some("OK"),
            Self::Refuse(share) => Some(share.refusal(id_flusso).unwrap_or("OK")),
        }
    }

    /// The outcomes in a file: one or more documents with `elenco_esiti`, or outcomes one per line.
    pub fn from_file(path: &Path) -> Result<Self, InpsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| InpsError::File { path: path.to_owned(), source })?;
        let mut esiti = Vec::new();
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let mut value = value.map_err(|source| InpsError::Esiti { path: path.to_owned(), source })?;
            match value.get_mut("elenco_esiti").map(Value::take) {
                Some(Value::Array(list)) => esiti.extend(list),
                _ => esiti.push(value),
            }
        }
        Ok(Self::These(esiti))
    }
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// Outcomes that wait for their call.
    pending: Vec<Value>,
    /// The outcomes of the first call that was taken, to be sent again.
    first: Option<Vec<Value>>,
    /// The last outcome that was made.
    last: Option<Value>,
    /// Flows for which an outcome was made.
    acquired: u64,
    /// Outcomes taken.
    pub(super) sent: u64,
    /// Those of them that refuse a flow.
    pub(super) refusals: u64,
    /// Calls that were taken.
    pub(super) calls: u64,
    /// Whether the service takes no more for the time being.
    stopped: bool,
}

impl Deliveries {
    /// Has an outcome sent for an entry that was pulled, sooner or later. One that cannot be named gets none.
    pub(super) fn acquired(&mut self, entry: &Value, esiti: &Esiti, clock: &Clock) {
        let text = |name| entry.get(name).and_then(Value::as_str);
        let (Some(id_flusso), Some(ts_flusso), Some(tipo)) =
            (text("id_flusso"), text("ts_flusso"), text("tipo"))
        else {
            return;
        };
        let Some(codice) = esiti.verdict(id_flusso).filter(|_| !self.stopped) else { return };
        self.acquired += 1;
        let mut outcome = json!({
            "id_flusso": id_flusso,
            "ts_flusso": ts_flusso,
            "ts_acquisizione": format!("{:.3}", clock.now()),
            "tipo": tipo,
            "codice_esito": codice,
            "id_acquisizione_siuss": self.acquired.to_string(),
        });
        if let (Value::Object(members), false) = (&mut outcome, codice == "OK") {
            members
                .insert("descrizione_esito".to_owned(), json!("Rifiuto di prova: nessun dato è sbagliato."));
        }
        self.last = Some(outcome.clone());
        self.pending.push(outcome);
    }

    /// Sends all that waits.
    pub(super) fn send_all(&mut self, session: &mut Session<'_>) {
        self.send_full(session);
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() && !self.stopped {
            self.send(session, &rest);
        }
    }

    /// Sends what waits, but for less than a whole call.
    pub(super) fn send_full(&mut self, session: &mut Session<'_>) {
        while self.pending.len() >= BATCH && !self.stopped {
            let rest = self.pending.split_off(BATCH);
            let batch = std::mem::replace(&mut self.pending, rest);
            self.send(session, &batch);
        }
    }

    /// Sends `more` and all that waits, then the first call once more: INPS delivers at least once, not exactly once.
    pub(super) fn finish(&mut self, session: &mut Session<'_>, more: &[Value]) {
        self.pending.extend_from_slice(more);
        self.send_all(session);
        if let Some(first) = &self.first {
            deliver(session, Check::EsitiAgain, "the first delivery, sent again", first);
        }
    }

    /// Does what INPS does now and then. In the end the last flow has the outcome that it had.
    pub(super) fn rehearse(&self, session: &mut Session<'_>, clock: &Clock) {
        let (Some(first), Some(last)) = (&self.first, &self.last) else { return };
        let reversed: Vec<Value> = first.iter().rev().cloned().collect();
        deliver(session, Check::EsitiDisorder, "the first delivery, from its end", &reversed);
        let another = |changes: &[(&str, &str)]| {
            let mut esito = last.clone();
            if let Value::Object(members) = &mut esito {
                members.insert("ts_acquisizione".to_owned(), json!(format!("{:.3}", clock.now())));
                // Not the outcome that was sent before, even in the same millisecond.
                members.insert("id_acquisizione_siuss".to_owned(), json!((self.acquired + 1).to_string()));
                for (name, value) in changes {
                    members.insert((*name).to_owned(), json!(value));
                }
            }
            esito
        };
        let refusal = another(&[("codice_esito", "ERRORE_GENERICO"), ("descrizione_esito", "Prova.")]);
        deliver(session, Check::EsitiCorrected, "a refusal of the last flow", &[refusal]);
        deliver(session, Check::EsitiCorrected, "the outcome that takes it back", &[another(&[])]);
        let unknown = another(&[("id_flusso", UNKNOWN)]);
        deliver(session, Check::EsitiUnknown, UNKNOWN, &[unknown]);
    }

    fn send(&mut self, session: &mut Session<'_>, batch: &[Value]) {
        let body = json!({ "elenco_esiti": batch }).to_string();
        let answer = session.ask("/esiti", Bearer::Own, Some(&body));
        let taken = answer.as_ref().is_ok_and(Answer::is_success);
        // A delivery that is refused says nothing of the next; a service that cannot be reached does.
        self.stopped = answer.as_ref().map_or(true, Answer::defers);
        session.tally.judge(Check::Esiti, taken, || match answer {
            Ok(answer) => format!("{} outcomes: {}", batch.len(), problem::describe(&answer)),
            Err(error) => format!("{} outcomes: {error}", batch.len()),
        });
        if taken {
            self.sent += u64::try_from(batch.len()).unwrap_or(0);
            self.calls += 1;
            let refusal = |esito: &&Value| esito.get("codice_esito").is_some_and(|codice| codice != "OK");
            self.refusals += u64::try_from(batch.iter().filter(refusal).count()).unwrap_or(0);
            self.first.get_or_insert_with(|| batch.to_vec());
        }
    }
}

/// Makes one delivery, for one check.
fn deliver(session: &mut Session<'_>, check: Check, what: &str, esiti: &[Value]) {
    let body = json!({ "elenco_esiti": esiti }).to_string();
    let answer = session.ask("/esiti", Bearer::Own, Some(&body));
    let taken = answer.as_ref().is_ok_and(Answer::is_success);
    session.tally.judge(check, taken, || match answer {
        Ok(answer) => format!("{what}: {}", problem::describe(&answer)),
        Err(error) => format!("{what}: {error}"),
    });
}
