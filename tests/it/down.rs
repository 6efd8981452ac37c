//! When the database is away, silent, locked or full: 503 within a bounded time, nothing half-done, recovery by itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::config::Database;
use waas_comuni::registry::Registry;
use waas_comuni::store::Store;
use waas_comuni::vendor::keys;

use crate::json::borsa;
use crate::support::app::{Answer, App};
use crate::support::command::{PROGRAM, Place, Program};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::proxy::{Mode, Proxy};
use crate::support::records::{mensa, roma};

/// `database.timeout_seconds` of these tests, and what one call may cost: twice that to learn that the database is
/// silent, once more for a place in a log that is full, and what a busy machine adds.
const TIMEOUT: u16 = 1;
const BOUND: Duration = Duration::from_secs(6);

/// A service whose way to PostgreSQL is a proxy.
fn behind_proxy(database: &TestDatabase) -> (App, Proxy) {
    let proxy = Proxy::before(&database.url);
    let app = App::start_with(database, |config| {
        config.database.url = proxy.url(&database.url).into();
        config.database.timeout_seconds = TIMEOUT;
        config.database.connections = 3;
    });
    (app, proxy)
}

fn eventually(mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}

/// The answer, which came in time.
fn in_time(call: impl FnOnce() -> Answer) -> Answer {
    let began = Instant::now();
    let answer = call();
    assert!(began.elapsed() < BOUND, "{:?}: {answer:?}", began.elapsed());
    answer
}

fn unavailable(call: impl FnOnce() -> Answer) {
    let answer = in_time(call);
    answer.problem(503);
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&seconds));
}

fn readiness(app: &App) -> u16 {
    in_time(|| app.send_back_office("GET", "/health/ready", &[], b"")).status
}

/// A vendor's key.
fn key(app: &App) -> String {
    let key = keys::generate().unwrap().expose_secret().to_owned();
    let enti = [roma().codice.as_str().to_owned()];
    app.store.write(|connection| keys::add(connection, "gestionale", app.eservice, &enti, &key, 0)).unwrap();
    key
}

fn register(app: &App, key: &str, record: &Value, idempotency: &str) -> Answer {
    let headers =
        [("X-API-Key", key), ("Content-Type", "application/json"), ("Idempotency-Key", idempotency)];
    app.send_back_office("POST", "/api/v1/prestazioni", &headers, record.to_string().as_bytes())
}

fn outcome_of(app: &App) -> String {
    let flusso = &app.registry.page(app.eservice, 0, 1).unwrap()[0];
    let instant = format!("{:.3}", jiff::Timestamp::from_millisecond(flusso.ts_ms).unwrap());
    json!({ "elenco_esiti": [{ "id_flusso": flusso.id_flusso, "tipo": flusso.tipo.as_str(), "ts_flusso": instant,
        "ts_acquisizione": instant, "codice_esito": "OK" }] })
    .to_string()
}

fn outcomes(app: &App) -> i64 {
    app.registry.counts(app.eservice).unwrap().esiti.values().sum()
}

/// Everything that needs the database is refused, and says when to come again.
fn everything_is_unavailable(app: &App, key: &str) {
    unavailable(|| app.get("/status"));
    unavailable(|| app.get("/flussi?since=0"));
    unavailable(|| app.post_esiti("{}"));
    unavailable(|| register(app, key, &borsa("1"), "1"));
    assert_eq!(readiness(app), 503);
    assert_eq!(in_time(|| app.send_back_office("GET", "/health/live", &[], b"")).status, 200);
}

fn everything_works(app: &App) {
    eventually(|| app.get("/status").status == 200);
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
    assert_eq!(app.post_esiti("{}").status, 204);
    eventually(|| readiness(app) == 200);
}

#[test]
fn a_server_that_is_gone_or_silent_is_503_until_it_is_back() {
    let database = TestDatabase::new(Backend::Postgres);
    let (app, proxy) = behind_proxy(&database);
    app.publish(&[mensa("2025/1", 8000)]);
    let key = key(&app);
    everything_works(&app);
    for mode in [Mode::Cut, Mode::Frozen] {
        proxy.set(mode);
        everything_is_unavailable(&app, &key);
        proxy.set(Mode::Forward);
        everything_works(&app);
    }
    // What was refused for want of the database is in the log all the same.
    let refused = |entry: &Value| entry["status"] == 503 && entry["path"] == "/waas/v1/flussi";
    eventually(|| app.log().iter().filter(|entry| refused(entry)).count() >= 2);
    let log = app.stop();
    assert_eq!(log.iter().filter(|entry| refused(entry)).count(), 2, "each once");
    let mut ids: Vec<_> = log.iter().map(|entry| entry["request_id"].as_str().unwrap()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn connections_that_stay_silent_for_ever_are_replaced() {
    let database = TestDatabase::new(Backend::Postgres);
    let (app, proxy) = behind_proxy(&database);
    app.publish(&[mensa("2025/1", 8000)]);
    everything_works(&app);
    proxy.set(Mode::Frozen);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| unavailable(|| app.get("/flussi?since=0")));
        }
    });
    proxy.lose_connections();
    everything_works(&app);
    proxy.set(Mode::Cut);
    proxy.set(Mode::Forward);
    everything_works(&app);
}

#[test]
fn what_lay_idle_when_the_server_fell_silent_is_not_asked_again() {
    let database = TestDatabase::new(Backend::Postgres);
    let proxy = Proxy::before(&database.url);
    let url = proxy.url(&database.url).into();
    let store =
        Store::open(&Database { url, timeout_seconds: TIMEOUT, connections: 3, ..Database::default() })
            .unwrap();
    // Six connections are the most that there may be: more than may be written off.
    let together = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| store.read(|_| Ok(together.wait().is_leader())).unwrap());
        }
    });
    let answers = || store.read_bounded(|connection| Ok(connection.batch_execute("SELECT 1")?)).is_ok();
    assert!(answers());
    proxy.lose_connections();
    assert!(!answers());
    assert!(answers(), "one silence is enough");
}

#[test]
fn what_may_have_been_done_can_be_asked_again() {
    let database = TestDatabase::new(Backend::Postgres);
    let (app, proxy) = behind_proxy(&database);
    app.publish(&[mensa("2025/1", 8000)]);
    let (key, outcome) = (key(&app), outcome_of(&app));
    everything_works(&app);
    assert_eq!(register(&app, &key, &borsa("1"), "first").status, 200);
    // The connection that is open is good until it has been asked for something: the answers to that do not come.
    proxy.set(Mode::Mute);
    unavailable(|| app.post_esiti(&outcome));
    unavailable(|| register(&app, &key, &borsa("2"), "second"));
    proxy.set(Mode::Forward);
    eventually(|| app.get("/status").status == 200);
    for _ in 0..2 {
        assert_eq!(app.post_esiti(&outcome).status, 204);
        let answer = register(&app, &key, &borsa("2"), "second");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(outcomes(&app), 1);
    assert_eq!(app.registry.page(app.eservice, 0, 10).unwrap().len(), 3);
}

#[test]
fn a_lock_that_somebody_holds_is_503_until_it_is_free() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start_with(&database, |config| config.database.timeout_seconds = TIMEOUT);
    app.publish(&[mensa("2025/1", 8000)]);
    let outcome = outcome_of(&app);
    everything_works(&app);
    let mut intruder = PgConnection::establish(&database.url).unwrap();
    for (lock, status) in [("call_log_head", 503), ("esito", 200)] {
        intruder.batch_execute(&format!("BEGIN; LOCK TABLE {lock}")).unwrap();
        unavailable(|| app.post_esiti(&outcome));
        assert_eq!(in_time(|| app.get("/flussi?since=0")).status, status, "{lock}");
        intruder.batch_execute("ROLLBACK").unwrap();
        everything_works(&app);
    }
    assert_eq!(app.post_esiti(&outcome).status, 204);
    assert_eq!(outcomes(&app), 1);
}

#[test]
fn a_full_disk_of_the_server_is_503_until_there_is_room() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start_with(&database, |config| config.database.timeout_seconds = TIMEOUT);
    app.publish(&[mensa("2025/1", 8000)]);
    let outcome = outcome_of(&app);
    let key = key(&app);
    let mut disk = PgConnection::establish(&database.url).unwrap();
    // The error with which PostgreSQL says that a file cannot grow.
    disk.batch_execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON call_entry EXECUTE FUNCTION full_disk();
         CREATE TRIGGER full_disk BEFORE INSERT ON esito EXECUTE FUNCTION full_disk();
         CREATE TRIGGER full_disk BEFORE INSERT ON flusso EXECUTE FUNCTION full_disk()",
    )
    .unwrap();
    unavailable(|| app.post_esiti(&outcome));
    unavailable(|| app.get("/flussi?since=0"));
    unavailable(|| app.get("/status"));
    unavailable(|| register(&app, &key, &borsa("1"), "1"));
    assert_eq!(readiness(&app), 503);
    disk.batch_execute("DROP FUNCTION full_disk() CASCADE").unwrap();
    everything_works(&app);
    assert_eq!(app.post_esiti(&outcome).status, 204);
    assert_eq!((outcomes(&app), app.registry.page(app.eservice, 0, 10).unwrap().len()), (1, 1));
}

/// A process, and what it says while it runs.
struct Process(Child);

impl Process {
    fn start(mut command: Program) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// The first line of its log with this word.
    fn says(&mut self, word: &str) -> String {
        let log = BufReader::new(self.0.stderr.as_mut().unwrap());
        log.lines().map(Result::unwrap).find(|line| line.contains(word)).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configure(place: &Place, database: &TestDatabase, lines: &str) {
    let path = place.path().join("waas-comuni.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let own = format!("url = {:?}", database.url);
    std::fs::write(&path, config.replace(&own, &format!("{own}\n{lines}"))).unwrap();
}

#[test]
fn a_full_disk_of_this_machine_is_503_until_there_is_room() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    configure(&place, &database, "timeout_seconds = 1");
    // The machine refuses to let a file of this process grow; a process that does not ignore the signal would end.
    let mut shell = Program::through("sh");
    shell.current_dir(place.path()).args(["-c", "trap '' XFSZ; exec \"$0\" serve"]);
    shell.arg(PROGRAM).env_remove("RUST_LOG");
    let mut server = Process::start(shell);
    let line = server.says("serving");
    let address = line.split("api=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let status = || {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        agent.get(format!("http://{address}/waas/v1/status")).call().unwrap().status().as_u16()
    };
    let limit = |limit: &str| {
        let id = server.0.id().to_string();
        let done = std::process::Command::new("prlimit").args(["--pid", &id, limit]).status().unwrap();
        assert!(done.success());
    };
    assert_eq!(status(), 200);
    limit("--fsize=4096:");
    // A look into the database alone would succeed: it is the log of that look that cannot be written.
    eventually(|| status() == 503);
    limit("--fsize=unlimited:");
    eventually(|| status() == 200);
    drop(server);
    let log = place.run(&["calls", "search", "--json", "--status", "503"]);
    assert!(log.stdout.contains("\"status\":503"), "{log:?}");
}

#[test]
fn a_server_started_before_its_database_waits_for_it() {
    let database = TestDatabase::new(Backend::Postgres);
    let proxy = Proxy::before(&database.url);
    let place = Place::new(&database);
    configure(&place, &database, "timeout_seconds = 1");
    proxy.set(Mode::Cut);
    let mut command = place.command(&["serve"]);
    command.env("WAAS__DATABASE__URL", proxy.url(&database.url));
    let mut server = Process::start(command);
    assert!(server.says("waiting for the database").contains("WARN"));
    proxy.set(Mode::Forward);
    assert!(server.says("serving").contains("api="));
}

#[test]
fn a_database_that_never_comes_is_waited_for_no_longer_than_was_said() {
    let database = TestDatabase::new(Backend::Postgres);
    let proxy = Proxy::before(&database.url);
    let place = Place::new(&database);
    configure(&place, &database, "timeout_seconds = 1\nstartup_seconds = 2");
    place.file("a.jsonl", borsa("1").to_string());
    for mode in [Mode::Cut, Mode::Frozen] {
        proxy.set(mode);
        for arguments in [&["serve"][..], &["import", "a.jsonl", "--ente", "H501"], &["calls", "search"]] {
            let began = Instant::now();
            let mut command = place.command(arguments);
            let done = command.env("WAAS__DATABASE__URL", proxy.url(&database.url)).output().unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert_eq!(done.status.code(), Some(1), "{said}");
            assert!(said.contains("the database cannot be used at present"), "{said}");
            assert!(began.elapsed() < Duration::from_secs(10), "{arguments:?}: {:?}", began.elapsed());
        }
    }
}

#[test]
fn an_import_that_the_server_leaves_hanging_ends_and_can_be_repeated() {
    let database = TestDatabase::new(Backend::Postgres);
    let proxy = Proxy::before(&database.url);
    let place = Place::new(&database);
    configure(&place, &database, "timeout_seconds = 1");
    let records: Vec<_> = (0..3000).map(|number| borsa(&number.to_string()).to_string()).collect();
    place.file("a.jsonl", records.join("\n"));
    let import = || {
        let mut command = place.command(&["import", "a.jsonl", "--ente", "H501"]);
        command.env("WAAS__DATABASE__URL", proxy.url(&database.url)).output().unwrap()
    };
    let store = database.store();
    let registry = Registry::new(store.clone(), Clock::System);
    let published = || {
        let eservice = store.register_eservice("prova").unwrap();
        registry.counts(eservice).unwrap().flussi
    };
    // In the middle of a batch: some are published, and of that batch nothing.
    proxy.freeze_after(1_200_000);
    let began = Instant::now();
    let done = import();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("has not answered for 6 seconds"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(40));
    let before = published();
    assert!(before < 3000 && before % 2000 == 0, "{before}");
    proxy.set(Mode::Cut);
    proxy.set(Mode::Forward);
    assert!(import().status.success());
    assert_eq!(published(), 3000);
}

on_both_databases! {
    fn a_stop_without_a_database_does_not_wait_for_it(database) {
        let app = App::start_with(database, |config| config.database.timeout_seconds = TIMEOUT);
        let mut intruder = Intruder::new(database);
        intruder.lock();
        unavailable(|| app.get("/flussi?since=0"));
        let began = Instant::now();
        let app = app.stop_service();
        assert!(began.elapsed() < 2 * BOUND, "{:?}", began.elapsed());
        drop((intruder, app));
    }
}

/// Somebody who locks the database and does not let go.
enum Intruder {
    Sqlite(diesel::SqliteConnection),
    Postgres(PgConnection),
}

impl Intruder {
    fn new(database: &TestDatabase) -> Self {
        match database.url.strip_prefix("sqlite://") {
            Some(path) => Self::Sqlite(diesel::SqliteConnection::establish(path).unwrap()),
            None => Self::Postgres(PgConnection::establish(&database.url).unwrap()),
        }
    }

    fn lock(&mut self) {
        match self {
            Self::Sqlite(inner) => {
                inner.batch_execute("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE").unwrap();
            }
            Self::Postgres(inner) => inner.batch_execute("BEGIN; LOCK TABLE call_log_head").unwrap(),
        }
    }
}
