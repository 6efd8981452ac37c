//! Drops of payloads, announced before they are made, so that a page may be kept for a moment and given as if it had
//! been read then.
//!
//! Of a full page nothing changes but that content in it is dropped. Whoever drops writes beforehand into the row of the
//! e-service that it will, and waits for [`NOTICE`]; it may then drop for a while. Whoever looks at that row and finds
//! no announcement knows that nothing is dropped for [`NOTICE`] from before the look. Each measures with a clock of
//! its own that nobody sets; the time of day decides alone when an announcement is over, which leaves a minute to
//! clocks that differ.

use std::thread;
use std::time::{Duration, Instant};

use diesel::prelude::*;

use super::Registry;
use crate::store::schema::eservice;
use crate::store::{EserviceId, StoreError, each_backend};

/// How long nothing is dropped after an announcement.
const NOTICE: Duration = Duration::from_secs(2);
/// How long after that the last drop may begin.
const BEGINS: Duration = Duration::from_secs(30);
/// How long an announcement is believed: until the last drop that follows it has ended or was undone.
const BELIEVED_MS: i64 = 120_000;

/// What one run has announced.
#[derive(Default)]
pub(super) struct Announced(Option<Instant>);

impl Announced {
    /// Announces drops from this feed and waits until they may be made, unless that was done a moment ago. Blocks.
    pub(super) fn make(&mut self, registry: &Registry, eservice: EserviceId) -> Result<(), StoreError> {
        if self.0.is_some_and(|since| since.elapsed() < BEGINS) {
            return Ok(());
        }
        let now_ms = registry.clock.now_ms();
        registry.store.write_bounded(move |connection| {
            let row = diesel::update(eservice::table.find(eservice.get()));
            let row = row.set(eservice::drops_ms.eq(now_ms));
            each_backend!(connection, |inner| row.execute(inner))?;
            Ok(())
        })?;
        thread::sleep(NOTICE);
        self.0 = Some(Instant::now());
        Ok(())
    }
}

impl Registry {
    /// Until when no payload of this feed is dropped, as far as can be known; none if it was announced that some are.
    pub async fn steady_async(&self, eservice: EserviceId) -> Result<Option<Instant>, StoreError> {
        let looked = Instant::now();
        let announced: Option<i64> = self
            .store
            .read_async(move |connection| {
                Ok(eservice::table.find(eservice.get()).select(eservice::drops_ms).first(connection)?)
            })
            .await?;
        let over = announced.is_none_or(|ms| self.clock.now_ms() >= ms.saturating_add(BELIEVED_MS));
        Ok(if over { looked.checked_add(NOTICE) } else { None })
    }
}
