//! The log of calls: entries that share a commit beside rows with a commit of their own, and what it costs a pull.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use waas_comuni::api::server::{self, Running};
use waas_comuni::call_log::{Appender, Caller, DISCARD, Disclosed, Entry};
use waas_comuni::clock::Clock;
use waas_comuni::config::Config;
use waas_comuni::store::EserviceId;
use waas_comuni::voucher::issuer::{self, KEY_FILE, Profile, Signer};

use crate::dataset::Dataset;
use crate::harness::{Contestant, compare};
use crate::pages::pages;
use crate::plain::{Call, Plain};
use crate::server::Target;
use crate::support::app;
use crate::wrk::Load;
use crate::{name, rounds};

/// As many as share a commit in an ordinary hour.
const CLIENTS: usize = 32;
/// As many as drain at once where a provider serves hundreds of Comuni.
const MANY: usize = 200;

pub fn measure(dataset: &Dataset) {
    entries(dataset);
    cost(dataset);
}

fn entries(dataset: &Dataset) {
    let plain = Plain::of(dataset);
    let runtime = Runtime::new().unwrap();
    let appender = Appender::start(dataset.store.clone(), Clock::System).unwrap();
    let eservice = dataset.feed().eservice;
    let appends = |waiting: usize| {
        let (appender, runtime) = (&appender, &runtime);
        Contestant::timed(format!("call log, {waiting} calls waiting"), move || {
            runtime.block_on(append(appender, eservice, waiting))
        })
    };
    let rows = |clients: usize| {
        let plain = &plain;
        Contestant::timed(format!("{}: a commit each, {clients} clients", plain.name()), move || {
            plain.run(clients, 100, Call::Insert)
        })
    };
    let group = format!("Durable log entries, {}", name(dataset.backend));
    compare(&format!("{group}, one at a time"), "entries", 3, vec![rows(1), appends(1)]);
    let contestants = vec![rows(CLIENTS), appends(CLIENTS), appends(256)];
    compare(&format!("{group}, many at once"), "entries", 3, contestants);
    runtime.block_on(appender.shutdown());
}

/// The service with its log beside the same service without one, both in this process.
fn cost(dataset: &Dataset) {
    DISCARD.store(true, Ordering::Relaxed);
    let unlogged = InProcess::start(dataset);
    DISCARD.store(false, Ordering::Relaxed);
    let logged = InProcess::start(dataset);
    for limit in [10, 100] {
        for clients in [CLIENTS, 64, MANY] {
            let load = Load::of(clients, limit);
            let contestants = vec![
                pages("without a call log", &unlogged.target, dataset, load),
                pages("with it", &logged.target, dataset, load).at_least(0.85),
            ];
            let group =
                format!("What the log costs, pages of {limit}, {}, {clients} clients", name(dataset.backend));
            compare(&group, "pages", rounds(), contestants);
        }
    }
}

/// A service in this process.
struct InProcess {
    target: Target,
    running: Option<Running>,
    runtime: Runtime,
    _keys: TempDir,
}

impl InProcess {
    fn start(dataset: &Dataset) -> Self {
        let keys = TempDir::new().unwrap();
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        issuer::keygen(keys.path(), &profile).unwrap();
        let signer = Signer::read(&keys.path().join(KEY_FILE)).unwrap();
        let voucher = signer.draft(&profile, &Clock::System).sign(&signer).unwrap();
        let mut eservice = app::eservice(&dataset.feed().name, &dataset.feed().base_path, keys.path());
        eservice.daily_calls_per_consumer = u32::MAX;
        eservice.daily_calls_total = u32::MAX;
        let mut config =
            Config { database: dataset.settings.clone(), eservice: vec![eservice], ..Config::default() };
        "127.0.0.1:0".clone_into(&mut config.api.bind);
        "127.0.0.1:0".clone_into(&mut config.back_office.bind);
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(server::start(&config, Clock::System)).unwrap();
        let target = Target { api: running.api, voucher, tls: false };
        Self { target, running: Some(running), runtime, _keys: keys }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}
/// Appends from so many calls at once for a second.
async fn append(appender: &Appender, eservice: EserviceId, waiting: usize) -> (f64, Duration) {
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..waiting {
        let appender = appender.clone();
        calls.spawn(async move {
            let mut count = 0_u32;
            while begun.elapsed() < Duration::from_secs(1) {
                appender.append(entry(eservice), None).await.unwrap();
                count += 1;
            }
            count
        });
    }
    let count = calls.join_all().await.into_iter().map(f64::from).sum();
    (count, begun.elapsed())
}

fn entry(eservice: EserviceId) -> Entry {
    Entry {
        eservice: Some(eservice),
        instant: Clock::System.now(),
        request_id: "2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11".to_owned(),
        method: "GET".to_owned(),
        path: "/waas/v1/flussi".to_owned(),
        query: Some("since=1767225600000&limit=100".to_owned()),
        status: 200,
        outcome: "ok",
        client_ip: None,
        caller: Caller {
            client_id: Some("0f3b6c1e-8a4d-4c1b-9f6e-1b7f3a112f0f".to_owned()),
            purpose_id: Some("9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f".to_owned()),
            ..Caller::default()
        },
        voucher_check: None,
        since: Some(1_767_225_600_000),
        limit: Some(100),
        count: Some(100),
        disclosed: Some(Disclosed::new(1, 100, ["H501.PS.20260101.0000001"])),
        benefit: None,
        esiti: None,
        duration: Duration::from_millis(3),
        bytes: Some(180_000),
    }
}
