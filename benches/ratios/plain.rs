//! The least that a pull can be: plain tables, flows as base64 text, one committed row for each call.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::{PgConnection, SqliteConnection};
use waas_comuni::registry::PublishedFlusso;
use waas_comuni::store::AnyConnection;

use crate::support::database::TestDatabase;

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

/// The tables of a database, and how to reach them.
pub struct Plain {
    url: String,
    /// SQLite has one writer: its clients take turns here rather than in the database's own waiting.
    sqlite_writer: Option<Arc<Mutex<AnyConnection>>>,
}

impl Plain {
    /// Makes the tables in `database`, with these flows.
    pub fn new(database: &TestDatabase, flussi: &[PublishedFlusso]) -> Self {
        let mut connection = connect(&database.url);
        let serial = match &connection {
            AnyConnection::Sqlite(_) => "INTEGER PRIMARY KEY",
            AnyConnection::Postgres(_) => "BIGSERIAL PRIMARY KEY",
        };
        connection
            .batch_execute(&format!(
                "CREATE TABLE plain_flusso (ts BIGINT PRIMARY KEY, codice_ente TEXT NOT NULL, \
                 denominazione TEXT NOT NULL, id_flusso TEXT NOT NULL, tipo TEXT NOT NULL, payload TEXT NOT NULL);\
                 CREATE TABLE plain_log (id {serial}, instant_ms BIGINT NOT NULL, request_id TEXT NOT NULL, \
                 path TEXT NOT NULL, status BIGINT NOT NULL, client_id TEXT NOT NULL, purpose_id TEXT NOT NULL, \
                 first_ts BIGINT NOT NULL, last_ts BIGINT NOT NULL, item_count BIGINT NOT NULL)"
            ))
            .unwrap();
        connection
            .transaction(|connection| {
                for flusso in flussi {
                    diesel::insert_into(plain_flusso::table)
                        .values((
                            plain_flusso::ts.eq(flusso.ts_ms),
                            plain_flusso::codice_ente.eq(&flusso.codice_ente),
                            plain_flusso::denominazione.eq(&flusso.denominazione_ente),
                            plain_flusso::id_flusso.eq(&flusso.id_flusso),
                            plain_flusso::tipo.eq(flusso.tipo.as_str()),
                            plain_flusso::payload.eq(BASE64_STANDARD.encode(&flusso.xml)),
                        ))
                        .execute(connection)?;
                }
                QueryResult::Ok(())
            })
            .unwrap();
        if matches!(connection, AnyConnection::Postgres(_)) {
            connection.batch_execute("VACUUM ANALYZE").unwrap();
        }
        let sqlite_writer =
            matches!(connection, AnyConnection::Sqlite(_)).then(|| Arc::new(Mutex::new(connection)));
        Self { url: database.url.clone(), sqlite_writer }
    }

    /// A connection of one client.
    pub fn client(&self) -> Client {
        Client { connection: connect(&self.url), sqlite_writer: self.sqlite_writer.clone() }
    }
}

/// One client.
pub struct Client {
    connection: AnyConnection,
    sqlite_writer: Option<Arc<Mutex<AnyConnection>>>,
}

impl Client {
    /// Selects a page, and writes the row of the call.
    pub fn pull(&mut self, since: i64, limit: i64) {
        let page: Vec<(i64, String, String, String, String, String)> = plain_flusso::table
            .filter(plain_flusso::ts.gt(since))
            .order(plain_flusso::ts)
            .limit(limit)
            .load(&mut self.connection)
            .unwrap();
        self.log(page[0].0, page[page.len() - 1].0, limit);
    }

    /// Writes the row of a call, which is on the disk when this returns.
    pub fn log(&mut self, first_ts: i64, last_ts: i64, count: i64) {
        let row = (
            plain_log::instant_ms.eq(first_ts),
            plain_log::request_id.eq("2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11"),
            plain_log::path.eq("/waas/v1/flussi"),
            plain_log::status.eq(200),
            plain_log::client_id.eq("0f3b6c1e-8a4d-4c1b-9f6e-1b7f3a112f0f"),
            plain_log::purpose_id.eq("9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f"),
            plain_log::first_ts.eq(first_ts),
            plain_log::last_ts.eq(last_ts),
            plain_log::item_count.eq(count),
        );
        let insert = diesel::insert_into(plain_log::table).values(row);
        match &self.sqlite_writer {
            Some(writer) => insert.execute(&mut *writer.lock().unwrap()),
            None => insert.execute(&mut self.connection),
        }
        .unwrap();
    }
}

fn connect(url: &str) -> AnyConnection {
    match url.strip_prefix("sqlite://") {
        Some(path) => {
            let mut connection = SqliteConnection::establish(path).unwrap();
            connection
                .batch_execute(
                    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
                )
                .unwrap();
            AnyConnection::Sqlite(connection)
        }
        None => AnyConnection::Postgres(PgConnection::establish(url).unwrap()),
    }
}
