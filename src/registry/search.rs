//! Benefits by what staff know of them, the newest first, page by page.
//!
//! A page looks at a bounded number of benefits, so that it costs the same in a registry of a million; where few of
//! them are wanted it may be short, and the next page goes on. How far a benefit has come is told from the flow in force
//! and from what was last said of it, and kept nowhere. States that few flows are in are found from those flows.

use std::collections::HashMap;

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::esiti::CodiceEsito;
use super::history::{Stato, StatoFlusso};
use super::refusals::OPEN;
use super::riepilogo::Mese;
use super::rows::{ACTIVE, WITHDRAWN};
use super::tipo_of;
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{esito, flusso, prestazione, rifiuto};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// Benefits that one statement finds.
const CHUNK: usize = 500;
/// Benefits that one page looks at.
const MOST_LOOKED_AT: usize = 5000;
/// Flows that INPS has not taken, from which those that wait are found.
const FEW_WAITING: i64 = 5000;
/// Refusals that stand, from which what is refused is found.
const FEW_REFUSED: i64 = 10_000;

/// What is looked for: benefits for which everything given holds.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The fiscal code, or `IDBeneficiario`.
    pub person: Option<String>,
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    pub label: Option<String>,
    /// The code of the nomenclature.
    pub codice: Option<String>,
    /// How far it has come.
    pub wanted: Option<Wanted>,
    /// First published at this instant or later, in milliseconds since the epoch.
    pub from_ms: Option<i64>,
    /// First published before this instant.
    pub until_ms: Option<i64>,
    /// Of one of these enti; none: of any.
    pub enti: Option<Vec<String>>,
    /// The timestamp up to which INPS has the flows.
    pub pulled: i64,
}

/// How far the wanted benefits have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// INPS should hold them.
    Active,
    /// They were withdrawn.
    Withdrawn,
    /// The flow in force has come so far.
    Flow(StatoFlusso),
}

/// A benefit that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
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
    /// The code of the nomenclature, where it is known.
    pub codice: Option<String>,
    /// The month in which it begins, or was paid; none of a child in care, and of one that was withdrawn.
    pub primo_mese: Option<Mese>,
    /// When it was first published, in milliseconds since the epoch.
    pub created_ms: i64,
    /// How far its flow in force has come.
    pub flusso: StatoFlusso,
}

/// Some benefits, and where the next ones begin.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    /// The newest first.
    pub benefits: Vec<Listed>,
    /// The benefit after which to go on; none after the last page.
    pub next: Option<i64>,
}

/// At most `limit` benefits, after the benefit `after`.
pub(crate) fn search(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    search: &Search,
    after: Option<i64>,
    limit: usize,
) -> Result<SearchPage, StoreError> {
    // Where the rows alone tell what is wanted, no more are read than are shown, and one to know whether there are more.
    let size = if matches!(search.wanted, Some(Wanted::Flow(_))) { CHUNK } else { limit.saturating_add(1) };
    let mut benefits = Vec::new();
    let mut next = after;
    let from_flows = from_flows(connection, eservice, search)?;
    for _ in 0..MOST_LOOKED_AT / CHUNK {
        let chunk = candidates(connection, eservice, search, from_flows, next, size)?;
        let is_last = chunk.len() < size;
        let states = states(connection, eservice, &chunk, search.pulled)?;
        for (row, flusso) in chunk.into_iter().zip(states) {
            if benefits.len() == limit {
                return Ok(SearchPage { benefits, next });
            }
            next = Some(row.id);
            if !matches!(search.wanted, Some(Wanted::Flow(wanted)) if wanted != flusso) {
                benefits.push(row.listed(flusso)?);
            }
        }
        if is_last {
            return Ok(SearchPage { benefits, next: None });
        }
    }
    Ok(SearchPage { benefits, next })
}

#[derive(Queryable)]
struct Row {
    id: i64,
    codice_ente: String,
    tipo: i16,
    stato: i16,
    person: String,
    label: String,
    codice: Option<String>,
    primo_mese: Option<Mese>,
    created_ms: i64,
    flusso_ts: i64,
    id_flusso: Option<String>,
}

impl Row {
    fn listed(self, flusso: StatoFlusso) -> Result<Listed, StoreError> {
        Ok(Listed {
            id: self.id,
            codice_ente: self.codice_ente,
            tipo: tipo_of(self.tipo)?,
            stato: if self.stato == ACTIVE { Stato::Attiva } else { Stato::Ritirata },
            person: self.person,
            label: self.label,
            codice: self.codice,
            primo_mese: self.primo_mese,
            created_ms: self.created_ms,
            flusso,
        })
    }
}

/// Whether the flows that may be wanted are so few that the benefits are found from them. Otherwise they are so many that
/// the newest benefits are soon found one by one.
fn from_flows(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    search: &Search,
) -> Result<bool, StoreError> {
    let beyond: Option<i64> = match search.wanted {
        Some(Wanted::Flow(StatoFlusso::Pubblicato)) => flusso::table
            .filter(flusso::eservice_id.eq(eservice.get()))
            .filter(flusso::ts.gt(search.pulled))
            .order(flusso::ts)
            .select(flusso::ts)
            .limit(1)
            .offset(FEW_WAITING)
            .first(connection)
            .optional()?,
        Some(Wanted::Flow(StatoFlusso::Rifiutato)) => rifiuto::table
            .filter(rifiuto::eservice_id.eq(eservice.get()))
            .filter(sql::<Bool>(OPEN))
            .order(rifiuto::flusso_ts)
            .select(rifiuto::flusso_ts)
            .limit(1)
            .offset(FEW_REFUSED)
            .first(connection)
            .optional()?,
        _ => return Ok(false),
    };
    Ok(beyond.is_none())
}

/// The next benefits that may be wanted, as far as their own rows tell.
fn candidates(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    search: &Search,
    from_flows: bool,
    after: Option<i64>,
    size: usize,
) -> Result<Vec<Row>, StoreError> {
    let in_force =
        flusso::eservice_id.eq(prestazione::eservice_id).and(flusso::ts.eq(prestazione::flusso_ts));
    // A benefit is named after its first flow, whose timestamp is the time: the key is the order of publication.
    let below = search.until_ms.into_iter().chain(after).min().unwrap_or(i64::MAX);
    let mut query = prestazione::table
        .left_join(flusso::table.on(in_force))
        .filter(prestazione::eservice_id.eq(eservice.get()))
        .filter(prestazione::id.lt(below))
        .filter(prestazione::id.ge(search.from_ms.unwrap_or(0)))
        .order(prestazione::id.desc())
        .limit(i64::try_from(size).unwrap_or(i64::MAX))
        .select((
            prestazione::id,
            prestazione::codice_ente,
            prestazione::tipo,
            prestazione::stato,
            prestazione::person,
            prestazione::label,
            prestazione::codice,
            prestazione::primo_mese,
            prestazione::created_ms,
            prestazione::flusso_ts,
            flusso::id_flusso.nullable(),
        ))
        .into_boxed();
    if let Some(person) = &search.person {
        query = query.filter(prestazione::person.eq(person));
    }
    if let Some(label) = &search.label {
        query = query.filter(prestazione::label.eq(label));
    }
    if let Some(codice) = &search.codice {
        query = query.filter(prestazione::codice.eq(codice));
    }
    if let Some(enti) = &search.enti {
        // One by one: a list of any length has no form that both databases share.
        let mut of_one: Box<dyn BoxableExpression<_, _, SqlType = Bool>> = Box::new(sql::<Bool>("1 = 0"));
        for ente in enti {
            of_one = Box::new(of_one.or(prestazione::codice_ente.eq(ente)));
        }
        query = query.filter(of_one);
    }
    query = match search.wanted {
        None | Some(Wanted::Flow(StatoFlusso::Accettato)) => query,
        Some(Wanted::Active) => query.filter(prestazione::stato.eq(ACTIVE)),
        Some(Wanted::Withdrawn) => query.filter(prestazione::stato.eq(WITHDRAWN)),
        Some(Wanted::Flow(StatoFlusso::Pubblicato)) => {
            let query = query.filter(prestazione::flusso_ts.gt(search.pulled));
            if from_flows {
                let waiting = sql::<Bool>(
                    "prestazione.id IN (SELECT f.prestazione_id FROM flusso f WHERE f.eservice_id = ",
                )
                .bind::<BigInt, _>(eservice.get())
                .sql(" AND f.ts > ")
                .bind::<BigInt, _>(search.pulled)
                .sql(")");
                query.filter(waiting)
            } else {
                query
            }
        }
        Some(Wanted::Flow(StatoFlusso::Prelevato)) => query.filter(prestazione::flusso_ts.le(search.pulled)),
        Some(Wanted::Flow(StatoFlusso::Rifiutato)) if from_flows => {
            let refused = sql::<Bool>(
                "prestazione.id IN (SELECT rifiuto.prestazione_id FROM rifiuto WHERE rifiuto.aperto = 1 \
                 AND rifiuto.eservice_id = ",
            );
            query.filter(refused.bind::<BigInt, _>(eservice.get()).sql(")"))
        }
        Some(Wanted::Flow(StatoFlusso::Rifiutato)) => query.filter(exists(
            rifiuto::table
                .filter(rifiuto::eservice_id.eq(prestazione::eservice_id))
                .filter(rifiuto::flusso_ts.eq(prestazione::flusso_ts))
                .filter(sql::<Bool>(OPEN)),
        )),
    };
    Ok(query.load(connection)?)
}

/// How far the flow in force of each of these has come.
fn states(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    rows: &[Row],
    pulled: i64,
) -> Result<Vec<StatoFlusso>, StoreError> {
    let names: Vec<&str> = rows.iter().filter_map(|row| row.id_flusso.as_deref()).collect();
    let esiti: Vec<(String, String)> = each_backend!(connection, |inner| esito::table
        .filter(esito::eservice_id.eq(eservice.get()))
        .filter(esito::id_flusso.eq_any(names.iter().copied()))
        .order(esito::id)
        .select((esito::id_flusso, esito::codice_esito))
        .load(inner))?;
    // The last of a flow's outcomes is the one in force.
    let last: HashMap<String, String> = esiti.into_iter().collect();
    let state = |row: &Row| match row.id_flusso.as_ref().and_then(|name| last.get(name)) {
        Some(codice) if codice == CodiceEsito::Ok.as_str() => StatoFlusso::Accettato,
        Some(_) => StatoFlusso::Rifiutato,
        None if row.flusso_ts <= pulled => StatoFlusso::Prelevato,
        None => StatoFlusso::Pubblicato,
    };
    Ok(rows.iter().map(state).collect())
}
