//! Tables loaded by an operator, severities and pseudonyms, from the command line to the feed.

use serde_json::Value;
use waas_comuni::clock::Clock;
use waas_comuni::registry::Registry;

use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};

const BORSE: &str = "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;\
CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;DenominazionePrestazione;\
ProtocolloDomanda;DataErogazionePrestazione;ImportoPrestazione;PresaCarico\n\
CNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;2;2;A1.19;Borse di studio;1;2025-03-15;600.00;2\n";

const COMUNI: &str = "DATAISTITUZIONE,DATACESSAZIONE,CODISTAT,CODCATASTALE,IDPROVINCIAISTAT,IDREGIONE\n\
1871-01-15,9999-12-31,058091,H501,058,12\n";

fn rules(place: &Place, arguments: &[&str]) -> Vec<String> {
    let report = place.path().join("r.json");
    let done = place.run(&[arguments, &["--report", "r.json"]].concat());
    assert!(matches!(done.code, 0 | 3), "{done:?}");
    let report: Vec<Value> = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    report
        .iter()
        .map(|entry| format!("{} {}", entry["rule"].as_str().unwrap(), entry["severity"].as_str().unwrap()))
        .collect()
}

fn load(place: &Place, kind: &str, content: &str) -> Done {
    place.file("table.csv", content);
    place.run(&["codes", "load", kind, "table.csv", "--source", "Ministero", "--date", "2025-10-01"])
}

on_both_databases! {
    fn an_import_uses_the_tables_that_were_loaded(database) {
        let place = Place::new(database);
        place.file("a.csv", BORSE.replace("058091", "058092"));
        let import = ["import", "a.csv", "--ente", "H501", "--dry-run"];
        let shipped = place.run(&["codes", "list"]);
        assert!(shipped.stdout.starts_with("nomenclatore: 81 codes, shipped"), "{shipped:?}");
        assert_eq!(rules(&place, &import), Vec::<String>::new(), "no archive, no verdict");

        assert_eq!(load(&place, "comuni", COMUNI).code, 0);
        assert_eq!(rules(&place, &import), ["PS-18 avviso"]);
        assert_eq!(load(&place, "comuni", &format!("{COMUNI}2020-01-01,9999-12-31,058092,X001,058,12\n")).code, 0);
        assert_eq!(rules(&place, &import), Vec::<String>::new(), "the newer table is in force");

        let other = load(&place, "nomenclatore", "codice;denominazione;trasmissione\nA1.19;Borse;si\n");
        assert_eq!(other.code, 0, "{other:?}");
        assert_eq!(rules(&place, &import), ["PS-16 avviso"], "another name");
        let wrong = load(&place, "nomenclatore", "codice;denominazione\nA1.19;Borse\n");
        assert_eq!(wrong.code, 1, "{wrong:?}");
        assert!(wrong.stderr.contains("trasmissione"), "{wrong:?}");
        assert_eq!(rules(&place, &import), ["PS-16 avviso"], "and the table in force stays");

        let list: Vec<Value> = serde_json::from_str(&place.run(&["codes", "list", "--json"]).stdout).unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!((&list[0]["table"], &list[0]["codes"]), (&Value::from("nomenclatore"), &Value::from(1)));
        assert_eq!((&list[1]["date"], &list[1]["source"]), (&Value::from("2025-10-01"), &Value::from("Ministero")));
        assert!(list[1]["loaded_ms"].is_i64());
    }
}

fn place() -> (TestDatabase, Place) {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    (database, place)
}

fn configure(place: &Place, text: &str) {
    let path = place.path().join("waas-comuni.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}\n{config}")).unwrap();
}

#[test]
fn check_takes_tables_without_a_database_and_lists_the_rules_without_files() {
    let (_database, place) = place();
    place.file("a.csv", BORSE.replace("058091", "058092"));
    place.file("comuni.csv", COMUNI);
    place.file("codici.csv", "codice,denominazione,trasmissione\nA1.19,Borse di studio,no\n");
    let check = ["check", "a.csv", "--ente", "H501"];
    assert_eq!(rules(&place, &[&check[..], &["--comuni", "comuni.csv"]].concat()), ["PS-18 avviso"]);
    assert_eq!(rules(&place, &[&check[..], &["--nomenclatore", "codici.csv"]].concat()), ["PS-14 errore"]);
    assert_eq!(place.run(&[&check[..], &["--comuni", "codici.csv"]].concat()).code, 2);

    let text = place.run(&["check", "--rules"]);
    assert_eq!(text.code, 0, "{text:?}");
    assert!(text.stdout.contains("PS-07     errore") && text.stdout.contains("REG-01"), "{text:?}");
    let json: Vec<Value> = serde_json::from_str(&place.run(&["check", "--rules", "--json"]).stdout).unwrap();
    assert!(json.iter().any(|rule| rule["code"] == "CSV-01" && rule["severity"] == "errore"));
    assert_eq!(place.run(&["check"]).code, 2);
    assert_eq!(place.run(&["check", "--rules", "a.csv"]).code, 2);
}

#[test]
fn severities_are_configured_and_a_refusal_cannot_be() {
    let (_database, place) = place();
    place.file("a.csv", BORSE.replace("A1.19", "A1.99"));
    let import = ["import", "a.csv", "--ente", "H501", "--dry-run"];
    assert_eq!(rules(&place, &import), ["PS-16 avviso"]);
    let original = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    configure(&place, "[rules]\n\"PS-16\" = \"errore\"");
    assert_eq!(rules(&place, &import), ["PS-16 errore"]);
    assert_eq!(place.run(&import).code, 3);
    for (level, named) in [("\"PS-07\" = \"off\"", "PS-07"), ("\"PS-99\" = \"avviso\"", "PS-99")] {
        place.file("waas-comuni.toml", format!("[rules]\n{level}\n{original}"));
        let done = place.run(&["config", "check"]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stdout.contains(named), "{done:?}");
        assert_eq!(place.run(&import).code, 2);
    }
}

const MINORI: &str = "CodiceFiscaleMinore;MinoreStranieroNoAcc;CondizioneMinore;LuogoVita;ScuolaFrequentata;\
CondizioneLavoro;Disabilita;DataPrimaSegnalazione;FonteSegnalazione;ValutazioneMinore;ValutazioneFamigliaMinore;\
SegnalazioneAutoritaGiudiziaria;ProvvedimentoGiudiziario;FasciaEtaBeneficiario;AnnoNascita;CodiceRegioneResidenza;\
CodiceNazioneResidenza;Prestazioni;ComposizioneFamiglia\n\
CNTLCU15E09H501T;2;1;1;5;1;2;03/2024;13;2;2;2;2;4;2014;08;380;A2.02;1\n\
cntlcu15e09h501a;2;1;1;5;1;2;03/2024;13;2;2;2;2;4;2014;08;380;A2.02;1\n";

#[test]
fn a_child_is_published_under_a_pseudonym_and_its_fiscal_code_is_nowhere() {
    let (database, place) = place();
    place.file("minori.csv", MINORI);
    let import = ["import", "minori.csv", "--ente", "H501", "--report", "r.json", "-vv"];
    let refused = place.run(&import);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.contains("manca la chiave"), "{refused:?}");

    place.file("key", "0123456789abcdef0123456789abcdef\n");
    configure(&place, "[sinba]\npseudonym_key_file = \"key\"");
    let done = place.run(&import);
    assert_eq!(done.code, 3, "the second code is wrong: {done:?}");
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    let flussi = Registry::new(store, Clock::System).page(eservice, 0, 10).unwrap();
    assert_eq!(flussi.len(), 1);
    let xml = String::from_utf8(flussi[0].xml.clone()).unwrap();
    assert!(xml.contains("IDBeneficiario=\"AAOZYOKCEGWEBOAFWBID\""), "{xml}");
    let again = place.run(&import);
    assert!(again.stdout.contains("Flussi pubblicati: 0."), "{again:?}");
    let report = std::fs::read_to_string(place.path().join("r.json")).unwrap();
    let database = database.url.strip_prefix("sqlite://").unwrap().to_owned();
    let kept: Vec<u8> = ["", "-wal"]
        .iter()
        .flat_map(|end| std::fs::read(format!("{database}{end}")).unwrap_or_default())
        .collect();
    assert!(!kept.is_empty());
    for said in
        [xml, report, format!("{refused:?}{done:?}{again:?}"), String::from_utf8_lossy(&kept).into_owned()]
    {
        assert!(!said.to_uppercase().contains("CNTLCU"), "{said}");
    }
    configure(&place, "");
    place.file("key", "short");
    assert_eq!(place.run(&["config", "check"]).code, 2);
}

#[test]
fn a_child_can_be_inserted_and_not_cancelled() {
    let (_database, place) = place();
    let table = MINORI.replace("CodiceFiscaleMinore;", "IDBeneficiario;bx201;");
    let row = |operation: &str| table.replace("CNTLCU15E09H501T;", &format!("MIN-1;{operation};"));
    let keep = |table: String| table.lines().take(2).collect::<Vec<_>>().join("\n");
    for (operation, rule) in [("I", vec![]), ("", vec![]), ("C", vec!["SINBA-10 errore"])] {
        place.file("minori.csv", keep(row(operation)));
        assert_eq!(rules(&place, &["check", "minori.csv", "--ente", "H501"]), rule, "{operation}");
    }
}

#[test]
fn the_fiscal_code_of_a_child_is_no_less_secret_in_xml() {
    let (_database, place) = place();
    place.file(
        "a.xml",
        "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"x\"><Ente Codice=\"H501\" \
         Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
         <SINBA CodiceFiscaleMinore=\"CNTLCU15E09H501T\" Disabilita=\"9\"/></Flusso>",
    );
    let done = place.run(&["check", "a.xml", "--ente", "H501", "--report", "r.json"]);
    assert_eq!(done.code, 3, "{done:?}");
    assert!(done.stdout.contains("SINBA-09"), "{done:?}");
    let report = std::fs::read_to_string(place.path().join("r.json")).unwrap();
    assert!(!format!("{done:?}{report}").contains("CNTLCU"), "{done:?}");
}
