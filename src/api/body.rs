//! The body of a request, whole or not at all.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Payload;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::problem::{Kind, Problem};

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What some programs put before a text; a reader of JSON may pass over it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The JSON body of at most `largest` bytes, without the byte-order mark.
pub(super) async fn json(
    request: &HttpRequest,
    payload: &mut Payload,
    largest: usize,
) -> Result<Vec<u8>, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let detail = "Il corpo deve essere JSON: inviare Content-Type: application/json.";
        return Err(Problem::new(Kind::UnsupportedMediaType, "unsupported_media_type", detail));
    }
    if !request.headers().get_all(header::CONTENT_ENCODING).all(is_identity) {
        let detail = "Il corpo è compresso (Content-Encoding): inviarlo così com'è.";
        return Err(Problem::new(Kind::UnsupportedMediaType, "unsupported_content_encoding", detail)
            .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let length = length(request);
    if length.is_some_and(|length| length > largest) {
        return Err(too_large(largest));
    }
    let mut body = Vec::new();
    let read = async {
        while length.is_none_or(|length| body.len() < length)
            && let Some(chunk) = payload.next().await
        {
            match chunk {
                Ok(chunk) if body.len().saturating_add(chunk.len()) <= largest => body.extend(chunk),
                Ok(_) => return Err(too_large(largest)),
                Err(_) => return Err(incomplete()),
            }
        }
        Ok(())
    };
    timeout(TIMEOUT, read).await.map_err(|_| incomplete())??;
    body.truncate(length.unwrap_or(usize::MAX));
    if body.starts_with(BYTE_ORDER_MARK) {
        body.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(body)
}

/// How many bytes the body has; a body in chunks ends where it says so. The library knows it too, save where a call
/// would rather become a WebSocket: there it takes for the body whatever comes until the connection ends.
fn length(request: &HttpRequest) -> Option<usize> {
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let announced = request.headers().get(header::CONTENT_LENGTH);
    Some(announced.and_then(|length| length.to_str().ok()?.trim().parse().ok()).unwrap_or_default())
}

fn is_identity(coding: &HeaderValue) -> bool {
    let coding = coding.as_bytes().trim_ascii();
    coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
}

fn incomplete() -> Problem {
    let detail = "Il corpo della richiesta non è arrivato per intero.";
    Problem::new(Kind::BadRequest, "body_incomplete", detail)
}

fn too_large(largest: usize) -> Problem {
    let detail = format!("Il corpo supera {largest} byte: inviare meno per volta.");
    Problem::new(Kind::PayloadTooLarge, "payload_too_large", detail)
}
