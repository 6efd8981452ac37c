//! Every way of changing a log behind the service's back, and what `verify` names.

use super::{Fault, Log};
use crate::store;
use crate::support::database::on_both_databases;

/// The columns of an entry that are not its place, with their kinds.
fn columns(log: &Log<'_>) -> Vec<(String, String)> {
    store::columns(&log.store)
        .into_iter()
        .filter(|column| column.table_name == "call_entry")
        .map(|column| (column.columns, column.kind))
        .filter(|(name, _)| name != "log_id" && name != "entry_index")
        .collect()
}

/// Another value of a column.
fn other(column: &str, kind: &str) -> String {
    match (column, kind.trim_end_matches(" or null")) {
        ("since", _) => "'17'".to_owned(),
        ("evidence", _) => "'{\"loa\":\"3\"}'".to_owned(),
        (_, "integer") => format!("coalesce({column}, 0) + 1"),
        (_, "bytes") => "(SELECT frontier FROM call_log_head WHERE log_id = 0)".to_owned(),
        _ => format!("coalesce({column}, '') || 'x'"),
    }
}

fn changed(index: u64) -> Vec<Fault> {
    vec![Fault::EntryChanged { index }]
}

/// The places of two checkpoints are told apart by their sizes.
fn contradicted(faults: &[Fault]) -> Vec<(u64, u64)> {
    faults
        .iter()
        .map(|fault| match fault {
            Fault::CheckpointContradicted { from, size, .. } => (*from, *size),
            other => panic!("{other}"),
        })
        .collect()
}

fn shortened(faults: &[Fault]) -> (u64, u64) {
    match faults {
        [Fault::LogShortened { size, entries, place }] if place.contains("checkpoints.txt") => {
            (*size, *entries)
        }
        other => panic!("{other:?}"),
    }
}

/// Moves the entries from `from` on by `by` places.
fn shift(from: u32, by: i32) -> String {
    format!(
        "UPDATE call_entry SET entry_index = -1 - entry_index WHERE log_id = LOG AND entry_index >= {from};
         UPDATE call_entry SET entry_index = -1 - entry_index + ({by}) WHERE log_id = LOG AND entry_index < 0;"
    )
}

/// A copy of entry `index` at another place.
fn copy(log: &Log<'_>, index: u32, to: u32) -> String {
    let columns = columns(log).into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO call_entry (log_id, entry_index, {columns}) SELECT log_id, {to}, {columns} FROM call_entry
         WHERE log_id = LOG AND entry_index = {index};"
    )
}

on_both_databases! {
    fn a_log_that_nobody_touched_holds(database) {
        let log = Log::signed(database);
        assert_eq!(log.faults(), []);
        let prova = log.prova();
        // In the database and in the file.
        assert_eq!((prova.entries, prova.signed, prova.checkpoints), (30, 20, 4));
        assert_eq!(log.checkpoint().written.len(), 2);
        assert_eq!(log.checkpoint().written.len(), 0);
        assert_eq!((log.prova().signed, log.prova().checkpoints), (30, 6));
    }

    fn a_changed_field_is_named(database) {
        let log = Log::signed(database);
        for (column, kind) in columns(&log) {
            log.tamper("CREATE TABLE kept AS SELECT * FROM call_entry WHERE log_id = LOG AND entry_index = 7");
            log.tamper(&format!("UPDATE call_entry SET {column} = {} WHERE log_id = LOG AND entry_index = 7", other(&column, &kind)));
            let faults = log.faults();
            assert_eq!(faults.first(), changed(7).first(), "{column}");
            log.tamper(
                "DELETE FROM call_entry WHERE log_id = LOG AND entry_index = 7;
                 INSERT INTO call_entry SELECT * FROM kept; DROP TABLE kept",
            );
            assert_eq!(log.faults(), []);
        }
    }

    fn a_deleted_entry_is_named(database) {
        let log = Log::signed(database);
        log.tamper("DELETE FROM call_entry WHERE log_id = LOG AND entry_index = 7");
        assert_eq!(log.faults(), [Fault::EntryMissing { index: 7 }]);
        log.tamper(&shift(8, -1));
        assert_eq!(log.faults().first(), changed(7).first());
    }

    fn an_inserted_entry_is_named(database) {
        let log = Log::signed(database);
        log.tamper(&copy(&log, 12, 30));
        assert_eq!(log.faults(), [Fault::EntryUnexpected { index: 30 }]);
        log.tamper("DELETE FROM call_entry WHERE log_id = LOG AND entry_index = 30");
        log.tamper(&(shift(7, 1) + &copy(&log, 6, 7)));
        assert_eq!(log.faults().first(), changed(7).first());
    }

    fn swapped_entries_are_named(database) {
        let log = Log::signed(database);
        log.tamper(
            "UPDATE call_entry SET entry_index = -1 WHERE log_id = LOG AND entry_index = 7;
             UPDATE call_entry SET entry_index = 7 WHERE log_id = LOG AND entry_index = 25;
             UPDATE call_entry SET entry_index = 25 WHERE log_id = LOG AND entry_index = -1;",
        );
        assert_eq!(log.faults().first(), changed(7).first());
        assert_eq!(log.prova().changed, 2);
    }

    fn a_tail_that_was_cut_is_noticed(database) {
        let log = Log::signed(database);
        log.tamper("DELETE FROM call_entry WHERE log_id = LOG AND entry_index >= 25");
        assert_eq!(log.faults(), [Fault::EntryMissing { index: 25 }]);
        log.tamper("DELETE FROM call_entry WHERE log_id = LOG AND entry_index >= 15");
        log.make_tree_again();
        log.tamper("DELETE FROM call_checkpoint");
        assert_eq!(shortened(&log.faults()), (20, 15));
    }

    fn what_was_written_again_without_the_key_is_noticed(database) {
        let log = Log::signed(database);
        log.tamper("UPDATE call_entry SET purpose_id = 'another' WHERE log_id = LOG AND entry_index = 12");
        log.make_tree_again();
        assert_eq!(contradicted(&log.faults()), [(10, 20)]);
        log.tamper("DELETE FROM call_checkpoint");
        assert_eq!(contradicted(&log.faults()), [(10, 20)]);
        // Nor does it help to let the service sign what was made up: what was signed before contradicts it.
        log.checkpoint();
        assert_eq!(contradicted(&log.faults()), [(10, 20)]);
        // To drop an entry is to move all that follow.
        log.tamper(&format!("DELETE FROM call_entry WHERE log_id = LOG AND entry_index = 3; {}", shift(4, -1)));
        log.make_tree_again();
        assert_eq!(contradicted(&log.faults()), [(0, 10)]);
    }

    fn an_old_database_is_noticed(database) {
        let log = Log::new(database);
        log.append(0..10);
        log.checkpoint();
        log.tamper("CREATE TABLE old_head AS SELECT * FROM call_log_head; CREATE TABLE old_checkpoint AS SELECT * FROM call_checkpoint");
        log.append(10..20);
        log.checkpoint();
        log.tamper(
            "DELETE FROM call_log_head; INSERT INTO call_log_head SELECT * FROM old_head;
             DELETE FROM call_checkpoint; INSERT INTO call_checkpoint SELECT * FROM old_checkpoint;
             DELETE FROM call_entry WHERE entry_index >= 10",
        );
        assert_eq!(shortened(&log.faults()), (20, 10));
        let round = log.checkpoint();
        assert!(round.written.is_empty());
        assert_eq!((round.shorter[0].size, round.shorter[0].signed), (10, 20));
        // Nor when it has become as long as it was.
        log.append(40..55);
        assert_eq!(contradicted(&log.faults()), [(10, 20)]);
    }

    fn a_head_or_a_log_that_was_touched_is_named(database) {
        let log = Log::signed(database);
        log.tamper("UPDATE call_log_head SET frontier = (SELECT leaf_hash FROM call_entry WHERE log_id = LOG AND entry_index = 0) WHERE log_id = LOG");
        assert_eq!(log.faults(), [Fault::HeadChanged { size: 30, entries: 30 }]);
        log.tamper("DELETE FROM call_log_head WHERE log_id = LOG");
        assert_eq!(log.faults(), [Fault::HeadMissing]);
        log.tamper("DELETE FROM call_entry WHERE log_id = LOG; DELETE FROM call_checkpoint; DELETE FROM eservice");
        let report = log.verify();
        assert!(matches!(&report.faults[..], [Fault::LogUnknown { origin, .. }] if origin == "waas.example.it/prova"));
    }

    fn checkpoints_that_were_touched_are_named(database) {
        let log = Log::signed(database);
        let text = std::fs::read_to_string(log.file()).unwrap();
        let faults = |text: &str| {
            std::fs::write(log.file(), text).unwrap();
            log.verify().faults
        };
        assert_eq!(faults(&text), []);
        let place = |line: u32| format!("{}, line {line}", log.file().display());
        assert_eq!(faults(&text.replacen("\n20\n", "\n21\n", 1)), [Fault::CheckpointForged { place: place(7) }]);
        assert_eq!(faults(&text.replacen("\n20\n", "\n020\n", 1)), [Fault::CheckpointUnreadable { place: place(7) }]);
        assert_eq!(faults(&format!("{text}spazzatura\n")), [Fault::CheckpointUnreadable { place: place(13) }]);
        let renamed = text.replacen("— waas.example.it/prova", "— altri.example.it/prova", 1);
        assert_eq!(faults(&renamed), [Fault::CheckpointUnsigned { place: place(1) }]);
        let gone = [Fault::FileMissing { place: log.file().display().to_string() }];
        assert_eq!(faults(""), gone);
        std::fs::remove_file(log.file()).unwrap();
        assert_eq!(log.verify().faults, gone);
    }

    fn entries_from_before_the_tree_are_hashed_once(database) {
        let log = Log::signed(database);
        log.tamper(
            "UPDATE call_entry SET leaf_hash = NULL; UPDATE call_log_head SET hashed = 0, frontier = substr(frontier, 1, 0)",
        );
        assert_eq!(log.verify().logs[0].faults, [Fault::EntryUnhashed { index: 0 }]);
        // The first to write takes care of the entries that are there already.
        log.append(30..31);
        assert_eq!(log.prova().faults, []);
        assert_eq!(log.prova().signed, 20);
        log.store.write(waas_comuni::call_log::catch_up).unwrap();
        assert!(log.verify().holds());
    }
}
