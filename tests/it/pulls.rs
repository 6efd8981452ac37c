//! Which calls disclosed a flow: the same answer as looking at what every page held.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use waas_comuni::call_log::pulls::{LARGEST_PAGE, Pulls, entries, pulls, pulls_of};
use waas_comuni::call_log::{Appender, Caller, Disclosed, Entry};
use waas_comuni::clock::Clock;
use waas_comuni::registry::{PublishedFlusso, Registry};
use waas_comuni::store::EserviceId;

use crate::support::database::on_both_databases;
use crate::support::records::{mensa, roma};

/// More than two pages, so that windows begin after the first flow.
const FLOWS: u32 = 230;

fn call(eservice: EserviceId, number: usize, status: u16, page: &[PublishedFlusso]) -> Entry {
    let disclosed = match page {
        [] => None,
        [first, .., last] | [first @ last] => {
            let names = page.iter().map(|flusso| flusso.id_flusso.as_str());
            Some(Disclosed::new(first.ts_ms, last.ts_ms, names))
        }
    };
    Entry {
        eservice: Some(eservice),
        instant: Timestamp::from_millisecond(1_772_359_200_000 + i64::try_from(number).unwrap()).unwrap(),
        request_id: format!("r{number}"),
        method: "GET".to_owned(),
        path: "/waas/v1/flussi".to_owned(),
        query: None,
        status,
        outcome: "ok",
        client_ip: None,
        caller: Caller { consumer_id: Some(format!("c{}", number % 3)), ..Caller::default() },
        voucher_check: None,
        since: None,
        limit: None,
        count: None,
        disclosed,
        benefit: None,
        esiti: None,
        duration: Duration::ZERO,
        bytes: None,
    }
}

fn places(pulls: Option<&Pulls>) -> Option<(i64, i64, i64)> {
    pulls.map(|pulls| (pulls.count, pulls.first.index, pulls.last.index))
}

on_both_databases! {
    fn every_page_with_the_flow_is_found_and_no_other(database) {
        let store = database.store();
        let eservice = store.register_eservice("produzione").unwrap();
        let other = store.register_eservice("collaudo").unwrap();
        let registry = Registry::new(store.clone(), Clock::System);
        let records: Vec<_> = (0..FLOWS).map(|number| mensa(&number.to_string(), 8420)).collect();
        registry.publish(eservice, &roma(), &records).unwrap();
        let feed = registry.page(eservice, 0, u32::MAX).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let appender = runtime.block_on(async { Appender::start(store.clone(), Clock::System).unwrap() });
        let asked = || read(eservice, &store, &feed);
        assert!(asked().is_empty(), "nobody asked yet");

        let mut expected: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        // Every length of page, begun all over the feed; one call in ten was refused.
        for number in 0..150 {
            let begin = number * 37 % feed.len();
            let end = feed.len().min(begin + number * 61 % (usize::from(LARGEST_PAGE) + 1));
            let page = &feed[begin..end];
            let status = if number % 10 == 9 { 503 } else { 200 };
            // The feed of another e-service may have the same timestamps.
            runtime.block_on(appender.append(call(other, number, 200, &feed[..100]), None)).unwrap();
            let index = runtime.block_on(appender.append(call(eservice, number, status, page), None)).unwrap().index;
            for flusso in page.iter().filter(|_| status == 200) {
                expected.entry(flusso.ts_ms).or_default().insert(index);
            }
        }
        assert!(expected.len() > 220 && expected.values().any(|calls| calls.len() > 20));

        let found = asked();
        for flusso in &feed {
            let ts = flusso.ts_ms;
            let calls = expected.get(&ts);
            let summary = calls.map(|calls| {
                (i64::try_from(calls.len()).unwrap(), *calls.first().unwrap(), *calls.last().unwrap())
            });
            assert_eq!(places(found.get(&ts)), summary, "{ts}");
            assert_eq!(store.read(|connection| pulls(connection, eservice, ts)).unwrap(), found.get(&ts).cloned());
            // In pages of three.
            let mut indexes = Vec::new();
            loop {
                let after = indexes.last().copied();
                let page = store.read(|connection| entries(connection, eservice, ts, after, 3)).unwrap();
                let Some(last) = page.last() else { break };
                assert_eq!(last.json().unwrap()["eservice"], "produzione");
                indexes.extend(page.iter().map(|found| found.json().unwrap()["index"].as_i64().unwrap()));
            }
            assert_eq!(indexes, calls.into_iter().flatten().copied().collect::<Vec<_>>(), "{ts}");
        }
        let some = found.values().next().unwrap();
        let number = some.first.index;
        assert_eq!(some.first.request_id, format!("r{number}"));
        assert_eq!(some.first.consumer_id, Some(format!("c{}", number % 3)));
        assert_eq!(some.first.instant.as_millisecond(), 1_772_359_200_000 + number);
    }
}

fn read(
    eservice: EserviceId,
    store: &waas_comuni::store::Store,
    feed: &[PublishedFlusso],
) -> BTreeMap<i64, Pulls> {
    let timestamps = feed.iter().map(|flusso| flusso.ts_ms);
    store.read(|connection| pulls_of(connection, eservice, timestamps)).unwrap()
}
