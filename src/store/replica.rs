//! A streaming replica, from which pages of the feed may be read.
//!
//! Why a page from the replica is as good as an earlier one from the primary: a transaction that publishes holds its
//! e-service's row until its commit is in the log that the replica replays, so the commits of one feed stand in that
//! log in the order of their timestamps; the replica makes them visible in that order, and sees none that the primary
//! may still lose. Whatever it shows is a beginning of the feed, without holes: it can be late, and nothing else.
//!
//! That holds for a replica of this very database. So with every page goes the question who the server is, asked after
//! the page: a standby, still, of the same cluster, on the same timeline, with the same database. A server of which
//! any of it is untrue, or that does not answer in time, is left alone for a while, and the primary asked instead.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::deserialize::QueryableByName;
use diesel::r2d2::Pool;
use diesel::sql_types::{Bool, Text};
use tokio::sync::Semaphore;

use super::connection::{Access, AnyConnection, Manager, Target};
use super::place::Spare;
use super::{Store, StoreError, get, slots, unavailable};
use crate::config;

/// For how many times the time-out a replica that failed is left alone.
const LEFT_ALONE: u32 = 3;

/// How long what is known of the primary is believed.
const KNOWN_FOR: Duration = Duration::from_secs(60);

pub(super) struct Replica {
    pool: Pool<Manager>,
    slots: Arc<Semaphore>,
    spare: Spare,
    state: Mutex<State>,
    fallbacks: AtomicU64,
}

#[derive(Default)]
struct State {
    primary: Option<(Instant, Identity)>,
    left_alone_until: Option<Instant>,
}

/// How the replica is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Whether it served when it was last asked.
    pub serves: bool,
    /// How many pages the primary served in its place since the process started.
    pub fallbacks: u64,
}

/// Who a server is.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
struct Identity {
    #[diesel(sql_type = Bool)]
    standby: bool,
    /// Cluster, timeline and database.
    #[diesel(sql_type = Text)]
    database: String,
}

const IDENTITY: &str = "SELECT pg_is_in_recovery() AS standby,
    concat((SELECT system_identifier FROM pg_control_system()), ' ',
           (SELECT timeline_id FROM pg_control_checkpoint()), ' ', current_database()) AS database";

fn identity(connection: &mut AnyConnection) -> Result<Identity, StoreError> {
    match connection {
        AnyConnection::Postgres(inner) => Ok(diesel::sql_query(IDENTITY).get_result(inner)?),
        AnyConnection::Sqlite(_) => Err(unavailable("SQLite has no replicas")),
    }
}

impl Replica {
    /// The replica that `settings` name, if they name one; no connection is opened yet.
    pub(super) fn open(
        settings: &config::Database,
        timeout: Duration,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let Some(url) = &settings.replica_url else { return Ok(None) };
        let target = Target::parse(url, timeout)?;
        if matches!(target, Target::Sqlite(_)) {
            return Err(StoreError::Url);
        }
        let connections = settings.connections.max(1);
        let manager = Manager::new(target, Access::Read, timeout);
        let spare = Spare::new(slots(connections), manager.silences());
        Ok(Some(Arc::new(Self {
            pool: manager.pool(connections.saturating_mul(2)),
            slots: slots(connections),
            spare,
            state: Mutex::default(),
            fallbacks: AtomicU64::new(0),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> ReplicaStatus {
        ReplicaStatus {
            serves: self.state().left_alone_until.is_none(),
            fallbacks: self.fallbacks.load(Ordering::Relaxed),
        }
    }

    /// Whether it is to be asked. One caller at a time finds out whether one that was left alone is back.
    fn may_be_asked(&self, timeout: Duration) -> bool {
        let mut state = self.state();
        match state.left_alone_until {
            Some(until) if Instant::now() < until => false,
            Some(_) => {
                state.left_alone_until = Some(Instant::now() + timeout.saturating_mul(LEFT_ALONE));
                true
            }
            None => true,
        }
    }
}

impl Store {
    /// How the replica is doing, if there is one.
    #[must_use]
    pub fn replica(&self) -> Option<ReplicaStatus> {
        self.replica.as_deref().map(Replica::status)
    }

    /// [`Store::read_async`], which may run `work` on the replica: on an earlier state of the database. A replica that
    /// cannot be used costs one time-out now and then.
    pub async fn read_replica_async<T: Send + 'static>(
        &self,
        work: impl Fn(&mut AnyConnection) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        if let Some(replica) = &self.replica {
            if replica.may_be_asked(self.timeout) {
                match self.ask_replica(replica, work.clone()).await {
                    Ok(value) => {
                        if replica.state().left_alone_until.take().is_some() {
                            tracing::info!("the replica serves");
                        }
                        return Ok(value);
                    }
                    Err(error) => {
                        let rest = self.timeout.saturating_mul(LEFT_ALONE);
                        let mut state = replica.state();
                        state.left_alone_until = Some(Instant::now() + rest);
                        state.primary = None;
                        tracing::warn!(%error, seconds = rest.as_secs(), "the replica is left alone: the primary serves");
                    }
                }
            }
            replica.fallbacks.fetch_add(1, Ordering::Relaxed);
        }
        self.read_again_async(work).await
    }

    async fn ask_replica<T: Send + 'static>(
        &self,
        replica: &Arc<Replica>,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let known = replica.state().primary.clone();
        let primary = match known {
            Some((at, primary)) if at.elapsed() < KNOWN_FOR => primary,
            _ => {
                let primary = self.read_async(identity).await?;
                replica.state().primary = Some((Instant::now(), primary.clone()));
                primary
            }
        };
        let pool = replica.pool.clone();
        let page = move || {
            let mut connection = get(&pool)?;
            let value = work(&mut connection)?;
            let server = identity(&mut connection)?;
            if !server.standby {
                return Err(unavailable("database.replica_url leads to a server that is no replica"));
            }
            if server.database != primary.database {
                return Err(unavailable("database.replica_url leads to the replica of another database"));
            }
            Ok(value)
        };
        self.blocking(&replica.slots, &replica.spare, self.timeout, page).await
    }
}
