//! What the ente's own people and vendors' software do with personal data is in the log: who, what, to which benefit,
//! and never whose.

use jiff::Timestamp;
use serde_json::{Value, json};
use waas_comuni::call_log::action::{self, Action, Actor, Kind, Outcome, Way};
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::search::Filter;
use waas_comuni::clock::Clock;
use waas_comuni::store::Store;

use crate::json::borsa;
use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

/// The fiscal code of every record here.
const PERSON: &str = "CNTLCU15E09H501T";

fn log(store: &Store) -> Vec<Value> {
    let mut text = Vec::new();
    export(store, &Filter::default(), Format::Jsonl, &mut text).unwrap();
    String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn brief(entry: &Value) -> (String, String, Value) {
    let text = |name: &str| entry[name].as_str().unwrap().to_owned();
    (text("path"), text("outcome"), entry["benefit"].clone())
}

on_both_databases! {
    fn what_is_done_at_the_command_line_is_in_the_log(database) {
        let place = Place::new(database);
        place.file("a.jsonl", format!("{}\n{}\nrotto", borsa("1"), borsa("2")));
        assert_eq!(place.run(&["import", "a.jsonl", "--ente", "H501"]).code, 3);
        let person = borsa("1")["Beneficiario"]["CodiceFiscale"].as_str().unwrap().to_owned();
        let shown = place.run(&["benefits", "show", "--person", &person, "--json"]);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        let ids: Vec<i64> =
            shown.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(place.run(&["benefits", "history", "--protocollo", "9"]).code, 1);
        assert_eq!(place.run(&["benefits", "withdraw", "--protocollo", "2"]).code, 0);
        assert_eq!(place.run(&["apikey", "add", "mensa"]).code, 0);
        assert_eq!(place.run(&["apikey", "revoke", "mensa"]).code, 0);
        place.file("a.csv", "");
        assert_eq!(place.run(&["check", "a.csv", "--ente", "H501"]).code, 1);
        assert_eq!(place.run(&["import", "a.jsonl", "--ente", "H501", "--dry-run"]).code, 3);

        let entries = log(&database.store());
        let expected = [
            ("api_key_revoked", "ok", Value::Null),
            ("import_begun", "ok", Value::Null),
            ("import_ended", "ok", Value::Null),
            ("benefit_viewed", "ok", json!(ids[0])),
            ("benefit_viewed", "ok", json!(ids[1])),
            ("benefit_viewed", "not_found", Value::Null),
            ("benefit_viewed", "ok", json!(ids[1])),
            ("benefit_withdrawn", "ok", json!(ids[1])),
            ("api_key_added", "ok", Value::Null),
        ];
        // The log of no e-service comes apart; the rest is in its order.
        let mut found: Vec<_> = entries.iter().map(brief).collect();
        found.sort_by_key(|(path, ..)| path != "api_key_revoked");
        let expected: Vec<_> =
            expected.into_iter().map(|(path, outcome, benefit)| (path.to_owned(), outcome.to_owned(), benefit)).collect();
        assert_eq!(found, expected);
        let user = entries[0]["user_id"].as_str().unwrap();
        assert!(!user.is_empty());
        for entry in &entries {
            assert_eq!((&entry["method"], &entry["user_location"]), (&json!("ACTION"), &json!("cli")));
            assert_eq!(entry["user_id"], user);
            assert!(!entry.to_string().contains(&person), "{entry}");
        }
        let ended = entries.iter().find(|entry| entry["path"] == "import_ended").unwrap();
        assert_eq!(ended["count"], 2);
    }

    fn what_the_console_and_vendors_do_is_in_the_log(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000)]);
        let benefit = app.registry.page(app.eservice, 0, 1).unwrap()[0].ts_ms;
        let key = "k".repeat(43);
        app.store
            .write(|connection| {
                waas_comuni::vendor::keys::add(connection, "mensa", app.eservice, &[], &key, 0)
            })
            .unwrap();
        let headers = [("X-API-Key", key.as_str())];
        for (id, status) in [(benefit, 200), (benefit + 1, 404)] {
            let path = format!("/api/v1/prestazioni/{id}");
            assert_eq!(app.send_back_office("GET", &path, &headers, b"").status, status);
            let entry = app.log().pop().unwrap();
            assert_eq!((&entry["benefit"], &entry["status"]), (&json!(id), &json!(status)));
            assert_eq!(entry["user_id"], "mensa");
            assert!(!entry.to_string().contains(PERSON) && !entry.to_string().contains(&key));
        }
        let actor =
            Actor { user: "anna.verdi".to_owned(), way: Way::Console, client_ip: Some([192, 0, 2, 7].into()) };
        let store = app.store.clone();
        let viewed = Action::new(&actor, Kind::BenefitViewed).of(app.eservice).to(benefit);
        let before = Clock::System.now_ms();
        action::record(&store, &Clock::System, [viewed.clone(), viewed.with(Outcome::Refused)]).unwrap();
        let entries = app.log();
        let entry = &entries[entries.len() - 2];
        assert_eq!(brief(entry), ("benefit_viewed".to_owned(), "ok".to_owned(), json!(benefit)));
        assert_eq!((&entry["user_id"], &entry["user_location"]), (&json!("anna.verdi"), &json!("console")));
        assert_eq!((&entry["client_ip"], &entry["status"]), (&json!("192.0.2.7"), &json!(200)));
        assert_eq!(entries.last().unwrap()["status"], 403);
        // The id of an entry tells when it came.
        let id: uuid::Uuid = entry["request_id"].as_str().unwrap().parse().unwrap();
        let (seconds, nanoseconds) = id.get_timestamp().unwrap().to_unix();
        let millis = i64::try_from(seconds).unwrap() * 1000 + i64::from(nanoseconds / 1_000_000);
        assert!(millis >= before);
        assert_eq!(entry["instant"].as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond(), millis);
    }

    fn outcomes_are_counted_by_kind(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), mensa("2025/2", 8000)]);
        let flussi = app.get("/flussi?since=0").flussi();
        let esito = |id: &Value, codice: &str| {
            json!({
                "id_flusso": id, "tipo": "PS_PSA_SINA", "ts_flusso": flussi[0]["ts_flusso"],
                "ts_acquisizione": "2026-01-05T10:00:00Z", "codice_esito": codice,
                "descrizione_esito": "testo di INPS",
            })
        };
        let (first, second) = (&flussi[0]["id_flusso"], &flussi[1]["id_flusso"]);
        let body = json!({ "elenco_esiti": [
            esito(first, "OK"), esito(second, "DATI_NON_TROVATI"), esito(&json!("Z999.PS.20200101.0000001"), "OK"),
        ] });
        assert_eq!(app.post_esiti(&body.to_string()).status, 204);
        let expected = json!({ "by_code": { "DATI_NON_TROVATI": 1, "OK": 2 }, "repeated": 0, "unknown_flows": 1 });
        assert_eq!(app.log().last().unwrap()["esiti"], expected);
        assert_eq!(app.post_esiti(&body.to_string()).status, 204);
        let log = app.stop();
        let entry = log.last().unwrap();
        assert_eq!((&entry["count"], &entry["esiti"]["repeated"]), (&json!(3), &json!(3)));
        assert!(!entry.to_string().contains("testo di INPS"), "no payload: {entry}");
    }
}

#[test]
fn every_action_has_a_code_of_its_own() {
    let codes: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), Kind::ALL.len());
}

#[test]
fn the_page_for_auditors_names_every_member_of_an_entry() {
    let database = TestDatabase::new(Backend::Sqlite);
    let mut header = Vec::new();
    export(&database.store(), &Filter::default(), Format::Csv, &mut header).unwrap();
    let page = std::fs::read_to_string("docs/registro-chiamate.md").unwrap();
    for name in String::from_utf8(header).unwrap().trim_end().split(',') {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
