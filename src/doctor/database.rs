//! Whether the database is there, its tables are this program's, and its disk has room.

use std::path::Path;

use super::{Finding, Severity};
use crate::config::Config;
use crate::store::{Store, StoreError};

/// Room below which a warning is due, and below which an error is, in bytes.
const LITTLE: u64 = 1 << 30;
const NONE: u64 = 100 << 20;

/// The database, if it can be used.
pub(super) fn examine(config: &Config, findings: &mut Vec<Finding>) -> Option<Store> {
    const SUBJECT: &str = "database";
    let file = config.database.sqlite_file();
    if let Some(file) = file.filter(|file| !file.exists()) {
        // Opening it would make it.
        findings.push(Finding::bad(
            Severity::Error,
            SUBJECT,
            format!("there is no file {}", file.display()),
            "correct database.url; on a new machine `serve` or `import` makes the file",
        ));
        return None;
    }
    let state = Store::open(&config.database).and_then(|store| Ok((store.schema_state()?, store)));
    let store = match state {
        Ok((state, store)) if state.pending.is_empty() => {
            findings.push(Finding::ok(
                SUBJECT,
                format!("it answers, with all {} migrations", state.applied.len()),
            ));
            Some(store)
        }
        Ok((state, _)) => {
            findings.push(Finding::bad(
                Severity::Error,
                SUBJECT,
                format!("it answers, without the migrations {}", state.pending.join(", ")),
                "start `serve`, which runs them; where its role does not own the tables, let the owner say `waas-comuni \
                 db migrate`",
            ));
            None
        }
        Err(error) => {
            let remedy = match &error {
                StoreError::NewerSchema { .. } => "use the program that made the tables, or a later one",
                _ => {
                    "see that the server runs, that this machine reaches it, that database.url is right, and that its \
                     user may use the tables (config/postgres-roles.sql)"
                }
            };
            findings.push(Finding::bad(Severity::Error, SUBJECT, error.to_string(), remedy));
            None
        }
    };
    if let Some(folder) = file.and_then(Path::parent) {
        disk(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }, findings);
    }
    store
}

fn disk(folder: &Path, findings: &mut Vec<Finding>) {
    const SUBJECT: &str = "disk";
    const REMEDY: &str = "make room: without any, nothing is published, logged or answered";
    findings.push(match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let meaning = format!("{} MiB are free where the database is", free >> 20);
            match free {
                ..NONE => Finding::bad(Severity::Error, SUBJECT, meaning, REMEDY),
                NONE..LITTLE => Finding::bad(Severity::Warning, SUBJECT, meaning, REMEDY),
                LITTLE.. => Finding::ok(SUBJECT, meaning),
            }
        }
        Err(error) => Finding::bad(
            Severity::Warning,
            SUBJECT,
            format!("its room cannot be told: {error}"),
            "see that this account may enter the database's folder",
        ),
    });
}
