//! The least that a pull can be: plain tables, flows as base64 text, one committed row for each call. On PostgreSQL
//! `pgbench` does it, on SQLite threads of this process, each statement prepared once.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::{PgConnection, SqliteConnection};
use secrecy::ExposeSecret;
use waas_comuni::clock::Clock;
use waas_comuni::registry::{PublishedFlusso, Registry};

use crate::dataset::{self, Dataset};
use crate::support::database::Backend;
use crate::threads::storm;
use crate::turn;

diesel::table! {
    plain_flusso (ts) {
        ts -> BigInt,
        codice_ente -> Text,
        denominazione -> Text,
        id_flusso -> Text,
        tipo -> Text,
        payload -> Text,
    }
}

diesel::table! {
    plain_log (id) {
        id -> BigInt,
        instant_ms -> BigInt,
        request_id -> Text,
        path -> Text,
        status -> BigInt,
        client_id -> Text,
        purpose_id -> Text,
        first_ts -> BigInt,
        last_ts -> BigInt,
        item_count -> BigInt,
    }
}

const FLUSSO: &str = "CREATE TABLE plain_flusso (ts BIGINT PRIMARY KEY, codice_ente TEXT NOT NULL, \
                      denominazione TEXT NOT NULL, id_flusso TEXT NOT NULL, tipo TEXT NOT NULL, payload TEXT NOT NULL)";

/// Flows that are copied at a time.
const PAGE: u32 = 10_000;

/// What a call does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The page alone.
    Select,
    /// The page, and the committed row of the call.
    SelectInsert,
    /// The committed row alone.
    Insert,
}

/// The tables, and how to reach them.
pub struct Plain {
    backend: Backend,
    url: String,
    first: i64,
    last: i64,
    /// SQLite has one writer: its clients take turns here rather than in the database's own waiting.
    sqlite_writer: Option<Arc<Mutex<SqliteConnection>>>,
}

impl Plain {
    /// The tables with the flows of the only feed of `dataset`.
    pub fn of(dataset: &Dataset) -> Self {
        let settings = dataset::settings(dataset.backend, &format!("plain_{}", dataset.flows));
        let url = settings.url.expose_secret().to_owned();
        let feed = dataset.feed();
        let sqlite_writer = match dataset.backend {
            Backend::Sqlite => {
                let mut connection = sqlite(&url);
                if connection.batch_execute(FLUSSO).is_ok() {
                    connection.batch_execute(&log("INTEGER PRIMARY KEY")).unwrap();
                    let copied = connection.transaction(|connection| {
                        each_page(dataset, |page| {
                            page.iter().try_for_each(|flusso| insert(connection, flusso))
                        })
                    });
                    copied.unwrap();
                    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                }
                Some(Arc::new(Mutex::new(connection)))
            }
            Backend::Postgres => {
                let mut connection = PgConnection::establish(&url).unwrap();
                if connection.batch_execute(FLUSSO).is_ok() {
                    connection.batch_execute(&log("BIGSERIAL PRIMARY KEY")).unwrap();
                    each_page(dataset, |page| copy(&mut connection, &page)).unwrap();
                    connection.batch_execute("VACUUM (ANALYZE)").unwrap();
                    connection.batch_execute("CHECKPOINT").unwrap();
                }
                None
            }
        };
        Self { backend: dataset.backend, url, first: feed.first, last: feed.last, sqlite_writer }
    }

    /// Who does it, for the table.
    pub fn name(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite => "SQLite itself",
            Backend::Postgres => "pgbench",
        }
    }

    /// So many clients for a while: how many calls they made, and in which time.
    pub fn run(&self, clients: usize, limit: u32, call: Call) -> (f64, Duration) {
        match &self.sqlite_writer {
            Some(writer) => storm(clients, |number| {
                let (mut connection, writer) = (sqlite(&self.url), Arc::clone(writer));
                let (span, mut step) = (self.last - self.first, i64::try_from(number).unwrap());
                move || {
                    step += 1;
                    let since = self.first + step.wrapping_mul(7_919_777).rem_euclid(span);
                    let (first, last) = if call == Call::Insert {
                        (since, since)
                    } else {
                        select(&mut connection, since, i64::from(limit))
                    };
                    if call != Call::Select {
                        insert_log(&mut writer.lock().unwrap(), first, last, i64::from(limit));
                    }
                }
            }),
            None => self.pgbench(clients, limit, call),
        }
    }

    fn pgbench(&self, clients: usize, limit: u32, call: Call) -> (f64, Duration) {
        let select = format!(
            "SELECT ts, codice_ente, denominazione, id_flusso, tipo, payload FROM plain_flusso WHERE ts > :since \
             ORDER BY ts LIMIT {limit};\n"
        );
        let insert = format!(
            "INSERT INTO plain_log (instant_ms, request_id, path, status, client_id, purpose_id, first_ts, last_ts, \
             item_count) VALUES (:since, '{REQUEST}', '/waas/v1/flussi', 200, '{CLIENT}', '{PURPOSE}', :since, :since, \
             {limit});\n"
        );
        let mut script = format!("\\set since random({}, {})\n", self.first, self.last);
        if call != Call::Insert {
            script += &select;
        }
        if call != Call::Select {
            script += &insert;
        }
        let file = dataset::folder().join("pgbench.sql");
        std::fs::write(&file, script).unwrap();
        let threads = clients.min(4).to_string();
        let output = Command::new("pgbench")
            .args([
                "-n",
                "-M",
                "prepared",
                "-c",
                &clients.to_string(),
                "-j",
                &threads,
                "-T",
                &turn().as_secs().to_string(),
                "-f",
            ])
            .arg(&file)
            .arg(&self.url)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let rate =
            said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let rate = rate.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        (rate, Duration::from_secs(1))
    }
}

const REQUEST: &str = "2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11";
const CLIENT: &str = "0f3b6c1e-8a4d-4c1b-9f6e-1b7f3a112f0f";
const PURPOSE: &str = "9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f";

fn log(key: &str) -> String {
    format!(
        "CREATE TABLE plain_log (id {key}, instant_ms BIGINT NOT NULL, request_id TEXT NOT NULL, path TEXT NOT NULL, \
         status BIGINT NOT NULL, client_id TEXT NOT NULL, purpose_id TEXT NOT NULL, first_ts BIGINT NOT NULL, \
         last_ts BIGINT NOT NULL, item_count BIGINT NOT NULL)"
    )
}

fn sqlite(url: &str) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(url.trim_start_matches("sqlite://")).unwrap();
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        .unwrap();
    connection
}

/// Reads the feed page by page.
fn each_page(
    dataset: &Dataset,
    mut take: impl FnMut(Vec<PublishedFlusso>) -> QueryResult<()>,
) -> QueryResult<()> {
    let registry = Registry::new(dataset.store.clone(), Clock::System);
    let mut since = 0;
    loop {
        let page = registry.page(dataset.feed().eservice, since, PAGE).unwrap();
        let Some(last) = page.last() else { return Ok(()) };
        since = u128::try_from(last.ts_ms).unwrap();
        take(page)?;
    }
}

fn insert(connection: &mut SqliteConnection, flusso: &PublishedFlusso) -> QueryResult<()> {
    diesel::insert_into(plain_flusso::table)
        .values((
            plain_flusso::ts.eq(flusso.ts_ms),
            plain_flusso::codice_ente.eq(&flusso.codice_ente),
            plain_flusso::denominazione.eq(&flusso.denominazione_ente),
            plain_flusso::id_flusso.eq(&flusso.id_flusso),
            plain_flusso::tipo.eq(flusso.tipo.as_str()),
            plain_flusso::payload.eq(BASE64_STANDARD.encode(&flusso.xml)),
        ))
        .execute(connection)
        .map(drop)
}

fn copy(connection: &mut PgConnection, page: &[PublishedFlusso]) -> QueryResult<()> {
    let columns = (
        plain_flusso::ts,
        plain_flusso::codice_ente,
        plain_flusso::denominazione,
        plain_flusso::id_flusso,
        plain_flusso::tipo,
        plain_flusso::payload,
    );
    let rows = |out: &mut dyn Write| -> QueryResult<()> {
        for flusso in page {
            let PublishedFlusso { ts_ms, codice_ente, denominazione_ente, id_flusso, tipo, xml } = flusso;
            let (tipo, xml) = (tipo.as_str(), BASE64_STANDARD.encode(xml));
            writeln!(out, "{ts_ms}\t{codice_ente}\t{denominazione_ente}\t{id_flusso}\t{tipo}\t{xml}")
                .unwrap();
        }
        Ok(())
    };
    diesel::copy_from(plain_flusso::table).from_raw_data(columns, rows).execute(connection).map(drop)
}

fn select(connection: &mut SqliteConnection, since: i64, limit: i64) -> (i64, i64) {
    let page: Vec<(i64, String, String, String, String, String)> = plain_flusso::table
        .filter(plain_flusso::ts.gt(since))
        .order(plain_flusso::ts)
        .limit(limit)
        .load(connection)
        .unwrap();
    (page[0].0, page[page.len() - 1].0)
}

/// Writes the row of a call, which is on the disk when this returns.
fn insert_log(connection: &mut SqliteConnection, first_ts: i64, last_ts: i64, count: i64) {
    diesel::insert_into(plain_log::table)
        .values((
            plain_log::instant_ms.eq(first_ts),
            plain_log::request_id.eq(REQUEST),
            plain_log::path.eq("/waas/v1/flussi"),
            plain_log::status.eq(200),
            plain_log::client_id.eq(CLIENT),
            plain_log::purpose_id.eq(PURPOSE),
            plain_log::first_ts.eq(first_ts),
            plain_log::last_ts.eq(last_ts),
            plain_log::item_count.eq(count),
        ))
        .execute(connection)
        .unwrap();
}
