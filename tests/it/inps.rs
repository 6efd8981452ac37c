//! Playing INPS: an honest service passes, each way of being dishonest is caught by the check that is named for it.

mod fake;
mod faults;
mod runs;

use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::config::Tls;
use waas_comuni::inps::{
    self, BELFIORE, Check, Credentials, Esiti, InpsError, Options, Outcome, Report, Watcher,
};
use waas_comuni::registry::Registry;
use waas_comuni::voucher::issuer::{self, Profile, Signer};

use self::fake::{FIRST_TS, Fake, Reply, Request, VOUCHER, flow, flows, honest, ts};
use self::faults::{CASES, on_pages};
use crate::support::app::App;
use crate::support::command::Program;
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore, withdrawn};

/// Remembers how long it was asked to wait, and does not.
#[derive(Default)]
struct Patient(Vec<u64>);

impl Watcher for Patient {
    fn pulled(&mut self, _: u64, _: u64) {}

    fn wait(&mut self, time: Duration) {
        self.0.push(time.as_secs());
    }
}

fn options(fake: &Fake) -> Options {
    Options {
        url: fake.base.clone(),
        ca: None,
        credentials: Credentials::Voucher(VOUCHER.to_owned().into()),
        since: 0,
        limit: "3".parse().unwrap(),
        cursor_file: None,
        esiti: Esiti::Ok,
        rehearse: false,
        patience: Duration::from_secs(60),
        codice_ente: Regex::new(BELFIORE).unwrap(),
    }
}

fn run(options: &Options) -> Report {
    inps::run(options, &Clock::System, &mut Patient::default()).unwrap()
}

fn failed(report: &Report) -> Vec<Check> {
    report.checks_that(Outcome::Failed).map(|check| check.check).collect()
}

#[test]
fn an_honest_service_passes() {
    let fake = Fake::with(|_, reply| reply);
    let report = run(&options(&fake));
    assert!(report.passed, "{report}");
    assert_eq!(failed(&report), []);
    let not_made: Vec<Check> = report.checks_that(Outcome::NotMade).map(|check| check.check).collect();
    assert_eq!(
        not_made,
        [Check::RetryAfter, Check::EsitiDisorder, Check::EsitiCorrected, Check::EsitiUnknown]
    );

    assert_eq!((report.pages, report.flows.total, report.flows.sinba), (3, 7, 1));
    assert_eq!((report.flows.ps_psa_sina.insertions, report.flows.ps_psa_sina.cancellations), (5, 1));
    assert_eq!((report.flows.first_ts, report.flows.last_ts), (Some(FIRST_TS), Some(FIRST_TS + 6)));
    assert_eq!((report.next_since, report.esiti, report.deliveries), (FIRST_TS + 6, 7, 1));
    assert_eq!(report.traffic.calls, fake.requests().len() as u64);

    let sinces: Vec<u128> = fake
        .requests()
        .iter()
        .filter(|request| request.pulls())
        .filter_map(|request| request.since)
        .collect();
    let (last, first) = (u128::from(FIRST_TS) + 6, u128::from(FIRST_TS));
    let far = [9_999_999_999_999, 100_000_000_000_000_000_000];
    assert_eq!(sinces, [&[0, first + 2, first + 5, last, 0, last][..], &far].concat());

    let deliveries = fake.deliveries();
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0], deliveries[1]);
    let outcome = &deliveries[0][6];
    assert_eq!(outcome["id_flusso"], "H501.SINBA.20260301.0000007");
    assert_eq!(outcome["ts_flusso"], json!(ts(FIRST_TS + 6)));
    assert_eq!(
        (&outcome["tipo"], &outcome["codice_esito"], &outcome["id_acquisizione_siuss"]),
        (&json!("SINBA"), &json!("OK"), &json!("7"))
    );
}

#[test]
fn what_is_said_is_for_people_and_tells_no_name() {
    let fake = Fake::with(|request, reply| {
        if request.pulls() { reply.edit_document(|xml| xml.replace("2015", "2014")) } else { reply }
    });
    let report = run(&options(&fake));
    assert!(report.passed, "{report}");
    let [warning] = report.warnings.as_slice() else { panic!("{report}") };
    assert_eq!((warning.count, warning.first.as_str()), (2, "H501.PS.20260301.0000002"));

    let text = report.to_string();
    for line in [
        "  asked      since 0, 3 flows at a time",
        "  got        7 flows, in 3 pages",
        "          1    PS_PSA_SINA, cancellations (C)",
        "  ok   id_unique         no id_flusso comes twice (7)",
        "  -    retry_after       429 and 503 say in Retry-After when to ask again, 0 to 3600 seconds (not made)",
        "All 26 checks that could be made hold: INPS can pull from this service.",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let told = text + &serde_json::to_string(&report).unwrap();
    for secret in ["CNTLCU15E09H501T", "Conti", "Luca", "RSSMRA80A01H501U", "PSEUDONIMO", VOUCHER] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[test]
fn an_empty_feed_is_a_good_feed() {
    let fake = Fake::start(|request| honest(request, &[]));
    let report = run(&options(&fake));
    assert!(report.passed, "{report}");
    assert_eq!((report.flows.total, report.next_since, report.deliveries), (0, 0, 0));
    assert!(fake.deliveries().is_empty());
}

#[test]
fn each_fault_is_caught_by_the_check_that_is_named_for_it() {
    for (name, change, expected) in CASES {
        let fake = Fake::with(change);
        let report = run(&Options { rehearse: true, ..options(&fake) });
        assert_eq!(failed(&report), *expected, "{name}:\n{report}");
        assert!(!report.passed, "{name}");
        for check in report.checks_that(Outcome::Failed) {
            assert!(check.count.first.as_deref().is_some_and(|first| !first.is_empty()), "{name}:\n{report}");
        }
    }
    let caught = |check: &Check| CASES.iter().any(|(_, _, expected)| expected.contains(check));
    let missed: Vec<&Check> = Check::ALL.iter().filter(|check| !caught(check)).collect();
    assert!(missed.is_empty(), "no fault for {missed:?}");
}

#[test]
fn the_first_offender_is_named() {
    let first = |name: &str, check: Check| {
        let (_, change, _) = CASES.iter().find(|(found, _, _)| *found == name).unwrap();
        let report = run(&options(&Fake::with(change)));
        let found = report.checks.iter().find(|found| found.check == check).unwrap();
        (found.count.made, found.count.failed, found.count.first.clone().unwrap())
    };
    let second = "H501.PS.20260301.0000002";
    assert_eq!(
        first("a broken rule", Check::Rules).2,
        format!("{second}: rule PS-02 at CaratterePrestazione")
    );
    assert_eq!(
        first("a failure on the way", Check::Complete),
        (1, 1, format!("stopped at since={}: status 500 (Che cosa non va.)", FIRST_TS + 5))
    );
    assert_eq!(
        first("an id that comes twice", Check::IdUnique),
        (7, 2, "H501.PS.20260301.0000001".to_owned())
    );
    assert_eq!(
        first("two flows in one millisecond", Check::TsOrder),
        (7, 2, format!("{second}: {0} is not later than {0}", ts(FIRST_TS)))
    );
    assert_eq!(first("another ente inside", Check::Ente), (7, 2, format!("{second}: Codice is \"F205\"")));
    assert_eq!(
        first("an entry that is none", Check::Members),
        (7, 2, "entry 2 after since=0: it is not a JSON object".to_owned())
    );
}

#[test]
fn flows_published_meanwhile_are_no_fault() {
    let mut longer = flows();
    longer.push(flow(7, mensa("D8", 8420)));
    let fake = Fake::start(move |request| {
        let again = request.times > 0 || request.since == Some(0);
        let flows = if again { longer.as_slice() } else { &longer[..7] };
        honest(request, flows)
    });
    let report = run(&options(&fake));
    assert!(report.passed, "{report}");
    assert_eq!(report.next_since, FIRST_TS + 6);
}

#[test]
fn a_service_may_ask_for_patience() {
    let busy = |request: &Request, reply: Reply| {
        on_pages(request, reply, |reply| match (request.since, request.times) {
            (Some(since), 0) if since == u128::from(FIRST_TS) + 2 => {
                Reply::problem(429).with_header("Retry-After", "40")
            }
            (Some(since), 1) if since == u128::from(FIRST_TS) + 2 => {
                Reply::problem(503).with_header("Retry-After", "0")
            }
            _ => reply,
        })
    };
    let mut patient = Patient::default();
    let report = inps::run(&options(&Fake::with(busy)), &Clock::System, &mut patient).unwrap();
    assert!(report.passed, "{report}");
    assert_eq!((patient.0, report.traffic.waited_seconds), (vec![40, 1], 41));

    let fake = Fake::with(busy);
    let mut patient = Patient::default();
    let hasty = Options { patience: Duration::from_secs(39), ..options(&fake) };
    let report = inps::run(&hasty, &Clock::System, &mut patient).unwrap();
    assert_eq!(failed(&report), [Check::Complete], "{report}");
    assert_eq!((report.flows.total, report.next_since, report.esiti), (3, FIRST_TS + 2, 3));
    assert!(patient.0.is_empty());
}

#[test]
fn a_voucher_is_minted_when_it_is_needed() {
    let now = Arc::new(AtomicI64::new(1_772_359_200_000));
    let time = Arc::clone(&now);
    let flows = flows();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ends);
    let fake = Fake::start(move |request| {
        let mut request = request.clone();
        if request.pulls_with_any_voucher() {
            let second = time.fetch_add(120_000, Ordering::SeqCst) / 1000;
            let end = exp(request.voucher.as_deref().unwrap());
            assert!(end > second, "the voucher has ended");
            seen.lock().unwrap().push(end);
            request.voucher = Some(VOUCHER.to_owned());
        }
        honest(&request, &flows)
    });
    let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
    let credentials = Credentials::Issuer(Box::new((Signer::generate().unwrap(), profile)));
    let options = Options { credentials, limit: "1".parse().unwrap(), ..options(&fake) };
    let report = inps::run(&options, &Clock::Manual(now), &mut ()).unwrap();
    assert_eq!(report.flows.total, 7, "{report}");
    let mut ends = ends.lock().unwrap().clone();
    let calls = ends.len();
    ends.dedup();
    assert!(ends.len() > 2 && ends.len() < calls, "{} vouchers for {calls} calls", ends.len());
}

impl Request {
    fn pulls_with_any_voucher(&self) -> bool {
        self.path == "/flussi" && self.voucher.is_some()
    }
}

fn exp(voucher: &str) -> i64 {
    use base64::Engine;
    let claims = voucher.split('.').nth(1).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["exp"].as_i64().unwrap()
}

fn command(fake: &Fake, folder: &Path, arguments: &[&str]) -> Output {
    std::fs::write(folder.join("voucher.txt"), format!("Bearer {VOUCHER}\n")).unwrap();
    Program::new()
        .args(["inps", "--url", &format!("{}/", fake.base.as_str())])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn the_command_tells_scripts_and_people() {
    let folder = tempfile::tempdir().unwrap();
    let token = ["--token-file", "voucher.txt"];
    let fake = Fake::with(|_, reply| reply);
    let output =
        command(&fake, folder.path(), &[&token[..], &["--since", "1772359200000", "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["passed"], &report["flows"]["total"]), (&json!(true), &json!(6)));
    assert_eq!(
        report["checks"][0],
        json!({
            "check": "status", "demand": "GET /status answers 200 and application/problem+json, without a voucher",
            "outcome": "passed", "made": 1, "failed": 0, "first": null,
        })
    );
    assert_eq!(fake.requests().iter().find(|request| request.pulls()).unwrap().limit, 100);

    let fake = Fake::with(|request, reply| {
        on_pages(request, reply, |reply| reply.edit_second(|flusso| flusso["altro"] = json!("")))
    });
    let output = command(&fake, folder.path(), &[&token[..], &["--esiti", "none"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\n  FAIL members "), "{text}");
    assert!(!fake.requests().iter().any(|request| request.path == "/esiti"));

    let pattern = [&token[..], &["--codice-ente-pattern", "^F"]].concat();
    let output = command(&Fake::with(|_, reply| reply), folder.path(), &pattern);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\n  FAIL codice_ente "));

    for wrong in [
        &["--limit", "101"][..],
        &["--limit", "0"],
        &["--url", "ftp://example.it"],
        &["--url", "https://example.it/?x=1"],
        &["--issuer-key", "k"],
        &["--codice-ente-pattern", "("],
    ] {
        assert_eq!(command(&fake, folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
    for missing in ["--token-file", "--ca", "--esiti"] {
        let output = command(&fake, folder.path(), &[missing, "nessuno"]);
        assert_eq!(output.status.code(), Some(1), "{missing}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("nessuno: "), "{missing}");
    }
}

#[test]
fn outcomes_come_from_a_file_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = |number: usize| json!({ "id_flusso": format!("H501.PS.20260301.{number:07}"), "codice_esito": "DATI_NON_TROVATI", "altro": 1 });
    let outcomes: Vec<Value> = (0..150).map(outcome).collect();
    let lines = outcomes.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let document = format!("{:#}", json!({ "elenco_esiti": outcomes }));
    for text in [lines, document] {
        let path = folder.path().join("esiti.json");
        std::fs::write(&path, text).unwrap();
        let fake = Fake::with(|_, reply| reply);
        let options = Options { esiti: Esiti::from_file(&path).unwrap(), ..options(&fake) };
        let report = run(&options);
        assert!(report.passed, "{report}");
        assert_eq!((report.esiti, report.deliveries), (150, 2));
        let deliveries = fake.deliveries();
        assert_eq!(deliveries[..2].concat(), outcomes);
        assert_eq!(deliveries[0].len(), 100);
        assert_eq!(deliveries[2..], deliveries[..1]);
    }
}

#[test]
fn a_service_that_is_not_there_is_no_report() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = Fake::with(|_, reply| reply);
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = inps::run(&Options { url, ..options(&fake) }, &Clock::System, &mut ()).unwrap_err();
    assert!(matches!(error, InpsError::Unreachable { .. }), "{error}");
}

on_both_databases! {
    fn our_own_service_passes_over_tls(database) {
        let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs-example");
        let app = App::start_with(database, |config| {
            config.api.tls =
                Some(Tls { certificate: certificates.join("server.pem"), key: certificates.join("server.key.pem") });
        });
        let records: Vec<_> = (0..120).map(|number| mensa(&format!("D{number}"), 8420)).collect();
        app.publish(&records);
        app.publish(&[withdrawn(&records[0]), mensa("D1", 9000), minore("PSEUDONIMO-1", 1)]);

        let keys = app.keys.path();
        let options = Options {
            url: format!("https://{}/waas/v1", app.address()).parse().unwrap(),
            ca: Some(certificates.join("ca.pem")),
            credentials: Credentials::from_issuer(&keys.join(issuer::KEY_FILE), &keys.join(issuer::PROFILE_FILE))
                .unwrap(),
            since: 0,
            limit: "50".parse().unwrap(),
            cursor_file: None,
            esiti: Esiti::Ok,
            rehearse: true,
            patience: Duration::ZERO,
            codice_ente: Regex::new(BELFIORE).unwrap(),
        };
        let report = run(&options);
        assert!(report.passed, "{report}");
        assert_eq!((report.flows.total, report.flows.sinba, report.pages), (124, 1, 3));
        let operations = &report.flows.ps_psa_sina;
        assert_eq!((operations.insertions, operations.cancellations), (121, 2));
        assert_eq!((report.esiti, report.deliveries), (124, 2));
        assert_eq!(report.checks_that(Outcome::NotMade).count(), 1, "{report}");
        let esiti = Registry::new(app.store.clone(), Clock::System).counts(app.eservice).unwrap().esiti;
        assert_eq!(esiti, [("OK".to_owned(), 125)].into(), "those of the flows, and one of an unknown one");
        assert_eq!(run(&Options { since: report.next_since, ..options }).flows.total, 0);
    }
}
