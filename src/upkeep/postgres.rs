//! Copies of a PostgreSQL database, made and brought back by PostgreSQL's own programs.
//!
//! The dump is of the snapshot in which its contents are counted, so that both speak of one instant. A password is
//! handed to the programs in their environment: arguments can be read by everyone on the machine.

use std::path::Path;
use std::process::{Command, Stdio};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::UpkeepError;
use crate::store::{AnyConnection, StoreError};

#[derive(QueryableByName)]
struct Snapshot {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Writes the database, as the running transaction sees it, to `to`.
pub(super) fn dump(connection: &mut AnyConnection, url: &SecretString, to: &Path) -> Result<(), UpkeepError> {
    let AnyConnection::Postgres(inner) = connection else { return Ok(()) };
    let Snapshot { id } = diesel::sql_query("SELECT pg_export_snapshot() AS id")
        .get_result::<Snapshot>(inner)
        .map_err(StoreError::from)?;
    run("pg_dump", url, |command| {
        command.args(["--format=custom", "--lock-wait-timeout=60s"]);
        command.arg(format!("--snapshot={id}")).arg("--file").arg(to);
    })
}

/// Reads a dump from its beginning to its end.
pub(super) fn read_through(dump: &Path) -> Result<(), UpkeepError> {
    finished("pg_restore", Command::new("pg_restore").arg("--file=/dev/null").arg(dump))
}

/// Brings a dump back, whole or not at all.
pub(super) fn restore(url: &SecretString, from: &Path) -> Result<(), UpkeepError> {
    run("pg_restore", url, |command| {
        command.args(["--no-owner", "--exit-on-error", "--single-transaction"]).arg(from);
    })
}

/// Whether the database has no table of anybody's.
pub(super) fn is_empty(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let AnyConnection::Postgres(inner) = connection else { return Ok(false) };
    let Count { count } = diesel::sql_query(
        "SELECT count(*) AS count FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'",
    )
    .get_result::<Count>(inner)?;
    Ok(count == 0)
}

fn run(
    program: &'static str,
    url: &SecretString,
    arguments: impl FnOnce(&mut Command),
) -> Result<(), UpkeepError> {
    let (url, password) = without_password(url.expose_secret());
    let mut command = Command::new(program);
    arguments(command.arg("--no-password").arg("--dbname").arg(url));
    if let Some(password) = password {
        command.env("PGPASSWORD", password.expose_secret());
    }
    finished(program, &mut command)
}

fn finished(program: &'static str, command: &mut Command) -> Result<(), UpkeepError> {
    let output = command.stdin(Stdio::null()).env("LC_ALL", "C").output().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            UpkeepError::NoProgram(program)
        } else {
            UpkeepError::Program { program, said: error.to_string() }
        }
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(UpkeepError::Program { program, said })
}

/// A PostgreSQL URL without the password in it, and that password.
///
/// The URL is taken apart as libpq does: it may name several hosts, or none, which no general reader of URLs takes.
fn without_password(url: &str) -> (String, Option<SecretString>) {
    let decoded = |text: &str| SecretString::from(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let mut password = None;
    let mut kept = format!("{scheme}://");
    // Who connects stands before the first `@`, unless a `/` comes earlier.
    let rest = match rest.split_once('@').filter(|(who, _)| !who.contains('/')) {
        Some((who, rest)) => {
            let (user, given) = who.split_once(':').unwrap_or((who, ""));
            password = (!given.is_empty()).then(|| decoded(given));
            kept.push_str(user);
            kept.push('@');
            rest
        }
        None => rest,
    };
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    kept.push_str(address);
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if let Some(given) = pair.strip_prefix("password=") {
            password = Some(decoded(given));
        } else {
            kept.push(separator);
            kept.push_str(pair);
            separator = '&';
        }
    }
    (kept, password)
}
