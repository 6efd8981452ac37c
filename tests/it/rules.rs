//! The rules as a whole: one list, one page, severities that cannot be lowered, and the tables and keys behind them.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::{Date, date};
use proptest::prelude::*;
use rust_decimal::Decimal;
use waas_comuni::catalogue;
use waas_comuni::siuss::element::Element;
use waas_comuni::siuss::nome::{name_letters, surname_letters};
use waas_comuni::siuss::notice::{Severity, refuses};
use waas_comuni::siuss::pseudonym::{self, Key};
use waas_comuni::siuss::quote::Quote;
use waas_comuni::siuss::record::Record;
use waas_comuni::siuss::rules::{Level, Rulebook, Severities, SeverityError};
use waas_comuni::siuss::tables::{Comuni, NOMENCLATORE, Nomenclatore, TableError};
use waas_comuni::siuss::values::{CodiceFiscale, Value};

use crate::support::records::mensa;

#[test]
fn the_page_of_the_rules_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/regole.md");
    if std::env::var_os("WAAS_WRITE_DOCS").is_some() {
        std::fs::write(&path, catalogue::markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == catalogue::markdown(), "docs/regole.md is not what the code says: run `make docs`");
}

#[test]
fn every_rule_has_a_code_of_its_own_and_says_what_it_asks_and_why() {
    let mut codes: Vec<&str> = catalogue::rules().map(|rule| rule.code).collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    for rule in catalogue::rules() {
        assert!(!rule.summary.is_empty() && !rule.source.is_empty(), "{rule:?}");
        assert!(
            !rule.summary.contains('|') && !rule.source.contains('|'),
            "it would break the table: {rule:?}"
        );
        assert!(!rule.source.contains("(C)") || rule.severity == Severity::Errore, "C refuses: {rule:?}");
    }
}

/// The rules in the sources: those that the list has not are those that nobody will find.
#[test]
fn every_rule_of_the_code_is_in_the_list() {
    fn sources(folder: &Path, code: &regex::Regex, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, code, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                found.extend(code.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    let code = regex::Regex::new(r#"(?:code: |rule\(\s*)"([A-Z]+-[0-9]+[a-z]?)""#).unwrap();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &code, &mut found);
    let mut listed: Vec<String> = catalogue::rules().map(|rule| rule.code.to_owned()).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

fn levels(levels: &[(&str, Level)]) -> BTreeMap<String, Level> {
    levels.iter().map(|(code, level)| ((*code).to_owned(), *level)).collect()
}

/// School meals without the DSU that they need: a warning, unless the operator says otherwise.
fn without_dsu() -> Record {
    let Record::PsPsaSina(mut record) = mensa("1", 8420) else { unreachable!() };
    record.prestazione.numero_protocollo_dsu = None;
    record.prestazione.anno_protocollo_dsu = None;
    record.prestazione.data_dsu = None;
    Record::PsPsaSina(record)
}

#[test]
fn a_warning_can_be_raised_or_silenced_and_a_refusal_stays() {
    let judge = |level: &[(&str, Level)]| {
        let severities = Severities::new(&levels(level)).unwrap();
        Rulebook { severities, ..Rulebook::shipped() }.check(&without_dsu())
    };
    let notices = judge(&[]);
    assert_eq!(notices.len(), 1);
    assert!(!refuses(&notices));
    assert!(refuses(&judge(&[("PS-09", Level::Errore)])));
    assert!(refuses(&judge(&[("ps-09", Level::Errore)])), "as the environment spells it");
    assert!(!refuses(&judge(&[("PS-09", Level::Avviso)])));
    assert_eq!(judge(&[("PS-09", Level::Off)]), []);
    assert!(Severities::new(&levels(&[("PS-07", Level::Errore)])).is_ok(), "what it is already");
    assert_eq!(
        Severities::new(&levels(&[
            ("CF-01", Level::Avviso),
            ("PS-07", Level::Off),
            ("PS-99", Level::Off),
            ("XSD-03", Level::Avviso)
        ])),
        Err(vec![
            ("CF-01".to_owned(), SeverityError::Lowered),
            ("PS-07".to_owned(), SeverityError::Lowered),
            ("PS-99".to_owned(), SeverityError::Unknown),
            ("XSD-03".to_owned(), SeverityError::Lowered),
        ])
    );
}

#[test]
fn thousands_are_told_from_decimals_before_they_are_lost() {
    let said = |field: &str, text: &str| {
        let mut record = Element::new("Beneficiario", 2);
        let mut prestazione = Element::new("PrestazioniSociali", 2);
        prestazione.set_attribute(field, Some(text.to_owned()));
        record.children.push(prestazione);
        Rulebook::shipped().check_written(&record).len()
    };
    for (text, count) in
        [("1.234", 1), ("1.500", 1), (" 5.560 ", 1), ("1234.50", 0), ("1234", 0), ("84.2", 0)]
    {
        assert_eq!(said("ImportoMensile", text), count, "{text}");
    }
    assert_eq!(said("OreServizioMensile", "2.591"), 0, "which rule 13 refuses");
}

#[test]
fn names_give_the_letters_that_the_decree_says() {
    for (surname, letters) in [
        ("Rossi", "RSS"),
        ("Bo", "BOX"),
        ("Fo", "FOX"),
        ("Aiello", "LLA"),
        ("De Rosa", "DRS"),
        ("D'Ambrò", "DMB"),
        ("Müller", "MLL"),
        ("Hu", "HUX"),
        ("Io", "IOX"),
    ] {
        assert_eq!(surname_letters(surname).as_deref(), Some(letters), "{surname}");
    }
    for (name, letters) in [
        ("Giovanni", "GNN"),
        ("Luca", "LCU"),
        ("Marco", "MRC"),
        ("Ilaria", "LRI"),
        ("Youssef", "YSF"),
        ("Maria Teresa", "MTR"),
        ("Al", "LAX"),
    ] {
        assert_eq!(name_letters(name).as_deref(), Some(letters), "{name}");
    }
    assert_eq!(surname_letters("王"), None, "no letter of ours: nothing is said");
    assert_eq!(surname_letters("-"), None);
}

const COMUNI: &str = "\u{FEFF}\"ID\",\"DATAISTITUZIONE\",\"DATACESSAZIONE\",\"CODISTAT\",\"CODCATASTALE\",\
\"IDPROVINCIAISTAT\",\"IDREGIONE\"\n\
1,\"1861-03-17\",\"1928-12-05\",\"001801\",\"A003\",\"001\",\"01\"\n\
2,\"1871-01-15\",\"9999-12-31\",\"058091\",\"H501\",\"058\",\"12\"\n\
3,\"1927-01-12\",\"9999-12-31\",\"021008\",\"A952\",\"021\",\"04\"\n\
4,\"1923-04-20\",\"9999-12-31\",\"022205\",\"L378\",\"022\",\"04\"\n\
5,\"1927-01-12\",\"2013-12-31\",\"048003\",\"A999\",\"048\",\"09\"\n\
6,\"1861-03-17\",\"1911-07-04\",\"003809\",\"ND\",\"003\",\"01\"\n";

#[test]
fn municipalities_are_looked_up_by_date() {
    let comuni = Comuni::from_csv(COMUNI).unwrap();
    assert_eq!(comuni.len(), 5);
    assert!(comuni.has_belfiore("A003", 1928) && comuni.has_belfiore("A003", 1861));
    assert!(!comuni.has_belfiore("A003", 1929) && comuni.ever_had_belfiore("A003"));
    assert!(!comuni.ever_had_belfiore("A004") && !comuni.ever_had_belfiore("ND"));
    let on = |code, year, month, day| comuni.has_istat(code, Some(date(year, month, day)));
    assert!(on(48_003, 2013, 12, 31) && !on(48_003, 2014, 1, 1));
    assert!(on(58_091, 1850, 1, 1), "it exists today");
    let region = |code, day: Option<Date>| comuni.regione(code, day);
    assert_eq!(region(58_091, None), Some(8));
    assert_eq!(
        (region(21_008, None), region(22_205, None)),
        (Some(3), Some(18)),
        "one region of ISTAT is two"
    );
    assert_eq!((region(48_003, None), region(48_003, Some(date(2000, 1, 1)))), (None, Some(17)));
}

#[test]
fn a_birthplace_and_a_residence_are_judged_by_their_dates() {
    let comuni = Some(Comuni::from_csv(COMUNI).unwrap());
    let rulebook = Rulebook { comuni, ..Rulebook::shipped() };
    let judge = |luogo: &str, anno: &str, regione: &str, comune: &str| {
        let Record::PsPsaSina(mut record) = mensa("1", 8420) else { unreachable!() };
        record.codice_fiscale = Value::read("12345678903").unwrap();
        record.anagrafica.luogo_nascita = Value::read(luogo).unwrap();
        record.anagrafica.anno_nascita = Value::read(anno).unwrap();
        let mut address = record.indirizzi.as_slice()[0].clone();
        address.codice_regione = Value::read(regione);
        address.codice_comune = Value::read(comune);
        record.indirizzi = waas_comuni::siuss::record::Repeated::new(vec![address]).unwrap();
        let notices = rulebook.check(&Record::PsPsaSina(record));
        assert!(!refuses(&notices));
        notices.iter().map(|notice| (notice.rule.code, notice.field.to_string())).collect::<Vec<_>>()
    };
    let said = |code, field: &str| vec![(code, field.to_owned())];
    assert_eq!(judge("A003", "1928", "08", "058091"), []);
    assert_eq!(judge("a003", "1920", "08", "058091"), []);
    assert_eq!(judge("A003", "1929", "08", "058091"), said("PS-17", "LuogoNascita"));
    assert_eq!(judge("A009", "1980", "08", "058091"), said("PS-17", "LuogoNascita"));
    assert_eq!(judge("Z404", "1980", "08", "058091"), [], "a foreign state is not in the archive");
    assert_eq!(judge("H501", "1980", "12", "058091"), said("PS-18", "CodiceRegione"), "ISTAT's Lazio");
    assert_eq!(judge("H501", "1980", "03", "021008"), []);
    assert_eq!(judge("H501", "1980", "18", "021008"), said("PS-18", "CodiceRegione"));
    assert_eq!(judge("H501", "1980", "17", "048003"), said("PS-18", "CodiceComune"), "it ceased before 2020");
    assert_eq!(judge("H501", "1980", "08", "999999"), said("PS-18", "CodiceComune"));
}

#[test]
fn a_table_that_is_not_one_says_what_it_lacks() {
    assert_eq!(Comuni::from_csv("a,b\n1,2\n").unwrap_err(), TableError::Column("DATAISTITUZIONE"));
    assert_eq!(Nomenclatore::from_csv("codice;denominazione;trasmissione\n").unwrap_err(), TableError::Empty);
    let line = |text: &str| match Nomenclatore::from_csv(text).unwrap_err() {
        TableError::Line { line, .. } => line,
        other => panic!("{other}"),
    };
    assert_eq!(line("codice;denominazione;trasmissione\nA1.01;x;si\nA1.02;y;forse\n"), 3);
    assert_eq!(line("codice;denominazione;trasmissione\nA1.01;x;si\nA1.01;y;si\n"), 3);
    assert_eq!(line("codice;denominazione;trasmissione\nA1;x;si\n"), 2);
    assert!(Comuni::from_csv(&COMUNI.replace("1928-12-05", "1928-13-05")).is_err());
}

#[test]
fn the_archive_of_the_ministry_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ANPR_archivio_comuni.csv");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let comuni = Comuni::from_csv(&text).unwrap();
    assert!(comuni.len() > 9_000, "{}", comuni.len());
    let capitals = [
        (66_049, 1),
        (76_063, 2),
        (21_008, 3),
        (79_023, 4),
        (63_049, 5),
        (37_006, 6),
        (32_006, 7),
        (58_091, 8),
        (10_025, 9),
        (15_146, 10),
        (42_002, 11),
        (70_006, 12),
        (1_272, 13),
        (72_006, 14),
        (92_009, 15),
        (82_053, 16),
        (48_017, 17),
        (22_205, 18),
        (54_039, 19),
        (7_003, 20),
        (27_042, 21),
    ];
    for (istat, regione) in capitals {
        assert_eq!(comuni.regione(istat, None), Some(regione), "{istat}");
    }
    assert!(comuni.has_belfiore("A003", 1928) && !comuni.has_belfiore("A003", 1930));
}

#[test]
fn a_loaded_nomenclature_lets_out_nothing_that_inps_refuses_without_saying_so() {
    use waas_comuni::siuss::tables::Trasmissione;
    let header = "codice,denominazione,trasmissione\n";
    let loaded = |rows: &str| waas_comuni::codes::nomenclatore(&format!("{header}{rows}")).unwrap();
    assert_eq!(NOMENCLATORE.get("A4.10").unwrap().trasmissione, Trasmissione::No);
    assert_eq!(loaded("A2.12,Mensa,si\n").get("A4.10").unwrap().trasmissione, Trasmissione::No);
    assert_eq!(loaded("A4.10,Assegno,si\n").get("A4.10").unwrap().trasmissione, Trasmissione::Si);
    assert!(loaded("A2.12,Mensa,si\n").get("A2.07").is_none(), "what it left out is gone");
}

fn euro(cents: u32) -> Decimal {
    Decimal::new(i64::from(cents), 2)
}

#[test]
fn the_school_meals_are_divided_as_in_the_official_case() {
    let year =
        Quote { importo: euro(33_680), ente: Some(euro(24_620)), utente: Some(euro(9_060)), ssn: None };
    let month = Quote { importo: euro(8_420), ente: Some(euro(6_155)), utente: Some(euro(2_265)), ssn: None };
    assert_eq!(year.monthly(4), Some(month));
    assert_eq!(year.monthly(0), None);
    assert_eq!(Quote { utente: None, ..year }.monthly(4), None, "the shares do not make the total");
    let cents =
        Quote { importo: euro(100), ente: Some(euro(50)), utente: Some(euro(25)), ssn: Some(euro(25)) };
    let third = cents.monthly(3).unwrap();
    assert_eq!((third.importo, third.ente), (euro(33), Some(euro(17))));
    assert_eq!(Quote { importo: euro(1), ente: Some(euro(1)), utente: None, ssn: None }.monthly(12), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn months_add_up_and_no_share_moves_by_more_than_two_cents(
        ente in prop::option::of(1_u32..5_000_000),
        utente in prop::option::of(0_u32..5_000_000),
        ssn in prop::option::of(1_u32..5_000_000),
        alone in 1_u32..5_000_000,
        months in 1_u32..=12,
    ) {
        let shares = [ente, utente, ssn];
        let total = if shares.iter().all(Option::is_none) { alone } else { shares.iter().flatten().sum() };
        let whole = Quote {
            importo: euro(total),
            ente: ente.map(euro),
            utente: utente.map(euro),
            ssn: ssn.map(euro),
        };
        let Some(month) = whole.monthly(months) else {
            // So little that a part of it is less than a cent.
            prop_assert!([Some(total), ente, ssn].iter().flatten().any(|cents| *cents < 2 * months));
            return Ok(());
        };
        let parts = [month.ente, month.utente, month.ssn];
        if parts.iter().any(Option::is_some) {
            prop_assert_eq!(parts.iter().flatten().sum::<Decimal>(), month.importo);
        }
        let moved = |part: Decimal, whole: Decimal| (part - whole / Decimal::from(months)).abs();
        prop_assert!(moved(month.importo, whole.importo) <= Decimal::new(5, 3));
        for (part, whole) in parts.into_iter().zip([whole.ente, whole.utente, whole.ssn]) {
            prop_assert_eq!(part.is_some(), whole.is_some());
            if let (Some(part), Some(whole)) = (part, whole) {
                prop_assert!(part >= Decimal::ZERO && part.scale() <= 2);
                prop_assert!(moved(part, whole) <= Decimal::new(15, 3));
            }
        }
        let odd = parts.into_iter().zip([whole.ente, whole.utente, whole.ssn]).filter(|(part, whole)| {
            part.zip(*whole).is_some_and(|(part, whole)| moved(part, whole) > Decimal::new(5, 3))
        });
        prop_assert!(odd.count() <= 1, "one share bears the odd cent");
    }
}

fn key(text: &str) -> Key {
    Key::new(text.to_owned().into()).unwrap()
}

fn code(text: &str) -> CodiceFiscale {
    Value::read(text).unwrap()
}

#[test]
fn a_pseudonym_is_the_same_for_the_same_child_and_key_and_never_a_fiscal_code() {
    let one = key("0123456789abcdef0123456789abcdef");
    let pseudonym = one.pseudonym(&code("CNTLCU15E09H501T")).unwrap();
    // As `openssl dgst -sha256 -hmac` says: 00bfeba246c41b05c183…
    assert_eq!(pseudonym, "AAOZYOKCEGWEBOAFWBID");
    assert_eq!(one.pseudonym(&code("cntlcu15e09h501t")).unwrap(), pseudonym);
    assert_ne!(one.pseudonym(&code("CNTLCU15E09H501S")).unwrap(), pseudonym);
    assert_ne!(
        key("0123456789abcdef0123456789abcdeg").pseudonym(&code("CNTLCU15E09H501T")).unwrap(),
        pseudonym
    );
    assert!(pseudonym.bytes().all(|letter| b"ABCDEFGHIJKOWXYZ".contains(&letter)), "{pseudonym}");
    assert!(Key::new("short".to_owned().into()).is_none());
}

#[test]
fn the_fiscal_code_of_a_child_is_forgotten_where_it_is_read() {
    let key = key("0123456789abcdef0123456789abcdef");
    let element = |attributes: &[(&str, &str)]| {
        let mut element = Element::new("SINBA", 2);
        for (name, value) in attributes {
            element.set_attribute(name, Some((*value).to_owned()));
        }
        element
    };
    let mut child = element(&[(pseudonym::SOURCE, " cntlcu15e09h501t ")]);
    pseudonym::replace(&mut child, Some(&key)).unwrap();
    assert_eq!(child.attribute(pseudonym::SOURCE), None);
    assert_eq!(child.attribute("IDBeneficiario"), key.pseudonym(&code("CNTLCU15E09H501T")).as_deref());
    let both: &[(&str, &str)] = &[(pseudonym::SOURCE, "CNTLCU15E09H501T"), ("IDBeneficiario", "MIN-1")];
    for (attributes, key) in [
        (&[(pseudonym::SOURCE, "CNTLCU15E09H501T")] as &[_], None),
        (&[(pseudonym::SOURCE, "CNTLCU15E09H501A")], Some(&key)),
        (&[(pseudonym::SOURCE, "CNTLCU15E09H50AT")], Some(&key)),
        (&[(pseudonym::SOURCE, "Luca Conti")], Some(&key)),
        (both, Some(&key)),
    ] {
        let mut child = element(attributes);
        let notice = pseudonym::replace(&mut child, key).unwrap_err();
        assert_eq!(notice.rule.code, "SINBA-09");
        assert!(!format!("{notice:?} {child:?}").to_uppercase().contains("CNT"), "{notice:?}");
        assert!(!format!("{notice:?} {child:?}").contains("Luca"), "{notice:?}");
    }
    let mut none = element(&[("IDBeneficiario", "MIN-1")]);
    pseudonym::replace(&mut none, None).unwrap();
    assert_eq!(none.attribute("IDBeneficiario"), Some("MIN-1"));
}
