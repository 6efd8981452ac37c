//! Another configuration under a service that runs: nothing that is under way is lost, and nothing wrong is taken over.

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use secrecy::SecretString;
use waas_comuni::api::reload::ReloadError;
use waas_comuni::call_log::seal::note::SigningKey;
use waas_comuni::clock::Clock;
use waas_comuni::config::{Config, Tls};
use waas_comuni::registry::Registry;
use waas_comuni::siuss::rules::Level;
use waas_comuni::staff::Role::{Amministratore, Operatore};

use crate::many::Calm;
use crate::serving::{Server, certify, eventually, shown_name, signal, voucher};
use crate::support::app::{self, App};
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::{mensa, roma};

/// The configuration of a place with one more e-service.
fn with_another(config: &str) -> String {
    let (_, eservice) = config.split_once("[[eservice]]").unwrap();
    let another = eservice.replace("\"prova\"", "\"altro\"").replace("/waas/v1", "/altro/v1");
    format!("{config}[[eservice]]{another}")
}

/// Adds the e-service `altro`, whose issuer is that of `prova`.
fn add_another(config: &mut Config) {
    let mut another = config.eservice[0].clone();
    "altro".clone_into(&mut another.name);
    "/altro/v1".clone_into(&mut another.base_path);
    config.eservice.push(another);
}

fn get(url: &str, voucher: &str) -> (u16, Option<String>, String) {
    let request = ureq::get(url).header("Authorization", format!("Bearer {voucher}"));
    let mut answer = request.config().http_status_as_error(false).build().call().unwrap();
    let limit = answer.headers().get("x-ratelimit-limit").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), limit, answer.body_mut().read_to_string().unwrap())
}

on_both_databases! {
    fn nothing_is_lost_while_the_configuration_changes(database) {
        let place = Place::new(database);
        let path = place.path().join("waas-comuni.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let records: Vec<_> = (0..20).map(|number| mensa(&format!("2025/{number}"), 8000)).collect();
        Registry::new(store, Clock::System).publish(eservice, &roma(), &records).unwrap();
        let Server { mut child, api, back_office, mut log } = Server::start(&place);
        let token = voucher(&place.path().join("keys"));
        let flussi = |base: &str| get(&format!("http://{api}/{base}/v1/flussi?since=0"), &token);
        let metric = |name: &str| {
            let text = get(&format!("http://{back_office}/metrics"), "").2;
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
        };
        let (done, pulled, said) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(String::new()));
        thread::scope(|scope| {
            let (done, pulled, said) = (&done, &pulled, &said);
            scope.spawn(move || {
                let mut line = String::new();
                while log.read_line(&mut line).unwrap() > 0 {
                    said.lock().unwrap().push_str(&std::mem::take(&mut line));
                }
            });
            // The process ends when nobody pulls any more, and whatever fails.
            let _stop = Stop(&child);
            thread::scope(|scope| {
                let _calm = Calm(done);
                for client in 0..4 {
                    let token = &token;
                    scope.spawn(move || {
                        let agent = ureq::Agent::new_with_defaults();
                        while !done.load(Ordering::Relaxed) {
                            let url = format!("http://{api}/waas/v1/flussi?since={client}&limit=20");
                            let request = agent.get(url).header("Authorization", format!("Bearer {token}"));
                            let mut answer = request.call().expect("a pull is answered");
                            let page = answer.body_mut().read_to_string().expect("to its end");
                            assert_eq!(page.matches("id_flusso").count(), 20, "{page}");
                            pulled.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                let turn = |config: &str, taken: &dyn Fn() -> bool| {
                    let before = pulled.load(Ordering::Relaxed);
                    std::fs::write(&path, config).unwrap();
                    signal(&child, "HUP");
                    eventually(taken);
                    eventually(|| pulled.load(Ordering::Relaxed) > before + 20);
                };
                assert_eq!(flussi("altro").0, 404);
                let another = with_another(&config);
                turn(&another, &|| flussi("altro").0 == 200);
                let fewer = another.replace("daily_calls_total = 100000", "daily_calls_total = 90000");
                turn(&fewer, &|| flussi("altro").1.as_deref() == Some("90000"));
                let refused = "waas_comuni_config_reloads_total{result=\"refused\"}";
                assert_eq!((metric(refused), metric("waas_comuni_config_last_reload_successful")), (None, Some(1.0)));

                let elsewhere = another.replacen("127.0.0.1:0", "127.0.0.1:9", 1);
                let elsewhere = elsewhere.replace("127.0.0.1:0", "127.0.0.1:10");
                let broken = [
                    (another.replace("[database]", "[database"), "waas-comuni.toml"),
                    (another.replace("/altro/v1", "/waas/v1"), "base_path"),
                    (elsewhere, "api.bind, back_office.bind"),
                ];
                for (count, (broken, key)) in (1_u32..).zip(&broken) {
                    turn(broken, &|| metric(refused) == Some(f64::from(count)));
                    assert_eq!(metric("waas_comuni_config_last_reload_successful"), Some(0.0));
                    eventually(|| said.lock().unwrap().contains("the one before stays in force"));
                    let said = std::mem::take(&mut *said.lock().unwrap());
                    assert!(said.contains(key), "{said}");
                    assert_eq!(flussi("altro").1.as_deref(), Some("90000"), "the one before stays in force");
                }
                turn(&config, &|| flussi("altro").0 == 404);
                assert_eq!(metric("waas_comuni_config_last_reload_successful"), Some(1.0));
            });
        });
        assert!(child.wait().unwrap().success());
    }

    fn a_call_that_has_begun_ends_as_it_began(database) {
        let app = App::start_with(database, add_another);
        let body = br#"{"elenco_esiti":[]}"#;
        let head = |base: &str| format!(
            "POST /{base}/v1/esiti HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n", app.voucher(), body.len()
        );
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.write_all(head("altro").as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        app.reload(|config| config.eservice.truncate(1)).unwrap();
        app.send("POST", "/altro/v1/esiti", &[], body).problem(404);
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        let log = app.stop();
        let esiti = log.iter().find(|entry| entry["status"] == 204).unwrap();
        assert_eq!((&esiti["eservice"], &esiti["path"]), (&"altro".into(), &"/altro/v1/esiti".into()));
    }

    fn staff_and_their_files_follow(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore, Amministratore]);
        assert!(!anna.get("/caricamenti").body.contains("altro:A001"));
        app.reload(|config| {
            add_another(config);
            let ente = &mut config.eservice[1].ente[0];
            "A001".clone_into(&mut ente.codice);
            "A001".clone_into(&mut ente.sede);
            config.rules = [("FILE-04".to_owned(), Level::Errore)].into();
        })
        .unwrap();
        let page = anna.get("/caricamenti");
        assert!(page.status == 200 && page.body.contains("altro:A001"), "{page:?}");
        let mixed = crate::caricamenti::mixed();
        let content = format!("{mixed}{}\n", mixed.lines().nth(1).unwrap().replace("600.00", "601.00"));
        let loaded = anna.upload("/caricamenti", &[("ente", "altro:A001")], "a.csv", content.as_bytes());
        assert_eq!(loaded.status, 303, "{loaded:?}");
        let path = loaded.header("location").unwrap().to_owned();
        eventually(|| anna.get(&format!("{path}/stato")).json()["inCorso"] == false);
        let preview = anna.get(&path).body;
        assert!(preview.contains("<dt>Record rifiutati</dt><dd>5</dd>"), "the rules follow too: {preview}");
    }
}

/// Ends a process, however its test ends.
struct Stop<'a>(&'a Child);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        signal(self.0, "TERM");
    }
}

#[test]
fn what_was_counted_stays_counted() {
    let database = TestDatabase::new(Backend::Sqlite);
    let millis = Arc::new(std::sync::atomic::AtomicI64::new(1_790_000_040_000));
    let app = App::start_at(&database, Clock::Manual(Arc::clone(&millis)), |config| {
        config.api.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
        config.api.refused_calls_per_minute = 3;
    });
    let call = || app.send("GET", "/waas/v1/flussi", &[("X-Forwarded-For", "192.0.2.1")], b"").status;
    assert_eq!([call(), call()], [401, 401]);
    app.reload(add_another).unwrap();
    assert_eq!([call(), call()], [401, 429]);
    app.reload(|config| config.api.refused_calls_per_minute = 5).unwrap();
    assert_eq!([call(), call(), call()], [401, 401, 429]);
    app.reload(|config| config.api.trusted_proxies.clear()).unwrap();
    assert_eq!(call(), 401, "nobody is believed to speak for others any longer");
}

type Change = (&'static str, fn(&mut Config));

#[test]
fn what_needs_a_restart_is_named_and_nothing_is_taken_over() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let changes: [Change; 8] = [
        ("database.url", |config| config.database.url = SecretString::from("sqlite://secret.db")),
        ("database.connections", |config| config.database.connections += 1),
        ("api.bind", |config| "127.0.0.1:9".clone_into(&mut config.api.bind)),
        ("api.shutdown_seconds", |config| config.api.shutdown_seconds += 1),
        ("api.calls_in_flight", |config| config.api.calls_in_flight += 1),
        ("api.connections", |config| config.api.connections += 1),
        ("api.stalled_seconds", |config| config.api.stalled_seconds += 1),
        ("back_office.bind", |config| "127.0.0.1:9".clone_into(&mut config.back_office.bind)),
    ];
    for (key, change) in changes {
        let refused = app.reload(|config| {
            add_another(config);
            change(config);
        });
        let error = refused.unwrap_err();
        assert!(matches!(&error, ReloadError::NeedsRestart(keys) if *keys == [key]), "{error}");
        let said = error.to_string();
        assert!(said.contains(key) && said.contains("restart") && !said.contains("secret"), "{said}");
        app.send("GET", "/altro/v1/status", &[], b"").problem(404);
    }
    let folder = tempfile::tempdir().unwrap();
    let tls = Tls { certificate: folder.path().join("crt"), key: folder.path().join("key") };
    certify(&tls, "first");
    let encrypted = app.reload(|config| config.api.tls = Some(tls.clone())).unwrap_err();
    assert!(matches!(&encrypted, ReloadError::NeedsRestart(keys) if *keys == ["api.tls"]), "{encrypted}");
    let missing = app.reload(|config| {
        add_another(config);
        config.call_log.checkpoint_key = Some("/nowhere/checkpoint.pem".into());
    });
    let missing = missing.unwrap_err();
    assert!(
        matches!(&missing, ReloadError::Wrong(findings) if findings[0].key == "call_log.checkpoint_key"),
        "{missing}"
    );
    app.send("GET", "/altro/v1/status", &[], b"").problem(404);
    assert_eq!(app.get("/flussi?since=0").status, 200);
}

#[test]
fn a_certificate_elsewhere_is_taken_over_and_a_wrong_one_is_not() {
    let database = TestDatabase::new(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str| {
        let path = |end: &str| folder.path().join(format!("{name}.{end}"));
        let files = Tls { certificate: path("crt"), key: path("key") };
        certify(&files, name);
        files
    };
    let app = App::start_with(&database, |config| config.api.tls = Some(files("first")));
    let shown = || shown_name(app.address(), openssl::ssl::SslVersion::TLS1_3);
    assert_eq!(shown().as_deref(), Ok("first"));
    let (second, third) = (files("second"), files("third"));
    app.reload(|config| config.api.tls = Some(second.clone())).unwrap();
    assert_eq!(shown().as_deref(), Ok("second"));
    let mixed = Tls { certificate: third.certificate, key: second.key };
    app.reload(|config| config.api.tls = Some(mixed)).unwrap_err();
    assert_eq!(shown().as_deref(), Ok("second"));
}

#[test]
fn logs_are_signed_from_the_reload_on_that_names_the_key() {
    let database = TestDatabase::new(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let [key, file] = ["checkpoint.pem", "checkpoints.txt"].map(|name| folder.path().join(name));
    SigningKey::generate(&key).unwrap();
    let app = App::start(&database);
    assert_eq!(app.get("/flussi?since=0").status, 200);
    app.reload(|config| {
        config.call_log.checkpoint_key = Some(key.clone());
        config.call_log.checkpoint_file = Some(file.clone());
    })
    .unwrap();
    eventually(|| std::fs::read_to_string(&file).is_ok_and(|notes| notes.contains("prova")));
    let before = std::fs::metadata(&file).unwrap().len();
    assert_eq!(app.get("/flussi?since=0").status, 200);
    drop(app.stop());
    assert!(std::fs::metadata(&file).unwrap().len() > before, "the last entries are signed at the end");
}

#[test]
fn keys_of_an_issuer_are_not_fetched_again() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let jwks = app.keys.path().join(waas_comuni::voucher::issuer::JWKS_FILE);
    std::fs::remove_file(&jwks).unwrap();
    app.reload(|config| config.eservice.push(app::eservice("altro", "/altro/v1", app.keys.path()))).unwrap();
    let voucher = format!("Bearer {}", app.voucher());
    for base in ["waas", "altro"] {
        let pull =
            app.send("GET", &format!("/{base}/v1/flussi?since=0"), &[("Authorization", &voucher)], b"");
        assert_eq!(pull.status, 200, "{pull:?}");
    }
}
