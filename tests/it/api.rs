//! The contract, over HTTP, on a running service.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use waas_comuni::api::openapi;
use waas_comuni::config;
use waas_comuni::siuss::record::TipoOperazione::{Cancellazione, Inserimento};
use waas_comuni::siuss::xml;

use crate::support::app::{self, App};
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore, withdrawn};

/// A call with a mistake: method, path, headers, body; the status of its answer, and a word of its detail.
type Mistake<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16, &'a str);

fn timestamps(flussi: &[Value]) -> Vec<i64> {
    flussi
        .iter()
        .map(|flusso| flusso["ts_flusso"].as_str().unwrap())
        .map(|text| {
            assert_eq!(text.len(), "2023-11-27T11:04:56.852Z".len(), "{text}");
            text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
        })
        .collect()
}

on_both_databases! {
    fn a_cursor_sees_every_flow_once_and_in_order(database) {
        let app = App::start(database);
        let records: Vec<_> = (0..25).map(|number| mensa(&format!("2025/{number}"), 8000)).collect();
        app.publish(&records);
        app.publish(&[minore("MIN-1", 5)]);

        assert_eq!(app.get("/flussi?since=0").flussi().len(), 10, "ten by default");
        assert_eq!(app.get("/flussi?since=0&limit=0").flussi().len(), 0);
        assert_eq!(app.get("/flussi?since=0&max_entries=7").flussi().len(), 7);
        assert_eq!(app.get("/flussi?since=0&limit=3&max_entries=7").flussi().len(), 3);

        let mut seen = Vec::new();
        let mut since = 0;
        loop {
            let page = app.get(&format!("/flussi?since={since}&limit=4")).flussi();
            let Some(last) = timestamps(&page).last().copied() else { break };
            assert_eq!(page, app.get(&format!("/flussi?since={since}&limit=4")).flussi(), "asked twice");
            since = last;
            seen.extend(page);
        }
        assert_eq!(seen.len(), 26);
        assert!(timestamps(&seen).windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(seen, app.get("/flussi?since=0&limit=100").flussi());
        for flusso in &seen {
            let document = BASE64_STANDARD.decode(flusso["flusso"].as_str().unwrap()).unwrap();
            let read = xml::read(&document).unwrap();
            assert_eq!(flusso["id_flusso"], read.nome.as_str());
            assert_eq!(flusso["codice_ente"], read.ente.codice.as_str());
            assert_eq!(flusso["denominazione_ente"], "Comune di Roma");
            assert_eq!(flusso["tipo"], read.record.tipo().as_str());
            assert_eq!(flusso.as_object().unwrap().len(), 6);
        }
        assert_eq!(seen[25]["tipo"], "SINBA");
        assert!(seen[0]["id_flusso"].as_str().unwrap().starts_with("H501.PS.20"));
        assert!(seen[0]["id_flusso"].as_str().unwrap().ends_with(".0000001"));
        for beyond in ["9223372036854775807", "9223372036854775808", "100000000000000000000"] {
            assert_eq!(app.get(&format!("/flussi?since={beyond}")).flussi(), Vec::<Value>::new());
        }
    }

    fn a_change_is_a_cancellation_and_an_insertion(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000)]);
        app.publish(&[mensa("2025/1", 8000)]);
        app.publish(&[mensa("2025/1", 9000)]);
        app.publish(&[withdrawn(&mensa("2025/1", 9000))]);
        let flussi = app.get("/flussi?since=0").flussi();
        let documents: Vec<String> = flussi
            .iter()
            .map(|flusso| BASE64_STANDARD.decode(flusso["flusso"].as_str().unwrap()).unwrap())
            .map(|document| String::from_utf8(document).unwrap())
            .collect();
        let operations: Vec<_> = documents
            .iter()
            .map(|document| xml::read(document.as_bytes()).unwrap().record.operazione())
            .collect();
        assert_eq!(operations, [Inserimento, Cancellazione, Inserimento, Cancellazione]);
        let same = |index: usize| {
            documents[index]
                .replace("TipoOperazione=\"C\"", "TipoOperazione=\"I\"")
                .replace(flussi[index]["id_flusso"].as_str().unwrap(), "NAME")
        };
        assert_eq!(same(0), same(1), "the cancellation repeats what was sent");
        assert_eq!(same(2), same(3));
    }

    fn only_a_voucher_opens_the_door(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000)]);
        let stranger = App::start(database);
        let foreign = format!("Bearer {}", stranger.voucher());
        drop(stranger);
        let attempts: &[&[(&str, &str)]] = &[
            &[],
            &[("Authorization", "Bearer ")],
            &[("Authorization", "Bearer a.b.c")],
            &[("Authorization", "Basic dXNlcjpwYXNz")],
            &[("Authorization", &foreign)],
        ];
        for headers in attempts {
            for (method, path) in [("GET", "/flussi?since=0"), ("POST", "/esiti")] {
                let answer = app.send(method, &format!("/waas/v1{path}"), headers, br#"{"elenco_esiti":[]}"#);
                answer.problem(401);
                assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("Bearer")));
                assert!(!answer.body.contains("H501"), "{answer:?}");
            }
        }
        let in_query = app.send("GET", &format!("/waas/v1/flussi?since=0&access_token={}", app.voucher()), &[], b"");
        in_query.problem(401);
        assert_eq!(app.send("GET", "/waas/v1/status", &[], b"").status, 200);
        assert_eq!(app.send("GET", "/waas/v1/status", &[("Authorization", "Bearer x")], b"").status, 200);
        let contract = app.send("GET", "/waas/v1/openapi.yaml", &[], b"");
        assert_eq!(contract.status, 200);
        let voucher = app.voucher();
        let keys = app.keys.path().to_owned();
        let log = app.stop();
        assert_eq!(contract.body, openapi::document(&app::config(database, &keys).eservice[0], None));
        assert_eq!(log.iter().filter(|entry| entry["outcome"] == "voucher_refused").count(), 11);
        let signature = voucher.rsplit('.').next().unwrap();
        assert!(!log.iter().any(|entry| entry.to_string().contains(signature)), "no token in the log");
    }

    fn every_error_is_a_problem_that_says_what_to_do(database) {
        let app = App::start(database);
        let voucher = format!("Bearer {}", app.voucher());
        let json = ("Content-Type", "application/json");
        let auth = ("Authorization", voucher.as_str());
        let large = format!("{{\"elenco_esiti\":[{}]}}", " ".repeat(2 << 20));
        let many = json!({ "elenco_esiti": vec![Value::Null; 101] }).to_string();
        let cases: &[Mistake<'_>] = &[
            ("GET", "/", &[], b"", 404, "non esiste"),
            ("GET", "/waas/v1", &[auth], b"", 404, "non esiste"),
            ("GET", "/waas/v1/flussi/", &[auth], b"", 404, "non esiste"),
            ("GET", "/waas/v2/flussi?since=0", &[auth], b"", 404, "non esiste"),
            ("POST", "/waas/v1/flussi?since=0", &[auth], b"", 405, "GET"),
            ("DELETE", "/waas/v1/esiti", &[auth], b"", 405, "POST"),
            ("GET", "/waas/v1/esiti", &[auth], b"", 405, "POST"),
            ("PUT", "/waas/v1/status", &[], b"", 405, "GET"),
            ("GET", "/waas/v1/flussi", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=-1", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=1.5", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=100000000000000000001", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=0&since=1", &[auth], b"", 400, "since"),
            ("GET", "/waas/v1/flussi?since=0&limit=101", &[auth], b"", 400, "limit"),
            ("GET", "/waas/v1/flussi?since=0&limit=-1", &[auth], b"", 400, "limit"),
            ("GET", "/waas/v1/flussi?since=0&limit=", &[auth], b"", 400, "limit"),
            ("GET", "/waas/v1/flussi?since=0&max_entries=x", &[auth], b"", 400, "max_entries"),
            ("POST", "/waas/v1/esiti", &[auth], b"{}", 415, "application/json"),
            ("POST", "/waas/v1/esiti", &[auth, ("Content-Type", "text/plain")], b"{}", 415, "application/json"),
            ("POST", "/waas/v1/esiti", &[auth, json, ("Content-Encoding", "gzip")], b"{}", 415, "compresso"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"", 400, "vuoto"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"elenco_esiti\":[}", 400, "riga 1, colonna 18"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"elenco_esiti\":[{\"x\":\"\xE8\"}]}", 400, "UTF-8"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"[]", 400, "oggetto"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"altro\":1}", 400, "altro"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"elenco_esiti\":7}", 400, "elenco"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"elenco_esiti\":[],\"elenco_esiti\":[]}", 400, "ripete"),
            ("POST", "/waas/v1/esiti", &[auth, json], b"{\"elenco_esiti\":[{\"x\":1,\"x\":2}]}", 400, "ripete"),
            ("POST", "/waas/v1/esiti", &[auth, json], many.as_bytes(), 400, "101"),
            ("POST", "/waas/v1/esiti", &[auth, json], large.as_bytes(), 413, "byte"),
        ];
        for (method, path, headers, body, status, word) in cases {
            let answer = app.send(method, path, headers, body);
            let detail = answer.problem(*status);
            assert!(detail.contains(word), "{method} {path}: {detail}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        let log = app.stop();
        assert_eq!(log.len(), cases.len(), "every call is an entry");
        let statuses: Vec<u64> = log.iter().map(|entry| entry["status"].as_u64().unwrap()).collect();
        for (_, path, _, _, status, _) in cases {
            assert!(statuses.contains(&u64::from(*status)), "{path}");
        }
    }

    fn outcomes_are_kept_once_and_all_or_none(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000)]);
        let flusso = &app.get("/flussi?since=0").flussi()[0];
        let esito = |id: &Value, codice: &str| json!({
            "id_flusso": id, "tipo": "PS_PSA_SINA", "ts_flusso": flusso["ts_flusso"],
            "ts_acquisizione": "2026-01-05T10:00:00.000+01:00", "codice_esito": codice,
            "descrizione_esito": null, "id_acquisizione_siuss": "22738", "codice_siuss": "X", "codice_ente": "H501",
        });
        let id = &flusso["id_flusso"];
        let batch = json!({ "elenco_esiti": [esito(id, "OK"), esito(&json!("Z999.PS.20200101.0000001"), "OK")] });
        let count = || app.registry.counts(app.eservice).unwrap();
        for _ in 0..3 {
            let answer = app.post_esiti(&batch.to_string());
            assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        }
        let known = count();
        let corrected = json!({ "elenco_esiti": [esito(id, "RICHIESTA_INVALIDA")] });
        assert_eq!(app.post_esiti(&corrected.to_string()).status, 204);
        assert_ne!(count(), known, "a later outcome corrects an earlier one");

        let before = count();
        for (field, value) in [
            ("codice_esito", json!("BENE")), ("id_flusso", json!(7)), ("tipo", json!("x".repeat(65))),
            ("ts_flusso", json!("2026-01-05")), ("ts_flusso", json!("2026-02-30T10:00:00Z")),
            ("ts_acquisizione", Value::Null), ("descrizione_esito", json!([])),
        ] {
            let mut wrong = esito(id, "OK");
            wrong[field] = value.clone();
            wrong["id_acquisizione_siuss"] = json!("never stored");
            let mut first = esito(id, "OK");
            first["id_acquisizione_siuss"] = json!("never stored either");
            let body = json!({ "elenco_esiti": [first, wrong] });
            let detail = app.post_esiti(&body.to_string()).problem(400);
            assert!(detail.contains(&format!("elenco_esiti[1].{field}")), "{detail}");
        }
        assert_eq!(count(), before, "nothing of a wrong delivery is stored");
        for nothing in ["{}", r#"{"elenco_esiti":[]}"#, r#"{"elenco_esiti":null}"#, "\u{FEFF}{}\r\n"] {
            assert_eq!(app.post_esiti(nothing).status, 204, "{nothing}");
        }
        let odd = json!({ "elenco_esiti": [{
            "id_flusso": "", "tipo": "", "ts_flusso": "0001-01-01t00:00:00.123456789012z",
            "ts_acquisizione": "9999-12-31T23:59:59-23:59", "codice_esito": "ERRORE_GENERICO",
            "descrizione_esito": "nul \u{0} nul", "altro": { "in": ["fondo", "\u{0}"] },
        }] });
        assert_eq!(app.post_esiti(&odd.to_string()).status, 204, "all that the contract admits is taken");
        let endless: String = (1_u64..5000).map(|number| number.wrapping_mul(6_364_136_223_846_793_005).to_string()).collect();
        let stray = json!({ "elenco_esiti": [esito(id, "OK"), esito(&json!(endless), "OK")] });
        assert_eq!(app.post_esiti(&stray.to_string()).status, 204, "a stray name stops no other outcome");
    }

    fn a_pull_is_in_the_log_before_it_is_answered(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), mensa("2025/2", 8000)]);
        let answer = app.get("/flussi?since=5&limit=50");
        let flussi = answer.flussi();
        let log = app.log();
        let entry = log.last().unwrap();
        assert_eq!(entry["request_id"], answer.header("x-request-id").unwrap());
        assert_eq!((&entry["status"], &entry["outcome"]), (&json!(200), &json!("ok")));
        assert_eq!((&entry["since"], &entry["limit"], &entry["count"]), (&json!(5), &json!(50), &json!(2)));
        let ts = timestamps(&flussi);
        assert_eq!((&entry["first_ts"], &entry["last_ts"]), (&json!(ts[0]), &json!(ts[1])));
        assert_eq!((&entry["eservice"], &entry["method"]), (&json!("prova"), &json!("GET")));
        assert_eq!((&entry["path"], &entry["query"]), (&json!("/waas/v1/flussi"), &json!("since=5&limit=50")));
        assert_eq!(entry["purpose_id"], app.profile.purpose_id.to_string());
        assert_eq!(entry["client_id"], app.profile.client_id.to_string());
        assert_eq!(entry["client_ip"], "127.0.0.1");
        assert_eq!(entry["bytes"], answer.body.len());
        assert!(entry["token_id"].is_string() && entry["kid"].is_string());
        assert!(entry["instant"].as_str().unwrap().ends_with('Z'));
        assert_eq!(entry["index"], json!(log.len() - 1));
    }

    fn thresholds_are_announced_and_enforced(database) {
        let app = App::start_with(database, |config| config.eservice[0].daily_calls_total = 3);
        app.publish(&[mensa("2025/1", 8000)]);
        let unknown = app.send("GET", "/waas/v1/flussi?since=0", &[], b"");
        unknown.problem(401);
        assert_eq!(unknown.header("x-ratelimit-limit"), Some("3"), "a caller not known yet sees the total");
        for remaining in ["2", "1", "0"] {
            let answer = app.get("/flussi?since=0");
            assert_eq!(answer.flussi().len(), 1);
            assert_eq!(answer.header("x-ratelimit-limit"), Some("3"));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some(remaining));
            assert!(answer.header("x-ratelimit-reset").unwrap().parse::<u32>().unwrap() <= 3600);
        }
        for answer in [app.get("/flussi?since=0"), app.post_esiti("{}")] {
            answer.problem(429);
            assert!((1..=3600).contains(&answer.header("retry-after").unwrap().parse::<u32>().unwrap()));
            assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        }
        assert_eq!(app.get("/status").status, 200, "the health check does not count");
        let log = app.stop();
        let refused: Vec<_> = log.iter().filter(|entry| entry["status"] == 429).collect();
        assert_eq!(refused.len(), 2);
        assert!(refused.iter().all(|entry| entry["count"].is_null() && entry["first_ts"].is_null()));
    }

    fn eservices_do_not_see_each_other(database) {
        let app = App::start_with(database, |config| {
            let other = config.eservice[0].clone();
            config.eservice.push(config::EService {
                name: "collaudo".to_owned(),
                base_path: "/collaudo/waas/v1".to_owned(),
                audience: vec!["ALTRO".to_owned()],
                ..other
            });
        });
        app.publish(&[mensa("2025/1", 8000)]);
        let voucher = format!("Bearer {}", app.voucher());
        let answer = app.send("GET", "/collaudo/waas/v1/flussi?since=0", &[("Authorization", &voucher)], b"");
        answer.problem(401);
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
        let log = app.stop();
        let names: Vec<&str> = log.iter().map(|entry| entry["eservice"].as_str().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| **name == "collaudo").count(), 1);
    }
}
