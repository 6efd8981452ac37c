//! The database as a whole, from the command line: its tables' versions.

use diesel::connection::SimpleConnection;
use serde_json::Value;

use crate::support::app::App;
use crate::support::command::{Done, Place};
use crate::support::database::on_both_databases;
use crate::support::records::mensa;

fn json(done: &Done) -> Value {
    assert_eq!(done.code, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

on_both_databases! {
    fn processes_that_start_at_once_migrate_once(database) {
        let place = Place::new(database);
        let started: Vec<_> = (0..6)
            .map(|_| {
                let mut command = place.command(&["db", "migrate", "--json"]);
                command.stdout(std::process::Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let mut run = Vec::new();
        for child in started {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            run.push(said["applied"].as_array().unwrap().len());
        }
        run.sort_unstable();
        assert_eq!(run[..5], [0; 5], "{run:?}");
        let status = json(&place.run(&["db", "status", "--json"]));
        assert_eq!(status["schema"]["applied"].as_array().unwrap().len(), run[5]);
        assert_eq!(status["schema"]["pending"], serde_json::json!([]));
    }

    fn going_back_says_what_it_would_lose_and_asks(database) {
        let place = Place::new(database);
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), mensa("2025/2", 8000)]);
        app.get("/flussi?since=0").flussi();
        drop(app);
        assert_eq!(place.run(&["apikey", "add", "mensa"]).code, 0);
        // How much room the database takes is its own affair, and changes while it tidies up.
        let status = || {
            let status = json(&place.run(&["db", "status", "--json"]));
            (status["schema"].clone(), status["contents"].clone())
        };
        let before = json(&place.run(&["db", "status", "--json"]));
        let refused = place.run(&["db", "migrate", "--to", "0004"]);
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("api_key (1 rows)"), "{refused:?}");
        assert!(refused.stderr.contains("--accept-loss"), "{refused:?}");
        assert!(!refused.stderr.contains("flusso ("), "what stays is not among it: {refused:?}");
        assert_eq!(status(), (before["schema"].clone(), before["contents"].clone()), "nothing was done");
        assert_eq!(place.run(&["db", "migrate", "--to", "0004", "--accept-loss"]).code, 0);
        let back = json(&place.run(&["db", "status", "--json"]));
        assert_eq!(back["schema"]["applied"], serde_json::json!(["0001", "0002", "0003", "0004"]));
        assert_eq!(back["contents"], before["contents"], "what stays is whole");
        assert_eq!(place.run(&["db", "migrate"]).code, 0);
        assert_eq!(json(&place.run(&["db", "status", "--json"]))["schema"], before["schema"]);
        assert_eq!(place.run(&["apikey", "list"]).stdout, "");
        let contents = &before["contents"]["eservices"][0];
        assert_eq!((&contents["name"], &contents["flows"], &contents["benefits"], &contents["calls"]),
                   (&"prova".into(), &2.into(), &2.into(), &2.into()));
        let unknown = place.run(&["db", "migrate", "--to", "7"]);
        assert_eq!(unknown.code, 2);
        assert!(unknown.stderr.contains("0001, 0002"), "{unknown:?}");
    }

    fn tables_of_a_newer_version_are_left_alone(database) {
        let place = Place::new(database);
        let store = database.store();
        let newest = store.schema_state().unwrap().applied.pop().unwrap();
        store
            .write(|connection| {
                let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')";
                Ok(connection.batch_execute(newer)?)
            })
            .unwrap();
        for command in [["db", "migrate"].as_slice(), &["db", "status"], &["serve"], &["benefits", "show", "--id", "1"]] {
            let refused = place.run(command);
            assert_eq!(refused.code, 4, "{refused:?}");
            assert!(refused.stderr.contains("9999") && refused.stderr.contains("newer version"), "{refused:?}");
            assert!(refused.stderr.contains(&format!("db migrate --to {newest}")), "{refused:?}");
        }
    }
}

/// Commands that work on what others left.
const LOOKING: &[&str] =
    &["calls search", "calls verify", "benefits refused", "benefits show --id 1", "user list", "apikey list"];

#[test]
fn looking_makes_no_database() {
    let database = crate::support::database::TestDatabase::new(crate::support::database::Backend::Sqlite);
    let place = Place::new(&database);
    for command in LOOKING.iter().chain(&["db status", "db backup --to copy.db"]) {
        let done = place.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 1, "{command}: {done:?}");
        assert!(done.stderr.contains("there is no database"), "{command}: {done:?}");
    }
    assert!(!std::path::Path::new(database.url.strip_prefix("sqlite://").unwrap()).exists());
}

/// An older version of the service may be at work on them.
#[test]
fn looking_leaves_the_tables_as_they_are() {
    let database = crate::support::database::TestDatabase::new(crate::support::database::Backend::Sqlite);
    let place = Place::new(&database);
    assert_eq!(place.run(&["db", "migrate", "--to", "0012"]).code, 0);
    for command in LOOKING {
        let done = place.run(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(done.code, 1, "{command}: {done:?}");
        assert!(done.stderr.contains("db migrate"), "{command}: {done:?}");
    }
    let status = place.run(&["db", "status"]);
    assert!(status.stdout.contains("missing: 0013"), "{status:?}");
}
