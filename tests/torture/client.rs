//! INPS: follows the cursor with pages of any size, asks some pages twice, and sends outcomes, some of them twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use ureq::http::Request;

use crate::checker::{Fact, Seen};
use crate::http::{Answer, Http, Vouchers};
use crate::random::Random;
use crate::records::{hash, said};
use crate::run::{EService, Phase, Stage};

/// Pages that are remembered, to be asked again.
const REMEMBERED: usize = 50;
/// Flows whose outcomes are still to be sent, at most: INPS answers what it gets to.
const UNANSWERED: usize = 5_000;

/// A page that came once.
struct Page {
    query: String,
    body: String,
    is_full: bool,
}

/// A flow that came, and of which nothing was said yet.
struct Unanswered {
    id_flusso: String,
    ts_flusso: String,
    withdraws: bool,
}

impl Unanswered {
    /// What INPS says of it: each client the same, and always. It refuses an insertion in ten.
    fn codice(&self) -> &'static str {
        const REFUSALS: [&str; 3] = ["DATI_NON_TROVATI", "RICHIESTA_INVALIDA", "ERRORE_GENERICO"];
        let lot = usize::try_from(hash(&self.id_flusso) % 30).unwrap();
        REFUSALS.get(lot).filter(|_| !self.withdraws).copied().unwrap_or("OK")
    }
}

pub(crate) struct Client {
    stage: Arc<Stage>,
    eservice: EService,
    number: u64,
    random: Random,
    http: Http,
    vouchers: Vouchers,
    since: i64,
    pages: Vec<Page>,
    unanswered: VecDeque<Unanswered>,
    /// Outcomes sent so far, each of which has a number of its own.
    outcomes: u64,
    /// Outcomes that were not acknowledged: they are sent again until they are.
    again: Option<(Vec<[String; 2]>, String)>,
}

impl Client {
    pub(crate) fn new(stage: Arc<Stage>, eservice: EService, number: u64) -> Self {
        Self {
            eservice,
            number,
            random: Random::new(stage.seed, 400 + number),
            http: Http::new(Arc::clone(&stage)),
            vouchers: Vouchers::new(Arc::clone(&stage)),
            stage,
            since: 0,
            pages: Vec::new(),
            unanswered: VecDeque::new(),
            outcomes: 0,
            again: None,
        }
    }

    /// Pulls until nothing more will come.
    pub(crate) fn run(mut self) {
        while self.stage.phase() < Phase::Over {
            // What is empty after this has come is the end.
            let is_draining = self.stage.phase() >= Phase::Drain;
            match self.random.within(1, 100) {
                1..=80 => {
                    if self.pull() == Some(0) {
                        if is_draining && self.again.is_none() {
                            return;
                        }
                        thread::sleep(self.random.millis(10, 60));
                    }
                }
                81..=90 if !is_draining => self.pull_again(),
                _ => self.answer(),
            }
        }
    }

    fn get(&mut self, query: &str) -> Option<Answer> {
        let Some([api, _]) = self.stage.fleet.any(&mut self.random) else {
            thread::sleep(Duration::from_millis(20));
            return None;
        };
        let request = Request::get(format!("http://{api}{}/flussi?{query}", self.eservice.base_path))
            .header("Authorization", self.vouchers.authorization())
            .body(Vec::new())
            .unwrap();
        self.http.call(request, &[200])
    }

    /// Asks for the next page; gives how many flows it had. A page of no flows at all is not counted as the end.
    fn pull(&mut self) -> Option<usize> {
        let limit = match self.random.within(0, 19) {
            _ if self.stage.phase() >= Phase::Drain => 100,
            0 => 0,
            1..=4 => 1,
            5..=9 => self.random.within(2, 10),
            _ => self.random.within(11, 100),
        };
        let query = format!("since={}&limit={limit}", self.since);
        let answer = self.get(&query)?;
        let Some(flows) = flows(&answer) else {
            self.stage.violated(format!("client {}: {query} was answered {}", self.number, answer.body));
            return None;
        };
        let count = flows.len();
        let ascends =
            flows.iter().map(|flow| flow.ts).try_fold(self.since, |last, ts| (ts > last).then_some(ts));
        let limit = usize::try_from(limit).unwrap();
        let (Some(last), true) = (ascends, count <= limit) else {
            self.stage.violated(format!(
                "client {}: {query} was answered with {count} flows, of timestamps {:?}",
                self.number,
                flows.iter().map(|flow| flow.ts).collect::<Vec<_>>()
            ));
            return None;
        };
        self.since = last;
        self.stage.stats.add("pages pulled", 1);
        self.stage.stats.add("flows pulled", u64::try_from(count).unwrap());
        if self.unanswered.len() < UNANSWERED {
            self.unanswered.extend(flows.iter().map(|flow| Unanswered {
                id_flusso: flow.id_flusso.clone(),
                ts_flusso: flow.ts_flusso.clone(),
                withdraws: flow.withdraws,
            }));
        }
        let request_id = answer.request_id();
        if count > 0 {
            if self.pages.len() == REMEMBERED {
                let place = self.random.below(REMEMBERED);
                self.pages.swap_remove(place);
            }
            self.pages.push(Page { query, body: answer.body, is_full: count == limit });
        }
        self.stage.tell(self.eservice, Fact::Page { client: self.number, request_id, flows });
        (limit > 0).then_some(count)
    }

    /// Asks for an earlier page again: the same bytes, and more only where there was room for more.
    fn pull_again(&mut self) {
        if self.pages.is_empty() {
            return;
        }
        let place = self.random.below(self.pages.len());
        let query = self.pages[place].query.clone();
        let Some(answer) = self.get(&query) else { return };
        let page = &self.pages[place];
        let is_same = if page.is_full {
            answer.body == page.body
        } else {
            answer.body.starts_with(page.body.strip_suffix("]}").unwrap_or(&page.body))
        };
        if !is_same {
            let names = |body: &str| {
                let page: Value = serde_json::from_str(body).unwrap_or_default();
                let flows = page["elenco_flussi"].as_array().cloned().unwrap_or_default();
                flows.iter().map(|flow| flow["id_flusso"].to_string()).collect::<Vec<_>>().join(" ")
            };
            self.stage.violated(format!(
                "client {}: {query} was answered otherwise the second time\nfirst:  {}\nsecond: {}",
                self.number,
                names(&page.body),
                names(&answer.body)
            ));
        }
        self.stage.stats.add("pages asked twice", 1);
    }

    /// Sends outcomes of some flows, or those that were not acknowledged.
    fn answer(&mut self) {
        let (sent, body) = match self.again.take() {
            Some(again) => again,
            None if self.unanswered.is_empty() || self.stage.phase() >= Phase::Drain => return,
            None => self.outcomes(),
        };
        if self.post_esiti(&sent, &body) {
            if self.random.chance(10) {
                // An outcome may come again after it was acknowledged.
                self.post_esiti(&sent, &body);
                self.stage.stats.add("outcomes sent twice", u64::try_from(sent.len()).unwrap());
            }
        } else {
            self.again = Some((sent, body));
        }
    }

    fn outcomes(&mut self) -> (Vec<[String; 2]>, String) {
        let count = self.random.within(1, 100).min(u64::try_from(self.unanswered.len()).unwrap());
        let mut sent = Vec::new();
        let mut list = Vec::new();
        for _ in 0..count {
            let flow = self.unanswered.pop_front().unwrap();
            let codice = flow.codice();
            let Unanswered { id_flusso, ts_flusso, .. } = flow;
            self.outcomes += 1;
            self.stage.stats.add("outcomes that refuse", u64::from(codice != "OK"));
            let number = format!("{}-{}", self.number, self.outcomes);
            // What the service never published is stored as well.
            let id_flusso = if self.random.chance(5) { format!("altrove-{number}") } else { id_flusso };
            list.push(json!({
                "id_flusso": id_flusso, "ts_flusso": ts_flusso, "ts_acquisizione": ts_flusso, "tipo": "PS_PSA_SINA",
                "codice_esito": codice, "id_acquisizione_siuss": number,
            }));
            sent.push([id_flusso, number]);
        }
        (sent, json!({ "elenco_esiti": list }).to_string())
    }

    fn post_esiti(&mut self, sent: &[[String; 2]], body: &str) -> bool {
        let Some([api, _]) = self.stage.fleet.any(&mut self.random) else {
            thread::sleep(Duration::from_millis(20));
            return false;
        };
        let request = Request::post(format!("http://{api}{}/esiti", self.eservice.base_path))
            .header("Authorization", self.vouchers.authorization())
            .header("Content-Type", "application/json")
            .body(body.as_bytes().to_vec())
            .unwrap();
        let Some(answer) = self.http.call(request, &[204]) else { return false };
        self.stage.stats.add("outcomes acknowledged", u64::try_from(sent.len()).unwrap());
        self.stage.tell(self.eservice, Fact::Esiti { request_id: answer.request_id(), sent: sent.to_vec() });
        true
    }
}

/// The flows of a page, if it is one.
fn flows(answer: &Answer) -> Option<Vec<Seen>> {
    let page = answer.json();
    let flow = |flow: &Value| {
        let text = |name: &str| flow[name].as_str().map(str::to_owned);
        let (id_flusso, ts_flusso) = (text("id_flusso")?, text("ts_flusso")?);
        let ts = ts_flusso.parse::<jiff::Timestamp>().ok()?.as_millisecond();
        let payload = BASE64_STANDARD.decode(text("flusso")?).ok()?;
        let withdraws = said(&payload)?.withdraws;
        Some(Seen { ts, content: hash(&(&id_flusso, payload)), id_flusso, ts_flusso, withdraws })
    };
    page["elenco_flussi"].as_array()?.iter().map(flow).collect()
}
