//! `[[tracing]]`: what of it is wrong, and what is risky.

use std::os::unix::fs::PermissionsExt;

use uuid::Uuid;
use waas_comuni::config::check::{Severity, check};
use waas_comuni::config::{self, Config};

use crate::support::app::eservice;

/// Three e-services: `uno` and `due` of produzione, `prova` of collaudo.
fn with_sections(sections: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waas-comuni.toml");
    std::fs::write(&path, sections).unwrap();
    let mut config = config::load(Some(&path), []).unwrap_or_else(|error| panic!("{error}\n{sections}"));
    for (name, environment) in [
        ("uno", config::Environment::Produzione),
        ("due", config::Environment::Produzione),
        ("prova", config::Environment::Collaudo),
        ("casa", config::Environment::Locale),
    ] {
        let mut one = eservice(name, &format!("/{name}"), folder.path());
        one.environment = environment;
        config.eservice.push(one);
    }
    config
}

/// What is found of the sections and of e-services that none covers.
fn found(sections: &str) -> Vec<(Severity, String)> {
    let of_tracing = |message: &str| message.contains("daily count");
    check(&with_sections(sections))
        .into_iter()
        .filter(|finding| finding.key.starts_with("tracing") || of_tracing(&finding.message))
        .map(|finding| (finding.severity, finding.key))
        .collect()
}

fn wrong(key: &str) -> (Severity, String) {
    (Severity::Wrong, key.to_owned())
}

fn risky(key: &str) -> (Severity, String) {
    (Severity::Risky, key.to_owned())
}

const BOTH: &str = "[[tracing]]\nname = \"a\"\neservices = [\"uno\", \"due\"]\n";

#[test]
fn what_is_wrong_or_risky_is_found() {
    assert_eq!(found(""), [risky("eservice[0]"), risky("eservice[1]")]);
    assert_eq!(found(BOTH), []);
    assert_eq!(found(&BOTH.replace("[\"uno\", \"due\"]", "\"uno, due\"")), []);
    let more = |lines: &str| found(&format!("{BOTH}{lines}\n"));
    let sent = format!("client_id = \"{}\"\nkid = \"k\"\nkey_file = \"key.pem\"\n", Uuid::new_v4());
    assert_eq!(more(&sent), []);
    assert_eq!(more(&format!("{sent}daily = true")), []);
    let all = [wrong("tracing[0].client_id"), wrong("tracing[0].kid"), wrong("tracing[0].key_file")];
    assert_eq!(more("daily = true"), all);
    assert_eq!(more("kid = \"k\""), [wrong("tracing[0].client_id"), wrong("tracing[0].key_file")]);
    assert_eq!(more(&format!("{sent}key = \"-----BEGIN\"")), [wrong("tracing[0].key")]);
    assert_eq!(more(&sent.replace("client_id = \"", "client_id = \"x")), [wrong("tracing[0].client_id")]);
    // Names of e-services and of sections.
    assert_eq!(more("[[tracing]]\nname = \"a\"\neservices = \"prova\""), [wrong("tracing[1].name")]);
    assert_eq!(more("[[tracing]]\nname = \"b\"\neservices = \"uno\""), [wrong("tracing[1].eservices")]);
    assert_eq!(more("[[tracing]]\nname = \"b\"\neservices = \"tre\""), [wrong("tracing[1].eservices")]);
    assert_eq!(
        more("[[tracing]]\nname = \"\"\neservices = []"),
        [wrong("tracing[1].name"), wrong("tracing[1].eservices")]
    );
    let mixed = found("[[tracing]]\nname = \"a\"\neservices = \"uno, due, prova\"");
    assert_eq!(mixed, [wrong("tracing[0].eservices")]);
}

#[test]
fn a_credential_is_sent_to_safe_addresses_alone() {
    let sent = format!("client_id = \"{}\"\nkid = \"k\"\nkey_file = \"key.pem\"\n", Uuid::new_v4());
    let local =
        |lines: &str| found(&format!("{BOTH}[[tracing]]\nname = \"b\"\neservices = \"casa\"\n{sent}{lines}"));
    let ways = ["url", "token_url", "assertion_audience"].map(|name| wrong(&format!("tracing[1].{name}")));
    assert_eq!(local(""), ways);
    let rest = "token_url = \"https://auth.example.it/token\"\nassertion_audience = \"auth\"\n";
    for (url, safe) in [
        ("https://tracing.example.it", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("http://localhost:8080", false),
        ("http://10.0.0.1", false),
        ("http://tracing.example.it", false),
        ("http://127.0.0.1.example.it", false),
        ("ftp://127.0.0.1", false),
        ("https://user@tracing.example.it", false),
        ("https://tracing.example.it?x=1", false),
        ("tracing.example.it", false),
    ] {
        let findings = local(&format!("{rest}url = \"{url}\""));
        assert_eq!(findings.is_empty(), safe, "{url}: {findings:?}");
        let production = found(&format!("{BOTH}{sent}url = \"{url}\""));
        assert_eq!(production.is_empty(), safe && url.starts_with("https"), "{url}: {production:?}");
    }
}

#[test]
fn a_key_that_others_can_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(&path, "").unwrap();
    let section = format!("{BOTH}client_id = \"{}\"\nkid = \"k\"\nkey_file = {path:?}\n", Uuid::new_v4());
    for (mode, findings) in [(0o644, vec![risky("tracing[0].key_file")]), (0o600, vec![])] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(found(&section), findings);
    }
}

#[test]
fn every_key_is_a_variable_too() {
    let variables = [
        ("NAME", "a"),
        ("ESERVICES", "uno,due"),
        ("CLIENT_ID", "c"),
        ("KID", "k"),
        ("KEY", "-----BEGIN"),
        ("DAILY", "true"),
        ("URL", "https://t.example.it"),
        ("TOKEN_URL", "https://a.example.it"),
        ("ASSERTION_AUDIENCE", "auth"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waas-comuni.toml");
    std::fs::write(&path, "").unwrap();
    let variables = variables.map(|(name, value)| (format!("WAAS__TRACING__0__{name}"), value.to_owned()));
    let config = config::load(Some(&path), variables).unwrap();
    let [section] = &config.tracing[..] else { panic!("{config:?}") };
    assert_eq!(section.eservices, ["uno", "due"]);
    assert!(section.daily && section.key.is_some());
    assert!(!format!("{config:?}").contains("BEGIN"), "a key is never printed");
}
