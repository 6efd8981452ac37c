//! What one commit writes: the heads that follow, the counters, the entries.
//!
//! On PostgreSQL one statement writes all of it, in one round trip, and has the same text for any number of rows: each
//! column is an array, so that the server parses and plans it once for each connection. It locks the heads, in the order
//! of their logs, and writes nothing at all unless every head is as it was taken to be: so it can be a transaction by
//! itself. On SQLite, where a statement costs no round trip, each row has its own, prepared once.

use std::mem;

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Array;
use diesel::upsert::excluded;

use crate::store::schema::{call_entry, call_log_head, daily_calls};
use crate::store::{AnyConnection, StoreError};

/// A row of a table, and many of them as one array for each column.
macro_rules! row {
    (
        $(#[$attribute:meta])*
        struct $row:ident of $table:ident, $arrays:ident { $($column:ident: $kind:ty),+ $(,)? }
    ) => {
        $(#[$attribute])*
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub(super) struct $row {
            $(pub(super) $column: $kind,)+
        }

        #[derive(Default)]
        struct $arrays<'a> {
            $($column: Vec<&'a $kind>,)+
        }

        impl<'a> $arrays<'a> {
            fn of(rows: &'a [$row]) -> Self {
                let mut arrays = Self::default();
                for row in rows {
                    $(arrays.$column.push(&row.$column);)+
                }
                arrays
            }

            /// The names of the columns, in brackets.
            fn names(out: &mut AstPass<'_, '_, Pg>) {
                let mut before = " (";
                $(
                    out.push_sql(mem::replace(&mut before, ", "));
                    out.push_sql(stringify!($column));
                )+
                out.push_sql(")");
            }

            /// The table that the arrays are the columns of.
            fn unnest<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                let mut before = " unnest(";
                $(
                    out.push_sql(mem::replace(&mut before, ", "));
                    out.push_bind_param::<Array<SqlTypeOf<$table::$column>>, _>(&self.$column)?;
                )+
                out.push_sql(")");
                Ok(())
            }
        }
    };
}

row! {
    /// An entry as the table holds it.
    #[derive(Clone, Debug, Default, Queryable, Insertable)]
    struct Row of call_entry, Rows {
        log_id: i64,
        entry_index: i64,
        instant_ms: i64,
        request_id: String,
        method: String,
        path: String,
        query: Option<String>,
        status: i16,
        outcome: String,
        client_ip: Option<String>,
        client_id: Option<String>,
        consumer_id: Option<String>,
        purpose_id: Option<String>,
        token_id: Option<String>,
        kid: Option<String>,
        producer_id: Option<String>,
        pdnd_eservice_id: Option<String>,
        descriptor_id: Option<String>,
        voucher_check: Option<String>,
        since: Option<String>,
        page_limit: Option<i64>,
        first_ts: Option<i64>,
        last_ts: Option<i64>,
        item_count: Option<i64>,
        flows_digest: Option<Vec<u8>>,
        duration_us: i64,
        bytes: Option<i64>,
        evidence: Option<String>,
        leaf_hash: Option<Vec<u8>>,
        benefit: Option<i64>,
        esiti: Option<String>,
    }
}

row! {
    /// A log's head as it becomes.
    #[derive(AsChangeset, Identifiable)]
    #[diesel(primary_key(log_id))]
    struct Tree of call_log_head, Trees {
        log_id: i64,
        size: i64,
        hashed: i64,
        frontier: Vec<u8>,
    }
}

row! {
    /// A log's head as it was taken to be; all its entries were hashed.
    #[derive(Insertable)]
    struct Was of call_log_head, Before {
        log_id: i64,
        size: i64,
        frontier: Vec<u8>,
    }
}

row! {
    /// How many calls a consumer made on a day.
    #[derive(Insertable)]
    struct Count of daily_calls, Counts {
        eservice_id: i64,
        giorno: i32,
        consumer_id: String,
        calls: i64,
    }
}

/// What a commit writes.
#[derive(Default)]
pub(super) struct Changes {
    /// Of each log that is extended, once.
    pub(super) before: Vec<Was>,
    /// Of the same logs.
    pub(super) trees: Vec<Tree>,
    /// Of each consumer and day, once.
    pub(super) counts: Vec<Count>,
    pub(super) entries: Vec<Row>,
}

impl Changes {
    /// Writes all of it, and says so; or nothing, on PostgreSQL, if a head is another than it was taken to be.
    pub(super) fn write(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        if self.entries.is_empty() {
            return Ok(true);
        }
        match connection {
            AnyConnection::Postgres(inner) => {
                let statement = Statement {
                    before: Before::of(&self.before),
                    trees: Trees::of(&self.trees),
                    counts: Counts::of(&self.counts),
                    entries: Rows::of(&self.entries),
                };
                Ok(statement.execute(inner)? > 0)
            }
            AnyConnection::Sqlite(inner) => {
                for tree in &self.trees {
                    diesel::update(tree).set(tree).execute(inner)?;
                }
                for count in &self.counts {
                    diesel::insert_into(daily_calls::table)
                        .values(count)
                        .on_conflict((
                            daily_calls::eservice_id,
                            daily_calls::giorno,
                            daily_calls::consumer_id,
                        ))
                        .do_update()
                        .set(daily_calls::calls.eq(excluded(daily_calls::calls)))
                        .execute(inner)?;
                }
                for entry in &self.entries {
                    diesel::insert_into(call_entry::table).values(entry).execute(inner)?;
                }
                Ok(true)
            }
        }
    }
}

/// All the changes at once, for PostgreSQL.
struct Statement<'a> {
    before: Before<'a>,
    trees: Trees<'a>,
    counts: Counts<'a>,
    entries: Rows<'a>,
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "WITH head AS (SELECT head.size = was.size AND head.hashed = was.size AND head.frontier = was.frontier \
             AS same FROM call_log_head AS head JOIN",
        );
        self.before.unnest(&mut out)?;
        out.push_sql(" AS was");
        Before::names(&mut out);
        out.push_sql(
            " ON head.log_id = was.log_id ORDER BY head.log_id FOR NO KEY UPDATE OF head), \
             mine AS (SELECT FROM head HAVING bool_and(same)), \
             trees AS (UPDATE call_log_head AS head \
             SET size = tree.size, hashed = tree.hashed, frontier = tree.frontier FROM mine,",
        );
        self.trees.unnest(&mut out)?;
        out.push_sql(" AS tree");
        Trees::names(&mut out);
        out.push_sql(" WHERE head.log_id = tree.log_id), counts AS (INSERT INTO daily_calls");
        Counts::names(&mut out);
        out.push_sql(" SELECT count.* FROM mine,");
        self.counts.unnest(&mut out)?;
        out.push_sql(
            " AS count ON CONFLICT (eservice_id, giorno, consumer_id) DO UPDATE SET calls = excluded.calls) \
             INSERT INTO call_entry",
        );
        Rows::names(&mut out);
        out.push_sql(" SELECT entry.* FROM mine,");
        self.entries.unnest(&mut out)?;
        out.push_sql(" AS entry");
        Ok(())
    }
}

/// The text is always the same: it is prepared once.
impl QueryId for Statement<'_> {
    type QueryId = Statement<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl RunQueryDsl<PgConnection> for Statement<'_> {}
