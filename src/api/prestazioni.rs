//! `/api/v1` of the back-office listener: vendors' software registers, reads, corrects and withdraws benefits.
//!
//! Described in `specs/back-office.yaml`. What is done with a request is the vendor room's matter.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::body;
use super::call::{Call, Details, Reply};
use super::problem::{Kind, Problem};
use super::service::{EService, Service};
use super::unread;
use crate::call_log::pulls::pulls_of;
use crate::codes::CodesError;
use crate::current::Current;
use crate::intake::{self, Taken};
use crate::registry::{Lookup, RefusedInsertions};
use crate::siuss::record::EnteErogatore;
use crate::store::StoreError;
use crate::vendor::keys::{self, ApiKey};
use crate::vendor::{self, Answer, Caller, Idempotency, MOST_RECORDS, Outcome, Request};

/// The description of what is answered here.
const OPENAPI: &str = include_str!("../../specs/back-office.yaml");
/// The header that carries a key.
const KEY: &str = "X-API-Key";
/// Bytes of a body: as many records as one request may have, of four thousand each.
const LARGEST_BODY: usize = 4_000_000;
/// The longest idempotency key.
const LONGEST_IDEMPOTENCY_KEY: usize = 128;

const JSON: &str = "application/json";

/// Where a path leads.
#[derive(Clone, Copy)]
enum Target {
    OpenApi,
    Prestazioni,
    Prestazione(i64),
    Invio(i64),
}

impl Target {
    fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/api/v1/")? {
            "openapi.yaml" => Some(Self::OpenApi),
            "prestazioni" => Some(Self::Prestazioni),
            other => {
                let rest = other.strip_prefix("prestazioni/")?;
                let (id, target): (&str, fn(i64) -> Self) = match rest.strip_suffix("/invio") {
                    Some(id) => (id, Self::Invio),
                    None => (rest, Self::Prestazione),
                };
                let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
                id.parse().ok().filter(|_| is_number).map(target)
            }
        }
    }

    /// The methods that it answers to, as `Allow` lists them.
    fn methods(self) -> &'static str {
        match self {
            Self::OpenApi => "GET",
            Self::Prestazioni | Self::Invio(_) => "POST",
            Self::Prestazione(_) => "GET, PUT, DELETE",
        }
    }
}

/// Answers every call below `/api`.
pub(super) async fn handle(
    request: HttpRequest,
    mut payload: Payload,
    service: Data<Current<Service>>,
) -> HttpResponse {
    let service = service.get();
    let call = Call::arrived(&service, &request);
    let (eservice, reply) = match route(&request) {
        Ok(Target::OpenApi) => (None, Reply::success(StatusCode::OK, "application/yaml", OPENAPI)),
        Ok(target) => match authenticate(&service, &request).await {
            Ok((key, eservice)) => {
                let reply = answer(&call, &service, eservice, &key, target, &request, &mut payload).await;
                let reply = reply.unwrap_or_else(Reply::from).with_key(&key.name);
                (Some(eservice), if let Target::Prestazione(id) = target { reply.about(id) } else { reply })
            }
            Err(problem) => (None, problem.into()),
        },
        Err(problem) => (None, problem.into()),
    };
    let response = call.finish_back_office(&service, eservice, &request, reply).await;
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        unread::hold(response, payload)
    } else {
        response
    }
}

fn route(request: &HttpRequest) -> Result<Target, Problem> {
    let target = Target::of(request.path()).ok_or_else(|| {
        Problem::new(Kind::NotFound, "not_found", "Questo indirizzo non esiste: controllare il percorso.")
    })?;
    let methods = target.methods();
    if methods.split(", ").any(|method| request.method().as_str() == method) {
        return Ok(target);
    }
    let detail = format!("Questo indirizzo risponde solo a {methods}.");
    Err(Problem::new(Kind::MethodNotAllowed, "method_not_allowed", detail)
        .with_header(header::ALLOW, HeaderValue::from_static(methods)))
}

/// The key that the call carries, and the e-service that it is for.
async fn authenticate<'a>(
    service: &'a Service,
    request: &HttpRequest,
) -> Result<(ApiKey, &'a EService), Problem> {
    let refused = |detail: &str| Problem::new(Kind::NoKey, "api_key_refused", detail);
    let mut presented = request.headers().get_all(KEY);
    let key = match (presented.next().map(HeaderValue::to_str), presented.next()) {
        (Some(Ok(key)), None) => key.to_owned(),
        _ => return Err(refused("Serve una chiave, una sola, nell'intestazione X-API-Key.")),
    };
    let found = service.store.read_async(move |connection| keys::find(connection, &key)).await;
    let key = found.map_err(|error| unavailable(&error))?.ok_or_else(|| {
        refused("La chiave non è valida, o è stata revocata: chiederne una a chi gestisce il servizio.")
    })?;
    let eservice = service.routes.iter().find(|eservice| eservice.id == key.eservice).ok_or_else(|| {
        let detail = "L'e-service della chiave non è più configurato: rivolgersi a chi gestisce il servizio.";
        Problem::new(Kind::OtherKey, "api_key_without_eservice", detail)
    })?;
    Ok((key, eservice))
}

async fn answer(
    call: &Call,
    service: &Service,
    eservice: &EService,
    key: &ApiKey,
    target: Target,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Result<Reply, Problem> {
    let ente = ente(eservice, key, request.query_string())?;
    if let (Target::Prestazione(id), &Method::GET) = (target, request.method()) {
        return read(service, eservice, &ente, id).await;
    }
    let idempotency_key = idempotency_key(request)?;
    let body = match (target, request.method()) {
        (Target::Invio(_), _) | (_, &Method::DELETE) => Vec::new(),
        _ => body::json(request, payload, LARGEST_BODY).await?,
    };
    let idempotency = idempotency_key.map(|key| {
        let (method, path) = (request.method().as_str(), request.path());
        Idempotency::new(&key, &[method.as_bytes(), path.as_bytes(), ente.codice.as_str().as_bytes(), &body])
    });
    let asked = match (target, request.method()) {
        (Target::Invio(id), _) => Request::Resend { id },
        (Target::Prestazione(id), &Method::DELETE) => Request::Withdraw { id },
        (Target::Prestazione(id), _) => match judge(service, body, 1).await?.pop() {
            Some(record) => Request::Correct { id, record: Box::new(record) },
            None => return Err(not_found()),
        },
        (Target::Prestazioni | Target::OpenApi, _) => {
            Request::Register(judge(service, body, MOST_RECORDS).await?)
        }
    };
    let refused = RefusedInsertions::of(eservice.config.cancel_refused);
    let severities = service.rules.severities();
    let caller = Caller { key: key.clone(), ente, refused, severities, idempotency };
    let clock = service.clock.clone();
    let outcome = service
        .store
        .write_async(move |connection| vendor::perform(connection, &clock, &caller, asked))
        .await
        .map_err(|error| {
            tracing::error!(request_id = %call.id, %error, "benefits cannot be registered");
            Problem::unavailable("database_unavailable")
        })?;
    if let Outcome::Answered(Answer { judged: (taken, refused), .. }) = &outcome {
        service.metrics.imported(&eservice.config.name, *taken, *refused);
    }
    match outcome {
        Outcome::Answered(Answer { refused: false, records, body, .. }) => {
            let details = Details { count: Some(records), ..Details::default() };
            Ok(Reply::success(StatusCode::OK, JSON, body).with(details))
        }
        Outcome::Answered(answer) => {
            let record = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
            let detail = "Il record è rifiutato: vedere notices in record, correggere e ripetere.";
            Err(Problem::new(Kind::Unprocessable, "record_refused", detail).with_record(record))
        }
        Outcome::NotFound => Err(not_found()),
        Outcome::KeyReused => {
            let detail = "Questa Idempotency-Key è già servita per un'altra richiesta: usarne una nuova.";
            Err(Problem::new(Kind::Unprocessable, "idempotency_key_reused", detail))
        }
    }
}

/// `GET /api/v1/prestazioni/{id}`.
async fn read(
    service: &Service,
    eservice: &EService,
    ente: &EnteErogatore,
    id: i64,
) -> Result<Reply, Problem> {
    let found = service.registry.find_async(eservice.id, Lookup::Id(id), 1).await;
    let mut found = found.map_err(|error| unavailable(&error))?;
    let found =
        found.pop().filter(|found| found.codice_ente == ente.codice.as_str()).ok_or_else(not_found)?;
    let timestamps: Vec<i64> = found.flussi.iter().map(|flusso| flusso.ts_ms).collect();
    let eservice = eservice.id;
    let pulls = service.store.read_async(move |connection| pulls_of(connection, eservice, timestamps)).await;
    let pulls = pulls.map_err(|error| unavailable(&error))?;
    let document = vendor::document(&found, &pulls).map_err(|error| unavailable(&error))?;
    Ok(Reply::success(StatusCode::OK, JSON, document.to_string()))
}

/// The records in a body, judged where it blocks nobody.
async fn judge(service: &Service, body: Vec<u8>, most: usize) -> Result<Vec<Taken>, Problem> {
    let rules = Arc::clone(&service.rules);
    let judged =
        web::block(move || Ok::<_, CodesError>(intake::from_json(&body, most, rules.get()?.as_ref()))).await;
    let judged = judged.map_err(|_| Problem::unavailable("stopping"))?.map_err(|error| {
        tracing::error!(%error, "records cannot be judged");
        Problem::unavailable("rules_unavailable")
    })?;
    judged.map_err(|notice| {
        let detail = format!("{} {}", notice.message, notice.remedy);
        Problem::new(Kind::BadRequest, "bad_request", detail)
    })
}

/// For which ente the call is made: the one that it names, or the only one that it can be.
fn ente(eservice: &EService, key: &ApiKey, query: &str) -> Result<EnteErogatore, Problem> {
    let wrong = |detail: String| Problem::new(Kind::BadRequest, "bad_request", detail);
    let mut named = None;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != "ente" || named.replace(value).is_some() {
            return Err(wrong("È ammesso solo il parametro ente, una volta.".to_owned()));
        }
    }
    let mut candidates = eservice
        .config
        .ente
        .iter()
        .filter(|ente| key.may_act_for(&ente.codice))
        .filter(|ente| named.as_ref().is_none_or(|named| ente.codice == *named));
    let ente = match (candidates.next(), candidates.next()) {
        (Some(ente), None) => ente,
        (Some(_), Some(_)) => {
            return Err(wrong("La chiave vale per più enti: indicare quale con ?ente=CODICE.".to_owned()));
        }
        (None, _) => {
            let detail = "La chiave non è abilitata per questo ente.";
            return Err(Problem::new(Kind::OtherKey, "api_key_for_another_ente", detail));
        }
    };
    ente.erogatore().map_err(|fields| {
        tracing::error!(ente = ente.codice, ?fields, "the configuration of an ente is wrong");
        Problem::unavailable("configuration")
    })
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut keys = request.headers().get_all("Idempotency-Key");
    let (Some(key), another) = (keys.next(), keys.next()) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| {
        let is_short = (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len());
        is_short && another.is_none() && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        let detail = format!(
            "Idempotency-Key deve comparire una volta, con 1-{LONGEST_IDEMPOTENCY_KEY} caratteri ASCII senza spazi."
        );
        Problem::new(Kind::BadRequest, "bad_request", detail)
    })
}

fn not_found() -> Problem {
    let detail = "L'ente non ha una prestazione con questo id.";
    Problem::new(Kind::NotFound, "prestazione_not_found", detail)
}

fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(%error, "the registry cannot be read");
    Problem::unavailable("database_unavailable")
}
