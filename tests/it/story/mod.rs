//! The console as each role goes through it, from the first sign-in to the end: an administrator lets colleagues in, an
//! operator loads a file and writes a benefit, INPS comes, the operator mends what it refused, an auditor finds the call
//! and verifies the log.
//!
//! The walk opens every page that there is, with scripts and without. Where `WAAS_WRITE_MANUAL` is set it also takes the
//! pictures of the manual (`make manual`), always of the same width and at the same instant.

mod administrator;
mod auditor;
mod manual;
mod operator;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use waas_comuni::call_log::seal::note::SigningKey;
use waas_comuni::call_log::seal::writer::Checkpointer;
use waas_comuni::clock::Clock;
use waas_comuni::config::Config;
use waas_comuni::console::pages;

use crate::support::app::App;
use crate::support::browser::{Browser, DESKTOP, Element, PATIENCE};
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase};
use crate::support::staff::PASSWORD;

/// Tuesday 30 September 2025, nine in the morning in Rome.
const MORNING: i64 = 1_759_215_600_000;
/// Sixteen rows, of which INPS would refuse ten, each for another reason.
const FILE: &str = include_str!("misto.csv");

/// How the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// With scripts; each page is judged by axe-core, and its pictures are kept.
    Judged,
    /// With scripts.
    Plain,
    /// Without scripts.
    Scriptless,
}

/// A service, somebody at a browser, and INPS.
struct Walk {
    app: App,
    config: Config,
    place: Place,
    browser: Browser,
    telling: Telling,
    now: Arc<AtomicI64>,
    /// The paths at which the walk has been.
    seen: RefCell<BTreeSet<String>>,
    _signing: TempDir,
}

#[test]
fn the_story_of_each_role_on_sqlite() {
    tell(Backend::Sqlite, Telling::Judged);
}

#[test]
fn the_story_of_each_role_on_postgres() {
    tell(Backend::Postgres, Telling::Plain);
}

#[test]
fn the_story_of_each_role_without_scripts() {
    tell(Backend::Sqlite, Telling::Scriptless);
}

fn tell(backend: Backend, telling: Telling) {
    let database = TestDatabase::new(backend);
    let walk = Walk::begin(&database, telling);
    let [operator, auditor] = walk.an_administrator_lets_colleagues_in();
    walk.an_operator_begins(&operator);
    walk.an_operator_loads_a_file_with_mistakes();
    walk.an_operator_loads_it_again_corrected();
    walk.an_operator_writes_a_benefit_over_two_years();
    let refused = walk.inps_comes_and_refuses_one();
    walk.an_operator_mends_what_was_refused(&refused);
    walk.inps_comes_again_and_accepts();
    walk.an_operator_sees_what_became_of_it(&refused);
    walk.an_auditor_finds_the_call_and_verifies_the_log(&auditor);
    walk.end();
}

impl Walk {
    fn begin(database: &TestDatabase, telling: Telling) -> Self {
        let signing = TempDir::new().unwrap();
        let key = signing.path().join("checkpoint.pem");
        SigningKey::generate(&key).unwrap();
        let now = Arc::new(AtomicI64::new(MORNING));
        let mut kept = Config::default();
        let app = App::start_at(database, Clock::Manual(Arc::clone(&now)), |config| {
            "Comune di Esempio".clone_into(&mut config.eservice[0].ente[0].denominazione);
            config.call_log.checkpoint_key = Some(key);
            config.call_log.checkpoint_file = Some(signing.path().join("checkpoints.txt"));
            config.call_log.origin = Some("waas.example.it".to_owned());
            kept = config.clone();
        });
        let browser = Browser::start();
        browser.scripts(telling != Telling::Scriptless);
        Self {
            app,
            config: kept,
            place: Place::new(database),
            browser,
            telling,
            now,
            seen: RefCell::default(),
            _signing: signing,
        }
    }

    /// Time goes by.
    fn minutes_later(&self, minutes: i64) {
        self.now.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }

    fn open(&self, path: &str) {
        self.browser.open(&self.app.page(path));
    }

    /// Takes note of the page on which the browser is, and judges it where pages are judged.
    fn at(&self, name: &str) {
        let url = url::Url::parse(&self.browser.url()).unwrap();
        self.seen.borrow_mut().insert(url.path().to_owned());
        if self.telling == Telling::Judged {
            self.browser.inspect(&format!("storia-{name}"));
        } else {
            self.browser.assert_quiet(name);
        }
    }

    /// The same, and a picture for the manual with the element `top` at its upper edge.
    fn shown(&self, name: &str, top: &str) {
        self.at(name);
        assert!(manual::pictures().contains(name), "docs/manuale.md does not show {name}");
        if self.telling == Telling::Judged && std::env::var_os("WAAS_WRITE_MANUAL").is_some() {
            self.browser.resize(manual::WIDTH);
            let folder = manual::folder();
            std::fs::create_dir_all(&folder).unwrap();
            let picture = self.browser.part([top, "footer"], manual::SIZE);
            std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
            self.browser.resize(DESKTOP);
        }
    }

    /// Waits until the page shows this, which it comes to do by itself.
    fn until(&self, selector: &str) {
        if self.telling == Telling::Scriptless {
            self.until_asked(selector);
        } else {
            self.browser.find(selector);
        }
    }

    /// The same of a page that has to be asked for again.
    fn until_asked(&self, selector: &str) {
        let page = self.browser.url();
        let deadline = Instant::now() + PATIENCE;
        while self.browser.all(selector).is_empty() {
            assert!(Instant::now() < deadline, "{selector} is not on {page}: {}", self.browser.text());
            self.browser.open(&page);
        }
    }

    /// Signs in for the first time, with a password that somebody else knows.
    fn begin_with(&self, name: &str, password: &str) {
        self.open("/");
        self.browser.send(&[("nome", name), ("password", password)]);
        self.browser.find("#attuale");
        self.at("password");
        self.browser.send(&[("attuale", password), ("nuova", PASSWORD), ("conferma", PASSWORD)]);
        assert!(self.browser.find("[role=status]").text().contains("La password è stata cambiata."));
    }

    fn leave(&self) {
        self.browser.find("form[action='/uscita'] button").click();
        self.browser.find("#nome");
    }

    /// The entries of the menu.
    fn menu(&self) -> Vec<String> {
        self.browser.all("#menu-voci a").iter().map(Element::text).collect()
    }

    /// INPS comes for the flows after `since` and sends these outcomes, or `ok` for all of them.
    fn inps(&self, since: i64, esiti: &str) -> Value {
        self.minutes_later(15);
        self.place.file("voucher.txt", self.app.voucher());
        let (url, since) = (format!("http://{}/waas/v1", self.app.address()), since.to_string());
        let with =
            ["--url", &url, "--token-file", "voucher.txt", "--since", &since, "--esiti", esiti, "--json"];
        let done = self.place.run(&[&["inps"][..], &with].concat());
        assert_eq!(done.code, 0, "{done:?}");
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// INPS takes everything and refuses the scholarship; gives the name of its flow.
    fn inps_comes_and_refuses_one(&self) -> String {
        let mut refused = None;
        let esiti: Vec<Value> = self
            .feed(0)
            .iter()
            .map(|(id_flusso, ts_ms, xml)| {
                let instant = format!("{:.3}", jiff::Timestamp::from_millisecond(*ts_ms).unwrap());
                let mut esito = json!({
                    "id_flusso": id_flusso, "tipo": "PS_PSA_SINA", "ts_flusso": instant,
                    "ts_acquisizione": instant, "codice_esito": "OK", "id_acquisizione_siuss": format!("SIUSS-{ts_ms}"),
                });
                if xml.contains("A1.19") {
                    refused = Some(id_flusso.clone());
                    esito["codice_esito"] = json!("RICHIESTA_INVALIDA");
                    esito["descrizione_esito"] = json!("ImportoPrestazione non coerente con la graduatoria");
                    esito.as_object_mut().unwrap().remove("id_acquisizione_siuss");
                }
                esito
            })
            .collect();
        self.place.file("esiti.json", json!({ "elenco_esiti": esiti }).to_string());
        let report = self.inps(0, "esiti.json");
        assert_eq!(report["flows"]["total"], esiti.len(), "{report}");
        refused.unwrap()
    }

    fn inps_comes_again_and_accepts(&self) {
        let feed = self.feed(0);
        let report = self.inps(feed[feed.len() - 2].1, "ok");
        assert_eq!(report["flows"]["total"], 1, "what was refused comes again, alone: {report}");
    }

    /// Name, timestamp and document of each flow after `since`.
    fn feed(&self, since: i64) -> Vec<(String, i64, String)> {
        let flows = self.app.registry.page(self.app.eservice, since.try_into().unwrap(), 100).unwrap();
        let text = |xml| String::from_utf8(xml).unwrap();
        flows.into_iter().map(|flow| (flow.id_flusso, flow.ts_ms, text(flow.xml))).collect()
    }

    fn sign_the_log(&self) {
        let clock = Clock::Manual(Arc::clone(&self.now));
        let checkpointer = Checkpointer::open(&self.config, self.app.store.clone(), clock).unwrap();
        checkpointer.unwrap().round().unwrap();
    }

    /// Nothing was left out, and nothing came from elsewhere.
    fn end(self) {
        let seen = self.seen.borrow();
        let is_at = |page: &str, path: &str| {
            let (ours, theirs): (Vec<_>, Vec<_>) = (page.split('/').collect(), path.split('/').collect());
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| *ours == theirs || ours.starts_with('{'))
        };
        for page in pages::all().filter(|page| page.method() == "GET" && !is_download(page.path)) {
            assert!(
                seen.iter().any(|path| is_at(page.path, path)),
                "nobody in the story opens {}: let somebody do so, with `walk.at(\"name\")`",
                page.path
            );
        }
    }
}

/// Whether what answers there is no page: a file, or a line for the script.
fn is_download(path: &str) -> bool {
    ["/stato", "/rapporto.csv", "/rapporto.json", "/xml/{flusso}", "/openapi/{eservice}"]
        .iter()
        .any(|end| path.ends_with(end))
}
