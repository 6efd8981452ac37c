//! The back-office listener's health checks: `/health/live` and `/health/ready`.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::service::Service;
use crate::current::Current;

/// The process runs.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// The database answers and takes what is written, and every issuer's keys are there.
pub(super) async fn ready(service: Data<Current<Service>>) -> HttpResponse {
    let service = service.get();
    let database = service.works().await;
    let without_keys: Vec<&str> = service
        .routes
        .iter()
        .filter(|eservice| eservice.verifier.keys().status().keys == 0)
        .map(|eservice| eservice.config.name.as_str())
        .collect();
    let body = json!({ "database": database, "eservices_without_keys": without_keys });
    if database && without_keys.is_empty() {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}
