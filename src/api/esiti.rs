//! `POST /esiti`: INPS's outcomes.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::call::{Call, Details, Reply};
use super::outcomes;
use super::problem::{Kind, Problem};
use super::server::{EService, Service};

/// Bytes of a body: a hundred outcomes, with ten thousand each to spare.
const LARGEST_BODY: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

pub(super) async fn post(
    call: &Call,
    service: &Service,
    eservice: &EService,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Reply {
    let esiti = match body(request, payload).await.and_then(|body| outcomes::read(&body)) {
        Ok(esiti) => esiti,
        Err(problem) => return problem.into(),
    };
    let details = Details { count: u32::try_from(esiti.len()).ok(), ..Details::default() };
    if let Err(error) = service.registry.record_esiti_async(eservice.id, esiti, call.id.to_string()).await {
        tracing::error!(request_id = %call.id, %error, "outcomes cannot be stored");
        return Problem::unavailable("database_unavailable").into();
    }
    Reply::success(StatusCode::NO_CONTENT, "", Bytes::new()).with(details)
}

/// The JSON body, whole.
async fn body(request: &HttpRequest, payload: &mut Payload) -> Result<Vec<u8>, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let detail = "Il corpo deve essere JSON: inviare Content-Type: application/json.";
        return Err(Problem::new(Kind::UnsupportedMediaType, "unsupported_media_type", detail));
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length > LARGEST_BODY) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let read = async {
        while let Some(chunk) = payload.next().await {
            match chunk {
                Ok(chunk) if body.len().saturating_add(chunk.len()) <= LARGEST_BODY => body.extend(chunk),
                Ok(_) => return Err(too_large()),
                Err(_) => return Err(incomplete()),
            }
        }
        Ok(())
    };
    timeout(BODY_TIMEOUT, read).await.map_err(|_| incomplete())??;
    Ok(body)
}

fn incomplete() -> Problem {
    let detail = "Il corpo della richiesta non è arrivato per intero.";
    Problem::new(Kind::BadRequest, "body_incomplete", detail)
}

fn too_large() -> Problem {
    let detail = format!("Il corpo supera {LARGEST_BODY} byte: inviare meno esiti per volta.");
    Problem::new(Kind::PayloadTooLarge, "payload_too_large", detail)
}
