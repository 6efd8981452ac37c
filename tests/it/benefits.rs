//! The life of a record from the command line: what is shown of it, its withdrawal, an import that is cut short, a
//! file that contradicts itself.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::registry::{CodiceEsito, Esito, PublishedFlusso, Registry};

use crate::json::{borsa, minore};
use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};

fn lines(records: &[Value]) -> String {
    records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

/// Everything in the feed.
fn feed(database: &TestDatabase) -> Vec<PublishedFlusso> {
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    Registry::new(store, Clock::System).page(eservice, 0, 100_000).unwrap()
}

fn amount(record: &Value, amount: &str) -> Value {
    let mut record = record.clone();
    record["Beneficiario"]["PrestazioniSociali"]["ImportoPrestazione"] = json!(amount);
    record
}

on_both_databases! {
    fn a_benefit_is_shown_told_and_withdrawn(database) {
        let place = Place::new(database);
        place.file("a.jsonl", lines(&[borsa("1"), borsa("2"), minore("min-1")]));
        assert_eq!(place.run(&["import", "a.jsonl", "--ente", "H501"]).code, 0);
        place.file("b.jsonl", lines(&[amount(&borsa("1"), "601.00")]));
        assert_eq!(place.run(&["import", "b.jsonl", "--ente", "H501"]).code, 0);
        let first = &feed(database)[0];
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let esito = Esito {
            id_flusso: first.id_flusso.clone(),
            ts_flusso: Timestamp::from_millisecond(first.ts_ms).unwrap(),
            ts_acquisizione: Clock::System.now(),
            tipo: first.tipo.as_str().to_owned(),
            codice: CodiceEsito::RichiestaInvalida,
            descrizione: Some("importo errato".to_owned()),
            id_acquisizione_siuss: None,
            altro: Map::new(),
        };
        Registry::new(store, Clock::System).record_esiti(eservice, &[esito], "r").unwrap();

        let shown = place.run(&["benefits", "show", "--protocollo", "1"]);
        assert!(shown.stdout.contains("protocollo 1, attiva"), "{shown:?}");
        assert!(shown.stdout.contains("PrestazioniSociali/ImportoPrestazione = 601.00"), "{shown:?}");
        let history = place.run(&["benefits", "history", "--protocollo", "1"]);
        assert!(history.stdout.contains("esito RICHIESTA_INVALIDA importo errato"), "{history:?}");
        assert_eq!(history.stdout.matches("inserimento").count(), 2, "{history:?}");
        assert_eq!(history.stdout.matches("cancellazione").count(), 1, "{history:?}");
        let person = json(&place.run(&["benefits", "show", "--person", "cntlcu15e09h501t", "--json"]));
        let labels: Vec<_> = person.as_array().unwrap().iter()
            .map(|found| found["record"]["Beneficiario"]["PrestazioniSociali"]["ProtocolloDomanda"].clone()).collect();
        assert_eq!(labels, ["1", "2"]);

        let several = place.run(&["benefits", "withdraw", "--person", "CNTLCU15E09H501T"]);
        assert_eq!(several.code, 2);
        assert!(several.stderr.contains("protocollo 2"), "{several:?}");
        let withdrawn = place.run(&["benefits", "withdraw", "--id", person[0]["id"].as_str().unwrap()]);
        assert_eq!(withdrawn.code, 0);
        assert!(withdrawn.stdout.contains("Ritirata"), "{withdrawn:?}");
        let again = place.run(&["benefits", "withdraw", "--protocollo", "1", "--json"]);
        assert_eq!((again.code, &json(&again)["verdict"]), (0, &json!("unchanged")));
        assert!(place.run(&["benefits", "show", "--protocollo", "1"]).stdout.contains("ritirata"));
        let sinba = place.run(&["benefits", "withdraw", "--person", "min-1"]);
        assert_eq!(sinba.code, 3);
        assert!(sinba.stdout.contains("non prevede la cancellazione"), "{sinba:?}");
        for command in ["show", "history", "withdraw"] {
            assert_eq!(place.run(&["benefits", command, "--protocollo", "9"]).code, 1);
            assert_eq!(place.run(&["benefits", command]).code, 2);
        }
        let flussi = feed(database);
        assert_eq!(flussi.len(), 6);
        let cancelled = String::from_utf8(flussi[5].xml.clone()).unwrap();
        let inserted = String::from_utf8(flussi[4].xml.clone()).unwrap();
        assert_eq!(
            cancelled.replace(&flussi[5].id_flusso, &flussi[4].id_flusso).replace("TipoOperazione=\"C\"", "TipoOperazione=\"I\""),
            inserted
        );
    }

    fn an_import_that_is_killed_and_begun_again_loses_and_repeats_nothing(database) {
        const RECORDS: usize = 16_000;
        let place = Place::new(database);
        let records: Vec<Value> = (0..RECORDS).map(|number| borsa(&number.to_string())).collect();
        place.file("a.jsonl", lines(&records));
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        let registry = Registry::new(store, Clock::System);
        let published = || usize::try_from(registry.counts(eservice).unwrap().flussi).unwrap();
        for signal in ["KILL", "INT"] {
            let before = published();
            let mut import = start(&place, &["import", "a.jsonl", "--ente", "H501", "--json"]);
            while published() == before {
                assert!(import.try_wait().unwrap().is_none(), "the import ended by itself");
            }
            let sent = std::process::Command::new("kill").args(["-s", signal, &import.id().to_string()]).status();
            assert!(sent.unwrap().success());
            assert!(!import.wait().unwrap().success(), "the import ended before it was cut short");
        }
        let cut = published();
        assert!(cut > 0 && cut < RECORDS && cut % 500 == 0, "{cut}: a batch is published whole or not at all");
        let done = json(&place.run(&["import", "a.jsonl", "--ente", "H501", "--json"]));
        assert_eq!((&done["new"], &done["unchanged"]), (&json!(RECORDS - cut), &json!(cut)));
        let flussi = feed(database);
        assert_eq!(flussi.len(), RECORDS);
        let protocolli: BTreeSet<String> = flussi.iter().map(protocollo).collect();
        assert_eq!(protocolli.len(), RECORDS, "each once");
    }
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    place.command(arguments).stdout(Stdio::null()).spawn().unwrap()
}

fn protocollo(flusso: &PublishedFlusso) -> String {
    let xml = std::str::from_utf8(&flusso.xml).unwrap();
    xml.split_once("ProtocolloDomanda=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
}

#[test]
fn a_file_that_contradicts_itself_is_warned_about() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let mut withdrawal = borsa("3");
    withdrawal["Beneficiario"]["PrestazioniSociali"]["TipoOperazione"] = json!("C");
    let mut child = minore("MIN-1");
    child["SINBA"]["LuogoVita"] = json!(2);
    let file = lines(&[
        borsa("1"),
        borsa("2"),
        amount(&borsa("1"), "601.00"),
        borsa("2"),
        borsa("3"),
        withdrawal,
        amount(&borsa("3"), "602.00"),
        minore("MIN-1"),
        child,
    ]);
    place.file("a.jsonl", file);
    for command in ["check", "import"] {
        let done = place.run(&[command, "a.jsonl", "--ente", "H501", "--report", "r.json"]);
        assert_eq!(done.code, 0, "{done:?}");
        let report = std::fs::read_to_string(place.path().join("r.json")).unwrap();
        let report: Vec<Value> = serde_json::from_str(&report).unwrap();
        let repeated: Vec<_> = report.iter().filter(|entry| entry["rule"] == "FILE-04").collect();
        let lines: Vec<_> = repeated.iter().map(|entry| entry["line"].as_u64().unwrap()).collect();
        assert_eq!(lines, [3, 9], "{command}: {report:?}");
        assert!(repeated[0]["message"].as_str().unwrap().contains("la riga 1 "), "{report:?}");
    }
    // The other spelling of a record is the same record, and another file contradicts nothing.
    place.file("b.jsonl", lines(&[amount(&borsa("2"), "600.50"), borsa("2")]));
    assert!(!place.run(&["import", "b.jsonl", "--ente", "H501"]).stdout.contains("FILE-04"));

    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    place.file("waas-comuni.toml", format!("[rules]\n\"FILE-04\" = \"errore\"\n{config}"));
    place.file("c.jsonl", lines(&[borsa("7"), amount(&borsa("7"), "601.00")]));
    let before = feed(&database).len();
    assert_eq!(place.run(&["import", "c.jsonl", "--ente", "H501"]).code, 3);
    assert_eq!(feed(&database).len(), before + 1, "raised, it refuses the second");

    // A withdrawal describes what is in force: one of an earlier version harms nothing, however often it comes.
    let mut superseded = borsa("7");
    superseded["Beneficiario"]["PrestazioniSociali"]["TipoOperazione"] = json!("C");
    place.file("d.jsonl", lines(&[superseded, amount(&borsa("7"), "601.00")]));
    assert_eq!(
        place.run(&["import", "d.jsonl", "--ente", "H501"]).code,
        0,
        "a correction as a file states it"
    );
    let corrected = feed(&database).len();
    assert_eq!(corrected, before + 3);
    let again = place.run(&["import", "d.jsonl", "--ente", "H501"]);
    assert!(again.stdout.contains("REG-04"), "{again:?}");
    assert_eq!(feed(&database).len(), corrected, "imported again, it changes nothing");
}
