//! `GET /status`: whether the service works. Public: whatever token comes with it is not looked at.

use actix_web::http::StatusCode;

use super::call::{Call, Reply};
use super::problem::{self, Problem};
use super::service::Service;

pub(super) async fn get(call: &Call, service: &Service) -> Reply {
    if !service.works().await {
        return Problem::unavailable("database_unavailable").into();
    }
    let body =
        problem::body(StatusCode::OK, "Servizio attivo", "Il servizio risponde regolarmente.", call.id, None);
    Reply::success(StatusCode::OK, problem::CONTENT_TYPE, body)
}
