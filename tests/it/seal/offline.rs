//! Verification and proofs without the database: the export, the checkpoints, and the public key.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::seal::exported;
use waas_comuni::call_log::seal::period;
use waas_comuni::call_log::seal::proof::{Proof, ProofError};
use waas_comuni::call_log::seal::stored;
use waas_comuni::call_log::seal::verify::{Fault, Report};
use waas_comuni::call_log::search::Filter;
use waas_comuni::call_log::tree::{Frontier, leaf};

use super::Log;
use crate::support::command::Program;
use crate::support::database::on_both_databases;

fn lines(export: &Path) -> Vec<String> {
    fs::read_to_string(export).unwrap().lines().map(str::to_owned).collect()
}

/// Where the entry at this place of the log of `prova` is in an export.
fn place(lines: &[String], index: u64) -> usize {
    let is = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["index"] == index && line["eservice"] == "prova"
    };
    lines.iter().position(is).unwrap()
}

/// An export as somebody would have it.
fn tampered(log: &Log<'_>, change: impl FnOnce(&mut Vec<String>)) -> PathBuf {
    let mut lines = lines(&log.export());
    change(&mut lines);
    let path = log.folder.path().join("tampered.jsonl");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

fn verify(log: &Log<'_>, export: &Path) -> Report {
    exported::verify(&[export.to_owned()], &[log.file()], &[log.key()]).unwrap()
}

fn faults(report: Report) -> Vec<Fault> {
    assert_eq!(report.faults, []);
    report.logs.into_iter().find(|log| log.eservice.is_some()).unwrap().faults
}

fn contradiction(log: &Log<'_>, change: impl FnOnce(&mut Vec<String>)) -> (u64, u64) {
    match &faults(verify(log, &tampered(log, change)))[..] {
        [Fault::CheckpointContradicted { from, size, .. }] => (*from, *size),
        other => panic!("{other:?}"),
    }
}

/// An export in which the hash of their tree stands for 2^`level` entries.
fn with_removed(log: &Log<'_>, first: u64, level: u32) -> PathBuf {
    tampered(log, |lines| {
        let mut tree = Frontier::default();
        for index in first..first + (1 << level) {
            let place = place(lines, index);
            tree.push(leaf(lines.remove(place).as_bytes()));
        }
        let root = tree.root().map(|byte| format!("{byte:02x}")).concat();
        lines.push(format!(
            "{{\"index\":{first},\"eservice\":\"prova\",\"level\":{level},\"removed\":\"{root}\"}}"
        ));
    })
}

on_both_databases! {
    fn an_export_is_as_good_as_the_database(database) {
        let log = Log::signed(database);
        let export = log.export();
        // Entries are not exported in the order of the log.
        assert_ne!(place(&lines(&export), 0), 0);
        let report = verify(&log, &export);
        assert!(report.holds() && report.signatures);
        let prova = &report.logs[1];
        assert_eq!((prova.entries, prova.signed, prova.checkpoints), (30, 20, 2));
        assert_eq!(prova.root, log.prova().root);
        // In several files, however they are divided.
        let all = lines(&export);
        let parts = [&all[..7], &all[7..]].map(|part| part.join("\n")).iter().enumerate().map(|(number, part)| {
            let path = log.folder.path().join(format!("{number}.jsonl"));
            fs::write(&path, part).unwrap();
            path
        }).rev().collect::<Vec<_>>();
        assert!(exported::verify(&parts, &[log.file()], &[log.key()]).unwrap().holds());
    }

    fn a_tampered_export_is_found_out(database) {
        let log = Log::signed(database);
        assert_eq!(contradiction(&log, |lines| {
            let place = place(lines, 12);
            lines[place] = lines[place].replace("192.0.2.7", "192.0.2.8");
        }), (10, 20));
        // Not even the spelling may change.
        assert_eq!(contradiction(&log, |lines| {
            let place = place(lines, 3);
            lines[place] = lines[place].replace("\"status\":200", "\"status\": 200");
        }), (0, 10));
        let dropped = tampered(&log, |lines| { let place = place(lines, 7); lines.remove(place); });
        assert_eq!(faults(verify(&log, &dropped)), [Fault::EntryMissing { index: 7 }]);
        let twice = tampered(&log, |lines| { let place = place(lines, 7); lines.push(lines[place].clone()); });
        assert_eq!(faults(verify(&log, &twice)), [Fault::EntryUnexpected { index: 7 }]);
        let cut = tampered(&log, |lines| {
            for index in 15..30 { let place = place(lines, index); lines.remove(place); }
        });
        assert!(matches!(&faults(verify(&log, &cut))[..], [Fault::LogShortened { size: 20, entries: 15, .. }]));
        let no_export = tampered(&log, |lines| lines.push("{\"index\": \"x\"}".to_owned()));
        let error = exported::verify(&[no_export], &[], &[]).unwrap_err();
        assert!(error.to_string().contains("line 36"), "{error}");
        assert!(exported::verify(&[PathBuf::from("/dev/null")], &[], &[]).is_err());
    }

    fn a_verifier_in_another_language_agrees(database) {
        let log = Log::signed(database);
        log.checkpoint();
        let public = log.folder.path().join("key.pub");
        fs::write(&public, log.key().pem().unwrap()).unwrap();
        let python = |key: &str, checkpoints: &Path, exports: &[PathBuf]| {
            let output = Command::new("python3")
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_call_log.py"))
                .arg(key)
                .arg(checkpoints)
                .args(exports)
                .output()
                .expect("python3 is needed for the tests");
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.success(), text(output.stdout), text(output.stderr))
        };
        let pem = public.to_str().unwrap();
        let (holds, text, complaint) = python(pem, &log.file(), &[log.export()]);
        assert!(holds, "{complaint}");
        assert_eq!(text, "calls outside any e-service: 5 entries, 5 signed\nprova: 30 entries, 30 signed\n");
        let verifier_key = log.key().verifier_key("waas.example.it/prova");
        assert!(python(&verifier_key, &log.file(), &[log.export()]).0);
        let refused = |change: &dyn Fn(&mut Vec<String>)| {
            let (holds, _, complaint) = python(pem, &log.file(), &[tampered(&log, change)]);
            assert!(!holds);
            complaint.trim().to_owned()
        };
        let not_signed = |from, to| format!("entries {from} to {to} are not those that were signed");
        let change = |index| move |lines: &mut Vec<String>| {
            let place = place(lines, index);
            lines[place] = lines[place].replace("192.0.2.7", "192.0.2.8");
        };
        assert_eq!(refused(&change(3)), not_signed(0, 9));
        assert_eq!(refused(&change(12)), not_signed(10, 19));
        assert_eq!(refused(&|lines| { let place = place(lines, 7); lines.remove(place); }), "prova: entry 7 is missing");
        assert_eq!(refused(&|lines| { let place = place(lines, 7); lines.push(lines[place].clone()); }), "prova: entry 7 is there twice");
        assert_eq!(refused(&|lines| { let place = place(lines, 29); lines.remove(place); }), "prova: 30 entries were signed, and there are 29");
        assert!(python(pem, &log.file(), &[with_removed(&log, 0, 3)]).0);
        let file = fs::read_to_string(log.file()).unwrap();
        for (from, to) in [("\n20\n", "\n21\n"), ("— waas.example.it/prova ", "— altri.example.it/prova ")] {
            let forged = log.folder.path().join("forged.txt");
            fs::write(&forged, file.replacen(from, to, 1)).unwrap();
            let (holds, _, complaint) = python(pem, &forged, &[log.export()]);
            assert!(!holds && complaint.contains("is not signed with the key"), "{complaint}");
        }
        let other = waas_comuni::call_log::seal::note::SigningKey::generate(&log.folder.path().join("other.pem")).unwrap();
        fs::write(&public, other.public().unwrap().pem().unwrap()).unwrap();
        assert!(!python(pem, &log.file(), &[log.export()]).0);
    }

    fn hashes_stand_for_entries_that_were_removed(database) {
        let log = Log::signed(database);
        let report = verify(&log, &with_removed(&log, 0, 3));
        assert!(report.holds());
        assert_eq!((report.logs[1].entries, report.logs[1].removed, report.logs[1].checkpoints), (30, 8, 2));
        assert!(verify(&log, &with_removed(&log, 9, 0)).holds());
        // Over a checkpoint: that one can no longer be compared, the next can.
        let report = verify(&log, &with_removed(&log, 8, 2));
        assert!(report.holds());
        assert_eq!((report.logs[1].checkpoints, report.logs[1].not_compared), (1, 1));
        assert_eq!(faults(verify(&log, &with_removed(&log, 6, 2))), [Fault::EntryUnexpected { index: 6 }]);
        // A proof needs no more than the hashes of the others.
        let files = [log.file()];
        let proof = |index| exported::prove(&[with_removed(&log, 0, 3)], &files, Some("prova"), index).unwrap();
        assert!(proof(12).unwrap().check(&[log.key()]).is_ok());
        assert_eq!(proof(5).unwrap_err(), ProofError::Missing);
    }

    fn the_export_of_a_period_is_verified_with_the_checkpoint_that_covers_it(database) {
        // Number n is entry n ^ 1: neighbours changed places, and each came a second before the number before it.
        let log = Log::new(database);
        for pair in (0..30).step_by(2) {
            log.append(pair + 1..pair + 2);
            log.append(pair..pair + 1);
            if pair == 8 || pair == 18 {
                log.checkpoint();
            }
        }
        let second = |second: u32| Some(format!("2026-03-01T10:00:{second:02}Z").parse().unwrap());
        for (first, end) in [(3, 8), (3, 10), (1, 3), (7, 17), (9, 20), (10, 11), (12, 19), (19, 21), (25, 30)] {
            let filter = Filter {
                eservice: Some("prova".to_owned()),
                from: second(60 - end),
                until: second(60 - first),
                ..Filter::default()
            };
            let path = log.folder.path().join("period.jsonl");
            let count = export(&log.store, &filter, Format::Jsonl, fs::File::create(&path).unwrap()).unwrap();
            assert_eq!(count, u64::from(end - first));
            let notes = log.store.read(|connection| period::checkpoints(connection, &filter)).unwrap();
            let behind = (first..end).map(|number| (number ^ 1) + 1).max().unwrap();
            let covers = if behind <= 10 { 10 } else { 20 };
            assert!(notes.len() == 1 && notes[0].starts_with(&format!("waas.example.it/prova\n{covers}\n")), "{notes:?}");
            let file = log.folder.path().join("period.txt");
            fs::write(&file, format!("{}\n", notes[0])).unwrap();
            let verify = || exported::verify(std::slice::from_ref(&path), std::slice::from_ref(&file), &[log.key()]).unwrap();
            let report = verify();
            assert!(report.holds(), "{first}..{end}: {report:?}");
            assert_eq!((report.logs[0].checkpoints, report.logs[0].not_compared), (1, 0), "{first}..{end}");
            // What was signed can be proved, and not changed.
            let entry = first ^ 1;
            if entry < covers {
                let index = entry.into();
                let proof = exported::prove(std::slice::from_ref(&path), std::slice::from_ref(&file), Some("prova"), index);
                assert!(proof.unwrap().unwrap().check(&[log.key()]).is_ok(), "{first}..{end}");
                let text = fs::read_to_string(&path).unwrap();
                let said = format!("request-{first}\"");
                assert!(text.contains(&said), "{text}");
                fs::write(&path, text.replace(&said, "request-x\"")).unwrap();
                assert!(!verify().holds());
                fs::write(&path, &text).unwrap();
            }
            let public = log.folder.path().join("period.pub");
            fs::write(&public, log.key().pem().unwrap()).unwrap();
            let verifier = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_call_log.py");
            let python = Command::new("python3").arg(verifier).args([&public, &file, &path]).output().unwrap();
            assert!(python.status.success(), "{first}..{end}: {}", String::from_utf8_lossy(&python.stderr));
        }
    }

    fn each_signed_entry_can_be_proved_alone(database) {
        let log = Log::signed(database);
        let export = [log.export()];
        let (log_id, index) = stored::find(&log.store, "request-17").unwrap().unwrap();
        assert_eq!(exported::find(&export, "request-17").unwrap(), Some((Some("prova".to_owned()), 17)));
        assert_eq!((index, stored::find(&log.store, "nobody").unwrap()), (17, None));
        for index in 0..30 {
            let proof = stored::prove(&log.store, log_id, index, u64::MAX).unwrap();
            let same = exported::prove(&export, &[log.file()], Some("prova"), index.unsigned_abs()).unwrap();
            assert_eq!(proof, same);
            if index >= 20 {
                assert_eq!(proof, Err(ProofError::NotCovered));
                continue;
            }
            let proof = Proof::read(&proof.unwrap().text()).unwrap();
            let checkpoint = proof.check(&[log.key()]).unwrap();
            let covering = if index < 10 { 10 } else { 20 };
            assert_eq!((proof.index, checkpoint.size), (index.unsigned_abs(), covering));
            assert!(proof.line.contains(&format!("request-{index}\"")));
        }
        assert_eq!(stored::prove(&log.store, 0, 0, u64::MAX).unwrap(), Err(ProofError::NotCovered));
        log.checkpoint();
        assert!(stored::prove(&log.store, 0, 4, u64::MAX).unwrap().is_ok());
    }

    fn a_proof_costs_what_lies_between_two_checkpoints(database) {
        let log = Log::signed(database);
        let (log_id, _) = stored::find(&log.store, "request-17").unwrap().unwrap();
        let proof = stored::prove(&log.store, log_id, 17, u64::MAX).unwrap().unwrap();
        // What was signed before is not looked at.
        log.tamper("UPDATE call_entry SET leaf_hash = substr(leaf_hash, 1, 0) WHERE log_id = LOG AND entry_index < 10");
        assert_eq!(stored::prove(&log.store, log_id, 17, u64::MAX).unwrap(), Ok(proof.clone()));
        // Where a version signed that kept no tree beside its checkpoints, it has to be.
        log.tamper("CREATE TABLE kept AS SELECT * FROM call_checkpoint; UPDATE call_checkpoint SET frontier = NULL");
        assert_eq!(stored::prove(&log.store, log_id, 17, u64::MAX).unwrap(), Err(ProofError::Incomplete));
        log.make_tree_again();
        assert_eq!(stored::prove(&log.store, log_id, 17, u64::MAX).unwrap(), Ok(proof.clone()));
        // Nor is a tree believed that is not the one that was signed.
        log.tamper("UPDATE call_checkpoint SET frontier = (SELECT kept.frontier FROM kept WHERE kept.size = 20 AND kept.log_id = LOG) WHERE size = 10; DROP TABLE kept");
        assert_eq!(stored::prove(&log.store, log_id, 17, u64::MAX).unwrap(), Ok(proof));
    }

    fn a_tampered_proof_is_refused(database) {
        let log = Log::signed(database);
        let (log_id, _) = stored::find(&log.store, "request-17").unwrap().unwrap();
        let text = stored::prove(&log.store, log_id, 17, u64::MAX).unwrap().unwrap().text();
        let check = |text: &str| Proof::read(text).and_then(|proof| proof.check(&[log.key()]).map(drop));
        assert_eq!(check(&text), Ok(()));
        assert_eq!(check(&text.replace("index 17", "index 16")), Err(ProofError::Contradicted));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(check(&text.replace(lines[1], "extra e30=")), Err(ProofError::Contradicted));
        assert_eq!(check(&text.replace(lines[4], lines[3])), Err(ProofError::Contradicted));
        assert_eq!(check(&text.replace(&format!("{}\n", lines[4]), "")), Err(ProofError::Contradicted));
        assert_eq!(check(&text.replace("\n20\n", "\n19\n")), Err(ProofError::Forged));
        assert_eq!(check(&text.replace(lines[0], "c2sp.org/tlog-proof@v2")), Err(ProofError::Unreadable));
        let proof = Proof::read(&text).unwrap();
        assert_eq!(proof.check(&[]), Err(ProofError::Unsigned));
        // Nor does the service prove what was changed after it was signed.
        log.tamper("UPDATE call_entry SET status = 404 WHERE log_id = LOG AND entry_index = 17");
        assert_eq!(stored::prove(&log.store, log_id, 17, u64::MAX).unwrap(), Err(ProofError::Contradicted));
    }

    fn the_command_line_signs_verifies_and_proves(database) {
        let log = Log::new(database);
        let run = |arguments: &[&str]| {
            let output = Program::new()
                .arg("calls")
                .args(arguments)
                .current_dir(log.folder.path())
                .env("WAAS__DATABASE__URL", &database.url)
                .env("WAAS__CALL_LOG__CHECKPOINT_KEY", "other.pem")
                .env("WAAS__CALL_LOG__CHECKPOINT_FILE", "checkpoints.txt")
                .output()
                .unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
        };
        assert_eq!(run(&["checkpoint"]).0, 1);
        let (code, keys, _) = run(&["keygen", "other.pem"]);
        assert_eq!((code, keys.contains("waas-comuni/+")), (0, true), "{keys}");
        assert_eq!(run(&["keygen", "other.pem"]).0, 1);
        assert!(run(&["checkpoint"]).2.contains("no log has grown"));
        log.append(0..12);
        let (code, note, _) = run(&["checkpoint"]);
        assert!(code == 0 && note.starts_with("waas-comuni/prova\n12\n"), "{note}");
        let (code, text, _) = run(&["verify"]);
        assert_eq!((code, text.contains("prova: 12 entries, 2 checkpoints agree, the last with all of them")), (0, true), "{text}");
        let (code, proof, _) = run(&["prove", "request-7"]);
        assert_eq!(code, 0);
        assert_eq!(run(&["prove", "7", "--eservice", "prova"]).1, proof);
        assert_eq!(run(&["prove", "7"]).0, 2);
        assert_eq!(run(&["prove", "nobody"]).0, 1);
        fs::write(log.folder.path().join("call.tlog-proof"), &proof).unwrap();
        let (code, entry, _) = run(&["verify", "--proof", "call.tlog-proof", "--key", "other.pem.pub"]);
        assert!(code == 0 && entry.contains("request-7"), "{entry}");
        let (code, _, complaint) = run(&["verify", "--proof", "call.tlog-proof", "--key", "checkpoint.pem"]);
        assert!(code == 1 && complaint.contains("none of the keys"), "{complaint}");
        run(&["export", "--output", "calls.jsonl"]);
        let offline = ["verify", "--export", "calls.jsonl", "--checkpoints", "checkpoints.txt", "--key", "other.pem.pub", "--json"];
        let (code, report, _) = run(&offline);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((code, &report["holds"], &report["report"]["logs"][0]["signed"]), (0, &true.into(), &12.into()));
        let offline = ["prove", "7", "--eservice", "prova", "--export", "calls.jsonl", "--checkpoints", "checkpoints.txt"];
        assert_eq!(run(&offline).1, proof);
        log.tamper("UPDATE call_entry SET path = '/' WHERE log_id = LOG AND entry_index = 3");
        let (code, text, _) = run(&["verify"]);
        assert!(code == 1 && text.contains("entry 3 was changed"), "{text}");
    }
}
