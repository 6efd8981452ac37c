//! The one table of errors: code, HTTP status, title; and their form on the wire, `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] says to the caller what to mend, in Italian. Causes inside the service go to the log, never here.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A parameter or the body breaks the contract.
    BadRequest,
    /// What was presented is not a valid voucher.
    Unauthorized,
    /// A valid voucher, for something else.
    Forbidden,
    /// No such path.
    NotFound,
    /// The path has other methods.
    MethodNotAllowed,
    /// The body is too large.
    PayloadTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The request is understood, and cannot be done.
    Unprocessable,
    /// No key of a vendor, or not a good one.
    NoKey,
    /// A vendor's key, for something else.
    OtherKey,
    /// A threshold is passed.
    TooManyRequests,
    /// The service cannot answer at present.
    Unavailable,
}

impl Kind {
    /// The HTTP status.
    #[must_use]
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::OtherKey => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "Richiesta non valida",
            Self::Unauthorized => "Voucher mancante o non valido",
            Self::Forbidden => "Voucher non destinato a questo servizio",
            Self::NotFound => "Risorsa inesistente",
            Self::MethodNotAllowed => "Metodo non ammesso",
            Self::PayloadTooLarge => "Richiesta troppo grande",
            Self::UnsupportedMediaType => "Formato non ammesso",
            Self::Unprocessable => "Richiesta non eseguibile",
            Self::NoKey => "Chiave mancante o non valida",
            Self::OtherKey => "Chiave non abilitata",
            Self::TooManyRequests => "Soglia di chiamate superata",
            Self::Unavailable => "Servizio momentaneamente non disponibile",
        }
    }
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which.
    pub kind: Kind,
    /// The stable code under which the call log keeps it.
    pub code: &'static str,
    /// What to mend, in Italian.
    pub detail: String,
    /// Headers that go with it.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// What is said of the record that is refused, if the refusal is about one.
    pub(super) record: Option<Value>,
}

impl Problem {
    /// A refusal with no headers of its own.
    #[must_use]
    pub(super) fn new(kind: Kind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, detail: detail.into(), headers: Vec::new(), record: None }
    }

    /// The same, with one more header.
    #[must_use]
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, about a record.
    #[must_use]
    pub(super) fn with_record(mut self, record: Value) -> Self {
        self.record = Some(record);
        self
    }

    /// The service cannot answer: its cause is logged, not told.
    #[must_use]
    pub(super) fn unavailable(code: &'static str) -> Self {
        let detail = "Il servizio non può rispondere in questo momento: ripetere la richiesta più tardi.";
        Self::new(Kind::Unavailable, code, detail).with_header(header::RETRY_AFTER, RETRY_SOON)
    }

    /// The answer to the call with this id.
    #[must_use]
    pub(super) fn response(&self, request_id: Uuid) -> HttpResponse {
        let mut response = HttpResponse::build(self.kind.status());
        for (name, value) in &self.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response.content_type(CONTENT_TYPE).body(body(
            self.kind.status(),
            self.kind.title(),
            &self.detail,
            request_id,
            self.record.as_ref(),
        ))
    }
}

/// Seconds after which a call that met a passing fault is worth repeating.
const RETRY_SOON: HeaderValue = HeaderValue::from_static("30");

/// `application/problem+json`.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// A problem, or the state of health, as JSON.
#[must_use]
pub(super) fn body(
    status: StatusCode,
    title: &str,
    detail: &str,
    request_id: Uuid,
    record: Option<&Value>,
) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        title: &'a str,
        status: u16,
        detail: &'a str,
        instance: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        record: Option<&'a Value>,
    }
    let body = Body {
        r#type: "about:blank",
        title,
        status: status.as_u16(),
        detail,
        instance: format!("urn:uuid:{request_id}"),
        record,
    };
    // Strings and a number always serialise.
    serde_json::to_string(&body).unwrap_or_default()
}
