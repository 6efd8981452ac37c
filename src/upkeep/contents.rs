//! How much a database holds.

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use serde::{Deserialize, Serialize};

use crate::store::schema::{call_log_head, eservice, esito, flusso, prestazione};
use crate::store::{AnyConnection, StoreError, each_backend};

/// What a database holds, at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// By e-service, in the order of their names.
    pub eservices: Vec<EserviceContents>,
    /// Entries of the log of the calls outside any e-service.
    pub other_calls: i64,
}

/// What a database holds of an e-service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EserviceContents {
    /// Its name.
    pub name: String,
    /// The sequencer: no flow has a later timestamp, in milliseconds since the epoch.
    pub last_ts: i64,
    /// Flows in the feed.
    pub flows: i64,
    /// Benefits, withdrawn ones too.
    pub benefits: i64,
    /// Outcomes, repeated ones once.
    pub outcomes: i64,
    /// Of these, those about flows that the feed does not have.
    pub outcomes_of_unknown_flows: i64,
    /// Entries that its log of calls was given so far.
    pub calls: i64,
}

impl Contents {
    /// Counts. `connection` should be in one transaction, so that the figures agree with each other.
    pub fn count(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let rows: Vec<(i64, String, i64)> = eservice::table
            .order(eservice::name)
            .select((eservice::id, eservice::name, eservice::last_ts))
            .load(connection)?;
        let mut eservices = Vec::with_capacity(rows.len());
        for (id, name, last_ts) in rows {
            let outcomes = esito::table.filter(esito::eservice_id.eq(id));
            eservices.push(EserviceContents {
                name,
                last_ts,
                flows: flusso::table
                    .filter(flusso::eservice_id.eq(id))
                    .select(count_star())
                    .first(connection)?,
                benefits: prestazione::table
                    .filter(prestazione::eservice_id.eq(id))
                    .select(count_star())
                    .first(connection)?,
                outcomes: outcomes.select(count_star()).first(connection)?,
                outcomes_of_unknown_flows: outcomes
                    .filter(esito::flusso_ts.is_null())
                    .select(count_star())
                    .first(connection)?,
                calls: calls(connection, id)?,
            });
        }
        Ok(Self { eservices, other_calls: calls(connection, 0)? })
    }
}

fn calls(connection: &mut AnyConnection, log_id: i64) -> Result<i64, StoreError> {
    let size = call_log_head::table.find(log_id).select(call_log_head::size).first(connection).optional()?;
    Ok(size.unwrap_or(0))
}

/// A database program, and how much room the database takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Engine {
    /// `sqlite` or `postgresql`.
    pub name: &'static str,
    /// The version of the library or of the server.
    pub version: String,
    /// Bytes that the database takes on the disk.
    pub bytes: i64,
}

#[derive(QueryableByName)]
struct Measured {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

impl Engine {
    /// The one behind `connection`.
    pub fn measure(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let (name, query) = match connection {
            AnyConnection::Sqlite(_) => (
                "sqlite",
                "SELECT sqlite_version() AS version, page_count * page_size AS bytes \
                 FROM pragma_page_count(), pragma_page_size()",
            ),
            AnyConnection::Postgres(_) => (
                "postgresql",
                "SELECT current_setting('server_version') AS version, \
                 pg_database_size(current_database()) AS bytes",
            ),
        };
        let Measured { version, bytes } =
            each_backend!(connection, |inner| diesel::sql_query(query).get_result::<Measured>(inner))?;
        Ok(Self { name, version, bytes })
    }
}
