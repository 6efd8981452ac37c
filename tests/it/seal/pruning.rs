//! Entries go when their time is over, and what remains is proven as before.

use std::sync::Arc;

use waas_comuni::call_log::action::{Actor, Way};
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::prune::{Pruned, Pruning, prunable, prune};
use waas_comuni::call_log::seal::exported;
use waas_comuni::call_log::seal::verify::Fault;
use waas_comuni::call_log::search::{Filter, search};
use waas_comuni::clock::Clock;
use waas_comuni::config::CallLog;

use super::Log;
use crate::support::database::on_both_databases;

fn pruning(log: &Log, days: u32) -> Pruning {
    let config = CallLog { retention_days: days, ..log.config.call_log.clone() };
    Pruning::new(&config, Clock::System.now())
}

fn run(log: &Log) -> [u64; 2] {
    let actor = Actor { user: "waas-comuni".to_owned(), way: Way::Service, client_ip: None };
    entries(&prune(&log.store, &Clock::System, &actor, pruning(log, 30), &|| false).unwrap())
}

fn entries(pruned: &[Pruned]) -> [u64; 2] {
    let of = |name: Option<&str>| pruned.iter().find(|log| log.eservice.as_deref() == name).unwrap().entries;
    [of(None), of(Some("prova"))]
}

on_both_databases! {
    fn what_is_over_goes_and_the_rest_verifies(database) {
        let log = Log::signed(database);
        // Only what was signed goes: 20 entries of 30, and none of the log that was never signed.
        assert_eq!(entries(&prunable(&log.store, pruning(&log, 30)).unwrap()), [0, 20]);
        assert_eq!(run(&log), [0, 20]);
        assert_eq!(run(&log), [0, 0]);
        assert_eq!(log.faults(), []);
        let prova = log.prova();
        assert_eq!((prova.entries, prova.removed, prova.signed), (31, 20, 20));
        let filter = Filter { action: Some("calls_pruned".to_owned()), ..Filter::default() };
        let page = log.store.read(|connection| search(connection, &filter, None, 10)).unwrap();
        let entry = page.entries[0].json().unwrap();
        assert_eq!((page.entries.len(), &entry["count"], &entry["user_location"]), (1, &20.into(), &"service".into()));
        let query = entry["query"].as_str().unwrap();
        assert!(query.starts_with("before=") && query.ends_with("&from=0&to=19"), "{query}");

        log.checkpoint();
        assert_eq!(run(&log), [5, 10]);
        assert_eq!(log.faults(), []);
        log.checkpoint();
        assert_eq!(log.faults(), []);
        assert_eq!(log.prova().removed, 30);
        // From outside, on an export: the hashes stand in it.
        let report = exported::verify(&[log.export()], &[log.file()], &[log.key()]).unwrap();
        assert!(report.holds(), "{report:?}");
        assert_eq!(report.logs.iter().map(|log| log.removed).sum::<u64>(), 35);
    }

    fn the_export_of_a_period_behind_what_was_removed_verifies(database) {
        let log = Log::signed(database);
        run(&log);
        log.checkpoint();
        let second = |second: u32| Some(format!("2026-03-01T10:00:{second:02}Z").parse().unwrap());
        let filter = Filter {
            eservice: Some("prova".to_owned()),
            from: second(32),
            until: second(36),
            ..Filter::default()
        };
        let path = log.folder.path().join("period.jsonl");
        let file = std::fs::File::create(&path).unwrap();
        assert_eq!(export(&log.store, &filter, Format::Jsonl, file).unwrap(), 4);
        let report = exported::verify(&[path], &[log.file()], &[log.key()]).unwrap();
        assert!(report.holds(), "{report:?}");
        assert_eq!((report.logs[0].entries, report.logs[0].removed, report.logs[0].signed), (31, 27, 31));
    }

    fn what_is_young_stays(database) {
        let log = Log::signed(database);
        let young = Pruning::new(&log.config.call_log, "2026-03-20T00:00:00Z".parse().unwrap());
        assert_eq!(entries(&prunable(&log.store, young).unwrap()), [0, 0]);
        // The day in Rome, which begins at 23:00 the evening before.
        let config = CallLog { retention_days: 1, ..log.config.call_log.clone() };
        let clock = Clock::Manual(Arc::new(1_772_492_400_000.into()));
        assert_eq!(clock.now().to_string(), "2026-03-02T23:00:00Z");
        let before = Pruning::new(&config, clock.now()).before;
        assert_eq!(before.to_string(), "2026-03-01T23:00:00Z");
    }

    fn a_hash_that_is_kept_hides_no_entry(database) {
        let log = Log::signed(database);
        log.tamper(
            "INSERT INTO call_removed SELECT log_id, entry_index, leaf_hash FROM call_entry
                 WHERE log_id = LOG AND entry_index = 0;
             UPDATE call_entry SET status = 500 WHERE log_id = LOG AND entry_index = 0",
        );
        assert!(matches!(log.faults()[..], [Fault::EntryChanged { index: 0 }, ..]), "{:?}", log.faults());
    }

    fn what_nobody_removed_is_missed_although_its_hash_is_kept(database) {
        let log = Log::signed(database);
        log.tamper(
            "INSERT INTO call_removed SELECT log_id, entry_index, leaf_hash FROM call_entry
                 WHERE log_id = LOG AND entry_index < 5;
             DELETE FROM call_entry WHERE log_id = LOG AND entry_index < 5",
        );
        assert_eq!(log.faults(), [Fault::EntriesGone { from: 0, to: 4 }]);
        // An export may leave entries out, and says how many it does.
        let report = exported::verify(&[log.export()], &[log.file()], &[log.key()]).unwrap();
        assert!(report.holds());
        assert_eq!(report.logs.iter().map(|log| log.removed).sum::<u64>(), 5);
    }

    fn a_removal_that_follows_hides_no_other(database) {
        let log = Log::signed(database);
        assert_eq!(run(&log), [0, 20]);
        assert_eq!(log.faults(), []);
        log.tamper(
            "INSERT INTO call_removed SELECT log_id, entry_index, leaf_hash FROM call_entry
                 WHERE log_id = LOG AND entry_index BETWEEN 20 AND 24;
             DELETE FROM call_entry WHERE log_id = LOG AND entry_index BETWEEN 20 AND 24",
        );
        assert_eq!(log.faults(), [Fault::EntriesGone { from: 20, to: 24 }]);
        log.checkpoint();
        assert_eq!(run(&log), [5, 5]);
        assert_eq!(log.faults(), [Fault::EntriesGone { from: 20, to: 24 }]);
    }

    fn another_hash_than_that_of_the_entry_is_found(database) {
        let log = Log::signed(database);
        log.tamper(
            "INSERT INTO call_removed SELECT log_id, 0, leaf_hash FROM call_entry
                 WHERE log_id = LOG AND entry_index = 1;
             DELETE FROM call_entry WHERE log_id = LOG AND entry_index = 0",
        );
        assert!(!log.verify().holds());
    }
}
