//! The log of a service that runs, that is stopped, and that is killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use openssl::sha::sha256;
use serde_json::Value;
use ureq::Agent;
use waas_comuni::call_log::seal::checkpoint::{Checkpoint, Kept};
use waas_comuni::call_log::seal::note::SigningKey;
use waas_comuni::clock::Clock;
use waas_comuni::registry::Registry;

use crate::serving::{Server, voucher};
use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::{mensa, roma};

/// A page that a client received: the id of the answer, and the names of the flows.
type Received = (String, Vec<String>);

fn pull(agent: &Agent, server: &Server, voucher: &str, since: u64) -> Option<Received> {
    let url = format!("http://{}/waas/v1/flussi?since={since}&limit=7", server.api);
    let mut answer = agent.get(url).header("Authorization", format!("Bearer {voucher}")).call().ok()?;
    assert_eq!(answer.status(), 200);
    let id = answer.headers().get("x-request-id")?.to_str().ok()?.to_owned();
    let page: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).unwrap();
    let name = |flusso: &Value| flusso["id_flusso"].as_str().unwrap().to_owned();
    Some((id, page["elenco_flussi"].as_array().unwrap().iter().map(name).collect()))
}

on_both_databases! {
    fn whoever_kills_the_server_leaves_a_log_that_holds(database) {
        let place = Place::new(database);
        SigningKey::generate(&place.path().join("checkpoint.pem")).unwrap();
        let path = place.path().join("waas-comuni.toml");
        let config = fs::read_to_string(&path).unwrap();
        let section = "[call_log]\ncheckpoint_key = \"checkpoint.pem\"\ncheckpoint_file = \"checkpoints.txt\"\n";
        fs::write(&path, config + section).unwrap();
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let records: Vec<_> = (0..30).map(|number| mensa(&format!("2025/{number}"), 8000)).collect();
        Registry::new(store, Clock::System).publish(eservice, &roma(), &records).unwrap();
        let token = voucher(&place.path().join("keys"));
        let received: Mutex<Vec<Received>> = Mutex::new(Vec::new());
        for calls in [1, 25, 60] {
            let mut server = Server::start(&place);
            thread::scope(|scope| {
                let (done, heard) = channel();
                for client in 0..4 {
                    let (done, server, token, received) = (done.clone(), &server, &token, &received);
                    scope.spawn(move || {
                        let agent = Agent::new_with_defaults();
                        for since in (0..).map(|step: u64| step * client) {
                            let Some(page) = pull(&agent, server, token, since) else { return };
                            received.lock().unwrap().push(page);
                            // Nobody hears it once enough were counted.
                            let _ = done.send(());
                        }
                    });
                }
                drop(done);
                assert_eq!(heard.iter().take(calls).count(), calls);
                // While calls are in flight.
                let killed = std::process::Command::new("kill").args(["-KILL", &server.child.id().to_string()]).status();
                assert!(killed.unwrap().success());
            });
            server.child.wait().unwrap();
            let verified = place.run(&["calls", "verify"]);
            assert_eq!(verified.code, 0, "{verified:?}");
        }
        let mut server = Server::start(&place);
        server.terminate();
        assert!(server.child.wait().unwrap().success());
        let verified = place.run(&["calls", "verify", "--json"]);
        let report: Value = serde_json::from_str(&verified.stdout).unwrap();
        let log = &report["report"]["logs"][1];
        assert_eq!((verified.code, &log["signed"]), (0, &log["entries"]), "{report}");
        let entries: Vec<Value> = place
            .run(&["calls", "export", "--format", "jsonl"])
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let received = received.into_inner().unwrap();
        assert!(received.len() >= 86 && received.iter().any(|(_, names)| !names.is_empty()));
        for (id, names) in received {
            let entry = entries.iter().find(|entry| entry["request_id"] == id.as_str());
            let entry = entry.unwrap_or_else(|| panic!("a page without an entry: {id}"));
            assert_eq!((&entry["status"], &entry["count"]), (&200.into(), &names.len().into()));
            if !names.is_empty() {
                let digest = sha256((names.join("\n") + "\n").as_bytes()).map(|byte| format!("{byte:02x}")).concat();
                assert_eq!(entry["flows_digest"], digest);
            }
        }
    }
}

#[test]
fn a_witness_is_told_and_holds_up_nothing() {
    let database = TestDatabase::new(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("checkpoint.pem");
    SigningKey::generate(&key).unwrap();
    let witness = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = witness.local_addr().unwrap();
    let start = || {
        App::start_with(&database, |config| {
            config.call_log.checkpoint_key = Some(key.clone());
            config.call_log.checkpoint_file = Some(folder.path().join("checkpoints.txt"));
            config.call_log.witness_url = Some(format!("http://{address}/notes"));
        })
    };
    let app = start();
    app.get("/flussi?limit=10");
    let answers = thread::spawn(move || {
        let mut told = Vec::new();
        for status in ["503 Service Unavailable", "200 OK"] {
            let (stream, _) = witness.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut length = 0;
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            told.push(String::from_utf8(body).unwrap());
        }
        told
    });
    app.stop();
    // It stops although the witness refused.
    let app = start();
    app.get("/flussi?limit=10");
    app.stop();
    let told = answers.join().unwrap();
    let checkpoints: Vec<Checkpoint> =
        told.into_iter().map(|note| Kept { place: String::new(), note }.read().unwrap().0).collect();
    // What was refused is sent again, if it is still the newest.
    assert!(checkpoints[0].size == 1 && checkpoints[1].size <= 2);
    assert!(checkpoints.iter().all(|checkpoint| checkpoint.origin == "waas-comuni/prova"));
}
