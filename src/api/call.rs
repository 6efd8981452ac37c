//! One call and its answer: id, log entry, headers.
//!
//! An endpoint gives a [`Reply`]. Whether the reply may leave is decided here, in one place: a call with a verified
//! voucher is answered after its entry in the call log is durable, or with 503; any other call is noted and answered.
//! Which endpoint answers is decided by the listener that the call came to.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::http::header::{self, ETag, EntityTag, HeaderName, HeaderValue, TryIntoHeaderPair};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use uuid::Uuid;

use super::client;
use super::metrics::Answered;
use super::problem::{Kind, Problem};
use super::route::Operation;
use super::service::{EService, Service};
use crate::call_log::{Caller, Charge, Disclosed, EXCEEDED, Entry, EsitiTaken, Quota, request_id};
use crate::telemetry::span::{Parent, Span};
use crate::voucher::{ClaimsRead, Evidence, Voucher};

/// Seconds that the contract lets `X-RateLimit-Reset` and `Retry-After` say at most.
const LONGEST_WAIT: u32 = 3600;
/// The largest figure that the contract lets `X-RateLimit-Limit` and `-Remaining` say.
const LARGEST_LIMIT: u32 = 100_000;

/// A call that has arrived.
pub(super) struct Call {
    /// Its id, in the log and in the answer.
    pub(super) id: Uuid,
    /// When it arrived.
    pub(super) instant: Timestamp,
    started: Instant,
    /// Where it came from.
    pub(super) client: Option<IpAddr>,
    /// The trace that it belongs to, where its caller says so.
    parent: Option<Parent>,
}

/// What an endpoint answers, and what the log keeps of it.
pub(super) struct Reply {
    body: Result<(StatusCode, &'static str, Bytes), Problem>,
    /// Stable code of what happened.
    outcome: &'static str,
    /// Whose call it was, as far as it is known.
    claims: ClaimsRead,
    evidence: Evidence,
    voucher_check: Option<&'static str>,
    /// Against whose threshold it counts: that of every call with a verified voucher.
    consumer: Option<String>,
    /// What was asked and given.
    details: Details,
    /// What a page that never changes is called.
    tag: Option<EntityTag>,
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
    /// The benefit, where the call is about one.
    pub(super) benefit: Option<i64>,
    /// Of what kind the outcomes were.
    pub(super) esiti: Option<EsitiTaken>,
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
            evidence: Evidence::default(),
            voucher_check: None,
            consumer: None,
            details: Details::default(),
            tag: None,
        }
    }

    /// The same answer, under a name by which the caller may ask whether it is the same still. The caller may keep it;
    /// nobody in between may.
    pub(super) fn tagged(mut self, tag: EntityTag) -> Self {
        self.tag = Some(tag);
        self
    }

    /// The answer to a caller who has the page of this name already.
    pub(super) fn not_modified(tag: EntityTag) -> Self {
        Self::new(Ok((StatusCode::NOT_MODIFIED, "", Bytes::new())), "not_modified").tagged(tag)
    }

    /// The same answer to a `HEAD`, which is told about a page and given none.
    pub(super) fn without_flows(mut self) -> Self {
        self.details.count = self.details.count.map(|_| 0);
        self.details.disclosed = None;
        self
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

    /// The same answer, to the call that asked for the benefit with this number.
    pub(super) fn about(mut self, benefit: i64) -> Self {
        self.details.benefit = Some(benefit);
        self
    }

    /// A refusal by the voucher's checks, with what could be read of the voucher.
    pub(super) fn refused(problem: Problem, check: &'static str, claims: ClaimsRead) -> Self {
        Self { voucher_check: Some(check), claims, ..Self::from(problem) }
    }

    /// The same answer, to the call that came with `voucher`.
    pub(super) fn to(mut self, voucher: &Voucher) -> Self {
        self.claims = voucher.claims_read();
        self.evidence = voucher.evidence.clone().unwrap_or_default();
        self.consumer = Some(consumer(voucher));
        self
    }

    pub(super) fn status(&self) -> StatusCode {
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

impl Call {
    /// The call that is about to be answered.
    pub(super) fn arrived(service: &Service, request: &HttpRequest) -> Self {
        let instant = service.clock.now();
        Self {
            id: request_id(instant),
            instant,
            started: Instant::now(),
            client: client::address(request, &service.trusted_proxies),
            parent: trace(request),
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
            Some(_) if reply.status() != StatusCode::SERVICE_UNAVAILABLE => {
                service.appender.append(entry, None).await.map(drop)
            }
            _ => service.appender.note(entry).await,
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
            trace_id = self.parent.map(Parent::trace),
            eservice = eservice.map(|eservice| eservice.config.name.as_str()),
            method = %request.method(),
            status = reply.status().as_u16(),
            outcome = reply.outcome,
            count = reply.details.count,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "back-office call"
        );
        self.measure(service, eservice, request, "prestazioni", &reply);
        self.response(service, reply, None)
    }

    /// Writes the log entry, and gives the answer that may leave.
    pub(super) async fn finish(
        self,
        service: &Service,
        eservice: Option<&EService>,
        operation: Option<Operation>,
        request: &HttpRequest,
        reply: Reply,
    ) -> HttpResponse {
        let entry = self.entry(eservice, request, &reply);
        let (reply, quota) = match (eservice, reply.consumer.clone()) {
            // What refuses itself for want of the database does not wait for it once more, and counts for nothing.
            (Some(eservice), Some(consumer_id)) if reply.status() != StatusCode::SERVICE_UNAVAILABLE => {
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
                let quota = match reply.status() {
                    StatusCode::SERVICE_UNAVAILABLE => None,
                    _ => total_quota(service, eservice, operation).await,
                };
                (reply, quota)
            }
        };
        let let_in = reply.consumer.is_some() && reply.outcome != EXCEEDED;
        if !let_in && reply.status() != StatusCode::SERVICE_UNAVAILABLE {
            service.limit.count(self.client, self.instant);
        }
        tracing::info!(
            request_id = %self.id,
            trace_id = self.parent.map(Parent::trace),
            eservice = eservice.map(|eservice| eservice.config.name.as_str()),
            method = %request.method(),
            status = reply.status().as_u16(),
            outcome = reply.outcome,
            voucher_check = reply.voucher_check,
            count = reply.details.count,
            duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            "call"
        );
        self.measure(service, eservice, request, operation.map_or("none", Operation::name), &reply);
        self.response(service, reply, quota)
    }

    fn measure(
        &self,
        service: &Service,
        eservice: Option<&EService>,
        request: &HttpRequest,
        operation: &'static str,
        reply: &Reply,
    ) {
        if let Some(spans) = &service.spans {
            spans.send(Span {
                request_id: self.id,
                parent: self.parent,
                arrived: self.instant,
                duration: self.started.elapsed(),
                method: method(request),
                operation,
                eservice: eservice.map(|eservice| eservice.config.name.clone()),
                status: reply.status().as_u16(),
                outcome: reply.outcome,
            });
        }
        service.metrics.answered(&Answered {
            eservice: eservice.map(|eservice| eservice.config.name.as_str()),
            operation,
            status: reply.status().as_u16(),
            voucher_check: reply.voucher_check,
            flows: reply.details.disclosed.as_ref().and(reply.details.count).unwrap_or_default(),
            duration: self.started.elapsed(),
        });
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
                producer_id: text(claims.producer_id),
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
            benefit: reply.details.benefit,
            esiti: reply.details.esiti.clone(),
            duration: self.started.elapsed(),
            bytes: reply.length().filter(|_| request.method() != Method::HEAD),
        }
    }

    pub(super) fn response(&self, service: &Service, reply: Reply, quota: Option<Quota>) -> HttpResponse {
        let tag = reply.tag.filter(|_| reply.body.is_ok());
        let mut response = match reply.body {
            Ok((status @ (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED), _, _)) => {
                HttpResponse::new(status)
            }
            Ok((status, content_type, body)) => {
                HttpResponse::build(status).content_type(content_type).body(body)
            }
            Err(problem) => problem.response(self.id),
        };
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.id.to_string()) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        // A caller keeps what it took by the contract; nothing else may keep the data of persons, named page or not.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(Ok((name, value))) = tag.map(|tag| ETag(tag).try_into_pair()) {
            headers.insert(name, value);
        }
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

/// What the caller says of the trace; twice is never.
fn trace(request: &HttpRequest) -> Option<Parent> {
    let mut said = request.headers().get_all("traceparent");
    match (said.next().map(HeaderValue::to_str), said.next()) {
        (Some(Ok(parent)), None) => Parent::read(parent),
        _ => None,
    }
}

/// The method, where it is one: who calls could write anything there.
fn method(request: &HttpRequest) -> String {
    let method = request.method();
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];
    if known.contains(method) { method.to_string() } else { "_OTHER".to_owned() }
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

/// The figures for a caller who is not known, where the contract announces any.
pub(super) async fn total_quota(
    service: &Service,
    eservice: Option<&EService>,
    operation: Option<Operation>,
) -> Option<Quota> {
    match (eservice, operation) {
        (Some(eservice), Some(Operation::Flussi | Operation::Esiti)) => eservice.total_quota(service).await,
        _ => None,
    }
}

/// Under whose name the call counts: PDND has said `consumerId` since July 2025, and `client_id` always.
pub(super) fn consumer(voucher: &Voucher) -> String {
    voucher.consumer_id.unwrap_or(voucher.client_id).to_string()
}

/// The refusal of a call beyond a threshold.
pub(super) fn over_threshold(quota: Option<Quota>) -> Problem {
    let wait = quota.map_or(LONGEST_WAIT, |quota| quota.reset_seconds).clamp(1, LONGEST_WAIT);
    let detail = "Le chiamate di oggi hanno raggiunto la soglia dichiarata: riprendere domani.";
    Problem::new(Kind::TooManyRequests, EXCEEDED, detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(wait))
}
