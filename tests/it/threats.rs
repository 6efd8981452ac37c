//! The pages about the door: what they say of the checks is what the code does, and the tests that they name are there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use waas_comuni::voucher::Check;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page_of_checks() -> String {
    let mut page = "# I controlli sul voucher\n\n\
         Ogni chiamata a `/flussi` e `/esiti` passa questi controlli, in quest'ordine, e si ferma al primo che non\n\
         regge. Il codice del controllo sta nel registro delle chiamate (`voucher_check`), in `voucher inspect` e, con\n\
         ciò che doveva valere, in `WWW-Authenticate` (RFC 6750, RFC 9449); il motivo in italiano sta nel `detail` della\n\
         risposta. 401: non è un voucher valido. 403: lo è, ma non per questo e-service o per questo fruitore. 503: al\n\
         momento non si può dire.\n\n\
         Questa pagina è scritta dal codice: `make docs`.\n\n\
         | | codice | stato | che cosa deve valere |\n|---|---|---|---|\n"
        .to_owned();
    for (number, check) in (1..).zip(Check::ALL) {
        writeln!(page, "| {number} | `{check}` | {} | {} |", check.status(), check.demand()).unwrap();
    }
    page
}

#[test]
fn the_page_of_the_checks_is_up_to_date() {
    let path = file("docs/controlli.md");
    if std::env::var_os("WAAS_WRITE_DOCS").is_some() {
        fs::write(&path, page_of_checks()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == page_of_checks(), "docs/controlli.md is not what the code says: run `make docs`");
}

#[test]
fn no_check_is_missing_from_the_list() {
    let source = fs::read_to_string(file("src/voucher/refusal.rs")).unwrap();
    let (_, rest) = source.split_once("pub enum Check {").unwrap();
    let (variants, _) = rest.split_once("\n}").unwrap();
    let variants: Vec<_> = variants
        .lines()
        .filter_map(|line| line.trim().strip_suffix(','))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .collect();
    let listed: Vec<_> = Check::ALL.iter().map(|check| format!("{check:?}")).collect();
    assert_eq!(variants, listed, "in the order in which they are declared");
    let mut codes: Vec<_> = Check::ALL.iter().map(|check| check.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Check::ALL.len(), "each has a code of its own");
}

/// Every Rust file in a folder, and in those below it.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let page = fs::read_to_string(file("docs/minacce.md")).unwrap();
    let tests = sources(&file("tests/it"));
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(rows.len() > 15);
    for row in rows {
        let proof = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a threat without a test: {row}");
        for name in names {
            assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
        }
    }
}
