//! From an entry to the flows that it disclosed: worked out from the page that the entry names, by name and never with
//! their content.

use diesel::prelude::*;

use super::entry::Disclosed;
use super::pulls::LARGEST_PAGE;
use super::search::Found;
use crate::store::schema::{ente, flusso};
use crate::store::{AnyConnection, StoreError};

/// A flow that a page held.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Flow {
    /// Its name.
    pub id_flusso: String,
    /// The ente that it names.
    pub codice_ente: String,
    /// `I`, `C`, or none for SINBA.
    pub operazione: Option<String>,
    /// The benefit that it is about, by the registry's own number.
    pub benefit: i64,
}

/// The flows that the page of `found` held, oldest first; of these benefits, or of any.
pub fn disclosed(
    connection: &mut AnyConnection,
    found: &Found,
    benefits: Option<&[i64]>,
) -> Result<Vec<Flow>, StoreError> {
    let (Some(first), Some(last)) = (found.row.first_ts, found.row.last_ts) else { return Ok(Vec::new()) };
    let mut query = flusso::table
        .inner_join(ente::table.on(ente::id.eq(flusso::ente_id)))
        .filter(flusso::eservice_id.eq(found.row.log_id))
        .filter(flusso::ts.between(first, last))
        // A flow whose payload was dropped before is passed over by the page.
        .filter(flusso::eliminato_ms.is_null().or(flusso::eliminato_ms.gt(found.row.instant_ms)))
        .order(flusso::ts)
        .limit(i64::from(LARGEST_PAGE))
        .select((flusso::id_flusso, ente::codice, flusso::operazione, flusso::prestazione_id))
        .into_boxed();
    if let Some(benefits) = benefits {
        query = query.filter(flusso::prestazione_id.eq_any(benefits));
    }
    Ok(query.load(connection)?)
}

/// Whether `flows` are all that the page of `found` held: the entry keeps the digest of their names.
#[must_use]
pub fn is_whole(found: &Found, flows: &[Flow]) -> bool {
    let names = flows.iter().map(|flow| flow.id_flusso.as_str());
    found.row.flows_digest.as_deref().is_some_and(|kept| Disclosed::new(0, 0, names).has(kept))
}
