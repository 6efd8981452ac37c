//! What INPS refused, and what is left to do about it.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use jiff::Timestamp;

use super::esiti::CodiceEsito;
use super::history::Stato;
use super::refusals::OPEN;
use super::rows::ACTIVE;
use super::standing::{Case, RefusedInsertions, Sent, case};
use super::tipo_of;
use super::told::{Told, told_of};
use crate::siuss::record::TipoFlusso;
use crate::store::schema::{prestazione, rifiuto};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// Flows that one statement finds.
const CHUNK: usize = 500;
/// Flows whose history one page looks at: where almost all of them are settled, a page may be empty and not be the last.
const MOST_LOOKED_AT: usize = 2000;

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
    let (mut flows, mut next, mut looked_at) = (Vec::new(), after, 0);
    loop {
        let found = candidates(connection, eservice, filter, next)?;
        // Nearly all that is found is shown: no more is read of it than may be.
        for some in found.chunks(limit.clamp(1, CHUNK)) {
            let ids: Vec<i64> = some.iter().map(|(_, id)| *id).collect();
            let benefits = benefits(connection, eservice, &ids)?;
            for (ts, id) in some {
                if flows.len() >= limit || looked_at >= MOST_LOOKED_AT {
                    return Ok(RefusedPage { flows, next });
                }
                looked_at += 1;
                next = Some(*ts);
                let refused = benefits.get(id).and_then(|benefit| benefit.refused(*ts, policy));
                flows.extend(refused.filter(|found| filter.admits(found)));
            }
        }
        if found.len() < CHUNK {
            return Ok(RefusedPage { flows, next: None });
        }
    }
}

/// At most [`CHUNK`] flows after `after` that INPS ever refused, by their timestamps, with their benefits; without
/// `filter.settled` those alone about which something may be left to do.
fn candidates(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    filter: &RefusedFilter,
    after: Option<i64>,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let of_benefit =
        prestazione::eservice_id.eq(rifiuto::eservice_id).and(prestazione::id.eq(rifiuto::prestazione_id));
    let mut query = rifiuto::table
        .inner_join(prestazione::table.on(of_benefit))
        .filter(rifiuto::eservice_id.eq(eservice.get()))
        .filter(rifiuto::flusso_ts.gt(after.unwrap_or(-1)))
        .order(rifiuto::flusso_ts)
        .limit(i64::try_from(CHUNK).unwrap_or(i64::MAX))
        .select((rifiuto::flusso_ts, prestazione::id))
        .into_boxed();
    if !filter.settled {
        query = query.filter(sql::<Bool>(OPEN));
    }
    if let Some(ente) = &filter.ente {
        query = query.filter(prestazione::codice_ente.eq(ente));
    }
    Ok(query.load(connection)?)
}

/// A benefit, and what was said of its flows.
pub(super) struct Benefit {
    pub(super) id: i64,
    codice_ente: String,
    pub(super) tipo: TipoFlusso,
    label: String,
    stato: Stato,
    /// The timestamp of the flow in force.
    pub(super) in_force: i64,
    pub(super) flows: Vec<Told>,
}

/// These benefits, by their numbers.
pub(super) fn benefits(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    ids: &[i64],
) -> Result<HashMap<i64, Benefit>, StoreError> {
    type Row = (i64, String, i16, String, i16, i64);
    let rows: Vec<Row> = each_backend!(connection, |inner| prestazione::table
        .filter(prestazione::eservice_id.eq(eservice.get()))
        .filter(prestazione::id.eq_any(ids))
        .select((
            prestazione::id,
            prestazione::codice_ente,
            prestazione::tipo,
            prestazione::label,
            prestazione::stato,
            prestazione::flusso_ts,
        ))
        .load(inner))?;
    let mut told = told_of(connection, eservice, ids)?;
    rows.into_iter()
        .map(|(id, codice_ente, tipo, label, stato, in_force)| {
            let benefit = Benefit {
                id,
                codice_ente,
                tipo: tipo_of(tipo)?,
                label,
                stato: if stato == ACTIVE { Stato::Attiva } else { Stato::Ritirata },
                in_force,
                flows: told.remove(&id).unwrap_or_default(),
            };
            Ok((id, benefit))
        })
        .collect()
}

impl Benefit {
    /// The insertion that INPS should hold, if it should hold the benefit.
    pub(super) fn wanted(&self) -> Option<i64> {
        (self.stato == Stato::Attiva).then_some(self.in_force)
    }

    fn refused(&self, ts: i64, policy: RefusedInsertions) -> Option<Refused> {
        let flow = self.flows.iter().find(|flow| flow.sent.ts == ts)?;
        let sent: Vec<Sent> = self.flows.iter().map(|flow| flow.sent.clone()).collect();
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
            case: case(&sent, ts, self.wanted(), self.tipo == TipoFlusso::PsPsaSina, policy),
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
