//! The language of the flows, on cases that a person can check: the written form, the verdicts, the division by year.

use waas_comuni::siuss::element::Element;
use waas_comuni::siuss::notice::{Notice, refuses};
use waas_comuni::siuss::record::{Record, TipoOperazione};
use waas_comuni::siuss::rules::Rulebook;
use waas_comuni::siuss::values::{Data, Importo, Value};
use waas_comuni::siuss::xml::{Document, Encoding, Item, read, write};
use waas_comuni::siuss::{codice_fiscale, split};

/// The school-meals case, as our writer spells it.
const MENSA: &str = "<Flusso xmlns=\"http://inps.it/Casellario\">\
<IdentificazioneFlusso Nome=\"H501.PS.20200905.0000001\">\
<Ente Codice=\"H501\" Denominazione=\"Comune di Roma\" Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/>\
</IdentificazioneFlusso>\
<Beneficiario CodiceFiscale=\"CNTLCU15E09H501T\">\
<Anagrafica Cognome=\"Conti\" Nome=\"Luca\" AnnoNascita=\"2015\" LuogoNascita=\"H501\" Genere=\"1\" CodiceCittadinanza=\"380\"/>\
<Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
<PrestazioniSociali TipoOperazione=\"I\" PresenzaProvaMezzi=\"1\" CaratterePrestazione=\"1\" \
NumeroProtocolloDSU=\"INPS-ISEE-2020-01234567A-00\" AnnoProtocolloDSU=\"2020\" DataDSU=\"2020-01-14\" \
CodicePrestazione=\"A2.12\" DenominazionePrestazione=\"Mensa scolastica\" ProtocolloDomanda=\"2020/000417\" \
DataEvento=\"2020-08-25\" DataInizioPrestazione=\"2020-09-01\" DataFinePrestazione=\"2020-12-31\" \
PeriodoErogazione=\"4\" ImportoMensile=\"84.20\" ImportoQuotaEnte=\"61.55\" ImportoQuotaUtente=\"22.65\" \
ImportoQuotaRichiesta=\"84.20\" ImportoSogliaISEE=\"5560.00\" PresaCarico=\"2\"/>\
</Beneficiario></Flusso>";

fn notices(xml: &str) -> Vec<Notice> {
    match read(xml.as_bytes()) {
        Ok(flusso) => Rulebook::shipped().check(&flusso.record),
        Err(notices) => notices,
    }
}

fn codes(xml: &str) -> Vec<&'static str> {
    notices(xml).iter().map(|notice| notice.rule.code).collect()
}

#[test]
fn the_school_meals_case_is_written_as_it_was_read_and_breaks_no_rule() {
    let flusso = read(MENSA.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(write(&flusso)).unwrap(), MENSA);
    assert_eq!(notices(MENSA), []);
}

#[test]
fn spellings_of_one_value_are_one_value() {
    let other = MENSA
        .replace("\"84.20\"", "\" +084.2\"")
        .replace("\"5560.00\"", "\"5560\"")
        .replace("\"2020-01-14\"", "\"2020-01-14+01:00\"")
        .replace("PeriodoErogazione=\"4\"", "PeriodoErogazione=\"+04\"")
        .replace("CNTLCU15E09H501T", "cntlcu15e09h501t")
        .replace("Conti", "Con&#116;i");
    let (one, two) = (read(MENSA.as_bytes()).unwrap(), read(other.as_bytes()).unwrap());
    assert_eq!(one, two);
    assert_eq!(one.record.content(), two.record.content());
}

#[test]
fn the_operation_is_no_part_of_the_content_and_the_amount_is() {
    let record = read(MENSA.as_bytes()).unwrap().record;
    let cancelled = record.clone().with_operazione(TipoOperazione::Cancellazione);
    assert_eq!(record.content(), cancelled.content());
    assert_ne!(record, cancelled);
    let dearer = read(MENSA.replace("22.65", "22.66").as_bytes()).unwrap().record;
    assert_ne!(record.content(), dearer.content());
    assert_eq!(record.identity(), dearer.identity());
}

/// All three parts of a DSU go together: a number that says nothing is not sent alone.
#[test]
fn an_empty_dsu_number_is_none() {
    let (before, after) = MENSA.split_once("NumeroProtocolloDSU=").unwrap();
    let (_, after) = after.split_once("CodicePrestazione=").unwrap();
    let before = before.replace("PresenzaProvaMezzi=\"1\"", "PresenzaProvaMezzi=\"4\"");
    let with = |dsu: &str| read(format!("{before}{dsu}CodicePrestazione={after}").as_bytes()).unwrap();
    for empty in ["NumeroProtocolloDSU=\"\" ", "NumeroProtocolloDSU=\"  \" "] {
        assert_eq!(with(empty), with(""));
        assert_eq!(Rulebook::shipped().check(&with(empty).record), []);
    }
}

/// A change to the school-meals flow, and the codes of the notices that it must raise.
#[test]
fn each_rule_sees_its_breach_and_no_other() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("CaratterePrestazione=\"1\" ", "", &["PS-02"]),
        ("DataInizioPrestazione=\"2020-09-01\" ", "", &["PS-03"]),
        ("PeriodoErogazione", "ImportoPrestazione=\"10\" PeriodoErogazione", &["PS-03"]),
        ("ImportoMensile=\"84.20\" ", "", &["PS-03"]),
        ("CaratterePrestazione=\"1\"", "CaratterePrestazione=\"2\"", &["PS-04", "PS-04"]),
        ("\"2020-12-31\"", "\"2020-08-31\"", &["PS-05"]),
        ("\"2020-12-31\"", "\"2021-01-31\"", &["PS-05"]),
        ("PeriodoErogazione=\"4\"", "PeriodoErogazione=\"5\"", &["PS-06"]),
        ("\"22.65\"", "\"22.64\"", &["PS-07"]),
        ("\"22.65\"", "\"-22.65\"", &["PS-07", "PS-07"]),
        ("ImportoQuotaRichiesta", "ImportoQuotaSSN=\"0\" ImportoQuotaRichiesta", &["PS-07"]),
        ("DataDSU=\"2020-01-14\" ", "", &["PS-08"]),
        (
            "NumeroProtocolloDSU=\"INPS-ISEE-2020-01234567A-00\" AnnoProtocolloDSU=\"2020\" DataDSU=\"2020-01-14\" ",
            "",
            &["PS-09"],
        ),
        ("AnnoProtocolloDSU=\"2020\"", "AnnoProtocolloDSU=\"2019\"", &["PS-10"]),
        ("PresaCarico=\"2\"", "PresaCarico=\"1\"", &["PS-11"]),
        ("PresaCarico=\"2\"", "PresaCarico=\"2\" AreaUtenza=\"3\"", &["PS-11"]),
        ("CodiceRegione=\"08\" CodiceComune=\"058091\" ", "", &["PS-12", "PS-12"]),
        ("PresaCarico", "OreServizioMensile=\"2.60\" PresaCarico", &["PS-13"]),
        ("PresaCarico", "OreServizioMensile=\"2.591\" PresaCarico", &["PS-13"]),
        (
            "\"A2.12\" DenominazionePrestazione=\"Mensa scolastica\"",
            "\"A4.10\" DenominazionePrestazione=\"Assegno sociale\"",
            &["PS-14"],
        ),
        (
            "\"A2.12\" DenominazionePrestazione=\"Mensa scolastica\"",
            "\"A2.17\" DenominazionePrestazione=\"Mensa scolastica\"",
            &["PS-14b"],
        ),
        ("\"A2.12\"", "\"A2.99\"", &["PS-16"]),
        ("Mensa scolastica", "Mensa aziendale", &["PS-16"]),
        ("CNTLCU15E09H501T", "CNTLCU15E09H501A", &["PS-17"]),
        ("AnnoNascita=\"2015\"", "AnnoNascita=\"2016\"", &["PS-17"]),
        ("Genere=\"1\"", "Genere=\"2\"", &["PS-17"]),
        ("Cognome=\"Conti\"", "Cognome=\"Contè D'Este\"", &[]),
        ("Cognome=\"Conti\"", "Cognome=\"Ponti\"", &["PS-17"]),
        ("Nome=\"Luca\"", "Nome=\"Lucia Anna\"", &["PS-17"]),
        ("CNTLCU15E09H501T", "CNTLCU15E09H50AT", &["PS-17"]),
        ("CNTLCU15E09H501T", "12345678903", &[]),
        ("CNTLCU15E09H501T", "12345678904     ", &["PS-17"]),
        ("CodiceRegione=\"08\"", "CodiceRegione=\"22\"", &["PS-18"]),
        ("CNTLCU15E09H501T", "CNTLCULREL9HRLMT", &["CF-01"]),
        ("CNTLCU15E09H501T", " CNTLCU15E09H501T", &["XSD-03"]),
        ("Cognome=\"Conti\" ", "", &["XSD-01"]),
        ("Cognome=", "Cognom=", &["XSD-02", "XSD-01"]),
        ("Genere=\"1\"", "Genere=\"3\"", &["XSD-03"]),
        ("<Indirizzo", "testo<Indirizzo", &["XSD-04"]),
        ("<Flusso", "<!DOCTYPE Flusso><Flusso", &["XML-02"]),
        ("Conti", "&conti;", &["XML-02"]),
        ("Cognome=\"Conti\" ", "Cognome=\"Conti\"", &["XML-01"]),
    ];
    for (from, to, expected) in cases {
        assert!(MENSA.contains(from), "{from} is not in the flow");
        let xml = MENSA.replacen(from, to, 1);
        assert_eq!(&codes(&xml), expected, "{from} → {to}: {:#?}", notices(&xml));
    }
}

#[test]
fn every_notice_says_what_is_wrong_and_what_to_do() {
    for notice in
        notices(&MENSA.replace("PresaCarico=\"2\"", "PresaCarico=\"7\"").replace("Cognome=\"Conti\" ", ""))
    {
        assert!(notice.message.ends_with('.') && notice.remedy.ends_with('.'), "{notice:?}");
        assert!(!notice.field.is_empty());
    }
    let notices = notices(&MENSA.replace("PresaCarico=\"2\"", "PresaCarico=\"7\""));
    assert_eq!(notices[0].bx, Some("BX223"));
    assert_eq!(notices[0].value, "7");
}

#[test]
fn the_ids_of_the_layout_are_those_of_the_published_table() {
    let table = include_str!("../../specs/tracciato_bx.csv");
    let expected: Vec<(String, String)> = csv::Reader::from_reader(table.as_bytes())
        .into_records()
        .map(|row| row.unwrap())
        .map(|row| (row[1].to_owned(), row[0].to_owned()))
        .collect();
    let ours: Vec<(String, String)> = waas_comuni::siuss::fields::PRESTAZIONE
        .iter()
        .map(|field| (field.name.to_owned(), field.bx.unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(ours, expected);
}

fn beneficiario(xml: &str) -> Element {
    Document::new(xml.as_bytes(), Encoding::Utf8)
        .find_map(|item| match item {
            Item::Record(element) => Some(element),
            Item::Identificazione(_) | Item::Fault(_) => None,
        })
        .unwrap()
}

#[test]
fn a_school_year_becomes_two_calendar_years() {
    let year = MENSA
        .replace("\"2020-12-31\"", "\"2021-05-31\"")
        .replace("PeriodoErogazione=\"4\"", "PeriodoErogazione=\"9\"");
    let parts = split::by_year(beneficiario(&year), &mut Vec::new());
    let facts: Vec<_> = parts
        .iter()
        .map(|part| part.child("PrestazioniSociali").unwrap())
        .map(|p| {
            ["DataInizioPrestazione", "DataFinePrestazione", "PeriodoErogazione"]
                .map(|name| p.attribute(name).unwrap())
        })
        .collect();
    assert_eq!(facts, [["2020-09-01", "2020-12-31", "4"], ["2021-01-01", "2021-05-31", "5"]]);
    for part in &parts {
        let record = Record::read(part, &mut Vec::new()).unwrap();
        assert!(!refuses(&Rulebook::shipped().check(&record)));
    }
    assert_eq!(split::by_year(beneficiario(MENSA), &mut Vec::new()).len(), 1);
    let mut notices = Vec::new();
    split::by_year(beneficiario(&year.replace("\"9\"", "\"15\"")), &mut notices);
    assert_eq!(notices[0].rule.code, "PS-06");
}

#[test]
fn months_are_counted_as_in_the_official_case() {
    let count = |first: &str, last: &str| {
        split::months(Data::read(first).unwrap().day(), Data::read(last).unwrap().day()).unwrap()
    };
    assert_eq!(count("2020-09-01", "2020-12-31"), 4);
    assert_eq!(count("2020-10-14", "2020-11-13"), 1);
    assert_eq!(count("2020-01-01", "2020-12-31"), 12);
    assert_eq!(count("2020-01-31", "2020-01-31"), 1);
    assert_eq!(count("2020-01-15", "2020-03-14"), 2);
    assert_eq!(count("2020-01-15", "2020-03-15"), 3);
}

#[test]
fn fiscal_codes_tell_their_check_character_and_birth() {
    let code = |text| Value::read(text).unwrap();
    for right in ["RSSMRA80A01H501U", "CNTLCU15E09H501T", "GLLYSF77M20L219Y"] {
        assert!(codice_fiscale::check_character_is_right(&code(right)), "{right}");
    }
    assert!(!codice_fiscale::check_character_is_right(&code("RSSMRA80A01H501A")));
    let nascita = codice_fiscale::nascita(&code("SPSLRI97P50F205W")).unwrap();
    assert_eq!(
        (nascita.anno, nascita.mese, nascita.giorno, nascita.luogo.as_str()),
        (97, Some(9), 10, "F205")
    );
    let omocodia = codice_fiscale::nascita(&code("RSSMRA80A01HRLMX")).unwrap();
    assert_eq!(omocodia.luogo, "H501");
}

#[test]
fn amounts_keep_what_they_say() {
    for (text, written) in [
        ("84.2", "84.20"),
        (".5", "0.50"),
        ("5.", "5.00"),
        ("-0", "0.00"),
        ("1.2345", "1.2345"),
        ("0010", "10.00"),
    ] {
        assert_eq!(Importo::read(text).map(|importo| importo.text()).as_deref(), Some(written), "{text}");
    }
    for wrong in ["", ".", "+", "1,5", "1e3", "--1", "1 2", "1.2.3", "NaN"] {
        assert_eq!(Importo::read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_pseudonym_is_never_a_fiscal_code() {
    let sinba = |id: &str| {
        format!(
            "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"n\">\
             <Ente Codice=\"H501\" Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
             <SINBA IDBeneficiario=\"{id}\" MinoreStranieroNoAcc=\"2\" CondizioneMinore=\"1\" LuogoVita=\"1\" \
             ScuolaFrequentata=\"5\" CondizioneLavoro=\"1\" Disabilita=\"2\" DataPrimaSegnalazione=\"03/2024\" \
             FonteSegnalazione=\"13\" ValutazioneMinore=\"2\" ValutazioneFamigliaMinore=\"2\" \
             SegnalazioneAutoritaGiudiziaria=\"2\" ProvvedimentoGiudiziario=\"2\" FasciaEtaBeneficiario=\"4\" \
             AnnoNascita=\"2014\" CodiceRegioneResidenza=\"08\" CodiceNazioneResidenza=\"380\">\
             <Prestazioni><CodicePrestazione>A2.02</CodicePrestazione></Prestazioni>\
             <Famiglia><ComposizioneFamiglia>1</ComposizioneFamiglia></Famiglia></SINBA></Flusso>"
        )
    };
    assert_eq!(codes(&sinba("MIN-2025-0001")), Vec::<&str>::new());
    for person in [
        "CNTLCU15E09H501T",
        "cntlcu15e09h501t",
        "CNTLCU 15E09 H501T",
        "CNTLCUMRELVHRLMT",
        "X-CNTLCU15E09H501T",
        "12345678901",
    ] {
        assert_eq!(codes(&sinba(person)), ["SINBA-06"], "{person}");
    }
}
