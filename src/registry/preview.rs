//! What a change would publish, shown before it is done; and the change itself, which publishes that and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::Sha256;

use super::change::{Old, held};
use super::held::Key;
use super::plan::{Outcome, Plan};
use super::publish::{draft, publish};
use super::{Feed, Published, Verdict};
use crate::siuss::described::{Described, Fingerprint};
use crate::siuss::notice::Notice;
use crate::store::{AnyConnection, StoreError, sequencer};

/// A change of benefits.
#[derive(Clone, Debug)]
pub enum Change {
    /// These records are registered, as if one after the other.
    Register(Vec<Described>),
    /// These records take the place of the benefit with this id, which is withdrawn unless one of them is that benefit.
    Correct(i64, Vec<Described>),
    /// The benefit with this id is withdrawn.
    Withdraw(i64),
    /// What INPS refused of the benefit with this id is published again.
    Resend(i64),
}

/// A flow that is not published yet; it bears its place for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// Whether it cancels what was sent.
    pub cancels: bool,
    /// The document.
    pub xml: Vec<u8>,
}

/// What a change would do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What would become of each record; with places for the names of flows.
    pub published: Vec<Published>,
    /// What would be published, in this order.
    pub flows: Vec<Foreseen>,
}

impl Preview {
    /// Why it cannot be done, if it cannot.
    #[must_use]
    pub fn refusal(&self) -> Option<&Notice> {
        self.published.iter().find_map(|published| match &published.verdict {
            Verdict::Refused(notice) => Some(&**notice),
            _ => None,
        })
    }

    /// What tells it from every other: all that would be published, and in which order.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for flow in &self.flows {
            digest.update(&u64::try_from(flow.xml.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(&flow.xml);
        }
        URL_SAFE_NO_PAD.encode(digest.finish())
    }
}

/// What became of a change that somebody confirmed.
#[derive(Clone, Debug)]
pub enum Confirmed {
    /// It was done, and published what was shown; or it had been done before, and published nothing.
    Done(Vec<Published>),
    /// It would publish something else than what was shown: nothing was done.
    Other(Box<Preview>),
}

/// What `change` would do; none if there is no such benefit of the ente.
pub(crate) fn preview(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    change: &Change,
) -> Result<Option<Preview>, StoreError> {
    let Some(decision) = Decision::new(connection, feed, change)? else { return Ok(None) };
    let (published, flows) = draft(connection, feed, &decision.keys(), |plan| decision.decide(plan))?;
    Ok(Some(Preview { published, flows }))
}

/// Does `change` within the caller's transaction if it publishes what the preview with this digest showed; none if there
/// is no such benefit of the ente.
pub(crate) fn confirm(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    change: &Change,
    digest: &str,
) -> Result<Option<Confirmed>, StoreError> {
    sequencer::lock(connection, feed.eservice)?;
    let Some(preview) = preview(connection, feed, change)? else { return Ok(None) };
    if preview.refusal().is_some() || (!preview.flows.is_empty() && preview.digest() != digest) {
        return Ok(Some(Confirmed::Other(Box::new(preview))));
    }
    let Some(decision) = Decision::new(connection, feed, change)? else { return Ok(None) };
    let done = publish(connection, feed, &decision.keys(), |plan| decision.decide(plan))?;
    Ok(Some(Confirmed::Done(done)))
}

/// A change, with what identifies the benefits that it is about.
struct Decision<'a> {
    change: &'a Change,
    old: Option<Old>,
    records: &'a [Described],
}

impl<'a> Decision<'a> {
    fn new(
        connection: &mut AnyConnection,
        feed: &Feed<'_>,
        change: &'a Change,
    ) -> Result<Option<Self>, StoreError> {
        let (id, records): (_, &[Described]) = match change {
            Change::Register(records) => (None, records),
            Change::Correct(id, records) => (Some(*id), records),
            Change::Withdraw(id) | Change::Resend(id) => (Some(*id), &[]),
        };
        let old = match id {
            Some(id) => match held(connection, feed, id)? {
                None => return Ok(None),
                old => old,
            },
            None => None,
        };
        Ok(Some(Self { change, old, records }))
    }

    fn keys(&self) -> Vec<Key<'_>> {
        self.old.iter().map(Old::key).chain(self.records.iter().map(Key::from)).collect()
    }

    fn decide<'p>(&'p self, plan: &mut Plan<'p>) -> Vec<(Fingerprint, Outcome)> {
        match (self.change, self.old.as_ref().map(|old| (old.identity, old.tipo))) {
            (Change::Register(records), _) => plan.add(records),
            (Change::Correct(_, records), Some((old, tipo))) => plan.correct(old, tipo, records),
            (Change::Withdraw(_), Some((old, tipo))) => vec![(old, plan.withdraw(old, tipo))],
            (Change::Resend(_), Some((old, tipo))) => vec![(old, plan.resend(old, tipo))],
            (_, None) => Vec::new(),
        }
    }
}
