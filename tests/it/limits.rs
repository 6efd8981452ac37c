//! How much one caller, one address, one day may ask: on one server, and on two that share a database.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use serde_json::json;
use waas_comuni::api::server;
use waas_comuni::clock::Clock;
use waas_comuni::config::Config;
use waas_comuni::voucher::issuer::Profile;

use crate::support::app::{Answer, App};
use crate::support::database::on_both_databases;
use crate::support::records::mensa;
use crate::voucher_corpus::{World, bound_call};
use crate::voucher_live::call;

/// The beginning of a minute.
const MINUTE: i64 = 1_790_000_040_000;

/// A server that lets 3 calls a minute of one address be refused, behind a proxy on loopback.
fn limited(database: &crate::support::database::TestDatabase) -> (App, Arc<AtomicI64>) {
    let millis = Arc::new(AtomicI64::new(MINUTE));
    let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |config| {
        config.api.trusted_proxies = vec!["127.0.0.0/8".to_owned()];
        config.api.refused_calls_per_minute = 3;
    });
    app.publish(&[mensa("2025/1", 8000)]);
    (app, millis)
}

/// A pull that the proxy says to come from `address`.
fn pull(app: &App, address: &str, voucher: &str) -> Answer {
    let headers = [("X-Forwarded-For", address), ("Authorization", voucher)];
    app.send("GET", "/waas/v1/flussi?since=0", &headers, b"")
}

on_both_databases! {
    fn garbage_from_one_address_is_turned_away_before_it_is_looked_at(database) {
        let (app, millis) = limited(database);
        let good = format!("Bearer {}", app.voucher());
        millis.fetch_add(15_000, Ordering::SeqCst);
        for _ in 0..3 {
            pull(&app, "192.0.2.1", "Bearer a.b.c").problem(401);
        }
        for voucher in ["Bearer a.b.c", &good] {
            let refused = pull(&app, "192.0.2.1", voucher);
            assert!(refused.problem(429).contains("troppe chiamate"), "{refused:?}");
            assert_eq!(refused.header("retry-after"), Some("45"));
            assert!(refused.header("x-ratelimit-limit").is_some(), "{refused:?}");
            assert!(refused.header("www-authenticate").is_none());
        }
        let path = |path: &str| app.send("GET", path, &[("X-Forwarded-For", "192.0.2.1")], b"");
        path("/waas/v1/status").problem(429);
        path("/none").problem(429);

        // Another address is another matter, and so is what a client claims of itself beyond the proxy.
        assert_eq!(pull(&app, "192.0.2.2", &good).flussi().len(), 1);
        pull(&app, "198.51.100.7, 192.0.2.1", &good).problem(429);
        assert_eq!(pull(&app, "192.0.2.1, 192.0.2.2", &good).status, 200);

        // Of IPv6 a network counts: one client has all its addresses.
        for host in 1..=3 {
            pull(&app, &format!("2001:db8:0:1::{host}"), "Bearer a.b.c").problem(401);
        }
        pull(&app, "2001:db8:0:1:ffff::1", &good).problem(429);
        assert_eq!(pull(&app, "2001:db8:0:2::1", &good).status, 200);
        // The same client, as a socket for both protocols shows it.
        pull(&app, "::ffff:192.0.2.1", &good).problem(429);
        // And as other proxies write it.
        for address in ["192.0.2.1:49152", "[2001:db8:0:1::1]:49152", "[2001:db8:0:1::1]"] {
            pull(&app, address, &good).problem(429);
        }

        // The next minute begins anew.
        millis.store(MINUTE + 60_000, Ordering::SeqCst);
        let good = format!("Bearer {}", app.voucher());
        assert_eq!(pull(&app, "192.0.2.1", &good).status, 200);

        let log = app.stop();
        let mut summaries = BTreeMap::new();
        for entry in log.iter().filter(|entry| entry["outcome"] == "address_limit") {
            assert_eq!(entry["instant"], "2026-09-21T14:14:00.000Z", "the minute that is summed up");
            assert_eq!((&entry["status"], &entry["eservice"]), (&json!(429), &json!(null)));
            let address = entry["client_ip"].as_str().unwrap().to_owned();
            summaries.insert(address, entry["count"].as_u64().unwrap());
        }
        let expected = [("192.0.2.1".to_owned(), 7), ("2001:db8:0:1::".to_owned(), 3)];
        assert_eq!(summaries, BTreeMap::from(expected), "one entry for each address and minute");
        assert_eq!(log.iter().filter(|entry| entry["outcome"] == "voucher_refused").count(), 6);
    }

    fn a_pull_with_a_good_voucher_is_as_fast_as_it_likes(database) {
        let (app, _) = limited(database);
        let good = format!("Bearer {}", app.voucher());
        for _ in 0..20 {
            assert_eq!(pull(&app, "192.0.2.1", &good).status, 200);
            let wrong = [("X-Forwarded-For", "192.0.2.1"), ("Authorization", good.as_str())];
            app.send("GET", "/waas/v1/flussi?since=x", &wrong, b"").problem(400);
        }
        // And whoever comes from the machine itself is not limited, nor are all together behind a nameless proxy.
        for _ in 0..20 {
            app.send("GET", "/waas/v1/flussi?since=0", &[], b"").problem(401);
        }
    }

    fn two_instances_keep_one_threshold_and_one_memory_of_proofs(database) {
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        // A clock that stands still: no midnight comes in between.
        let clock = Clock::Manual(Arc::new(AtomicI64::new(MINUTE)));
        let world = World::new(profile, clock.clone(), "https://waas.example.it/waas/v1/flussi");
        let folder = tempfile::tempdir().unwrap();
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, world.jwks()).unwrap();
        let config: Config = serde_json::from_value(json!({
            "database": { "url": database.url },
            "api": { "bind": "127.0.0.1:0", "public_url": "https://waas.example.it" },
            "back_office": { "bind": "127.0.0.1:0" },
            "eservice": [{
                "name": "prova", "base_path": "/waas/v1", "environment": "locale", "audience": ["SIUSS"],
                "issuer": world.profile.issuer, "jwks_url": format!("file:{}", jwks.display()),
                "daily_calls_per_consumer": 60, "daily_calls_total": 60,
                "ente": [{
                    "codice": "H501", "denominazione": "Comune di Roma", "sede": "H501",
                    "cf_operatore": "RSSMRA80A01H501U",
                }],
            }],
        }))
        .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let instances = [(); 2].map(|()| runtime.block_on(server::start(&config, clock.clone())).unwrap());
        let addresses: [SocketAddr; 2] = [instances[0].api, instances[1].api];

        // The same proof, to the one and to the other, both ways and at once.
        for (first, second) in [(0, 1), (1, 0)] {
            let once = bound_call(&world);
            assert_eq!(call(addresses[first], &once), (200, None));
            assert_eq!(call(addresses[second], &once), (401, Some("dpop_replay".to_owned())));
        }
        for _ in 0..5 {
            let once = bound_call(&world);
            let mut codes = thread::scope(|scope| {
                let once = &once;
                let calls = addresses.map(|address| scope.spawn(move || call(address, once).0));
                calls.map(|call| call.join().unwrap())
            });
            codes.sort_unstable();
            assert_eq!(codes, [200, 401], "a proof is good once");
        }

        // Seven calls are counted by now. Eight clients at once take what is left of the day, and not a call more.
        let answered: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..8)
                .map(|client| {
                    let address = addresses[client % 2];
                    let world = &world;
                    let sent = crate::voucher_corpus::Sent {
                        authorization: vec![format!("Bearer {}", world.honest()).into_bytes()],
                        ..Default::default()
                    };
                    scope.spawn(move || {
                        let codes: Vec<u16> = (0..12).map(|_| call(address, &sent).0).collect();
                        assert!(codes.iter().all(|code| [200, 429].contains(code)), "{codes:?}");
                        codes.iter().filter(|code| **code == 200).count()
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(answered, 53, "both count the same calls");
        for instance in instances {
            runtime.block_on(instance.stop());
        }
    }
}
