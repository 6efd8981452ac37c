//! Copies of the database, bringing them back, and what becomes of the feed.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};
use waas_comuni::clock::Clock;

use crate::support::app::App;
use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

fn json_of(done: &Done) -> Value {
    assert_eq!(done.code, 0, "{done:?}");
    serde_json::from_str(&done.stdout).unwrap()
}

fn publish(app: &App, first: u32, count: u32) {
    let records: Vec<_> =
        (first..first + count).map(|number| mensa(&format!("2026/{number}"), 8000)).collect();
    app.publish(&records);
}

/// A client that follows its cursor.
#[derive(Default)]
struct Client {
    cursor: i64,
    seen: Vec<(i64, String, String)>,
}

impl Client {
    /// Pulls at most `pages` pages of `limit` flows.
    fn pull(&mut self, app: &App, limit: u32, pages: u32) {
        for _ in 0..pages {
            let page = app.get(&format!("/flussi?since={}&limit={limit}", self.cursor)).flussi();
            if page.is_empty() {
                break;
            }
            for flusso in page {
                let ts: jiff::Timestamp = flusso["ts_flusso"].as_str().unwrap().parse().unwrap();
                let text = |name: &str| flusso[name].as_str().unwrap().to_owned();
                assert!(ts.as_millisecond() > self.cursor, "timestamps only increase");
                self.cursor = ts.as_millisecond();
                self.seen.push((self.cursor, text("id_flusso"), text("flusso")));
            }
        }
    }
}

/// The flows of the feed, from the database.
fn feed(app: &App) -> Vec<i64> {
    app.registry.page(app.eservice, 0, 100_000).unwrap().iter().map(|flusso| flusso.ts_ms).collect()
}

fn esito(ts: i64, name: &str) -> Value {
    let instant = jiff::Timestamp::from_millisecond(ts).unwrap();
    json!({
        "id_flusso": name, "ts_flusso": format!("{instant:.3}"), "ts_acquisizione": format!("{instant:.3}"),
        "tipo": "PS_PSA_SINA", "codice_esito": "OK"
    })
}

fn files(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// An empty database of the same kind, and a place whose configuration names it.
fn elsewhere(database: &TestDatabase) -> (TestDatabase, Place) {
    let backend = if database.url.starts_with("sqlite") { Backend::Sqlite } else { Backend::Postgres };
    let empty = TestDatabase::new(backend);
    let place = Place::new(&empty);
    (empty, place)
}

on_both_databases! {
    fn a_backup_is_made_while_serving_and_brought_back_elsewhere(database) {
        let place = Place::new(database);
        let app = App::start(database);
        publish(&app, 1, 5);
        app.get("/flussi?since=0").flussi();
        let made = json_of(&place.run(&["db", "backup", "--to", "waas.backup", "--json"]));
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 5, "it goes on serving");
        publish(&app, 6, 1);
        let manifest: Value =
            serde_json::from_str(&std::fs::read_to_string(place.path().join("waas.backup.json")).unwrap()).unwrap();
        assert_eq!(manifest, made);
        let contents = &manifest["contents"]["eservices"][0];
        assert_eq!((&contents["flows"], &contents["calls"]), (&json!(5), &json!(1)));
        for name in ["waas.backup", "waas.backup.json"] {
            let permissions = std::fs::metadata(place.path().join(name)).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, 0o600, "{name}");
        }
        assert_eq!(files(place.path()), ["keys", "waas-comuni.toml", "waas.backup", "waas.backup.json"]
            .map(str::to_owned).into());
        let again = place.run(&["db", "backup", "--to", "waas.backup"]);
        assert_eq!(again.code, 1);
        assert!(again.stderr.contains("never written over another"), "{again:?}");

        let (empty, there) = elsewhere(database);
        let from = place.path().join("waas.backup").to_str().unwrap().to_owned();
        let restored = json_of(&there.run(&["db", "restore", &from, "--json"]));
        assert_eq!(restored["manifest"], manifest);
        let gap = &restored["feeds"][0]["gap"];
        assert_eq!(gap["after_ts"], contents["last_ts"]);
        let status = json_of(&there.run(&["db", "status", "--json"]));
        assert_eq!(status["contents"]["eservices"][0]["last_ts"], gap["until_ts"]);
        assert_eq!(status["contents"]["eservices"][0]["flows"], 5);
        assert_eq!(status["gaps"][0]["gap"], *gap);
        let doctor = there.run(&["doctor"]).stdout;
        assert!(doctor.contains("may be missing"), "{doctor}");
        let copy = App::start(&empty);
        let original: Vec<_> = app.get("/flussi?since=0").flussi().into_iter().take(5).collect();
        assert_eq!(copy.get("/flussi?since=0").flussi(), original, "the same flows, byte by byte");

        let full = there.run(&["db", "restore", &from]);
        assert_eq!(full.code, 1);
        assert!(full.stderr.contains("not empty"), "{full:?}");
    }

    fn a_backup_that_is_not_what_was_written_is_refused(database) {
        let place = Place::new(database);
        let app = App::start(database);
        publish(&app, 1, 3);
        drop(app);
        json_of(&place.run(&["db", "backup", "--to", "good", "--json"]));
        let backup = std::fs::read(place.path().join("good")).unwrap();
        let manifest = std::fs::read_to_string(place.path().join("good.json")).unwrap();
        let (empty, there) = elsewhere(database);
        let mut flipped = backup.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let newer = manifest.replace("\"0001\"", "\"9999\"");
        let other = if manifest.contains("\"sqlite\"") {
            manifest.replace("\"sqlite\"", "\"postgresql\"")
        } else {
            manifest.replace("\"postgresql\"", "\"sqlite\"")
        };
        let fewer = manifest.replace("\"flows\": 3", "\"flows\": 4");
        for (what, bytes, manifest, code, said) in [
            ("flipped", &flipped, Some(&manifest), 1, "not a whole backup"),
            ("short", &backup[..backup.len() / 2].to_vec(), Some(&manifest), 1, "not a whole backup"),
            ("alone", &backup, None, 1, "alone.json"),
            ("newer", &backup, Some(&newer), 4, "newer version"),
            ("other", &backup, Some(&other), 1, "database.url is of"),
            ("prose", &backup, Some(&"{}".to_owned()), 1, "not a whole backup"),
        ] {
            let path = there.file(what, bytes);
            if let Some(manifest) = manifest {
                there.file(&format!("{what}.json"), manifest);
            }
            let refused = there.run(&["db", "restore", path.to_str().unwrap()]);
            assert_eq!(refused.code, code, "{what}: {refused:?}");
            assert!(refused.stderr.contains(said), "{what}: {refused:?}");
        }
        let path = there.file("fewer", &backup);
        there.file("fewer.json", fewer);
        let refused = there.run(&["db", "restore", path.to_str().unwrap()]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains("does not hold what its manifest says"), "{refused:?}");
        if let Some(file) = empty.settings().sqlite_file() {
            assert!(!file.exists(), "nothing is there under the name of the database");
            assert_eq!(files(file.parent().unwrap()), BTreeSet::new(), "nor beside it");
        }
    }

    fn the_feed_goes_on_above_what_is_known_from_elsewhere(database) {
        let place = Place::new(database);
        let app = App::start(database);
        publish(&app, 1, 2);
        json_of(&place.run(&["db", "backup", "--to", "old", "--json"]));
        let now = Clock::System.now_ms();
        let calls = [
            json!({"index": 7, "eservice": "prova", "status": 200, "since": 5, "last_ts": now + 600_000}).to_string(),
            json!({"index": 8, "eservice": "prova", "status": 403, "since": now + 900_000}).to_string(),
            "{\"eservice\":\"prova\",\"status\":200,\"since\":100000000000000000000,\"last_ts\":null}".to_owned(),
            json!({"index": 9, "eservice": null, "status": 404, "since": null, "last_ts": null}).to_string(),
        ]
        .join("\n");
        let from = place.path().join("old").to_str().unwrap().to_owned();
        let (_empty, there) = elsewhere(database);
        let future = (now + 7_200_000).to_string();
        let refused = there.run(&["db", "restore", &from, "--above", &future]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.stderr.contains("an hour in the future"), "{refused:?}");
        let (_other, there) = elsewhere(database);
        there.file("calls.jsonl", &calls);
        let restored = json_of(&there.run(&["db", "restore", &from, "--calls", "calls.jsonl", "--json"]));
        assert_eq!(restored["feeds"][0]["gap"]["until_ts"], now + 600_000);
        let above = jiff::Timestamp::from_millisecond(now + 700_000).unwrap().to_string();
        let raised = json_of(&there.run(&["db", "restore", "--above", &above, "--json"]));
        assert_eq!(raised["feeds"][0]["gap"]["after_ts"], now + 600_000);
        assert_eq!(raised["feeds"][0]["gap"]["until_ts"], now + 700_000);
        let lower = json_of(&there.run(&["db", "restore", "--json"]));
        assert_eq!(lower["feeds"][0]["gap"], Value::Null, "a feed is never lowered");
        there.file("calls.jsonl", "{\"eservice\":");
        let unreadable = there.run(&["db", "restore", "--calls", "calls.jsonl"]);
        assert_eq!(unreadable.code, 2);
        assert!(unreadable.stderr.contains("calls.jsonl: line 1"), "{unreadable:?}");
    }

    fn a_client_goes_on_after_an_older_database_came_back(database) {
        // Sizes that differ from round to round, so that pages end in different places.
        for (round, limit) in [(1_u32, 3), (2, 100)] {
            let (old, place) = elsewhere(database);
            let mut client = Client::default();
            let app = App::start(&old);
            publish(&app, 1, 7 * round);
            client.pull(&app, limit, 2 * round);
            json_of(&place.run(&["db", "backup", "--to", "old", "--json"]));
            publish(&app, 1000, 40 * round);
            client.pull(&app, limit, 5 + round);
            let pulled = client.seen.len();
            let cursor = client.cursor;
            drop(app);

            let (empty, there) = elsewhere(database);
            let from = place.path().join("old").to_str().unwrap().to_owned();
            json_of(&there.run(&["db", "restore", &from, "--json"]));
            // By this machine's clock it is a minute before the client's last flow.
            let clock = Clock::Manual(Arc::new(AtomicI64::new(cursor - 60_000)));
            let app = App::start_at(&empty, clock, |_| {});
            let kept = feed(&app);
            // What is missing, again, and what comes next.
            publish(&app, 1000, 40 * round);
            publish(&app, 5000, 20 * round);
            let published: Vec<i64> = feed(&app).into_iter().filter(|ts| !kept.contains(ts)).collect();
            assert_eq!(published.len(), usize::try_from(60 * round).unwrap());
            assert!(published.iter().all(|ts| *ts > cursor), "nothing is published out of the client's sight");
            client.pull(&app, 100, 1000);
            let after: BTreeSet<i64> = client.seen[pulled..].iter().map(|(ts, ..)| *ts).collect();
            assert!(published.iter().all(|ts| after.contains(ts)), "the client sees all of it");
            let timestamps: BTreeSet<i64> = client.seen.iter().map(|(ts, ..)| *ts).collect();
            assert_eq!(timestamps.len(), client.seen.len(), "no timestamp was given twice");
            let names: BTreeSet<&str> = client.seen.iter().map(|(_, name, _)| name.as_str()).collect();
            assert_eq!(names.len(), client.seen.len(), "nor was a name");

            // The client speaks of all that it has: what was lost is told apart.
            for seen in client.seen.chunks(100) {
                let esiti: Vec<Value> = seen.iter().map(|(ts, name, _)| esito(*ts, name)).collect();
                assert_eq!(app.post_esiti(&json!({ "elenco_esiti": esiti }).to_string()).status, 204);
            }
            let status = json_of(&there.run(&["db", "status", "--unknown", "--json"]));
            let unknown: BTreeSet<&str> =
                status["unknown"].as_array().unwrap().iter().map(|one| one["id_flusso"].as_str().unwrap()).collect();
            let lost: BTreeSet<&str> = client.seen[..pulled]
                .iter()
                .filter(|(ts, ..)| !kept.contains(ts))
                .map(|(_, name, _)| name.as_str())
                .collect();
            assert!(!lost.is_empty());
            assert_eq!(unknown, lost);
            drop(app);
            let verified = there.run(&["calls", "verify"]);
            assert_eq!(verified.code, 0, "{verified:?}");
            assert_eq!(there.run(&["db", "backup", "--to", "new"]).code, 0, "the log and the sequencer agree");
        }
    }
}

#[test]
fn a_sqlite_database_in_use_is_not_replaced() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let file = database.settings().sqlite_file().unwrap().to_owned();
    let app = App::start(&database);
    publish(&app, 1, 3);
    json_of(&place.run(&["db", "backup", "--to", "old", "--json"]));
    publish(&app, 4, 1);
    let refused = place.run(&["db", "restore", "old", "--replace"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("stop the service first"), "{refused:?}");
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 4);
    drop(app);
    let restored = json_of(&place.run(&["db", "restore", "old", "--replace", "--json"]));
    let aside = Path::new(restored["moved_aside"].as_str().unwrap());
    let names: BTreeSet<_> =
        [file.as_path(), aside].map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).into();
    assert_eq!(files(file.parent().unwrap()), names, "each is one file");
    let count = |path: &Path| {
        let settings = waas_comuni::config::Database {
            url: format!("sqlite://{}", path.display()).into(),
            ..Default::default()
        };
        let store = waas_comuni::store::Store::open(&settings).unwrap();
        store
            .snapshot::<_, waas_comuni::store::StoreError>(waas_comuni::upkeep::Contents::count)
            .unwrap()
            .eservices[0]
            .flows
    };
    assert_eq!((count(aside), count(&file)), (4, 3));

    // What is damaged is moved aside as it is.
    std::fs::write(
        &file,
        b"this is not a database, whatever its name says; long enough to be read as one".repeat(20),
    )
    .unwrap();
    let backup = place.run(&["db", "backup", "--to", "broken"]);
    assert_eq!(backup.code, 1, "{backup:?}");
    assert!(!place.path().join("broken").exists() && !place.path().join("broken.partial").exists());
    json_of(&place.run(&["db", "restore", "old", "--replace", "--json"]));
    assert_eq!(count(&file), 3);
}

#[test]
fn a_damaged_database_gives_no_backup() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let app = App::start(&database);
    publish(&app, 1, 3);
    app.get("/flussi?since=0").flussi();
    drop(app);
    let mut connection =
        SqliteConnection::establish(database.url.strip_prefix("sqlite://").unwrap()).unwrap();
    // The connections of the service may be closing still.
    connection.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    connection.batch_execute("UPDATE eservice SET last_ts = 1").unwrap();
    let refused = place.run(&["db", "backup", "--to", "x"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("beyond its sequencer"), "{refused:?}");
    connection.batch_execute("UPDATE eservice SET last_ts = 9000000000000").unwrap();
    assert_eq!(place.run(&["db", "backup", "--to", "x"]).code, 0);
    connection.batch_execute("UPDATE call_log_head SET size = size + 1 WHERE log_id > 0").unwrap();
    let refused = place.run(&["db", "backup", "--to", "y"]);
    assert!(refused.stderr.contains("log 1 should have"), "{refused:?}");
    assert!(!place.path().join("y").exists() && !place.path().join("y.partial").exists());
    connection
        .batch_execute(
            "DROP TRIGGER call_log_head_back; UPDATE call_log_head SET size = size - 1 WHERE log_id > 0; \
             DROP TRIGGER call_entry_changed; UPDATE call_entry SET client_ip = '192.0.2.1' WHERE log_id > 0",
        )
        .unwrap();
    drop(connection);
    assert_eq!(place.run(&["db", "backup", "--to", "z"]).code, 0);
    let refused = place.run(&["db", "restore", "z", "--replace"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("the log of prova"),
        "what a backup kept was changed before: {refused:?}"
    );
}

on_both_databases! {
    fn a_backup_of_an_older_version_is_brought_up_to_date(database) {
        let place = Place::new(database);
        let app = App::start(database);
        publish(&app, 1, 3);
        app.get("/flussi?since=0").flussi();
        drop(app);
        assert_eq!(place.run(&["db", "migrate", "--to", "0005", "--accept-loss"]).code, 0);
        let made = json_of(&place.run(&["db", "backup", "--to", "old", "--json"]));
        assert_eq!(made["schema"].as_array().unwrap().len(), 5);
        assert_eq!(place.run(&["db", "migrate"]).code, 0);
        let (empty, there) = elsewhere(database);
        let from = place.path().join("old").to_str().unwrap().to_owned();
        let restored = json_of(&there.run(&["db", "restore", &from, "--json"]));
        assert_eq!(restored["applied"][0], "0006");
        assert_eq!(there.run(&["calls", "verify"]).code, 0);
        let actions = there.run(&["calls", "search", "--json"]).stdout;
        assert!(actions.contains("database_restored"), "{actions}");
        assert_eq!(App::start(&empty).get("/flussi?since=0").flussi().len(), 3);
    }
}

#[test]
fn a_password_is_no_argument_of_another_program() {
    let database = TestDatabase::new(Backend::Postgres);
    let place = Place::new(&database);
    let folder = place.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("pg_dump");
    std::fs::write(&program, "#!/bin/sh\necho \"$PGPASSWORD\" >password\necho \"$*\" >arguments\nexit 3\n")
        .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    database.store();
    let url = database.url.replacen("postgres@", "postgres:s%40me%20secret@", 1);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let run = |url: &str, path: &str| {
        place
            .command(&["db", "backup", "--to", "x"])
            .env("WAAS__DATABASE__URL", url)
            .env("PATH", path)
            .output()
            .unwrap()
    };
    for url in [&url, &format!("{}?password=s%40me%20secret", database.url)] {
        let output = run(url, &path);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!(text("password"), "s@me secret\n");
        assert!(
            text("arguments").contains("--dbname postgres://postgres@127.0.0.1:"),
            "{}",
            text("arguments")
        );
        assert!(!text("arguments").contains("s%40me"), "{}", text("arguments"));
    }
    assert!(!place.path().join("x").exists() && !place.path().join("x.partial").exists());
    std::fs::remove_file(&program).unwrap();
    let missing = run(&database.url, folder.to_str().unwrap());
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.contains("there is no pg_dump") && said.contains("postgresql-client"), "{said}");
}
