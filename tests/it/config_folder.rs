//! A configuration in a folder of files: a file for each Comune beside what they share.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::support::command::Program;
use crate::support::database::on_both_databases;

/// An e-service of its own for one ente.
fn comune(index: usize) -> String {
    format!(
        "[[eservice]]\nname = \"comune-{index}\"\nbase_path = \"/comune-{index}/v1\"\nenvironment = \"collaudo\"\n\
         audience = [\"SIUSS\"]\nproducer_id = \"00000000-0000-0000-0000-{index:012}\"\n\
         consumer_ids = [\"00000000-0000-0000-0000-000000000000\"]\n[[eservice.ente]]\ncodice = \"A{index:03}\"\n\
         denominazione = \"Comune {index}\"\nsede = \"A{index:03}\"\ncf_operatore = \"RSSMRA80A01H501U\"\n"
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Program::new();
    command.args(arguments).arg("--config").arg(folder).output().unwrap()
}

fn stderr(done: &Output) -> &str {
    std::str::from_utf8(&done.stderr).unwrap()
}

on_both_databases! {
    fn every_file_adds_its_eservices_in_the_order_of_the_names(database) {
        let folder = TempDir::new().unwrap();
        let shared = format!("[database]\nurl = {:?}\n[api]\nbind = \"127.0.0.1:8443\"\n", database.url);
        write(folder.path(), "00-shared.toml", &shared);
        write(folder.path(), "comune-2.toml", &comune(2));
        write(folder.path(), "comune-1.toml", &comune(1));
        write(folder.path(), "comune-3.toml.off", &comune(3));
        let done = run(folder.path(), &["codes", "list", "--json"]);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let config = waas_comuni::config::load(Some(folder.path()), []).unwrap();
        let names: Vec<&str> = config.eservice.iter().map(|eservice| eservice.name.as_str()).collect();
        assert_eq!(names, ["comune-1", "comune-2"]);
        let file = folder.path().join("one.csv");
        std::fs::write(&file, "").unwrap();
        let unknown = run(folder.path(), &["import", file.to_str().unwrap(), "--ente", "A003"]);
        assert!(stderr(&unknown).contains("no ente \"A003\""), "{unknown:?}");
    }
}

#[test]
fn what_is_wrong_names_the_file() {
    let folder = TempDir::new().unwrap();
    let done = run(folder.path(), &["config", "check"]);
    assert!(done.status.code() == Some(2) && stderr(&done).contains(".toml"), "{done:?}");
    write(folder.path(), "a.toml", "[api]\nbind = \"127.0.0.1:1\"\n");
    write(folder.path(), "b.toml", &format!("[api]\nbind = \"127.0.0.1:2\"\n{}", comune(1)));
    let done = run(folder.path(), &["config", "check"]);
    assert!(
        done.status.code() == Some(2) && stderr(&done).contains("b.toml: api stands in another file"),
        "{done:?}"
    );
    write(folder.path(), "b.toml", "[api\n");
    let done = run(folder.path(), &["config", "check"]);
    assert!(done.status.code() == Some(2) && stderr(&done).contains("b.toml: "), "{done:?}");
    // Names that two e-services share are found across files.
    write(folder.path(), "b.toml", &comune(1));
    write(folder.path(), "c.toml", &comune(1));
    let done = run(folder.path(), &["config", "check"]);
    let found = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.code() == Some(2) && found.contains("used by two e-services"), "{done:?}");
}

#[test]
fn what_is_wrong_with_one_of_many_names_its_file() {
    let folder = TempDir::new().unwrap();
    for index in [3, 5, 7] {
        write(folder.path(), &format!("comune-{index}.toml"), &comune(index));
    }
    let (name, file) = ("comune-5.toml", folder.path().join("comune-5.toml"));
    let faults =
        [("base_path", "basepath"), ("[\"SIUSS\"]", "7"), ("[[eservice.ente]]", "[[eservice.enti]]")];
    for (right, wrong) in faults {
        write(folder.path(), name, &comune(5).replace(right, wrong));
        let done = run(folder.path(), &["config", "check"]);
        let told = stderr(&done).trim_end().trim_start_matches("waas-comuni: ").to_owned();
        assert_eq!(done.status.code(), Some(2), "{done:?}");
        assert!(told.lines().all(|line| line.starts_with(&format!("{}: ", file.display()))), "{told}");
        assert!(told.contains("eservice[1]"), "{told}");
    }
    // The second e-service of a file is in that file too.
    write(folder.path(), name, &format!("{}{}", comune(5), comune(6).replace("\"A006\"", "\"6\"")));
    let done = run(folder.path(), &["config", "check"]);
    let place = format!("\"comune-6\" in {}", file.display());
    let line = format!("wrong: eservice[2].ente[0].codice ({place}): ");
    assert!(String::from_utf8_lossy(&done.stdout).contains(&line), "{done:?}");
    let done = run(folder.path(), &["config", "check", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let codice = |finding: &&serde_json::Value| finding["key"] == "eservice[2].ente[0].codice";
    assert_eq!(findings.as_array().unwrap().iter().find(codice).unwrap()["place"], place);
    let done = run(folder.path(), &["serve"]);
    assert!(done.status.code() == Some(2) && stderr(&done).contains(&line), "{done:?}");
}

#[test]
fn a_value_that_is_none_of_a_list_is_told_with_the_list() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "a.toml", &comune(1).replace("collaudo", "prod"));
    write(folder.path(), "b.toml", "[rules]\n\"PS-09\" = \"warn\"\n");
    let done = run(folder.path(), &["config", "check"]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    for told in [
        "`prod`, expected one of `produzione`, `collaudo`, `attestazione`, `locale` for key `eservice[0].environment`",
        "`warn`, expected one of `errore`, `avviso`, `off` for key `rules.PS-09`",
    ] {
        assert!(stderr(&done).contains(told), "{done:?}");
    }
}
