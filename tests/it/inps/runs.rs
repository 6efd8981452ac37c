//! Runs that refuse a share, that go on where another ended, and that try several services.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::inps::{self, Esiti, InpsError, Options, Share};

use super::fake::{FIRST_TS, Fake, Reply, VOUCHER, flow, honest};
use super::{command, options, run};
use crate::support::command::Program;
use crate::support::records::mensa;

/// What was said of each flow in the deliveries that a service took, the repetition left out.
fn verdicts(fake: &Fake) -> BTreeMap<String, String> {
    let deliveries = fake.deliveries();
    let said = deliveries[..deliveries.len() - 1].iter().flatten();
    let text = |esito: &Value, name: &str| esito[name].as_str().unwrap().to_owned();
    said.map(|esito| (text(esito, "id_flusso"), text(esito, "codice_esito"))).collect()
}

fn refuse(share: &str, seed: u64) -> Esiti {
    Esiti::Refuse(share.parse::<Share>().unwrap().with_seed(seed))
}

#[test]
fn a_share_is_refused_and_the_same_one_every_time() {
    let flows: Vec<Value> = (0..400).map(|number| flow(number, mensa(&format!("D{number}"), 8420))).collect();
    let pull = |limit: &str, esiti: Esiti| {
        let flows = flows.clone();
        let fake = Fake::start(move |request| honest(request, &flows));
        let report = run(&Options { limit: limit.parse().unwrap(), esiti, ..options(&fake) });
        assert!(report.passed, "{report}");
        let verdicts = verdicts(&fake);
        let refused = verdicts.values().filter(|codice| *codice != "OK").count();
        assert_eq!(usize::try_from(report.refusals).unwrap(), refused);
        (verdicts, refused)
    };
    let (verdicts, refused) = pull("100", refuse("10%", 0));
    assert!((20..=60).contains(&refused), "{refused}");
    let codes: Vec<&String> = verdicts.values().filter(|codice| *codice != "OK").collect();
    for code in ["DATI_NON_TROVATI", "RICHIESTA_INVALIDA", "ERRORE_GENERICO"] {
        assert!(codes.iter().any(|found| *found == code), "{codes:?}");
    }
    assert_eq!(pull("17", refuse("10%", 0)).0, verdicts, "however they are pulled");
    assert_ne!(pull("100", refuse("10%", 1)).0, verdicts);
    let (verdicts, refused) = pull("100", refuse("100%:ERRORE_GENERICO", 0));
    assert_eq!(refused, 400);
    assert!(verdicts.values().all(|codice| codice == "ERRORE_GENERICO"));
    for wrong in ["10", "0%", "101%", "%", "10%:", "10%:OK", "10%:BOH"] {
        assert!(wrong.parse::<Share>().is_err(), "{wrong}");
    }
}

#[test]
fn a_run_goes_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cursor");
    let resume = |fake: &Fake| {
        let since = inps::cursor::load(&file).unwrap();
        run(&Options { since, cursor_file: Some(file.clone()), ..options(fake) })
    };
    // The second page cannot be had: what was acquired of the first is told and kept.
    let broken = Fake::with(|request, reply| {
        let second = request.since == Some(u128::from(FIRST_TS) + 2);
        if request.pulls() && second { Reply::problem(500) } else { reply }
    });
    let report = resume(&broken);
    assert!(!report.passed && report.flows.total == 3, "{report}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", FIRST_TS + 2));
    assert_eq!(verdicts(&broken).len(), 3);
    let fake = Fake::with(|_, reply| reply);
    let report = resume(&fake);
    assert!(report.passed && report.flows.total == 4, "{report}");
    assert_eq!(inps::cursor::load(&file).unwrap(), FIRST_TS + 6);
    assert_eq!(resume(&fake).flows.total, 0);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["cursor"]);

    std::fs::write(&file, "domani").unwrap();
    assert!(matches!(inps::cursor::load(&file), Err(InpsError::Cursor(_))));
    // Where the cursor cannot be kept, the run says so instead of going on.
    let nowhere = folder.path().join("no/cursor");
    let options = Options { cursor_file: Some(nowhere), ..options(&fake) };
    assert!(matches!(inps::run(&options, &Clock::System, &mut ()), Err(InpsError::File { .. })));
}

#[test]
fn several_services_are_tried_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (
        Fake::with(|_, reply| reply),
        Fake::with(|request, reply| if request.path == "/status" { Reply::problem(500) } else { reply }),
    );
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = |name: &str, url: &str| {
        format!(
            "[[target]]\nname = \"{name}\"\nurl = \"{url}\"\ntoken_file = \"voucher.txt\"\ncursor_file = \"{name}.cursor\"\n"
        )
    };
    std::fs::write(folder.path().join("voucher.txt"), VOUCHER).unwrap();
    let run = |targets: &str, arguments: &[&str]| {
        std::fs::write(folder.path().join("servizi.toml"), targets).unwrap();
        let output = Program::new()
            .args(["inps", "--targets", "servizi.toml"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, out, _) = run(&target("uno", good.base.as_str()), &["--json", "--rehearse"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["passed"]), (0, &json!(true)), "{out}");
    assert_eq!(
        (&report["targets"][0]["name"], &report["targets"][0]["report"]["flows"]["total"]),
        (&json!("uno"), &json!(7))
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("uno.cursor")).unwrap(),
        format!("{}\n", FIRST_TS + 6)
    );

    let all = [
        target("uno", good.base.as_str()),
        target("due", bad.base.as_str()),
        target("tre", &format!("http://{nobody}")),
    ]
    .concat();
    let (code, out, _) = run(&all, &[]);
    assert_eq!(code, 1, "{out}");
    for line in ["== uno", "  ok   uno ", "  FAIL due ", "  FAIL tre               cannot reach "] {
        assert!(out.lines().any(|found| found.starts_with(line)), "{line}\n{out}");
    }
    for wrong in [
        "",
        "[[target]]\nname = \"x\"\nurl = \"ftp://x\"",
        "[[target]]\nname = \"x\"\nurl = \"http://x\"\nissuer_key = \"k\"",
        "[[target]]\nname = \"x\"\nurl = \"http://x\"\nsince = 1\ncursor_file = \"c\"",
        "[[target]]\nname = \"x\"\nurl = \"http://x\"\nvoucher = \"v\"",
    ] {
        assert_eq!(run(wrong, &[]).0, 2, "{wrong}");
    }
    assert_eq!(run(&all, &["--since", "5"]).0, 2);
    assert_eq!(command(&good, folder.path(), &["--esiti", "none", "--rehearse"]).status.code(), Some(2));
    assert_eq!(command(&good, folder.path(), &["--esiti", "refuse=200%"]).status.code(), Some(2));
}
