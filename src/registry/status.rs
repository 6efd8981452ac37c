//! How much there is.

use std::collections::BTreeMap;

use diesel::dsl::{count_star, exists, max, not};
use diesel::prelude::*;

use crate::store::schema::{esito, flusso, prestazione};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// How much the registry holds of an e-service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Benefits that INPS should hold.
    pub active: i64,
    /// Benefits that were withdrawn.
    pub withdrawn: i64,
    /// Flows in the feed.
    pub flussi: i64,
    /// The last flow's timestamp, in milliseconds since the epoch.
    pub last_ts: Option<i64>,
    /// Outcomes in force, one per flow, by their code.
    pub esiti: BTreeMap<String, i64>,
}

pub(super) fn counts(connection: &mut AnyConnection, eservice: EserviceId) -> Result<Counts, StoreError> {
    let id = eservice.get();
    let benefits: Vec<(i16, i64)> = prestazione::table
        .filter(prestazione::eservice_id.eq(id))
        .group_by(prestazione::stato)
        .select((prestazione::stato, count_star()))
        .load(connection)?;
    let of = |stato| benefits.iter().find(|(one, _)| *one == stato).map_or(0, |(_, count)| *count);
    let (flussi, last_ts) = flusso::table
        .filter(flusso::eservice_id.eq(id))
        .select((count_star(), max(flusso::ts)))
        .first(connection)?;
    let later = diesel::alias!(esito as later_esito);
    let superseded = later
        .filter(later.field(esito::eservice_id).eq(esito::eservice_id))
        .filter(later.field(esito::id_flusso).eq(esito::id_flusso))
        .filter(later.field(esito::id).gt(esito::id));
    let esiti: Vec<(String, i64)> = esito::table
        .filter(esito::eservice_id.eq(id))
        .filter(not(exists(superseded)))
        .group_by(esito::codice_esito)
        .select((esito::codice_esito, count_star()))
        .load(connection)?;
    Ok(Counts {
        active: of(super::rows::ACTIVE),
        withdrawn: of(super::rows::WITHDRAWN),
        flussi,
        last_ts,
        esiti: esiti.into_iter().collect(),
    })
}
