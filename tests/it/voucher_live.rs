//! The corpus of tokens against a running server, over HTTP, and what the call log says of it afterwards.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;
use waas_comuni::api::server;
use waas_comuni::call_log::search::{Filter, search};
use waas_comuni::clock::Clock;
use waas_comuni::config::Config;
use waas_comuni::voucher::issuer::Profile;

use crate::support::database::on_both_databases;
use crate::voucher_corpus::{Case, Sent, World, bound_call, cases};

/// Sends a call, and returns the status and the code of the refusal.
pub(crate) fn call(address: SocketAddr, sent: &Sent) -> (u16, Option<String>) {
    let query = if sent.query.is_empty() { "since=0" } else { &sent.query };
    let mut request =
        format!("GET /waas/v1/flussi?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
    for (name, values) in [("Authorization", &sent.authorization), ("DPoP", &sent.dpop)] {
        for value in values {
            request.extend_from_slice(format!("{name}: ").as_bytes());
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
    }
    request.extend_from_slice(b"\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let challenge = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("www-authenticate").then_some(value)
    });
    let code = challenge.map(|challenge| match challenge.split_once("error_description=\"") {
        Some((_, description)) => description.split(':').next().unwrap().to_owned(),
        None => "none".to_owned(),
    });
    (status, code)
}

on_both_databases! {
    fn every_token_gets_what_it_deserves_from_a_running_server(database) {
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        let world = World::new(profile, Clock::System, "https://waas.example.it/waas/v1/flussi");
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
                "producer_id": world.profile.producer_id.unwrap(), "eservice_id": world.profile.eservice_id.unwrap(),
                "descriptor_ids": [world.profile.descriptor_id.unwrap()],
                "consumer_ids": [world.profile.consumer_id.unwrap()],
                "daily_calls_per_consumer": 1000, "daily_calls_total": 1000,
                "ente": [{
                    "codice": "H501", "denominazione": "Comune di Roma", "sede": "H501",
                    "cf_operatore": "RSSMRA80A01H501U",
                }],
            }],
        }))
        .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let running = runtime.block_on(server::start(&config, Clock::System)).unwrap();

        let (mut wrong, mut expected, mut signatures) = (Vec::new(), BTreeMap::<Option<String>, usize>::new(), Vec::new());
        for Case { name, refused, make } in cases() {
            let sent = make(&world);
            let text = [sent.authorization.concat(), sent.query.clone().into_bytes()].concat();
            let text = String::from_utf8_lossy(&text).into_owned();
            signatures.extend(text.rsplit_once('.').map(|(_, signature)| signature.to_owned()).filter(|end| end.len() > 80));
            let (status, code) = call(running.api, &sent);
            // Whoever sent no credential of a known kind gets no code: RFC 6750, section 3.1.
            let shown = refused.map(|(_, code)| match code {
                "credentials_missing" | "scheme" => "none".to_owned(),
                code => code.to_owned(),
            });
            if (status, &code) != (refused.map_or(200, |(status, _)| status), &shown) {
                wrong.push(format!("{name}: expected {refused:?}, got {status} {code:?}"));
            }
            *expected.entry(refused.map(|(_, code)| code.to_owned())).or_default() += 1;
        }
        let once = bound_call(&world);
        assert_eq!(call(running.api, &once).0, 200);
        assert_eq!(call(running.api, &once), (401, Some("dpop_replay".to_owned())));
        *expected.entry(None).or_default() += 1;
        *expected.entry(Some("dpop_replay".to_owned())).or_default() += 1;
        runtime.block_on(running.stop());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        let store = database.store();
        let page = store.read(|connection| search(connection, &Filter::default(), None, 10_000)).unwrap();
        let mut logged = BTreeMap::<Option<String>, usize>::new();
        for entry in page.entries {
            let entry = entry.json().unwrap();
            let code = entry["voucher_check"].as_str().map(str::to_owned);
            if code.is_none() {
                assert_eq!(entry["consumer_id"], json!(world.profile.consumer_id));
            }
            *logged.entry(code).or_default() += 1;
            let text = serde_json::to_string(&entry).unwrap();
            assert!(!signatures.iter().any(|signature| text.contains(signature)), "a reusable token is in the log");
        }
        assert_eq!(logged, expected, "every call is in the log, with the check that it failed");
    }
}
