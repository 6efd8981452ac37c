//! The page that a cursor makes certain, read before it is asked for.
//!
//! A caller who follows the cursor asks next for what comes after the last flow that it was given. When it has done so
//! once, the page after that is read while this one's entry in the log is written and its answer travels. Who asks with
//! its cursor is given it once: whether a call may have a page, what is counted and what is logged is decided as ever.
//!
//! Only a full page is kept. It never grows, and content in it is dropped only after an announcement: it is given as
//! long as nothing can have been dropped since it was read ([`Registry::steady_async`]), which is two seconds at most,
//! and then forgotten. While calls wait for pages of their own, nothing is read ahead.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::metrics::Metrics;
use super::page::Page;
use crate::registry::Registry;
use crate::store::{EserviceId, StoreError};

/// How many callers are remembered by where they are: those who ask from anywhere push out the others.
const CALLERS: usize = 64;
/// How many pages are kept at a time, and how long the body of one is at most.
const PAGES: usize = 16;
const LONGEST: usize = 2 * 1024 * 1024;
/// How many are read at a time.
const LOOKS: usize = 2;
/// How long a page is kept, whatever it may be given for.
const KEPT: Duration = Duration::from_secs(2);
/// How long a look that no drop was announced serves for the pages that follow, at least.
const STEADY: Duration = Duration::from_secs(1);

/// What a call asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) eservice: EserviceId,
    pub(super) since: u128,
    pub(super) limit: u32,
}

/// What was there for a call.
#[derive(Default)]
pub(super) struct Taken {
    /// Its caller was given the page before.
    pub(super) follows: bool,
    /// What it asks for.
    pub(super) page: Option<Page>,
}

/// The pages that were read ahead, and the cursors that are expected.
pub(super) struct Ahead {
    registry: Registry,
    metrics: Arc<Metrics>,
    places: Mutex<VecDeque<Place>>,
    looks: Arc<Semaphore>,
    /// Until when nothing is dropped from a feed.
    steady: Mutex<HashMap<EserviceId, Instant>>,
}

/// A cursor that is expected.
struct Place {
    cursor: Cursor,
    coming: Option<Coming>,
}

/// A page that is read, or was.
struct Coming {
    page: oneshot::Receiver<Result<Option<Kept>, StoreError>>,
    /// Ends with the place.
    _wanted: oneshot::Sender<()>,
}

struct Kept {
    page: Page,
    until: Instant,
}

impl Ahead {
    pub(super) fn new(registry: Registry, metrics: Arc<Metrics>) -> Self {
        let looks = Arc::new(Semaphore::new(LOOKS));
        Self { registry, metrics, places: Mutex::default(), looks, steady: Mutex::default() }
    }

    /// What is there for a call. It waits for a page that is being read, and fails with it.
    pub(super) async fn take(&self, cursor: Cursor) -> Result<Taken, StoreError> {
        let place = {
            let mut places = self.places();
            let place = places.iter().position(|place| place.cursor == cursor);
            place.and_then(|place| places.remove(place))
        };
        let Some(place) = place else { return Ok(Taken::default()) };
        let kept = match place.coming {
            None => None,
            Some(mut coming) => match coming.page.try_recv() {
                // What failed before the call came says nothing about the call.
                Ok(read) => read.ok().flatten(),
                Err(TryRecvError::Empty) => match coming.page.await {
                    Ok(read) => read?,
                    Err(_) => None,
                },
                Err(TryRecvError::Closed) => None,
            },
        };
        let page = kept.filter(|kept| Instant::now() < kept.until).map(|kept| kept.page);
        if page.is_some() {
            self.metrics.page_ahead("given");
        }
        Ok(Taken { follows: true, page })
    }

    /// Expects a call with `cursor`, and reads its page if the caller `follows` its cursor and there is time for it.
    pub(super) fn expect(self: &Arc<Self>, cursor: Cursor, follows: bool) {
        let mut places = self.places();
        if places.iter().any(|place| place.cursor == cursor) {
            return;
        }
        if places.len() >= CALLERS {
            places.pop_front();
        }
        let room = || places.iter().filter(|place| place.coming.is_some()).count() < PAGES;
        let turn = (follows && self.registry.has_time() && room())
            .then(|| Arc::clone(&self.looks).try_acquire_owned().ok())
            .flatten();
        let coming = turn.map(|turn| self.begin(cursor, turn));
        places.push_back(Place { cursor, coming });
    }

    fn begin(self: &Arc<Self>, cursor: Cursor, turn: OwnedSemaphorePermit) -> Coming {
        self.metrics.page_ahead("read");
        let (give, page) = oneshot::channel();
        let (wanted, unwanted) = oneshot::channel();
        let ahead = Arc::clone(self);
        tokio::spawn(async move {
            let read = ahead.read(cursor).await;
            drop(turn);
            if give.send(read).is_ok() && timeout(KEPT, unwanted).await.is_err() {
                ahead.places().retain(|place| place.cursor != cursor);
            }
        });
        Coming { page, _wanted: wanted }
    }

    async fn read(&self, cursor: Cursor) -> Result<Option<Kept>, StoreError> {
        let Cursor { eservice, since, limit } = cursor;
        let Some(until) = self.steady(eservice).await? else { return Ok(None) };
        let page = self.registry.full_page_async(eservice, since, limit, Page::written).await?;
        let page = page.filter(|page| page.written_length() <= LONGEST);
        Ok(page.map(|page| Kept { page, until }))
    }

    /// Until when nothing is dropped from a feed, as far as it is known.
    async fn steady(&self, eservice: EserviceId) -> Result<Option<Instant>, StoreError> {
        let steady = || self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let known = steady().get(&eservice).copied();
        if let Some(until) = known
            && until.saturating_duration_since(Instant::now()) > STEADY
        {
            return Ok(Some(until));
        }
        let until = self.registry.steady_async(eservice).await?;
        match until {
            Some(until) => steady().insert(eservice, until),
            None => steady().remove(&eservice),
        };
        Ok(until)
    }

    fn places(&self) -> MutexGuard<'_, VecDeque<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
