//! The contract of one e-service, as the server gives it and as PDND wants it: `specs/openapi.yaml` with the
//! e-service's own address, contact, terms and codes.

use actix_web::http::StatusCode;

use super::call::Reply;
use super::service::EService;
use crate::config;

/// The contract, with the values of an invented ente.
const TEMPLATE: &str = include_str!("../../specs/openapi.yaml");
const TEMPLATE_TERMS: &str = "https://www.comune.example.it/waas/termini-di-servizio";
const TEMPLATE_EMAIL: &str = "waas@comune.example.it";
const TEMPLATE_SERVER: &str = "https://waas.comune.example.it/waas/v1";
/// The pattern of Belfiore codes and what goes with it.
const TEMPLATE_CODE: &str = "pattern: '^[A-Z][0-9]{3}$'
          minLength: 4
          maxLength: 4";

pub(super) fn get(eservice: &EService) -> Reply {
    Reply::success(StatusCode::OK, "application/yaml", eservice.openapi.clone())
}

/// The contract of `eservice`, published under `public_url`.
#[must_use]
pub fn document(eservice: &config::EService, public_url: Option<&str>) -> String {
    // What comes before the first key tells the developers of this program how to fill it in.
    let (_, contract) = TEMPLATE.split_once("\nopenapi:").unwrap_or_default();
    let mut document = format!("openapi:{contract}");
    let mut fill = |template: &str, value: Option<String>| {
        if let Some(value) = value {
            document = document.replace(template, &value);
        }
    };
    let server = public_url.map(|url| format!("{}{}", url.trim_end_matches('/'), eservice.base_path));
    fill(&format!("url: {TEMPLATE_SERVER}"), server.map(|url| format!("url: {}", quoted(&url))));
    let terms = eservice.terms_url.as_deref().map(|url| format!("termsOfService: {}", quoted(url)));
    fill(&format!("termsOfService: {TEMPLATE_TERMS}"), terms);
    let email = eservice.contact_email.as_deref().map(|email| format!("email: {}", quoted(email)));
    fill(&format!("email: {TEMPLATE_EMAIL}"), email);
    if eservice.codice_ente_pattern != config::BELFIORE_PATTERN {
        let pattern = quoted(&eservice.codice_ente_pattern);
        fill(
            TEMPLATE_CODE,
            Some(format!("pattern: {pattern}\n          minLength: 1\n          maxLength: 32")),
        );
        if let Some(ente) = eservice.ente.first() {
            fill("H501", Some(ente.codice.clone()));
        }
    }
    document
}

/// A YAML scalar in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
