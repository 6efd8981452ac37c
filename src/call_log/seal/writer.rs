//! Writing checkpoints: into the database, and into a file outside it.
//!
//! What is signed is what the heads of the logs say at that moment. The file comes first: a checkpoint that is missing
//! in one of the two places is written there by the next round. A log that is shorter than its last checkpoint is not
//! signed: two checkpoints of one log that contradict each other would make both worthless.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use diesel::prelude::*;

use super::checkpoint::{Checkpoint, base, largest_in_file, suffix};
use super::note::{KeyError, SigningKey};
use crate::call_log::head;
use crate::call_log::tree::Frontier;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::schema::{call_checkpoint, call_log_head, eservice};
use crate::store::{AnyConnection, Store, StoreError, each_backend};

/// Why checkpoints cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A checkpoint that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: String,
}

/// A log that has fewer entries than a checkpoint of it says.
#[derive(Clone, Debug)]
pub struct Shorter {
    /// Its origin.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// How many it had.
    pub signed: u64,
}

impl fmt::Display for Shorter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, signed } = self;
        write!(
            out,
            "{origin} has {size} entries and {signed} were signed: the log was cut, or an old database was restored; \
             it is not signed until the checkpoint file is put aside"
        )
    }
}

/// What a round did.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// What was written.
    pub written: Vec<Written>,
    /// What was not signed.
    pub shorter: Vec<Shorter>,
}

/// Writes checkpoints.
pub struct Checkpointer {
    store: Store,
    clock: Clock,
    key: SigningKey,
    base: String,
    file: Option<PathBuf>,
}

impl Checkpointer {
    /// What the configuration describes; none without a key.
    pub fn open(config: &Config, store: Store, clock: Clock) -> Result<Option<Self>, KeyError> {
        let Some(path) = &config.call_log.checkpoint_key else { return Ok(None) };
        let key = SigningKey::read(path)?;
        Ok(Some(Self {
            store,
            clock,
            key,
            base: base(config),
            file: config.call_log.checkpoint_file.clone(),
        }))
    }

    /// Writes a checkpoint of each log that has grown. Blocks.
    pub fn round(&self) -> Result<Round, CheckpointError> {
        let outside = |path: &PathBuf| {
            largest_in_file(path).map_err(|source| CheckpointError::File { path: path.clone(), source })
        };
        let in_file = self.file.as_ref().map(outside).transpose()?.unwrap_or_default();
        let (in_database, heads) =
            self.store.read(|connection| Ok((largest(connection)?, heads(connection)?)))?;
        let mut round = Round::default();
        for (log_id, name, hashed, frontier) in heads {
            let tree = head::tree(log_id, hashed, &frontier)?;
            let origin = format!("{}/{}", self.base, suffix(name.as_deref()));
            let size = tree.size();
            let file_size = in_file.get(&origin).copied().unwrap_or_default();
            let database_size = in_database.get(&log_id).copied().unwrap_or_default();
            let signed = file_size.max(u64::try_from(database_size).unwrap_or_default());
            if size < signed {
                round.shorter.push(Shorter { origin, size, signed });
                continue;
            }
            if hashed == database_size && (self.file.is_none() || size == file_size) {
                continue;
            }
            let checkpoint = Checkpoint { origin, size, root: tree.root() };
            let note = checkpoint.sign(&self.key)?;
            if let Some(path) = &self.file
                && size > file_size
            {
                append(path, &note).map_err(|source| CheckpointError::File { path: path.clone(), source })?;
            }
            self.store.write(|connection| self.keep(connection, log_id, &tree, &note))?;
            round.written.push(Written { checkpoint, note });
        }
        Ok(round)
    }

    /// Another instance may have signed the same tree meanwhile.
    fn keep(
        &self,
        connection: &mut AnyConnection,
        log_id: i64,
        tree: &Frontier,
        note: &str,
    ) -> Result<(), StoreError> {
        let row = (
            call_checkpoint::log_id.eq(log_id),
            call_checkpoint::size.eq(i64::try_from(tree.size()).unwrap_or(i64::MAX)),
            call_checkpoint::instant_ms.eq(self.clock.now_ms()),
            call_checkpoint::note.eq(note),
            call_checkpoint::frontier.eq(tree.bytes()),
        );
        each_backend!(connection, |inner| diesel::insert_into(call_checkpoint::table)
            .values(row)
            .on_conflict((call_checkpoint::log_id, call_checkpoint::size))
            .do_nothing()
            .execute(inner))?;
        Ok(())
    }
}

/// How much of each log is signed in the database.
fn largest(connection: &mut AnyConnection) -> Result<BTreeMap<i64, i64>, StoreError> {
    let rows: Vec<(i64, Option<i64>)> = call_checkpoint::table
        .group_by(call_checkpoint::log_id)
        .select((call_checkpoint::log_id, diesel::dsl::max(call_checkpoint::size)))
        .load(connection)?;
    Ok(rows.into_iter().map(|(log_id, size)| (log_id, size.unwrap_or_default())).collect())
}

type Head = (i64, Option<String>, i64, Vec<u8>);

/// Every log with its name, the size of its tree, and the tree's frontier.
fn heads(connection: &mut AnyConnection) -> Result<Vec<Head>, StoreError> {
    Ok(call_log_head::table
        .left_join(eservice::table.on(eservice::id.eq(call_log_head::log_id)))
        .order(call_log_head::log_id)
        .select((
            call_log_head::log_id,
            eservice::name.nullable(),
            call_log_head::hashed,
            call_log_head::frontier,
        ))
        .load(connection)?)
}

/// Adds a note to a file, whole or not at all.
fn append(path: &Path, note: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let before = file.metadata()?.len();
    let written = file.write_all(format!("{note}\n").as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        file.set_len(before)?;
    }
    written
}
