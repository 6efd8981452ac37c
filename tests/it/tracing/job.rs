//! The daily job over days that a test lets pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::config::Config;
use waas_comuni::doctor::{self, Severity};
use waas_comuni::pdnd::daily::{Job, Standing, standing};
use waas_comuni::pdnd::service::State;
use waas_comuni::pdnd::{ledger, member};
use waas_comuni::store::Store;

use super::count::{call, day, instant, log};
use super::fake::{Fault, Pdnd};
use super::judge;
use crate::support::app::{self, App};
use crate::support::database::{TestDatabase, on_both_databases};

/// One section, a PDND of its own, and a clock that the test holds. The job was enabled on 28 March 2026, at noon; the
/// next day has 23 hours.
struct Scene {
    pdnd: Pdnd,
    millis: Arc<AtomicI64>,
    config: Config,
    store: Store,
    keys: tempfile::TempDir,
}

impl Scene {
    fn new(database: &TestDatabase) -> Self {
        let millis = Arc::new(AtomicI64::new(instant("2026-03-28T11:00:00Z").as_millisecond()));
        let pdnd = Pdnd::start(Clock::Manual(Arc::clone(&millis)));
        let keys = tempfile::tempdir().unwrap();
        let mut config = app::config(database, keys.path());
        pdnd.configure(&mut config);
        let store = database.store();
        let scene = Self { pdnd, millis, config, store, keys };
        scene.job().round().unwrap();
        scene
    }

    fn clock(&self) -> Clock {
        Clock::Manual(Arc::clone(&self.millis))
    }

    /// The job of one more instance, with connections of its own.
    fn job(&self) -> Job {
        let store = Store::open(&self.config.database).unwrap();
        let holder = Uuid::new_v4().to_string();
        let settler = member::settler(&self.config, &self.config.tracing[0], store, self.clock(), holder);
        Job::new(settler.unwrap())
    }

    fn at(&self, text: &str) {
        self.millis.store(instant(text).as_millisecond(), Ordering::SeqCst);
    }

    fn pass(&self, time: SignedDuration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Rounds, ten minutes apart, until `until`; PDND looks at its files after each.
    fn run(&self, job: &Job, until: &str) {
        while self.clock().now() < instant(until) {
            job.round().unwrap();
            self.pdnd.process();
            self.pass(SignedDuration::from_mins(10));
        }
    }

    /// A call at noon of a day.
    fn called(&self, date: &str) -> Uuid {
        let eservice = self.store.register_eservice("prova").unwrap();
        let (purpose, token) = (Uuid::new_v4(), Uuid::new_v4());
        log(&self.store, vec![call(eservice, day(date).at(12, 0).unwrap(), 200, purpose, token)]);
        purpose
    }

    fn standing(&self) -> Standing {
        let now = self.clock().now();
        self.store.read(|connection| standing(connection, "prova", now)).unwrap()
    }

    fn record(&self, date: &str) -> ledger::Record {
        self.store.read(|connection| ledger::load(connection, "prova", day(date))).unwrap()
    }

    fn doctor(&self) -> Vec<(Severity, String)> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        doctor::examine(&self.config, &self.clock(), &runtime)
            .into_iter()
            .filter(|finding| finding.subject == "daily count of prova")
            .map(|finding| (finding.severity, finding.meaning))
            .collect()
    }

    /// How many files PDND has for a day.
    fn files(&self, date: &str) -> usize {
        self.pdnd.day(date).map_or(0, |day| day.files.len())
    }
}

on_both_databases! {
    fn each_day_is_sent_once_whatever_happens_between(database) {
        let scene = Scene::new(database);
        for date in ["2026-03-28", "2026-03-29", "2026-03-31"] {
            scene.called(date);
        }
        let job = scene.job();
        // 23:59 in Rome, and then four minutes after midnight: too early.
        scene.at("2026-03-28T22:59:00Z");
        scene.run(&job, "2026-03-28T23:05:00Z");
        assert_eq!(scene.pdnd.posts(), []);
        scene.run(&job, "2026-03-29T12:00:00Z");
        assert_eq!(scene.pdnd.posts().len(), 1);
        assert_eq!(scene.record("2026-03-28").state, Some(State::Completed));
        assert_eq!(scene.standing().last_accepted, Some(day("2026-03-28")));
        assert_eq!((scene.standing().owed, scene.standing().deadline), (0, None));

        // PDND is away for two nights and a day; the job asks seldom.
        scene.pdnd.state().down = true;
        let asked = |scene: &Scene| scene.record("2026-03-29").failures;
        scene.run(&job, "2026-03-31T05:00:00Z");
        assert!((20..80).contains(&asked(&scene)), "{}", asked(&scene));
        let late = scene.standing();
        assert_eq!((late.owed, late.deadline), (2, Some(instant("2026-03-30T21:50:00Z"))));
        assert!(late.last_error.unwrap().contains("cannot reach"));
        let found = scene.doctor();
        assert!(found.iter().any(|(severity, meaning)| *severity == Severity::Error && meaning.contains("2 owed")), "{found:?}");
        scene.pdnd.state().down = false;
        scene.pdnd.miss("2026-03-29");
        scene.run(&job, "2026-04-01T12:00:00Z");

        for (date, calls) in [("2026-03-28", 1), ("2026-03-29", 1), ("2026-03-30", 0), ("2026-03-31", 1)] {
            let taken = scene.pdnd.day(date).unwrap();
            assert_eq!((taken.state, taken.files.len()), ("COMPLETED", 1), "{date}");
            assert_eq!(judge::read(&taken.files[0], date).unwrap().len(), calls, "{date}");
            assert!(scene.record(date).is_accepted());
        }
        let paths: Vec<String> = scene.pdnd.posts().into_iter().map(|asked| asked.path).collect();
        assert_eq!(paths.len(), 4, "{paths:?}");
        assert_eq!(paths.iter().filter(|path| path.ends_with("/recover")).count(), 1);
        // Not after it has all been done, either.
        scene.pass(SignedDuration::from_mins(30));
        scene.job().round().unwrap();
        assert_eq!(scene.pdnd.posts().len(), 4);
        assert_eq!(scene.doctor().into_iter().map(|(severity, _)| severity).max(), Some(Severity::Ok));
    }

    fn of_two_instances_one_sends(database) {
        let scene = Scene::new(database);
        scene.called("2026-03-28");
        scene.at("2026-04-01T08:00:00Z");
        let now = scene.clock().now();
        assert!(scene.store.write(|connection| ledger::take_turn(connection, "prova", "another", now)).unwrap());
        scene.job().round().unwrap();
        assert_eq!(scene.pdnd.posts().len(), 0, "it is the turn of another");
        scene.store.write(|connection| ledger::end_turn(connection, "prova", "another")).unwrap();

        scene.pdnd.state().on_post.extend([(); 4].map(|()| Fault::Slow(Duration::from_millis(50))));
        thread::scope(|scope| {
            for _ in 0..4 {
                let job = scene.job();
                scope.spawn(move || {
                    for _ in 0..5 {
                        job.round().unwrap();
                    }
                });
            }
        });
        let mut dates: Vec<&str> = vec!["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"];
        dates.retain(|date| scene.files(date) == 1);
        assert_eq!(dates.len(), 4);
        assert_eq!(scene.pdnd.posts().len(), 4);
    }

    fn a_crash_between_sending_and_writing_it_down_sends_nothing_twice(database) {
        let scene = Scene::new(database);
        scene.called("2026-03-28");
        // The answer is lost, and with it the process: another one comes.
        scene.at("2026-03-29T00:00:00Z");
        scene.pdnd.state().on_post.push_back(Fault::CutAfter);
        scene.job().round().unwrap();
        assert_eq!(scene.files("2026-03-28"), 1);
        let doubtful = scene.record("2026-03-28");
        assert!(doubtful.sending.is_some() && doubtful.digest.is_none(), "{doubtful:?}");
        scene.run(&scene.job(), "2026-03-29T02:00:00Z");
        assert_eq!(scene.pdnd.posts().len(), 1);
        let known = scene.record("2026-03-28");
        assert_eq!((known.state, known.digest, known.sending), (Some(State::Completed), doubtful.sending, None));

        // A file was about to be sent by a process that then died with its turn: it did not arrive.
        scene.at("2026-03-30T00:00:00Z");
        let now = scene.clock().now();
        let sending = ledger::Record { sending: Some("0".repeat(64)), ..ledger::Record::new(day("2026-03-29")) };
        scene
            .store
            .write(|connection| {
                assert!(ledger::take_turn(connection, "prova", "the dead", now)?);
                ledger::save(connection, "prova", &sending)
            })
            .unwrap();
        let job = scene.job();
        job.round().unwrap();
        assert_eq!(scene.files("2026-03-29"), 0, "it is not this one's turn");
        scene.pass(ledger::TURN + SignedDuration::from_secs(1));
        job.round().unwrap();
        assert_eq!(scene.files("2026-03-29"), 1);
        assert_ne!(scene.record("2026-03-29").digest, sending.sending);
    }

    fn a_file_that_pdnd_finds_wrong_is_sent_again_once(database) {
        let scene = Scene::new(database);
        let purpose = scene.called("2026-03-28");
        scene.pdnd.state().unknown_purposes.insert(purpose.to_string());
        scene.at("2026-03-29T00:00:00Z");
        let job = scene.job();
        scene.run(&job, "2026-03-29T20:00:00Z");
        assert_eq!(scene.files("2026-03-28"), 2);
        let wrong = scene.standing();
        assert_eq!((wrong.owed, wrong.in_error), (1, 1));
        assert!(wrong.last_error.as_ref().unwrap().contains("the purpose is unknown"), "{wrong:?}");
        // Its calls are counted otherwise by now: that is another file.
        scene.called("2026-03-28");
        scene.run(&job, "2026-03-29T22:30:00Z");
        assert_eq!(scene.files("2026-03-28"), 3);
        // Somebody mended what was wrong, and sends it by hand.
        scene.pdnd.state().unknown_purposes.clear();
        let day_with_pdnd = scene.pdnd.day("2026-03-28").unwrap();
        assert_eq!(day_with_pdnd.state, "ERROR");
        scene.pdnd.state().days.get_mut("2026-03-28").unwrap().state = "PENDING";
        scene.run(&job, "2026-03-30T02:00:00Z");
        assert_eq!(scene.record("2026-03-28").state, Some(State::Completed));
        assert_eq!(scene.standing().in_error, 0);
    }

    fn a_day_that_somebody_else_sent_is_left_alone(database) {
        let scene = Scene::new(database);
        scene.called("2026-03-28");
        scene.pdnd.miss("2026-03-28");
        scene.pdnd.state().days.get_mut("2026-03-28").unwrap().state = "COMPLETED";
        scene.at("2026-03-29T00:00:00Z");
        scene.run(&scene.job(), "2026-03-29T03:00:00Z");
        assert_eq!(scene.pdnd.posts(), []);
        assert!(scene.record("2026-03-28").is_accepted());
        assert_eq!(scene.record("2026-03-28").digest, None);
    }

    fn before_the_deadline_there_is_one_more_attempt(database) {
        let scene = Scene::new(database);
        scene.pdnd.state().down = true;
        scene.at("2026-03-29T00:00:00Z");
        let job = scene.job();
        // 23:39 in Rome, the deadline being 23:50.
        scene.run(&job, "2026-03-29T21:39:00Z");
        let next = scene.record("2026-03-28").next;
        assert!(next <= instant("2026-03-29T21:40:00Z"), "{next}");
        scene.pdnd.state().down = false;
        scene.run(&job, "2026-03-29T21:42:00Z");
        assert_eq!(scene.files("2026-03-28"), 1);
    }

    fn a_voucher_is_asked_for_when_the_last_one_has_ended(database) {
        let scene = Scene::new(database);
        scene.at("2026-03-29T00:00:00Z");
        let job = scene.job();
        scene.run(&job, "2026-03-29T00:09:00Z");
        assert_eq!(scene.pdnd.vouchers_asked(), 1);
        scene.run(&job, "2026-03-29T00:30:00Z");
        assert_eq!(scene.pdnd.vouchers_asked(), 2);
        // PDND restarts and knows none of those that it gave.
        scene.at("2026-03-30T00:00:00Z");
        job.round().unwrap();
        scene.pdnd.forget_vouchers();
        scene.pass(SignedDuration::from_mins(10));
        scene.run(&job, "2026-03-30T01:00:00Z");
        assert!(scene.record("2026-03-29").is_accepted());
    }

    fn a_day_whose_entries_are_gone_is_an_error_and_no_empty_file(database) {
        let mut scene = Scene::new(database);
        scene.config.call_log.retention_days = 1;
        let eservice = scene.store.register_eservice("prova").unwrap();
        scene.store.write(|connection| {
            ledger::enable(connection, "prova", day("2026-03-28"))?;
            let frontier = match connection {
                waas_comuni::store::AnyConnection::Sqlite(_) => "zeroblob(32)",
                waas_comuni::store::AnyConnection::Postgres(_) => "decode(repeat('00', 32), 'hex')",
            };
            let head = format!("SET size = 1, hashed = 1, frontier = {frontier} WHERE log_id > 0");
            diesel::RunQueryDsl::execute(diesel::sql_query(format!("UPDATE call_log_head {head}")), connection)?;
            Ok(())
        }).unwrap();
        log(&scene.store, vec![call(eservice, instant("2026-03-29T12:00:00Z"), 200, Uuid::new_v4(), Uuid::new_v4())]);
        scene.at("2026-03-30T00:00:00Z");
        scene.run(&scene.job(), "2026-03-30T01:00:00Z");
        assert_eq!((scene.files("2026-03-28"), scene.files("2026-03-29")), (0, 0));
        let error = scene.record("2026-03-28").last_error.unwrap();
        assert!(error.contains("cannot be counted"), "{error}");
    }

    fn serve_sends_by_itself_and_tells_the_metrics(database) {
        let scene = Scene::new(database);
        scene.called("2026-03-28");
        scene.at("2026-03-29T00:00:00Z");
        let section = scene.config.tracing[0].clone();
        let app = App::start_at(database, scene.clock(), |config| config.tracing.push(section));
        let metrics = || app.send_back_office("GET", "/metrics", &[], b"").body;
        let patience = Instant::now();
        while scene.record("2026-03-28").state != Some(State::Pending) {
            assert!(patience.elapsed() < Duration::from_secs(20), "{:?}", scene.record("2026-03-28"));
            thread::yield_now();
        }
        let told = metrics();
        for line in [
            "waas_comuni_tracing_days_owed{section=\"prova\"} 1",
            "waas_comuni_tracing_days_in_error{section=\"prova\"} 0",
            // From 02:00 in Rome, an hour of which there is not, to 23:50.
            "waas_comuni_tracing_deadline_seconds{section=\"prova\"} 78600",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        scene.pdnd.process();
        app.stop();
        scene.pass(SignedDuration::from_mins(11));
        scene.job().round().unwrap();
        let app = App::start_at(database, scene.clock(), |config| config.tracing.push(scene.config.tracing[0].clone()));
        let told = app.send_back_office("GET", "/metrics", &[], b"").body;
        let midnight = instant("2026-03-27T23:00:00Z").as_second();
        let line = format!("waas_comuni_tracing_last_accepted_day_timestamp_seconds{{section=\"prova\"}} {midnight}");
        assert!(told.contains(&line), "{told}");
        assert_eq!(told.matches("# HELP waas_comuni_tracing_").count(), 3, "{told}");
        assert!(!told.contains("waas_comuni_tracing_deadline_seconds{"), "{told}");
        assert_eq!(scene.pdnd.posts().len(), 1);
        app.stop();
    }
}

#[test]
fn doctor_finds_a_key_that_cannot_be_used() {
    let database = TestDatabase::new(crate::support::database::Backend::Sqlite);
    let mut scene = Scene::new(&database);
    let section = &mut scene.config.tracing[0];
    section.key = None;
    section.key_file = Some(scene.keys.path().join("none.pem"));
    section.daily = false;
    let found = scene.doctor();
    assert!(
        found.iter().any(|(severity, meaning)| *severity == Severity::Error && meaning.contains("none.pem")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|(severity, meaning)| *severity == Severity::Warning
                && meaning.contains("not sent by `serve`")),
        "{found:?}"
    );
}

#[test]
fn the_deadline_is_ten_to_midnight_in_rome_whatever_the_season() {
    use waas_comuni::pdnd::settle::{deadline, ready};
    let of = |date: &str| (ready(day(date)).unwrap(), deadline(day(date)).unwrap());
    let expected =
        |ready: &str, deadline: &str| -> (Timestamp, Timestamp) { (instant(ready), instant(deadline)) };
    assert_eq!(of("2026-03-28"), expected("2026-03-28T23:05:00Z", "2026-03-29T21:50:00Z"));
    assert_eq!(of("2026-03-29"), expected("2026-03-29T22:05:00Z", "2026-03-30T21:50:00Z"));
    assert_eq!(of("2026-10-24"), expected("2026-10-24T22:05:00Z", "2026-10-25T22:50:00Z"));
    assert_eq!(of("2026-10-25"), expected("2026-10-25T23:05:00Z", "2026-10-26T22:50:00Z"));
    assert_eq!(of("2026-12-31"), expected("2026-12-31T23:05:00Z", "2027-01-01T22:50:00Z"));
}
