//! The two databases behind one door: SQLite for one Comune, PostgreSQL for more, with any number of instances.
//!
//! Here: connections, transactions, migrations, the tables, and the sequencer that orders a feed. What the tables
//! mean is the matter of the rooms that own them: benefits, flows and outcomes are the registry's, calls are the call
//! log's.
//!
//! Diesel is synchronous: [`Store::read`] and [`Store::write`] block, and are for threads that may. In async code
//! [`Store::read_async`] and [`Store::write_async`] do the same on the blocking pool; their waits are bounded, so that
//! a dead database is an answer ([`StoreError::Unavailable`]) and not a silence. [`Store::read_bounded`] and
//! [`Store::write_bounded`] are that for threads.

mod connection;
mod copier;
mod day;
mod error;
mod hand;
pub mod jwks;
mod losses;
mod migrations;
mod payloads;
mod place;
pub mod proofs;
mod replica;
pub(crate) mod schema;
pub(crate) mod sequencer;
pub mod tables;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::r2d2::{Pool, PooledConnection, R2D2Connection};
use tokio::sync::Semaphore;
use tokio::time::{timeout, timeout_at};

use crate::config;
use connection::{Access, Manager, Target};
use copier::Copier;
use place::{Place, Silences, Spare};
use replica::Replica;

pub use connection::AnyConnection;
pub(crate) use connection::{create_folder_of, each_backend};
pub use day::Day;
pub use error::StoreError;
pub use hand::Hand;
pub use losses::Loss;
pub use migrations::{Moved, SchemaState, refuse_newer};
pub use replica::ReplicaStatus;
pub use sequencer::EserviceId;

/// The database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    readers: Pool<Manager>,
    writer: Pool<Manager>,
    /// How many async readers and writers may wait on a connection at once: the others wait here, where it costs no
    /// thread.
    read_slots: Arc<Semaphore>,
    write_slots: Arc<Semaphore>,
    /// How much work may be written off at once: work whose server has fallen silent for ever, although the network
    /// says that it is there. Its connection stays open beside those that replace it. None on SQLite, whose waits end
    /// by themselves.
    spare: Spare,
    /// Whether each wait is bounded where it is made: on SQLite by its time-out for locks. Over a network, nothing in
    /// libpq bounds the wait for a server that is silent.
    waits_end_by_themselves: bool,
    timeout: Duration,
    replica: Option<Arc<Replica>>,
    /// Who copies SQLite's write-ahead log, in a program that serves.
    copier: Option<Copier>,
    /// Since when work runs that nothing bounds.
    unbounded: Arc<Mutex<Option<Instant>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Prepares the connections to the database that `settings` name. A SQLite file is made where it is missing;
    /// no connection is opened yet.
    pub fn open(settings: &config::Database) -> Result<Self, StoreError> {
        Self::open_as(settings, false)
    }

    /// [`Store::open`], for a program that goes on for long and answers meanwhile: no commit is kept waiting by the
    /// upkeep of a SQLite file.
    pub fn open_to_serve(settings: &config::Database) -> Result<Self, StoreError> {
        Self::open_as(settings, true)
    }

    fn open_as(settings: &config::Database, serves: bool) -> Result<Self, StoreError> {
        let wait = Duration::from_secs(u64::from(settings.timeout_seconds.max(1)));
        let manager =
            |access| Target::parse(&settings.url, wait).map(|target| Manager::new(target, access, wait));
        let writer = manager(Access::Write)?;
        if let Some(path) = writer.file() {
            connection::create_file(path)?;
            let mut writer = writer;
            let mut copier = None;
            if serves {
                let manager = manager(Access::Read)?;
                let open = move || manager.open().map_err(|error| unavailable(&error.to_string()));
                copier = Some(Copier::start(open).map_err(|error| unavailable(&error.to_string()))?);
                writer = writer.copying_at(copier::LONGEST);
            }
            return Ok(Self {
                readers: manager(Access::Read)?.pool(settings.connections.max(1)),
                writer: writer.pool(1),
                read_slots: slots(settings.connections.max(1)),
                write_slots: slots(1),
                spare: Spare::new(slots(0), Silences::default()),
                waits_end_by_themselves: true,
                timeout: wait,
                replica: None,
                copier,
                unbounded: Arc::default(),
            });
        }
        // One connection is left to the call log's appender, on which every answer waits.
        let connections = settings.connections.max(2);
        let spare = Spare::new(slots(connections), writer.silences());
        let pool = writer.pool(connections.saturating_mul(2));
        let in_use = slots(connections - 1);
        Ok(Self {
            readers: pool.clone(),
            writer: pool,
            read_slots: Arc::clone(&in_use),
            write_slots: in_use,
            spare,
            waits_end_by_themselves: false,
            timeout: wait,
            replica: Replica::open(settings, wait)?,
            copier: None,
            unbounded: Arc::default(),
        })
    }

    /// How long a call waits for a connection, or a statement for its result.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long a call waits for the database in all, however silent it is.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    /// Runs the migrations that are missing, and returns their versions.
    pub fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.migrating(migrations::run)
    }

    /// Brings the tables to `version`, forward or back; `0000` is before the first. Where going back would lose data
    /// ([`StoreError::Loss`] says which), nothing is done unless `accept_loss`.
    pub fn migrate_to(&self, version: &str, accept_loss: bool) -> Result<Moved, StoreError> {
        self.migrating(|connection| migrations::move_to(connection, version, accept_loss))
    }

    /// Migrations take the time that they need, and the room: an index is made by sorting a whole table.
    fn migrating<T>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = get(&self.writer)?;
        connection.sort_on_disk(true)?;
        let migrated = connection.write(self.timeout, work);
        connection.sort_on_disk(false)?;
        migrated
    }

    /// How far the tables are from what this program needs.
    pub fn schema_state(&self) -> Result<SchemaState, StoreError> {
        self.write(migrations::state)
    }

    /// The e-service of that name, which is made known to the database if it is not yet.
    pub fn register_eservice(&self, name: &str) -> Result<EserviceId, StoreError> {
        match self.find_eservice(name)? {
            Some(eservice) => Ok(eservice),
            None => self.write(|connection| sequencer::register(connection, name)),
        }
    }

    /// The e-services of these names, in their order. Those that the database does not know yet are made known to it in
    /// one transaction, so that hundreds cost one wait for the disk.
    pub fn register_eservices(&self, names: &[&str]) -> Result<Vec<EserviceId>, StoreError> {
        let mut known = self.read(sequencer::all)?;
        if names.iter().any(|name| !known.contains_key(*name)) {
            known = self.write(|connection| {
                for name in names.iter().filter(|name| !known.contains_key(**name)) {
                    sequencer::register(connection, name)?;
                }
                sequencer::all(connection)
            })?;
        }
        Ok(names.iter().filter_map(|name| known.get(*name).copied()).collect())
    }

    /// The e-service of that name, if the database knows it.
    pub fn find_eservice(&self, name: &str) -> Result<Option<EserviceId>, StoreError> {
        self.read(|connection| sequencer::find(connection, name))
    }

    /// Runs `work` on a connection that reads. Each of its statements sees what was committed before it began.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _running = self.running();
        let mut connection = get(&self.readers)?;
        work(&mut connection)
    }

    /// Runs `work` in one transaction that reads: all its statements see the same instant of the database. They may
    /// take as long as they need.
    pub fn snapshot<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        get(&self.readers)?.snapshot(work)
    }

    /// Runs `work` in one transaction, committed if it succeeds and undone if it fails.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _running = self.running();
        let written = get(&self.writer)?.write(self.timeout, work);
        if let Some(copier) = &self.copier {
            copier.tell();
        }
        written
    }

    /// Runs `work`, one statement that writes, which is a transaction by itself.
    pub fn statement<T>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _running = self.running();
        let mut connection = get(&self.writer)?;
        work(&mut connection)
    }

    /// For how long [`Store::read`] or [`Store::write`] have been waiting for the database, if one of them runs: for
    /// programs of one thread, which learn here that a server is silent.
    #[must_use]
    pub fn waiting_for(&self) -> Option<Duration> {
        self.unbounded.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    /// Whether a server keeps the database, and not this program in a file.
    pub(crate) fn is_on_server(&self) -> bool {
        !self.waits_end_by_themselves
    }

    fn running(&self) -> Running<'_> {
        *self.unbounded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Running(&self.unbounded)
    }

    /// [`Store::read`], given up after [`Store::longest`].
    pub fn read_bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand().run(move |store| store.read(work))
    }

    /// [`Store::write`], given up after [`Store::longest`]; the transaction may nevertheless be committed.
    pub fn write_bounded<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand().run(move |store| store.write(work))
    }

    /// A thread for more than one bounded piece of work.
    #[must_use]
    pub fn hand(&self) -> Hand {
        Hand::new(self.clone())
    }

    /// [`Store::read`] on the blocking pool.
    pub async fn read_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        self.blocking(&self.read_slots, &self.spare, self.longest(), move || store.read(work)).await
    }

    /// [`Store::read_async`], whose work is done once more if its connection turns out to have broken.
    async fn read_again_async<T: Send + 'static>(
        &self,
        work: impl Fn(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let work = move || {
            let mut connection = get(&store.readers)?;
            let result = work(&mut connection);
            if result.is_ok() || !connection.is_broken() {
                return result;
            }
            drop(connection);
            store.read(work)
        };
        self.blocking(&self.read_slots, &self.spare, self.longest(), work).await
    }

    /// [`Store::write`] on the blocking pool. When it fails as unavailable after having begun, the transaction may
    /// nevertheless be committed: what is written this way can be written again.
    pub async fn write_async<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        self.blocking(&self.write_slots, &self.spare, self.longest(), move || store.write(work)).await
    }

    /// Whether the database answers.
    pub async fn ping_async(&self) -> Result<(), StoreError> {
        self.read_async(|connection| sequencer::find(connection, "").map(drop)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        slots: &Arc<Semaphore>,
        spare: &Spare,
        longest: Duration,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + longest;
        let slot = timeout(self.timeout, Arc::clone(slots).acquire_owned())
            .await
            .map_err(|_| unavailable("every connection is busy"))?
            .map_err(|_| unavailable("the program is stopping"))?;
        // The slot goes with the work: work that nobody waits for any longer still occupies its connection, unless it
        // is written off.
        let place = Place::with(slot);
        let occupied = place.clone();
        let running = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(occupied);
            result
        });
        match timeout_at(deadline.into(), running).await {
            Ok(ended) => ended.map_err(|_| unavailable("the work was interrupted"))?,
            Err(_) => {
                place.write_off(spare);
                Err(unavailable("no answer in time"))
            }
        }
    }
}

/// Work that runs.
struct Running<'a>(&'a Mutex<Option<Instant>>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn unavailable(what: &str) -> StoreError {
    StoreError::Unavailable(what.to_owned())
}

fn slots(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS)))
}

fn get(pool: &Pool<Manager>) -> Result<PooledConnection<Manager>, StoreError> {
    Ok(pool.get()?)
}

/// `text` as both databases can hold it: PostgreSQL has no room for NUL, which becomes U+FFFD.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
