//! The roles of `config/postgres-roles.sql`: the service works as one that cannot change the log.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use serde_json::json;
use waas_comuni::call_log::action::{self, Action, Actor, Kind, Way};
use waas_comuni::call_log::prune::{Pruning, prune};
use waas_comuni::clock::Clock;
use waas_comuni::config::{self, CallLog};
use waas_comuni::store::Store;

use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;

/// Roles of one server are seen by all its databases: each test has its own.
struct Roles {
    server: PgConnection,
    suffix: String,
}

impl Roles {
    fn make(database: &TestDatabase) -> Self {
        database.store();
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let mut server = PgConnection::establish(&database.url).unwrap();
        let script = std::fs::read_to_string("config/postgres-roles.sql").unwrap();
        let script = ["waas_service", "waas_auditor"]
            .iter()
            .fold(script, |script, role| script.replace(role, &format!("{role}_{suffix}")));
        for _ in 0..2 {
            server.batch_execute(&script).unwrap();
        }
        Self { server, suffix }
    }

    fn url(&self, database: &TestDatabase, role: &str) -> String {
        let mut url = url::Url::parse(&database.url).unwrap();
        url.set_username(&format!("{role}_{}", self.suffix)).unwrap();
        url.into()
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for role in ["waas_service", "waas_auditor"] {
            let name = format!("{role}_{}", self.suffix);
            // A role that stays behind goes with its cluster.
            let _ = self.server.batch_execute(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}"));
        }
    }
}

#[test]
fn the_service_works_as_a_role_that_cannot_change_the_log() {
    let database = TestDatabase::new(Backend::Postgres);
    let roles = Roles::make(&database);
    let url = roles.url(&database, "waas_service");
    let app = App::start_with(&database, |config| config.database.url = url.clone().into());
    app.publish(&[mensa("2025/1", 8000)]);
    let flussi = app.get("/flussi?since=0").flussi();
    let esito = json!({ "elenco_esiti": [{
        "id_flusso": flussi[0]["id_flusso"], "tipo": "PS_PSA_SINA", "ts_flusso": flussi[0]["ts_flusso"],
        "ts_acquisizione": "2026-01-05T10:00:00Z", "codice_esito": "OK",
    }] });
    assert_eq!(app.post_esiti(&esito.to_string()).status, 204);
    assert!(app.log().len() >= 2);
    drop(app);

    let mut service = PgConnection::establish(&url).unwrap();
    for attempt in [
        "UPDATE call_entry SET status = 500",
        "DELETE FROM call_entry",
        "TRUNCATE call_entry",
        "DELETE FROM call_checkpoint",
        "UPDATE call_checkpoint SET note = ''",
        "DELETE FROM call_removed",
        "DELETE FROM call_log_head",
        "ALTER TABLE call_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER call_entry_removed ON call_entry",
        "DROP TABLE call_entry",
        "DELETE FROM __diesel_schema_migrations",
        "CREATE TABLE mine (id INTEGER)",
        // A table of its own cannot stand in for the hashes that are kept.
        "CREATE TEMPORARY TABLE call_removed AS SELECT log_id, entry_index AS first_index, leaf_hash AS hashes \
         FROM public.call_entry; SELECT call_log_remove(0, 1000), call_log_remove(1, 1000)",
    ] {
        assert!(service.batch_execute(attempt).is_err(), "{attempt}");
    }
    let mut auditor = PgConnection::establish(&roles.url(&database, "waas_auditor")).unwrap();
    auditor.batch_execute("SELECT * FROM call_entry").unwrap();
    for attempt in [
        "SELECT * FROM prestazione",
        "SELECT * FROM flusso",
        "DELETE FROM call_entry",
        "SELECT call_log_remove(1, 1)",
    ] {
        assert!(auditor.batch_execute(attempt).is_err(), "{attempt}");
    }
}

#[test]
fn each_role_can_give_the_commands_that_are_for_it() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start(&database);
    assert_eq!(app.get("/flussi?since=0").status, 200);
    drop(app);
    let roles = Roles::make(&database);
    let place = Place::new(&database);
    let run = |role: &str, command: &[&str]| {
        let output =
            place.command(command).env("WAAS__DATABASE__URL", roles.url(&database, role)).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let searched = run("waas_auditor", &["calls", "search"]);
    assert_eq!(searched.0, Some(0), "{searched:?}");
    let verified = run("waas_auditor", &["calls", "verify"]);
    assert_eq!(verified.0, Some(0), "{verified:?}");
    assert_eq!(run("waas_auditor", &["benefits", "show", "--protocollo", "1"]).0, Some(1));
    let copied = run("waas_service", &["db", "backup", "--to", "copy"]);
    assert_eq!(copied.0, Some(0), "{copied:?}");

    // What a later version of the tables needs is the owner's to do, and whoever is not is told so.
    let newest = database.store().schema_state().unwrap().applied.pop().unwrap();
    database.store().migrate_to("0001", true).unwrap();
    for command in [&["serve"][..], &["db", "migrate"]] {
        let (code, said) = run("waas_service", command);
        assert_eq!(code, Some(1), "{command:?}: {said}");
        assert!(said.contains(&newest) && said.contains("the owner"), "{said}");
    }
    assert_ne!(run("waas_service", &["doctor"]).0, Some(0));
    let owner = place.run(&["db", "migrate"]);
    assert_eq!(owner.code, 0, "{owner:?}");
}

#[test]
fn old_entries_are_removed_by_a_role_that_may_not_delete() {
    let database = TestDatabase::new(Backend::Postgres);
    let roles = Roles::make(&database);
    let url = roles.url(&database, "waas_service");
    let store = Store::open(&config::Database { url: url.into(), ..config::Database::default() }).unwrap();
    assert!(store.migrate().unwrap().is_empty());
    let actor = Actor { user: "anna".to_owned(), way: Way::Cli, client_ip: None };
    let long_ago = Clock::Manual(std::sync::Arc::new(1_600_000_000_000.into()));
    let old = (0..700).map(|_| Action::new(&actor, Kind::UserAdded));
    action::record(&store, &long_ago, old).unwrap();
    action::record(&store, &Clock::System, [Action::new(&actor, Kind::UserAdded)]).unwrap();
    let pruning = Pruning::new(&CallLog::default(), Clock::System.now());
    let pruned = prune(&store, &Clock::System, &actor, pruning, &|| false).unwrap();
    assert_eq!(pruned.iter().map(|log| log.entries).sum::<u64>(), 700);
}
