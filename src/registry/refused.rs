//! What INPS refused, and what is left to do about it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use jiff::Timestamp;

use super::esiti::CodiceEsito;
use super::history::Stato;
use super::rows::ACTIVE;
use super::standing::{Case, RefusedInsertions, Sent, case};
use super::tipo_of;
use super::told::{REFUSED, Told, told};
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{esito, flusso, prestazione};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// Flows that one statement finds.
const CHUNK: usize = 500;
/// Flows that one page looks at: where almost all of them are settled, a page may be empty and not be the last.
const MOST_LOOKED_AT: usize = 5000;

/// Which refusals: those for which everything given holds.
#[derive(Clone, Debug, Default)]
pub struct RefusedFilter {
    /// Of this ente.
    pub ente: Option<String>,
    /// With this verdict in force.
    pub codice: Option<CodiceEsito>,
    /// Whose outcome in force arrived at this instant or later.
    pub from: Option<Timestamp>,
    /// Whose outcome in force arrived before this instant.
    pub until: Option<Timestamp>,
    /// Those about which nothing is left to do, too.
    pub settled: bool,
}

/// A flow that INPS refused, now or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The benefit's number.
    pub prestazione: i64,
    /// The ente that grants it.
    pub codice_ente: String,
    /// Its kind.
    pub tipo: TipoFlusso,
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    pub label: String,
    /// Whether INPS should hold it.
    pub stato: Stato,
    /// The flow's place in the feed, in milliseconds since the epoch.
    pub ts_ms: i64,
    /// Its name.
    pub id_flusso: String,
    /// Whether it is a cancellation.
    pub cancels: bool,
    /// The verdict in force.
    pub codice: CodiceEsito,
    /// Its detail.
    pub descrizione: Option<String>,
    /// When it arrived, in milliseconds since the epoch.
    pub received_ms: i64,
    /// What is left to do; none if nothing is.
    pub case: Option<Case>,
}

/// Some refusals, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct RefusedPage {
    /// In the order of the feed.
    pub flows: Vec<Refused>,
    /// The flow after which to continue; none after the last page.
    pub next: Option<i64>,
}

pub(super) fn page(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    filter: &RefusedFilter,
    policy: RefusedInsertions,
    after: Option<i64>,
    limit: usize,
) -> Result<RefusedPage, StoreError> {
    let mut benefits = HashMap::new();
    let mut flows = Vec::new();
    let mut next = after;
    let mut looked_at = 0;
    loop {
        let candidates = candidates(connection, eservice, filter.settled, next)?;
        let is_last = candidates.len() < CHUNK;
        for (ts, id) in candidates {
            if flows.len() >= limit || looked_at >= MOST_LOOKED_AT {
                return Ok(RefusedPage { flows, next });
            }
            looked_at += 1;
            next = Some(ts);
            let benefit = match benefits.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(Benefit::load(connection, eservice, id)?),
            };
            flows.extend(benefit.refused(ts, policy).filter(|found| filter.admits(found)));
        }
        if is_last {
            return Ok(RefusedPage { flows, next: None });
        }
    }
}

/// Of a flow, whether INPS ever accepted it.
const ACCEPTED: &str = "EXISTS (SELECT 1 FROM esito AS again WHERE again.eservice_id = esito.eservice_id \
                        AND again.id_flusso = esito.id_flusso AND again.codice_esito = 'OK')";

/// Flows after `after` that INPS ever refused, with their benefits; without `settled` those alone about which something
/// may be left to do, as far as the rows themselves tell: the flow in force, a cancellation, what was accepted after all.
/// Nearly all refusals are settled after some years, and each that is looked at costs its benefit's history.
fn candidates(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    settled: bool,
    after: Option<i64>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let of_flow = esito::eservice_id.eq(flusso::eservice_id).and(esito::flusso_ts.eq(flusso::ts.nullable()));
    let of_benefit =
        prestazione::eservice_id.eq(flusso::eservice_id).and(prestazione::id.eq(flusso::prestazione_id));
    let mut query = esito::table
        .inner_join(flusso::table.on(of_flow))
        .inner_join(prestazione::table.on(of_benefit))
        .filter(esito::eservice_id.eq(eservice.get()))
        .filter(sql::<Bool>(REFUSED))
        .filter(esito::flusso_ts.gt(after.unwrap_or(-1)))
        .order(flusso::ts)
        .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
        .select((flusso::ts, prestazione::id))
        .distinct()
        .into_boxed();
    if !settled {
        let may_be_open = prestazione::flusso_ts.eq(flusso::ts).or(flusso::annulla_ts.is_not_null());
        query = query.filter(may_be_open.or(sql::<Bool>(ACCEPTED)));
    }
    Ok(query.load(connection)?)
}

struct Benefit {
    id: i64,
    codice_ente: String,
    tipo: TipoFlusso,
    label: String,
    stato: Stato,
    in_force: i64,
    flows: Vec<Told>,
}

impl Benefit {
    fn load(connection: &mut AnyConnection, eservice: EserviceId, id: i64) -> Result<Self, StoreError> {
        let (codice_ente, tipo, label, stato, in_force): (String, i16, String, i16, i64) = prestazione::table
            .find((eservice.get(), id))
            .select((
                prestazione::codice_ente,
                prestazione::tipo,
                prestazione::label,
                prestazione::stato,
                prestazione::flusso_ts,
            ))
            .first(connection)?;
        Ok(Self {
            id,
            codice_ente,
            tipo: tipo_of(tipo)?,
            label,
            stato: if stato == ACTIVE { Stato::Attiva } else { Stato::Ritirata },
            in_force,
            flows: told(connection, eservice, id)?,
        })
    }

    fn refused(&self, ts: i64, policy: RefusedInsertions) -> Option<Refused> {
        let flow = self.flows.iter().find(|flow| flow.sent.ts == ts)?;
        let sent: Vec<Sent> = self.flows.iter().map(|flow| flow.sent.clone()).collect();
        let in_force = (self.stato == Stato::Attiva).then_some(self.in_force);
        let (_, codice) = flow.sent.esiti.last()?;
        Some(Refused {
            prestazione: self.id,
            codice_ente: self.codice_ente.clone(),
            tipo: self.tipo,
            label: self.label.clone(),
            stato: self.stato,
            ts_ms: ts,
            id_flusso: flow.id_flusso.clone(),
            cancels: flow.sent.cancels.is_some(),
            codice: *codice,
            descrizione: flow.descrizione.clone(),
            received_ms: flow.received_ms.unwrap_or_default(),
            case: case(&sent, ts, in_force, self.tipo == TipoFlusso::PsPsaSina, policy),
        })
    }
}

impl RefusedFilter {
    fn admits(&self, found: &Refused) -> bool {
        (self.settled || found.case.is_some())
            && self.ente.as_ref().is_none_or(|ente| *ente == found.codice_ente)
            && self.codice.is_none_or(|codice| codice == found.codice)
            && self.from.is_none_or(|from| from.as_millisecond() <= found.received_ms)
            && self.until.is_none_or(|until| found.received_ms < until.as_millisecond())
    }
}

impl Refused {
    /// What to do, in Italian; nothing where nothing is left to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match (self.case, self.tipo) {
            (None, _) => "",
            (Some(Case::InsertionRefused), _) => self.codice.remedy(),
            (Some(Case::AcceptedLate), TipoFlusso::Sinba) => {
                "INPS ha accettato un minore in carico che era stato ritirato: il tracciato SINBA non prevede la \
                 cancellazione, rivolgersi a INPS."
            }
            (Some(Case::AcceptedLate), TipoFlusso::PsPsaSina) => {
                "INPS ha accettato dopo averlo rifiutato un flusso che è già stato sostituito o ritirato: rimettere \
                 in pari INPS con `benefits resend`."
            }
            (Some(Case::CancellationRefused), _) => {
                "A INPS risulta ancora ciò che andava annullato: ripetere l'annullamento con `benefits resend`. Se si \
                 ripete, segnalarlo a INPS con il nome del flusso."
            }
        }
    }
}
