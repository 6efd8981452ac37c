//! A running service of its own for each test, reached over HTTP as INPS reaches it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use ureq::http::{HeaderMap, Request};
use waas_comuni::api::reload::ReloadError;
use waas_comuni::api::server::{self, Running};
use waas_comuni::call_log::export::{self, Format};
use waas_comuni::call_log::search::Filter;
use waas_comuni::clock::Clock;
use waas_comuni::config::{self, Config};
use waas_comuni::registry::{Registry, Verdict};
use waas_comuni::siuss::record::Record;
use waas_comuni::store::{EserviceId, Store};
use waas_comuni::voucher::issuer::{self, Draft, Profile, Signer};

use super::database::TestDatabase;
use super::records::roma;
use super::watch::WATCH;

/// A service with one e-service, `prova` at `/waas/v1`.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) eservice: EserviceId,
    pub(crate) profile: Profile,
    pub(crate) keys: TempDir,
    signer: Signer,
    agent: ureq::Agent,
    base: String,
    clock: Clock,
    api: SocketAddr,
    back_office: SocketAddr,
    config: Mutex<Config>,
    running: Mutex<Option<Running>>,
    runtime: Runtime,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The flows of a page.
    pub(crate) fn flussi(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["elenco_flussi"].as_array().unwrap().clone()
    }

    /// Checks that it is a problem of this status, and gives its detail.
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
        let id = self.header("x-request-id").expect("a request id");
        assert_eq!(problem["instance"], format!("urn:uuid:{id}"));
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl App {
    /// A service on `database`, with the configuration of the tests.
    pub(crate) fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, |_| {})
    }

    /// The same, with a configuration that `change` has changed.
    pub(crate) fn start_with(database: &TestDatabase, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(database, Clock::System, change)
    }

    /// The same, with a clock that the test holds.
    pub(crate) fn start_at(database: &TestDatabase, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let keys = TempDir::new().unwrap();
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        issuer::keygen(keys.path(), &profile).unwrap();
        let mut config = config(database, keys.path());
        change(&mut config);
        let store = database.store();
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(server::start(&config, clock.clone())).unwrap();
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        let scheme = if config.api.tls.is_some() { "https" } else { "http" };
        Self {
            registry: Registry::new(store.clone(), clock.clone()),
            eservice: store.register_eservice("prova").unwrap(),
            store,
            signer: Signer::read(&keys.path().join(issuer::KEY_FILE)).unwrap(),
            profile,
            keys,
            agent,
            base: format!("{scheme}://127.0.0.1:{}", running.api.port()),
            clock,
            api: running.api,
            back_office: running.back_office,
            config: Mutex::new(config),
            running: Mutex::new(Some(running)),
            runtime,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.api
    }

    /// Where the back office listens.
    pub(crate) fn back_office(&self) -> SocketAddr {
        self.back_office
    }

    /// Has the service take over its configuration as `change` changes it.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Config)) -> Result<(), ReloadError> {
        let mut in_force = self.config.lock().unwrap();
        let mut config = in_force.clone();
        change(&mut config);
        let mut running = self.running.lock().unwrap();
        let running = running.as_mut().unwrap();
        self.runtime.block_on(running.reload(Ok(config.clone())))?;
        *in_force = config;
        Ok(())
    }

    /// Publishes records of the Comune of the examples.
    pub(crate) fn publish(&self, records: &[Record]) -> Vec<Verdict> {
        self.registry.publish(self.eservice, &roma(), records).unwrap()
    }

    /// A good voucher.
    pub(crate) fn voucher(&self) -> String {
        self.voucher_with(|_| {})
    }

    /// A voucher that was good before it was changed and signed.
    pub(crate) fn voucher_with(&self, change: impl FnOnce(&mut Draft)) -> String {
        let mut draft = self.signer.draft(&self.profile, &self.clock);
        change(&mut draft);
        draft.sign(&self.signer).unwrap()
    }

    /// Whatever is asked, at a path of the listener.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send_to(&self.base, method, path, headers, body)
    }

    /// Whatever is asked, at a path of the back-office listener.
    pub(crate) fn send_back_office(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let address = self.back_office();
        self.send_to(&format!("http://127.0.0.1:{}", address.port()), method, path, headers, body)
    }

    fn send_to(&self, base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_vec()).unwrap();
        let request = self.agent.configure_request(request).allow_non_standard_methods(true).build();
        let mut response = self.agent.run(request).unwrap();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_string().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    }

    /// `GET` below the base path, with a good voucher.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let voucher = format!("Bearer {}", self.voucher());
        self.send("GET", &format!("/waas/v1{path}"), &[("Authorization", &voucher)], b"")
    }

    /// `POST /esiti` with a good voucher.
    pub(crate) fn post_esiti(&self, body: &str) -> Answer {
        let voucher = format!("Bearer {}", self.voucher());
        let headers = [("Authorization", voucher.as_str()), ("Content-Type", "application/json")];
        self.send("POST", "/waas/v1/esiti", &headers, body.as_bytes())
    }

    /// The call log so far, entry by entry.
    pub(crate) fn log(&self) -> Vec<Value> {
        let mut out = Vec::new();
        export::export(&self.store, &Filter::default(), Format::Jsonl, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Stops the service, and nothing else.
    pub(crate) fn stop_service(self) -> Self {
        self.end();
        self
    }

    /// What its metrics say is watched to the end.
    fn end(&self) {
        // A test that failed while it reloaded says so itself.
        let running = self.running.lock().map(|mut running| running.take()).unwrap_or_default();
        let Some(running) = running else { return };
        let metrics = ureq::get(format!("http://{}/metrics", running.back_office))
            .config()
            .timeout_global(Some(Duration::from_secs(1)))
            .build();
        // One that speaks TLS, or whose database is away, says nothing.
        if let Ok(metrics) = metrics.call().and_then(|mut answer| answer.body_mut().read_to_string()) {
            WATCH.hear(&metrics);
        }
        self.runtime.block_on(running.stop());
    }

    /// Stops the service and gives the log, in which every call is by then.
    pub(crate) fn stop(self) -> Vec<Value> {
        self.stop_service().log()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
    }
}

/// The configuration of the tests: one local e-service on free ports.
pub(crate) fn config(database: &TestDatabase, keys: &Path) -> Config {
    Config {
        database: database.settings(),
        api: config::Api { bind: "127.0.0.1:0".to_owned(), ..config::Api::default() },
        back_office: config::BackOffice { bind: "127.0.0.1:0".to_owned(), ..config::BackOffice::default() },
        eservice: vec![eservice("prova", "/waas/v1", keys)],
        ..Config::default()
    }
}

/// A local e-service whose keys are in the folder `keys`.
pub(crate) fn eservice(name: &str, base_path: &str, keys: &Path) -> config::EService {
    let text = format!(
        "name = {name:?}\nbase_path = {base_path:?}\nenvironment = \"locale\"\nissuer = \"locale.example.it\"\n\
         audience = \"SIUSS\"\njwks_url = \"file:{}\"\ndaily_calls_per_consumer = 100000\n\
         daily_calls_total = 100000\n\
         [[ente]]\ncodice = \"H501\"\ndenominazione = \"Comune di Roma\"\nsede = \"H501\"\n\
         cf_operatore = \"RSSMRA80A01H501U\"\n",
        keys.join(issuer::JWKS_FILE).display()
    );
    toml::from_str(&text).unwrap()
}
