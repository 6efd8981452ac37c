//! What was published of a benefit, and what INPS said of it.

use diesel::prelude::*;
use serde::Serialize;

use super::esiti::CodiceEsito;
use super::rows::ACTIVE;
use super::tipo_of;
use crate::payload;
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{esito, flusso, prestazione};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// By what benefits are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The registry's own number.
    Id(i64),
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    Label(String),
    /// The fiscal code, or `IDBeneficiario`.
    Person(String),
}

/// Whether INPS should hold a benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stato {
    /// It should.
    Attiva,
    /// It was withdrawn.
    Ritirata,
}

/// A benefit that the registry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The registry's own number.
    pub id: i64,
    /// The ente that grants it.
    pub codice_ente: String,
    /// Its kind.
    pub tipo: TipoFlusso,
    /// Whether INPS should hold it.
    pub stato: Stato,
    /// Whose it is: the fiscal code, or `IDBeneficiario`.
    pub person: String,
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    pub label: String,
    /// When it was first published, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it last changed.
    pub updated_ms: i64,
    /// Its flows, oldest first; the last is in force.
    pub flussi: Vec<FlussoSeen>,
}

/// A flow, and what INPS said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlussoSeen {
    /// Its place in the feed, in milliseconds since the epoch.
    pub ts_ms: i64,
    /// Its name.
    pub id_flusso: String,
    /// `I`, `C`, or none for SINBA.
    pub operazione: Option<String>,
    /// The document.
    pub payload: Payload,
    /// The outcomes, in the order of arrival; the last is in force.
    pub esiti: Vec<EsitoSeen>,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The document.
    Xml(Vec<u8>),
    /// Its time was over.
    Dropped {
        /// When it was dropped, in milliseconds since the epoch.
        ms: i64,
    },
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StatoFlusso {
    /// In the feed; nobody asked for it yet.
    Pubblicato,
    /// INPS has it, and has not said what it makes of it.
    Prelevato,
    /// INPS's last word is `OK`.
    Accettato,
    /// INPS's last word is a refusal.
    Rifiutato,
}

impl StatoFlusso {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pubblicato => "pubblicato",
            Self::Prelevato => "prelevato",
            Self::Accettato => "accettato",
            Self::Rifiutato => "rifiutato",
        }
    }
}

impl FlussoSeen {
    /// How far it has come, if it was pulled or not: told from the outcome in force, and kept nowhere.
    #[must_use]
    pub fn stato(&self, pulled: bool) -> StatoFlusso {
        match self.esiti.last() {
            Some(esito) if esito.codice_esito == CodiceEsito::Ok.as_str() => StatoFlusso::Accettato,
            Some(_) => StatoFlusso::Rifiutato,
            None if pulled => StatoFlusso::Prelevato,
            None => StatoFlusso::Pubblicato,
        }
    }
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Serialize)]
pub struct EsitoSeen {
    /// The verdict, by its name in the contract.
    pub codice_esito: String,
    /// Its detail.
    pub descrizione: Option<String>,
    /// SIUSS's own number of the acquisition.
    pub id_acquisizione_siuss: Option<String>,
    /// When it arrived, in milliseconds since the epoch.
    pub received_ms: i64,
}

pub(super) fn find(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    lookup: &Lookup,
    limit: u32,
) -> Result<Vec<Found>, StoreError> {
    type Row = (i64, String, i16, i16, String, String, i64, i64);
    let mut query = prestazione::table.filter(prestazione::eservice_id.eq(eservice.get())).into_boxed();
    query = match lookup {
        Lookup::Id(id) => query.filter(prestazione::id.eq(*id)),
        Lookup::Label(label) => query.filter(prestazione::label.eq(label)),
        Lookup::Person(person) => query.filter(prestazione::person.eq(person)),
    };
    let rows: Vec<Row> = query
        .order(prestazione::id)
        .limit(i64::from(limit))
        .select((
            prestazione::id,
            prestazione::codice_ente,
            prestazione::tipo,
            prestazione::stato,
            prestazione::person,
            prestazione::label,
            prestazione::created_ms,
            prestazione::updated_ms,
        ))
        .load(connection)?;
    rows.into_iter()
        .map(|(id, codice_ente, tipo, stato, person, label, created_ms, updated_ms)| {
            Ok(Found {
                id,
                codice_ente,
                tipo: tipo_of(tipo)?,
                stato: if stato == ACTIVE { Stato::Attiva } else { Stato::Ritirata },
                person,
                label,
                created_ms,
                updated_ms,
                flussi: flussi(connection, eservice, id)?,
            })
        })
        .collect()
}

fn flussi(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazione: i64,
) -> Result<Vec<FlussoSeen>, StoreError> {
    type Row = (i64, String, Option<String>, i16, Vec<u8>, Option<i64>);
    let rows: Vec<Row> = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::prestazione_id.eq(prestazione))
        .order(flusso::ts)
        .select((
            flusso::ts,
            flusso::id_flusso,
            flusso::operazione,
            flusso::payload_format,
            flusso::payload,
            flusso::eliminato_ms,
        ))
        .load(connection)?;
    rows.into_iter()
        .map(|(ts_ms, id_flusso, operazione, format, bytes, dropped_ms)| {
            let esiti = esito::table
                .filter(esito::eservice_id.eq(eservice.get()))
                .filter(esito::id_flusso.eq(&id_flusso))
                .order(esito::id)
                .select((
                    esito::codice_esito,
                    esito::descrizione,
                    esito::id_acquisizione_siuss,
                    esito::received_ms,
                ))
                .load(connection)?;
            let payload = match dropped_ms {
                Some(ms) => Payload::Dropped { ms },
                None => Payload::Xml(payload::unpack(format, bytes)?),
            };
            Ok(FlussoSeen { ts_ms, id_flusso, operazione, payload, esiti })
        })
        .collect()
}
