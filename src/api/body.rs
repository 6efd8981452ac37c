//! The body of a request, whole or not at all.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Payload;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::problem::{Kind, Problem};

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The JSON body of at most `largest` bytes.
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
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > largest) {
        return Err(too_large(largest));
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(chunk) = payload.next().await {
            match chunk {
                Ok(chunk) if body.len().saturating_add(chunk.len()) <= largest => body.extend(chunk),
                Ok(_) => return Err(too_large(largest)),
                Err(_) => return Err(incomplete()),
            }
        }
        Ok(())
    };
    timeout(TIMEOUT, read).await.map_err(|_| incomplete())??;
    Ok(body)
}

fn incomplete() -> Problem {
    let detail = "Il corpo della richiesta non è arrivato per intero.";
    Problem::new(Kind::BadRequest, "body_incomplete", detail)
}

fn too_large(largest: usize) -> Problem {
    let detail = format!("Il corpo supera {largest} byte: inviare meno per volta.");
    Problem::new(Kind::PayloadTooLarge, "payload_too_large", detail)
}
