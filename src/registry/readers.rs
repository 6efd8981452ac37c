//! Calls that wait for pages at the same moment share a look into the database.
//!
//! A call that finds a turn free looks at once. Those that come while all turns are taken wait, and whoever ends a look
//! takes all of them, up to a bound, into the next: the more calls there are, the less each costs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::feed::{self, Asked, Row};
use crate::store::{Store, StoreError};

/// How many look at once. Of four cores, the one that is left writes the log and answers; two or four looks gave a
/// twentieth less.
const LOOKS: usize = 3;
/// How many flows one look asks for, if it asks for more than one page. With half or twice as many, pages of 100 came a
/// tenth more slowly.
const FLOWS: usize = 400;

/// Those who look, and those who wait.
#[derive(Debug)]
pub(super) struct Readers {
    waiting: Mutex<VecDeque<Waiting>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Waiting {
    asked: Asked,
    page: oneshot::Sender<Result<Vec<Row>, StoreError>>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turns: Arc::new(Semaphore::new(LOOKS)) }
    }
}

impl Readers {
    /// The page that is asked for; from the replica, if there is one. Fails after [`Store::longest`].
    pub(super) async fn page(self: &Arc<Self>, store: &Store, asked: Asked) -> Result<Vec<Row>, StoreError> {
        let page = async {
            loop {
                // A look ends early with the thread that it runs on, when the service stops: whoever is left looks again.
                if let Ok(page) = self.wait(store, asked).await {
                    return page;
                }
            }
        };
        timeout(store.longest(), page).await.map_err(|_| unavailable("no answer in time"))?
    }

    /// Whether most of them have nothing to do.
    pub(super) fn are_idle(&self) -> bool {
        self.turns.available_permits() > LOOKS / 2
    }

    /// Waits in the line once: for one's own look, or for that of somebody else.
    async fn wait(
        self: &Arc<Self>,
        store: &Store,
        asked: Asked,
    ) -> Result<Result<Vec<Row>, StoreError>, RecvError> {
        let (page, given) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(Waiting { asked, page });
        tokio::pin!(given);
        loop {
            tokio::select! {
                biased;
                page = &mut given => return page,
                Ok(turn) = Arc::clone(&self.turns).acquire_owned() => {
                    let batch = self.take();
                    if batch.is_empty() {
                        // Somebody looks for this call already.
                        drop(turn);
                        return given.await;
                    }
                    // Others wait for what is looked up, and may for longer than this call does.
                    tokio::spawn(look(Arc::clone(self), store.clone(), turn, batch));
                }
            }
        }
    }

    /// Some of those who wait.
    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut flows) = (Vec::new(), 0_usize);
        while let Some(next) = waiting.pop_front() {
            flows = flows.saturating_add(next.asked.limit());
            if flows > FLOWS && !taken.is_empty() {
                waiting.push_front(next);
                break;
            }
            if !next.page.is_closed() {
                taken.push(next);
            }
        }
        taken
    }
}

/// Looks for `batch`, and for whoever waits then, until nobody does.
async fn look(readers: Arc<Readers>, store: Store, turn: OwnedSemaphorePermit, mut batch: Vec<Waiting>) {
    while !batch.is_empty() {
        let asked: Vec<_> = batch.iter().map(|waiting| waiting.asked).collect();
        let looked = store.read_replica_async(move |connection| feed::pages(connection, &asked)).await;
        let told: Vec<_> = match looked {
            Ok(pages) => pages.into_iter().map(Ok).collect(),
            Err(error) => {
                let reason = match error {
                    StoreError::Unavailable(reason) => reason,
                    other => other.to_string(),
                };
                batch.iter().map(|_| Err(unavailable(&reason))).collect()
            }
        };
        for (waiting, told) in batch.into_iter().zip(told) {
            // A caller that has gone needs no page.
            let _ = waiting.page.send(told);
        }
        batch = readers.take();
    }
    drop(turn);
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.to_owned())
}
