//! One call: everything that its entry holds, explained; which flows it disclosed, by name; its proof.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header;
use askama::Template;

use super::chiamate::Riga;
use super::testi::{MEMBERS, member};
use super::{CHIAMATE, Log, logs, sees_all};
use crate::call_log::action::Kind;
use crate::call_log::disclosed::{Flow, disclosed, is_whole};
use crate::call_log::seal::proof::ProofError;
use crate::call_log::seal::stored;
use crate::call_log::search::{Found, entry};
use crate::console::frame::{Frame, Message};
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::visit::{self, Visit};

/// Leaves of a log that are read for one proof: what takes a moment. Between two checkpoints there are an hour's; a log that
/// was signed for the first time when it was long already has more, which the command line reads.
const MOST_LEAVES: u64 = 500_000;

#[derive(Template)]
#[template(path = "registro/chiamata.html")]
struct Chiamata {
    frame: Frame,
    /// What the list of calls says of it.
    riga: Riga,
    members: Vec<Membro>,
    /// How many outcomes it took, by their code.
    esiti: Vec<(String, String)>,
    flows: Vec<Flow>,
    /// Whether the digest of the names is the one that the entry keeps; none where not all of them are shown.
    agrees: Option<bool>,
}

/// A member of the entry.
struct Membro {
    label: &'static str,
    explanation: &'static str,
    value: String,
}

/// The entry at the place in the path, and the flows that it disclosed, as far as whoever is signed in may see them.
async fn find(visit: &Visit) -> Result<(Found, Vec<Flow>, Log), Refusal> {
    let number = |name| visit.parameter(name)?.parse::<i64>().map_err(|_| Refusal::NotFound);
    let (log_id, index) = (number("registro")?, number("indice")?);
    let log = match logs(visit)?.into_iter().find(|log| log.id == log_id) {
        Some(log) => log,
        // An e-service that is served no longer.
        None if sees_all(visit)? => Log { id: log_id, eservice: None, enti: None },
        None => return Err(Refusal::NotFound),
    };
    let read = move |connection: &mut _| {
        let Some(found) = entry(connection, log_id, index)? else { return Ok(None) };
        let flows = disclosed(connection, &found, None)?;
        Ok(Some((found, flows)))
    };
    let (found, mut flows) = visit.console.store.read_async(read).await?.ok_or(Refusal::NotFound)?;
    if let Some(enti) = &log.enti {
        flows.retain(|flow| enti.contains(&flow.codice_ente));
        if flows.is_empty() {
            return Err(Refusal::NotFound);
        }
    }
    Ok((found, flows, log))
}

pub(super) async fn show(visit: Visit) -> Answer {
    let (found, flows, log) = find(&visit).await?;
    let entry = found.json()?;
    let agrees = (log.enti.is_none() && !flows.is_empty()).then(|| is_whole(&found, &flows));
    let members = MEMBERS.iter().map(|(name, label, explanation)| Membro {
        label,
        explanation,
        value: member(&entry, name),
    });
    let esiti = entry.get("esiti").map(taken).unwrap_or_default();
    visit::show(&Chiamata {
        frame: visit
            .frame(&format!("Voce {}", found.index()))
            .below("Cruscotto", "/")
            .below("Registro delle chiamate", CHIAMATE),
        riga: Riga::of(&found)?,
        members: members.filter(|membro| !membro.value.is_empty()).collect(),
        esiti,
        flows,
        agrees,
    })
}

/// The outcomes that a call took, by what they are and how many.
fn taken(esiti: &serde_json::Value) -> Vec<(String, String)> {
    let by_code = esiti.get("by_code").and_then(serde_json::Value::as_object);
    let mut rows: Vec<(String, String)> =
        by_code.into_iter().flatten().map(|(code, count)| (code.clone(), count.to_string())).collect();
    for (name, label) in [("repeated", "già ricevuti"), ("unknown_flows", "su flussi mai pubblicati")] {
        if let Some(count) = esiti.get(name) {
            rows.push((label.to_owned(), count.to_string()));
        }
    }
    rows
}

pub(super) async fn prove(visit: Visit) -> Answer {
    let (found, ..) = find(&visit).await?;
    let work = &visit.console.registro;
    let Ok(_permit) = work.exports.clone().try_acquire_owned() else {
        return message(
            &visit,
            StatusCode::TOO_MANY_REQUESTS,
            "Altri stanno già scaricando dal registro: riprovare tra poco.",
        );
    };
    let (log_id, index) = (found.log_id(), found.index());
    let mut action = visit.action(Kind::CallsExported)?.counting(1_u32).saying(format!("index={index}"));
    action.eservice = logs(&visit)?
        .iter()
        .find(|log| log.id == log_id)
        .and_then(|log| visit.eservices().find(|served| served.id.get() == log.id))
        .map(|served| served.id);
    visit.log(action).await?;
    let store = visit.console.store.clone();
    match visit.console.blocking(move || stored::prove(&store, log_id, index, MOST_LEAVES)).await?? {
        Ok(proof) => {
            let name = format!("attachment; filename=\"voce-{log_id}-{index}.tlog-proof\"");
            Ok(HttpResponse::Ok()
                .content_type("text/plain; charset=utf-8")
                .insert_header((header::CONTENT_DISPOSITION, name))
                .body(proof.text()))
        }
        Err(error) => message(&visit, StatusCode::CONFLICT, explained(error)),
    }
}

/// Why there is no proof, and what to do.
fn explained(error: ProofError) -> &'static str {
    match error {
        ProofError::NotCovered => {
            "La voce è più recente dell'ultimo checkpoint firmato, e non si può ancora provare: il servizio ne firma \
             uno ogni ora, riprovare allora. Se non ne firma mai, manca la chiave nella configurazione."
        }
        ProofError::Missing => "La voce non c'è più: è stata rimossa perché scaduta, e ne resta l'impronta.",
        ProofError::TooFar => {
            "Prima che la voce fosse firmata ne erano già state scritte tante altre, e per provarla vanno rilette \
             tutte: è un lavoro troppo lungo per una pagina. La prova si ottiene sulla macchina del servizio con \
             «waas-comuni calls prove», oppure altrove, con lo stesso comando, da un'esportazione del registro e dai \
             suoi checkpoint (pagina Esportazioni)."
        }
        ProofError::Incomplete | ProofError::Contradicted => {
            "Il registro non è quello che fu firmato: avviare una verifica dalla pagina Integrità, che dice dove."
        }
        ProofError::Unreadable | ProofError::Unsigned | ProofError::Forged => {
            "L'ultimo checkpoint non è leggibile: avviare una verifica dalla pagina Integrità."
        }
    }
}

fn message(visit: &Visit, status: StatusCode, text: &'static str) -> Answer {
    let frame = visit.frame("Prova non disponibile").below("Cruscotto", "/").below("Registro", CHIAMATE);
    visit::show_with(status, &Message { frame, text })
}
