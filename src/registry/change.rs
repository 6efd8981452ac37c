//! What can be done with benefits within a transaction that others may share: registered, corrected, withdrawn.

use diesel::prelude::*;

use super::plan::Keys;
use super::publish::publish;
use super::{Fingerprint, Published, tipo_of};
use crate::clock::Clock;
use crate::siuss::record::{EnteErogatore, Record, TipoFlusso};
use crate::store::schema::prestazione;
use crate::store::{AnyConnection, EserviceId, StoreError, sequencer};

/// Records to register, with what identifies them: made before the transaction, which holds the feed.
pub(crate) struct Register<'a> {
    records: &'a [Record],
    keys: Vec<Keys>,
}

impl<'a> Register<'a> {
    pub(crate) fn new(records: &'a [Record]) -> Self {
        Self { records, keys: records.iter().map(Keys::of).collect() }
    }

    /// Publishes them as if one after the other; one result for each, in their order.
    pub(crate) fn publish(
        &self,
        connection: &mut AnyConnection,
        eservice: EserviceId,
        erogatore: &EnteErogatore,
        clock: &Clock,
    ) -> Result<Vec<Published>, StoreError> {
        let identities: Vec<Fingerprint> = self.keys.iter().map(|keys| keys.identity).collect();
        publish(connection, eservice, erogatore, clock, &identities, |plan| {
            let records = self.records.iter().zip(&self.keys);
            records.map(|(record, keys)| (keys.identity, plan.add(record, keys))).collect()
        })
    }

    /// Publishes them in the place of the benefit with this id; none if there is no such benefit of the ente. A
    /// benefit that none of them is is withdrawn first, and then comes first among the results.
    pub(crate) fn correct(
        &self,
        connection: &mut AnyConnection,
        eservice: EserviceId,
        erogatore: &EnteErogatore,
        id: i64,
        clock: &Clock,
    ) -> Result<Option<Vec<Published>>, StoreError> {
        let Some((old, tipo)) = locked(connection, eservice, erogatore, id)? else { return Ok(None) };
        let identities: Vec<Fingerprint> =
            std::iter::once(old).chain(self.keys.iter().map(|keys| keys.identity)).collect();
        publish(connection, eservice, erogatore, clock, &identities, |plan| {
            plan.correct(old, tipo, self.records, &self.keys)
        })
        .map(Some)
    }
}

/// Withdraws the benefit with this id; none if there is no such benefit of the ente.
pub(crate) fn withdraw(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
    id: i64,
    clock: &Clock,
) -> Result<Option<Published>, StoreError> {
    let Some((identity, tipo)) = locked(connection, eservice, erogatore, id)? else { return Ok(None) };
    let mut published = publish(connection, eservice, erogatore, clock, &[identity], |plan| {
        vec![(identity, plan.withdraw(identity, tipo))]
    })?;
    Ok(published.pop())
}

/// The identity and kind of the ente's benefit with this id, once the feed is locked.
fn locked(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
    id: i64,
) -> Result<Option<(Fingerprint, TipoFlusso)>, StoreError> {
    sequencer::lock(connection, eservice)?;
    let row: Option<(Vec<u8>, i16)> = prestazione::table
        .find((eservice.get(), id))
        .filter(prestazione::codice_ente.eq(erogatore.codice.as_str()))
        .select((prestazione::identity_hash, prestazione::tipo))
        .first(connection)
        .optional()?;
    row.map(|(identity, tipo)| Ok((Fingerprint::read(&identity)?, tipo_of(tipo)?))).transpose()
}
