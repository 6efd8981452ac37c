//! A vendor's software: registers, corrects and withdraws benefits, and repeats what was not answered.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::Request;

use crate::checker::Fact;
use crate::http::{Answer, Http};
use crate::random::Random;
use crate::records::Benefit;
use crate::run::{EService, Phase, Stage};

pub(crate) struct Vendor {
    stage: Arc<Stage>,
    eservice: EService,
    number: u64,
    random: Random,
    http: Http,
    key: String,
    requests: u64,
    registered: u64,
    /// What was registered and not withdrawn, by the registry's number.
    held: Vec<(String, Benefit)>,
}

impl Vendor {
    /// With a key of its own, made as an operator makes it.
    pub(crate) fn new(stage: Arc<Stage>, eservice: EService, number: u64) -> Self {
        let name = format!("gestionale-{number}");
        let output = stage.program(&["apikey", "add", &name, "--eservice", eservice.name]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let key = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        Self {
            random: Random::new(stage.seed, 200 + number),
            http: Http::new(Arc::clone(&stage)),
            stage,
            eservice,
            number,
            key,
            requests: 0,
            registered: 0,
            held: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) {
        while self.stage.may_write(self.eservice) {
            match self.random.within(1, 10) {
                1..=4 => self.register(),
                _ if self.held.is_empty() => self.register(),
                5..=8 => self.correct(),
                _ => self.withdraw(),
            }
            thread::sleep(self.random.millis(0, 40));
        }
    }

    fn register(&mut self) {
        let benefits: Vec<Benefit> = (0..self.random.within(1, 20))
            .map(|_| {
                self.registered += 1;
                let protocollo = format!("V{}-{}", self.number, self.registered);
                Benefit { protocollo, amount: self.random.within(1, 10_000) }
            })
            .collect();
        let body = benefits.iter().map(Benefit::json).collect::<Value>().to_string();
        let Some(answer) = self.ask("POST", "", &body) else { return };
        let records = answer.json()["records"].as_array().cloned().unwrap_or_default();
        self.stage.stats.add("benefits registered by vendors", u64::try_from(benefits.len()).unwrap());
        let verdict = json!({ "records": &records });
        if records.len() != benefits.len() {
            return self.stage.violated(format!("{} records were answered {verdict}", benefits.len()));
        }
        for (benefit, record) in benefits.into_iter().zip(&records) {
            match record["prestazioni"][0]["id"].as_str() {
                Some(id) if record["verdict"] == "published" => self.held.push((id.to_owned(), benefit)),
                _ => return self.stage.violated(format!("a new benefit was answered {record}")),
            }
        }
    }

    fn correct(&mut self) {
        let place = self.random.below(self.held.len());
        let (id, benefit) = &mut self.held[place];
        benefit.amount += 1;
        let (path, body) = (format!("/{id}"), benefit.json().to_string());
        let Some(answer) = self.ask("PUT", &path, &body) else { return };
        if answer.json()["verdict"] != "changed" {
            self.stage.violated(format!("a correction was answered {}", answer.body));
        }
        self.stage.stats.add("benefits corrected by vendors", 1);
    }

    fn withdraw(&mut self) {
        let place = self.random.below(self.held.len());
        let (id, _) = self.held.swap_remove(place);
        let Some(answer) = self.ask("DELETE", &format!("/{id}"), "") else { return };
        if answer.json()["verdict"] != "withdrawn" {
            self.stage.violated(format!("a withdrawal was answered {}", answer.body));
        }
        self.stage.stats.add("benefits withdrawn by vendors", 1);
    }

    /// Asks until it is answered, always under one idempotency key. None when the run is over.
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Option<Answer> {
        self.requests += 1;
        let idempotency_key = format!("{}-{}", self.number, self.requests);
        let mut first: Option<Answer> = None;
        while self.stage.phase() < Phase::Over {
            let answer = self.stage.fleet.any(&mut self.random).and_then(|[_, back_office]| {
                let request = Request::builder()
                    .method(method)
                    .uri(format!("http://{back_office}/api/v1/prestazioni{path}"))
                    .header("X-API-Key", &self.key)
                    .header("Content-Type", "application/json")
                    .header("Idempotency-Key", &idempotency_key)
                    .body(body.as_bytes().to_vec())
                    .unwrap();
                self.http.call(request, &[200])
            });
            let Some(answer) = answer else {
                thread::sleep(Duration::from_millis(20));
                self.stage.stats.add("requests of vendors repeated", 1);
                continue;
            };
            self.stage.tell(
                self.eservice,
                Fact::Published { request_id: answer.request_id(), flows: flows(&answer.json()) },
            );
            match first {
                Some(first) if first.body != answer.body => {
                    self.stage.violated(format!(
                        "{method} {path} came twice, and was answered {} and then {}",
                        first.body, answer.body
                    ));
                    return None;
                }
                None if self.random.chance(10) => {
                    self.stage.stats.add("requests of vendors repeated", 1);
                    first = Some(answer);
                }
                _ => return Some(answer),
            }
        }
        None
    }
}

/// The names of the flows that an answer says were published.
fn flows(answer: &Value) -> Vec<String> {
    let records = answer["records"].as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    let parts = records.iter().flat_map(|record| record["prestazioni"].as_array().into_iter().flatten());
    let names = parts.flat_map(|part| part["flussi"].as_array().into_iter().flatten());
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}
