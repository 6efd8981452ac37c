//! The checker's own way into the database: plain SQL, past the proxy and past the product.

use std::path::PathBuf;

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::pg::Pg;
use diesel::prelude::{PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel::sqlite::Sqlite;
use zstd::bulk::Decompressor;

/// Where the database is.
#[derive(Clone)]
pub(crate) enum Connection {
    Sqlite(PathBuf),
    Postgres(String),
}

/// An open connection.
pub(super) enum Open {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// A number.
#[derive(QueryableByName)]
pub(super) struct Number {
    #[diesel(sql_type = BigInt)]
    pub(super) number: i64,
}

/// A text.
#[derive(QueryableByName)]
pub(super) struct Word {
    #[diesel(sql_type = Text)]
    pub(super) word: String,
}

/// A flow.
#[derive(QueryableByName)]
pub(super) struct Flow {
    #[diesel(sql_type = BigInt)]
    pub(super) ts: i64,
    #[diesel(sql_type = Text)]
    pub(super) id_flusso: String,
    /// 1 for plain XML, 2 for XML compressed with the first dictionary.
    #[diesel(sql_type = BigInt)]
    pub(super) payload_format: i64,
    #[diesel(sql_type = Binary)]
    pub(super) payload: Vec<u8>,
}

impl Flow {
    /// With its payload as plain XML, read without the product's help.
    pub(super) fn plain(self) -> Result<Self, String> {
        const DICTIONARY: &[u8] = include_bytes!("../../../src/payload/dictionary-1.zstd");
        const LARGEST: usize = 1024 * 1024;
        if self.payload_format == 1 {
            return Ok(self);
        }
        let mut decompressor = Decompressor::with_dictionary(DICTIONARY).map_err(text)?;
        let payload = decompressor.decompress(&self.payload, LARGEST);
        Ok(Self { payload_format: 1, payload: payload.map_err(text)?, ..self })
    }
}

/// An entry of the call log.
#[derive(QueryableByName)]
pub(super) struct Logged {
    #[diesel(sql_type = BigInt)]
    pub(super) entry_index: i64,
    #[diesel(sql_type = Text)]
    pub(super) request_id: String,
    #[diesel(sql_type = BigInt)]
    pub(super) status: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) first_ts: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) last_ts: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) item_count: Option<i64>,
}

impl Connection {
    pub(super) fn open(&self) -> Result<Open, String> {
        match self {
            Self::Sqlite(path) => {
                let mut connection = SqliteConnection::establish(path.to_str().unwrap()).map_err(text)?;
                connection
                    .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON")
                    .map_err(text)?;
                Ok(Open::Sqlite(connection))
            }
            Self::Postgres(url) => PgConnection::establish(url).map(Open::Postgres).map_err(text),
        }
    }
}

impl Open {
    pub(super) fn load<T>(&mut self, sql: &str) -> Result<Vec<T>, String>
    where
        T: QueryableByName<Pg> + QueryableByName<Sqlite> + 'static,
    {
        let query = diesel::sql_query(sql);
        match self {
            Self::Sqlite(connection) => query.load(connection).map_err(text),
            Self::Postgres(connection) => query.load(connection).map_err(text),
        }
    }

    /// The one number that `sql` selects as `number`.
    pub(super) fn number(&mut self, sql: &str) -> Result<i64, String> {
        let rows: Vec<Number> = self.load(sql)?;
        rows.first().map(|row| row.number).ok_or_else(|| format!("nothing: {sql}"))
    }
}

fn text<E: std::fmt::Display>(error: E) -> String {
    format!("{error}")
}
