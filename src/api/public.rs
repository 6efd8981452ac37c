//! The public listener: every call that comes to it is turned away if its address has had too many refused, routed,
//! let in or not, and given to its endpoint.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::SemaphorePermit;

use super::admission::ShedCalls;
use super::call::{Call, Reply, consumer, over_threshold, total_quota};
use super::limit::Refused;
use super::problem::{Kind, Problem};
use super::route::{Operation, Route};
use super::service::{EService, Service};
use super::{delivery, esiti, flussi, openapi, status, unread};
use crate::call_log::{Caller, Entry, Quota, request_id};
use crate::current::Current;
use crate::store::{EserviceId, StoreError};
use crate::voucher::{Credentials, Voucher, evidence};

/// Answers every call of the public listener.
pub(super) async fn handle(
    request: HttpRequest,
    mut payload: Payload,
    service: Data<Current<Service>>,
) -> HttpResponse {
    let service = service.get();
    let response = answer(&request, &mut payload, &service).await;
    let response = delivery::deliver(&request, response).await;
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        unread::hold(response, payload)
    } else {
        response
    }
}

async fn answer(request: &HttpRequest, payload: &mut Payload, service: &Service) -> HttpResponse {
    let call = Call::arrived(service, request);
    let path = request.path();
    if let Some(seconds) = service.limit.refuse(call.client, call.instant) {
        let (eservice, operation) = match service.routes.find(path) {
            Route::Operation(eservice, operation) => (Some(eservice), Some(operation)),
            Route::Unknown(_) | Route::Nowhere => (None, None),
        };
        let quota = total_quota(service, eservice, operation).await;
        return call.response(service, over_address_limit(seconds).into(), quota);
    }
    let (eservice, operation) = match service.routes.find(path) {
        Route::Operation(eservice, operation) => (Some(eservice), Some(operation)),
        Route::Unknown(eservice) => (Some(eservice), None),
        Route::Nowhere => (None, None),
    };
    let mut turn = None;
    if !matches!(operation, Some(Operation::Status | Operation::OpenApi)) {
        turn = service.admission.turn().await;
        if turn.is_none() {
            service.metrics.shed();
            service.admission.count(eservice.map(|eservice| eservice.id), call.instant);
            return call.response(service, overloaded().into(), None);
        }
    }
    let reply = match (eservice, operation) {
        (Some(eservice), Some(operation)) if operation.allows(request.method().as_str()) => {
            endpoint(&call, service, eservice, operation, request, payload, &mut turn).await
        }
        (_, Some(operation)) => method_not_allowed(operation).into(),
        (_, None) => not_found().into(),
    };
    call.finish(service, eservice, operation, request, reply).await
}

async fn endpoint<'a>(
    call: &Call,
    service: &'a Service,
    eservice: &EService,
    operation: Operation,
    request: &HttpRequest,
    payload: &mut Payload,
    turn: &mut Option<SemaphorePermit<'a>>,
) -> Reply {
    match operation {
        Operation::Status => status::get(call, service).await,
        Operation::OpenApi => openapi::get(eservice),
        Operation::Flussi | Operation::Esiti => {
            let mut verification = pin!(verify(eservice, request));
            let verified = match verification.as_mut().now_or_never() {
                Some(verified) => verified,
                // Whoever waits for the issuer's keys occupies nothing: anybody can name one that is not known.
                None => {
                    drop(turn.take());
                    let verified = verification.await;
                    *turn = service.admission.turn().await;
                    verified
                }
            };
            let voucher = match verified {
                Ok(voucher) if turn.is_none() => return Reply::from(overloaded()).to(&voucher),
                Ok(voucher) => voucher,
                Err(reply) => return reply,
            };
            let reply = match spent(service, eservice, operation, &consumer(&voucher)).await {
                Ok(Some(quota)) => over_threshold(Some(quota)).into(),
                Ok(None) if operation == Operation::Flussi => {
                    flussi::answer(service, eservice, request).await
                }
                Ok(None) => esiti::post(call, service, eservice, request, payload).await,
                Err(error) => {
                    tracing::error!(request_id = %call.id, %error, "the thresholds cannot be read");
                    Problem::unavailable("database_unavailable").into()
                }
            };
            reply.to(&voucher)
        }
    }
}

/// What is left of a threshold for a consumer who is beyond it. Outcomes are stored before the call is counted, so for
/// them the database is asked; a page that turns out to be beyond a threshold when it is counted is not given.
async fn spent(
    service: &Service,
    eservice: &EService,
    operation: Operation,
    consumer: &str,
) -> Result<Option<Quota>, StoreError> {
    let known = service.appender.spent(eservice.id, consumer, eservice.limits);
    if known.is_some() || operation != Operation::Esiti {
        return Ok(known);
    }
    let quota = service.appender.quota(eservice.id, Some(consumer.to_owned()), eservice.limits).await?;
    Ok((quota.remaining == 0).then_some(quota))
}

/// Lets in a call that carries a voucher for `eservice`.
async fn verify(eservice: &EService, request: &HttpRequest) -> Result<Voucher, Reply> {
    let credentials = Credentials {
        authorization: request.headers().get_all(header::AUTHORIZATION).map(HeaderValue::as_bytes).collect(),
        dpop: request.headers().get_all("DPoP").map(HeaderValue::as_bytes).collect(),
        evidence: request.headers().get_all(evidence::HEADER).map(HeaderValue::as_bytes).collect(),
        method: request.method().as_str(),
        path: request.path(),
        query: request.query_string(),
    };
    eservice.verifier.verify(&credentials).await.map_err(|refusal| {
        let kind = match refusal.check.status() {
            403 => Kind::Forbidden,
            503 => Kind::Unavailable,
            _ => Kind::Unauthorized,
        };
        let mut problem = Problem::new(kind, "voucher_refused", sentence(&refusal.detail));
        if let Some(challenge) = refusal.www_authenticate()
            && let Ok(value) = HeaderValue::from_str(&challenge)
        {
            problem = problem.with_header(header::WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = refusal.retry_after() {
            problem = problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Reply::refused(problem, refusal.check.code(), refusal.claims)
    })
}

/// `text` with a capital at its beginning and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let mut sentence: String =
        characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

fn not_found() -> Problem {
    Problem::new(Kind::NotFound, "not_found", "Questo indirizzo non esiste: controllare il percorso.")
}

fn method_not_allowed(operation: Operation) -> Problem {
    let detail = format!("Questo indirizzo risponde solo a {}.", operation.methods());
    Problem::new(Kind::MethodNotAllowed, "method_not_allowed", detail)
        .with_header(header::ALLOW, HeaderValue::from_static(operation.methods()))
}

/// The refusal of a call that came with too many others.
fn overloaded() -> Problem {
    let detail = "Il servizio riceve in questo momento più chiamate di quante possa servire: ripetere la richiesta fra \
                  qualche secondo.";
    Problem::new(Kind::Unavailable, "overloaded", detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// The refusal of a call whose address has had too many.
fn over_address_limit(seconds: u32) -> Problem {
    let detail = "Da questo indirizzo arrivano troppe chiamate senza un voucher valido: riprendere fra un minuto, con \
                  un voucher di PDND.";
    Problem::new(Kind::TooManyRequests, "address_limit", detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

/// Logs what was refused without an entry of its own: one says how many calls there were in a minute.
pub(super) async fn summarise(service: &Service, refused: Vec<Refused>, shed: Vec<ShedCalls>) {
    for Refused { address, minute, calls } in refused {
        service.metrics.refused_for_address(calls);
        tracing::warn!(address = address.map(tracing::field::display), calls, %minute, "calls were refused for their address");
        note(service, &over_address_limit(60), None, address, minute, calls).await;
    }
    for ShedCalls { eservice, minute, calls } in shed {
        tracing::warn!(eservice = eservice.map(EserviceId::get), calls, %minute, "calls were shed: there were too many at once");
        note(service, &overloaded(), eservice, None, minute, calls).await;
    }
}

/// Logs so many calls of one minute, all of which were answered with `problem`.
async fn note(
    service: &Service,
    problem: &Problem,
    eservice: Option<EserviceId>,
    address: Option<IpAddr>,
    minute: Timestamp,
    calls: u32,
) {
    let entry = Entry {
        eservice,
        instant: minute,
        request_id: request_id(minute).to_string(),
        method: "-".to_owned(),
        path: "-".to_owned(),
        query: None,
        status: problem.kind.status().as_u16(),
        outcome: problem.code,
        client_ip: address,
        caller: Caller::default(),
        voucher_check: None,
        since: None,
        limit: None,
        count: Some(calls),
        disclosed: None,
        benefit: None,
        esiti: None,
        duration: Duration::ZERO,
        bytes: None,
    };
    if let Err(error) = service.appender.note(entry).await {
        tracing::error!(%error, code = problem.code, calls, "calls of a minute cannot be logged");
    }
}
