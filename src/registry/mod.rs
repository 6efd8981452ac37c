//! The ente's benefits: which are known, in what state, what was published of them, and what INPS said of it.
//!
//! [`Registry::publish`] turns records into flows, [`Registry::page`] gives flows to a cursor,
//! [`Registry::record_esiti`] takes outcomes back. What a valid record is, is said by `siuss`; how timestamps are
//! given, by the store's sequencer.

mod announced;
pub(crate) mod attesa;
mod cancellation;
pub(crate) mod change;
mod documents;
mod esiti;
mod feed;
mod figures;
mod forecast;
pub(crate) mod gap;
mod held;
mod history;
pub(crate) mod meanwhile;
mod notices;
mod plan;
pub(crate) mod preview;
mod publish;
mod readers;
mod received;
mod refusals;
mod refused;
pub mod retention;
pub mod riepilogo;
mod rows;
pub(crate) mod scadenze;
pub(crate) mod search;
mod standing;
mod status;
mod told;
pub(crate) mod unknown;

use std::sync::Arc;

use feed::Asked;
use readers::Readers;

use crate::clock::Clock;
use crate::siuss::described::{Described, Fingerprint};
use crate::siuss::record::{EnteErogatore, Record, TipoFlusso};
use crate::store::{EserviceId, Store, StoreError, sequencer};

pub use attesa::Standing;
pub(crate) use change::Feed;
pub use esiti::{CodiceEsito, EsitiStored, Esito};
pub use feed::{PackedFlusso, PublishedFlusso};
pub(crate) use figures::heads;
pub use forecast::Forecast;
pub use gap::{Gap, Noticed};
pub use history::{EsitoSeen, FlussoSeen, Found, Lookup, Payload, Stato, StatoFlusso};
pub use preview::{Change, Confirmed, Foreseen, Preview};
pub use received::{AboutFlow, EsitoPlace, Received, ReceivedFilter, ReceivedPage, Which};
pub use refused::{Refused, RefusedFilter, RefusedPage};
pub use riepilogo::{Mese, Monthly};
pub use search::{Listed, Search, SearchPage, Wanted};
pub use standing::{Case, RefusedInsertions};
pub use status::Counts;
pub use unknown::UnknownEsito;

use crate::siuss::notice::{Notice, Rule};

/// The rules about what the registry holds.
pub static RULES: &[&Rule] = &[
    &notices::NOT_HELD,
    &notices::NOT_CANCELLABLE,
    &notices::WITHDRAWN,
    &notices::OTHER_CONTENT,
    &notices::PAYLOAD_GONE,
];

/// The registry of benefits. Clones share the database's connections.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    clock: Clock,
    refused: RefusedInsertions,
    readers: Arc<Readers>,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The registry did not hold it, or held it as withdrawn: it was published.
    New {
        /// The flow that inserts it.
        id_flusso: String,
    },
    /// The registry holds it as it stands, or holds it as withdrawn and it was withdrawn again: nothing was published.
    Unchanged,
    /// The same, and INPS does not have it so: the notice says why, and what to do.
    Unsettled(Box<Notice>),
    /// Something else stood in its place: another content, or, of a benefit that is sent again, what INPS made of it.
    Changed {
        /// The flows that cancel what INPS holds of it, and of what its row said of later years and no longer does; none
        /// for a SINBA, which cannot be cancelled, and none when INPS refused all of it.
        cancellations: Vec<String>,
        /// The flow that inserts what is right.
        insertion: String,
    },
    /// It is not active any longer, or its withdrawal was sent again.
    Withdrawn {
        /// The flows that cancel it; none when INPS does not hold it.
        cancellations: Vec<String>,
    },
    /// Nothing could be done with it.
    Refused(Box<Notice>),
}

/// What became of one record, and of which benefit it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The benefit's id; none if the registry does not hold it.
    pub prestazione: Option<i64>,
    /// What became of it.
    pub verdict: Verdict,
}

impl Registry {
    /// The registry in `store`.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, refused: RefusedInsertions::default(), readers: Arc::default() }
    }

    /// The same registry, which deals with insertions that INPS refused in this way.
    #[must_use]
    pub fn with_refused(self, refused: RefusedInsertions) -> Self {
        Self { refused, ..self }
    }

    /// Publishes `records` of `ente` into the feed of `eservice` as if one after the other, in one transaction: all of
    /// it is in the feed when this returns, or nothing. Gives one verdict per record, in their order.
    ///
    /// Blocks. A batch of some hundreds of records spreads the cost of the commit; one of many thousands would hold
    /// the feed for longer than others wait.
    pub fn publish(
        &self,
        eservice: EserviceId,
        ente: &EnteErogatore,
        records: &[Record],
    ) -> Result<Vec<Verdict>, StoreError> {
        let records: Vec<Described> = records.iter().cloned().map(Described::from).collect();
        self.publish_part(eservice, ente, &records, 0)
    }

    /// [`Registry::publish`], of a part of a load: at most about `following` flows come after it.
    pub fn publish_part(
        &self,
        eservice: EserviceId,
        ente: &EnteErogatore,
        records: &[Described],
        following: u32,
    ) -> Result<Vec<Verdict>, StoreError> {
        let change = change::Register(records);
        let feed = Feed { following, ..self.feed(eservice, ente) };
        let published = self.store.write(|connection| change.publish(connection, &feed))?;
        Ok(published.into_iter().map(|published| published.verdict).collect())
    }

    /// What [`Registry::publish`] would make of `records` after all that `earlier` foresees, which this is added to.
    /// Nothing is published: the flows of the verdicts are called by their places, from 0. Blocks.
    pub fn foresee(
        &self,
        eservice: EserviceId,
        ente: &EnteErogatore,
        records: &[Described],
        earlier: &mut Forecast,
    ) -> Result<Vec<Verdict>, StoreError> {
        let change = change::Register(records);
        let foreseen =
            self.store.read(|connection| change.foresee(connection, &self.feed(eservice, ente), earlier))?;
        Ok(foreseen.into_iter().map(|foreseen| foreseen.verdict).collect())
    }

    /// Withdraws the benefit of `ente` with this id; none if there is no such benefit. Blocks.
    pub fn withdraw(
        &self,
        eservice: EserviceId,
        ente: &EnteErogatore,
        id: i64,
    ) -> Result<Option<Published>, StoreError> {
        self.store.write(|connection| change::withdraw(connection, &self.feed(eservice, ente), id))
    }

    /// Makes INPS hold what the registry has of the benefit of `ente` with this id, where its outcomes tell that it
    /// does not: an insertion or a cancellation that it refused is published again. None if there is no such benefit.
    /// Blocks.
    pub fn resend(
        &self,
        eservice: EserviceId,
        ente: &EnteErogatore,
        id: i64,
    ) -> Result<Option<Published>, StoreError> {
        self.store.write(|connection| change::resend(connection, &self.feed(eservice, ente), id))
    }

    /// At most `limit` flows that INPS refused, now or before, and that `filter` lets through: in the order of the feed,
    /// after the flow `after`. A page may be shorter and have another after it. Blocks.
    pub fn refused(
        &self,
        eservice: EserviceId,
        filter: &RefusedFilter,
        after: Option<i64>,
        limit: usize,
    ) -> Result<RefusedPage, StoreError> {
        let policy = self.refused;
        self.store.read(|connection| refused::page(connection, eservice, filter, policy, after, limit))
    }

    /// At most `limit` outcomes that `filter` lets through, the latest first, beyond `after`. A page may be shorter and
    /// have another after it. Blocks.
    pub fn received(
        &self,
        eservice: EserviceId,
        which: Which,
        filter: &ReceivedFilter,
        after: Option<EsitoPlace>,
        limit: usize,
    ) -> Result<ReceivedPage, StoreError> {
        self.store.read(|connection| received::received(connection, eservice, which, filter, after, limit))
    }

    /// At most `limit` benefits that `lookup` finds, in the order in which they were first published, with their
    /// flows and outcomes. Blocks.
    pub fn find(&self, eservice: EserviceId, lookup: &Lookup, limit: u32) -> Result<Vec<Found>, StoreError> {
        self.store.read(|connection| history::find(connection, eservice, lookup, limit))
    }

    /// [`Registry::find`], for async code.
    pub async fn find_async(
        &self,
        eservice: EserviceId,
        lookup: Lookup,
        limit: u32,
    ) -> Result<Vec<Found>, StoreError> {
        self.store.read_async(move |connection| history::find(connection, eservice, &lookup, limit)).await
    }

    /// At most `limit` flows of the feed after `since` (milliseconds since the epoch), oldest first. Blocks.
    pub fn page(
        &self,
        eservice: EserviceId,
        since: u128,
        limit: u32,
    ) -> Result<Vec<PublishedFlusso>, StoreError> {
        let Some(asked) = Asked::new(eservice, since, limit) else { return Ok(Vec::new()) };
        let pages = self.store.read(|connection| feed::pages(connection, &[asked]))?;
        let flussi = feed::packed(pages.into_iter().flatten().collect())?;
        flussi.into_iter().map(PackedFlusso::unpacked).collect()
    }

    /// [`Registry::page`], for async code, each document as it is stored; on the replica, if there is one, where the feed
    /// may end earlier.
    pub async fn page_async(
        &self,
        eservice: EserviceId,
        since: u128,
        limit: u32,
    ) -> Result<Vec<PackedFlusso>, StoreError> {
        let Some(asked) = Asked::new(eservice, since, limit) else { return Ok(Vec::new()) };
        feed::packed(self.readers.page(&self.store, asked).await?)
    }

    /// The full page of `limit` flows after `since` as `make` makes it of them, from where [`Registry::page_async`] reads;
    /// none where there are fewer. It is made beside the calls, for nobody who waits yet.
    pub async fn full_page_async<T: Send + 'static>(
        &self,
        eservice: EserviceId,
        since: u128,
        limit: u32,
        make: fn(Vec<PackedFlusso>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(asked) = Asked::new(eservice, since, limit) else { return Ok(None) };
        self.store
            .read_replica_async(move |connection| {
                let rows: Vec<_> = feed::pages(connection, &[asked])?.into_iter().flatten().collect();
                if rows.len() < asked.limit() {
                    return Ok(None);
                }
                make(feed::packed(rows)?).map(Some)
            })
            .await
    }

    /// Whether a page could be read without making a call wait for its own.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.readers.are_idle()
    }

    /// Looks whether `since`, the cursor of a call with a verified voucher to which the feed had no flow to give, lies
    /// above every timestamp that was given out: then flows were lost, and the feed is raised above it, once. A cursor
    /// more than an hour in the future is not followed.
    pub async fn follow_async(&self, eservice: EserviceId, since: u128) -> Result<Option<Gap>, StoreError> {
        let now_ms = self.clock.now_ms();
        let Some(cursor) = sequencer::credible(since, now_ms) else {
            tracing::warn!(since, "a cursor from the future was not followed");
            return Ok(None);
        };
        let last_ts =
            self.store.read_async(move |connection| sequencer::last_ts(connection, eservice)).await?;
        if cursor <= last_ts {
            return Ok(None);
        }
        self.store
            .write_async(move |connection| gap::raise(connection, eservice, cursor, Noticed::Pull, now_ms))
            .await
    }

    /// The stretches of every feed in which flows may be missing, with the names of their e-services, oldest first.
    /// Blocks.
    pub fn gaps(&self) -> Result<Vec<(String, Gap)>, StoreError> {
        self.store.read(gap::gaps)
    }

    /// Stores the outcomes of one request, all or none, each once however often it comes. Blocks.
    pub fn record_esiti(
        &self,
        eservice: EserviceId,
        esiti: &[Esito],
        request_id: &str,
    ) -> Result<EsitiStored, StoreError> {
        let received_ms = self.clock.now_ms();
        self.store.write(|connection| esiti::record(connection, eservice, esiti, request_id, received_ms))
    }

    /// [`Registry::record_esiti`], for async code.
    pub async fn record_esiti_async(
        &self,
        eservice: EserviceId,
        esiti: Vec<Esito>,
        request_id: String,
    ) -> Result<EsitiStored, StoreError> {
        let received_ms = self.clock.now_ms();
        self.store
            .write_async(move |connection| {
                esiti::record(connection, eservice, &esiti, &request_id, received_ms)
            })
            .await
    }

    /// How many flows of the feed come after `since` (milliseconds since the epoch). Blocks.
    pub fn waiting(&self, eservice: EserviceId, since: i64) -> Result<u64, StoreError> {
        self.store.read(|connection| attesa::waiting(connection, eservice, since))
    }

    /// How much the registry holds of an e-service. Blocks.
    pub fn counts(&self, eservice: EserviceId) -> Result<Counts, StoreError> {
        self.store.read(|connection| status::counts(connection, eservice))
    }
}

impl Registry {
    /// Whether it is kept by a database server, and not in a file.
    pub(crate) fn is_on_server(&self) -> bool {
        self.store.is_on_server()
    }

    /// Where and how it publishes benefits of `erogatore`.
    pub(crate) fn feed<'a>(&'a self, eservice: EserviceId, erogatore: &'a EnteErogatore) -> Feed<'a> {
        Feed { eservice, erogatore, clock: &self.clock, refused: self.refused, following: 0 }
    }
}

/// The fingerprint in a row.
fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, StoreError> {
    let unreadable = || StoreError::Unreadable("a fingerprint of another length".to_owned());
    Fingerprint::read(bytes).ok_or_else(unreadable)
}

/// How the tables number the kinds of flow.
fn tipo_number(tipo: TipoFlusso) -> i16 {
    match tipo {
        TipoFlusso::PsPsaSina => 1,
        TipoFlusso::Sinba => 2,
    }
}

fn tipo_of(number: i16) -> Result<TipoFlusso, StoreError> {
    match number {
        1 => Ok(TipoFlusso::PsPsaSina),
        2 => Ok(TipoFlusso::Sinba),
        other => Err(StoreError::Unreadable(format!("kind of flow {other}"))),
    }
}
