//! `config init`: what it writes is a configuration, with every explanation of the example.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;
use waas_comuni::config::check::{Severity, check};
use waas_comuni::config::{self, Config};

use crate::support::command::{PROGRAM, Program};

const EXAMPLE: &str = include_str!("../../config/waas-comuni.example.toml");

const IDS: [&str; 8] = [
    "--producer-id",
    "00000000-0000-0000-0000-00000000000a",
    "--eservice-id",
    "00000000-0000-0000-0000-00000000000b",
    "--descriptor-id",
    "00000000-0000-0000-0000-00000000000c",
    "--consumer-id",
    "00000000-0000-0000-0000-00000000000d",
];

const ENTE: [&str; 8] = [
    "--codice",
    "A944",
    "--denominazione",
    "Comune di \"Bologna\" \\ l'altra",
    "--sede",
    "A944",
    "--cf-operatore",
    "RSSMRA80A01H501U",
];

fn command(folder: &TempDir, arguments: &[&str]) -> Program {
    let mut command = Program::new();
    command.current_dir(folder.path()).args(["config", "init"]).args(arguments).stdin(Stdio::null());
    command
}

fn init(folder: &TempDir, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn read(path: &Path) -> Config {
    config::load(Some(path), []).unwrap()
}

fn wrong(config: &Config) -> Vec<String> {
    let findings = check(config).into_iter().filter(|finding| finding.severity == Severity::Wrong);
    findings.map(|finding| finding.key).collect()
}

#[test]
fn what_is_said_stands_in_the_file_among_the_explanations_of_the_example() {
    let folder = TempDir::new().unwrap();
    let deployment = [
        "--environment",
        "produzione",
        "--public-url",
        "https://waas.comune.example.it:8443",
        "--bind",
        "[::]:9443",
        "--tls-certificate",
        "certs/a.pem",
        "--tls-key",
        "certs/a.key",
        "--trusted-proxy",
        "10.0.0.5",
        "--trusted-proxy",
        "10.1.0.0/16",
        "--database-url-file",
        "secret",
        "--checkpoint-key",
        "keys/checkpoint.pem",
        "--contact-email",
        "a@example.it",
        "--terms-url",
        "https://example.it/condizioni",
    ];
    std::fs::write(folder.path().join("secret"), "postgres://u:p@h/d\n").unwrap();
    let path = folder.path().join("waas-comuni.toml");
    let mut file = command(&folder, &[&deployment[..], &IDS, &ENTE].concat());
    // What the file names is read from the folder in which the program runs.
    let done = file.output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"secret\"", &format!("{:?}", folder.path().join("secret"))))
        .unwrap();
    let config = read(&path);
    let made_later = ["api.tls.certificate", "api.tls.key", "call_log.checkpoint_key"];
    assert_eq!(wrong(&config), made_later);
    assert_eq!(config.api.bind, "[::]:9443");
    assert_eq!(config.api.public_url.as_deref(), Some("https://waas.comune.example.it:8443"));
    assert_eq!(config.api.trusted_proxies, ["10.0.0.5", "10.1.0.0/16"]);
    assert_eq!(config.api.tls.unwrap().key, Path::new("certs/a.key"));
    assert_eq!(config.call_log.checkpoint_key.as_deref(), Some(Path::new("keys/checkpoint.pem")));
    let [eservice] = config.eservice.as_slice() else { panic!("one e-service") };
    assert_eq!((eservice.name.as_str(), eservice.base_path.as_str()), ("produzione", "/waas/v1"));
    assert_eq!(eservice.producer_id.as_deref(), Some(IDS[1]));
    assert_eq!(eservice.descriptor_ids, [IDS[5]]);
    assert_eq!(eservice.consumer_ids, [IDS[7]]);
    assert_eq!(eservice.contact_email.as_deref(), Some("a@example.it"));
    assert_eq!(eservice.ente[0].denominazione, ENTE[3]);
    let explanations = |text: &str| {
        let prose = text.lines().filter(|line| line.starts_with("# "));
        prose.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(explanations(&text), explanations(EXAMPLE));
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn where_nobody_can_be_asked_all_that_is_missing_is_named_at_once() {
    let folder = TempDir::new().unwrap();
    let done = init(&folder, &["--codice", "H501"]);
    assert_eq!(done.status.code(), Some(2));
    let stderr = String::from_utf8(done.stderr).unwrap();
    for option in ["--environment", "--denominazione", "--cf-operatore", "--public-url"] {
        assert!(stderr.contains(option), "{stderr}");
    }
    assert!(!stderr.contains("--codice"), "{stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn ids_that_pdnd_has_not_given_yet_stay_as_comments_and_are_told() {
    let folder = TempDir::new().unwrap();
    let place = ["--environment", "collaudo", "--public-url", "https://waas.comune.example.it"];
    let done = init(&folder, &[&place[..], &ENTE].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let stdout = String::from_utf8(done.stdout).unwrap();
    assert!(stdout.contains("wrong: eservice[0].producer_id"), "{stdout}");
    let path = folder.path().join("waas-comuni.toml");
    let config = read(&path);
    assert_eq!(wrong(&config), ["eservice[0].producer_id", "eservice[0].consumer_ids"]);
    assert_eq!(config.eservice[0].base_path, "/collaudo/waas/v1");
    assert!(config.api.tls.is_none());
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("\n#producer_id = \"\"\n"), "{text}");
}

#[test]
fn a_file_that_is_there_is_added_to_or_kept() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("waas-comuni.toml");
    let place = ["--environment", "collaudo", "--public-url", "https://waas.comune.example.it"];
    let collaudo = [&place[..], &IDS, &ENTE].concat();
    assert_eq!(init(&folder, &collaudo).status.code(), Some(0));
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(init(&folder, &collaudo).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);

    // The second e-service is of the same ente unless said otherwise.
    let done = init(&folder, &[&["--add", "--environment", "produzione"], &IDS[..]].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let config = read(&path);
    assert_eq!(wrong(&config), [""; 0]);
    let names: Vec<&str> = config.eservice.iter().map(|eservice| eservice.name.as_str()).collect();
    assert_eq!(names, ["collaudo", "produzione"]);
    assert_eq!(config.eservice[0].ente, config.eservice[1].ente);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with(before.trim_end()));

    std::fs::write(&path, "not toml").unwrap();
    let done = init(&folder, &[&["--add", "--environment", "produzione"], &IDS[..]].concat());
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not toml");
    assert_eq!(init(&folder, &[&["--force"], &collaudo[..]].concat()).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn a_local_configuration_and_its_keys_are_all_that_serve_needs() {
    let folder = TempDir::new().unwrap();
    let done = init(&folder, &[&["--environment", "locale"], &ENTE[..]].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let run = |arguments: &[&str]| {
        let mut command = Program::new();
        command.current_dir(folder.path()).args(arguments).output().unwrap()
    };
    assert_eq!(run(&["voucher", "keygen", "--dir", "keys/local"]).status.code(), Some(0));
    let done = run(&["config", "check"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let voucher = ["voucher", "issue", "--key", "keys/local/private.pem", "--eservice", "locale"];
    let done = run(&voucher);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let token = String::from_utf8(done.stdout).unwrap();
    let done = run(&["voucher", "inspect", token.trim()]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
}

#[test]
fn on_a_terminal_it_asks() {
    let folder = TempDir::new().unwrap();
    // script(1) gives the program a terminal of its own.
    let mut session = Program::through("script")
        .current_dir(folder.path())
        .args(["-qec", &format!("{PROGRAM} config init"), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let answers =
        ["collaudo", "H501", "Comune di Roma", "RSSMRA80A01H501U", IDS[1], "", "", IDS[7], "https://a.it"];
    session.stdin.take().unwrap().write_all(format!("{}\n", answers.join("\n")).as_bytes()).unwrap();
    let done = session.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let config = read(&folder.path().join("waas-comuni.toml"));
    assert_eq!(wrong(&config), [""; 0]);
    assert_eq!(config.eservice[0].ente[0].denominazione, "Comune di Roma");
    assert_eq!(config.eservice[0].consumer_ids, [IDS[7]]);
    assert_eq!(config.eservice[0].eservice_id, None);
}

#[test]
fn an_ats_has_a_code_of_its_own_and_comuni_that_delegate_it() {
    let folder = TempDir::new().unwrap();
    let ats =
        ["--codice", "AMB.12", "--denominazione", "ATS Alta Valle", "--cf-operatore", "RSSMRA80A01H501U"];
    let place = ["--environment", "collaudo", "--public-url", "https://waas.ats.example.it"];
    let without = init(&folder, &[&ats[..], &place].concat());
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8(without.stderr).unwrap().contains("--sede"), "its seat is not its code");
    for wrong in ["A944", "AMB=Comune", "A944="] {
        let refused = init(&folder, &[&ats[..], &place, &["--sede", "H501", "--delegante", wrong]].concat());
        assert!(String::from_utf8(refused.stderr).unwrap().contains("H501=Comune di Roma"), "{wrong}");
    }
    let comuni = ["--sede", "H501", "--delegante", "A944=Comune di Bologna", "--delegante", "F205=Milano"];
    let done = init(&folder, &[&ats[..], &place, &IDS, &comuni].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let done = init(&folder, &[&["--add", "--environment", "produzione"][..], &IDS].concat());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let config = read(&folder.path().join("waas-comuni.toml"));
    assert_eq!(wrong(&config), [""; 0]);
    for eservice in &config.eservice {
        assert_eq!(eservice.codice_ente_pattern, r"^(AMB\.12|[A-Z][0-9]{3})$");
        let enti: Vec<_> =
            eservice.ente.iter().map(|ente| (ente.codice.as_str(), ente.sede.as_str())).collect();
        assert_eq!(enti, [("AMB.12", "H501"), ("A944", "A944"), ("F205", "F205")]);
    }

    // A Comune that transmits by itself as well would be sent twice.
    let mut twice = config;
    twice.eservice[1].ente[0].sede = "AMB1".to_owned();
    let mut own = twice.eservice[1].clone();
    (own.name, own.base_path) = ("bologna".to_owned(), "/bologna/v1".to_owned());
    own.ente = vec![own.ente[1].clone()];
    twice.eservice.push(own);
    let risky: Vec<_> = check(&twice).into_iter().map(|finding| finding.key).collect();
    for key in ["eservice[2].ente[0].codice", "eservice[1].ente[0].sede"] {
        assert!(risky.iter().any(|one| one == key), "{risky:?}");
    }
}
