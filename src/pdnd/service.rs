//! PDND's tracing service: what it can be asked, as types (facts of PDND, "Tracing").
//!
//! Each function is one question, asked again only when the M2M voucher was not accepted. When to ask what is decided
//! in `settle`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::PdndError;
use super::http::{Answer, Body, Http, told};
use super::token::{Client, Tokens};
use crate::clock::Clock;
use crate::store::Day;

/// The largest page that the service gives.
const PAGE: usize = 50;
/// Pages of days that are read at most: those of 27 years.
const MOST_PAGES: usize = 200;
/// Errors of one day that are read at most.
const MOST_ERRORS: usize = 200;

/// The state of a day with PDND.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "UPPERCASE")]
#[value(rename_all = "UPPER")]
pub enum State {
    /// Its file was taken and is being looked at.
    Pending,
    /// Its file is right.
    Completed,
    /// Its file was counted, with remarks.
    Warning,
    /// Its file is wrong: none of it counts.
    Error,
    /// Its time has passed without a file.
    Missing,
}

impl State {
    /// As PDND spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Completed => "COMPLETED",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Missing => "MISSING",
        }
    }

    /// The state of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Completed, Self::Warning, Self::Error, Self::Missing]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// Whether the day is counted: nothing more is owed.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Completed | Self::Warning)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A day as PDND has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// PDND's id of the day's tracing.
    pub id: Uuid,
    /// Its state.
    pub state: State,
}

/// What the service says of a file that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// PDND's id of the day's tracing, where the answer has it.
    pub id: Option<Uuid>,
    /// Other days have errors.
    pub others_in_error: bool,
}

/// Something that PDND found in a day's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RowError {
    /// The purpose that it is about.
    #[serde(default)]
    pub purpose_id: Option<String>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Option<String>,
    /// Its code.
    #[serde(default)]
    pub error_code: Option<String>,
    /// What it says.
    #[serde(default)]
    pub message: Option<String>,
    /// The row of the file.
    #[serde(default)]
    pub row_number: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    results: Vec<T>,
    total_count: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    tracing_id: Uuid,
    date: String,
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submitted {
    #[serde(default)]
    tracing_id: Option<Uuid>,
    #[serde(default)]
    errors: bool,
}

/// The tracing service, asked in the name of one member.
pub struct Service {
    http: Http,
    tokens: Tokens,
    base: String,
}

impl Service {
    /// The service at `base`, asked by `client`. Nothing is sent yet.
    #[must_use]
    pub fn new(base: &str, client: Client, clock: Clock) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { http: Http::new(), tokens: Tokens::new(client, clock), base }
    }

    /// The days that PDND knows of; those in one of `states`, or all where none is named.
    pub fn days(&self, states: &[State]) -> Result<BTreeMap<Day, Known>, PdndError> {
        let states: String = states.iter().flat_map(|state| ["&states=", state.as_str()]).collect();
        let mut days = BTreeMap::new();
        let listed: Vec<Listed> =
            self.pages(&format!("{}/tracings", self.base), &states, PAGE * MOST_PAGES)?;
        for Listed { tracing_id, date, state } in listed {
            let unreadable = |value: &str| PdndError::Unreadable {
                address: self.base.clone(),
                what: format!("a day with {:?}", told(value)),
            };
            let day: Option<Date> = date.get(..10).and_then(|date| date.parse().ok());
            let day = day.ok_or_else(|| unreadable(&date))?;
            let state = State::parse(&state).ok_or_else(|| unreadable(&state))?;
            days.insert(Day::from(day), Known { id: tracing_id, state });
        }
        Ok(days)
    }

    /// What PDND found in the file of a day; of very many errors, the first.
    pub fn errors(&self, id: Uuid) -> Result<Vec<RowError>, PdndError> {
        self.pages(&format!("{}/tracings/{id}/errors", self.base), "", MOST_ERRORS)
    }

    /// Sends the file of a day that has none.
    pub fn submit(&self, day: Day, csv: &str) -> Result<Taken, PdndError> {
        self.send("submit", Some(day), csv)
    }

    /// Sends the file of a day that is in error, or had none in time.
    pub fn recover(&self, id: Uuid, csv: &str) -> Result<Taken, PdndError> {
        self.send(&format!("{id}/recover"), None, csv)
    }

    /// Sends another file of a day that was counted.
    pub fn replace(&self, id: Uuid, csv: &str) -> Result<Taken, PdndError> {
        self.send(&format!("{id}/replace"), None, csv)
    }

    fn send(&self, path: &str, day: Option<Day>, csv: &str) -> Result<Taken, PdndError> {
        let (content_type, bytes) = multipart(day, csv);
        let url = format!("{}/tracings/{path}", self.base);
        let answer = self.ask(&url, Some(Body { content_type: &content_type, bytes: &bytes }))?;
        if answer.is_success() {
            // Taken is taken, even where the answer does not say as what.
            let submitted: Option<Submitted> = answer.json().ok();
            return Ok(submitted.map_or_else(Taken::default, |submitted| Taken {
                id: submitted.tracing_id,
                others_in_error: submitted.errors,
            }));
        }
        let codes = [
            ("INVALID_TRACING_DATE", PdndError::InvalidDate),
            ("TRACING_ALREADY_EXISTS", PdndError::AlreadyExists),
            ("TRACING_CANNOT_BE_UPDATED", PdndError::CannotBeUpdated),
            ("TRACING_NOT_FOUND", PdndError::NotFound),
        ];
        let refused = || match answer.status {
            404 => PdndError::NotFound,
            409 => PdndError::CannotBeUpdated,
            status => PdndError::Refused { status, detail: answer.detail() },
        };
        Err(codes.into_iter().find(|(code, _)| answer.names(code)).map_or_else(refused, |(_, error)| error))
    }

    /// Everything that a list holds, page by page, up to `most`.
    fn pages<T: for<'de> Deserialize<'de>>(
        &self,
        url: &str,
        query: &str,
        most: usize,
    ) -> Result<Vec<T>, PdndError> {
        let mut all = Vec::new();
        for _ in 0..most.div_ceil(PAGE) {
            let url = format!("{url}?offset={}&limit={PAGE}{query}", all.len());
            let answer = self.ask(&url, None)?;
            if answer.status != 200 {
                return Err(PdndError::Refused { status: answer.status, detail: answer.detail() });
            }
            let page: Page<T> = answer.json()?;
            let more = !page.results.is_empty();
            all.extend(page.results);
            if !more || all.len() >= page.total_count {
                break;
            }
        }
        Ok(all)
    }

    /// One question, asked again with a new voucher if the one at hand is not accepted: then nothing was done.
    fn ask(&self, url: &str, body: Option<Body<'_>>) -> Result<Answer, PdndError> {
        for _ in 0..2 {
            let voucher = self.tokens.get(&self.http)?;
            let answer = self.http.call(url, Some(&voucher), body)?;
            if answer.status != 401 {
                return Ok(answer);
            }
            self.tokens.forget();
        }
        Err(PdndError::Unauthorized(401))
    }
}

/// The content type and the bytes of a form with the file, and with its date where it is given.
///
/// Nothing but blanks separates the parts of the content type: the service rejects a tab there.
fn multipart(day: Option<Day>, csv: &str) -> (String, Vec<u8>) {
    let boundary = format!("waas-comuni-{}", Uuid::new_v4().simple());
    let date = day
        .map(|day| format!("--{boundary}\r\nContent-Disposition: form-data; name=\"date\"\r\n\r\n{day}\r\n"));
    let form = format!(
        "{}--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tracing.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{csv}\r\n--{boundary}--\r\n",
        date.unwrap_or_default(),
    );
    (format!("multipart/form-data; boundary={boundary}"), form.into_bytes())
}
