//! What vendors' software is answered: a verdict for each record, with its benefits, flows and notices.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::call_log::pulls::{Pull, Pulls};
use crate::intake::report::Entry;
use crate::intake::{self, Taken};
use crate::registry::{FlussoSeen, Found, Payload, Published, Verdict};
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::rules::Severities;
use crate::store::StoreError;

pub(super) static CORRECTION: Rule = Rule {
    code: "API-01",
    severity: Severity::Errore,
    summary: "Una correzione porta il record giusto: per ritirarlo c'è DELETE",
    source: "specs/back-office.yaml",
};

pub(super) fn withdrawal_in_correction() -> Notice {
    Notice::new(
        &CORRECTION,
        "TipoOperazione",
        "C",
        "Il record di una correzione non può essere una cancellazione.",
        "Togliere TipoOperazione, o ritirare la prestazione con DELETE.",
    )
}

/// An answer, ready to be sent and to be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the one record that was asked for was refused. A batch is never refused as a whole.
    pub refused: bool,
    /// How many records it speaks of.
    pub records: u32,
    /// How many of them were taken and refused just then: none by a request that comes again.
    pub judged: (u64, u64),
    /// JSON: `{"records": […]}` for a batch, the record's object for one.
    pub body: String,
}

/// A record, and what was done with its parts.
pub(super) struct Done {
    taken: Taken,
    published: Vec<Published>,
}

/// What is said of a record.
#[derive(Serialize)]
struct RecordAnswer<'a> {
    index: u64,
    #[serde(rename = "ProtocolloDomanda", skip_serializing_if = "Option::is_none")]
    protocollo_domanda: Option<&'a str>,
    #[serde(rename = "IDBeneficiario", skip_serializing_if = "Option::is_none")]
    id_beneficiario: Option<&'a str>,
    verdict: &'static str,
    prestazioni: Vec<PrestazioneAnswer<'a>>,
    notices: Vec<Entry<'a>>,
}

/// What is said of a benefit: a record that crosses years is several.
#[derive(Serialize)]
struct PrestazioneAnswer<'a> {
    id: Option<String>,
    verdict: &'static str,
    flussi: Vec<&'a str>,
}

impl Answer {
    pub(super) fn of_batch(done: &[Done]) -> Self {
        let records: Vec<_> = done.iter().map(Done::answer).collect();
        Self {
            refused: false,
            records: u32::try_from(records.len()).unwrap_or(u32::MAX),
            judged: done.iter().fold((0, 0), |(taken, refused), one| {
                if one.taken.is_refused() { (taken, refused + 1) } else { (taken + 1, refused) }
            }),
            body: json!({ "records": records }).to_string(),
        }
    }

    pub(super) fn of_one(done: &Done) -> Self {
        let refused = done.taken.is_refused();
        let judged = if refused { (0, 1) } else { (1, 0) };
        Self { refused, records: 1, judged, body: json!(done.answer()).to_string() }
    }
}

impl Done {
    pub(super) fn new(mut taken: Taken, published: Vec<Published>, severities: &Severities) -> Self {
        let mut notices: Vec<_> = published
            .iter()
            .filter_map(|part| match &part.verdict {
                Verdict::Refused(notice) | Verdict::Unsettled(notice) => Some((**notice).clone()),
                _ => None,
            })
            .collect();
        severities.weigh(&mut notices);
        // The parts of a record are refused together, for one reason.
        notices.dedup();
        taken.notices.append(&mut notices);
        Self { taken, published }
    }

    fn answer(&self) -> RecordAnswer<'_> {
        let parts = self.published.iter().map(|part| {
            let (verdict, flussi) = match &part.verdict {
                Verdict::New { id_flusso } => (PUBLISHED, vec![id_flusso.as_str()]),
                Verdict::Unchanged | Verdict::Unsettled(_) => (UNCHANGED, Vec::new()),
                Verdict::Changed { cancellations, insertion } => {
                    (CHANGED, cancellations.iter().chain([insertion]).map(String::as_str).collect())
                }
                Verdict::Withdrawn { cancellations } => {
                    (WITHDRAWN, cancellations.iter().map(String::as_str).collect())
                }
                Verdict::Refused(_) => (REFUSED, Vec::new()),
            };
            PrestazioneAnswer { id: part.prestazione.map(|id| id.to_string()), verdict, flussi }
        });
        let parts: Vec<_> = parts.collect();
        let any = |verdict| parts.iter().any(|part| part.verdict == verdict);
        let verdict = if self.taken.is_refused() {
            REFUSED
        } else if any(CHANGED) || (any(PUBLISHED) && any(WITHDRAWN)) {
            CHANGED
        } else {
            [PUBLISHED, WITHDRAWN].into_iter().find(|verdict| any(verdict)).unwrap_or(UNCHANGED)
        };
        let (protocollo_domanda, id_beneficiario) = self.taken.label.names();
        RecordAnswer {
            index: self.taken.line,
            protocollo_domanda,
            id_beneficiario,
            verdict,
            prestazioni: parts,
            notices: self.taken.notices.iter().map(|notice| Entry::new(&self.taken, notice)).collect(),
        }
    }
}

const PUBLISHED: &str = "published";
const UNCHANGED: &str = "unchanged";
const CHANGED: &str = "changed";
const WITHDRAWN: &str = "withdrawn";
const REFUSED: &str = "refused";

/// A benefit as JSON: its state, its flows, what became of each, and the record as the last insertion says it.
/// `pulls` tells which calls disclosed its flows.
pub fn document(found: &Found, pulls: &BTreeMap<i64, Pulls>) -> Result<Value, StoreError> {
    let unreadable = || StoreError::Unreadable(format!("the flow of the benefit {}", found.id));
    let last = found.flussi.iter().rfind(|flusso| flusso.operazione.as_deref() != Some("C"));
    let record = match last.map(|flusso| &flusso.payload) {
        Some(Payload::Xml(xml)) => Some(intake::to_json(xml).ok_or_else(unreadable)?),
        Some(Payload::Dropped { .. }) | None => None,
    };
    let flussi: Vec<Value> =
        found.flussi.iter().map(|flusso| flow(flusso, pulls.get(&flusso.ts_ms))).collect();
    Ok(json!({
        "id": found.id.to_string(),
        "ente": found.codice_ente,
        "tipo": found.tipo.as_str(),
        "stato": found.stato,
        "record": record,
        "created": instant(found.created_ms),
        "updated": instant(found.updated_ms),
        "flussi": flussi,
    }))
}

fn flow(flusso: &FlussoSeen, pulls: Option<&Pulls>) -> Value {
    let esiti: Vec<Value> = flusso
        .esiti
        .iter()
        .map(|esito| {
            json!({
                "codice_esito": esito.codice_esito,
                "descrizione": esito.descrizione,
                "id_acquisizione_siuss": esito.id_acquisizione_siuss,
                "received": instant(esito.received_ms),
            })
        })
        .collect();
    let call =
        |pull: &Pull| json!({ "instant": format!("{:.3}", pull.instant), "request_id": pull.request_id });
    let prelievi = pulls
        .map(|pulls| json!({ "count": pulls.count, "first": call(&pulls.first), "last": call(&pulls.last) }));
    let dropped = match flusso.payload {
        Payload::Xml(_) => None,
        Payload::Dropped { ms } => instant(ms),
    };
    json!({
        "id_flusso": flusso.id_flusso,
        "operazione": flusso.operazione,
        "stato": flusso.stato(pulls.is_some()),
        "published": instant(flusso.ts_ms),
        "dropped": dropped,
        "prelievi": prelievi,
        "esiti": esiti,
    })
}

fn instant(ms: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(ms).map(|instant| format!("{instant:.3}")).ok()
}
