//! What a change of the tables would lose, found by making it and taking it back.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::{AnyConnection, each_backend};
use super::error::StoreError;

/// Data that a change would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The table, or the column as `table.column`.
    pub what: String,
    /// How many rows of the table, or values of the column.
    pub count: i64,
}

impl std::fmt::Display for Loss {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = if self.what.contains('.') { "values" } else { "rows" };
        write!(formatter, "{} ({} {unit})", self.what, self.count)
    }
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The tables, with their columns.
type Tables = BTreeMap<String, BTreeSet<String>>;

/// What `change` would lose. It is made within the caller's transaction and taken back.
pub(super) fn of<T>(
    connection: &mut AnyConnection,
    change: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<Vec<Loss>, StoreError> {
    let before = tables(connection)?;
    let mut rows = BTreeMap::new();
    for table in before.keys() {
        rows.insert(table.clone(), count(connection, table, "*")?);
    }
    let (after, rows_after) = taken_back(connection, |connection| {
        change(connection)?;
        let after = tables(connection)?;
        let mut rows = BTreeMap::new();
        for table in after.keys().filter(|table| before.contains_key(*table)) {
            rows.insert(table.clone(), count(connection, table, "*")?);
        }
        Ok((after, rows))
    })?;
    let mut losses = Vec::new();
    for (table, columns) in before {
        let gone = rows.get(&table).copied().unwrap_or(0) - rows_after.get(&table).copied().unwrap_or(0);
        if gone > 0 {
            losses.push(Loss { what: table.clone(), count: gone });
        }
        if let Some(kept) = after.get(&table) {
            for column in columns.difference(kept) {
                let values = count(connection, &table, &quoted(column))?;
                if values > 0 {
                    losses.push(Loss { what: format!("{table}.{column}"), count: values });
                }
            }
        }
    }
    Ok(losses)
}

/// What `work` gives, once all that it did has been undone.
fn taken_back<T>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut result = None;
    let undone: Result<(), diesel::result::Error> = connection.transaction(|connection| {
        result = Some(work(connection));
        Err(diesel::result::Error::RollbackTransaction)
    });
    match (result, undone) {
        (Some(result), Err(diesel::result::Error::RollbackTransaction)) => result,
        (_, Err(error)) => Err(error.into()),
        (_, Ok(())) => Err(StoreError::Migration("what was tried cannot be taken back".to_owned())),
    }
}

fn tables(connection: &mut AnyConnection) -> Result<Tables, StoreError> {
    const SQLITE: &str = "SELECT m.name AS table_name, c.name AS column_name \
                          FROM sqlite_schema m, pragma_table_info(m.name) c \
                          WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '%migrations'";
    const POSTGRES: &str = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                            WHERE table_schema = current_schema() AND table_name NOT LIKE '%migrations'";
    let columns: Vec<Column> = match connection {
        AnyConnection::Sqlite(inner) => diesel::sql_query(SQLITE).load(inner),
        AnyConnection::Postgres(inner) => diesel::sql_query(POSTGRES).load(inner),
    }?;
    let mut tables = Tables::new();
    for Column { table_name, column_name } in columns {
        tables.entry(table_name).or_default().insert(column_name);
    }
    Ok(tables)
}

fn count(connection: &mut AnyConnection, table: &str, what: &str) -> Result<i64, StoreError> {
    let query = format!("SELECT count({what}) AS count FROM {}", quoted(table));
    let counted: Count =
        each_backend!(connection, |inner| diesel::sql_query(query).get_result::<Count>(inner))?;
    Ok(counted.count)
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
