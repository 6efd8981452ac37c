//! A cursor that lies above every flow, because an older database took the place of the one that gave it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use diesel::connection::SimpleConnection;
use serde_json::Value;
use waas_comuni::clock::Clock;
use waas_comuni::registry::{Gap, Registry, Verdict};
use waas_comuni::siuss::record::Record;
use waas_comuni::store::Store;

use crate::support::app::App;
use crate::support::database::on_both_databases;
use crate::support::records::mensa;

/// A day of June 2026, at 10 in Rome.
const TEN: i64 = 1_781_251_200_000;
const HOUR: i64 = 3_600_000;

fn batch(first: u32, count: u32) -> Vec<Record> {
    (first..first + count).map(|number| mensa(&format!("2026/{number}"), 8000)).collect()
}

fn timestamps(page: &[Value]) -> Vec<i64> {
    page.iter()
        .map(|flusso| {
            flusso["ts_flusso"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
        })
        .collect()
}

fn names(verdicts: &[Verdict]) -> Vec<&str> {
    verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::New { id_flusso } => id_flusso.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Leaves what a backup of the instant `ts` would hold of the feed.
fn forget(store: &Store, ts: i64, number: u32) {
    let statements = format!(
        "DELETE FROM flusso WHERE ts > {ts}; DELETE FROM prestazione WHERE id > {ts}; \
         UPDATE eservice SET last_ts = {ts}; UPDATE progressivo SET ultimo = {number}"
    );
    store.write(|connection| Ok(connection.batch_execute(&statements)?)).unwrap();
}

fn gaps(app: &App) -> Vec<Gap> {
    app.registry.gaps().unwrap().into_iter().map(|(_, gap)| gap).collect()
}

on_both_databases! {
    fn the_feed_goes_on_above_a_cursor_of_a_lost_database(database) {
        let millis = Arc::new(AtomicI64::new(TEN));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |_| {});
        app.publish(&batch(1, 3));
        let kept = timestamps(&app.get("/flussi?since=0").flussi());
        millis.fetch_add(HOUR, Ordering::SeqCst);
        let lost = app.publish(&batch(4, 2));
        let lost = names(&lost);
        let cursor = *timestamps(&app.get("/flussi?since=0").flussi()).last().unwrap();
        forget(&app.store, kept[2], 3);
        millis.fetch_add(1000, Ordering::SeqCst);
        assert!(gaps(&app).is_empty());

        // Whoever asks with a cursor of this feed changes nothing.
        for known in [kept[0], kept[2]] {
            app.get(&format!("/flussi?since={known}")).flussi();
        }
        assert!(gaps(&app).is_empty());

        assert!(app.get(&format!("/flussi?since={cursor}")).flussi().is_empty());
        let gap = Gap {
            after_ts: kept[2],
            until_ts: cursor,
            noticed_ms: millis.load(Ordering::SeqCst),
            noticed_by: "pull".to_owned(),
        };
        assert_eq!(gaps(&app), std::slice::from_ref(&gap));
        let metrics = app.send_back_office("GET", "/metrics", &[], b"").body;
        assert!(metrics.contains("waas_comuni_feed_gaps{eservice=\"prova\"} 1"), "{metrics}");

        // More than there are milliseconds since the cursor: without the leap they would begin below it.
        let next = app.publish(&batch(10, 1500));
        let page = app.get(&format!("/flussi?since={cursor}&limit=100")).flussi();
        assert_eq!(page.len(), 100);
        assert_eq!(timestamps(&page)[0], cursor + 1, "nothing was published out of the client's sight");
        assert_eq!(app.registry.page(app.eservice, u128::try_from(cursor).unwrap(), 5000).unwrap().len(), 1500);
        let next = names(&next);
        assert!(next.iter().all(|name| !lost.contains(name)), "{lost:?} {}", next[0]);
        assert!(next[0].starts_with("H501.PS.20260612.") && next[0].len() == "H501.PS.20260612.".len() + 8);

        // Once noticed, it is not noticed again; the day after, names are short again.
        app.get(&format!("/flussi?since={cursor}")).flussi();
        assert_eq!(gaps(&app), [gap]);
        millis.fetch_add(24 * HOUR, Ordering::SeqCst);
        assert_eq!(names(&app.publish(&batch(9000, 1))), ["H501.PS.20260613.0000001"]);
    }

    fn an_absurd_cursor_moves_nothing(database) {
        let millis = Arc::new(AtomicI64::new(TEN));
        let app = App::start_at(database, Clock::Manual(millis), |_| {});
        app.publish(&batch(1, 1));
        for absurd in [
            (TEN + HOUR + 1).to_string(),
            "9999999999999".to_owned(),
            i64::MAX.to_string(),
            "100000000000000000000".to_owned(),
        ] {
            assert!(app.get(&format!("/flussi?since={absurd}")).flussi().is_empty());
        }
        assert!(gaps(&app).is_empty());
        // Nor does a caller without a voucher.
        let path = format!("/waas/v1/flussi?since={}", TEN + 1);
        app.send("GET", &path, &[("Authorization", "Bearer x")], b"").problem(401);
        assert!(gaps(&app).is_empty());
        app.publish(&batch(2, 1));
        assert_eq!(timestamps(&app.get("/flussi?since=0").flussi()), [TEN, TEN + 1]);
        let near = TEN + HOUR;
        app.get(&format!("/flussi?since={near}")).flussi();
        app.publish(&batch(3, 1));
        assert_eq!(timestamps(&app.get(&format!("/flussi?since={near}")).flussi()), [near + 1]);
    }

    fn instances_that_are_asked_at_once_never_lower_the_feed(database) {
        let clock = Clock::Manual(Arc::new(AtomicI64::new(TEN)));
        let stores: Vec<_> = (0..4).map(|_| database.store()).collect();
        let eservice = stores[0].register_eservice("prova").unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let asked: Vec<_> = (0..40_u8)
            .map(|number| {
                let registry = Registry::new(stores[usize::from(number % 4)].clone(), clock.clone());
                // Up and down, so that later ones find the feed above them.
                let since = TEN - 40 + i64::from(number) * 7 % 40;
                runtime.spawn(async move { registry.follow_async(eservice, u128::try_from(since).unwrap()).await })
            })
            .collect();
        let mut noticed: Vec<Gap> =
            asked.into_iter().filter_map(|task| runtime.block_on(task).unwrap().unwrap()).collect();
        noticed.sort_unstable_by_key(|gap| gap.until_ts);
        assert_eq!(noticed.last().unwrap().until_ts, TEN - 1, "the highest of them");
        let mut above = 0;
        for gap in &noticed {
            assert_eq!(gap.after_ts, above, "each begins where the one before ended");
            above = gap.until_ts;
        }
        let registry = Registry::new(stores[0].clone(), clock);
        assert_eq!(registry.gaps().unwrap().len(), noticed.len());
    }
}
