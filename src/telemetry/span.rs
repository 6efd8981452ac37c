//! Spans of calls for a collector of traces, by OTLP over HTTP in its JSON form: only where the configuration names one.
//!
//! A span says what the line of the log says, under the same id: neither address nor query, neither token nor person. What
//! the collector does not take is dropped and said so; nothing waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use uuid::Uuid;

/// Spans that may wait to be sent.
const WAITING: usize = 4096;
/// Spans of one request.
const BATCH: usize = 512;
/// How long a span waits for others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the collector may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// OTLP's number of a span that answers a call.
const SERVER: u8 = 2;
/// OTLP's number of the status of what failed.
const ERROR: u8 = 2;

/// What a caller says of the trace that its call belongs to (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    trace: u128,
    span: u64,
}

impl Parent {
    /// Reads the header `traceparent`; none where it is not what the recommendation describes.
    #[must_use]
    pub fn read(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        // Later versions may say more, after another hyphen.
        let ends = version != "00" || parts.next().is_none();
        if !(hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2) && ends) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok().filter(|trace| *trace != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { trace, span })
    }

    /// The trace, as it is written everywhere.
    #[must_use]
    pub fn trace(self) -> String {
        format!("{:032x}", self.trace)
    }
}

/// A call that was answered.
#[derive(Clone, Debug)]
pub struct Span {
    /// The id of its request, which is also that of its trace when the caller names none.
    pub request_id: Uuid,
    /// What the caller says of the trace.
    pub parent: Option<Parent>,
    /// When it arrived.
    pub arrived: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// HTTP method.
    pub method: String,
    /// What was asked for.
    pub operation: &'static str,
    /// Name of the e-service; none for a path outside all of them.
    pub eservice: Option<String>,
    /// HTTP status.
    pub status: u16,
    /// Stable code of what happened.
    pub outcome: &'static str,
}

impl Span {
    fn json(&self) -> Value {
        let own = self.request_id.as_u128();
        let (_, span) = self.request_id.as_u64_pair();
        let began = self.arrived.as_nanosecond();
        let took = i128::try_from(self.duration.as_nanos()).unwrap_or_default();
        let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let mut attributes = vec![
            text("http.request.method", &self.method),
            json!({ "key": "http.response.status_code", "value": { "intValue": self.status.to_string() } }),
            text("waas.request_id", &self.request_id.to_string()),
            text("waas.operation", self.operation),
            text("waas.outcome", self.outcome),
        ];
        attributes.extend(self.eservice.iter().map(|name| text("waas.eservice", name)));
        let mut span = json!({
            "traceId": format!("{:032x}", self.parent.map_or(own, |parent| parent.trace)),
            "spanId": format!("{span:016x}"),
            "name": format!("{} {}", self.method, self.operation),
            "kind": SERVER,
            "startTimeUnixNano": began.to_string(),
            "endTimeUnixNano": began.saturating_add(took).to_string(),
            "attributes": attributes,
            "status": if self.status >= 500 { json!({ "code": ERROR }) } else { json!({}) },
        });
        if let (Some(parent), Some(span)) = (self.parent, span.as_object_mut()) {
            span.insert("parentSpanId".to_owned(), format!("{:016x}", parent.span).into());
        }
        span
    }
}

/// Sends spans until it is dropped, which waits for those that are on their way.
#[derive(Debug)]
pub struct Exporter {
    queue: Option<SyncSender<Span>>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// To the collector that takes traces at `url`.
    pub fn start(url: &str) -> std::io::Result<Self> {
        let (queue, spans) = sync_channel(WAITING);
        let url = url.to_owned();
        let thread = thread::Builder::new().name("spans".to_owned()).spawn(move || run(&url, &spans))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a span over.
    pub fn send(&self, span: Span) {
        if let Some(Err(TrySendError::Full(span))) = self.queue.as_ref().map(|queue| queue.try_send(span)) {
            tracing::debug!(request_id = %span.request_id, "a span is dropped: the collector is too slow");
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the export of spans ended badly");
        }
    }
}

fn run(url: &str, spans: &Receiver<Span>) {
    let tls =
        TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
    let agent = ureq::Agent::config_builder().max_redirects(0).timeout_global(Some(TIMEOUT)).tls_config(tls);
    let agent = agent.build().new_agent();
    let mut takes = true;
    while let Ok(first) = spans.recv() {
        let (mut batch, deadline) = (vec![first.json()], Instant::now() + PATIENCE);
        let mut ends = false;
        while batch.len() < BATCH && !ends {
            match spans.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(span) => batch.push(span.json()),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => ends = true,
            }
        }
        let count = batch.len();
        let sent = agent.post(url).content_type("application/json").send(request(&batch).to_string());
        match sent {
            Ok(_) => takes = true,
            // Said once, until it takes some again.
            Err(error) if takes => {
                tracing::warn!(url, spans = count, %error, "the collector does not take spans: they are dropped");
                takes = false;
            }
            Err(error) => tracing::debug!(url, spans = count, %error, "spans are dropped"),
        }
    }
}

fn request(spans: &[Value]) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "waas-comuni"),
            text("service.version", env!("CARGO_PKG_VERSION")),
        ] },
        "scopeSpans": [{ "scope": { "name": "waas-comuni" }, "spans": spans }],
    }] })
}
