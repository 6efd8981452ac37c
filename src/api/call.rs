//! One call, from its arrival to its answer: id, route, endpoint, log entry, headers.
//!
//! An endpoint gives a [`Reply`]. Whether the reply may leave is decided here, in one place: a call with a verified
//! voucher is answered after its entry in the call log is durable, or with 503; any other call is noted and answered.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use uuid::Uuid;

use super::limit::Refused;
use super::problem::{Kind, Problem};
use super::route::{Operation, Route};
use super::server::{EService, Service};
use super::{client, esiti, flussi, openapi, status, unread};
use crate::call_log::{Caller, Charge, Disclosed, EXCEEDED, Entry, Quota};
use crate::voucher::{ClaimsRead, Credentials, Evidence, Voucher, evidence};

/// Seconds that the contract lets `X-RateLimit-Reset` and `Retry-After` say at most.
const LONGEST_WAIT: u32 = 3600;
/// The largest figure that the contract lets `X-RateLimit-Limit` and `-Remaining` say.
const LARGEST_LIMIT: u32 = 100_000;

/// A call that has arrived.
pub(super) struct Call {
    /// Its id, in the log and in the answer.
    pub(super) id: Uuid,
    instant: Timestamp,
    started: Instant,
    client: Option<IpAddr>,
}

/// What an endpoint answers, and what the log keeps of it.
pub(super) struct Reply {
    body: Result<(StatusCode, &'static str, Bytes), Problem>,
    /// Stable code of what happened.
    outcome: &'static str,
    /// Whose call it was, as far as it is known.
    claims: ClaimsRead,
    producer_id: Option<Uuid>,
    evidence: Evidence,
    voucher_check: Option<&'static str>,
    /// Against whose threshold it counts: that of every call with a verified voucher.
    consumer: Option<String>,
    /// What was asked and given.
    details: Details,
}

/// What was asked and given.
#[derive(Default)]
pub(super) struct Details {
    /// The cursor.
    pub(super) since: Option<u128>,
    /// The page size in force.
    pub(super) limit: Option<u32>,
    /// Flows given, or outcomes taken.
    pub(super) count: Option<u32>,
    /// Which flows.
    pub(super) disclosed: Option<Disclosed>,
}

impl Reply {
    /// An answer that refuses nothing.
    pub(super) fn success(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(Ok((status, content_type, body.into())), "ok")
    }

    fn new(body: Result<(StatusCode, &'static str, Bytes), Problem>, outcome: &'static str) -> Self {
        Self {
            body,
            outcome,
            claims: ClaimsRead::default(),
            producer_id: None,
            evidence: Evidence::default(),
            voucher_check: None,
            consumer: None,
            details: Details::default(),
        }
    }

    /// The same answer, with what the log keeps of it.
    pub(super) fn with(mut self, details: Details) -> Self {
        self.details = details;
        self
    }

    /// The same answer, to the call that came with the vendor's key of this name.
    pub(super) fn with_key(mut self, name: &str) -> Self {
        self.evidence.user_id = Some(name.to_owned());
        self
    }

    /// The same answer, to the call that came with `voucher`.
    fn to(mut self, voucher: &Voucher) -> Self {
        self.claims = voucher.claims_read();
        self.producer_id = voucher.producer_id;
        self.evidence = voucher.evidence.clone().unwrap_or_default();
        self.consumer = Some(consumer(voucher));
        self
    }

    fn status(&self) -> StatusCode {
        match &self.body {
            Ok((status, ..)) => *status,
            Err(problem) => problem.kind.status(),
        }
    }

    fn length(&self) -> Option<u64> {
        self.body.as_ref().ok().and_then(|(.., body)| u64::try_from(body.len()).ok())
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let code = problem.code;
        Self::new(Err(problem), code)
    }
}

/// Answers every call of the public listener.
pub(super) async fn handle(
    request: HttpRequest,
    mut payload: Payload,
    service: Data<Service>,
) -> HttpResponse {
    let response = answer(&request, &mut payload, &service).await;
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

/// The figures for a caller who is not known, where the contract announces any.
async fn total_quota(
    service: &Service,
    eservice: Option<&EService>,
    operation: Option<Operation>,
) -> Option<Quota> {
    match (eservice, operation) {
        (Some(eservice), Some(Operation::Flussi | Operation::Esiti)) => eservice.total_quota(service).await,
        _ => None,
    }
}

/// Logs what was refused for its address: one entry says how many calls there were in a minute.
pub(super) async fn summarise(service: &Service, refused: Vec<Refused>) {
    for Refused { address, minute, calls } in refused {
        let reply = Reply::from(over_address_limit(60));
        let entry = Entry {
            eservice: None,
            instant: minute,
            request_id: Uuid::new_v4().to_string(),
            method: "-".to_owned(),
            path: "-".to_owned(),
            query: None,
            status: reply.status().as_u16(),
            outcome: reply.outcome,
            client_ip: address,
            caller: Caller::default(),
            voucher_check: None,
            since: None,
            limit: None,
            count: Some(calls),
            disclosed: None,
            duration: Duration::ZERO,
            bytes: None,
        };
        tracing::warn!(address = address.map(tracing::field::display), calls, %minute, "calls were refused for their address");
        if let Err(error) = service.appender.note(entry).await {
            tracing::error!(%error, "the calls refused to an address cannot be logged");
        }
    }
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
        let mut reply = Reply::from(problem);
        reply.voucher_check = Some(refusal.check.code());
        reply.claims = refusal.claims;
        reply
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

impl Call {
    /// The call that is about to be answered.
    pub(super) fn arrived(service: &Service, request: &HttpRequest) -> Self {
        Self {
            id: Uuid::new_v4(),
            instant: service.clock.now(),
            started: Instant::now(),
            client: client::address(request, &service.trusted_proxies),
        }
    }

    /// Writes the log entry of a call to the back office, and gives the answer that may leave: that of a call with a
    /// good key after its entry is durable. What it asked for is then done already, and can be asked again.
    pub(super) async fn finish_back_office(
        self,
        service: &Service,
        eservice: Option<&EService>,
        request: &HttpRequest,
        reply: Reply,
    ) -> HttpResponse {
        let entry = self.entry(eservice, request, &reply);
        let logged = match eservice {
            Some(_) => service.appender.append(entry, None).await.map(drop),
            None => service.appender.note(entry).await,
        };
        let reply = match logged {
            Err(error) if eservice.is_some() => {
                tracing::error!(request_id = %self.id, %error, "the call log cannot be written: nothing is disclosed");
                Problem::unavailable("call_log_unavailable").into()
            }
            Err(error) => {
                tracing::error!(request_id = %self.id, %error, "a refused call cannot be logged");
                reply
            }
            Ok(()) => reply,
        };
        tracing::info!(
            request_id = %self.id,
            eservice = eservice.map(|eservice| eservice.config.name.as_str()),
            method = %request.method(),
            status = reply.status().as_u16(),
            outcome = reply.outcome,
            count = reply.details.count,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "back-office call"
        );
        self.response(service, reply, None)
    }

    /// Writes the log entry, and gives the answer that may leave.
    async fn finish(
        self,
        service: &Service,
        eservice: Option<&EService>,
        operation: Option<Operation>,
        request: &HttpRequest,
        reply: Reply,
    ) -> HttpResponse {
        let entry = self.entry(eservice, request, &reply);
        let (reply, quota) = match (eservice, reply.consumer.clone()) {
            (Some(eservice), Some(consumer_id)) => {
                let charge = Charge { consumer_id, limits: eservice.limits };
                match service.appender.append(entry, Some(charge)).await {
                    Ok(appended) if appended.exceeded => {
                        (over_threshold(appended.quota).into(), appended.quota)
                    }
                    Ok(appended) => (reply, appended.quota),
                    Err(error) => {
                        tracing::error!(request_id = %self.id, %error, "the call log cannot be written: nothing is disclosed");
                        let problem = Problem::unavailable("call_log_unavailable");
                        let outcome = problem.code;
                        let refused =
                            Reply { body: Err(problem), outcome, details: Details::default(), ..reply };
                        // The entry that failed may still be written, and says what was about to be answered.
                        if service.appender.note(self.entry(Some(eservice), request, &refused)).await.is_err()
                        {
                            tracing::error!(request_id = %self.id, "nor can the refusal be logged");
                        }
                        (refused, None)
                    }
                }
            }
            _ => {
                if let Err(error) = service.appender.note(entry).await {
                    tracing::error!(request_id = %self.id, %error, "a refused call cannot be logged");
                }
                (reply, total_quota(service, eservice, operation).await)
            }
        };
        let let_in = reply.consumer.is_some() && reply.outcome != EXCEEDED;
        if !let_in && reply.status() != StatusCode::SERVICE_UNAVAILABLE {
            service.limit.count(self.client, self.instant);
        }
        tracing::info!(
            request_id = %self.id,
            eservice = eservice.map(|eservice| eservice.config.name.as_str()),
            method = %request.method(),
            status = reply.status().as_u16(),
            outcome = reply.outcome,
            voucher_check = reply.voucher_check,
            count = reply.details.count,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "call"
        );
        self.response(service, reply, quota)
    }

    fn entry(&self, eservice: Option<&EService>, request: &HttpRequest, reply: &Reply) -> Entry {
        let claims = &reply.claims;
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        let query = request.query_string();
        Entry {
            eservice: eservice.map(|eservice| eservice.id),
            instant: self.instant,
            request_id: self.id.to_string(),
            method: request.method().to_string(),
            path: request.path().to_owned(),
            query: (!query.is_empty()).then(|| without_tokens(query)),
            status: reply.status().as_u16(),
            outcome: reply.outcome,
            client_ip: self.client,
            caller: Caller {
                client_id: text(claims.client_id),
                consumer_id: text(claims.consumer_id),
                purpose_id: text(claims.purpose_id),
                token_id: text(claims.jti),
                kid: claims.kid.clone(),
                producer_id: text(reply.producer_id),
                eservice_id: text(claims.eservice_id),
                descriptor_id: text(claims.descriptor_id),
                user_id: reply.evidence.user_id.clone(),
                user_location: reply.evidence.user_location.clone(),
                loa: reply.evidence.loa.clone(),
            },
            voucher_check: reply.voucher_check,
            since: reply.details.since,
            limit: reply.details.limit,
            count: reply.details.count,
            disclosed: reply.details.disclosed.clone(),
            duration: self.started.elapsed(),
            bytes: reply.length(),
        }
    }

    fn response(&self, service: &Service, reply: Reply, quota: Option<Quota>) -> HttpResponse {
        let mut response = match reply.body {
            Ok((status, _, _)) if status == StatusCode::NO_CONTENT => HttpResponse::new(status),
            Ok((status, content_type, body)) => {
                HttpResponse::build(status).content_type(content_type).body(body)
            }
            Err(problem) => problem.response(self.id),
        };
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.id.to_string()) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // Nothing that is answered is for a browser to run, to frame, or to lead away from.
        let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if service.over_tls {
            let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        if let Some(quota) = quota {
            let figure = |figure: u32| HeaderValue::from(figure.min(LARGEST_LIMIT));
            headers.insert(HeaderName::from_static("x-ratelimit-limit"), figure(quota.limit));
            headers.insert(HeaderName::from_static("x-ratelimit-remaining"), figure(quota.remaining));
            let reset = HeaderValue::from(quota.reset_seconds.min(LONGEST_WAIT));
            headers.insert(HeaderName::from_static("x-ratelimit-reset"), reset);
        }
        response
    }
}

/// `query` with `…` for every value as long as a token: an address is no place for one, and neither is the log.
fn without_tokens(query: &str) -> String {
    const SHORTER_THAN_A_TOKEN: usize = 100;
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if value.len() > SHORTER_THAN_A_TOKEN => format!("{name}=…"),
        None if pair.len() > SHORTER_THAN_A_TOKEN => "…".to_owned(),
        _ => pair.to_owned(),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// Under whose name the call counts: PDND has said `consumerId` since July 2025, and `client_id` always.
fn consumer(voucher: &Voucher) -> String {
    voucher.consumer_id.unwrap_or(voucher.client_id).to_string()
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

/// The refusal of a call beyond a threshold.
pub(super) fn over_threshold(quota: Option<Quota>) -> Problem {
    let wait = quota.map_or(LONGEST_WAIT, |quota| quota.reset_seconds).clamp(1, LONGEST_WAIT);
    let detail = "Le chiamate di oggi hanno raggiunto la soglia dichiarata: riprendere domani.";
    Problem::new(Kind::TooManyRequests, EXCEEDED, detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(wait))
}
