//! INPS's outcomes: which are sent, and whether they are taken.

use std::path::Path;

use serde_json::{Value, json};

use super::check::Check;
use super::client::Answer;
use super::session::{Bearer, Session};
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
    /// These, as they are, after the pull.
    These(Vec<Value>),
}

impl Esiti {
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
    /// The body of the first call that was taken, to be sent again.
    first: Option<String>,
    /// Flows for which an outcome was made.
    acquired: u64,
    /// Outcomes taken.
    pub(super) sent: u64,
    /// Calls that were taken.
    pub(super) calls: u64,
    /// Whether the service takes no more for the time being.
    stopped: bool,
}

impl Deliveries {
    /// Has `OK` sent for an entry that was pulled, sooner or later. One that cannot be named gets no outcome.
    pub(super) fn acquired(&mut self, entry: &Value, clock: &Clock) {
        let text = |name| entry.get(name).and_then(Value::as_str);
        let (Some(id_flusso), Some(ts_flusso), Some(tipo)) =
            (text("id_flusso"), text("ts_flusso"), text("tipo"))
        else {
            return;
        };
        if self.stopped {
            return;
        }
        self.acquired += 1;
        self.pending.push(json!({
            "id_flusso": id_flusso,
            "ts_flusso": ts_flusso,
            "ts_acquisizione": format!("{:.3}", clock.now()),
            "tipo": tipo,
            "codice_esito": "OK",
            "id_acquisizione_siuss": self.acquired.to_string(),
        }));
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
        self.send_full(session);
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() && !self.stopped {
            self.send(session, &rest);
        }
        if let Some(body) = self.first.take() {
            let answer = session.ask("/esiti", Bearer::Own, Some(&body));
            let taken = answer.as_ref().is_ok_and(Answer::is_success);
            session.tally.judge(Check::EsitiAgain, taken, || match answer {
                Ok(answer) => format!("the first delivery, sent again: {}", problem::describe(&answer)),
                Err(error) => format!("the first delivery, sent again: {error}"),
            });
        }
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
            self.first.get_or_insert(body);
        }
    }
}
