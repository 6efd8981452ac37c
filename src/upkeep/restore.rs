//! Bringing a copy back.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::digest::{Partial, copy, digest, with_suffix};
use super::resume::resume;
use super::{Contents, Known, Manifest, Resumed, UpkeepError, postgres, sqlite, verify};
use crate::clock::Clock;
use crate::config;
use crate::store::{self, Store, StoreError};

/// A database that was brought back.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// Migrations that it lacked and that were run.
    pub applied: Vec<String>,
    /// The feeds, and how they go on.
    pub feeds: Vec<Resumed>,
    /// Where the database is that was there before.
    pub moved_aside: Option<PathBuf>,
}

/// Brings the backup `from` into the database of `settings`, which must be empty, or with `replace` (SQLite alone) is
/// moved aside. The copy is recognised by its manifest, examined, brought up to date, and its feeds are raised
/// ([`Resumed`]); a SQLite database takes its name only then. Blocks.
pub fn restore(
    settings: &config::Database,
    from: &Path,
    replace: bool,
    configured: &[&str],
    known: &Known,
    clock: &Clock,
) -> Result<Restored, UpkeepError> {
    let manifest = Manifest::read(from)?;
    store::refuse_newer(&manifest.schema)?;
    let engine = if settings.sqlite_file().is_some() { "sqlite" } else { "postgresql" };
    if manifest.engine != engine {
        let what = format!("it is of {}, and database.url is of {engine}", manifest.engine);
        return Err(UpkeepError::NotWhole { path: from.to_owned(), what });
    }
    let revive = |store: &Store| {
        let contents = store.snapshot::<_, StoreError>(Contents::count)?;
        manifest.compare(from, &contents)?;
        let applied = store.migrate()?;
        store.snapshot(verify::consistent)?;
        verify::log(store)?;
        Ok::<_, UpkeepError>((applied, resume(store, configured, known, clock)?))
    };
    let Some(target) = settings.sqlite_file() else {
        manifest.recognise(from, &digest(from)?)?;
        let store = Store::open(settings)?;
        if !store.read(postgres::is_empty)? {
            return Err(UpkeepError::NotEmpty(
                "the database is not empty: make another (createdb), name it in database.url, and drop this one when \
                 it is certain that nothing in it is needed"
                    .to_owned(),
            ));
        }
        postgres::restore(&settings.url, from)?;
        let (applied, feeds) = revive(&store)?;
        return Ok(Restored { manifest, applied, feeds, moved_aside: None });
    };
    let occupied = [target.to_owned(), with_suffix(target, "-wal")].iter().any(|path| path.exists())
        && !sqlite::is_empty(target);
    if occupied && !replace {
        return Err(UpkeepError::NotEmpty(format!(
            "the database {} is not empty: stop the service and say --replace, which moves it aside",
            target.display()
        )));
    }
    if occupied {
        refuse_in_use(target)?;
    }
    store::create_folder_of(target)?;
    let partial = Partial::beside(target, ".restoring")?;
    let written = OpenOptions::new()
        .write(true)
        .open(partial.path())
        .and_then(|mut to| copy(&mut File::open(from)?, &mut to))
        .map_err(UpkeepError::file(from))?;
    manifest.recognise(from, &written)?;
    let store = sqlite::open(partial.path())?;
    store.snapshot(sqlite::intact)?;
    let (applied, feeds) = revive(&store)?;
    drop(store);
    sqlite::settle(partial.path())?;
    let moved_aside = if occupied { Some(move_aside(target, clock.now())?) } else { None };
    partial.finish(target)?;
    Ok(Restored { manifest, applied, feeds, moved_aside })
}

/// Raises the feeds of a database that was brought back by other means, once it is up to date and found to agree with
/// itself. Blocks.
pub fn resume_in_place(
    store: &Store,
    configured: &[&str],
    known: &Known,
    clock: &Clock,
) -> Result<Vec<Resumed>, UpkeepError> {
    store.migrate()?;
    store.snapshot(sqlite::intact)?;
    store.snapshot(verify::consistent)?;
    verify::log(store)?;
    resume(store, configured, known, clock)
}

/// Gives a database another name, which tells until when it was in use.
fn move_aside(target: &Path, now: Timestamp) -> Result<PathBuf, UpkeepError> {
    refuse_in_use(target)?;
    let aside = with_suffix(target, &format!(".until-{}", now.strftime("%Y%m%dT%H%M%SZ")));
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(target, suffix), with_suffix(&aside, suffix));
        if from.exists() {
            fs::rename(&from, &to).map_err(UpkeepError::file(&from))?;
        }
    }
    Ok(aside)
}

/// A process that has the database open would go on writing to it unseen, whatever its name.
fn refuse_in_use(target: &Path) -> Result<(), UpkeepError> {
    match sqlite::settle(target) {
        Err(in_use @ UpkeepError::InUse(_)) => Err(in_use),
        // What is damaged is moved as it is.
        _ => Ok(()),
    }
}
