//! What can be done with benefits within a transaction that others may share: registered, corrected, withdrawn.

use diesel::prelude::*;

use super::forecast::Forecast;
use super::held::Key;
use super::plan::{Outcome, Plan};
use super::publish::{self, publish};
use super::{Published, RefusedInsertions, fingerprint, tipo_of};
use crate::clock::Clock;
use crate::siuss::described::{Described, Fingerprint};
use crate::siuss::record::{EnteErogatore, TipoFlusso};
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

/// Records to register.
pub(crate) struct Register<'a>(pub(crate) &'a [Described]);

impl<'a> Register<'a> {
    /// Publishes them as if one after the other; one result for each, in their order.
    pub(crate) fn publish(
        &self,
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
    ) -> Result<Vec<Published>, StoreError> {
        publish(connection, feed, &self.keys(), |plan| self.plan(plan))
    }

    /// What [`Register::publish`] would give after what `earlier` foresees; nothing is written.
    pub(super) fn foresee(
        &self,
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
        earlier: &mut Forecast,
    ) -> Result<Vec<Published>, StoreError> {
        publish::foresee(connection, feed, &self.keys(), earlier, |plan| self.plan(plan))
    }

    fn keys(&self) -> Vec<Key<'a>> {
        self.0.iter().map(Key::from).collect()
    }

    fn plan(&self, plan: &mut Plan<'a>) -> Vec<(Fingerprint, Outcome)> {
        plan.add(self.0)
    }

    /// Publishes them in the place of the benefit with this id; none if there is no such benefit of the ente. A
    /// benefit that none of them is is withdrawn first, and then comes first among the results.
    pub(crate) fn correct(
        &self,
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
        id: i64,
    ) -> Result<Option<Vec<Published>>, StoreError> {
        let Some(old) = locked(connection, feed, id)? else { return Ok(None) };
        let keys: Vec<Key<'_>> = std::iter::once(old.key()).chain(self.keys()).collect();
        publish(connection, feed, &keys, |plan| plan.correct(old.identity, old.tipo, self.0)).map(Some)
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
    let Some(old) = locked(connection, feed, id)? else { return Ok(None) };
    let mut published = publish(connection, feed, &[old.key()], |plan| {
        vec![(old.identity, change(plan, old.identity, old.tipo))]
    })?;
    Ok(published.pop())
}

/// A benefit that the registry holds.
pub(super) struct Old {
    pub(super) identity: Fingerprint,
    person: String,
    pub(super) tipo: TipoFlusso,
}

impl Old {
    pub(super) fn key(&self) -> Key<'_> {
        Key { identity: self.identity, person: &self.person, record: None }
    }
}

/// [`held`], once the feed is locked.
fn locked(connection: &mut AnyConnection, feed: &Feed<'_>, id: i64) -> Result<Option<Old>, StoreError> {
    sequencer::lock(connection, feed.eservice)?;
    held(connection, feed, id)
}

/// The ente's benefit with this id.
pub(super) fn held(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    id: i64,
) -> Result<Option<Old>, StoreError> {
    let row: Option<(Vec<u8>, String, i16)> = prestazione::table
        .find((feed.eservice.get(), id))
        .filter(prestazione::codice_ente.eq(feed.erogatore.codice.as_str()))
        .select((prestazione::identity_hash, prestazione::person, prestazione::tipo))
        .first(connection)
        .optional()?;
    row.map(|(identity, person, tipo)| {
        Ok(Old { identity: fingerprint(&identity)?, person, tipo: tipo_of(tipo)? })
    })
    .transpose()
}
