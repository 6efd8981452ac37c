//! The registry: what records become, what a cursor sees of them, and what INPS says in return.

use std::collections::BTreeSet;
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::ScopedJoinHandle;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::registry::{CodiceEsito, EsitiStored, Esito, PublishedFlusso, Registry, Verdict};
use waas_comuni::siuss::record::{EnteErogatore, Record, TipoFlusso, TipoOperazione};
use waas_comuni::siuss::xml;
use waas_comuni::store::{EserviceId, Store, StoreError};

use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::records::{mensa, minore, roma, withdrawn};

/// 2026-03-01, an hour before noon in Rome.
const MORNING: i64 = 1_772_359_200_000;

/// A registry whose clock stands where it is put.
struct Fixture {
    registry: Registry,
    eservice: EserviceId,
    store: Store,
    now: Arc<AtomicI64>,
}

fn fixture(database: &TestDatabase) -> Fixture {
    let store = database.store();
    let now = Arc::new(AtomicI64::new(MORNING));
    Fixture {
        registry: Registry::new(store.clone(), Clock::Manual(Arc::clone(&now))),
        eservice: store.register_eservice("produzione").unwrap(),
        store,
        now,
    }
}

impl Fixture {
    fn publish(&self, records: &[Record]) -> Vec<Verdict> {
        self.registry.publish(self.eservice, &roma(), records).unwrap()
    }

    fn feed(&self) -> Vec<PublishedFlusso> {
        self.registry.page(self.eservice, 0, u32::MAX).unwrap()
    }

    fn timestamps(&self) -> Vec<i64> {
        self.feed().iter().map(|flusso| flusso.ts_ms).collect()
    }
}

fn new(id_flusso: &str) -> Verdict {
    Verdict::New { id_flusso: id_flusso.to_owned() }
}

fn text(flusso: &PublishedFlusso) -> String {
    String::from_utf8(flusso.xml.clone()).unwrap()
}

on_both_databases! {
    fn a_benefit_lives_from_insertion_to_withdrawal_and_back(database) {
        let it = fixture(database);
        let (cheap, dear) = (mensa("1", 8420), mensa("1", 9000));
        assert_eq!(it.publish(from_ref(&cheap)), [new("H501.PS.20260301.0000001")]);
        assert_eq!(it.publish(from_ref(&cheap)), [Verdict::Unchanged]);
        let changed = Verdict::Changed {
            cancellations: vec!["H501.PS.20260301.0000002".into()],
            insertion: "H501.PS.20260301.0000003".into(),
        };
        assert_eq!(it.publish(from_ref(&dear)), [changed]);
        // A withdrawal describes what is in force: one of an earlier version withdraws nothing.
        let superseded = it.publish(&[withdrawn(&cheap)]);
        assert!(matches!(&superseded[0], Verdict::Refused(notice) if notice.rule.code == "REG-04"), "{superseded:?}");
        assert_eq!(
            it.publish(&[withdrawn(&dear)]),
            [Verdict::Withdrawn { cancellations: vec!["H501.PS.20260301.0000004".into()] }]
        );
        assert_eq!(it.publish(&[withdrawn(&dear)]), [Verdict::Unchanged]);
        assert_eq!(it.publish(from_ref(&dear)), [new("H501.PS.20260301.0000005")]);

        let feed = it.feed();
        let sent: Vec<_> = feed.iter().map(|flusso| xml::read(&flusso.xml).unwrap()).collect();
        for (flusso, sent) in feed.iter().zip(&sent) {
            assert_eq!(sent.nome.as_str(), flusso.id_flusso);
            assert_eq!(flusso.tipo, TipoFlusso::PsPsaSina);
            assert_eq!((flusso.codice_ente.as_str(), flusso.denominazione_ente.as_str()), ("H501", "Comune di Roma"));
        }
        let expected = [(&cheap, "I"), (&cheap, "C"), (&dear, "I"), (&dear, "C"), (&dear, "I")];
        for (sent, (record, operation)) in sent.iter().zip(expected) {
            assert_eq!(sent.record.content(), record.content());
            let cancels = sent.record.operazione() == TipoOperazione::Cancellazione;
            assert_eq!(cancels, operation == "C");
        }
        // A cancellation is what was sent, byte for byte but for the operation and the name.
        for (insertion, cancellation) in [(0, 1), (2, 3)] {
            let repeated = text(&feed[cancellation])
                .replace(&feed[cancellation].id_flusso, &feed[insertion].id_flusso)
                .replace("TipoOperazione=\"C\"", "TipoOperazione=\"I\"");
            assert_eq!(repeated, text(&feed[insertion]));
        }
        let counts = it.registry.counts(it.eservice).unwrap();
        assert_eq!((counts.active, counts.withdrawn, counts.flussi), (1, 0, 5));
        assert_eq!(counts.last_ts, Some(feed[4].ts_ms));
    }

    fn a_child_in_care_is_never_cancelled(database) {
        let it = fixture(database);
        assert_eq!(it.publish(&[minore("MIN-1", 5)]), [new("H501.SINBA.20260301.0000001")]);
        assert_eq!(it.publish(&[withdrawn(&minore("MIN-1", 5))]), [Verdict::Unchanged]);
        let changed = Verdict::Changed { cancellations: vec![], insertion: "H501.SINBA.20260301.0000002".into() };
        assert_eq!(it.publish(&[minore("MIN-1", 6)]), [changed]);
        let feed = it.feed();
        assert_eq!(feed.len(), 2);
        assert!(feed.iter().all(|flusso| flusso.tipo == TipoFlusso::Sinba && !text(flusso).contains("TipoOperazione")));
    }

    fn what_the_registry_does_not_hold_is_not_withdrawn(database) {
        let it = fixture(database);
        let verdicts = it.publish(&[withdrawn(&mensa("1", 8420)), mensa("2", 8420)]);
        let Verdict::Refused(notice) = &verdicts[0] else { panic!("{verdicts:?}") };
        assert_eq!((notice.rule.code, notice.field.as_ref()), ("REG-01", "TipoOperazione"));
        assert_eq!(verdicts[1], new("H501.PS.20260301.0000001"));
        // Another e-service's registry is another registry, and so is another ente's.
        let other = it.store.register_eservice("collaudo").unwrap();
        let withdrawal = [withdrawn(&mensa("2", 8420))];
        assert!(matches!(it.registry.publish(other, &roma(), &withdrawal).unwrap()[..], [Verdict::Refused(_)]));
        let milano = EnteErogatore::new("F205", "Comune di Milano", "F205", "RSSMRA80A01H501U").unwrap();
        let verdicts = it.registry.publish(it.eservice, &milano, &withdrawal).unwrap();
        assert!(matches!(verdicts[..], [Verdict::Refused(_)]));
        assert_eq!(it.feed().len(), 1);
    }

    fn a_batch_is_its_records_one_after_the_other(database) {
        let it = fixture(database);
        // Two benefits of each kind, three contents, withdrawals: any sequence, cut into batches anywhere.
        let record = (0..2usize, 0..3u32, prop::bool::ANY, prop::bool::weighted(0.3)).prop_map(
            |(which, content, child, withdraws)| {
                let record = if child {
                    minore(&format!("MIN-{which}"), 5 + content)
                } else {
                    mensa(&which.to_string(), 8000 + content)
                };
                if withdraws { withdrawn(&record) } else { record }
            },
        );
        let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
        let case = AtomicI64::new(0);
        runner
            .run(&(prop::collection::vec(record, 1..24), 1..8usize), |(records, size)| {
                let number = case.fetch_add(1, Ordering::SeqCst);
                let run = |name: &str, size: usize| {
                    let eservice = it.store.register_eservice(&format!("{name}-{number}")).unwrap();
                    let verdicts: Vec<Verdict> = records
                        .chunks(size)
                        .flat_map(|batch| it.registry.publish(eservice, &roma(), batch).unwrap())
                        .collect();
                    let feed: Vec<(String, String)> = it
                        .registry
                        .page(eservice, 0, u32::MAX)
                        .unwrap()
                        .iter()
                        .map(|flusso| (flusso.id_flusso.clone(), text(flusso)))
                        .collect();
                    (verdicts, feed, it.registry.counts(eservice).unwrap().active)
                };
                let single = run("single", 1);
                prop_assert_eq!(&run("batches", size), &single);
                prop_assert_eq!(&run("whole", records.len()), &single);
                Ok(())
            })
            .unwrap();
    }

    fn timestamps_use_the_time_that_has_passed(database) {
        let it = fixture(database);
        let batch = |from: u32, count: u32| {
            (from..from + count).map(|number| mensa(&number.to_string(), 8420)).collect::<Vec<_>>()
        };
        it.publish(&batch(0, 5));
        assert_eq!(it.timestamps(), (MORNING - 4..=MORNING).collect::<Vec<_>>());
        // No room: the range follows the last flow.
        it.publish(&batch(5, 3));
        assert_eq!(it.timestamps()[5..], [MORNING + 1, MORNING + 2, MORNING + 3]);
        // Some room: it is used, and not more.
        it.now.store(MORNING + 5, Ordering::SeqCst);
        it.publish(&batch(8, 3));
        assert_eq!(it.timestamps()[8..], [MORNING + 4, MORNING + 5, MORNING + 6]);
        // The clock steps back an hour, then goes on.
        it.now.store(MORNING - 3_600_000, Ordering::SeqCst);
        it.publish(&batch(11, 1));
        assert_eq!(it.timestamps()[11..], [MORNING + 7]);
        it.now.store(MORNING + 100, Ordering::SeqCst);
        it.publish(&batch(12, 2));
        assert_eq!(it.timestamps()[12..], [MORNING + 99, MORNING + 100]);
    }

    fn numbers_of_a_day_are_given_once(database) {
        let it = fixture(database);
        // Ten minutes to midnight in Rome is still the same day in both zones; ten past is the day after in Rome only.
        let midnight = "2026-03-01T23:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let mut expected = Vec::new();
        for (number, (minutes, name)) in [
            (-10, "H501.PS.20260301.0000001"),
            (10, "H501.PS.20260302.0000001"),
            (-5, "H501.PS.20260301.0000002"),
            (15, "H501.PS.20260302.0000002"),
        ]
        .into_iter()
        .enumerate()
        {
            it.now.store(midnight + minutes * 60_000, Ordering::SeqCst);
            assert_eq!(it.publish(&[mensa(&number.to_string(), 8420)]), [new(name)]);
            expected.push(name);
        }
        assert_eq!(it.publish(&[minore("MIN-1", 5)]), [new("H501.SINBA.20260302.0000001")]);
        // A day may overflow its seven digits.
        it.store
            .write(|connection| {
                use diesel::connection::SimpleConnection;
                Ok(connection.batch_execute("UPDATE progressivo SET ultimo = 9999999")?)
            })
            .unwrap();
        assert_eq!(it.publish(&[mensa("x", 8420)]), [new("H501.PS.20260302.10000000")]);
    }

    fn the_name_served_stays_when_the_ente_is_renamed(database) {
        let it = fixture(database);
        it.publish(&[mensa("1", 8420)]);
        let renamed = EnteErogatore::new("H501", "Roma Capitale", "H501", "RSSMRA80A01H501U").unwrap();
        it.registry.publish(it.eservice, &renamed, &[mensa("1", 9000), mensa("2", 9000)]).unwrap();
        let feed = it.feed();
        let names: Vec<_> = feed.iter().map(|flusso| flusso.denominazione_ente.as_str()).collect();
        assert_eq!(names, ["Comune di Roma", "Comune di Roma", "Roma Capitale", "Roma Capitale"]);
        for flusso in &feed {
            assert!(text(flusso).contains(&format!("Denominazione=\"{}\"", flusso.denominazione_ente)));
        }
    }

    fn a_batch_that_fails_leaves_nothing(database) {
        let it = fixture(database);
        it.publish(&[mensa("1", 8420)]);
        let long = EnteErogatore::new(&"X".repeat(32), "Consorzio", "H501", "RSSMRA80A01H501U").unwrap();
        let failed = it.registry.publish(it.eservice, &long, &[mensa("2", 8420), minore("MIN-1", 5)]);
        assert!(matches!(failed, Err(StoreError::Unreadable(_))));
        assert_eq!(it.feed().len(), 1);
        assert_eq!(it.registry.counts(it.eservice).unwrap().active, 1);
    }

    fn a_cursor_turns_the_pages(database) {
        let it = fixture(database);
        let records: Vec<_> = (0..7).map(|number| mensa(&number.to_string(), 8420)).collect();
        it.publish(&records);
        let all = it.feed();
        let last = u128::try_from(all[6].ts_ms).unwrap();
        let page = |since, limit| it.registry.page(it.eservice, since, limit).unwrap();
        assert_eq!(page(0, 0), []);
        assert_eq!(page(0, 3), all[..3]);
        assert_eq!(page(0, 3), all[..3]);
        assert_eq!(page(u128::try_from(all[2].ts_ms).unwrap(), 100), all[3..]);
        for since in [last, last + 1, i64::MAX.cast_unsigned().into(), 100_000_000_000_000_000_000, u128::MAX] {
            assert_eq!(page(since, 10), []);
        }
        let other = it.store.register_eservice("collaudo").unwrap();
        assert_eq!(it.registry.page(other, 0, 10).unwrap(), []);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let page = runtime.block_on(it.registry.page_async(it.eservice, 0, 3)).unwrap();
        let page: Vec<_> = page.into_iter().map(|flusso| flusso.unpacked().unwrap()).collect();
        assert_eq!(page, all[..3]);
    }

    fn the_same_file_imported_twice_at_once_is_published_once(database) {
        let (one, two) = (fixture(database), fixture(database));
        let records: Vec<_> = (0..120).map(|number| mensa(&number.to_string(), 8420)).collect();
        let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
            let threads: Vec<_> = [&one, &two, &one, &two]
                .into_iter()
                .map(|it| {
                    let records = &records;
                    scope.spawn(move || {
                        records.chunks(7).flat_map(|batch| it.publish(batch)).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let published = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::New { .. })).count();
        let unchanged = verdicts.iter().filter(|verdict| **verdict == Verdict::Unchanged).count();
        assert_eq!((published, unchanged), (120, 360));
        let names: BTreeSet<_> = one.feed().into_iter().map(|flusso| flusso.id_flusso).collect();
        assert_eq!(names.len(), 120);
    }

    fn a_cursor_sees_every_flow_once_whoever_writes_and_whatever_the_clock_does(database) {
        const WRITERS: u32 = 8;
        const BATCHES: u32 = 20;
        let instances = [fixture(database), fixture(database)];
        let reader = fixture(database);
        let done = AtomicBool::new(false);
        let (published, seen) = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let it = &instances[usize::from(writer % 2 == 0)];
                    scope.spawn(move || {
                        let mut published = Vec::new();
                        for batch in 0..BATCHES {
                            // The clocks of the two instances disagree and step back and forth.
                            let step = i64::from((writer * 7 + batch * 13) % 40) - 20;
                            it.now.store(MORNING + i64::from(batch) + step, Ordering::SeqCst);
                            let records: Vec<_> = (0..=batch % 4)
                                .map(|number| mensa(&format!("{writer}-{batch}-{number}"), 8420))
                                .collect();
                            published.extend(it.publish(&records).into_iter().map(|verdict| match verdict {
                                Verdict::New { id_flusso } => id_flusso,
                                other => panic!("{other:?}"),
                            }));
                        }
                        published
                    })
                })
                .collect();
            let (reader, done) = (&reader, &done);
            let follower = scope.spawn(move || {
                let (mut seen, mut since, mut limit) = (Vec::new(), 0, 0);
                loop {
                    let finished = done.load(Ordering::SeqCst);
                    limit = limit % 9 + 1;
                    let page = reader.registry.page(reader.eservice, since, limit).unwrap();
                    if page.len() == usize::try_from(limit).unwrap() {
                        let again = reader.registry.page(reader.eservice, since, limit).unwrap();
                        assert_eq!(again, page);
                    }
                    for flusso in &page {
                        let ts = u128::try_from(flusso.ts_ms).unwrap();
                        assert!(ts > since, "{ts} after {since}");
                        since = ts;
                        seen.push(flusso.id_flusso.clone());
                    }
                    if page.is_empty() && finished {
                        return seen;
                    }
                }
            });
            // The follower must end even if a writer failed.
            let published: Vec<_> = writers.into_iter().map(ScopedJoinHandle::join).collect();
            done.store(true, Ordering::SeqCst);
            let seen = follower.join().unwrap();
            let published: Vec<String> =
                published.into_iter().flat_map(|published| published.expect("a writer failed")).collect();
            (published, seen)
        });
        assert_eq!(seen.len(), published.len());
        assert_eq!(seen.iter().collect::<BTreeSet<_>>(), published.iter().collect::<BTreeSet<_>>());
        let again: Vec<_> = reader.feed().into_iter().map(|flusso| flusso.id_flusso).collect();
        assert_eq!(again, seen);
    }

    fn an_outcome_is_kept_once_and_the_last_to_arrive_is_in_force(database) {
        let it = fixture(database);
        it.publish(&[mensa("1", 8420)]);
        let flusso = it.feed().remove(0);
        let refused = Esito {
            id_flusso: flusso.id_flusso.clone(),
            ts_flusso: Timestamp::from_millisecond(flusso.ts_ms).unwrap(),
            ts_acquisizione: "2026-03-02T01:00:00.000Z".parse().unwrap(),
            tipo: "PS_PSA_SINA".into(),
            codice: CodiceEsito::RichiestaInvalida,
            descrizione: Some("Codice fiscale\0 errato".into()),
            id_acquisizione_siuss: None,
            altro: json!({"codice_ente": "H501", "z": [1, null]}).as_object().unwrap().clone(),
        };
        let accepted = Esito { codice: CodiceEsito::Ok, descrizione: None, ..refused.clone() };
        let unknown = Esito { id_flusso: "H501.PS.19990101.0000001".into(), ..accepted.clone() };
        let record = |esiti: &[Esito]| it.registry.record_esiti(it.eservice, esiti, "r").unwrap();
        let of = |stored, repeated, unknown_flows| EsitiStored { stored, repeated, unknown_flows };
        let in_force = |code: &str| it.registry.counts(it.eservice).unwrap().esiti.get(code).copied();

        assert_eq!(record(&[]), of(0, 0, 0));
        assert_eq!(record(&[refused.clone(), refused.clone()]), of(1, 1, 0));
        assert_eq!(in_force("RICHIESTA_INVALIDA"), Some(1));
        assert_eq!(record(&[accepted.clone(), unknown.clone()]), of(2, 0, 1));
        assert_eq!((in_force("RICHIESTA_INVALIDA"), in_force("OK")), (None, Some(2)));
        // A late repetition of the first does not undo the correction; other orders of keys are the same outcome.
        let altro = json!({"z": [1, null], "codice_ente": "H501"}).as_object().unwrap().clone();
        let shuffled = Esito { altro, ..refused };
        assert_eq!(record(&[shuffled, unknown]), of(0, 2, 1));
        assert_eq!((in_force("RICHIESTA_INVALIDA"), in_force("OK")), (None, Some(2)));
        // The same outcome for another e-service is another outcome.
        let other = it.store.register_eservice("collaudo").unwrap();
        assert_eq!(it.registry.record_esiti(other, &[accepted], "r").unwrap(), of(1, 0, 1));
    }

    fn the_same_outcomes_delivered_at_once_are_kept_once(database) {
        let (one, two) = (fixture(database), fixture(database));
        let esiti: Vec<Esito> = (0..50)
            .map(|number| Esito {
                id_flusso: format!("H501.PS.20260301.{number:07}"),
                ts_flusso: Timestamp::UNIX_EPOCH,
                ts_acquisizione: Timestamp::UNIX_EPOCH,
                tipo: "PS_PSA_SINA".into(),
                codice: CodiceEsito::Ok,
                descrizione: None,
                id_acquisizione_siuss: Some(number.to_string()),
                altro: serde_json::Map::new(),
            })
            .collect();
        let reversed: Vec<Esito> = esiti.iter().rev().cloned().collect();
        let stored: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = [(&one, &esiti), (&two, &reversed), (&one, &reversed), (&two, &esiti)]
                .into_iter()
                .map(|(it, esiti)| {
                    scope.spawn(move || it.registry.record_esiti(it.eservice, esiti, "r").unwrap().stored)
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(stored, 50);
        assert_eq!(one.registry.counts(one.eservice).unwrap().esiti["OK"], 50);
    }
}
