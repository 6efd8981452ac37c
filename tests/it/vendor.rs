//! Vendors' software on the back-office listener: keys, batches, repetitions, corrections, withdrawals; and that every
//! answer is one that `specs/back-office.yaml` describes.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::vendor::keys;

use crate::json::{borsa, minore};
use crate::metrics::metric;
use crate::support::app::{Answer, App};
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::xmllint;

/// A vendor's software, with a key of its own.
struct Vendor<'a> {
    app: &'a App,
    key: String,
    contract: Value,
}

impl<'a> Vendor<'a> {
    /// With a key for these enti.
    fn new(app: &'a App, name: &str, enti: &[&str]) -> Self {
        let key = keys::generate().unwrap().expose_secret().to_owned();
        let enti: Vec<String> = enti.iter().map(|codice| (*codice).to_owned()).collect();
        let now_ms = Clock::System.now_ms();
        let added =
            app.store.write(|connection| keys::add(connection, name, app.eservice, &enti, &key, now_ms));
        assert!(added.unwrap());
        let contract = std::fs::read_to_string(xmllint::own("back-office.yaml")).unwrap();
        Self { app, key, contract: serde_yaml_ng::from_str(&contract).unwrap() }
    }

    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("X-API-Key", self.key.as_str()), ("Content-Type", "application/json")];
        all.extend(headers);
        let answer = self.app.send_back_office(method, &format!("/api/v1{path}"), &all, body.as_bytes());
        self.check(method, path, &answer);
        answer
    }

    fn post(&self, body: &Value) -> Value {
        let answer = self.call("POST", "/prestazioni", &[], &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["records"].clone()
    }

    /// Holds an answer to the contract.
    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap();
        let template = match path.strip_prefix("/prestazioni/") {
            Some(rest) if rest.ends_with("/invio") => "/prestazioni/{id}/invio",
            Some(_) => "/prestazioni/{id}",
            None => path,
        };
        let operation = &self.contract["paths"][template][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {template} is not in the contract");
        let response = resolve(&self.contract, &operation["responses"][answer.status.to_string()]);
        assert!(response.is_object(), "{method} {template} does not answer {}: {answer:?}", answer.status);
        let media_type = answer.header("content-type").unwrap();
        let schema = &response["content"][media_type]["schema"];
        assert!(schema.is_object(), "{method} {template} {} is not {media_type}", answer.status);
        conforms(&self.contract, schema, &answer.json(), "answer");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
    }
}

fn resolve<'a>(contract: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => contract.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Checks `value` against the parts of JSON Schema that the contract uses.
fn conforms(contract: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(contract, schema);
    if value.is_null() {
        assert_eq!(schema["nullable"], true, "{at} is null");
        return;
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        conforms(contract, part, value, at);
    }
    let kind = match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        _ => "boolean",
    };
    assert_eq!(schema["type"], kind, "{at}: {value}");
    if let Some(values) = schema["enum"].as_array() {
        assert!(values.contains(value), "{at}: {value}");
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(name.as_str().unwrap()), "{at} has no {name}");
        }
        for (name, member) in object {
            match schema["properties"].get(name) {
                Some(known) => conforms(contract, known, member, &format!("{at}.{name}")),
                None => {
                    assert_ne!(schema["additionalProperties"], false, "{at}.{name} is not in the contract");
                }
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        conforms(contract, &schema["items"], item, &format!("{at}[]"));
    }
}

fn verdicts(records: &Value) -> Vec<&str> {
    records.as_array().unwrap().iter().map(|record| record["verdict"].as_str().unwrap()).collect()
}

fn set(record: &Value, member: &str, value: Value) -> Value {
    let mut record = record.clone();
    record["Beneficiario"]["PrestazioniSociali"][member] = value;
    record
}

/// The id of the only benefit of a record.
fn id(record: &Value) -> String {
    record["prestazioni"][0]["id"].as_str().unwrap().to_owned()
}

/// The operations in the feed so far.
fn operations(app: &App) -> Vec<String> {
    let page = app.registry.page(app.eservice, 0, 1000).unwrap();
    let operation =
        |xml: &str| xml.split_once("TipoOperazione=\"").map_or("-", |(_, rest)| &rest[..1]).to_owned();
    page.iter().map(|flusso| operation(std::str::from_utf8(&flusso.xml).unwrap())).collect()
}

on_both_databases! {
    fn a_batch_has_a_verdict_for_each_record(database) {
        let app = App::start(database);
        let vendor = Vendor::new(&app, "gestionale", &[]);
        let wrong = set(&borsa("3"), "ImportoPrestazione", json!(-1));
        let records = vendor.post(&json!([borsa("1"), borsa("2"), wrong, 7, minore("MIN-1")]));
        assert_eq!(verdicts(&records), ["published", "published", "refused", "refused", "published"]);
        assert_eq!(records[2]["notices"][0]["rule"], "PS-04");
        assert_eq!(records[2]["ProtocolloDomanda"], "3");
        let flusso = records[0]["prestazioni"][0]["flussi"][0].as_str().unwrap();
        assert!(flusso.starts_with("H501.PS."), "{flusso}");
        let withdrawal = set(&borsa("2"), "TipoOperazione", json!("C"));
        let unknown = set(&borsa("9"), "TipoOperazione", json!("C"));
        let changed = set(&borsa("1"), "ImportoPrestazione", json!("601.00"));
        let again = vendor.post(&json!([changed, withdrawal, unknown, minore("MIN-1")]));
        assert_eq!(verdicts(&again), ["changed", "withdrawn", "refused", "unchanged"]);
        assert_eq!(again[0]["prestazioni"][0]["id"], records[0]["prestazioni"][0]["id"]);
        assert_eq!(again[2]["notices"][0]["rule"], "REG-01");
        assert_eq!(verdicts(&vendor.post(&borsa("1"))), ["changed"], "one record needs no array");
        assert_eq!(operations(&app), ["I", "I", "-", "C", "I", "C", "C", "I"]);
        let log = app.stop();
        assert_eq!(log.len(), 3);
        for (entry, count) in log.iter().zip([5, 4, 1]) {
            assert_eq!(entry["path"], "/api/v1/prestazioni");
            assert_eq!((&entry["eservice"], &entry["user_id"], &entry["count"]), (&json!("prova"), &json!("gestionale"), &json!(count)));
        }
    }

    fn a_request_that_comes_twice_is_done_once(database) {
        let app = App::start(database);
        let vendor = Vendor::new(&app, "gestionale", &[]);
        let other = Vendor::new(&app, "altro", &[]);
        let key = [("Idempotency-Key", "richiesta-1")];
        let body = json!([borsa("1"), 7]).to_string();
        let first = vendor.call("POST", "/prestazioni", &key, &body);
        let again = vendor.call("POST", "/prestazioni", &key, &body);
        assert_eq!((first.status, &first.body), (again.status, &again.body));
        assert_eq!(verdicts(&again.json()["records"]), ["published", "refused"], "without the key it would be unchanged");
        let other_body = vendor.call("POST", "/prestazioni", &key, &borsa("2").to_string());
        assert!(other_body.problem(422).contains("Idempotency-Key"));
        let another = other.call("POST", "/prestazioni", &key, &body);
        assert_eq!(verdicts(&another.json()["records"]), ["unchanged", "refused"], "a key of another's is another");
        let path = format!("/prestazioni/{}", id(&first.json()["records"][0]));
        assert!(vendor.call("DELETE", &path, &key, "").problem(422).contains("Idempotency-Key"));
        let delete = [("Idempotency-Key", "richiesta-2")];
        let deleted = [vendor.call("DELETE", &path, &delete, ""), vendor.call("DELETE", &path, &delete, "")];
        assert!(deleted.iter().all(|answer| answer.json()["verdict"] == "withdrawn"), "{deleted:?}");
        let wrong = [("Idempotency-Key", "richiesta-3")];
        let refused = [vendor.call("PUT", &path, &wrong, "{}"), vendor.call("PUT", &path, &wrong, "{}")];
        assert!(refused.iter().all(|answer| answer.status == 422), "{refused:?}");
        for result in ["taken", "refused"] {
            let counted = format!("waas_comuni_import_records_total{{eservice=\"prova\",result=\"{result}\"}}");
            assert_eq!(metric(&app, &counted), Some(3.0), "what is repeated is not counted again");
        }
        for bad in ["", "con spazio", &"x".repeat(129)] {
            vendor.call("POST", "/prestazioni", &[("Idempotency-Key", bad)], &body).problem(400);
        }
        assert_eq!(operations(&app), ["I", "C"]);
    }

    fn two_requests_at_once_with_one_key_are_one(database) {
        let app = App::start(database);
        let vendor = Vendor::new(&app, "gestionale", &[]);
        let body = json!([borsa("1")]).to_string();
        let answers: Vec<String> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..6)
                .map(|_| scope.spawn(|| vendor.call("POST", "/prestazioni", &[("Idempotency-Key", "k")], &body).body))
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.contains("published")), "{answers:?}");
        assert_eq!(operations(&app), ["I"]);
    }

    fn a_benefit_is_read_corrected_and_withdrawn_by_its_id(database) {
        let app = App::start(database);
        let vendor = Vendor::new(&app, "gestionale", &[]);
        let records = vendor.post(&json!([borsa("1"), minore("MIN-1")]));
        let path = format!("/prestazioni/{}", id(&records[0]));
        let read = vendor.call("GET", &path, &[], "").json();
        assert_eq!((&read["stato"], &read["ente"], &read["tipo"]), (&json!("attiva"), &json!("H501"), &json!("PS_PSA_SINA")));
        assert_eq!(read["flussi"].as_array().unwrap().len(), 1);
        let put = |path: &str, record: &Value| vendor.call("PUT", path, &[], &record.to_string());

        // What was read can be sent back, as it is or corrected.
        assert_eq!(put(&path, &read["record"]).json()["verdict"], "unchanged");
        let amount = set(&read["record"], "ImportoPrestazione", json!(700));
        assert_eq!(put(&path, &amount).json()["verdict"], "changed");
        let refused = put(&path, &set(&amount, "ImportoPrestazione", json!(0)));
        refused.problem(422);
        assert_eq!(refused.json()["record"]["notices"][0]["rule"], "PS-04");
        put(&path, &set(&amount, "TipoOperazione", json!("C"))).problem(422);

        // Another protocol is another benefit: the old one is withdrawn.
        let corrected = put(&path, &set(&amount, "ProtocolloDomanda", json!("2"))).json();
        assert_eq!(corrected["verdict"], "changed");
        let parts = corrected["prestazioni"].as_array().unwrap();
        assert_eq!((&parts[0]["verdict"], &parts[1]["verdict"]), (&json!("withdrawn"), &json!("published")));
        assert_eq!(vendor.call("GET", &path, &[], "").json()["stato"], "ritirata");
        put(&path, &amount).problem(422);
        let second = format!("/prestazioni/{}", parts[1]["id"].as_str().unwrap());
        let deleted = vendor.call("DELETE", &second, &[], "").json();
        assert_eq!(deleted["verdict"], "withdrawn");
        assert_eq!(vendor.call("DELETE", &second, &[], "").json()["verdict"], "unchanged");
        let read = vendor.call("GET", &second, &[], "").json();
        assert_eq!(read["record"]["Beneficiario"]["PrestazioniSociali"]["ProtocolloDomanda"], "2");
        assert_eq!(operations(&app), ["I", "-", "C", "I", "C", "I", "C"]);

        let child = format!("/prestazioni/{}", id(&records[1]));
        let sinba = vendor.call("GET", &child, &[], "").json();
        assert_eq!(put(&child, &sinba["record"]).json()["verdict"], "unchanged");
        let refused = vendor.call("DELETE", &child, &[], "");
        refused.problem(422);
        assert!(refused.json()["record"]["notices"][0]["message"].as_str().unwrap().contains("SINBA"), "{refused:?}");
        put(&child, &minore("MIN-2")).problem(422);
        for missing in ["/prestazioni/1", "/prestazioni/99999999999999999999", "/prestazioni/x"] {
            vendor.call("GET", missing, &[], "").problem(404);
        }
        vendor.call("DELETE", "/prestazioni/1", &[], "").problem(404);
    }

    fn what_inps_refused_is_told_and_sent_again(database) {
        let app = App::start(database);
        let vendor = Vendor::new(&app, "gestionale", &[]);
        let path = format!("/prestazioni/{}", id(&vendor.post(&borsa("1"))[0]));
        let flow = || vendor.call("GET", &path, &[], "").json()["flussi"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&flow()["stato"], &flow()["prelievi"]), (&json!("pubblicato"), &Value::Null));
        assert_eq!(app.get("/flussi?since=0").status, 200);
        assert_eq!((&flow()["stato"], &flow()["prelievi"]["count"]), (&json!("prelevato"), &json!(1)));
        assert_eq!(flow()["prelievi"]["first"], flow()["prelievi"]["last"]);
        let again = format!("{path}/invio");
        assert_eq!(vendor.call("POST", &again, &[], "").json()["verdict"], "unchanged");
        let refusal = json!({ "elenco_esiti": [{
            "id_flusso": flow()["id_flusso"], "ts_flusso": flow()["published"], "tipo": "PS_PSA_SINA",
            "ts_acquisizione": flow()["published"], "codice_esito": "ERRORE_GENERICO", "descrizione_esito": "Riprovare",
        }]});
        assert_eq!(app.post_esiti(&refusal.to_string()).status, 204);
        assert_eq!(flow()["stato"], "rifiutato");
        let unchanged = vendor.post(&borsa("1"));
        assert_eq!((verdicts(&unchanged), &unchanged[0]["notices"][0]["rule"]), (vec!["unchanged"], &json!("REG-05")));
        let sent = vendor.call("POST", &again, &[("Idempotency-Key", "k")], "").json();
        assert_eq!((&sent["verdict"], sent["prestazioni"][0]["flussi"].as_array().unwrap().len()), (&json!("changed"), 1));
        assert_eq!(vendor.call("POST", &again, &[("Idempotency-Key", "k")], "").json(), sent, "done once");
        assert_eq!(flow()["stato"], "pubblicato");
        assert_eq!(operations(&app), ["I", "I"]);
        vendor.call("POST", "/prestazioni/1/invio", &[], "").problem(404);
    }

    fn a_key_opens_what_it_is_for(database) {
        let app = App::start_with(database, |config| {
            let second = config::Ente {
                codice: "F205".to_owned(),
                denominazione: "Comune di Milano".to_owned(),
                ..config.eservice[0].ente[0].clone()
            };
            config.eservice[0].ente.push(second);
        });
        let both = Vendor::new(&app, "entrambi", &[]);
        let roma = Vendor::new(&app, "roma", &["H501"]);
        let body = borsa("1").to_string();
        assert!(both.call("POST", "/prestazioni", &[], &body).problem(400).contains("?ente="));
        let milano = both.call("POST", "/prestazioni?ente=F205", &[], &body);
        assert!(milano.body.contains("F205.PS."), "{milano:?}");
        let path = format!("/prestazioni/{}", id(&milano.json()["records"][0]));
        roma.call("POST", "/prestazioni?ente=F205", &[], &body).problem(403);
        roma.call("GET", &path, &[], "").problem(404);
        roma.call("DELETE", &path, &[], "").problem(404);
        assert_eq!(both.call("GET", &format!("{path}?ente=F205"), &[], "").status, 200);
        roma.call("POST", "/prestazioni?ente=H501&x=1", &[], &body).problem(400);
        assert!(roma.call("POST", "/prestazioni", &[], &body).body.contains("H501.PS."));

        let send = |headers: &[(&str, &str)]| app.send_back_office("POST", "/api/v1/prestazioni", headers, body.as_bytes());
        for headers in [vec![], vec![("X-API-Key", "waas_x")], vec![("X-API-Key", roma.key.as_str()), ("X-API-Key", "x")]] {
            assert!(send(&headers).problem(401).contains("chiave"));
        }
        let now_ms = Clock::System.now_ms();
        assert!(app.store.write(|connection| keys::revoke(connection, "roma", now_ms)).unwrap());
        roma.call("POST", "/prestazioni", &[], &body).problem(401);
        let key = roma.key.clone();
        let log = app.stop();
        assert!(!json!(log).to_string().contains(&key), "a key is in the log");
        assert_eq!(log.iter().filter(|entry| entry["outcome"] == "api_key_refused").count(), 4);
    }
}

#[test]
fn what_is_no_request_of_the_contract_is_refused() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let vendor = Vendor::new(&app, "gestionale", &[]);
    let many = json!(vec![7; 1001]).to_string();
    for body in ["", "{", "[]", &many, "{\"a\":1} x", "\u{FEFF}\u{FEFF}{}"] {
        vendor.call("POST", "/prestazioni", &[], body).problem(400);
    }
    for (method, path, body, said) in [
        ("POST", "/prestazioni", " ", "Il corpo è vuoto."),
        ("POST", "/prestazioni", "[]", "Inviare almeno un record."),
        ("POST", "/prestazioni", &many, "al massimo 1000"),
        ("PUT", "/prestazioni/1", "[]", "Inviare almeno un record."),
        ("PUT", "/prestazioni/1", "[7, 7]", "qui se ne attende uno"),
    ] {
        let detail = vendor.call(method, path, &[], body).problem(400);
        assert!(detail.contains(said), "{detail}");
    }
    let huge = " ".repeat(4_000_001);
    vendor.call("POST", "/prestazioni", &[], &huge).problem(413);
    let send = |method: &str, path: &str, headers: &[(&str, &str)]| {
        app.send_back_office(method, path, headers, b"{}")
    };
    send("POST", "/api/v1/prestazioni", &[("X-API-Key", &vendor.key)]).problem(415);
    for wrong in ["/api/v1/altro", "/api/v1", "/api/v2/prestazioni", "/api"] {
        send("GET", wrong, &[]).problem(404);
    }
    for (path, methods) in [
        ("/prestazioni", "POST"),
        ("/prestazioni/1", "GET, PUT, DELETE"),
        ("/prestazioni/1/invio", "POST"),
        ("/openapi.yaml", "GET"),
    ] {
        let refused = send("PATCH", &format!("/api/v1{path}"), &[]);
        refused.problem(405);
        assert_eq!(refused.header("allow"), Some(methods));
    }
    let paths: Vec<_> = vendor.contract["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths, ["/prestazioni", "/prestazioni/{id}", "/prestazioni/{id}/invio", "/openapi.yaml"]);
    let served = send("GET", "/api/v1/openapi.yaml", &[]);
    assert_eq!(served.body, std::fs::read_to_string(xmllint::own("back-office.yaml")).unwrap());
    let public = app.send("GET", "/api/v1/openapi.yaml", &[], b"");
    assert_eq!(public.status, 404, "INPS's listener knows nothing of it");
}

#[test]
fn the_example_of_the_contract_is_published() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let vendor = Vendor::new(&app, "gestionale", &[]);
    let example = &vendor.contract["components"]["schemas"]["Record"]["example"];
    assert_eq!(verdicts(&vendor.post(example)), ["published"]);
}

#[test]
fn keys_are_made_listed_and_revoked_from_the_command_line() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let made = place.run(&["apikey", "add", "mensa", "--ente", "H501"]);
    assert_eq!(made.code, 0, "{made:?}");
    let key = made.stdout.trim();
    assert!(key.starts_with("waas_") && key.len() == 48, "{made:?}");
    assert_eq!(place.run(&["apikey", "add", "mensa"]).code, 2, "the name is taken");
    assert_eq!(place.run(&["apikey", "add", "altra", "--ente", "Z999"]).code, 2);
    assert_eq!(place.run(&["apikey", "add", "con spazio"]).code, 2);
    let app = App::start(&database);
    let body = borsa("1").to_string();
    let call = || {
        let headers = [("X-API-Key", key), ("Content-Type", "application/json")];
        app.send_back_office("POST", "/api/v1/prestazioni", &headers, body.as_bytes()).status
    };
    assert_eq!(call(), 200);
    assert_eq!(place.run(&["apikey", "revoke", "mensa"]).code, 0);
    assert_eq!(call(), 401);
    assert_eq!(place.run(&["apikey", "revoke", "mensa"]).code, 2, "it is revoked already");
    let listed = place.run(&["apikey", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["enti"]), (&json!("mensa"), &json!(["H501"])));
    assert!(listed[0]["revoked"].is_string());
    assert!(place.run(&["apikey", "list"]).stdout.contains("mensa eservice=prova enti=H501"));
}
