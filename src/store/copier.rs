//! A thread that copies SQLite's write-ahead log back into the database, so that no commit has to.
//!
//! Left to itself SQLite copies at the end of whichever commit has made the log long enough: thousands of pages, for
//! which that commit waits, and whoever comes after it. Here a thread of its own copies while others commit. The log
//! begins anew only at a commit that finds all of it copied, which no commit of a busy hour does; so the one that finds
//! it [`LONGEST`] still copies, what is left by then.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::StoreError;
use super::connection::AnyConnection;

/// How long the log is, in pages, before a commit copies: 64 MiB.
pub(super) const LONGEST: i64 = 16384;
/// How many of its pages wait before they are copied. An import changes the same pages again and again, so that the later
/// they are copied, the less there is to write.
const MANY: i64 = 4096;
/// The same, when a commit will soon have to copy what is left.
const FEW: i64 = 256;
/// How often it is looked while there is writing.
const PAUSE: Duration = Duration::from_millis(10);

/// Where the thread is told that something was written. It ends with this.
#[derive(Clone)]
pub(super) struct Copier(SyncSender<()>);

#[derive(QueryableByName)]
struct Log {
    /// Pages in it.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// Pages of them that were copied.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

impl Copier {
    /// Starts the thread, which works on a connection that `open` gives it.
    pub(super) fn start(
        open: impl Fn() -> Result<AnyConnection, StoreError> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (told, written) = sync_channel(1);
        thread::Builder::new().name("copier".to_owned()).spawn(move || run(&open, &written))?;
        Ok(Self(told))
    }

    /// Something was written.
    pub(super) fn tell(&self) {
        // What it was told before and has not heard yet is enough.
        let _ = self.0.try_send(());
    }
}

fn run(open: &dyn Fn() -> Result<AnyConnection, StoreError>, written: &Receiver<()>) {
    let mut connection = None;
    while written.recv().is_ok() {
        let copied = match &mut connection {
            Some(connection) => copy(connection),
            none => open().and_then(|opened| copy(none.insert(opened))),
        };
        if let Err(error) = copied {
            tracing::warn!(%error, "the write-ahead log cannot be copied: commits will copy it");
            connection = None;
        }
        thread::sleep(PAUSE);
    }
}

fn copy(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let AnyConnection::Sqlite(connection) = connection else { return Ok(()) };
    let Log { log, checkpointed } =
        diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(connection)?;
    let (log, waiting) = (i64::from(log), i64::from(log.saturating_sub(checkpointed)));
    if waiting >= if log < LONGEST / 2 { MANY } else { FEW } {
        connection.batch_execute("PRAGMA wal_checkpoint(PASSIVE)")?;
    }
    Ok(())
}
