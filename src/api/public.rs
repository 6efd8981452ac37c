//! The public listener: every call that comes to it is turned away if its address has had too many refused, routed,
//! let in or not, and given to its endpoint.

use std::time::Duration;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::call::{Call, Reply, consumer, over_threshold, total_quota};
use super::limit::Refused;
use super::problem::{Kind, Problem};
use super::route::{Operation, Route};
use super::service::{EService, Service};
use super::{esiti, flussi, openapi, status, unread};
use crate::call_log::{Caller, Entry, request_id};
use crate::current::Current;
use crate::voucher::{Credentials, Voucher, evidence};

/// Answers every call of the public listener.
pub(super) async fn handle(
    request: HttpRequest,
    mut payload: Payload,
    service: Data<Current<Service>>,
) -> HttpResponse {
    let response = answer(&request, &mut payload, &service.get()).await;
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
    let (eservice, operation, reply) = match service.routes.find(path) {
        Route::Operation(eservice, operation) => {
            let reply = if request.method().as_str() == operation.method() {
                endpoint(&call, service, eservice, operation, request, payload).await
            } else {
                method_not_allowed(operation).into()
            };
            (Some(eservice), Some(operation), reply)
        }
        Route::Unknown(eservice) => (Some(eservice), None, not_found().into()),
        Route::Nowhere => (None, None, not_found().into()),
    };
    call.finish(service, eservice, operation, request, reply).await
}

async fn endpoint(
    call: &Call,
    service: &Service,
    eservice: &EService,
    operation: Operation,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Reply {
    match operation {
        Operation::Status => status::get(call, service).await,
        Operation::OpenApi => openapi::get(eservice),
        Operation::Flussi | Operation::Esiti => {
            let voucher = match verify(eservice, request).await {
                Ok(voucher) => voucher,
                Err(reply) => return reply,
            };
            let reply =
                match service.appender.quota(eservice.id, Some(consumer(&voucher)), eservice.limits).await {
                    Ok(quota) if quota.remaining == 0 => over_threshold(Some(quota)).into(),
                    Ok(_) if operation == Operation::Flussi => {
                        flussi::get(service, eservice, request.query_string()).await
                    }
                    Ok(_) => esiti::post(call, service, eservice, request, payload).await,
                    Err(error) => {
                        tracing::error!(request_id = %call.id, %error, "the thresholds cannot be read");
                        Problem::unavailable("database_unavailable").into()
                    }
                };
            reply.to(&voucher)
        }
    }
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
    let detail = format!("Questo indirizzo risponde solo al metodo {}.", operation.method());
    Problem::new(Kind::MethodNotAllowed, "method_not_allowed", detail)
        .with_header(header::ALLOW, HeaderValue::from_static(operation.method()))
}

/// The refusal of a call whose address has had too many.
fn over_address_limit(seconds: u32) -> Problem {
    let detail = "Da questo indirizzo arrivano troppe chiamate senza un voucher valido: riprendere fra un minuto, con \
                  un voucher di PDND.";
    Problem::new(Kind::TooManyRequests, "address_limit", detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}

/// Logs what was refused for its address: one entry says how many calls there were in a minute.
pub(super) async fn summarise(service: &Service, refused: Vec<Refused>) {
    for Refused { address, minute, calls } in refused {
        let problem = over_address_limit(60);
        let entry = Entry {
            eservice: None,
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
        service.metrics.refused_for_address(calls);
        tracing::warn!(address = address.map(tracing::field::display), calls, %minute, "calls were refused for their address");
        if let Err(error) = service.appender.note(entry).await {
            tracing::error!(%error, "the calls refused to an address cannot be logged");
        }
    }
}
