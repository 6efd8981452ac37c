//! How long each page of the console takes with a million benefits and ten million calls in PostgreSQL, in a process that
//! serves three hundred e-services, beside the query that it rests on: `make bench`.
//!
//! `WAAS_BENCH_BENEFITS`, `WAAS_BENCH_ENTRIES` and `WAAS_BENCH_ESERVICES` ask for other numbers, `WAAS_BENCH_SQLITE` for SQLite too. A page is
//! asked for over HTTP by somebody who is signed in: session, statements, the log entry that is durable before an answer
//! with personal data, HTML. Those that only begin something, or give a file, are left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    reason = "a measurement ends where something fails, and has no public face"
)]

mod fill;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest of it")]
mod support;

use std::time::{Duration, Instant};

use diesel::prelude::*;
use waas_comuni::console::pages;
use waas_comuni::staff::Role;
use waas_comuni::store::{AnyConnection, Store};

use fill::Filled;
use support::app::App;
use support::bulk::{self, ESERVICES};
use support::database::{Backend, TestDatabase};
use support::staff::Visitor;

const BENEFITS: i64 = 1_000_000;
const ENTRIES: i64 = 10_000_000;
const EACH: usize = 300;
/// How often each page is asked for.
const TIMES: usize = 7;
/// What no page should take.
const MOST: Duration = Duration::from_millis(100);

fn main() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (benefits, entries) =
        (number("WAAS_BENCH_BENEFITS", BENEFITS), number("WAAS_BENCH_ENTRIES", ENTRIES));
    let eservices = std::env::var("WAAS_BENCH_ESERVICES").map_or(EACH, |text| text.parse().unwrap());
    let backends: &[Backend] = match std::env::var_os("WAAS_BENCH_SQLITE") {
        Some(_) => &[Backend::Sqlite, Backend::Postgres],
        None => &[Backend::Postgres],
    };
    for backend in backends {
        if *backend == Backend::Postgres && std::env::var_os("WAAS_TEST_POSTGRES").is_none() {
            eprintln!("WAAS_TEST_POSTGRES names no server: `make bench` starts one");
            continue;
        }
        measure(*backend, benefits, entries, eservices);
    }
}

fn measure(backend: Backend, benefits: i64, entries: i64, eservices: usize) {
    let database = TestDatabase::new(backend);
    let mut settings = database.settings();
    settings.timeout_seconds = 60;
    let store = Store::open(&settings).unwrap();
    store.migrate().unwrap();
    bulk::fill(&store, entries, benefits);
    fill::complete(&store, entries, benefits);
    let app = App::start_with(&database, |config| {
        let mut other = config.eservice[0].clone();
        (other.name, other.base_path) = (ESERVICES[1].to_owned(), "/collaudo".to_owned());
        ESERVICES[0].clone_into(&mut config.eservice[0].name);
        config.eservice.push(other);
        for number in ESERVICES.len()..eservices {
            let mut more = config.eservice[0].clone();
            (more.name, more.base_path) = (format!("comune-{number}"), format!("/comune/{number}"));
            config.eservice.push(more);
        }
        // Old entries would be removed while pages are measured.
        config.call_log.retention_days = 36_500;
    });
    let visitor = app.signed_in("anna", &Role::ALL);
    let filled = fill::history(&app, &store, &visitor, benefits, entries);

    println!("| page | its query alone | the page | ratio |\n|---|---|---|---|");
    println!("| **{benefits} benefits, {entries} calls, {eservices} e-services, {backend:?}** | | | |");
    let mut slow = Vec::new();
    let asked = asked(&filled);
    for page in &asked {
        let query = median(|| count(&store, &page.query));
        let mut times: Vec<Duration> = (0..TIMES).map(|_| page.time(&visitor)).collect();
        let first = times[0];
        times.sort_unstable();
        let page_time = times[TIMES / 2];
        println!(
            "| {} | {} ms | {} ms, the first time {} ms | {:.1} |",
            page.name(),
            millis(query),
            millis(page_time),
            millis(first),
            page_time.as_secs_f64() / query.as_secs_f64()
        );
        if page_time > MOST {
            slow.push(page.name());
        }
    }
    for page in pages::all().filter(|page| page.method() == "GET") {
        let is_asked = asked.iter().any(|asked| asked.is_at(page.path));
        let is_file = ["/stato", ".csv", ".json", "/xml/{flusso}", "/openapi/{eservice}"];
        // Nobody who is signed in sees the one, nor edits the other's only account: one's own.
        let is_closed = ["/accesso", "/amministrazione/utenti/{nome}"].contains(&page.path);
        if !is_asked && !is_closed && !is_file.iter().any(|end| page.path.ends_with(end)) {
            eprintln!("not measured: {}", page.path);
        }
    }
    drop(app);
    bulk::forget_feed(&store);
    if !slow.is_empty() {
        println!("\nSlower than {} ms: {}", MOST.as_millis(), slow.join(", "));
    }
}

/// A page that is asked for, and the query that it rests on.
struct Asked {
    path: String,
    /// What is typed, where the page answers a form.
    form: Option<Vec<(&'static str, String)>>,
    query: String,
}

impl Asked {
    fn name(&self) -> String {
        let fields = self.form.iter().flatten().map(|(name, value)| format!(" {name}={value}"));
        let fields: String = fields.collect();
        if fields.is_empty() { self.path.clone() } else { format!("POST {}{fields}", self.path) }
    }

    fn is_at(&self, pattern: &str) -> bool {
        let path = self.path.split('?').next().unwrap();
        let (ours, theirs): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|(ours, theirs)| *ours == theirs || ours.starts_with('{'))
    }

    fn time(&self, visitor: &Visitor<'_>) -> Duration {
        let form: Option<Vec<(&str, &str)>> =
            self.form.as_ref().map(|form| form.iter().map(|(name, value)| (*name, value.as_str())).collect());
        let begun = Instant::now();
        let answer = match form {
            Some(form) => visitor.post(&self.path, &form),
            None => visitor.get(&self.path),
        };
        // What may stand in an address leads to one.
        let answer = match answer.header("location") {
            Some(there) => visitor.get(there),
            None => answer,
        };
        let time = begun.elapsed();
        assert_eq!(answer.status, 200, "{}: {answer:?}", self.path);
        time
    }
}

/// Every page, and its main query as one would type it.
fn asked(filled: &Filled) -> Vec<Asked> {
    let Filled { benefit, published, flow, person, entry } = filled;
    let page = |path: &str, query: &str| Asked { path: path.to_owned(), form: None, query: query.to_owned() };
    let form = |path: &str, form: &[(&'static str, &str)], query: &str| Asked {
        form: Some(form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()),
        ..page(path, query)
    };
    let newest = "SELECT * FROM prestazione WHERE eservice_id = 1";
    let of_benefit = format!("SELECT * FROM flusso WHERE eservice_id = 1 AND prestazione_id = {benefit}");
    let session = "SELECT * FROM staff_account WHERE name = 'anna'";
    let last_calls =
        "SELECT * FROM call_entry ORDER BY instant_ms DESC, log_id DESC, entry_index DESC LIMIT 51";
    let refused = "SELECT * FROM rifiuto WHERE eservice_id = 1 AND aperto = 1 ORDER BY flusso_ts LIMIT 100";
    let benefit_page = format!("/prestazioni/produzione/{benefit}");
    let search = |name: &'static str, value: &str, of: &str| {
        form("/prestazioni", &[(name, value)], &format!("{newest} {of} ORDER BY id DESC LIMIT 26"))
    };
    vec![
        page("/", "SELECT * FROM riepilogo WHERE eservice_id = 1"),
        page("/?da=comune-100", "SELECT * FROM scadenza WHERE eservice_id > 2"),
        page("/caricamenti", "SELECT * FROM caricamento ORDER BY id DESC LIMIT 50"),
        page("/caricamenti/1", "SELECT * FROM caricamento_pagina WHERE caricamento_id = 1"),
        page("/prestazioni", &format!("{newest} ORDER BY id DESC LIMIT 26")),
        search("persona", person, &format!("AND person = '{person}'")),
        search("protocollo", "L77", "AND label = 'L77'"),
        search("codice", "A1.04", "AND codice = 'A1.04'"),
        search("stato", "attive", "AND stato = 1"),
        search("stato", "ritirate", "AND stato = 2"),
        search("stato", "attesa", "AND flusso_ts > 999999999999999"),
        search("stato", "accettate", ""),
        search("stato", "rifiutate", ""),
        page("/prestazioni/nuova", session),
        page("/prestazioni/nuovo-minore", session),
        page(&benefit_page, &of_benefit),
        page(&format!("{benefit_page}/correzione"), &of_benefit),
        page(&format!("/prestazioni/produzione/{published}/ritiro"), &of_benefit),
        page(&format!("/prestazioni/produzione/{published}/invio"), &of_benefit),
        page("/esiti", refused),
        page("/esiti?sistemati=si", refused),
        page(
            "/esiti/accettati",
            "SELECT * FROM esito WHERE eservice_id = 1 AND codice_esito = 'OK' ORDER BY id DESC LIMIT 101",
        ),
        page(
            "/esiti/sconosciuti",
            "SELECT * FROM esito WHERE eservice_id = 1 AND flusso_ts IS NULL ORDER BY id DESC LIMIT 101",
        ),
        page("/registro", last_calls),
        page(
            "/registro?stato=403",
            "SELECT * FROM call_entry WHERE status = 403 ORDER BY instant_ms DESC LIMIT 51",
        ),
        page("/registro?utente=anna", last_calls),
        page("/registro?ente=H501", last_calls),
        page("/registro?ente=F205", last_calls),
        page(
            &format!("/registro?flusso={flow}"),
            &format!("SELECT * FROM flusso WHERE eservice_id = 1 AND id_flusso = '{flow}'"),
        ),
        page(
            &format!("/registro/chiamate/1/{entry}"),
            &format!("SELECT * FROM call_entry WHERE log_id = 1 AND entry_index = {entry}"),
        ),
        page("/registro/persona", session),
        form("/registro/persona", &[("codice", person)], &format!("{newest} AND person = '{person}'")),
        page("/registro/integrita", "SELECT * FROM call_log_head"),
        page("/registro/esportazioni", session),
        page("/registro/tracing", session),
        page("/amministrazione", session),
        page("/amministrazione/chiavi", "SELECT * FROM api_key"),
        page("/amministrazione/utenti", "SELECT * FROM staff_account"),
        page("/guida", session),
        page("/guida/regole", session),
        page("/utenza/password", session),
    ]
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    #[expect(dead_code, reason = "that it is read is all that matters")]
    count: i64,
}

/// Has the database read all that `query` gives.
fn count(store: &Store, query: &str) {
    let query = format!("SELECT count(*) AS count FROM ({query}) AS page");
    store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => diesel::sql_query(query).get_result::<Count>(inner)?,
                AnyConnection::Postgres(inner) => diesel::sql_query(query).get_result::<Count>(inner)?,
            })
        })
        .unwrap();
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[TIMES / 2]
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
