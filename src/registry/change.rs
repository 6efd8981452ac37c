//! What can be done with benefits within a transaction that others may share: registered, corrected, withdrawn.

use diesel::prelude::*;

use super::forecast::Forecast;
use super::plan::{Keys, Outcome, Plan};
use super::publish::{self, publish};
use super::{Fingerprint, Published, RefusedInsertions, tipo_of};
use crate::clock::Clock;
use crate::siuss::record::{EnteErogatore, Record, TipoFlusso};
use crate::store::schema::prestazione;
use crate::store::{AnyConnection, EserviceId, StoreError, sequencer};

/// Where benefits are published, and how.
#[derive(Clone, Copy)]
pub(crate) struct Feed<'a> {
    /// Whose feed it is.
    pub(crate) eservice: EserviceId,
    /// Who transmits them.
    pub(crate) erogatore: &'a EnteErogatore,
    /// The time.
    pub(crate) clock: &'a Clock,
    /// What becomes of insertions that INPS refused.
    pub(crate) refused: RefusedInsertions,
    /// How many flows of the same load may follow in later transactions: an upper bound, as close as is known.
    pub(crate) following: u32,
}

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
        feed: &Feed<'_>,
    ) -> Result<Vec<Published>, StoreError> {
        let identities: Vec<Fingerprint> = self.keys.iter().map(|keys| keys.identity).collect();
        publish(connection, feed, &identities, |plan| self.plan(plan))
    }

    /// What [`Register::publish`] would give after what `earlier` foresees; nothing is written.
    pub(super) fn foresee(
        &self,
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
        earlier: &mut Forecast,
    ) -> Result<Vec<Published>, StoreError> {
        let identities: Vec<Fingerprint> = self.keys.iter().map(|keys| keys.identity).collect();
        publish::foresee(connection, feed, &identities, earlier, |plan| self.plan(plan))
    }

    fn plan<'p>(&'p self, plan: &mut Plan<'p>) -> Vec<(Fingerprint, Outcome)> {
        let records = self.records.iter().zip(&self.keys);
        records.map(|(record, keys)| (keys.identity, plan.add(record, keys))).collect()
    }

    /// Publishes them in the place of the benefit with this id; none if there is no such benefit of the ente. A
    /// benefit that none of them is is withdrawn first, and then comes first among the results.
    pub(crate) fn correct(
        &self,
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
        id: i64,
    ) -> Result<Option<Vec<Published>>, StoreError> {
        let Some((old, tipo)) = locked(connection, feed, id)? else { return Ok(None) };
        let identities: Vec<Fingerprint> =
            std::iter::once(old).chain(self.keys.iter().map(|keys| keys.identity)).collect();
        publish(connection, feed, &identities, |plan| plan.correct(old, tipo, self.records, &self.keys))
            .map(Some)
    }
}

/// Withdraws the benefit with this id; none if there is no such benefit of the ente.
pub(crate) fn withdraw(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
) -> Result<Option<Published>, StoreError> {
    one(connection, feed, id, Plan::withdraw)
}

/// Publishes again what INPS refused of the benefit with this id; none if there is no such benefit of the ente.
pub(crate) fn resend(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
) -> Result<Option<Published>, StoreError> {
    one(connection, feed, id, Plan::resend)
}

fn one<'a>(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
    change: fn(&mut Plan<'a>, Fingerprint, TipoFlusso) -> Outcome,
) -> Result<Option<Published>, StoreError> {
    let Some((identity, tipo)) = locked(connection, feed, id)? else { return Ok(None) };
    let mut published =
        publish(connection, feed, &[identity], |plan| vec![(identity, change(plan, identity, tipo))])?;
    Ok(published.pop())
}

/// [`held`], once the feed is locked.
fn locked(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
) -> Result<Option<(Fingerprint, TipoFlusso)>, StoreError> {
    sequencer::lock(connection, feed.eservice)?;
    held(connection, feed, id)
}

/// The identity and kind of the ente's benefit with this id.
pub(super) fn held(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
) -> Result<Option<(Fingerprint, TipoFlusso)>, StoreError> {
    let row: Option<(Vec<u8>, i16)> = prestazione::table
        .find((feed.eservice.get(), id))
        .filter(prestazione::codice_ente.eq(feed.erogatore.codice.as_str()))
        .select((prestazione::identity_hash, prestazione::tipo))
        .first(connection)
        .optional()?;
    row.map(|(identity, tipo)| Ok((Fingerprint::read(&identity)?, tipo_of(tipo)?))).transpose()
}
