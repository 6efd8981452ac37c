//! Finding entries again: the same as looking at each of them, in pages that lose and repeat nothing, by an index
//! whatever is asked for.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use diesel::connection::{Connection, InstrumentationEvent};
use diesel::prelude::*;
use jiff::Timestamp;
use serde_json::Value;
use waas_comuni::call_log::action::{self, Action, Actor, Kind, Way};
use waas_comuni::call_log::search::{About, Cursor, Filter, Found, search};
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::registry::Registry;
use waas_comuni::store::{AnyConnection, Store};

use crate::support::app::{self, App};
use crate::support::bulk::{self, BEGIN, RARE, STEP};
use crate::support::command::Place;
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore, roma};

fn entry(found: &Found) -> Value {
    Value::Object(found.json().unwrap())
}

/// Everything that `filter` lets through, in pages of `limit`.
fn find(store: &Store, filter: &Filter, limit: u32) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.read(|connection| search(connection, filter, after, limit)).unwrap();
        assert!(page.entries.len() <= limit as usize);
        found.extend(page.entries.iter().map(entry));
        match page.next {
            Some(next) => {
                assert!(after < Some(next), "every page goes on");
                after = Some(next);
            }
            None => return found,
        }
    }
}

fn instant(i: i64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN + i * STEP).unwrap()
}

/// What is asked for, the index that leads to it, and whether an entry is such.
type Case = (&'static str, Filter, &'static str, Box<dyn Fn(&Value) -> bool>);

#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn cases() -> Vec<Case> {
    fn case(
        name: &'static str,
        index: &'static str,
        filter: Filter,
        fits: impl Fn(&Value) -> bool + 'static,
    ) -> Case {
        (name, filter, index, Box::new(fits))
    }
    let token = "00000003-0000-4000-8000-000000000000";
    let span = |flow: i64| {
        move |entry: &Value| {
            entry["eservice"] == "produzione"
                && entry["first_ts"].as_i64().is_some_and(|first| first <= 1000 + flow)
                && entry["last_ts"].as_i64().is_some_and(|last| last >= 1000 + flow)
        }
    };
    let names = |benefit: i64| move |entry: &Value| entry["benefit"] == 1000 + benefit;
    let none = Filter::default;
    vec![
        case(
            "period",
            "call_entry_instant",
            Filter { from: Some(instant(17)), until: Some(instant(3000)), ..none() },
            |entry| {
                let at: Timestamp = entry["instant"].as_str().unwrap().parse().unwrap();
                (instant(17)..instant(3000)).contains(&at)
            },
        ),
        case(
            "eservice",
            "call_entry_log",
            Filter { eservice: Some("collaudo".to_owned()), ..none() },
            |entry| entry["eservice"] == "collaudo",
        ),
        case("status", "call_entry_status", Filter { status: Some(403), ..none() }, |entry| {
            entry["status"] == 403
        }),
        case("success", "call_entry_instant", Filter { status: Some(200), ..none() }, |entry| {
            entry["status"] == 200
        }),
        case(
            "outcome",
            "call_entry_outcome",
            Filter { outcome: Some("threshold_exceeded".to_owned()), ..none() },
            |entry| entry["outcome"] == "threshold_exceeded",
        ),
        case(
            "request id",
            "call_entry_instant",
            Filter { request_id: Some(bulk::request_id(77)), ..none() },
            |entry| entry["request_id"] == bulk::request_id(77),
        ),
        case(
            "client",
            "call_entry_client",
            Filter { client_id: Some("rare".to_owned()), ..none() },
            |entry| entry["client_id"] == "rare",
        ),
        case(
            "consumer",
            "call_entry_consumer",
            Filter { consumer_id: Some("rare".to_owned()), ..none() },
            |entry| entry["consumer_id"] == "rare",
        ),
        case(
            "purpose",
            "call_entry_purpose",
            Filter { purpose_id: Some("rare".to_owned()), ..none() },
            |entry| entry["purpose_id"] == "rare",
        ),
        case(
            "voucher",
            "call_entry_token",
            Filter { token_id: Some(token.to_owned()), ..none() },
            move |entry| entry["token_id"] == token,
        ),
        case(
            "voucher of a consumer, in a period, with a status",
            "call_entry_token",
            Filter {
                token_id: Some(token.to_owned()),
                consumer_id: Some("2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11".to_owned()),
                eservice: Some("produzione".to_owned()),
                from: Some(instant(0)),
                status: Some(200),
                outcome: Some("ok".to_owned()),
                ..none()
            },
            move |entry| entry["token_id"] == token && entry["status"] == 200,
        ),
        case(
            "action",
            "call_entry_action",
            Filter { action: Some("benefit_viewed".to_owned()), ..none() },
            |entry| entry["path"] == "benefit_viewed",
        ),
        case("user", "call_entry_user", Filter { user: Some("rare".to_owned()), ..none() }, |entry| {
            entry["user_id"] == "rare"
        }),
        case(
            "flow",
            "call_entry_pages",
            Filter { about: Some(About::Flow("F150".to_owned())), ..none() },
            span(150),
        ),
        case(
            "benefit",
            "call_entry_pages",
            Filter { about: Some(About::Benefit(1000)), ..none() },
            move |entry| span(0)(entry) || names(0)(entry),
        ),
        case(
            "person",
            "call_entry_pages",
            Filter { about: Some(About::Person(vec!["P0".to_owned(), "P25".to_owned()])), ..none() },
            move |entry| [0, 1, 2, 3, 100, 101, 102, 103].iter().any(|i| span(*i)(entry) || names(*i)(entry)),
        ),
        case(
            "person, under a purpose, in a period",
            "call_entry_pages",
            Filter {
                about: Some(About::Person(vec!["P0".to_owned()])),
                purpose_id: Some("9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f".to_owned()),
                from: Some(instant(500)),
                until: Some(instant(15000)),
                ..none()
            },
            move |entry| {
                let at: Timestamp = entry["instant"].as_str().unwrap().parse().unwrap();
                entry["purpose_id"] != "rare"
                    && (instant(500)..instant(15000)).contains(&at)
                    && [0, 1, 2, 3].iter().any(|i| span(*i)(entry) || names(*i)(entry))
            },
        ),
        case("ente", "call_entry_instant", Filter { ente: Some("F205".to_owned()), ..none() }, span(5)),
        case(
            "nobody",
            "",
            Filter { about: Some(About::Person(vec!["nobody".to_owned()])), ..none() },
            |_| false,
        ),
        case("no e-service", "", Filter { eservice: Some("altro".to_owned()), ..none() }, |_| false),
    ]
}

/// Runs a search and gives its statements, values and all.
fn statements(store: &Store, filter: &Filter) -> Vec<String> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    store
        .read(|connection| {
            connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
                if let InstrumentationEvent::StartQuery { query, .. } = event {
                    sink.lock().unwrap().push(query.to_string());
                }
            });
            search(connection, filter, None, 50)?;
            connection.set_instrumentation(|_: InstrumentationEvent<'_>| {});
            Ok(())
        })
        .unwrap();
    let seen = seen.lock().unwrap();
    seen.iter().map(|statement| with_values(statement)).collect()
}

/// A statement with its values in their places.
fn with_values(statement: &str) -> String {
    let (text, values) = statement.split_once(" -- binds: ").unwrap();
    let values: Vec<Value> =
        serde_json::from_str(values).unwrap_or_else(|error| panic!("{error}: {statement}"));
    let mut values = values.iter().map(|value| match value {
        Value::String(text) => format!("'{text}'"),
        Value::Array(_) => format!("ARRAY{value}"),
        other => other.to_string(),
    });
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['?', '$']) {
        filled.push_str(&rest[..at]);
        filled.push_str(&values.next().unwrap());
        rest = rest[at + 1..].trim_start_matches(|character: char| character.is_ascii_digit());
    }
    assert_eq!(values.next(), None, "{statement}");
    filled + rest
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = diesel::sql_types::Text, column_name = "QUERY PLAN")]
    step: String,
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = diesel::sql_types::Text)]
    detail: String,
}

fn plan(store: &Store, statement: &str) -> Vec<String> {
    store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => {
                    let steps: Vec<SqliteStep> =
                        diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(inner)?;
                    steps.into_iter().map(|step| step.detail).collect()
                }
                AnyConnection::Postgres(inner) => {
                    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN {statement}")).load(inner)?;
                    steps.into_iter().map(|step| step.step).collect()
                }
            })
        })
        .unwrap()
}

fn milano() -> config::Ente {
    config::Ente {
        codice: "F205".to_owned(),
        denominazione: "Comune di Milano".to_owned(),
        sede: "F205".to_owned(),
        cf_operatore: "RSSMRA80A01H501U".to_owned(),
    }
}

on_both_databases! {
    fn every_filter_finds_what_it_says_by_an_index(database) {
        let store = database.store();
        bulk::fill(&store, 2 * RARE + 100, 230);
        let all = find(&store, &Filter::default(), 5000);
        assert_eq!(i64::try_from(all.len()).unwrap(), 2 * RARE + 100);
        assert!(all.is_sorted_by_key(|entry| entry["instant"].as_str().unwrap().to_owned()));
        for (name, filter, index, fits) in cases() {
            let expected: Vec<&Value> = all.iter().filter(|entry| fits(entry)).collect();
            assert_eq!(expected.is_empty(), index.is_empty(), "{name}");
            // Small pages of everything would take long.
            for limit in [7, 5000] {
                if limit == 7 && expected.len() > 200 {
                    continue;
                }
                let found = find(&store, &filter, limit);
                assert_eq!(found.len(), expected.len(), "{name}, {limit}");
                assert!(found.iter().eq(expected.iter().copied()), "{name}, {limit}");
            }
            for statement in statements(&store, &filter) {
                // The place where a page of so short a log ends is best found by reading it all.
                if !statement.contains("call_entry") || statement.contains("LIMIT 10001") {
                    continue;
                }
                let plan = plan(&store, &statement);
                let entries: Vec<&String> = plan
                    .iter()
                    // The step below it says by which index.
                    .filter(|step| !step.contains("Bitmap Heap Scan"))
                    .filter(|step| ["on call_entry", "SCAN call_entry", "SEARCH call_entry"].iter().any(|word| step.contains(word)))
                    .collect();
                assert!(!entries.is_empty(), "{name}: {plan:#?}");
                let led = |step: &&String| step.contains(index) || step.contains("call_entry_benefit");
                assert!(entries.iter().all(led), "{name} by {index}: {plan:#?}\n{statement}");
            }
        }
        bulk::forget_feed(&store);
    }

    fn users_are_told_apart_whatever_they_are_called(database) {
        let store = database.store();
        let names = ["a", "a\"b", "a\"c", "a\\", "ab", "console"];
        for name in names {
            let actor = Actor { user: name.to_owned(), way: Way::Console, client_ip: None };
            action::record(&store, &Clock::System, [Action::new(&actor, Kind::SignedIn)]).unwrap();
        }
        for name in names {
            let found = find(&store, &Filter { user: Some(name.to_owned()), ..Filter::default() }, 50);
            assert_eq!(found.iter().map(|entry| entry["user_id"].as_str().unwrap()).collect::<Vec<_>>(), [name]);
        }
    }

    fn pages_lose_and_repeat_nothing_while_others_append(database) {
        let store = database.store();
        let actor = Actor { user: "anna".to_owned(), way: Way::Cli, client_ip: None };
        let append = |at: i64| {
            let clock = Clock::Manual(Arc::new(at.into()));
            let eservice = (at % 2 == 0).then(|| store.register_eservice("produzione").unwrap());
            let mut action = Action::new(&actor, Kind::CallsExported).counting(at.unsigned_abs());
            action.eservice = eservice;
            action::record(&store, &clock, [action]).unwrap();
        };
        // Six entries to a millisecond, so that pages end between them.
        (0..120).for_each(|i| append(BEGIN + i / 6));
        let there: Vec<Value> = find(&store, &Filter::default(), 1000);
        let key = |entry: &Value| (entry["eservice"].clone().to_string(), entry["index"].as_i64().unwrap());
        let mut found = Vec::new();
        let mut after: Option<Cursor> = None;
        let mut step = 0;
        loop {
            let page = store.read(|connection| search(connection, &Filter::default(), after, 7)).unwrap();
            found.extend(page.entries.iter().map(entry));
            let Some(next) = page.next else { break };
            // A cursor survives being written down.
            after = Some(next.to_string().parse().unwrap());
            step += 1;
            // Before the cursor, at it, and after it; not for ever.
            if step < 20 {
                append(BEGIN);
                append(BEGIN + step);
                append(BEGIN + 1000);
            }
        }
        let keys: BTreeSet<_> = found.iter().map(key).collect();
        assert_eq!(keys.len(), found.len(), "nothing comes twice");
        assert!(there.iter().all(|entry| keys.contains(&key(entry))), "nothing is lost");
        assert!(found.is_sorted_by_key(|entry| entry["instant"].as_str().unwrap().to_owned()));
        let last = Timestamp::from_millisecond(BEGIN + 1000).unwrap();
        assert_eq!(found.iter().filter(|entry| entry["instant"] == format!("{last:.3}")).count(), 19);
    }

    fn it_is_told_who_received_data_about_a_person(database) {
        // One person with benefits of two enti in two e-services; a child under the ente's own code; somebody else.
        let app = App::start_with(database, |config| {
            config.eservice[0].ente.push(milano());
            let keys = config.eservice[0].jwks_url.clone().unwrap();
            let folder = std::path::Path::new(keys.strip_prefix("file:").unwrap()).parent().unwrap().to_owned();
            config.eservice.push(app::eservice("seconda", "/waas/v2", &folder));
        });
        let registry = Registry::new(app.store.clone(), Clock::System);
        let seconda = app.store.find_eservice("seconda").unwrap().unwrap();
        registry.publish(app.eservice, &roma(), &[mensa("2025/1", 8000), minore("min-1", 1)]).unwrap();
        registry.publish(app.eservice, &milano().erogatore().unwrap(), &[mensa("2025/1", 8000)]).unwrap();
        registry.publish(seconda, &roma(), &[mensa("2025/9", 8000)]).unwrap();
        let flussi = app.registry.page(app.eservice, 0, 10).unwrap();
        let voucher = format!("Bearer {}", app.voucher());
        let get = |path: &str| {
            let answer = app.send("GET", path, &[("Authorization", &voucher)], b"");
            assert_eq!(answer.status, 200);
            answer.header("x-request-id").unwrap().to_owned()
        };
        let first = get("/waas/v1/flussi?since=0&limit=1");
        let child = get(&format!("/waas/v1/flussi?since={}&limit=1", flussi[0].ts_ms));
        let third = get(&format!("/waas/v1/flussi?since={}", flussi[1].ts_ms));
        let empty = get(&format!("/waas/v1/flussi?since={}", flussi[2].ts_ms));
        let other = get("/waas/v2/flussi?since=0");
        let place = Place::new(database);
        let told = |arguments: &[&str], input: &str| {
            let mut command = place.command(&["calls", "search", "--json"]);
            let mut child = command.args(arguments).stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            answer["calls"].as_array().unwrap().clone()
        };
        let ids = |calls: Vec<Value>| {
            calls.iter().filter(|call| call["method"] == "GET")
                .map(|call| call["request_id"].as_str().unwrap().to_owned()).collect::<HashSet<_>>()
        };
        let person = "CNTLCU15E09H501T";
        let all = HashSet::from([first.clone(), third.clone(), other.clone()]);
        assert_eq!(ids(told(&["--person", person], "")), all);
        assert_eq!(ids(told(&["--person", "-"], "  cntlcu15e09h501t\n")), all);
        assert_eq!(ids(told(&["--person", person, "--eservice", "seconda"], "")), HashSet::from([other]));
        assert_eq!(ids(told(&["--person", "min-1"], "")), HashSet::from([child]));
        assert_eq!(ids(told(&["--ente", "F205"], "")), HashSet::from([third.clone()]));
        assert_eq!(ids(told(&["--flow", &flussi[2].id_flusso], "")), HashSet::from([third]));
        assert_eq!(ids(told(&["--benefit", &flussi[0].ts_ms.to_string()], "")), HashSet::from([first]));
        assert_eq!(ids(told(&["--person", "RSSMRA80A01H501U"], "")), HashSet::new());
        assert!(!all.contains(&empty), "a page without flows discloses nothing");

        // Whoever asked is in the log, by benefit; the code that was asked for is nowhere.
        let log = app.stop();
        let asked: Vec<&Value> = log.iter().filter(|entry| entry["path"] == "calls_searched").collect();
        assert!(asked.iter().any(|entry| entry["benefit"] == flussi[0].ts_ms && entry["eservice"] == "prova"));
        assert_eq!(asked.iter().filter(|entry| entry["outcome"] == "not_found").count(), 1);
        for entry in &log {
            assert!(!entry.to_string().to_uppercase().contains(person), "{entry}");
            assert!(!entry.to_string().contains("min-1"), "{entry}");
        }
        assert_eq!(place.run(&["calls", "search", "--person", ""]).code, 2);
        assert_eq!(place.run(&["calls", "search", "--person", person, "--flow", "x"]).code, 2);
    }
}
