//! The register of calls in the console: what auditors find, and what they must not see.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;
use waas_comuni::call_log::action::{self, Action, Actor, Kind, Way};
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::seal::checkpoint::Checkpoint;
use waas_comuni::call_log::seal::note::{PublicKey, SigningKey};
use waas_comuni::call_log::seal::proof::Proof;
use waas_comuni::call_log::seal::runs::{self, Stand, Task};
use waas_comuni::call_log::seal::writer::Checkpointer;
use waas_comuni::call_log::search::Filter;
use waas_comuni::clock::Clock;
use waas_comuni::config::{self, Config};
use waas_comuni::staff::Role::{Operatore, Revisore};
use waas_comuni::staff::Scope;

use crate::support::app::{self, Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::{mensa, minore};
use crate::support::staff::{PASSWORD, Visitor};

const PERSON: &str = "CNTLCU15E09H501T";

fn milano() -> config::Ente {
    config::Ente {
        codice: "F205".to_owned(),
        denominazione: "Comune di Milano".to_owned(),
        sede: "F205".to_owned(),
        cf_operatore: "RSSMRA80A01H501U".to_owned(),
    }
}

/// A service whose log is signed, with a second ente and a second e-service.
struct Signed {
    app: App,
    config: Config,
    folder: TempDir,
}

impl Signed {
    /// Adds a checkpoint of so many entries.
    fn sign_as_if_it_had(&self, size: u64) {
        let key = SigningKey::read(&self.folder.path().join("checkpoint.pem")).unwrap();
        let checkpoint = Checkpoint { origin: "waas.example.it/prova".to_owned(), size, root: [0; 32] };
        let note = checkpoint.sign(&key).unwrap();
        let sql = format!(
            "INSERT INTO call_checkpoint (log_id, size, instant_ms, note)
             SELECT id, {size}, 0, '{note}' FROM eservice WHERE name = 'prova'"
        );
        self.app.store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
    }

    fn start(database: &TestDatabase) -> Self {
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("checkpoint.pem");
        SigningKey::generate(&key).unwrap();
        let mut kept = Config::default();
        let app = App::start_with(database, |config| {
            config.call_log.checkpoint_key = Some(key);
            config.call_log.checkpoint_file = Some(folder.path().join("checkpoints.txt"));
            config.call_log.origin = Some("waas.example.it".to_owned());
            config.eservice[0].ente.push(milano());
            let keys = config.eservice[0].jwks_url.clone().unwrap();
            let keys = PathBuf::from(keys.strip_prefix("file:").unwrap());
            config.eservice.push(app::eservice("seconda", "/waas/v2", keys.parent().unwrap()));
            kept = config.clone();
        });
        Self { app, config: kept, folder }
    }

    fn checkpoint(&self) {
        let checkpointer = Checkpointer::open(&self.config, self.app.store.clone(), Clock::System).unwrap();
        checkpointer.unwrap().round().unwrap();
    }

    fn key(&self) -> PublicKey {
        PublicKey::read(self.config.call_log.checkpoint_key.as_deref().unwrap()).unwrap()
    }
}

/// The page about integrity, once a verification that is started there has ended.
fn verified(visitor: &Visitor<'_>, registro: &str) -> Answer {
    visitor.get("/registro/integrita");
    let started = visitor.post("/registro/integrita/verifica", &[("registro", registro)]);
    assert_eq!(started.header("location"), Some("/registro/integrita?fatto=avviata"), "{started:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = visitor.get("/registro/integrita");
        if !answer.body.contains("<progress") {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        std::thread::yield_now();
    }
}

/// A pull with a good voucher; gives the id of its request.
fn pull(app: &App, path: &str) -> String {
    let voucher = format!("Bearer {}", app.voucher());
    let answer = app.send("GET", path, &[("Authorization", &voucher)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-request-id").unwrap().to_owned()
}

/// The addresses of the entries on a page, in its order.
fn entries(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{page:?}");
    let link = Regex::new("<td data-nome=\"Voce\"><a href=\"(/registro/chiamate/[0-9]+/[0-9]+)\"").unwrap();
    link.captures_iter(&page.body).map(|found| found[1].to_owned()).collect()
}

/// The address of what follows a page.
fn next(page: &Answer) -> Option<String> {
    let link = Regex::new("href=\"(/registro\\?[^\"]*prima=[^\"]*)\"").unwrap();
    link.captures(&page.body).map(|found| found[1].replace("&#38;", "&").replace("&amp;", "&"))
}

/// The address of the entry with this request id.
fn place(app: &App, request_id: &str) -> String {
    let log = app.log();
    let entry = log.iter().find(|entry| entry["request_id"] == request_id).unwrap();
    // E-services are numbered from 1 in the order in which they are made known.
    let id = if entry["eservice"] == "prova" { 1 } else { 2 };
    format!("/registro/chiamate/{id}/{}", entry["index"])
}

on_both_databases! {
    fn calls_are_found_by_what_is_asked_and_paged_newest_first(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        app.publish(&[mensa("2020/1", 8000)]);
        let refused = app.send("GET", "/waas/v1/flussi?since=0", &[("Authorization", "Bearer x")], b"");
        assert_eq!(refused.status, 401);
        let pulls: Vec<String> = (0..70).map(|since| pull(app, &format!("/waas/v1/flussi?since={since}"))).collect();
        let other = pull(app, "/waas/v2/flussi?since=0");
        let anna = app.signed_in("anna", &[Revisore]);
        let mut found = Vec::new();
        let mut page = anna.get("/registro?registro=prova&stato=200");
        loop {
            let entries = entries(&page);
            assert!(entries.len() <= 50);
            found.extend(entries);
            let Some(path) = next(&page) else { break };
            assert!(path.contains("registro=prova") && path.contains("stato=200"), "{path}");
            page = anna.get(&path);
        }
        let expected: Vec<String> = pulls.iter().rev().map(|id| place(app, id)).collect();
        assert_eq!(found, expected);

        let flow = app.registry.page(app.eservice, 0, 1).unwrap().remove(0);
        let pull = &pulls[0];
        let log = app.log();
        let entry = log.iter().find(|entry| entry["request_id"] == *pull).unwrap();
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        let today = text("instant")[..10].to_owned();
        for (query, expected) in [
            (format!("richiesta={pull}"), vec![place(app, pull)]),
            (format!("voucher={}", text("token_id")), vec![place(app, pull)]),
            ("registro=seconda".to_owned(), vec![place(app, &other)]),
            ("stato=401".to_owned(), vec![place(app, refused.header("x-request-id").unwrap())]),
            ("esito=voucher_refused".to_owned(), vec![place(app, refused.header("x-request-id").unwrap())]),
            ("utente=nessuno".to_owned(), vec![]),
            ("a=2020-01-01".to_owned(), vec![]),
            ("fruitore=altro".to_owned(), vec![]),
            ("finalita=altra".to_owned(), vec![]),
            ("azione=backup_made".to_owned(), vec![]),
            ("ente=F205".to_owned(), vec![]),
        ] {
            assert_eq!(entries(&anna.get(&format!("/registro?{query}"))), expected, "{query}");
        }
        for query in [
            "ente=H501".to_owned(),
            format!("flusso={}", flow.id_flusso),
            format!("fruitore={}", text("consumer_id")),
            format!("finalita={}", text("purpose_id")),
            format!("da={today}&registro=prova"),
        ] {
            assert_eq!(entries(&anna.get(&format!("/registro?{query}"))).len(), 50, "{query}");
        }
        assert_eq!(entries(&anna.get("/registro?azione=signed_in&utente=anna")).len(), 1);
        // Who asks about a flow leaves a trace.
        assert_eq!(entries(&anna.get("/registro?utente=anna&azione=calls_searched")).len(), 1);
        for query in ["da=ieri", "stato=molti", "da=2026-03-02&a=2026-03-01", "flusso=a&prestazione=1"] {
            let wrong = anna.get(&format!("/registro?{query}"));
            assert!(wrong.status == 422 && wrong.body.contains("Da correggere"), "{query}: {wrong:?}");
        }
        assert_eq!(anna.get("/registro?registro=altro").status, 404);
    }

    fn a_call_is_explained_and_proved_without_a_payload(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        app.publish(&[mensa("2020/1", 8000), minore("M-1", 3)]);
        let path = place(app, &pull(app, "/waas/v1/flussi?since=0"));
        let anna = app.signed_in("anna", &[Revisore]);
        let page = anna.get(&path);
        assert_eq!(page.status, 200);
        for flow in app.registry.page(app.eservice, 0, 10).unwrap() {
            assert!(page.body.contains(&flow.id_flusso), "{}", page.body);
        }
        assert!(page.body.contains("sono proprio questi"), "{}", page.body);
        for hidden in [PERSON, "Conti", "Luca", "&lt;", "CodicePrestazione"] {
            assert!(!page.body.contains(hidden), "{hidden}: {}", page.body);
        }
        let early = anna.post(&format!("{path}/prova"), &[]);
        assert!(early.status == 409 && early.body.contains("riprovare"), "{early:?}");
        signed.checkpoint();
        let proof = anna.post(&format!("{path}/prova"), &[]);
        assert_eq!(proof.status, 200, "{proof:?}");
        assert!(proof.header("content-disposition").unwrap().starts_with("attachment"));
        let proof = Proof::read(&proof.body).unwrap();
        proof.check(&[signed.key()]).unwrap();
        assert!(path.ends_with(&format!("/{}", proof.index)));
        // Where too many calls came before a checkpoint that covers this one, the page says where the proof is to be had instead.
        let path = place(app, &pull(app, "/waas/v1/flussi?since=0"));
        signed.sign_as_if_it_had(10_000_000);
        let far = anna.post(&format!("{path}/prova"), &[]);
        assert!(far.status == 409 && far.body.contains("calls prove"), "{far:?}");
        for wrong in ["/registro/chiamate/0/999999", "/registro/chiamate/x/0", "/registro/chiamate/99/0"] {
            assert_eq!(anna.get(wrong).status, 404, "{wrong}");
        }
    }

    fn it_is_told_who_received_the_data_of_a_person(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        app.publish(&[mensa("2020/1", 8000), minore("M-1", 3)]);
        let flows = app.registry.page(app.eservice, 0, 10).unwrap();
        let first = pull(app, "/waas/v1/flussi?since=0&limit=1");
        let child = pull(app, &format!("/waas/v1/flussi?since={}", flows[0].ts_ms));
        let both = pull(app, "/waas/v1/flussi?since=0");
        let empty = pull(app, &format!("/waas/v1/flussi?since={}", flows[1].ts_ms));
        let anna = app.signed_in("anna", &[Revisore]);
        anna.get("/registro/persona");
        let told = anna.post("/registro/persona", &[("codice", " cntlcu15e09h501t ")]);
        let calls: Vec<String> = entries(&told);
        // The search itself is the newest thing that was done with the person's benefit.
        assert_eq!(calls[1..], [place(app, &both), place(app, &first)], "{told:?}");
        assert!(!calls.contains(&place(app, &child)) && !calls.contains(&place(app, &empty)));
        assert!(told.body.contains(&flows[0].id_flusso) && !told.body.contains(&flows[1].id_flusso));
        assert!(told.body.contains("prestazione 2020/1"), "{told:?}");
        let nobody = anna.post("/registro/persona", &[("codice", "RSSMRA80A01H501U")]);
        assert!(nobody.body.contains("Controllare di averlo scritto per intero"), "{nobody:?}");
        let past = anna.post("/registro/persona", &[("codice", PERSON), ("a", "2020-01-01")]);
        assert!(entries(&past).is_empty() && past.body.contains("in questo periodo"), "{past:?}");
        assert_eq!(anna.post("/registro/persona", &[("codice", "")]).status, 422);

        let log = app.log();
        let searched = |outcome: &str| {
            log.iter().filter(|entry| entry["path"] == "calls_searched" && entry["outcome"] == outcome).count()
        };
        assert_eq!((searched("ok"), searched("not_found")), (2, 1));
        assert!(log.iter().all(|entry| !entry.to_string().to_uppercase().contains(PERSON)));
        assert!(log.iter().filter(|entry| entry["path"] == "calls_searched").all(|entry| entry["user_id"] == "anna"));
    }

    fn a_verification_from_the_page_finds_what_was_changed(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        (0..5).for_each(|since| drop(pull(app, &format!("/waas/v1/flussi?since={since}"))));
        signed.checkpoint();
        let anna = app.signed_in("anna", &[Revisore]);
        let good = verified(&anna, "");
        assert!(good.body.contains("data-esito=\"regolare\"") && good.body.contains("le firme sono buone"), "{good:?}");
        assert!(good.body.contains("da anna"), "{good:?}");
        let log = app.log();
        assert!(log.iter().any(|entry| entry["path"] == "calls_verified" && entry["user_id"] == "anna"));

        database.tamper("UPDATE call_entry SET client_ip = '192.0.2.99' WHERE log_id = 1 AND entry_index = 3");
        let bad = verified(&anna, "prova");
        assert!(bad.body.contains("data-esito=\"irregolare\""), "{bad:?}");
        assert!(bad.body.contains("La voce 3 è stata alterata"), "{bad:?}");
        assert!(bad.body.contains("href=\"/registro/chiamate/1/3\""), "{bad:?}");
        assert!(verified(&anna, "seconda").body.contains("data-esito=\"regolare\""));
        std::fs::remove_file(signed.folder.path().join("checkpoints.txt")).unwrap();
        let gone = verified(&anna, "seconda");
        assert!(gone.body.contains("manca o è vuoto"), "{gone:?}");
    }

    fn a_verification_is_seen_from_every_instance_and_one_that_died_is_over(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        let anna = app.signed_in("anna", &[Revisore]);
        // What another instance does is known from the database.
        let task = Task { eservice: Some("prova".to_owned()), user: "bruno".to_owned(), entries: 8 };
        let begin = |now_ms| app.store.write(|connection| runs::begin(connection, &task, now_ms)).unwrap();
        let now_ms = Clock::System.now_ms();
        let first = begin(now_ms).unwrap();
        assert!(app.store.write(|connection| runs::beat(connection, first, 2, now_ms)).unwrap());
        let running = anna.get("/registro/integrita").body;
        assert!(running.contains("da bruno") && running.contains("2 su 8"), "{running}");
        // One at a time, wherever it is asked for.
        assert_eq!(begin(now_ms + 1), None);
        let again = anna.post("/registro/integrita/verifica", &[("registro", "seconda")]);
        assert_eq!(again.header("location"), Some("/registro/integrita"));
        assert!(app.log().iter().all(|entry| entry["path"] != "calls_verified"));
        // Of one that is silent nothing is known, and it stops nobody; nor does it end another's when it wakes up.
        let later = now_ms + runs::SILENCE_MS;
        let silent = app.store.read(|connection| runs::last(connection, later)).unwrap().unwrap();
        assert!(matches!(silent.stand, Stand::Interrupted), "{silent:?}");
        let second = begin(later).unwrap();
        assert!(!app.store.write(|connection| runs::beat(connection, first, 3, later)).unwrap());
        app.store.write(|connection| runs::end(connection, first, None, later)).unwrap();
        let last = app.store.read(|connection| runs::last(connection, later)).unwrap().unwrap();
        assert!(last.id == second && matches!(last.stand, Stand::Running { .. }), "{last:?}");
        app.store.write(|connection| runs::end(connection, second, None, later)).unwrap();
        assert!(anna.get("/registro/integrita").body.contains("non è arrivata in fondo"));
        assert!(verified(&anna, "prova").body.contains("data-esito=\"regolare\""));
    }

    fn what_is_exported_is_what_the_command_exports(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        app.publish(&[mensa("2020/1", 8000)]);
        (0..5).for_each(|since| drop(pull(app, &format!("/waas/v1/flussi?since={since}"))));
        signed.checkpoint();
        let anna = app.signed_in("anna", &[Revisore]);
        anna.get("/registro/esportazioni");
        let notes = anna.post("/registro/esportazioni/checkpoint", &[("registro", "prova")]);
        assert!(notes.body.starts_with("waas.example.it/prova\n5\n"), "{notes:?}");
        for (format, name) in [(Format::Csv, "csv"), (Format::Jsonl, "jsonl")] {
            for (da, from) in [("", None), ("2020-01-01", Some("2019-12-31T23:00:00Z".parse().unwrap()))] {
                let sent = anna.post("/registro/esportazioni", &[("registro", "prova"), ("da", da), ("formato", name)]);
                assert_eq!(sent.status, 200, "{sent:?}");
                assert!(sent.header("content-disposition").unwrap().contains(name));
                let mut expected = Vec::new();
                let filter = Filter { eservice: Some("prova".to_owned()), from, ..Filter::default() };
                export(&app.store, &filter, format, &mut expected).unwrap();
                assert_eq!(sent.body, String::from_utf8(expected).unwrap());
            }
        }
        let empty = anna.post("/registro/esportazioni", &[("a", "2020-01-01"), ("formato", "jsonl")]);
        assert_eq!((empty.status, empty.body.as_str()), (200, ""));
        assert_eq!(anna.post("/registro/esportazioni", &[("da", "oggi")]).status, 422);
        let exported = app.log().iter().filter(|entry| entry["path"] == "calls_exported").count();
        assert_eq!(exported, 5);
    }

    fn an_auditor_sees_the_logs_within_the_own_limits_alone(database) {
        let signed = Signed::start(database);
        let app = &signed.app;
        app.publish(&[mensa("2020/1", 8000)]);
        app.registry.publish(app.eservice, &milano().erogatore().unwrap(), &[mensa("2020/2", 8000)]).unwrap();
        let flows = app.registry.page(app.eservice, 0, 10).unwrap();
        let roma_alone = place(app, &pull(app, "/waas/v1/flussi?since=0&limit=1"));
        let both = place(app, &pull(app, "/waas/v1/flussi?since=0"));
        let seconda = app.store.find_eservice("seconda").unwrap().unwrap();
        let second = place(app, &pull(app, "/waas/v2/flussi?since=0"));

        app.account_within("bruno", &[Revisore], Scope::new(vec![(seconda, None)]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert_eq!(entries(&bruno.get("/registro")), std::slice::from_ref(&second));
        assert_eq!(bruno.get(&second).status, 200);
        for path in [&both, "/registro/chiamate/0/0", "/registro?registro=prova"] {
            assert_eq!(bruno.get(path).status, 404, "{path}");
        }
        let integrity = bruno.get("/registro/integrita").body;
        assert!(integrity.contains("seconda") && !integrity.contains("prova<") && !integrity.contains("fuori da ogni"));
        for registro in ["", "prova"] {
            for path in ["/registro/integrita/verifica", "/registro/esportazioni", "/registro/esportazioni/checkpoint"] {
                assert_eq!(bruno.post(path, &[("registro", registro)]).status, 404, "{path} {registro}");
            }
        }
        assert!(bruno.post("/registro/persona", &[("codice", PERSON)]).body.contains("non sono usciti"));
        // What somebody else verifies is not for everybody's eyes.
        let anna = app.signed_in("anna", &[Revisore]);
        verified(&anna, "prova");
        assert!(!bruno.get("/registro/integrita").body.contains("da anna"));

        app.account_within("carla", &[Revisore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let carla = app.visitor();
        carla.sign_in("carla", PASSWORD);
        assert_eq!(entries(&carla.get("/registro")), std::slice::from_ref(&both));
        assert_eq!(carla.get(&roma_alone).status, 404);
        let call = carla.get(&both).body;
        assert!(call.contains(&flows[1].id_flusso) && !call.contains(&flows[0].id_flusso), "{call}");
        assert_eq!(carla.get("/registro?ente=H501").status, 404);
        assert!(entries(&carla.get(&format!("/registro?flusso={}", flows[0].id_flusso))).is_empty());
        let told = carla.post("/registro/persona", &[("codice", PERSON)]);
        assert!(told.body.contains(&flows[1].id_flusso) && !told.body.contains(&flows[0].id_flusso), "{told:?}");
        for path in ["/registro/integrita/verifica", "/registro/esportazioni"] {
            assert_eq!(carla.post(path, &[("registro", "prova")]).status, 404, "{path}");
        }
    }
}

#[test]
fn what_a_caller_wrote_is_text() {
    let database = TestDatabase::new(Backend::Sqlite);
    let signed = Signed::start(&database);
    let app = &signed.app;
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>";
    let actor = Actor { user: evil.to_owned(), way: Way::Console, client_ip: None };
    let action = Action::new(&actor, Kind::CallsExported).of(app.eservice).saying(evil.to_owned());
    action::record(&app.store, &Clock::System, [action]).unwrap();
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    let anna = app.signed_in("anna", &[Revisore]);
    let list = anna.get("/registro?registro=prova");
    let call = anna.get(&entries(&list)[0]);
    assert!(call.body.contains("&#60;script&#62;") || call.body.contains("&lt;script&gt;"), "{call:?}");
    let pages = [
        call,
        list,
        anna.get(&format!("/registro?utente={encoded}&stato={encoded}&voucher={encoded}&da={encoded}")),
        anna.post("/registro/persona", &[("codice", evil), ("da", evil)]),
        anna.post("/registro/esportazioni", &[("da", evil)]),
    ];
    for page in pages {
        assert!(!page.body.contains("<script>") && !page.body.contains("<img"), "{}", page.body);
    }
}

#[test]
fn forms_of_the_register_are_taken_from_our_own_pages_alone() {
    let database = TestDatabase::new(Backend::Sqlite);
    let signed = Signed::start(&database);
    let anna = signed.app.signed_in("anna", &[Revisore]);
    *anna.token.borrow_mut() = String::new();
    for path in [
        "/registro/persona",
        "/registro/integrita/verifica",
        "/registro/esportazioni",
        "/registro/esportazioni/checkpoint",
        "/registro/chiamate/0/0/prova",
    ] {
        assert_eq!(anna.post(path, &[("codice", PERSON)]).status, 403, "{path}");
        *anna.token.borrow_mut() = String::new();
    }
    let log: Vec<Value> = signed.app.log();
    assert!(log.iter().all(|entry| entry["path"] == "signed_in"), "{log:?}");
    let bruno = signed.app.signed_in("bruno", &[Operatore]);
    assert!(!bruno.get("/").body.contains("href=\"/registro\""), "an operator's menu has no register");
}
