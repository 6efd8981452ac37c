//! A form that was sent: read whole within bounds, its fields by name; and the query of an address, which has the same
//! form.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::Payload;
use futures_util::StreamExt;
use secrecy::SecretString;
use tokio::time::timeout;

use super::refusal::Refusal;

/// Bytes of a form.
const LARGEST: usize = 256 * 1024;
/// Fields of a form.
const MOST_FIELDS: usize = 2_000;
/// How long a form may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The fields of a form, in their order; a name may stand more than once.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The fields in `text`, which is URL-encoded.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(text)
            .take(MOST_FIELDS + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if fields.len() > MOST_FIELDS { Err(Refusal::TooLarge) } else { Ok(Self(fields)) }
    }

    /// The form in the body of a request.
    pub(super) async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Refusal> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::Malformed);
        }
        let mut body = Vec::new();
        let read = async {
            while let Some(chunk) = payload.next().await {
                match chunk {
                    Ok(chunk) if body.len().saturating_add(chunk.len()) <= LARGEST => body.extend(chunk),
                    Ok(_) => return Err(Refusal::TooLarge),
                    Err(_) => return Err(Refusal::Malformed),
                }
            }
            Ok(())
        };
        timeout(TIMEOUT, read).await.map_err(|_| Refusal::Malformed)??;
        Self::parse(&body)
    }

    /// The field, without blanks around it; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// Every value of the field, without blanks around it.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.trim())
    }

    /// The field as it was typed, to be kept out of sight.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone()).unwrap_or_default().into()
    }
}

/// What is wrong with the fields of a form, in their order: the field's id, and what to mend.
#[derive(Default)]
pub(super) struct Errors(Vec<(&'static str, String)>);

impl Errors {
    /// One more.
    pub(super) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push((field, message.into()));
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, for the summary above the form.
    pub(super) fn all(&self) -> &[(&'static str, String)] {
        &self.0
    }

    /// What is wrong with one field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(one, _)| *one == field).map(|(_, message)| message.as_str())
    }
}
