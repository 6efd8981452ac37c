//! Pulls from a streaming replica: late at times, never with a hole, and the primary where it cannot be used.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, RunQueryDsl, select, sql_types};

use crate::support::app::App;
use crate::support::cluster::Cluster;
use crate::support::database::{Backend, TestDatabase};
use crate::support::proxy::{Mode, Proxy};
use crate::support::records::mensa;

fn eventually(mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}

fn publish(app: &App, numbers: std::ops::Range<u32>) {
    let records: Vec<_> = numbers.map(|number| mensa(&number.to_string(), 8000)).collect();
    app.publish(&records);
}

/// What a cursor sees of the service from its beginning.
fn pulled(app: &App) -> Vec<String> {
    let page = app.get("/flussi?since=0&limit=100").flussi();
    page.iter().map(|flusso| flusso["id_flusso"].as_str().unwrap().to_owned()).collect()
}

/// What was published.
fn published(app: &App) -> Vec<String> {
    let page = app.registry.page(app.eservice, 0, 1000).unwrap();
    page.into_iter().map(|flusso| flusso.id_flusso).collect()
}

fn metric(app: &App, name: &str) -> u64 {
    let metrics = app.send_back_office("GET", "/metrics", &[], b"").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

fn serves(app: &App) -> bool {
    metric(app, "waas_comuni_replica_up") == 1
}

fn pause(replica: &Cluster) {
    replica.execute("SELECT pg_wal_replay_pause()");
    let mut connection = PgConnection::establish(&replica.url()).unwrap();
    eventually(|| {
        let paused = diesel::dsl::sql::<sql_types::Bool>("pg_get_wal_replay_pause_state() = 'paused'");
        select(paused).get_result(&mut connection).unwrap()
    });
}

/// The database of this name on the cluster.
fn on(cluster: &Cluster, database: &TestDatabase) -> String {
    let name = url::Url::parse(&database.url).unwrap().path().to_owned();
    let mut url = url::Url::parse(&cluster.url()).unwrap();
    url.set_path(&name);
    url.into()
}

#[test]
fn a_late_replica_delays_and_one_that_is_gone_is_done_without() {
    let primary = Cluster::primary();
    let database = TestDatabase::on(&primary.url());
    let replica = primary.replica();
    let proxy = Proxy::before(&on(&replica, &database));
    let app = App::start_with(&database, |config| {
        config.database.replica_url = Some(proxy.url(&on(&replica, &database)).into());
        config.database.timeout_seconds = 2;
    });
    publish(&app, 0..2);
    eventually(|| pulled(&app).len() == 2 && serves(&app));

    // Late: what it shows is where the feed was, and a cursor that is further finds nothing yet.
    pause(&replica);
    publish(&app, 2..5);
    let all = published(&app);
    assert_eq!((pulled(&app), all.len()), (all[..2].to_vec(), 5));
    let head = app.registry.page(app.eservice, 0, 10).unwrap().pop().unwrap().ts_ms;
    assert!(app.get(&format!("/flussi?since={head}")).flussi().is_empty());
    assert!(serves(&app));
    let gaps = app.registry.gaps().unwrap();
    assert!(gaps.is_empty(), "nothing is missing: {gaps:?}");
    replica.execute("SELECT pg_wal_replay_resume()");
    eventually(|| pulled(&app) == all);

    // A cursor follows writers over a replica that stops and goes.
    let done = AtomicBool::new(false);
    let followed = std::thread::scope(|scope| {
        scope.spawn(|| {
            for first in (100..220).step_by(4) {
                publish(&app, first..first + 4);
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                pause(&replica);
                replica.execute("SELECT pg_wal_replay_resume()");
            }
        });
        let (mut since, mut names) = (0, Vec::new());
        let deadline = Instant::now() + Duration::from_secs(60);
        while !(done.load(Ordering::SeqCst) && names.len() >= 125) {
            assert!(Instant::now() < deadline, "{} of 125", names.len());
            for flusso in app.get(&format!("/flussi?since={since}&limit=3")).flussi() {
                since = flusso["ts_flusso"]
                    .as_str()
                    .unwrap()
                    .parse::<jiff::Timestamp>()
                    .unwrap()
                    .as_millisecond();
                names.push(flusso["id_flusso"].as_str().unwrap().to_owned());
            }
        }
        names
    });
    assert_eq!(followed, published(&app));

    // Silent, then gone: the primary serves at once what it has, and only the first pull waits.
    pause(&replica);
    publish(&app, 300..301);
    for mode in [Mode::Frozen, Mode::Cut] {
        proxy.set(mode);
        let before = metric(&app, "waas_comuni_replica_fallbacks_total");
        let began = Instant::now();
        eventually(|| !serves(&app) || app.get("/flussi?since=0").status != 200);
        assert!(began.elapsed() < Duration::from_secs(8));
        let began = Instant::now();
        for _ in 0..3 {
            assert!(!app.get(&format!("/flussi?since={head}&limit=100")).flussi().is_empty());
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "the time-out was paid again: {:?}",
            began.elapsed()
        );
        assert!(metric(&app, "waas_comuni_replica_fallbacks_total") > before);
        proxy.set(Mode::Forward);
        eventually(|| app.get("/flussi?since=0").status == 200 && serves(&app));
    }
    replica.execute("SELECT pg_wal_replay_resume()");

    // Promoted: it is no replica any longer, and what it shows is the feed of somebody else.
    replica.execute("SELECT pg_promote()");
    publish(&app, 301..302);
    let last = published(&app).pop();
    eventually(|| {
        let page = app.get(&format!("/flussi?since={head}&limit=100")).flussi();
        !serves(&app) || page.is_empty()
    });
    let follow = |since: i64| app.get(&format!("/flussi?since={since}&limit=100")).flussi();
    let (mut since, mut name) = (head, None);
    loop {
        let page = follow(since);
        let Some(flusso) = page.last() else { break };
        since = flusso["ts_flusso"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        name = Some(flusso["id_flusso"].as_str().unwrap().to_owned());
    }
    assert_eq!(name, last);
    replica.stop();
    assert!(follow(head).len() > 50);
    drop(app);
    drop(database);
}

#[test]
fn what_is_no_replica_of_this_database_never_serves() {
    let primary = Cluster::primary();
    let database = TestDatabase::on(&primary.url());
    let replica = primary.replica();
    let other = Cluster::primary();
    let stranger = other.replica();
    for (url, what) in [
        (database.url.clone(), "the database itself"),
        (replica.url(), "another database of the replica"),
        (stranger.url(), "the replica of another cluster"),
    ] {
        let app = App::start_with(&database, |config| {
            config.database.replica_url = Some(url.into());
            config.database.timeout_seconds = 2;
        });
        publish(&app, 0..3);
        assert_eq!(pulled(&app), published(&app), "{what}");
        assert!(!serves(&app), "{what}");
        assert_eq!(metric(&app, "waas_comuni_replica_fallbacks_total"), 1);
    }
}

#[test]
fn a_replica_where_there_can_be_none_is_a_wrong_configuration() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = crate::support::command::Place::new(&database);
    for (replica, code, says) in [
        ("postgres://replica.example.it/waas", 2, "a SQLite database has no replicas"),
        ("sqlite://other.db", 2, "not the address of a PostgreSQL server"),
    ] {
        let mut command = place.command(&["config", "check"]);
        let done = command.env("WAAS__DATABASE__REPLICA_URL", replica).output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert_eq!(done.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
    }
    let secret = place.file("replica", "postgres://replica.example.it/waas\n");
    let mut command = place.command(&["config", "check"]);
    command
        .env("WAAS__DATABASE__URL", "postgres://db.example.it/waas")
        .env("WAAS__DATABASE__REPLICA_URL_FILE", &secret);
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(said.contains("database.replica_url_file: others on this machine can read"), "{said}");
    assert!(!said.contains("database.replica_url:"), "{said}");
}
