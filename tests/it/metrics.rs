//! `/metrics`: figures are those of what happened, and each is described where operators look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use waas_comuni::call_log::seal::note::SigningKey;
use waas_comuni::clock::Clock;
use waas_comuni::config::Environment;

use crate::cruscotto::JANUARY;
use crate::support::app::App;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

/// What `/metrics` says: the text, and the values by name and labels.
fn metrics(app: &App) -> (String, BTreeMap<String, f64>) {
    let url = format!("http://{}/metrics", app.back_office());
    let text = ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let values = samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect();
    (text, values)
}

on_both_databases! {
    fn what_happened_is_counted(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), mensa("2025/2", 9000), mensa("2025/3", 7000)]);
        let flows = app.get("/flussi?since=0&limit=2").flussi();
        app.send("GET", "/waas/v1/flussi", &[("Authorization", "Bearer a.b.c")], b"").problem(401);
        app.send("GET", "/nowhere", &[], b"").problem(404);
        let esito = |flow: usize, code: &str| json!({
            "id_flusso": flows[flow]["id_flusso"],
            "ts_flusso": flows[flow]["ts_flusso"],
            "tipo": flows[flow]["tipo"],
            "ts_acquisizione": "2026-01-31T10:00:00.000Z",
            "codice_esito": code,
        });
        let body = json!({ "elenco_esiti": [esito(0, "OK"), esito(1, "RICHIESTA_INVALIDA"), esito(1, "OK")] });
        assert_eq!(app.post_esiti(&body.to_string()).status, 204);

        let (text, values) = metrics(&app);
        let expected = [
            ("waas_comuni_database_up", 1.0),
            ("waas_comuni_calls_total{eservice=\"prova\",operation=\"flussi\",status=\"200\"}", 1.0),
            ("waas_comuni_calls_total{eservice=\"prova\",operation=\"flussi\",status=\"401\"}", 1.0),
            ("waas_comuni_calls_total{eservice=\"prova\",operation=\"esiti\",status=\"204\"}", 1.0),
            ("waas_comuni_calls_total{eservice=\"\",operation=\"none\",status=\"404\"}", 1.0),
            ("waas_comuni_refusals_total{eservice=\"prova\",check=\"token_malformed\"}", 1.0),
            ("waas_comuni_flows_served_total{eservice=\"prova\"}", 2.0),
            ("waas_comuni_esiti_total{eservice=\"prova\",codice=\"OK\"}", 2.0),
            ("waas_comuni_esiti_total{eservice=\"prova\",codice=\"RICHIESTA_INVALIDA\"}", 1.0),
            ("waas_comuni_feed_gaps{eservice=\"prova\"}", 0.0),
            ("waas_comuni_feed_flows_total{eservice=\"prova\"}", 3.0),
            ("waas_comuni_feed_waiting_flows{eservice=\"prova\"}", 1.0),
            ("waas_comuni_flows_judged{eservice=\"prova\",codice=\"OK\"}", 2.0),
            ("waas_comuni_flows_judged{eservice=\"prova\",codice=\"RICHIESTA_INVALIDA\"}", 0.0),
            ("waas_comuni_call_log_entries_total{eservice=\"prova\"}", 3.0),
            ("waas_comuni_call_duration_seconds_count{operation=\"flussi\"}", 2.0),
        ];
        for (name, value) in expected {
            assert_eq!(values.get(name), Some(&value), "{name}: {text}");
        }
        let of = |name: &str| values[&format!("{name}{{eservice=\"prova\"}}")];
        let (head, cursor) =
            (of("waas_comuni_feed_head_timestamp_seconds"), of("waas_comuni_feed_cursor_timestamp_seconds"));
        let instant = |flow: usize| flows[flow]["ts_flusso"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let seconds = |instant: jiff::Timestamp| instant.as_duration().as_secs_f64();
        assert!((cursor - seconds(instant(1))).abs() < 0.0005 && head > cursor, "{head} {cursor}");
        assert!(of("waas_comuni_last_pull_timestamp_seconds") > 1.7e9, "{text}");
        let age = of("waas_comuni_issuer_keys_age_seconds");
        assert!((0.0..60.0).contains(&age), "{text}");
    }
}

/// The value of a metric with these labels, if it is there.
pub(crate) fn metric(app: &App, name: &str) -> Option<f64> {
    metrics(app).1.get(name).copied()
}

on_both_databases! {
    fn what_is_late_is_told_before_it_is(database) {
        // Meals that began on 1 September 2020 are due within three months.
        let november = "2020-11-15T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let millis = Arc::new(AtomicI64::new(november));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |_| {});
        let [late, due] = ["flows_late", "flows_due_timestamp_seconds"]
            .map(|name| format!("waas_comuni_{name}{{eservice=\"prova\",scadenza=\"periodica\"}}"));
        let told = || (metric(&app, &late), metric(&app, &due));
        let end = "2020-12-01T23:00:00Z".parse::<jiff::Timestamp>().unwrap().as_duration().as_secs_f64();
        assert_eq!(told(), (Some(0.0), None));
        app.publish(&[mensa("2020/1", 8000), mensa("2020/2", 8000)]);
        assert_eq!(told(), (Some(0.0), Some(end)));
        millis.store(JANUARY, Ordering::SeqCst);
        assert_eq!(told(), (Some(2.0), Some(end)));
        let a1_04 = "waas_comuni_flows_late{eservice=\"prova\",scadenza=\"a1_04\"}";
        assert_eq!(metric(&app, a1_04), Some(0.0));
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 2);
        assert_eq!(told(), (Some(0.0), None));
    }

    fn what_is_signed_is_told(database) {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("checkpoint.pem");
        SigningKey::generate(&key).unwrap();
        let app = App::start_with(database, |config| config.call_log.checkpoint_key = Some(key));
        let signed = "waas_comuni_checkpoint_entries{eservice=\"prova\"}";
        assert_eq!(metric(&app, signed), None);
        assert_eq!(app.get("/flussi?since=0").status, 200);
        // A reload signs what there is, as a stop does.
        app.reload(|_| {}).unwrap();
        assert_eq!(metric(&app, signed), Some(1.0));
        let instant = metric(&app, "waas_comuni_checkpoint_timestamp_seconds{eservice=\"prova\"}").unwrap();
        assert!(instant > 1.7e9, "{instant}");
    }
}

#[test]
fn accepted_risks_are_told() {
    let database = TestDatabase::new(Backend::Sqlite);
    let (text, _) = metrics(&App::start(&database));
    assert!(!text.contains("waas_comuni_accepted_risk{"), "{text}");
    let app = App::start_with(&database, |config| {
        let eservice = &mut config.eservice[0];
        eservice.environment = Environment::Collaudo;
        eservice.accept_any_consumer = true;
        eservice.accept_vouchers_of_any_eservice = true;
    });
    let (text, values) = metrics(&app);
    for risk in ["any_consumer", "vouchers_of_any_eservice"] {
        let name = format!("waas_comuni_accepted_risk{{eservice=\"prova\",risk=\"{risk}\"}}");
        assert_eq!(values.get(&name), Some(&1.0), "{text}");
    }
}

/// The names that begin as this product's metrics do, without what Prometheus adds to a histogram's.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let ours = words.filter(|word| word.starts_with("waas_comuni_"));
    let base = |name: &str| {
        let suffix = ["_bucket", "_count", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        suffix.unwrap_or(name).to_owned()
    };
    ours.map(base).collect()
}

fn files(folder: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn the_page_the_alerts_and_the_dashboard_name_the_metrics_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    files(&root.join("src/api"), "rs", &mut sources);
    let measured = names(&sources.concat());
    let read = |name: &str| names(&std::fs::read_to_string(root.join(name)).unwrap());
    assert_eq!(read("docs/metrics.md"), measured);
    for name in ["deploy/prometheus/alerts.yml", "deploy/grafana/waas-comuni.json"] {
        let used = read(name);
        assert!(!used.is_empty() && used.is_subset(&measured), "{name}: {:?}", used.difference(&measured));
    }
}
