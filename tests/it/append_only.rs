//! The tables of the log take no change: neither by mistake, nor from whoever may use them without owning them.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use waas_comuni::call_log::action::{self, Action, Actor, Kind, Way};
use waas_comuni::clock::Clock;
use waas_comuni::store::{AnyConnection, Store, StoreError};

use crate::support::database::{TestDatabase, on_both_databases};

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

/// The columns of an entry.
fn columns(store: &Store) -> Vec<String> {
    const SQLITE: &str = "SELECT name FROM pragma_table_info('call_entry')";
    const POSTGRES: &str = "SELECT column_name::text AS name FROM information_schema.columns \
                            WHERE table_schema = 'public' AND table_name = 'call_entry'";
    let names: Vec<Name> = store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => diesel::sql_query(SQLITE).load(inner)?,
                AnyConnection::Postgres(inner) => diesel::sql_query(POSTGRES).load(inner)?,
            })
        })
        .unwrap();
    names.into_iter().map(|column| column.name).collect()
}

fn execute(store: &Store, sql: &str) -> Result<(), StoreError> {
    store.write(|connection| Ok(connection.batch_execute(sql)?))
}

/// A log with one entry, of an hour ago, and one of long ago.
fn log(database: &TestDatabase) -> Store {
    let store = database.store();
    let actor = Actor { user: "anna".to_owned(), way: Way::Cli, client_ip: None };
    let long_ago = Clock::Manual(std::sync::Arc::new(1_600_000_000_000.into()));
    let hour_ago = Clock::Manual(std::sync::Arc::new((Clock::System.now_ms() - 3_600_000).into()));
    for clock in [long_ago, hour_ago] {
        action::record(&store, &clock, [Action::new(&actor, Kind::UserAdded)]).unwrap();
    }
    store
}

on_both_databases! {
    fn an_entry_can_be_neither_changed_nor_removed(database) {
        let store = log(database);
        let columns = columns(&store);
        assert!(columns.len() >= 31);
        let mut attempts: Vec<String> =
            columns.iter().map(|name| format!("UPDATE call_entry SET {name} = NULL")).collect();
        attempts.extend(columns.iter().map(|name| format!("UPDATE call_entry SET {name} = {name}")));
        attempts.extend(
            [
                "UPDATE call_entry SET instant_ms = instant_ms + 1",
                "DELETE FROM call_entry",
                "DELETE FROM call_entry WHERE entry_index = 0",
                "DELETE FROM call_log_head",
                "UPDATE call_log_head SET size = size - 1",
                "UPDATE call_log_head SET hashed = 0",
                "UPDATE call_log_head SET log_id = log_id + 1",
                "INSERT INTO call_entry SELECT * FROM call_entry",
            ]
            .map(str::to_owned),
        );
        if database.url.starts_with("sqlite") {
            attempts.push("INSERT OR REPLACE INTO call_entry SELECT * FROM call_entry".to_owned());
        } else {
            let tables = ["call_entry", "call_log_head", "call_removed", "call_checkpoint"];
            attempts.extend(tables.map(|table| format!("TRUNCATE {table}")));
        }
        for attempt in attempts {
            assert!(execute(&store, &attempt).is_err(), "{attempt}");
        }
        // Whoever owns the database can take the guards away: that is found by verifying, not prevented.
        database.tamper("UPDATE call_entry SET status = 500");
    }

    fn what_was_kept_or_signed_stays(database) {
        let store = log(database);
        execute(&store, "INSERT INTO call_checkpoint (log_id, size, instant_ms, note) VALUES (0, 1, 5, 'note')").unwrap();
        execute(&store, "INSERT INTO call_removed SELECT 7, 0, leaf_hash FROM call_entry WHERE entry_index = 0").unwrap();
        let mut attempts = vec![
            "UPDATE call_checkpoint SET note = 'other'",
            "DELETE FROM call_checkpoint",
            "UPDATE call_removed SET first_index = 1",
            "DELETE FROM call_removed",
        ];
        if database.url.starts_with("sqlite") {
            attempts.extend([
                "INSERT OR REPLACE INTO call_checkpoint (log_id, size, instant_ms, note) VALUES (0, 1, 5, 'other')",
                "INSERT OR REPLACE INTO call_removed SELECT 7, 0, leaf_hash FROM call_entry WHERE entry_index = 1",
            ]);
        }
        for attempt in attempts {
            assert!(execute(&store, attempt).is_err(), "{attempt}");
        }
    }

    fn an_old_entry_whose_hash_is_kept_may_go(database) {
        let store = log(database);
        let keep = |index: i64, from: i64| {
            format!("INSERT INTO call_removed SELECT 0, {index}, leaf_hash FROM call_entry WHERE entry_index = {from}")
        };
        let remove = |index: i64| format!("DELETE FROM call_entry WHERE entry_index = {index}");
        assert!(execute(&store, &remove(0)).is_err(), "its hash is not kept");
        execute(&store, &keep(0, 0)).unwrap();
        execute(&store, &remove(0)).unwrap();
        execute(&store, &keep(1, 1)).unwrap();
        assert!(execute(&store, &remove(1)).is_err(), "it is younger than a day");
    }

    fn another_hash_than_its_own_does_not_let_an_entry_go(database) {
        let store = log(database);
        execute(&store, "INSERT INTO call_removed SELECT 0, 0, leaf_hash FROM call_entry WHERE entry_index = 1").unwrap();
        assert!(execute(&store, "DELETE FROM call_entry WHERE entry_index = 0").is_err());
    }
}
