//! The body of `POST /esiti`, read strictly where the contract is strict.
//!
//! Facts of the contract, "Where the documents disagree": extra keys of an outcome are kept, extra keys beside
//! `elenco_esiti` are refused, null stands for absent where a field is optional. A member that comes twice is refused:
//! what the first of the two said would be lost. One wrong entry refuses all, naming the entry and the field, for a
//! delivery is stored whole or not at all.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::{Map, Value};

use super::problem::{Kind, Problem};
use crate::json::{self, Fault};
use crate::registry::{CodiceEsito, Esito};

/// Outcomes of one call.
const MOST_OUTCOMES: usize = 100;
/// Characters of `tipo`.
const LONGEST_TIPO: usize = 64;

/// Reads the body.
pub fn read(body: &[u8]) -> Result<Vec<Esito>, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(wrong("Il corpo è vuoto: inviare un oggetto JSON con elenco_esiti."));
    }
    if str::from_utf8(body).is_err() {
        return Err(wrong("Il corpo non è in UTF-8: scrivere il JSON in UTF-8."));
    }
    let value: Value = json::distinct(body).map_err(|fault| {
        let (what, error) = match fault {
            Fault::Unreadable(error) => ("Il corpo non è JSON valido", error),
            Fault::Repeated(error) => ("Un oggetto del corpo ripete un campo", error),
        };
        wrong(format!("{what} (riga {}, colonna {}).", error.line(), error.column()))
    })?;
    let Value::Object(mut body) = value else {
        return Err(wrong("Il corpo deve essere un oggetto con elenco_esiti."));
    };
    let list = body.remove("elenco_esiti");
    if let Some(key) = body.keys().next() {
        let key: String = key.chars().take(64).collect();
        return Err(wrong(format!("Il corpo ha un campo non previsto: {key}.")));
    }
    let entries = match list {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(wrong("elenco_esiti deve essere un elenco.")),
    };
    if entries.len() > MOST_OUTCOMES {
        return Err(wrong(format!("elenco_esiti ha {} voci: al massimo {MOST_OUTCOMES}.", entries.len())));
    }
    entries.into_iter().enumerate().map(|(index, entry)| outcome(index, entry)).collect()
}

fn outcome(index: usize, entry: Value) -> Result<Esito, Problem> {
    let Value::Object(fields) = entry else {
        return Err(wrong(format!("elenco_esiti[{index}] deve essere un oggetto.")));
    };
    let mut entry = Entry { index, fields };
    let tipo = entry.required("tipo")?;
    if tipo.chars().count() > LONGEST_TIPO {
        return Err(entry.fault("tipo", &format!("ha più di {LONGEST_TIPO} caratteri")));
    }
    let codice = entry.required("codice_esito")?;
    let codice: CodiceEsito = codice.parse().map_err(|()| {
        entry.fault("codice_esito", "non è uno di OK, DATI_NON_TROVATI, RICHIESTA_INVALIDA, ERRORE_GENERICO")
    })?;
    Ok(Esito {
        id_flusso: entry.required("id_flusso")?,
        tipo,
        ts_flusso: entry.instant("ts_flusso")?,
        ts_acquisizione: entry.instant("ts_acquisizione")?,
        codice,
        descrizione: entry.optional("descrizione_esito")?,
        id_acquisizione_siuss: entry.optional("id_acquisizione_siuss")?,
        altro: entry.fields,
    })
}

/// One entry, whose fields are taken one by one.
struct Entry {
    index: usize,
    fields: Map<String, Value>,
}

impl Entry {
    fn fault(&self, field: &str, what: &str) -> Problem {
        wrong(format!("elenco_esiti[{}].{field} {what}.", self.index))
    }

    fn required(&mut self, field: &str) -> Result<String, Problem> {
        match self.fields.remove(field) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(self.fault(field, "deve essere un testo")),
            None => Err(self.fault(field, "manca")),
        }
    }

    fn optional(&mut self, field: &str) -> Result<Option<String>, Problem> {
        match self.fields.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(field, "deve essere un testo")),
        }
    }

    fn instant(&mut self, field: &str) -> Result<Timestamp, Problem> {
        let text = self.required(field)?;
        timestamp(&text)
            .ok_or_else(|| self.fault(field, "deve essere un istante come 2023-11-27T11:04:56.852Z"))
    }
}

/// An RFC 3339 `date-time`; one beyond the last instant of the calendar is drawn to it.
fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let form = |index: usize, admitted: &[u8]| bytes.get(index).is_some_and(|byte| admitted.contains(byte));
    if !(form(4, b"-") && form(7, b"-") && form(10, b"Tt") && form(13, b":") && form(16, b":")) {
        return None;
    }
    let zone = text.char_indices().skip(19).find(|(_, character)| "Zz+-".contains(*character))?.0;
    let (local, zone) = text.split_at_checked(zone)?;
    let (seconds, fraction) = local.split_at_checked(19)?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(fraction.is_empty() || fraction.strip_prefix('.').is_some_and(all_digits)) {
        return None;
    }
    // An instant holds nine decimals.
    let fraction = fraction.get(..fraction.len().min(10))?;
    let local: civil::DateTime = format!("{}{fraction}", seconds.replacen('t', "T", 1)).parse().ok()?;
    let utc = Offset::UTC.to_timestamp(local).unwrap_or(Timestamp::MAX);
    Some(utc.checked_sub(SignedDuration::from_mins(offset_minutes(zone)?)).unwrap_or(Timestamp::MAX))
}

/// Minutes east of Greenwich of `Z`, `+01:00` and their likes.
fn offset_minutes(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str, most: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten().filter(|number| *number <= most)
    };
    Some(sign * (number(hours, 23)? * 60 + number(minutes, 59)?))
}

fn wrong(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::BadRequest, "bad_request", detail)
}
