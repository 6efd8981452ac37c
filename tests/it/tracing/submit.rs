//! `tracing submit` and `tracing status` against PDND as it should be, and as it should not.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::pdnd::ledger;
use waas_comuni::store::{Day, Store};

use super::count::{call, log};
use super::fake::{Fault, Pdnd};
use super::judge;
use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};

/// A place that sends to a PDND of its own, and two calls of a day that is over.
struct Scene {
    pdnd: Pdnd,
    place: Place,
    store: Store,
    date: String,
    noon: Timestamp,
    purpose: Uuid,
}

impl Scene {
    fn new(database: &TestDatabase) -> Self {
        let pdnd = Pdnd::start(Clock::System);
        let place = Place::new(database);
        let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
        place.file("waas-comuni.toml", format!("{config}\n[[tracing]]\n{}", pdnd.toml("prova", &["prova"])));
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        // Two days ago: yesterday cannot be sent in the first minutes of today.
        let noon = Day::of(Clock::System.now() - SignedDuration::from_hours(48)).at(12, 0).unwrap();
        let purpose = Uuid::new_v4();
        let token = Uuid::new_v4();
        log(
            &store,
            vec![call(eservice, noon, 200, purpose, token), call(eservice, noon, 200, purpose, token)],
        );
        Self { pdnd, place, store, date: Day::of(noon).to_string(), noon, purpose }
    }

    fn submit(&self, more: &[&str]) -> Done {
        self.place.run(&[&["tracing", "submit", "--date", &self.date], more].concat())
    }

    /// How the day stands.
    fn status(&self) -> Value {
        let done = self.place.run(&["tracing", "status", "--date", &self.date, "--json"]);
        assert_eq!(done.code, 0, "{done:?}");
        let days: Value = serde_json::from_str(&done.stdout).unwrap();
        days[0].clone()
    }

    fn one_more_call(&self) {
        let eservice = self.store.register_eservice("prova").unwrap();
        log(&self.store, vec![call(eservice, self.noon, 400, self.purpose, Uuid::new_v4())]);
    }

    /// The paths of what was sent.
    fn sent(&self) -> Vec<String> {
        let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        self.pdnd.posts().iter().map(|asked| last(&asked.path)).collect()
    }
}

fn result(done: &Done) -> String {
    let object: Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    object["result"].as_str().unwrap().to_owned()
}

on_both_databases! {
    fn a_day_is_sent_once_and_replaced_only_when_asked(database) {
        let scene = Scene::new(database);
        let owed = scene.status();
        assert_eq!((&owed["state"], &owed["file"], &owed["calls"]), (&Value::Null, &json!("none"), &json!(2)));
        assert!(owed["remedy"].as_str().unwrap().contains("tracing submit"), "{owed}");
        let done = scene.submit(&["--json"]);
        assert_eq!((done.code, result(&done).as_str()), (0, "submitted"), "{done:?}");
        let export = scene.place.run(&["tracing", "export", "--date", &scene.date]);
        let day = scene.pdnd.day(&scene.date).unwrap();
        assert_eq!(day.files, [export.stdout.as_str()]);
        assert_eq!(judge::read(&day.files[0], &scene.date).unwrap().into_values().sum::<u64>(), 2);

        assert_eq!(scene.status()["state"], "PENDING");
        assert_eq!(result(&scene.submit(&["--json"])), "pending");
        scene.pdnd.process();
        let counted = scene.status();
        assert_eq!((&counted["state"], &counted["file"]), (&json!("COMPLETED"), &json!("same")), "{counted}");
        assert_eq!(counted["remedy"], Value::Null);
        for more in [&["--json"][..], &["--json", "--replace"]] {
            let done = scene.submit(more);
            assert_eq!((done.code, result(&done).as_str()), (0, "accepted"));
        }
        assert_eq!(scene.sent(), ["submit"]);

        scene.one_more_call();
        let differs = scene.status();
        assert_eq!(differs["file"], "differs");
        let command = format!("`waas-comuni tracing submit --date {} --replace`", scene.date);
        assert!(differs["remedy"].as_str().unwrap().contains(&command), "{differs}");
        let done = scene.submit(&["--json"]);
        assert_eq!((done.code, result(&done).as_str()), (1, "differs"));
        let done = scene.submit(&["--replace"]);
        assert_eq!(done.code, 0, "{done:?}");
        scene.pdnd.process();
        assert_eq!(scene.sent(), ["submit", "replace"]);
        assert_eq!(scene.pdnd.day(&scene.date).unwrap().files.len(), 2);
        assert_eq!(scene.status()["file"], "same");
    }

    fn a_day_in_error_is_recovered(database) {
        let scene = Scene::new(database);
        scene.pdnd.state().unknown_purposes.insert(scene.purpose.to_string());
        assert_eq!(scene.submit(&[]).code, 0);
        scene.pdnd.process();
        let wrong = scene.status();
        assert_eq!(wrong["state"], "ERROR");
        assert_eq!(wrong["errors"][0]["errorCode"], "PURPOSE_NOT_FOUND");
        let told = scene.place.run(&["tracing", "status", "--states", "error,missing"]);
        for part in [scene.date.as_str(), "ERROR", "PURPOSE_NOT_FOUND", &scene.purpose.to_string(), "none of the day counts"] {
            assert!(told.stdout.contains(part), "{part}: {told:?}");
        }
        scene.pdnd.state().unknown_purposes.clear();
        let done = scene.submit(&["--json"]);
        assert_eq!((done.code, result(&done).as_str()), (0, "recovered"), "{done:?}");
        scene.pdnd.process();
        assert_eq!(scene.status()["state"], "COMPLETED");
        assert_eq!(scene.sent(), ["submit", "recover"]);
    }

    fn a_day_that_was_missed_is_sent_late(database) {
        let scene = Scene::new(database);
        scene.pdnd.miss(&scene.date);
        assert!(scene.status()["remedy"].as_str().unwrap().contains("sends it late"));
        let done = scene.submit(&["--json"]);
        assert_eq!((done.code, result(&done).as_str()), (0, "recovered"), "{done:?}");
        assert_eq!(scene.sent(), ["recover"]);
    }

    fn a_file_that_arrived_without_an_answer_is_not_sent_again(database) {
        let scene = Scene::new(database);
        scene.pdnd.state().on_post.push_back(Fault::CutAfter);
        let done = scene.submit(&["--json"]);
        // The command tries again by itself, and finds the file there.
        assert_eq!((done.code, result(&done).as_str()), (0, "pending"), "{done:?}");
        assert_eq!(scene.sent(), ["submit"]);
        scene.pdnd.process();
        assert_eq!(scene.status()["file"], "same");
    }

    fn only_one_sends_at_a_time(database) {
        let scene = Scene::new(database);
        let now = Clock::System.now();
        assert!(scene.store.write(|connection| ledger::take_turn(connection, "prova", "other", now)).unwrap());
        let done = scene.submit(&[]);
        assert_eq!(done.code, 1);
        assert!(done.stderr.contains("another instance or command"), "{done:?}");
        scene.store.write(|connection| ledger::end_turn(connection, "prova", "other")).unwrap();
        assert_eq!(scene.submit(&[]).code, 0);
        // A turn ends by itself, and one of a clock that was wrong counts for nothing.
        let turn = |holder: &str, at: Timestamp| {
            scene.store.write(|connection| ledger::take_turn(connection, "prova", holder, at)).unwrap()
        };
        assert!(turn("a", now) && turn("a", now) && !turn("b", now));
        assert!(!turn("b", now + ledger::TURN) && turn("b", now + ledger::TURN + SignedDuration::from_secs(1)));
        assert!(turn("c", now - SignedDuration::from_hours(1)));
    }
}

fn scene() -> (TestDatabase, Scene) {
    let database = TestDatabase::new(Backend::Sqlite);
    let scene = Scene::new(&database);
    (database, scene)
}

#[test]
fn what_passes_is_waited_for() {
    let (_database, scene) = scene();
    let busy = |status| Fault::Answer(status, "Retry-After: 0\r\n", String::new());
    scene.pdnd.state().on_token.extend([busy(503)]);
    scene.pdnd.state().on_get.extend([busy(429)]);
    scene.pdnd.state().on_post.extend([busy(500), Fault::Slow(Duration::from_millis(200))]);
    let done = scene.submit(&["--json"]);
    assert_eq!((done.code, result(&done).as_str()), (0, "submitted"), "{done:?}");
    assert_eq!(done.stderr.matches("trying again in 0 seconds").count(), 3, "{done:?}");
    assert_eq!(scene.pdnd.day(&scene.date).unwrap().files.len(), 1);
}

#[test]
fn what_does_not_pass_is_told() {
    let (_database, scene) = scene();
    let answer = |status, headers, body: &str| Fault::Answer(status, headers, body.to_owned());
    let busy = || answer(503, "Retry-After: 0\r\n", "");
    scene.pdnd.state().on_get.extend([(); 5].map(|()| busy()));
    assert!(scene.submit(&[]).stderr.contains("answered 503"));
    for (faults, expected) in [
        // Two vouchers that were just given are not accepted.
        (vec![answer(401, "", ""), answer(401, "", "")], "does not accept the M2M voucher"),
        // Credentials are for one address.
        (vec![answer(302, "Location: http://127.0.0.1:9/\r\n", "")], "refused: 302"),
        (vec![answer(404, "", "<html>")], "refused: 404"),
        (vec![answer(403, "", "{\"detail\": \"no agreement\\n\"}")], "refused: 403: no agreement "),
        (vec![answer(200, "", "<html>")], "cannot be understood"),
        (
            vec![answer(200, "", "{\"results\": [{\"tracingId\": \"x\"}], \"totalCount\": 1}")],
            "cannot be understood",
        ),
    ] {
        scene.pdnd.state().on_get.extend(faults);
        let done = scene.submit(&[]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains(expected), "{expected}: {done:?}");
        assert!(!done.stderr.contains("BEGIN") && !done.stderr.contains("eyJ"), "{done:?}");
    }
    scene.pdnd.state().on_token.push_back(answer(
        200,
        "",
        &format!("{{\"access_token\": {:?}, \"token_type\": \"Bearer\", \"expires_in\": 600}}", "a b"),
    ));
    assert!(scene.submit(&[]).stderr.contains("no voucher to be used as Bearer"));
    scene.pdnd.state().on_get.push_back(answer(200, "", &" ".repeat(2 * 1024 * 1024)));
    assert!(scene.submit(&[]).stderr.contains("too large"));
    assert_eq!(scene.pdnd.posts(), []);

    // A key that PDND does not know.
    let config = std::fs::read_to_string(scene.place.path().join("waas-comuni.toml")).unwrap();
    let other = Pdnd::start(Clock::System);
    let swapped = config.replace(&format!("{:?}", scene.pdnd.pem), &format!("{:?}", other.pem));
    assert_ne!(config, swapped);
    scene.place.file("waas-comuni.toml", swapped);
    let done = scene.submit(&[]);
    assert!(
        done.code == 1 && done.stderr.contains("the signature") && done.stderr.contains("client_id, kid"),
        "{done:?}"
    );
    scene.place.file("waas-comuni.toml", config.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"));
    let done = scene.submit(&[]);
    assert!(done.code == 1 && done.stderr.contains("passphrase"), "{done:?}");
    assert_eq!(scene.pdnd.posts(), []);
}

#[test]
fn refusals_of_a_file_are_understood() {
    let (_database, scene) = scene();
    let problem =
        |status, code: &str| Fault::Answer(status, "", json!({ "errors": [{ "code": code }] }).to_string());
    for (fault, expected) in [
        (problem(400, "INVALID_TRACING_DATE"), "it is not over"),
        (problem(404, "TRACING_NOT_FOUND"), "does not know this tracing"),
        (problem(409, "TRACING_CANNOT_BE_UPDATED"), "in its present state"),
        (problem(413, "TOO_LARGE"), "refused: 413"),
    ] {
        scene.pdnd.state().on_post.push_back(fault);
        let done = scene.submit(&[]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains(expected), "{expected}: {done:?}");
    }
    // Another file came after PDND was asked.
    assert_eq!(scene.submit(&[]).code, 0);
    scene.pdnd.process();
    scene.pdnd.state().hidden.insert(scene.date.clone());
    let done = scene.submit(&["--json"]);
    assert_eq!((done.code, result(&done).as_str()), (0, "accepted"), "{done:?}");
    assert_eq!(scene.pdnd.day(&scene.date).unwrap().files.len(), 1);
}

#[test]
fn a_voucher_that_is_refused_is_asked_for_anew() {
    let (_database, scene) = scene();
    scene.pdnd.state().on_post.push_back(Fault::Answer(401, "", String::new()));
    assert_eq!(scene.submit(&[]).code, 0);
    assert_eq!(scene.pdnd.vouchers_asked(), 2);
    assert_eq!(scene.pdnd.day(&scene.date).unwrap().files.len(), 1);
    let types: Vec<String> = scene.pdnd.posts().into_iter().map(|asked| asked.content_type).collect();
    assert!(
        types.iter().all(|content_type| content_type.starts_with("multipart/form-data; boundary=")),
        "{types:?}"
    );
}

#[test]
fn a_day_that_is_not_over_is_not_sent() {
    let (_database, scene) = scene();
    let today = Day::of(Clock::System.now()).to_string();
    let done = scene.place.run(&["tracing", "submit", "--date", &today]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("cannot be sent before"), "{done:?}");
    assert_eq!(scene.pdnd.posts(), []);
    let done = scene.place.run(&["tracing", "export", "--date", &today]);
    assert!(done.code == 0 && done.stderr.contains("is not over"), "{done:?}");
}

#[test]
fn long_lists_are_read_to_their_end() {
    let (_database, scene) = scene();
    let first: jiff::civil::Date = "2025-01-01".parse().unwrap();
    for number in 0..130 {
        let date = first.checked_add(jiff::Span::new().days(number)).unwrap();
        scene.pdnd.miss(&date.to_string());
    }
    let done = scene.place.run(&["tracing", "status", "--states", "MISSING", "--json"]);
    let days: Vec<Value> = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(days.len(), 130);
    assert_eq!(days[129]["date"], "2025-05-10");
}

#[test]
fn a_list_without_an_end_is_given_up() {
    let (_database, scene) = scene();
    let day = json!({ "tracingId": Uuid::new_v4(), "date": scene.date, "state": "PENDING" });
    let page = Fault::Answer(200, "", json!({ "results": [day], "totalCount": 1_000_000 }).to_string());
    scene.pdnd.state().on_get.extend(vec![page; 1000]);
    let done = scene.submit(&["--json"]);
    assert_eq!((done.code, result(&done).as_str()), (0, "pending"), "{done:?}");
    assert_eq!(scene.pdnd.state().on_get.len(), 800);
}

#[test]
fn without_what_is_needed_to_send_it_is_said() {
    let database = TestDatabase::new(Backend::Sqlite);
    database.store();
    let place = Place::new(&database);
    let done = place.run(&["tracing", "submit", "--date", "2026-03-01"]);
    assert!(done.code == 2 && done.stderr.contains("no [[tracing]] section"), "{done:?}");
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    let section =
        |name: &str, lines: &str| format!("[[tracing]]\nname = {name:?}\neservices = [\"prova\"]\n{lines}");
    place.file("waas-comuni.toml", format!("{config}\n{}", section("a", "")));
    let done = place.run(&["tracing", "submit", "--date", "2026-03-01"]);
    assert!(done.code == 2 && done.stderr.contains("lacks client_id"), "{done:?}");
    place.file("waas-comuni.toml", format!("{config}\n{}", section("a", "kid = \"k\"\n")));
    let done = place.run(&["tracing", "status"]);
    assert!(done.code == 2 && done.stderr.contains("wrong: tracing[0].client_id"), "{done:?}");
    place.file("waas-comuni.toml", format!("{config}\n{}{}", section("a", ""), section("b", "")));
    let done = place.run(&["tracing", "export", "--date", "2026-03-01"]);
    assert!(done.code == 2 && done.stderr.contains("with --name: a, b"), "{done:?}");
    let done = place.run(&["tracing", "export", "--date", "2026-03-01", "--name", "c"]);
    assert!(done.code == 2 && done.stderr.contains("only: a, b"), "{done:?}");
}
