//! Rows as the registry writes them.

#![expect(clippy::ref_option_ref, reason = "it is diesel's derive that refers to an optional reference")]

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;

use crate::store::schema::{flusso, prestazione, rifiuto, scadenza};

/// How the tables mark a benefit that INPS should hold.
pub(super) const ACTIVE: i16 = 1;
/// How the tables mark a benefit that was withdrawn.
pub(super) const WITHDRAWN: i16 = 2;

/// Rows that one statement inserts on SQLite.
const TOGETHER: usize = 16;

/// Inserts new rows, however many: on PostgreSQL with COPY, for which there is nothing to plan and which writes many
/// rows of a page at once.
macro_rules! insert_all {
    ($connection:expr, $table:expr, $rows:expr) => {
        match $connection {
            $crate::store::AnyConnection::Sqlite(inner) => $crate::registry::rows::insert(inner, $rows),
            $crate::store::AnyConnection::Postgres(inner) => {
                diesel::copy_from($table).from_insertable($rows).execute(inner).map(drop)
            }
        }
    };
}
pub(super) use insert_all;

/// Inserts `rows` on SQLite, where a statement costs no round trip, but opens the table and its indexes anew and looks
/// for its place in each: [`TOGETHER`] with each statement, which is prepared once.
pub(super) fn insert<R: Row>(connection: &mut SqliteConnection, rows: &[R]) -> QueryResult<()> {
    let (together, rest) = rows.as_chunks::<TOGETHER>();
    for rows in together {
        Insertion(rows).execute(connection)?;
    }
    for row in rest {
        Insertion(std::array::from_ref(row)).execute(connection)?;
    }
    Ok(())
}

/// A row of a table.
pub(super) trait Row {
    /// Stands for this type, whatever its lifetime.
    type Id: 'static;
    /// The table and its columns, as an INSERT begins with them.
    const INTO: &'static str;

    /// The values, in the order of the columns.
    fn values<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()>;
}

/// The insertion of so many rows.
struct Insertion<'a, R, const N: usize>(&'a [R; N]);

impl<R: Row, const N: usize> QueryFragment<Sqlite> for Insertion<'_, R, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO ");
        out.push_sql(R::INTO);
        for (place, row) in self.0.iter().enumerate() {
            out.push_sql(if place == 0 { " VALUES (" } else { "), (" });
            row.values(out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<R: Row, const N: usize> QueryId for Insertion<'_, R, N> {
    type QueryId = Insertion<'static, R::Id, N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R, const N: usize> RunQueryDsl<SqliteConnection> for Insertion<'_, R, N> {}

macro_rules! rows {
    ($(#[$meta:meta] $name:ident$(<$a:lifetime>)? in $table:ident { $first:ident: $first_type:ty, $($column:ident: $type:ty,)+ })+) => {$(
        #[$meta]
        #[derive(Insertable)]
        #[diesel(table_name = $table, treat_none_as_default_value = false)]
        pub(super) struct $name$(<$a>)? {
            pub(super) $first: $first_type,
            $(pub(super) $column: $type,)+
        }

        impl$(<$a>)? Row for $name$(<$a>)? {
            type Id = $table::table;
            const INTO: &'static str =
                concat!(stringify!($table), " (", stringify!($first), $(", ", stringify!($column),)+ ")");

            fn values<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_bind_param::<<$table::$first as Expression>::SqlType, _>(&self.$first)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<<$table::$column as Expression>::SqlType, _>(&self.$column)?;
                )+
                Ok(())
            }
        }
    )+};
}

rows! {
    /// A flow to write.
    FlussoRow<'a> in flusso {
        eservice_id: i64,
        ts: i64,
        id_flusso: &'a str,
        ente_id: i64,
        tipo: i16,
        operazione: Option<&'static str>,
        prestazione_id: i64,
        payload_format: i16,
        payload: &'a [u8],
        annulla_ts: Option<i64>,
    }

    /// A flow that INPS refused.
    RifiutoRow in rifiuto {
        eservice_id: i64,
        flusso_ts: i64,
        prestazione_id: i64,
        aperto: i16,
    }

    /// A benefit to write.
    PrestazioneRow<'a> in prestazione {
        eservice_id: i64,
        id: i64,
        codice_ente: &'a str,
        tipo: i16,
        identity_hash: &'a [u8],
        content_hash: &'a [u8],
        person: &'a str,
        label: &'a str,
        stato: i16,
        flusso_ts: i64,
        created_ms: i64,
        updated_ms: i64,
        codice: Option<&'a str>,
        primo_mese: Option<i32>,
        mesi: Option<i16>,
        importo: Option<i64>,
        seguito: i16,
    }

    /// How many of a transaction's flows INPS should have by a day.
    ScadenzaRow in scadenza {
        eservice_id: i64,
        ts: i64,
        tipo: i16,
        giorno: i32,
        flussi: i64,
    }
}
