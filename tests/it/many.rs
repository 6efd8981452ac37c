//! Many enti in one process: they share a database and nothing else, and what one does costs the others nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, PgConnection, RunQueryDsl};
use futures_util::future::join_all;
use tokio::time::timeout;
use waas_comuni::clock::Clock;
use waas_comuni::config::{self, EService, Environment};
use waas_comuni::registry::Registry;
use waas_comuni::siuss::record::EnteErogatore;
use waas_comuni::store::{AnyConnection, EserviceId, Store};
use waas_comuni::voucher::issuer::{self, Profile, Signer};

use crate::serving::{Server, eventually, voucher};
use crate::support::app::{App, eservice};
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::{mensa, roma};

/// Comuni with an e-service in collaudo and one in produzione.
const COMUNI: usize = 12;

/// The e-services of all of them; each environment has an issuer, with keys in a folder of its name.
fn eservices(keys: &Path) -> Vec<EService> {
    let mut all = Vec::new();
    for number in 0..COMUNI {
        for (place, environment) in [Environment::Collaudo, Environment::Produzione].into_iter().enumerate() {
            let name = environment.as_str();
            let base_path = format!("/comune-{number}/{name}/v1");
            let mut one = eservice(&format!("{name}-{number}"), &base_path, &keys.join(name));
            one.environment = environment;
            one.issuer = None;
            let id = |kind: usize| Some(format!("{kind:08}-0000-0000-{place:04}-{number:012}"));
            one.producer_id = id(1);
            one.eservice_id = id(2);
            one.descriptor_ids = id(3).into_iter().collect();
            // INPS is the same for all.
            one.consumer_ids = vec![format!("00000004-0000-0000-{place:04}-000000000000")];
            one.ente[0].codice = format!("A{number:03}");
            all.push(one);
        }
    }
    all
}

/// A voucher for each of `eservices`, from the issuer of its environment.
fn vouchers(eservices: &[EService], keys: &Path) -> Vec<String> {
    let signer = |one: &EService| Signer::read(&keys.join(one.environment.as_str()).join(issuer::KEY_FILE));
    let voucher = |one: &EService| {
        let profile = Profile::invented(String::new(), Vec::new()).for_eservice(one);
        let signer = signer(one).unwrap();
        format!("Bearer {}", signer.draft(&profile, &Clock::System).sign(&signer).unwrap())
    };
    eservices.iter().map(voucher).collect()
}

#[test]
fn a_voucher_for_one_opens_nothing_of_another() {
    let database = TestDatabase::new(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    for environment in [Environment::Collaudo, Environment::Produzione] {
        let profile = Profile::invented("whoever".to_owned(), vec!["SIUSS".to_owned()]);
        issuer::keygen(&folder.path().join(environment.as_str()), &profile).unwrap();
    }
    let all = eservices(folder.path());
    let app = App::start_with(&database, |config| config.eservice = all.clone());
    for one in &all {
        let ente = &one.ente[0];
        let erogatore = EnteErogatore::new(&ente.codice, &one.name, &ente.sede, &ente.cf_operatore).unwrap();
        let id = app.store.find_eservice(&one.name).unwrap().unwrap();
        app.registry.publish(id, &erogatore, &[mensa("2025/1", 8000)]).unwrap();
    }
    let vouchers = vouchers(&all, folder.path());
    let pairs = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..4 {
            let (all, vouchers, app, pairs) = (&all, &vouchers, &app, &pairs);
            scope.spawn(move || {
                for (place, one) in all.iter().enumerate().filter(|(place, _)| place % 4 == worker) {
                    for (other, voucher) in vouchers.iter().enumerate() {
                        let path = format!("{}/flussi?since=0", one.base_path);
                        let answer = app.send("GET", &path, &[("Authorization", voucher)], b"");
                        if place == other {
                            let flussi = answer.flussi();
                            assert_eq!(
                                (flussi.len(), &flussi[0]["denominazione_ente"]),
                                (1, &one.name.clone().into())
                            );
                            continue;
                        }
                        assert!([401, 403].contains(&answer.status), "{} {answer:?}", all[other].name);
                        assert!(!answer.body.contains("elenco_flussi"), "{answer:?}");
                        let esiti = app.send(
                            "POST",
                            &format!("{}/esiti", one.base_path),
                            &[("Authorization", voucher)],
                            b"{}",
                        );
                        assert!([401, 403].contains(&esiti.status), "{} {esiti:?}", all[other].name);
                        pairs.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(pairs.into_inner(), all.len() * (all.len() - 1));
    // Each in its own log: what it was asked, and by whom it was refused.
    let log = app.stop();
    let of = |name: &str| log.iter().filter(|entry| entry["eservice"] == name).count();
    assert_eq!(all.iter().map(|one| of(&one.name)).collect::<BTreeSet<_>>(), [2 * all.len() - 1].into());
}

/// Publishes for one e-service without a pause until it is told to stop, counting the batches.
fn storm(app: &App, id: EserviceId, stop: &AtomicBool, batches: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let batch = batches.fetch_add(1, Ordering::Relaxed);
        let records: Vec<_> = (0..500).map(|number| mensa(&format!("{batch}/{number}"), 8000)).collect();
        app.registry.publish(id, &roma(), &records).unwrap();
    }
}

/// Tells threads to end, however the test ends.
pub(crate) struct Calm<'a>(pub(crate) &'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

on_both_databases! {
    fn pulls_of_one_go_on_while_another_imports(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].clone();
            "altro".clone_into(&mut other.name);
            "/altro/v1".clone_into(&mut other.base_path);
            config.eservice.push(other);
        });
        app.publish(&[mensa("2025/1", 8000)]);
        let other = app.store.find_eservice("altro").unwrap().unwrap();
        let (stop, batches) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| storm(&app, other, &stop, &batches));
            let _calm = Calm(&stop);
            let mut pulls = 0;
            while pulls < 50 || batches.load(Ordering::Relaxed) < 3 {
                assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
                pulls += 1;
            }
        });
    }

    fn six_hundred_start_and_fit_in_memory(database) {
        let place = Place::new(database);
        let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
        let (shared, section) = config.split_once("[[eservice]]").unwrap();
        let mut text = shared.to_owned();
        for number in 0..600 {
            let one = section
                .replace("\"prova\"", &format!("\"prova-{number}\""))
                .replace("/waas/v1", &format!("/comune-{number}/v1"));
            write!(text, "[[eservice]]{one}").unwrap();
        }
        place.file("waas-comuni.toml", text);
        let mut server = Server::start(&place);
        let token = format!("Bearer {}", voucher(&place.path().join("keys")));
        for number in [0, 299, 599] {
            let url = format!("http://{}/comune-{number}/v1/flussi?since=0", server.api);
            assert_eq!(ureq::get(url).header("Authorization", &token).call().unwrap().status(), 200);
        }
        let url = format!("http://{}/metrics", server.back_office);
        let metrics = ureq::get(url).call().unwrap().into_body().read_to_string().unwrap();
        let series = metrics.lines().filter(|line| line.contains("eservice=\"prova-7\"")).count();
        assert!((5..30).contains(&series), "an e-service has {series} series");
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        let kilobytes: u32 = most.unwrap().trim().parse().unwrap();
        assert!(kilobytes < 150_000, "{kilobytes} kB");
        server.terminate();
        assert!(server.child.wait().unwrap().success());
    }
}

#[test]
fn an_import_that_is_under_way_holds_up_nobody_else() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start_with(&database, |config| {
        let mut other = config.eservice[0].clone();
        "altro".clone_into(&mut other.name);
        "/altro/v1".clone_into(&mut other.base_path);
        config.eservice.push(other);
    });
    app.publish(&[mensa("2025/1", 8000)]);
    let held = app.store.write(|connection| {
        let AnyConnection::Postgres(connection) = connection else { unreachable!() };
        // What a batch of `altro` holds until it is committed.
        diesel::sql_query("SELECT last_ts FROM eservice WHERE name = 'altro' FOR NO KEY UPDATE")
            .execute(connection)?;
        for _ in 0..10 {
            assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
            assert_eq!(app.post_esiti(r#"{"elenco_esiti":[]}"#).status, 204);
        }
        // Those of its own who only read go on as well.
        let voucher = format!("Bearer {}", app.voucher());
        let own = app.send("GET", "/altro/v1/flussi?since=0", &[("Authorization", &voucher)], b"");
        assert_eq!(own.flussi().len(), 0);
        Ok(())
    });
    held.unwrap();
}

on_both_databases! {
    fn calls_that_wait_together_each_get_their_own_page(database) {
        let store = database.store();
        let registry = Registry::new(store.clone(), Clock::System);
        // Their feeds differ in length, and in every flow.
        let feeds: Vec<_> = (0_usize..3)
            .map(|number| {
                let eservice = store.register_eservice(&format!("e{number}")).unwrap();
                let records: Vec<_> =
                    (0..60 + 70 * number).map(|record| mensa(&format!("{number}/{record}"), 8420)).collect();
                registry.publish(eservice, &roma(), &records).unwrap();
                (eservice, registry.page(eservice, 0, u32::MAX).unwrap())
            })
            .collect();

        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let calls = (0..600_usize).map(|number| {
                let (eservice, feed) = &feeds[number % feeds.len()];
                let (limit, skipped) = (number * 31 % 100 + 1, number * 17 % (feed.len() + 1));
                let since = skipped.checked_sub(1).map_or(0, |last| u128::try_from(feed[last].ts_ms).unwrap());
                let expected = &feed[skipped..feed.len().min(skipped + limit)];
                let registry = &registry;
                async move {
                    let page = registry.page_async(*eservice, since, u32::try_from(limit).unwrap());
                    // Some callers hang up, among them those who look for others.
                    if number % 7 == 0 {
                        let _ = timeout(Duration::ZERO, page).await;
                        return;
                    }
                    let page: Vec<_> =
                        page.await.unwrap().into_iter().map(|flusso| flusso.unpacked().unwrap()).collect();
                    assert_eq!(page, expected, "call {number}");
                }
            });
            join_all(calls).await;
        });
    }
}

/// As when the service stops: each of its threads ends, with whatever runs on it.
#[test]
fn whoever_waits_for_a_look_that_ends_with_its_thread_looks_again() {
    /// Calls that look at once; the next one waits for their looks.
    const LOOKS: i64 = 3;
    const LOCK: &str = "BEGIN; LOCK TABLE flusso IN ACCESS EXCLUSIVE MODE";
    let database = TestDatabase::new(Backend::Postgres);
    let eservice = database.store().register_eservice("prova").unwrap();
    let settings = config::Database { timeout_seconds: 60, ..database.settings() };
    let registry = Arc::new(Registry::new(Store::open(&settings).unwrap(), Clock::System));
    registry.publish(eservice, &roma(), &[mensa("1", 8420)]).unwrap();
    let connect = || PgConnection::establish(&database.url).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut watcher = connect();
    let mut waiting = || {
        let sql = "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
        diesel::select(diesel::dsl::sql::<BigInt>(sql)).get_result::<i64>(&mut watcher).unwrap()
    };

    let mut first = connect();
    // A statement that a connection knows already waits for one lock, and not for one to be prepared before.
    first.batch_execute(LOCK).unwrap();
    let known = Arc::clone(&registry);
    let prepared = thread::spawn(move || {
        runtime().block_on(join_all((0..LOOKS).map(|_| known.page_async(eservice, 0, 10))))
    });
    eventually(|| waiting() == LOOKS);
    first.batch_execute("COMMIT").unwrap();
    assert!(prepared.join().unwrap().iter().all(Result::is_ok));

    first.batch_execute(LOCK).unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (theirs, of_others) = (Arc::clone(&registry), runtime());
    let others = thread::spawn(move || {
        of_others.block_on(async {
            join_all((0..LOOKS).map(|_| theirs.page_async(eservice, 0, 10))).await;
            ended.await.unwrap();
        });
        of_others.shutdown_background();
    });
    eventually(|| waiting() == LOOKS);
    let (asked, has_asked) = std::sync::mpsc::channel();
    let own = runtime();
    let page = thread::spawn(move || {
        let asks = async { asked.send(()).unwrap() };
        own.block_on(async { tokio::join!(registry.page_async(eservice, 0, 10), asks).0 })
    });
    has_asked.recv().unwrap();
    // Locks are given in the order in which they were asked for: the looks of before end, and the next one, which is for
    // the call that waits, does not.
    let mut second = connect();
    let second = thread::spawn(move || {
        second.batch_execute(LOCK).unwrap();
        second
    });
    eventually(|| waiting() == LOOKS + 1);
    first.batch_execute("COMMIT").unwrap();
    let mut second = second.join().unwrap();
    eventually(|| waiting() == 1);
    end.send(()).unwrap();
    others.join().unwrap();
    second.batch_execute("COMMIT").unwrap();
    assert_eq!(page.join().unwrap().unwrap().len(), 1);
}
