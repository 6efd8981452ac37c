//! One entry of a page: its members, as far as they can be read.

use jiff::{Timestamp, civil};
use openssl::sha::{Sha256, sha256};
use serde_json::Value;

use super::check::printable;

/// The members of an entry, with the most characters that the contract gives them.
const MEMBERS: [(&str, usize); 6] = [
    ("codice_ente", usize::MAX),
    ("denominazione_ente", 256),
    ("id_flusso", 64),
    ("ts_flusso", usize::MAX),
    ("tipo", usize::MAX),
    ("flusso", 10_000_000),
];
/// The one member that an entry can do without: nothing of the acquisition hangs on it.
const OPTIONAL: &str = "denominazione_ente";

/// An entry. What is missing or of another type is `None`, and told in `fault`.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) codice_ente: Option<&'a str>,
    pub(super) id_flusso: Option<&'a str>,
    pub(super) ts_flusso: Option<&'a str>,
    pub(super) tipo: Option<&'a str>,
    pub(super) flusso: Option<&'a str>,
    /// The first thing that the contract does not allow.
    pub(super) fault: Option<String>,
}

impl<'a> Entry<'a> {
    pub(super) fn read(entry: &'a Value) -> Self {
        let Some(members) = entry.as_object() else {
            return Self { fault: Some("it is not a JSON object".to_owned()), ..Self::default() };
        };
        let mut fault = members
            .keys()
            .find(|name| MEMBERS.iter().all(|(member, _)| member != name))
            .map(|name| format!("it has a member {:?}, which is not in the contract", printable(name)));
        let [codice_ente, _, id_flusso, ts_flusso, tipo, flusso] = MEMBERS.map(|(name, most)| {
            let text = members.get(name).and_then(Value::as_str);
            let wrong = match (members.get(name), text) {
                (None, _) if name == OPTIONAL => None,
                (None, _) => Some(format!("{name} is missing")),
                (Some(_), None) => Some(format!("{name} is not a text")),
                (_, Some(text)) => {
                    // Characters are never more than bytes, which cost nothing to count.
                    let long = text.len() > most && text.chars().count() > most;
                    long.then(|| format!("{name} has more than {most} characters"))
                }
            };
            fault = fault.take().or(wrong);
            text
        });
        Self { codice_ente, id_flusso, ts_flusso, tipo, flusso, fault }
    }
}

/// A digest of everything that an entry says, whatever the order in which it says it.
pub(super) fn digest(entry: &Value) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for (name, _) in MEMBERS {
        hasher.update(entry.get(name).and_then(Value::as_str).unwrap_or_default().as_bytes());
        // No byte of a text in UTF-8.
        hasher.update(&[0xFF]);
    }
    hasher.finish()
}

/// Half a digest of an id: no two share it by accident, and a million fit into a few megabytes.
pub(super) fn fingerprint(id: &str) -> u128 {
    sha256(id.as_bytes()).into_iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(byte))
}

/// The instant of a `ts_flusso`, if it is one, and whether it is written in the one form that is exact.
pub(super) fn instant(text: &str) -> (Option<Timestamp>, bool) {
    let instant: Option<Timestamp> = text.parse().ok();
    (instant, instant.is_some_and(|instant| format!("{instant:.3}") == text))
}

/// The kind, as an `id_flusso` of the right form names it: `EEEEE.TIPO.AAAAMMGG.N`.
pub(super) fn kind_in_id(id: &str) -> Option<&str> {
    let mut parts = id.split('.');
    let (ente, kind, day, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let right = parts.next().is_none()
        && !ente.is_empty()
        && ente.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && matches!(kind, "PS" | "SINBA")
        && day.len() == 8
        && digits(day)
        && civil::Date::strptime("%Y%m%d", day).is_ok()
        && digits(number);
    right.then_some(kind)
}
