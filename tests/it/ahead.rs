//! Pages that are read before they are asked for: nobody can tell them from those that are not.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use waas_comuni::call_log::Actor;
use waas_comuni::call_log::action::Way;
use waas_comuni::call_log::disclosed::{disclosed, is_whole};
use waas_comuni::call_log::search::{Filter, search};
use waas_comuni::clock::Clock;
use waas_comuni::registry::retention::Retention;
use waas_comuni::registry::{CodiceEsito, Esito};
use waas_comuni::retention::drop_payloads;

use crate::support::app::{Answer, App};
use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::records::{mensa, withdrawn};

/// How long after an announcement pages are read ahead again.
const ANNOUNCED_MS: i64 = 120_000;

/// A service that reads ahead and one that does not, on one database, with a clock that the test holds.
struct Two {
    ahead: App,
    plain: App,
    clock: Clock,
    now: Arc<AtomicI64>,
}

impl Two {
    fn new(database: &TestDatabase) -> Self {
        let now = Arc::new(AtomicI64::new(Clock::System.now_ms()));
        let clock = Clock::Manual(Arc::clone(&now));
        let ahead = App::start_at(database, clock.clone(), |_| {});
        let plain = App::start_at(database, clock.clone(), |config| config.api.read_ahead = false);
        Self { ahead, plain, clock, now }
    }

    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// The page after `since`, which is what the other service gives.
    fn page(&self, since: i64, limit: usize) -> Answer {
        // An entry and a drop at one instant say nothing of which was first.
        self.pass(1);
        let path = format!("/flussi?since={since}&limit={limit}");
        let (ahead, plain) = (self.ahead.get(&path), self.plain.get(&path));
        assert_eq!(ahead.body, plain.body, "{path}");
        assert_eq!(ahead.header("etag"), plain.header("etag"));
        self.pass(1);
        ahead
    }

    /// INPS accepts the flows of these names, and their content is dropped.
    fn drop_payloads(&self, names: &[String]) -> u64 {
        let instant = self.clock.now();
        let accept = |name: &String| Esito {
            id_flusso: name.clone(),
            ts_flusso: instant,
            ts_acquisizione: instant,
            tipo: "PS_PSA_SINA".to_owned(),
            codice: CodiceEsito::Ok,
            descrizione: None,
            id_acquisizione_siuss: None,
            altro: serde_json::Map::new(),
        };
        let esiti: Vec<_> = names.iter().map(accept).collect();
        self.ahead.registry.record_esiti(self.ahead.eservice, &esiti, "r").unwrap();
        self.pass(1);
        let retention = Retention { accepted_before: self.clock.now(), keep_for_cancellation: false };
        let actor = Actor { user: "prova".to_owned(), way: Way::Service, client_ip: None };
        let dropped =
            drop_payloads(&self.ahead.store, &self.clock, &actor, self.ahead.eservice, retention, &|| false);
        self.pass(1);
        dropped.unwrap().flussi
    }

    /// How many pages were read ahead, and how many of them were given.
    fn counted(&self) -> [u64; 2] {
        counted(&self.ahead)
    }
}

fn counted(app: &App) -> [u64; 2] {
    let text = app.send_back_office("GET", "/metrics", &[], b"").body;
    ["read", "given"].map(|step| {
        let name = format!("waas_comuni_pages_ahead_total{{step=\"{step}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |figure| figure.parse().unwrap())
    })
}

/// How many pages the log knows, each of which held the flows that it says.
fn pages_in_the_log(two: Two) -> usize {
    let store = two.ahead.stop_service().store.clone();
    let pages = store.read(|connection| {
        let mut pages = 0;
        for found in search(connection, &Filter::default(), None, 10_000)?.entries {
            if found.json().unwrap()["first_ts"].is_number() {
                let flows = disclosed(connection, &found, None)?;
                assert!(is_whole(&found, &flows), "{:?}", found.json());
                pages += 1;
            }
        }
        Ok(pages)
    });
    pages.unwrap()
}

/// The name and the timestamp of each flow of a page.
fn flows(page: &Answer) -> Vec<(String, i64)> {
    let flow = |flow: serde_json::Value| {
        let ts: Timestamp = flow["ts_flusso"].as_str().unwrap().parse().unwrap();
        (flow["id_flusso"].as_str().unwrap().to_owned(), ts.as_millisecond())
    };
    page.flussi().into_iter().map(flow).collect()
}

/// What happens between two calls of a drain.
#[derive(Clone, Debug)]
enum Meanwhile {
    Nothing,
    Publish(u8),
    Correct(prop::sample::Index),
    Withdraw(prop::sample::Index),
    /// The same page again, as by a client that lost the answer.
    AskAgain,
    /// A drain from the beginning, by somebody else.
    Other(u8),
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        4 => Just(Meanwhile::Nothing),
        2 => (1_u8..4).prop_map(Meanwhile::Publish),
        2 => any::<prop::sample::Index>().prop_map(Meanwhile::Correct),
        1 => any::<prop::sample::Index>().prop_map(Meanwhile::Withdraw),
        1 => Just(Meanwhile::AskAgain),
        1 => (1_u8..4).prop_map(Meanwhile::Other),
    ]
}

on_both_databases! {
    fn a_drain_reads_each_full_page_ahead_and_gives_it_once(database) {
        let two = Two::new(database);
        two.ahead.publish(&(0..25).map(|number| mensa(&number.to_string(), 8000)).collect::<Vec<_>>());
        let (mut since, mut names) = (0, Vec::new());
        loop {
            let page = flows(&two.page(since, 3));
            names.extend(page.iter().map(|(name, _)| name.clone()));
            match page.last() {
                Some((_, last)) if page.len() == 3 => since = *last,
                _ => break,
            }
        }
        assert_eq!(names.len(), 25);
        // Of nine pages, the first two show that the caller follows the cursor, and the last is not full.
        assert_eq!(two.counted(), [7, 6]);
        assert_eq!(counted(&two.plain), [0, 0]);

        // Whoever asks from anywhere, or is only told of pages, is read nothing ahead.
        let voucher = format!("Bearer {}", two.ahead.voucher());
        let all = flows(&two.page(0, 100));
        for (_, ts) in [&all[20], &all[3], &all[11], &all[7]] {
            two.page(*ts, 3);
        }
        for (_, ts) in &all[..4] {
            let path = format!("/waas/v1/flussi?since={ts}&limit=1");
            two.ahead.send("HEAD", &path, &[("Authorization", &voucher)], b"");
        }
        assert_eq!(two.counted(), [7, 6]);

        // A reload that switches it off, and one that switches it on.
        let drain = || {
            let mut since = 0;
            for _ in 0..4 {
                since = flows(&two.page(since, 4)).last().unwrap().1;
            }
            two.counted()
        };
        two.ahead.reload(|config| config.api.read_ahead = false).unwrap();
        assert_eq!(drain(), [7, 6]);
        two.ahead.reload(|config| config.api.read_ahead = true).unwrap();
        assert_eq!(drain(), [7 + 3, 6 + 2]);
    }

    fn whatever_happens_between_two_pages_a_drain_is_what_it_would_be(database) {
        let two = Two::new(database);
        let (benefits, price) = (Cell::new(0), Cell::new(8000));
        let publish = |count: u32| {
            let first = benefits.replace(benefits.get() + count);
            let records: Vec<_> = (first..first + count).map(|number| mensa(&number.to_string(), 8000)).collect();
            two.ahead.publish(&records);
        };
        let one_of = |which: prop::sample::Index| which.index(usize::try_from(benefits.get()).unwrap()).to_string();
        publish(20);
        let steps = prop::collection::vec(meanwhile(), 8..16);
        let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
        let drained = runner.run(&(1_usize..7, steps), |(limit, steps)| {
            let mut since = 0;
            for step in steps {
                let page = flows(&two.page(since, limit));
                match step {
                    Meanwhile::Nothing => {}
                    Meanwhile::Publish(count) => publish(count.into()),
                    Meanwhile::Correct(which) => {
                        price.set(price.get() + 100);
                        two.ahead.publish(&[mensa(&one_of(which), price.get())]);
                    }
                    Meanwhile::Withdraw(which) => {
                        two.ahead.publish(&[withdrawn(&mensa(&one_of(which), 8000))]);
                    }
                    Meanwhile::AskAgain => prop_assert_eq!(&flows(&two.page(since, limit)), &page),
                    Meanwhile::Other(pages) => {
                        let mut other = 0;
                        for _ in 0..pages {
                            other = flows(&two.page(other, limit)).last().map_or(0, |(_, last)| *last);
                        }
                    }
                }
                if let Some((_, last)) = page.last() {
                    since = *last;
                }
            }
            Ok(())
        });
        drained.unwrap();
        let [read, given] = two.counted();
        assert!(given > 10 && read >= given, "{read} read ahead, {given} given");
        assert!(pages_in_the_log(two) > 100);
    }

    fn what_is_dropped_between_two_pages_is_given_to_nobody(database) {
        let two = Two::new(database);
        two.ahead.publish(&(0..20).map(|number| mensa(&number.to_string(), 8000)).collect::<Vec<_>>());
        let all = flows(&two.page(0, 100));
        let mut since = 0;
        for _ in 0..3 {
            since = flows(&two.page(since, 2)).last().unwrap().1;
        }
        // The page after these is read ahead by now; half of it is dropped before it is asked for.
        assert_eq!(two.counted(), [2, 1]);
        assert_eq!(two.drop_payloads(&[all[6].0.clone()]), 1);
        assert_eq!(flows(&two.page(since, 2)), [all[7].clone(), all[8].clone()]);

        // While more may be dropped, nothing is kept; then it is again.
        let drain = || {
            let [read, given] = two.counted();
            let mut since = 0;
            for _ in 0..5 {
                since = flows(&two.page(since, 2)).last().unwrap().1;
            }
            let counted = two.counted();
            (counted[0] > read, counted[1] - given)
        };
        assert_eq!(drain(), (true, 0));
        two.pass(ANNOUNCED_MS);
        assert_eq!(drain(), (true, 3));
        assert!(pages_in_the_log(two) > 20);
    }
}
