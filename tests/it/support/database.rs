//! A database of its own for each test, on either backend, judged and gone when the test ends.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl};
use tempfile::TempDir;
use waas_comuni::config;
use waas_comuni::store::{AnyConnection, Store};

use super::watch;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// An empty database.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// The folder of a SQLite file.
    folder: Option<TempDir>,
    /// A PostgreSQL server's superuser URL, and the name of the database made there.
    server: Option<(String, String)>,
}

impl TestDatabase {
    pub(crate) fn new(backend: Backend) -> Self {
        watch::start();
        match backend {
            Backend::Sqlite => {
                let folder = TempDir::new().unwrap();
                let url = format!("sqlite://{}/waas-comuni.db", folder.path().to_str().unwrap());
                Self { url, folder: Some(folder), server: None }
            }
            Backend::Postgres => {
                let server = std::env::var("WAAS_TEST_POSTGRES").expect(
                    "WAAS_TEST_POSTGRES names no server: run the tests with `make test`, or under \
                     scripts/with-postgres.sh",
                );
                Self::on(&server)
            }
        }
    }

    /// An empty database on the PostgreSQL server with this superuser's URL.
    pub(crate) fn on(server: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::establish(server).unwrap();
        connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Self { url: url.into(), folder: None, server: Some((server.to_owned(), name)) }
    }

    /// Cuts every connection to a PostgreSQL database and takes no more, or takes them again.
    pub(crate) fn forbid_connections(&self, forbidden: bool) {
        let (server, name) = self.server.as_ref().expect("a database on a server");
        let mut connection = PgConnection::establish(server).unwrap();
        connection
            .batch_execute(&format!(
                "ALTER DATABASE {name} ALLOW_CONNECTIONS {}; SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE {forbidden} AND datname = '{name}'",
                !forbidden
            ))
            .unwrap();
    }

    /// Changes the log as its owner can and nobody else: without the triggers that guard it.
    pub(crate) fn tamper(&self, sql: &str) {
        let store = self.store();
        store
            .write(|connection| {
                let triggers = match connection {
                    AnyConnection::Sqlite(inner) => diesel::sql_query(
                        "SELECT group_concat('DROP TRIGGER ' || name, ';') AS sql FROM sqlite_schema \
                         WHERE type = 'trigger'",
                    )
                    .get_result::<Statements>(inner)?,
                    AnyConnection::Postgres(inner) => diesel::sql_query(
                        "SELECT string_agg('DROP TRIGGER ' || tgname || ' ON ' || tgrelid::regclass, ';') AS sql \
                         FROM pg_trigger WHERE NOT tgisinternal",
                    )
                    .get_result::<Statements>(inner)?,
                };
                if let Some(drop) = triggers.sql {
                    connection.batch_execute(&drop)?;
                }
                Ok(connection.batch_execute(sql)?)
            })
            .unwrap();
    }

    pub(crate) fn settings(&self) -> config::Database {
        config::Database { url: self.url.clone().into(), ..config::Database::default() }
    }

    /// Its tables made, ready for use. Each call gives connections of its own, as another instance would have.
    pub(crate) fn store(&self) -> Store {
        let store = Store::open(&self.settings()).unwrap();
        store.migrate().unwrap();
        store
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            if let Ok(store) = Store::open(&self.settings()) {
                super::published::assert_accepted(&store);
            }
            watch::assert_nothing_leaked();
        }
        drop(self.folder.take());
        if let Some((server, name)) = &self.server
            && let Ok(mut connection) = PgConnection::establish(server)
        {
            // A database that stays behind goes with its cluster: failing here would hide the test's own failure.
            let _ = connection.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Statements {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::Text>)]
    sql: Option<String>,
}

/// Makes two tests of one body, `NAME::sqlite` and `NAME::postgres`, each with a [`TestDatabase`] of its own.
macro_rules! on_both_databases {
    ($(fn $name:ident($database:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn body($database: &$crate::support::database::TestDatabase) $body

            #[test]
            fn sqlite() {
                use $crate::support::database::{Backend, TestDatabase};
                body(&TestDatabase::new(Backend::Sqlite));
            }

            #[test]
            fn postgres() {
                use $crate::support::database::{Backend, TestDatabase};
                body(&TestDatabase::new(Backend::Postgres));
            }
        }
    )+};
}
pub(crate) use on_both_databases;
