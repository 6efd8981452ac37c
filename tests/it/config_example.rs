//! `config/waas-comuni.example.toml` is true: it loads, `serve` would accept it, and every setting that it shows exists.

use std::path::Path;

use waas_comuni::config::{self, check};

const EXAMPLE: &str = include_str!("../../config/waas-comuni.example.toml");

fn load(text: &str) -> config::Config {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waas-comuni.toml");
    std::fs::write(&path, text).unwrap();
    config::load(Some(Path::new(&path)), []).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The key of a line such as `#connections = 8`; prose has a blank after the `#`.
fn optional_key(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#')?.split_once(" = ")?;
    (!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')).then_some(key)
}

#[test]
fn serve_would_start_with_it() {
    let findings = check::check(&load(EXAMPLE));
    // The certificate and the keys that it names are still to be made.
    let made_later = |finding: &check::Finding| finding.message.contains("cannot be read");
    let wrong =
        |finding: &&check::Finding| finding.severity == check::Severity::Wrong && !made_later(finding);
    let wrong: Vec<_> = findings.iter().filter(wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_optional_setting_exists_under_that_name_and_type() {
    let optional: Vec<&str> = EXAMPLE.lines().filter_map(optional_key).collect();
    assert!(optional.len() >= 10, "the example shows its optional settings: {optional:?}");
    for key in optional {
        // Such a file must exist, and `url_file` takes the place of `url`: both at once are refused.
        if key.ends_with("_file") {
            continue;
        }
        let text: String = EXAMPLE
            .lines()
            .map(|line| if optional_key(line) == Some(key) { line.trim_start_matches('#') } else { line })
            .flat_map(|line| [line, "\n"])
            .collect();
        load(&text);
    }
}
