//! The parameters of `GET /flussi`.

use super::problem::{Kind, Problem};
use crate::call_log::pulls::LARGEST_PAGE;

/// The largest `since` that the contract admits: 1e20.
const LARGEST_SINCE: u128 = 100_000_000_000_000_000_000;
/// The page of a call that asks for none.
const DEFAULT_LIMIT: u16 = 10;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The cursor: milliseconds since the epoch, up to 1e20; flows after it are asked for.
    pub since: u128,
    /// The largest number of flows wanted, 0 to 100.
    pub limit: u16,
}

impl Query {
    /// Reads a query string. `max_entries`, of the specification's examples, counts where `limit` is not given.
    /// Other parameters are passed over.
    pub fn read(query: &str) -> Result<Self, Problem> {
        let mut since = None;
        let mut limit = None;
        let mut max_entries = None;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match name.as_ref() {
                "since" => &mut since,
                "limit" => &mut limit,
                "max_entries" => &mut max_entries,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(wrong(format!("Il parametro {name} compare più di una volta.")));
            }
        }
        let Some(since) = since else {
            return Err(wrong("Manca il parametro since: indicare 0 la prima volta.".to_owned()));
        };
        let since = integer(&since).filter(|since| *since <= LARGEST_SINCE).ok_or_else(|| {
            wrong("Il parametro since deve essere un numero intero di millisecondi, da 0 a 1e20.".to_owned())
        })?;
        let limit = page_size("limit", limit.as_deref())?;
        let max_entries = page_size("max_entries", max_entries.as_deref())?;
        Ok(Self { since, limit: limit.or(max_entries).unwrap_or(DEFAULT_LIMIT) })
    }
}

/// A number of flows, where the call gives one. It is judged even where another parameter wins over it.
fn page_size(name: &str, text: Option<&str>) -> Result<Option<u16>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    let size = integer(text).and_then(|size| u16::try_from(size).ok()).filter(|size| *size <= LARGEST_PAGE);
    size.map(Some).ok_or_else(|| {
        wrong(format!("Il parametro {name} deve essere un numero intero da 0 a {LARGEST_PAGE}."))
    })
}

/// An integer in decimal digits, without a sign.
fn integer(text: &str) -> Option<u128> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn wrong(detail: String) -> Problem {
    Problem::new(Kind::BadRequest, "bad_request", detail)
}
