//! A form that was sent: its fields, read whole within bounds, by name, and the file that comes after them, which the
//! page's handler reads; and the query of an address, which has the same form as fields.

use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use futures_util::{Stream, StreamExt};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::text;
use crate::store::Day;

/// Bytes of a form.
const LARGEST: usize = 256 * 1024;
/// Fields of a form.
const MOST_FIELDS: usize = 2_000;
/// How long a form may take to arrive, and each stretch of its file.
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

    /// The form in the body of a request, and where `takes_file` the file that stands behind its fields.
    pub(super) async fn read(
        request: &HttpRequest,
        mut payload: Payload,
        takes_file: bool,
    ) -> Result<(Self, Option<Upload>), Refusal> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if takes_file && media_type.eq_ignore_ascii_case("multipart/form-data") {
            let parts = Multipart::new(request.headers(), payload);
            return timeout(TIMEOUT, Self::read_parts(parts)).await.map_err(|_| Refusal::Malformed)?;
        }
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::Malformed);
        }
        let mut body = Vec::new();
        timeout(TIMEOUT, append(&mut payload, &mut body)).await.map_err(|_| Refusal::Malformed)??;
        Ok((Self::parse(&body)?, None))
    }

    async fn read_parts(mut parts: Multipart) -> Result<(Self, Option<Upload>), Refusal> {
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut left = LARGEST;
        while let Some(part) = parts.next().await {
            let mut part = part.map_err(|_| Refusal::Malformed)?;
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.content_disposition().and_then(|disposition| {
                let extended = disposition.get_filename_ext();
                let extended = extended.map(|name| String::from_utf8_lossy(&name.value).into_owned());
                extended.or_else(|| disposition.get_filename().map(str::to_owned))
            });
            if let Some(name) = file_name {
                return Ok((Self(fields), Some(Upload { name, part, _parts: parts })));
            }
            let mut value = Vec::new();
            append(&mut part, &mut value).await?;
            left = left.checked_sub(name.len() + value.len()).ok_or(Refusal::TooLarge)?;
            if fields.len() == MOST_FIELDS {
                return Err(Refusal::TooLarge);
            }
            fields.push((name, String::from_utf8(value).map_err(|_| Refusal::Malformed)?));
        }
        Ok((Self(fields), None))
    }

    /// The field, without blanks around it; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// Every field as it was sent, in its order.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of the field, without blanks around it.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(one, _)| one == name).map(|(_, value)| value.trim())
    }

    /// The period in the fields `da` and `a`, both days within it.
    pub(super) fn period(&self, errors: &mut Errors) -> (Option<Timestamp>, Option<Timestamp>) {
        period([("da", self.text("da")), ("a", self.text("a"))], errors)
    }

    /// The field as it was typed, to be kept out of sight.
    pub(super) fn secret(&self, name: &str) -> SecretString {
        self.0.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone()).unwrap_or_default().into()
    }
}

/// The period from the one day to the other, both within it, as they were written in fields of these names.
pub(super) fn period(
    [(first, from), (last, until)]: [(&'static str, &str); 2],
    errors: &mut Errors,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut day = |name: &'static str, written: &str| {
        if written.is_empty() {
            return None;
        }
        let day = text::read_day(written);
        if day.is_none() {
            errors.add(name, text::NO_DAY);
        }
        day
    };
    let (from, until) = (day(first, from).and_then(Day::start), day(last, until).and_then(Day::end));
    if from.zip(until).is_some_and(|(from, until)| until <= from) {
        errors.add(last, "L'ultimo giorno viene prima del primo: scambiarli.");
    }
    (from, until)
}

/// Adds what comes to `body`, within the bounds of a form.
async fn append<E>(
    source: &mut (impl Stream<Item = Result<Bytes, E>> + Unpin),
    body: &mut Vec<u8>,
) -> Result<(), Refusal> {
    while let Some(chunk) = source.next().await {
        match chunk {
            Ok(chunk) if body.len().saturating_add(chunk.len()) <= LARGEST => body.extend(chunk),
            Ok(_) => return Err(Refusal::TooLarge),
            Err(_) => return Err(Refusal::Malformed),
        }
    }
    Ok(())
}

/// The file of a form, as it comes.
pub(super) struct Upload {
    /// What the browser calls it.
    pub(super) name: String,
    part: Field,
    /// What the part is read from.
    _parts: Multipart,
}

impl Upload {
    /// The next of it; none at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        match timeout(TIMEOUT, self.part.next()).await {
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) | Err(_) => Err(Refusal::Malformed),
        }
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
