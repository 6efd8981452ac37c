//! Payloads whose time is over: what goes, what a cancellation keeps, and a feed that goes on over the gap.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use diesel::RunQueryDsl;
use diesel::deserialize::QueryableByName;
use diesel::sql_types::Text;
use jiff::Timestamp;
use regex::Regex;
use serde_json::Map;
use waas_comuni::call_log::Actor;
use waas_comuni::call_log::action::Way;
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::inps::{self, BELFIORE, Credentials, Esiti, Options};
use waas_comuni::registry::retention::Retention;
use waas_comuni::registry::{CodiceEsito, Esito, Lookup, Payload, Registry, Verdict};
use waas_comuni::retention::drop_payloads;
use waas_comuni::siuss::record::Record;
use waas_comuni::store::{AnyConnection, EserviceId, Store};
use waas_comuni::vendor;
use waas_comuni::voucher::issuer;

use crate::json::borsa;
use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::records::{mensa, minore, roma, withdrawn};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A registry whose days pass when they are told to.
struct Years {
    store: Store,
    registry: Registry,
    eservice: EserviceId,
    clock: Clock,
    now: Arc<AtomicI64>,
}

impl Years {
    fn new(database: &TestDatabase) -> Self {
        let now =
            Arc::new(AtomicI64::new("2026-01-10T09:00:00Z".parse::<Timestamp>().unwrap().as_millisecond()));
        let clock = Clock::Manual(Arc::clone(&now));
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        Self { registry: Registry::new(store.clone(), clock.clone()), store, eservice, clock, now }
    }

    fn pass(&self, days: i64) {
        self.now.fetch_add(days * DAY_MS, Ordering::SeqCst);
    }

    fn publish(&self, record: &Record) -> Verdict {
        self.registry.publish(self.eservice, &roma(), std::slice::from_ref(record)).unwrap().remove(0)
    }

    /// The names of what is served, in pages of two.
    fn served(&self) -> Vec<String> {
        let (mut since, mut names) = (0, Vec::new());
        loop {
            let page = self.registry.page(self.eservice, since, 2).unwrap();
            names.extend(page.iter().map(|flusso| flusso.id_flusso.clone()));
            match page.last() {
                Some(last) if page.len() == 2 => since = u128::try_from(last.ts_ms).unwrap(),
                _ => return names,
            }
        }
    }

    fn say(&self, codice: CodiceEsito, names: &[String]) {
        let esiti: Vec<_> = names.iter().map(|name| outcome(name, codice, self.clock.now())).collect();
        self.registry.record_esiti(self.eservice, &esiti, "r").unwrap();
    }

    fn retention(&self, days: u32, keep_for_cancellation: bool) -> Retention {
        let settings = config::Retention { payload_days: Some(days), keep_for_cancellation };
        Retention::new(&settings, self.clock.now()).unwrap()
    }

    fn drop(&self, days: u32, keep_for_cancellation: bool) -> u64 {
        let retention = self.retention(days, keep_for_cancellation);
        let planned = self.registry.droppable_payloads(self.eservice, retention).unwrap();
        let dropped =
            drop_payloads(&self.store, &self.clock, &service(), self.eservice, retention, &|| false).unwrap();
        assert_eq!(dropped.flussi, planned);
        dropped.flussi
    }
}

fn service() -> Actor {
    Actor { user: "prova".to_owned(), way: Way::Service, client_ip: None }
}

fn outcome(name: &str, codice: CodiceEsito, instant: Timestamp) -> Esito {
    Esito {
        id_flusso: name.to_owned(),
        ts_flusso: instant,
        ts_acquisizione: instant,
        tipo: "PS_PSA_SINA".to_owned(),
        codice,
        descrizione: None,
        id_acquisizione_siuss: None,
        altro: Map::new(),
    }
}

fn rule(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Refused(notice) => notice.rule.code,
        other => panic!("{other:?}"),
    }
}

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = Text)]
    line: String,
}

on_both_databases! {
    fn what_inps_accepted_goes_in_time_and_what_a_cancellation_needs_stays(database) {
        let years = Years::new(database);
        let corrected = mensa("2", 9100);
        for record in [&mensa("1", 8000), &mensa("2", 8000), &mensa("3", 8000), &minore("m-1", 1), &mensa("4", 8000)] {
            years.publish(record);
        }
        years.publish(&corrected);
        years.publish(&withdrawn(&mensa("3", 8000)));
        let all = years.served();
        assert_eq!(all.len(), 8);
        years.say(CodiceEsito::Ok, &all);
        years.pass(20);
        // The fifth was accepted, and is refused before its time is over.
        years.say(CodiceEsito::RichiestaInvalida, &all[4..5]);
        assert_eq!(years.drop(30, false), 0, "nothing is old enough");
        years.pass(11);

        // The first version of 2 and its cancellation, 3 and its withdrawal, the child.
        assert_eq!(years.drop(30, true), 5);
        assert_eq!(years.drop(30, true), 0, "once");
        assert_eq!(years.served(), [&all[0], &all[4], &all[6]].map(String::clone), "in full pages");
        assert_eq!(years.registry.waiting(years.eservice, 0).unwrap(), 3);
        assert_eq!(years.registry.counts(years.eservice).unwrap().flussi, 8, "each keeps its place");
        let found = years.registry.find(years.eservice, &Lookup::Label("2".to_owned()), 1).unwrap().remove(0);
        let dropped: Vec<_> =
            found.flussi.iter().map(|flusso| matches!(flusso.payload, Payload::Dropped { .. })).collect();
        assert_eq!(dropped, [true, true, false]);
        assert_eq!(found.flussi[0].esiti.len(), 1, "so do its outcomes");
        assert!(matches!(years.publish(&mensa("2", 9200)), Verdict::Changed { cancellations, .. } if cancellations.len() == 1));
        assert!(matches!(years.publish(&minore("m-1", 2)), Verdict::Changed { cancellations, .. } if cancellations.is_empty()));

        // A benefit of which something is open keeps all that it has, whatever the configuration says.
        assert_eq!(years.drop(30, false), 1);
        let gone = years.publish(&mensa("1", 8100));
        assert_eq!(rule(&gone), "REG-06");
        let Verdict::Refused(notice) = gone else { unreachable!() };
        assert!(notice.message.contains("2026-02-10"), "{}", notice.message);
        assert_eq!(rule(&years.publish(&withdrawn(&mensa("1", 8000)))), "REG-06");
        assert_eq!(years.publish(&mensa("1", 8000)), Verdict::Unchanged);
        let found = years.registry.find(years.eservice, &Lookup::Label("1".to_owned()), 1).unwrap().remove(0);
        let withdrawal = years.registry.withdraw(years.eservice, &roma(), found.id).unwrap().unwrap();
        assert_eq!(rule(&withdrawal.verdict), "REG-06");
        let document = vendor::document(&found, &std::collections::BTreeMap::new()).unwrap();
        assert!(document["record"].is_null() && document["flussi"][0]["dropped"].is_string(), "{document}");
        assert!(matches!(years.publish(&mensa("5", 8000)), Verdict::New { .. }), "the feed goes on");

        let mut log = Vec::new();
        let filter = waas_comuni::call_log::search::Filter::default();
        waas_comuni::call_log::export::export(&years.store, &filter, waas_comuni::call_log::export::Format::Jsonl, &mut log).unwrap();
        let log = String::from_utf8(log).unwrap();
        let entries: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let counts: Vec<_> = entries.iter().map(|entry| entry["count"].as_u64().unwrap()).collect();
        assert_eq!(counts, [5, 1]);
        assert_eq!(entries[0]["path"], "payloads_dropped");
        assert_eq!(entries[0]["query"], "accepted_before=2026-01-11T09:00:00.000Z");
    }

    fn inps_drains_the_feed_over_the_gap(database) {
        let app = App::start(database);
        let records: Vec<_> = (0..60).map(|number| mensa(&format!("D{number}"), 8420)).collect();
        app.publish(&records);
        let keys = app.keys.path();
        let options = Options {
            url: format!("http://{}/waas/v1", app.address()).parse().unwrap(),
            ca: None,
            credentials: Credentials::from_issuer(
                &keys.join(issuer::KEY_FILE),
                &Path::new(keys).join(issuer::PROFILE_FILE),
            )
            .unwrap(),
            since: 0,
            limit: "7".parse().unwrap(),
            cursor_file: None,
            esiti: Esiti::Ok,
            rehearse: false,
            patience: Duration::ZERO,
            codice_ente: Regex::new(BELFIORE).unwrap(),
        };
        let report = inps::run(&options, &Clock::System, &mut ()).unwrap();
        assert!(report.passed, "{report}");
        app.publish(&[mensa("D3", 9000), mensa("D4", 9000), mensa("E1", 8420)]);
        let retention = Retention {
            accepted_before: Timestamp::from_millisecond(Clock::System.now_ms() + 1000).unwrap(),
            keep_for_cancellation: false,
        };
        let dropped = drop_payloads(&app.store, &Clock::System, &service(), app.eservice, retention, &|| false).unwrap();
        assert_eq!(dropped.flussi, 58);
        let report = inps::run(&options, &Clock::System, &mut ()).unwrap();
        assert!(report.passed, "{report}");
        assert_eq!((report.flows.total, report.pages), (7, 1));
        let page = app.get("/flussi?since=0&limit=5").flussi();
        assert_eq!(page.len(), 5);
        assert_eq!(app.get("/flussi?since=0&limit=5").flussi(), page, "asked twice, the same");
    }

    fn a_page_over_a_gap_costs_what_any_page_costs(database) {
        let years = Years::new(database);
        let gap = "INSERT INTO flusso (eservice_id, ts, id_flusso, ente_id, tipo, operazione, prestazione_id, \
                   payload_format, payload, eliminato_ms) ";
        years.store.write(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => diesel::sql_query(format!(
                    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) {gap} \
                     SELECT 1, i, 'x' || i, 1, 1, 'I', 1, 0, x'', 1 FROM n"
                )).execute(inner)?,
                AnyConnection::Postgres(inner) => diesel::sql_query(format!(
                    "{gap} SELECT 1, i, 'x' || i, 1, 1, 'I', 1, 0, '', 1 FROM generate_series(1, 20000) AS i"
                )).execute(inner)?,
            })
        }).unwrap();
        for number in 0..3 {
            years.publish(&mensa(&number.to_string(), 8000));
        }
        let page = "SELECT payload FROM flusso WHERE eservice_id = 1 AND ts > 0 AND eliminato_ms IS NULL \
                    ORDER BY ts LIMIT 2";
        let plan: Vec<Plan> = years.store.write(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => {
                    #[derive(QueryableByName)]
                    struct Step {
                        #[diesel(sql_type = Text)]
                        detail: String,
                    }
                    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {page}")).load(inner)?;
                    steps.into_iter().map(|step| Plan { line: step.detail }).collect()
                }
                AnyConnection::Postgres(inner) => {
                    #[derive(QueryableByName)]
                    struct Step {
                        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
                        detail: String,
                    }
                    diesel::sql_query("ANALYZE flusso").execute(inner)?;
                    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN {page}")).load(inner)?;
                    steps.into_iter().map(|step| Plan { line: step.detail }).collect()
                }
            })
        }).unwrap();
        let plan: Vec<_> = plan.into_iter().map(|step| step.line).collect();
        assert!(plan.iter().any(|line| line.contains("flusso_served")), "{plan:#?}");
        assert_eq!(years.served().len(), 3);
    }

    fn payloads_are_dropped_on_demand_and_by_a_service_that_runs(database) {
        let place = Place::new(database);
        let lines: Vec<_> = (0..3).map(|number| borsa(&number.to_string()).to_string()).collect();
        place.file("a.jsonl", lines.join("\n"));
        assert_eq!(place.run(&["import", "a.jsonl", "--ente", "H501"]).code, 0);
        let unset = place.run(&["benefits", "expire"]);
        assert_eq!(unset.code, 2);
        assert!(unset.stderr.contains("retention.payload_days"), "{unset:?}");

        let path = place.path().join("waas-comuni.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let retention = "[retention]\npayload_days = 0\nkeep_for_cancellation = false\n";
        std::fs::write(&path, format!("{retention}{config}")).unwrap();
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let registry = Registry::new(store, Clock::System);
        let flussi = registry.page(eservice, 0, 10).unwrap();
        let accept = |place: usize| {
            let esito = outcome(&flussi[place].id_flusso, CodiceEsito::Ok, Clock::System.now());
            registry.record_esiti(eservice, &[esito], "r").unwrap();
            // Accepted before now, and not at this very instant.
            let stored = Clock::System.now_ms();
            while Clock::System.now_ms() <= stored {
                std::thread::yield_now();
            }
        };
        accept(0);
        let served = || registry.page(eservice, 0, 10).unwrap().len();
        let dry = place.run(&["benefits", "expire", "--dry-run"]);
        assert!(dry.stdout.contains("prova: Contenuti da eliminare: 1"), "{dry:?}");
        assert_eq!(served(), 3);
        let done = place.run(&["benefits", "expire", "--json"]);
        let done: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&done[0]["eservice"], &done[0]["dropped"]), (&"prova".into(), &1.into()));
        assert_eq!(served(), 2);
        let history = place.run(&["benefits", "history", "--protocollo", "0"]);
        assert!(history.stdout.contains("contenuto eliminato il 20"), "{history:?}");
        let shown = place.run(&["benefits", "show", "--protocollo", "0"]);
        assert!(shown.stdout.contains("contenuto eliminato il 20"), "{shown:?}");

        accept(1);
        let app = App::start_with(database, |config| {
            config.retention = config::Retention { payload_days: Some(0), keep_for_cancellation: false };
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while served() > 1 {
            assert!(Instant::now() < deadline, "the daily run does not come");
            std::thread::yield_now();
        }
        let log = app.stop();
        let by: Vec<_> =
            log.iter().filter(|entry| entry["path"] == "payloads_dropped").map(|entry| &entry["count"]).collect();
        assert_eq!(by, [1, 1]);
    }
}
