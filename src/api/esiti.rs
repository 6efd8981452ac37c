//! `POST /esiti`: INPS's outcomes.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};

use super::call::{Call, Details, Reply};
use super::problem::Problem;
use super::service::{EService, Service};
use super::{body, outcomes};
use crate::call_log::EsitiTaken;

/// Bytes of a body: a hundred outcomes, with ten thousand each to spare.
const LARGEST_BODY: usize = 1024 * 1024;

pub(super) async fn post(
    call: &Call,
    service: &Service,
    eservice: &EService,
    request: &HttpRequest,
    payload: &mut Payload,
) -> Reply {
    let esiti = match body::json(request, payload, LARGEST_BODY).await.and_then(|body| outcomes::read(&body))
    {
        Ok(esiti) => esiti,
        Err(problem) => return problem.into(),
    };
    let count = u32::try_from(esiti.len()).ok();
    let mut by_code: BTreeMap<String, usize> = BTreeMap::new();
    for esito in &esiti {
        *by_code.entry(esito.codice.as_str().to_owned()).or_default() += 1;
    }
    let stored = match service.registry.record_esiti_async(eservice.id, esiti, call.id.to_string()).await {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(request_id = %call.id, %error, "outcomes cannot be stored");
            return Problem::unavailable("database_unavailable").into();
        }
    };
    let taken = EsitiTaken { by_code, repeated: stored.repeated, unknown_flows: stored.unknown_flows };
    service.metrics.esiti(&eservice.config.name, &taken);
    let details = Details { count, esiti: Some(taken), ..Details::default() };
    Reply::success(StatusCode::NO_CONTENT, "", Bytes::new()).with(details)
}
