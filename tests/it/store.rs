//! The store: its tables, its migrations, and what it says when it cannot be used.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::deserialize::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};
use waas_comuni::config::check::{Severity, check};
use waas_comuni::store::jwks::{self, CachedJwks};
use waas_comuni::store::{AnyConnection, Moved, SchemaState, Store, StoreError};

use crate::support::database::{Backend, TestDatabase, on_both_databases};

#[derive(QueryableByName, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Column {
    #[diesel(sql_type = Text)]
    pub(crate) table_name: String,
    #[diesel(sql_type = Text)]
    pub(crate) columns: String,
    #[diesel(sql_type = Text)]
    pub(crate) kind: String,
}

/// Every column, with whether it may be null and its kind: integer, text or bytes.
pub(crate) fn columns(store: &Store) -> BTreeSet<Column> {
    const SQLITE: &str = "
        SELECT m.name AS table_name, c.name AS columns,
               CASE c.type WHEN 'INTEGER' THEN 'integer' WHEN 'TEXT' THEN 'text' WHEN 'BLOB' THEN 'bytes'
                           ELSE c.type END
               || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN '' ELSE ' or null' END AS kind
        FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE '%migrations' AND m.name NOT LIKE 'sqlite%'";
    const POSTGRES: &str = "
        SELECT table_name::text, column_name::text AS columns,
               CASE data_type WHEN 'bigint' THEN 'integer' WHEN 'integer' THEN 'integer'
                              WHEN 'smallint' THEN 'integer' WHEN 'text' THEN 'text' WHEN 'bytea' THEN 'bytes'
                              ELSE data_type END
               || CASE is_nullable WHEN 'NO' THEN '' ELSE ' or null' END AS kind
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE '%migrations'";
    store.read(|connection| Ok(load(connection, SQLITE, POSTGRES))).unwrap()
}

/// Every index, with its columns, unique or not.
fn indexes(store: &Store) -> BTreeSet<Column> {
    const SQLITE: &str = "
        SELECT m.name AS table_name, group_concat(c.name, ',') AS columns,
               CASE l.\"unique\" WHEN 1 THEN 'unique' ELSE 'plain' END AS kind
        FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE '%migrations'
        GROUP BY m.name, l.name, l.\"unique\"";
    const POSTGRES: &str = "
        SELECT t.relname::text AS table_name, string_agg(a.attname, ',' ORDER BY k.n) AS columns,
               CASE WHEN i.indisunique THEN 'unique' ELSE 'plain' END AS kind
        FROM pg_index i
        JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace
        JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, n) ON true
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
        WHERE t.relname NOT LIKE '%migrations'
        GROUP BY t.relname, i.indexrelid, i.indisunique";
    store.read(|connection| Ok(load(connection, SQLITE, POSTGRES))).unwrap()
}

fn load(connection: &mut AnyConnection, sqlite: &str, postgres: &str) -> BTreeSet<Column> {
    match connection {
        AnyConnection::Sqlite(inner) => diesel::sql_query(sqlite).load(inner),
        AnyConnection::Postgres(inner) => diesel::sql_query(postgres).load(inner),
    }
    .unwrap()
    .into_iter()
    .collect()
}

#[test]
fn both_sets_of_migrations_give_the_same_tables() {
    let sqlite = TestDatabase::new(Backend::Sqlite);
    let postgres = TestDatabase::new(Backend::Postgres);
    let (sqlite, postgres) = (sqlite.store(), postgres.store());
    assert!(columns(&sqlite).len() > 50);
    assert_eq!(columns(&sqlite), columns(&postgres));
    // SQLite has no index for a key that is the row's own number.
    let single_id = |column: &Column| column.columns != "id";
    let of = |store| indexes(store).into_iter().filter(single_id).collect::<BTreeSet<_>>();
    assert_eq!(of(&sqlite), of(&postgres));
}

on_both_databases! {
    fn migrations_go_up_and_down_one_by_one(database) {
        let store = Store::open(&database.settings()).unwrap();
        let versions = store.schema_state().unwrap().pending;
        let mut before = "0000";
        for version in &versions {
            let (tables, indices) = (columns(&store), indexes(&store));
            let there = Moved { applied: vec![version.clone()], ..Moved::default() };
            let back = Moved { reverted: vec![version.clone()], ..Moved::default() };
            assert_eq!(store.migrate_to(version, false).unwrap(), there);
            // There is something to lose: the log of the calls outside any e-service is made with the tables.
            assert_eq!(store.migrate_to(before, true).unwrap(), back);
            assert_eq!((columns(&store), indexes(&store)), (tables, indices), "{version} leaves no trace");
            assert_eq!(store.migrate_to(version, false).unwrap(), there);
            before = version;
        }
        assert_eq!(store.schema_state().unwrap(), SchemaState { applied: versions.clone(), pending: vec![] });
        assert!(store.migrate().unwrap().is_empty());
        let tables = columns(&store);
        let back = store.migrate_to("0000", true).unwrap();
        assert_eq!(back.reverted, versions.iter().rev().cloned().collect::<Vec<_>>());
        assert!(columns(&store).is_empty());
        assert_eq!(store.migrate().unwrap(), versions);
        assert_eq!(columns(&store), tables);
        let unknown = store.migrate_to("0815", true).unwrap_err();
        assert!(matches!(unknown, StoreError::UnknownMigration { .. }), "{unknown}");
    }

    fn instances_that_start_at_once_migrate_once(database) {
        let stores: Vec<Store> = (0..4).map(|_| Store::open(&database.settings()).unwrap()).collect();
        let run: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                stores.iter().map(|store| scope.spawn(|| store.migrate().unwrap().len())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(run.iter().filter(|count| **count > 0).count(), 1, "{run:?}");
    }

    fn a_newer_schema_is_refused(database) {
        let store = database.store();
        store
            .write(|connection| {
                connection.batch_execute(
                    "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')",
                )?;
                Ok(())
            })
            .unwrap();
        for result in [store.migrate().err(), store.schema_state().err(), store.migrate_to("0000", true).err()] {
            assert!(matches!(result, Some(StoreError::NewerSchema { unknown, .. }) if unknown == "9999"));
        }
    }

    fn an_eservice_keeps_its_id(database) {
        let (one, other) = (database.store(), database.store());
        let produzione = one.register_eservice("produzione").unwrap();
        assert_eq!(other.register_eservice("produzione").unwrap(), produzione);
        assert_eq!(other.find_eservice("produzione").unwrap(), Some(produzione));
        assert_eq!(one.find_eservice("collaudo").unwrap(), None);
        assert_ne!(one.register_eservice("collaudo").unwrap(), produzione);
    }

    fn a_failed_write_leaves_nothing(database) {
        let store = database.store();
        let failed = store.write(|connection| {
            jwks::save(connection, "https://a", &CachedJwks { body: "{}".into(), fetched: jiff::Timestamp::UNIX_EPOCH })?;
            Err::<(), _>(StoreError::Unreadable("on purpose".into()))
        });
        assert!(matches!(failed, Err(StoreError::Unreadable(_))));
        assert_eq!(store.read(|connection| jwks::load(connection, "https://a")).unwrap(), None);
    }

    fn the_last_set_of_keys_is_kept(database) {
        let store = database.store();
        for (body, second) in [("{\"keys\":[]}", 1), ("{}", 2)] {
            let set = CachedJwks { body: body.into(), fetched: jiff::Timestamp::from_second(second).unwrap() };
            store.write(|connection| jwks::save(connection, "https://a", &set)).unwrap();
            assert_eq!(store.read(|connection| jwks::load(connection, "https://a")).unwrap(), Some(set));
        }
    }

    fn a_writer_that_waits_too_long_is_told_so(database) {
        let mut settings = database.settings();
        settings.timeout_seconds = 1;
        let (store, other) = (database.store(), Store::open(&settings).unwrap());
        let eservice = "UPDATE eservice SET last_ts = last_ts + 1";
        store.register_eservice("produzione").unwrap();
        store
            .write(|connection| {
                connection.batch_execute(eservice)?;
                let began = Instant::now();
                let refused = other.write(|waiting| Ok(waiting.batch_execute(eservice)?));
                assert!(refused.unwrap_err().is_unavailable());
                assert!(began.elapsed() < Duration::from_secs(4));
                Ok(())
            })
            .unwrap();
        other.write(|connection| Ok(connection.batch_execute(eservice)?)).unwrap();
    }
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    // A port that was free a moment ago and on which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = waas_comuni::config::Database {
        url: format!("postgres://nobody@127.0.0.1:{port}/nothing").into(),
        timeout_seconds: 1,
        ..Default::default()
    };
    let store = Store::open(&settings).unwrap();
    let began = Instant::now();
    assert!(store.find_eservice("produzione").unwrap_err().is_unavailable());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(store.read_async(|_| Ok(())));
    assert!(answer.unwrap_err().is_unavailable());
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_unknown_kind_of_url_is_refused_without_repeating_it() {
    for url in ["mysql://root:secret@db/x", "sqlite://", "waas.db", ""] {
        let settings = waas_comuni::config::Database { url: url.into(), ..Default::default() };
        let error = Store::open(&settings).unwrap_err();
        assert!(matches!(error, StoreError::Url));
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn an_address_whose_parts_cannot_be_told_apart_is_not_repeated() {
    for (user, is_readable) in [
        ("waas:sec%40ret", true),
        ("waas:sec%ret", false),
        ("waas:secret%4", false),
        ("waas:sec@ret", false),
        ("waas:sec/ret", false),
        ("waas:sec?ret", false),
        ("waas:p@sec/ret", false),
        ("waas:5/secret", false),
        ("waas:5?secret", false),
    ] {
        let url = format!("postgres://{user}@127.0.0.1:1,[::1]:1/waas?connect_timeout=2");
        let mut config = waas_comuni::config::Config::default();
        config.database.url = url.clone().into();
        config.database.timeout_seconds = 1;
        config.database.replica_url = Some(url.into());
        let found = |key: &str| {
            check(&config).iter().any(|finding| finding.key == key && finding.severity == Severity::Wrong)
        };
        assert_eq!(
            (found("database.url"), found("database.replica_url")),
            (!is_readable, !is_readable),
            "{user}"
        );
        config.database.replica_url = None;
        let error =
            Store::open(&config.database).and_then(|store| store.find_eservice("x").map(drop)).unwrap_err();
        assert_eq!(error.is_unavailable(), is_readable, "{user}: {error}");
        assert!(!error.to_string().contains("sec") && !error.to_string().contains("ret"), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn a_sqlite_file_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/waas-comuni.db");
    let url = format!("sqlite://{}", path.to_str().unwrap());
    let store =
        Store::open(&waas_comuni::config::Database { url: url.into(), ..Default::default() }).unwrap();
    store.migrate().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
}

#[derive(QueryableByName)]
struct Log {
    #[diesel(sql_type = Integer)]
    log: i32,
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// Pages of SQLite's write-ahead log, and those of them that were copied back.
fn log(store: &Store) -> (i32, i32) {
    let log = store.read(|connection| {
        let AnyConnection::Sqlite(inner) = connection else { unreachable!() };
        let Log { log, checkpointed } = diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(inner)?;
        Ok((log, checkpointed))
    });
    log.unwrap()
}

#[test]
fn no_commit_of_a_service_copies_what_a_thread_can_and_the_log_stays_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waas-comuni.db");
    let url = format!("sqlite://{}", path.to_str().unwrap());
    let settings = waas_comuni::config::Database { url: url.into(), ..Default::default() };
    let store = Store::open_to_serve(&settings).unwrap();
    let write = |statement: &str| {
        let written = store.write(|connection| {
            let AnyConnection::Sqlite(inner) = connection else { unreachable!() };
            Ok(inner.batch_execute(statement)?)
        });
        written.unwrap();
    };
    write("CREATE TABLE content (bytes BLOB)");
    let megabytes = |count: usize| {
        for _ in 0..count {
            write("INSERT INTO content VALUES (randomblob(1000000))");
        }
    };
    megabytes(20);
    // A commit would begin to copy at 64 MiB.
    let began = Instant::now();
    loop {
        let (log, copied) = log(&store);
        assert!(log < 16384);
        if copied > 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "nobody copies the log");
        std::thread::yield_now();
    }
    megabytes(120);
    let length = std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    assert!(length < 80 << 20, "{length} bytes of log");
}
