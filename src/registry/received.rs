//! Outcomes as they arrived, the latest first: those with which INPS accepted a flow, and those about flows that the
//! registry does not hold.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use jiff::Timestamp;

use super::tipo_of;
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{esito, flusso, prestazione};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// Outcomes that one statement finds, where not each of them is wanted.
const CHUNK: usize = 500;
/// Outcomes that one page looks at: where few are of the ente that is asked for, a page may be short and not be the last.
const MOST_LOOKED_AT: usize = 5000;

/// Which outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those in force with which INPS accepted a flow.
    Accepted,
    /// Those about flows that the registry does not hold.
    Unknown,
}

impl Which {
    /// The condition of its index, in the words of the index: with a parameter in it, neither database would see that
    /// it is the same.
    fn condition(self) -> &'static str {
        match self {
            Self::Accepted => "(esito.codice_esito = 'OK' AND esito.flusso_ts IS NOT NULL)",
            Self::Unknown => "(esito.flusso_ts IS NULL)",
        }
    }
}

/// Of these, those for which everything given holds.
#[derive(Clone, Debug, Default)]
pub struct ReceivedFilter {
    /// About a flow of this ente; of a flow that is not known, its name tells.
    pub ente: Option<String>,
    /// That arrived at this instant or later.
    pub from: Option<Timestamp>,
    /// That arrived before this instant.
    pub until: Option<Timestamp>,
}

/// An outcome, and the flow that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its place among all of them.
    pub place: EsitoPlace,
    /// The flow.
    pub id_flusso: String,
    /// The verdict, by its name in the contract.
    pub codice_esito: String,
    /// Its detail.
    pub descrizione: Option<String>,
    /// SIUSS's own number of the acquisition.
    pub id_acquisizione_siuss: Option<String>,
    /// When INPS acquired the flow, in milliseconds since the epoch.
    pub ts_acquisizione_ms: i64,
    /// What the registry has of it.
    pub about: Option<AboutFlow>,
}

/// What the registry has of a flow that an outcome is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AboutFlow {
    /// The benefit's number.
    pub prestazione: i64,
    /// The ente that grants it.
    pub codice_ente: String,
    /// Its kind.
    pub tipo: TipoFlusso,
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    pub label: String,
    /// The code of the nomenclature, where it is known.
    pub codice: Option<String>,
    /// Whether the flow is a cancellation.
    pub cancels: bool,
}

/// The place of an outcome: when it arrived, and its number. As text, it is where a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EsitoPlace {
    /// In milliseconds since the epoch.
    pub received_ms: i64,
    id: i64,
}

impl fmt::Display for EsitoPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.received_ms, self.id)
    }
}

impl FromStr for EsitoPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (received_ms, id) = text.split_once('.').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { received_ms: number(received_ms)?, id: number(id)? })
    }
}

/// Some outcomes, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct ReceivedPage {
    /// The latest first.
    pub esiti: Vec<Received>,
    /// Where to go on; none after the last page.
    pub next: Option<EsitoPlace>,
}

/// At most `limit` of them, beyond `after`.
pub(crate) fn received(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    which: Which,
    filter: &ReceivedFilter,
    after: Option<EsitoPlace>,
    limit: usize,
) -> Result<ReceivedPage, StoreError> {
    // One more than are shown tells whether there are more.
    let size = if filter.ente.is_some() { CHUNK.max(limit) } else { limit }.saturating_add(1);
    let (mut esiti, mut next, mut looked_at) = (Vec::new(), after, 0);
    while looked_at < MOST_LOOKED_AT.max(size) {
        let chunk = candidates(connection, eservice, which, filter, next, size)?;
        let is_last = chunk.len() < size;
        looked_at += chunk.len();
        let known =
            if which == Which::Accepted { known(connection, eservice, &chunk)? } else { HashMap::new() };
        for row in chunk {
            if esiti.len() == limit {
                return Ok(ReceivedPage { esiti, next });
            }
            next = Some(row.place());
            let about = row.flusso_ts.and_then(|ts| known.get(&ts).cloned());
            // A flow that an outcome accepts is in the registry; what was superseded since is not known here.
            if which == Which::Accepted && about.as_ref().is_none_or(|(last, _)| *last != row.id) {
                continue;
            }
            let received = row.received(about.map(|(_, about)| about));
            if filter.ente.as_ref().is_none_or(|ente| received.is_of(ente)) {
                esiti.push(received);
            }
        }
        if is_last {
            return Ok(ReceivedPage { esiti, next: None });
        }
    }
    Ok(ReceivedPage { esiti, next })
}

impl Received {
    fn is_of(&self, ente: &str) -> bool {
        match &self.about {
            Some(about) => about.codice_ente == ente,
            None => self.id_flusso.split('.').next() == Some(ente),
        }
    }
}

#[derive(Queryable)]
struct Row {
    id: i64,
    id_flusso: String,
    flusso_ts: Option<i64>,
    codice_esito: String,
    descrizione: Option<String>,
    id_acquisizione_siuss: Option<String>,
    ts_acquisizione_ms: i64,
    received_ms: i64,
}

impl Row {
    fn place(&self) -> EsitoPlace {
        EsitoPlace { received_ms: self.received_ms, id: self.id }
    }

    fn received(self, about: Option<AboutFlow>) -> Received {
        Received {
            place: self.place(),
            id_flusso: self.id_flusso,
            codice_esito: self.codice_esito,
            descrizione: self.descrizione,
            id_acquisizione_siuss: self.id_acquisizione_siuss,
            ts_acquisizione_ms: self.ts_acquisizione_ms,
            about,
        }
    }
}

fn candidates(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    which: Which,
    filter: &ReceivedFilter,
    after: Option<EsitoPlace>,
    size: usize,
) -> Result<Vec<Row>, StoreError> {
    let mut query = esito::table
        .filter(esito::eservice_id.eq(eservice.get()))
        .filter(sql::<Bool>(which.condition()))
        .order((esito::received_ms.desc(), esito::id.desc()))
        .limit(i64::try_from(size).unwrap_or(i64::MAX))
        .select((
            esito::id,
            esito::id_flusso,
            esito::flusso_ts,
            esito::codice_esito,
            esito::descrizione,
            esito::id_acquisizione_siuss,
            esito::ts_acquisizione_ms,
            esito::received_ms,
        ))
        .into_boxed();
    if let Some(from) = filter.from {
        query = query.filter(esito::received_ms.ge(from.as_millisecond()));
    }
    if let Some(until) = filter.until {
        query = query.filter(esito::received_ms.lt(until.as_millisecond()));
    }
    if let Some(EsitoPlace { received_ms, id }) = after {
        // The first condition is implied by the second, and lets the index be entered at the right place.
        query = query
            .filter(esito::received_ms.le(received_ms))
            .filter(esito::received_ms.lt(received_ms).or(esito::id.lt(id)));
    }
    Ok(query.load(connection)?)
}

/// What the registry has of the flows of these outcomes, by their timestamps, with the number of the outcome in force.
fn known(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    chunk: &[Row],
) -> Result<HashMap<i64, (i64, AboutFlow)>, StoreError> {
    type Flow = (i64, Option<String>, i64, String, i16, String, Option<String>);
    let timestamps: Vec<i64> = chunk.iter().filter_map(|row| row.flusso_ts).collect();
    let flows: Vec<Flow> = each_backend!(connection, |inner| flusso::table
        .inner_join(prestazione::table.on(
            prestazione::eservice_id.eq(flusso::eservice_id).and(prestazione::id.eq(flusso::prestazione_id))
        ))
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.eq_any(&timestamps))
        .select((
            flusso::ts,
            flusso::operazione,
            prestazione::id,
            prestazione::codice_ente,
            prestazione::tipo,
            prestazione::label,
            prestazione::codice,
        ))
        .load(inner))?;
    let names: Vec<&str> = chunk.iter().map(|row| row.id_flusso.as_str()).collect();
    let last: Vec<(Option<i64>, Option<i64>)> = each_backend!(connection, |inner| esito::table
        .filter(esito::eservice_id.eq(eservice.get()))
        .filter(esito::id_flusso.eq_any(names.iter().copied()))
        .group_by((esito::id_flusso, esito::flusso_ts))
        .select((esito::flusso_ts, max(esito::id)))
        .load(inner))?;
    let last: HashMap<i64, i64> = last.into_iter().filter_map(|(ts, last)| Some((ts?, last?))).collect();
    let mut known = HashMap::with_capacity(flows.len());
    for (ts, operazione, prestazione, codice_ente, tipo, label, codice) in flows {
        let tipo = tipo_of(tipo)?;
        let cancels = operazione.as_deref() == Some("C");
        let about = AboutFlow { prestazione, codice_ente, tipo, label, codice, cancels };
        known.insert(ts, (last.get(&ts).copied().unwrap_or_default(), about));
    }
    Ok(known)
}
