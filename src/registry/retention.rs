//! Payloads whose time is over: the flow keeps its place in the feed, its name and its outcomes, and is served no more.
//!
//! A payload goes when INPS's last word on its flow has been `OK` for long enough, and nothing of its benefit is open:
//! every flow of the benefit has been accepted, so that it is plain what INPS holds. Kept, unless the configuration
//! renounces cancellations, is the insertion in force of an active benefit, which a cancellation would repeat; a child
//! in care cannot be cancelled, so nothing of it is kept for that.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::{SignedDuration, Timestamp};

use super::Registry;
use super::announced::Announced;
use crate::config;
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend, sequencer};

/// How many flows are looked at in one statement, of which those that go share a transaction.
const WINDOW: i64 = 1000;

/// What whoever publishes is left between two transactions.
const PAUSE: Duration = Duration::from_millis(20);

/// One run at a time for each e-service, apart from all other locks: "elim" in the upper half of the key.
const LOCK: i64 = 0x656c_696d_0000_0000;

/// What is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Payloads of flows that INPS accepted before this instant.
    pub accepted_before: Timestamp,
    /// Whether what a cancellation needs stays.
    pub keep_for_cancellation: bool,
}

impl Retention {
    /// What the configuration asks for at `now`; none if payloads are kept for ever.
    #[must_use]
    pub fn new(settings: &config::Retention, now: Timestamp) -> Option<Self> {
        let days = i64::from(settings.payload_days?);
        let accepted_before = now.checked_sub(SignedDuration::from_hours(days.saturating_mul(24))).ok()?;
        Some(Self { accepted_before, keep_for_cancellation: settings.keep_for_cancellation })
    }
}

/// What notes, in the transaction that drops them, how many payloads were dropped.
pub type Note = Arc<dyn Fn(&mut AnyConnection, u64) -> Result<(), StoreError> + Send + Sync>;

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Flows whose payload was dropped, or would be.
    pub flussi: u64,
    /// Another instance is at it, which ended this run.
    pub elsewhere: bool,
}

impl Registry {
    /// Drops the payloads of a feed that `retention` says, a few at a time, until `stop` says so. What was dropped
    /// before an error stays dropped, and is noted. Blocks.
    pub fn drop_payloads(
        &self,
        eservice: EserviceId,
        retention: Retention,
        note: &Note,
        stop: &dyn Fn() -> bool,
    ) -> Result<Dropped, StoreError> {
        let (mut dropped, mut announced) = (Dropped::default(), Announced::default());
        let mut after = 0;
        while !stop()
            && let Some(until) = self.window(eservice, retention, after)?
        {
            let window = Window { eservice, after, until, retention };
            if self.store.read_bounded(move |connection| window.count(connection))? > 0 {
                announced.make(self, eservice)?;
                let now_ms = self.clock.now_ms();
                let note = Arc::clone(note);
                let done = self.store.write_bounded(move |connection| {
                    let count = window.drop_payloads(connection, now_ms)?;
                    match count {
                        None | Some(0) => {}
                        Some(count) => note(connection, count)?,
                    }
                    Ok(count)
                })?;
                match done {
                    Some(count) => dropped.flussi += count,
                    None => return Ok(Dropped { elsewhere: true, ..dropped }),
                }
                thread::sleep(PAUSE);
            }
            after = until;
        }
        Ok(dropped)
    }

    /// How many payloads [`Registry::drop_payloads`] would drop. Blocks.
    pub fn droppable_payloads(&self, eservice: EserviceId, retention: Retention) -> Result<u64, StoreError> {
        let (mut after, mut total) = (0, 0);
        while let Some(until) = self.window(eservice, retention, after)? {
            let window = Window { eservice, after, until, retention };
            total += self.store.read_bounded(move |connection| window.count(connection))?;
            after = until;
        }
        Ok(total)
    }

    /// The end of the next stretch of the feed that is old enough; none at its end.
    fn window(
        &self,
        eservice: EserviceId,
        retention: Retention,
        after: i64,
    ) -> Result<Option<i64>, StoreError> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Nullable<BigInt>)]
            until: Option<i64>,
        }
        let before = retention.accepted_before.as_millisecond();
        let row: Row = self.store.read_bounded(move |connection| {
            let query = diesel::sql_query(
                "SELECT max(ts) AS until FROM (SELECT ts FROM flusso WHERE eservice_id = $1 AND ts > $2 AND ts < $3 \
                 AND eliminato_ms IS NULL ORDER BY ts LIMIT $4) AS stretch",
            );
            let query = query.bind::<BigInt, _>(eservice.get()).bind::<BigInt, _>(after);
            let query = query.bind::<BigInt, _>(before).bind::<BigInt, _>(WINDOW);
            Ok(each_backend!(connection, |inner| query.get_result(inner))?)
        })?;
        Ok(row.until)
    }
}

/// A stretch of a feed.
#[derive(Clone, Copy)]
struct Window {
    eservice: EserviceId,
    after: i64,
    until: i64,
    retention: Retention,
}

/// Whether INPS's last word on the flow `o` is that it accepts it.
const ACCEPTED: &str = "EXISTS (
    SELECT 1 FROM esito AS e WHERE e.eservice_id = o.eservice_id AND e.id_flusso = o.id_flusso
        AND e.codice_esito = 'OK'
        AND e.id = (SELECT max(l.id) FROM esito AS l
                    WHERE l.eservice_id = o.eservice_id AND l.id_flusso = o.id_flusso))";

/// The flows `f` of a stretch that go. $1 e-service, $2 and $3 the stretch, $4 accepted before.
fn going(keep_for_cancellation: bool) -> String {
    let kept = if keep_for_cancellation {
        "AND NOT (f.tipo = 1 AND EXISTS (
            SELECT 1 FROM prestazione AS p WHERE p.eservice_id = f.eservice_id AND p.id = f.prestazione_id
                AND p.flusso_ts = f.ts AND p.stato = 1))"
    } else {
        ""
    };
    format!(
        "f.eservice_id = $1 AND f.ts > $2 AND f.ts <= $3 AND f.eliminato_ms IS NULL
         AND (SELECT max(e.received_ms) FROM esito AS e
              WHERE e.eservice_id = f.eservice_id AND e.id_flusso = f.id_flusso) < $4
         AND NOT EXISTS (SELECT 1 FROM flusso AS o WHERE o.eservice_id = f.eservice_id
                             AND o.prestazione_id = f.prestazione_id AND NOT {ACCEPTED})
         {kept}"
    )
}

impl Window {
    fn count(&self, connection: &mut AnyConnection) -> Result<u64, StoreError> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            flussi: i64,
        }
        let going = going(self.retention.keep_for_cancellation);
        let query = diesel::sql_query(format!("SELECT count(*) AS flussi FROM flusso AS f WHERE {going}"))
            .bind::<BigInt, _>(self.eservice.get())
            .bind::<BigInt, _>(self.after)
            .bind::<BigInt, _>(self.until)
            .bind::<BigInt, _>(self.retention.accepted_before.as_millisecond());
        let row: Row = each_backend!(connection, |inner| query.get_result(inner))?;
        Ok(u64::try_from(row.flussi).unwrap_or_default())
    }

    /// Drops what goes; none if another instance is at it.
    fn drop_payloads(&self, connection: &mut AnyConnection, now_ms: i64) -> Result<Option<u64>, StoreError> {
        if let AnyConnection::Postgres(inner) = connection {
            let lock = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(&format!(
                "pg_try_advisory_xact_lock({})",
                LOCK.wrapping_add(self.eservice.get())
            )));
            if !lock.get_result::<bool>(inner)? {
                return Ok(None);
            }
        }
        // Whoever cancels reads, under the same lock, whether there is something to repeat, and then repeats it.
        sequencer::lock(connection, self.eservice)?;
        let going = going(self.retention.keep_for_cancellation);
        let flows = diesel::sql_query(format!(
            "UPDATE flusso AS f SET payload_format = 0, payload = substr(payload, 1, 0), eliminato_ms = {now_ms}
             WHERE {going}"
        ));
        let flows = flows
            .bind::<BigInt, _>(self.eservice.get())
            .bind::<BigInt, _>(self.after)
            .bind::<BigInt, _>(self.until)
            .bind::<BigInt, _>(self.retention.accepted_before.as_millisecond());
        let count = each_backend!(connection, |inner| flows.execute(inner))?;
        let benefits = diesel::sql_query(format!(
            "UPDATE prestazione SET eliminato_ms = {now_ms}
             WHERE eservice_id = $1 AND flusso_ts > $2 AND flusso_ts <= $3 AND id IN (
                 SELECT f.prestazione_id FROM flusso AS f
                 WHERE f.eservice_id = $1 AND f.ts > $2 AND f.ts <= $3 AND f.eliminato_ms = {now_ms})
             AND EXISTS (SELECT 1 FROM flusso AS f WHERE f.eservice_id = $1 AND f.ts = prestazione.flusso_ts
                             AND f.eliminato_ms IS NOT NULL)"
        ));
        let benefits = benefits
            .bind::<BigInt, _>(self.eservice.get())
            .bind::<BigInt, _>(self.after)
            .bind::<BigInt, _>(self.until);
        each_backend!(connection, |inner| benefits.execute(inner))?;
        Ok(Some(u64::try_from(count).unwrap_or_default()))
    }
}
