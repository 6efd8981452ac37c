//! JSON Lines from the command line: the same records as in CSV and XML, and what is refused, line by line.

use serde_json::{Value, json};

use crate::support::command::{Done, Place};
use crate::support::database::{Backend, TestDatabase, on_both_databases};

/// A scholarship under this protocol, as JSON.
pub(crate) fn borsa(protocollo: &str) -> Value {
    json!({"tipo": "PS_PSA_SINA", "Beneficiario": {
        "PrestazioniSociali": {
            "PresenzaProvaMezzi": 2, "CaratterePrestazione": "2", "CodicePrestazione": "A1.19",
            "DenominazionePrestazione": "Borse di studio", "ProtocolloDomanda": protocollo,
            "DataErogazionePrestazione": "2025-03-15", "ImportoPrestazione": 600.5, "PresaCarico": 2,
            "DataEvento": null,
        },
        "Indirizzo": [{"CodiceRegione": "08", "CodiceComune": "058091", "CodiceNazione": 380}],
        "Anagrafica": {
            "Cognome": "Conti", "Nome": "Luca", "AnnoNascita": 2015, "LuogoNascita": "H501", "Genere": "1",
            "CodiceCittadinanza": "380",
        },
        "CodiceFiscale": "CNTLCU15E09H501T",
    }})
}

/// The same scholarship, as CSV.
fn borsa_csv(protocollo: &str) -> String {
    format!(
        "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;CodiceComune;\
         CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;DenominazionePrestazione;\
         ProtocolloDomanda;DataErogazionePrestazione;ImportoPrestazione;PresaCarico\n\
         CNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;2;2;A1.19;Borse di studio;{protocollo};15/03/2025;\
         600,50;2\n"
    )
}

/// A child in care.
pub(crate) fn minore(id: &str) -> Value {
    json!({"tipo": "SINBA", "SINBA": {
        "IDBeneficiario": id, "MinoreStranieroNoAcc": 2, "CondizioneMinore": 1, "LuogoVita": 1,
        "ScuolaFrequentata": 3, "CondizioneLavoro": 1, "Disabilita": 2, "DataPrimaSegnalazione": "03/2024",
        "FonteSegnalazione": 13, "ValutazioneMinore": 2, "ValutazioneFamigliaMinore": 2,
        "SegnalazioneAutoritaGiudiziaria": 2, "ProvvedimentoGiudiziario": 2, "FasciaEtaBeneficiario": 4,
        "AnnoNascita": 2014, "CodiceRegioneResidenza": "08", "CodiceNazioneResidenza": 380,
        "Famiglia": {"ComposizioneFamiglia": [1, "2"]},
        "Prestazioni": {"CodicePrestazione": ["A2.02", "A2.12"]},
    }})
}

fn lines(records: &[Value]) -> String {
    records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

fn summary(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

on_both_databases! {
    fn a_record_in_json_is_the_record_in_csv(database) {
        let place = Place::new(database);
        place.file("a.jsonl", lines(&[borsa("1"), minore("MIN-1")]));
        let first = place.run(&["import", "a.jsonl", "--ente", "H501", "--json"]);
        assert_eq!(first.code, 0, "{first:?}");
        assert_eq!(summary(&first)["new"], 2, "{first:?}");
        place.file("a.csv", borsa_csv("1"));
        let again = place.run(&["import", "a.csv", "--ente", "H501", "--json"]);
        assert_eq!(summary(&again)["unchanged"], 1, "{again:?}");
        // Without an extension, the first character tells the form; a byte-order mark and blank lines change nothing.
        place.file("a", format!("\u{FEFF}{{{}\n\n  \n", borsa("1").to_string().trim_start_matches('{')));
        let told = place.run(&["import", "a", "--ente", "H501", "--json", "--format", "json"]);
        assert_eq!(summary(&told)["unchanged"], 1, "{told:?}");
        place.file("b", lines(&[borsa("1")]));
        assert_eq!(summary(&place.run(&["import", "b", "--ente", "H501", "--json"]))["unchanged"], 1);
        let mut changed = borsa("1");
        changed["Beneficiario"]["PrestazioniSociali"]["ImportoPrestazione"] = json!("601.00");
        place.file("c.json", lines(&[changed]));
        assert_eq!(summary(&place.run(&["import", "c.json", "--ente", "H501", "--json"]))["flussi"], 2);
    }
}

/// Judges a file whose second line is `line`, and looks for that line's refusal by `rule` with `word` in it.
fn refused(place: &Place, name: &str, line: &[u8], rule: &str, word: &str) {
    let good = borsa("2").to_string();
    place.file("a.jsonl", [good.as_bytes(), b"\n", line, b"\n", good.as_bytes()].concat());
    let done = place.run(&["check", "a.jsonl", "--ente", "H501", "--report", "r.json", "--json"]);
    assert_eq!(done.code, 3, "{name}: {done:?}");
    let summary = summary(&done);
    assert_eq!((&summary["records"], &summary["refused"]), (&json!(3), &json!(1)), "{name}: {done:?}");
    let report = std::fs::read_to_string(place.path().join("r.json")).unwrap();
    let report: Vec<Value> = serde_json::from_str(&report).unwrap();
    let refusal = report
        .iter()
        .find(|entry| entry["rule"] == rule && entry["severity"] == "errore")
        .unwrap_or_else(|| panic!("{name}: {report:?}"));
    assert_eq!(refusal["line"], 2, "{name}: {refusal}");
    let said = format!("{} {} {}", refusal["field"], refusal["message"], refusal["remedy"]);
    assert!(said.contains(word), "{name}: {said}");
    assert!(report.len() < 20, "{name} says too much: {}", report.len());
}

#[test]
fn a_record_of_another_structure_is_refused_with_its_line_and_the_rest_is_taken() {
    const DATI: &str = "/Beneficiario/PrestazioniSociali";
    const ANAGRAFICA: &str = "/Beneficiario/Anagrafica";
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let six = Value::Array(vec![borsa("1")["Beneficiario"]["Indirizzo"][0].clone(); 6]);
    // Into which object, which member, with what value (without one it is removed), what is said.
    let cases: &[(&str, &str, Option<Value>, &str, &str)] = &[
        (DATI, "ImportoMensil", Some(json!(1)), "XSD-02", "ImportoMensile"),
        (DATI, "Altro", Some(json!({})), "XSD-02", "Altro"),
        (DATI, "PresaCarico", Some(json!(true)), "JSON-02", "un testo o un numero"),
        (DATI, "PresaCarico", Some(json!(["2"])), "JSON-02", "un testo o un numero"),
        (DATI, "PresaCarico", Some(Value::Null), "XSD-01", "PresaCarico"),
        (DATI, "DataEvento", Some(json!("")), "XSD-03", "DataEvento"),
        (ANAGRAFICA, "Nome", Some(json!("Lu\0ca")), "XSD-03", "Nome"),
        ("/Beneficiario", "Anagrafica", Some(json!("x")), "JSON-02", "un oggetto"),
        ("/Beneficiario", "Anagrafica", None, "XSD-01", "Anagrafica"),
        ("/Beneficiario", "Indirizzo", Some(json!([1])), "JSON-02", "elenco di oggetti"),
        ("/Beneficiario", "Indirizzo", Some(six), "XSD-04", "al massimo 5"),
        ("", "Altro", Some(json!(1)), "JSON-02", "accanto a tipo"),
        ("", "tipo", Some(json!("ALTRO")), "JSON-02", "tipo"),
        ("", "tipo", Some(json!("SINBA")), "JSON-02", "Beneficiario"),
        ("", "tipo", None, "JSON-02", "tipo"),
        ("", "Beneficiario", None, "JSON-02", "Manca Beneficiario"),
    ];
    for (object, member, value, rule, word) in cases {
        let mut record = borsa("1");
        let members = record.pointer_mut(object).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => members.insert((*member).to_owned(), value.clone()),
            None => members.remove(*member),
        };
        refused(&place, &format!("{object} {member} {value:?}"), record.to_string().as_bytes(), rule, word);
    }
}

#[test]
fn a_line_that_is_not_json_is_refused_and_the_rest_is_taken() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let good = borsa("1").to_string();
    let twice = good.replace("\"PresaCarico\":2", "\"PresaCarico\":2,\"PresaCarico\":1");
    let (abyss, blanks) = ("[".repeat(100_000), " ".repeat(3 << 20));
    let exponent = good.replace("600.5", "6e2");
    let deep = format!("{{\"tipo\":{}{}}}", "[".repeat(40), "]".repeat(40));
    let members = (0..300).map(|index| format!("\"m{index}\":1")).collect::<Vec<_>>().join(",");
    let many = format!("{{\"tipo\":\"SINBA\",{members}}}");
    let values = format!("{{\"a\":[{}1]}}", "1,".repeat(20_000));
    let cases: &[(&[u8], &str, &str)] = &[
        (twice.as_bytes(), "JSON-02", "più volte"),
        (exponent.as_bytes(), "XSD-03", "ImportoPrestazione"),
        (many.as_bytes(), "JSON-02", "al massimo 200"),
        (b"12", "JSON-02", "un oggetto JSON"),
        (b"{\"$serde_json::private::Number\":\"1\"}", "JSON-02", "un oggetto JSON"),
        (b"{\"tipo\":}", "JSON-01", "colonna"),
        (b"{\"tipo\":", "JSON-01", "prima che il JSON sia completo"),
        (b"{} {}", "JSON-01", "non è JSON valido"),
        (b"{\"tipo\":\"\xE0\"}", "JSON-01", "UTF-8"),
        (b"{\"tipo\":\"\\ud800\"}", "JSON-01", "non è JSON valido"),
        (b"{\"tipo\":\"\x01\"}", "JSON-01", "non è JSON valido"),
        (deep.as_bytes(), "JSON-01", "troppi livelli"),
        (abyss.as_bytes(), "JSON-01", "troppi livelli"),
        (values.as_bytes(), "JSON-01", "troppi valori"),
        (blanks.as_bytes(), "JSON-01", "supera"),
    ];
    for (line, rule, word) in cases {
        refused(&place, word, line, rule, word);
    }
}

#[test]
fn a_file_that_is_not_json_lines_is_refused_once() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let array = json!([borsa("1"), borsa("2")]);
    let utf16: Vec<u8> =
        std::iter::once(0xFEFF).chain("{}".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let cases: &[(Vec<u8>, &str)] = &[
        (array.to_string().into(), "array JSON"),
        (serde_json::to_vec_pretty(&array).unwrap(), "array JSON"),
        (serde_json::to_vec_pretty(&borsa("1")).unwrap(), "su una riga sola"),
        (utf16, "UTF-16"),
    ];
    for (content, word) in cases {
        place.file("a.json", content);
        let done = place.run(&["check", "a.json", "--ente", "H501"]);
        assert_eq!(done.code, 3, "{done:?}");
        assert!(done.stdout.contains(word), "{done:?}");
        assert!(done.stdout.contains("Record letti: 1. Rifiutati: 1."), "{done:?}");
    }
    place.file("a.json", "");
    assert_eq!(place.run(&["check", "a.json", "--ente", "H501"]).code, 0, "nothing is no record");
}
