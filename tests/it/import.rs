//! Import from the command line: the samples, the spellings, the refusals, and what must not be swallowed.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use diesel::connection::SimpleConnection;
use serde_json::Value;
use waas_comuni::clock::Clock;
use waas_comuni::import::{self, Destination, Listeners, Summary};
use waas_comuni::intake::{Mapping, Options};
use waas_comuni::registry::{PublishedFlusso, Registry};
use waas_comuni::siuss::element::Element;
use waas_comuni::siuss::rules::Rulebook;
use waas_comuni::siuss::xml::{Document, Encoding, Item};
use waas_comuni::store::AnyConnection;

use crate::support::command::Place;
use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::records::roma;

const HEADER: &str = "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;\
CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;DenominazionePrestazione;\
ProtocolloDomanda;DataErogazionePrestazione;ImportoPrestazione;PresaCarico";

/// A scholarship under this protocol.
fn borsa(protocollo: &str) -> String {
    format!(
        "CNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;2;2;A1.19;Borse di studio;{protocollo};2025-03-15;\
         600.00;2"
    )
}

fn table(rows: &[String]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

/// `table` with these bytes for a surname.
fn with_bytes(table: &str, surname: &[u8]) -> Vec<u8> {
    let (before, after) = table.split_once("Conti").unwrap();
    [before.as_bytes(), surname, after.as_bytes()].concat()
}

/// Everything in the feed.
fn feed(database: &TestDatabase) -> Vec<PublishedFlusso> {
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    Registry::new(store, Clock::System).page(eservice, 0, 100_000).unwrap()
}

/// The benefit in a flow.
fn prestazione(flusso: &PublishedFlusso) -> Element {
    Document::new(flusso.xml.as_slice(), Encoding::Utf8)
        .find_map(|item| match item {
            Item::Record(element) => element.child("PrestazioniSociali").cloned(),
            Item::Identificazione(_) | Item::Fault(_) => None,
        })
        .unwrap()
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples").join(name);
    path.exists().then_some(path)
}

on_both_databases! {
    fn the_samples_give_what_their_readme_says(database) {
        let place = Place::new(database);
        let import = |name: &str| {
            shared(name).map(|path| place.run(&["import", path.to_str().unwrap(), "--ente", "H501", "--json", "--report", "r.json"]))
        };
        let Some(mensa) = import("mensa-2020.csv") else { return };
        assert_eq!(mensa.code, 0, "{mensa:?}");
        let flussi = feed(database);
        assert_eq!(flussi.len(), 1);
        let dati = prestazione(&flussi[0]);
        for (name, value) in [
            ("PresenzaProvaMezzi", "1"), ("CaratterePrestazione", "1"), ("CodicePrestazione", "A2.12"),
            ("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"), ("AnnoProtocolloDSU", "2020"),
            ("DataDSU", "2020-01-14"), ("DenominazionePrestazione", "Mensa scolastica"), ("DataEvento", "2020-08-25"),
            ("DataInizioPrestazione", "2020-09-01"), ("DataFinePrestazione", "2020-12-31"), ("PeriodoErogazione", "4"),
            ("ImportoMensile", "84.20"), ("ImportoQuotaEnte", "61.55"), ("ImportoQuotaUtente", "22.65"),
            ("ImportoQuotaRichiesta", "84.20"), ("ImportoSogliaISEE", "5560.00"), ("PresaCarico", "2"),
        ] {
            assert_eq!(dati.attribute(name), Some(value), "{name}");
        }
        assert_eq!(dati.attribute("ImportoQuotaSSN"), None);
        assert_eq!(dati.attribute("AreaUtenza"), None);

        let counts = |done: &crate::support::command::Done| {
            let summary: Value = serde_json::from_str(&done.stdout).unwrap();
            ["flussi", "unchanged", "refused"].map(|name| summary[name].as_u64().unwrap())
        };
        assert_eq!(counts(&import("mensa-2020-bx.csv").unwrap()), [0, 1, 0], "the same record in another spelling");
        assert_eq!(counts(&import("mensa-anno-scolastico.csv").unwrap()), [1, 1, 0], "2020 is known, 2021 is not");
        let misto = import("misto.csv").unwrap();
        assert_eq!((misto.code, counts(&misto)), (3, [6, 0, 10]));
        let expected: Value =
            serde_json::from_slice(&std::fs::read(shared("misto.expected.json").unwrap()).unwrap()).unwrap();
        let report: Vec<Value> = serde_json::from_slice(&std::fs::read(place.path().join("r.json")).unwrap()).unwrap();
        let mut found: Vec<(u64, &str)> = report
            .iter()
            .map(|entry| (entry["line"].as_u64().unwrap(), entry["ProtocolloDomanda"].as_str().unwrap()))
            .collect();
        found.dedup();
        let wanted: Vec<(u64, &str)> = expected["refused"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| (entry["line"].as_u64().unwrap(), entry["ProtocolloDomanda"].as_str().unwrap()))
            .collect();
        assert_eq!(found, wanted);
        let rules: Vec<&str> = report.iter().map(|entry| entry["rule"].as_str().unwrap()).collect();
        assert_eq!(
            rules,
            ["PS-07", "PS-04", "PS-03", "PS-08", "PS-08", "PS-14", "PS-11", "PS-12", "PS-12", "PS-13", "XSD-03", "XSD-03"]
        );
        let sinba = import("sinba.csv").unwrap();
        assert_eq!((sinba.code, counts(&sinba)), (3, [2, 0, 1]));
        assert_eq!(counts(&import("caricamento-multiplo.xml").unwrap()), [3, 2, 0], "two were in misto.csv");
        for again in ["mensa-2020.csv", "mensa-anno-scolastico.csv", "misto.csv", "caricamento-multiplo.xml"] {
            assert_eq!(counts(&import(again).unwrap())[0], 0, "{again} again publishes nothing");
        }
    }

    fn a_change_in_the_file_is_a_cancellation_and_an_insertion_and_a_row_can_withdraw(database) {
        let place = Place::new(database);
        place.file("a.csv", table(&[borsa("1"), borsa("2")]));
        assert_eq!(place.run(&["import", "a.csv", "--ente", "H501"]).code, 0);
        place.file("a.csv", table(&[borsa("1").replace("600.00", "601"), borsa("2")]));
        let changed = place.run(&["import", "a.csv", "--ente", "H501"]);
        assert!(changed.stdout.contains("Flussi pubblicati: 2. Prestazioni nuove: 0, modificate: 1, invariate: 1"), "{changed:?}");
        let withdrawal = format!("{HEADER};TipoOperazione\n{};C\n{};C\n", borsa("2"), borsa("3"));
        place.file("c.csv", withdrawal);
        let withdrawn = place.run(&["import", "c.csv", "--ente", "H501"]);
        assert_eq!(withdrawn.code, 3, "the registry does not hold the third");
        assert!(withdrawn.stdout.contains("ritirate: 1"), "{withdrawn:?}");
        assert!(withdrawn.stdout.contains("riga 3, rifiutata"), "{withdrawn:?}");
        let operations: Vec<_> = feed(database)
            .iter()
            .map(|flusso| prestazione(flusso).attribute("TipoOperazione").unwrap().to_owned())
            .collect();
        assert_eq!(operations, ["I", "I", "C", "I", "C"]);
    }
}

on_both_databases! {
    fn a_load_faster_than_the_clock_takes_its_timestamps_from_the_unused_time(database) {
        const NOW: i64 = 1_790_000_000_000;
        let place = Place::new(database);
        let rows: Vec<String> = (0..1800).map(|number| borsa(&format!("2025/{number:06}"))).collect();
        let file = place.file("borse.csv", table(&rows));
        // A clock that stands still: each transaction comes after no time at all.
        let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
        let registry = Registry::new(database.store(), clock);
        let eservice = database.store().register_eservice("prova").unwrap();
        let (ente, mapping, rulebook) = (roma(), Mapping::default(), Rulebook::shipped());
        let options = Options { ente: "H501", format: None, mapping: &mapping, rulebook: &rulebook };
        let mut destination = Destination::Feed { registry: &registry, eservice, ente: &ente };
        let mut summary = Summary::default();
        let batch = &mut |_: &Summary| ControlFlow::Continue(());
        let mut listeners = Listeners { notice: &mut |_| {}, progress: &|_| {}, batch, report: None };
        import::run(&file, &options, &mut destination, &mut summary, &mut listeners).unwrap();
        assert_eq!(summary.flussi, 1800, "{summary:?}");
        let timestamps: Vec<i64> = feed(database).iter().map(|flusso| flusso.ts_ms).collect();
        assert!(timestamps.is_sorted_by(|one, next| one < next));
        assert_eq!(timestamps.last(), Some(&NOW), "the load ends now, not in the future");
    }
}

on_both_databases! {
    fn an_import_that_ends_half_way_says_what_is_there(database) {
        let store = database.store();
        store.write(|connection| {
            // The database fills up: some batches find room, one does not.
            let full = match connection {
                AnyConnection::Sqlite(_) =>
                    "CREATE TRIGGER full_disk BEFORE INSERT ON flusso WHEN (SELECT count(*) FROM flusso) > 2000
                     BEGIN SELECT RAISE(ABORT, 'full'); END",
                AnyConnection::Postgres(_) =>
                    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                         IF (SELECT count(*) FROM flusso) >= 4000 THEN RAISE EXCEPTION 'full'; END IF;
                         RETURN NULL; END $$;
                     CREATE TRIGGER full_disk BEFORE INSERT ON flusso EXECUTE FUNCTION full_disk()",
            };
            Ok(connection.batch_execute(full)?)
        }).unwrap();
        let place = Place::new(database);
        let rows: Vec<String> = (0..5000).map(|number| borsa(&number.to_string())).collect();
        place.file("all.csv", table(&rows));
        let done = place.run(&["import", "all.csv", "--ente", "H501"]);
        assert_eq!(done.code, 1, "{done:?}");
        let published = feed(database).len();
        assert!(published > 0 && published < 5000);
        for part in ["full", &format!("{published} flows were published"), "nothing is published twice"] {
            assert!(done.stderr.contains(part), "{part}: {done:?}");
        }
    }
}

/// A place for commands that need no particular database.
fn place() -> (TestDatabase, Place) {
    let database = TestDatabase::new(crate::support::database::Backend::Sqlite);
    let place = Place::new(&database);
    (database, place)
}

#[test]
fn one_table_in_many_spellings_is_one_table() {
    let (database, place) = place();
    let plain = table(&[borsa("1").replace("Conti", "Müller"), borsa("2").replace("Conti", "D'Ambrò")]);
    place.file("plain.csv", &plain);
    assert_eq!(place.run(&["import", "plain.csv", "--ente", "H501"]).code, 0);
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(&plain);
    let spellings: &[(&str, Vec<u8>)] = &[
        ("bom", [b"\xEF\xBB\xBF".as_slice(), plain.as_bytes()].concat()),
        ("windows", windows.into_owned()),
        ("crlf", plain.replace('\n', "\r\n").into_bytes()),
        ("comma", plain.replace(';', ",").into_bytes()),
        ("italian", plain.replace("2025-03-15", "15/03/2025").replace("600.00", "600,00").into_bytes()),
        ("short", plain.replace("2025-03-15", "15/3/2025").replace("600.00", "600,0").into_bytes()),
        (
            "bx",
            plain.replace("CodicePrestazione", "BX207").replace("ImportoPrestazione", "bx214").into_bytes(),
        ),
        ("quoted", plain.replace("Borse di studio", "\"Borse di studio\"").into_bytes()),
        ("blank", format!("{plain}\n;;;;;;;;;;;;;;;;;\n\n").into_bytes()),
        ("spaces", plain.replace(";Luca;", "; Luca ;").into_bytes()),
        ("columns", plain.replace('\n', ";; ;\r\n").into_bytes()),
        ("values", plain.replace(";2\n", ";2;\n").into_bytes()),
        ("sep", format!("sep=,\r\n{}", plain.replace(';', ",")).into_bytes()),
    ];
    for (name, content) in spellings {
        place.file(&format!("{name}.csv"), content);
        let done = place.run(&["import", &format!("{name}.csv"), "--ente", "H501"]);
        assert_eq!(done.code, 0, "{name}: {done:?}");
        assert!(done.stdout.contains("Flussi pubblicati: 0."), "{name}: {done:?}");
    }
    assert_eq!(feed(&database).len(), 2);
}

#[test]
fn a_mapping_gives_columns_their_names() {
    let (database, place) = place();
    let foreign =
        table(&[borsa("1")]).replace("CodiceFiscale", "Cod. Fisc.").replace("Genere", "Sesso (1/2)");
    place.file(
        "a.csv",
        foreign.replace(";PresaCarico\n", ";PresaCarico;Note\n").replace("600.00;2\n", "600.00;2;x\n"),
    );
    let refused = place.run(&["import", "a.csv", "--ente", "H501"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stdout.contains("«Cod. Fisc.» non è conosciuta"), "{refused:?}");
    place.file("m.toml", "\"cod. fisc.\" = \"CodiceFiscale\"\n\"Sesso (1/2)\" = \"Genere\"\nNote = \"\"\n");
    let mapped = place.run(&["import", "a.csv", "--ente", "H501", "--mapping", "m.toml"]);
    assert_eq!(mapped.code, 0, "{mapped:?}");
    assert_eq!(feed(&database).len(), 1);
    assert_eq!(place.run(&["import", "a.csv", "--ente", "H501", "--mapping", "none.toml"]).code, 2);
}

/// Hostile or broken files: the exit code, and a word of what is said.
#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn what_cannot_be_read_is_refused_clearly_and_harms_nothing_else() {
    let (database, place) = place();
    let good = table(&[borsa("1")]);
    let mut huge_row = good.clone().into_bytes();
    huge_row.extend(std::iter::repeat_n(b'x', 3 << 20));
    let million = "colonna;".repeat(1_000_000);
    let many = "colonna;".repeat(100_000);
    let bomb =
        "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]><Flusso>&b;</Flusso>";
    let deep = format!("<Flusso xmlns=\"http://inps.it/Casellario\">{}", "<a>".repeat(100_000));
    let document = |record: &str| format!("<Flusso xmlns=\"http://inps.it/Casellario\">\n{record}");
    let person = document(&format!("<Beneficiario>{}", "<Indirizzo/>".repeat(200_000)));
    let texts =
        document(&format!("<Beneficiario><a>{}", format!("<b>{}</b>", "x".repeat(1000)).repeat(5000)));
    let cases: &[(&str, &[u8], i32, &str)] = &[
        ("missing.csv", b"", 1, "non esiste"),
        ("empty.csv", b"", 1, "vuoto"),
        ("header.csv", HEADER.as_bytes(), 0, "Record letti: 0"),
        ("nul.csv", &table(&[borsa("1").replace("Conti", "Con\0ti")]).into_bytes(), 3, "Cognome"),
        ("short.csv", &table(&["a;b".to_owned(), borsa("1")]).into_bytes(), 3, "2 valori"),
        ("twice.csv", &good.replace("Cognome", "CodiceFiscale").into_bytes(), 1, "ripete"),
        ("near.csv", &good.replace("Cognome", "Cognomee").into_bytes(), 1, "Forse è Cognome"),
        ("huge.csv", &huge_row, 3, "fine della riga"),
        ("million.csv", million.as_bytes(), 1, "fine della riga"),
        ("many.csv", many.as_bytes(), 1, "altre 99980 colonne"),
        ("quote.csv", &format!("{good}\"{}", "y;\n".repeat(1 << 20)).into_bytes(), 3, "fine della riga"),
        ("utf16.csv", b"\xFF\xFEC\0o\0", 1, "UTF-16"),
        ("half.csv", b"C\0o\0d\0", 1, "senza BOM"),
        ("half.xml", b"<\0?\0x\0m\0l\0", 1, "senza BOM"),
        ("table.xlsx", b"PK\x03\x04\x14\0\x06\0", 1, "Excel"),
        ("old.csv", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 1, "Excel"),
        ("tabs.csv", &good.replace(';', "\t").into_bytes(), 1, "tabulazioni"),
        ("mac.csv", &good.replace('\n', "\r").into_bytes(), 1, "ritorno del carrello"),
        ("blank.csv", &format!("\r\n{good}").into_bytes(), 1, "prima riga è vuota"),
        ("nameless.csv", &good.replace("Cognome", "").into_bytes(), 1, "colonna 2 non ha nome"),
        ("beyond.csv", &good.replace(";2\n", ";2;;7\n").into_bytes(), 3, "20 valori, le colonne sono 18"),
        ("nobody.csv", b"CodiceFiscale;IDBeneficiario;LuogoVita\n;;1\n", 3, "Manca IDBeneficiario"),
        ("february.csv", &good.replace("2025-03-15", "30/02/2025").into_bytes(), 3, "= \"30/02/2025\""),
        ("thousands.csv", &good.replace("600.00", "1.600,00").into_bytes(), 3, "= \"1.600,00\""),
        ("words.csv", &good.replace("600.00", "600,00 euro").into_bytes(), 3, "= \"600,00 euro\""),
        ("msdos.csv", &with_bytes(&good, b"Niccol\x95"), 1, "viene da MS-DOS"),
        ("roman.csv", &with_bytes(&good, b"Niccol\x98"), 1, "Macintosh"),
        ("slovene.csv", &with_bytes(&good, &[b"\x8A".as_slice(), &[b'k'; 40]].concat()), 3, "= \"Škkk"),
        (
            "damaged.csv",
            &[
                table(&[borsa("1").replace("Conti", "èèè"), borsa("2").replace("Luca", "ùùù")]).as_bytes(),
                b"\xFF",
            ]
            .concat(),
            1,
            "carattere rovinato",
        ),
        (
            "both.csv",
            &format!("IDBeneficiario;{good}").replace("\nCNT", "\nMIN-1;CNT").into_bytes(),
            3,
            "CSV-03: 1\n",
        ),
        (
            "joined.csv",
            &[good.as_bytes(), b"\xEF\xBB\xBF", good.as_bytes()].concat(),
            3,
            "riga 3, rifiutata, CSV-02",
        ),
        (
            "unclosed.csv",
            &table(&[borsa("1").replace("Luca", "\"Luca"), borsa("2")]).into_bytes(),
            3,
            "fino alla riga 4 tutto è stato letto come parte di questa riga",
        ),
        (
            "marked.csv",
            &[b"\xEF\xBB\xBF".as_slice(), &with_bytes(&good, b"Niccol\xF2")].concat(),
            1,
            "alla riga 2 ha un carattere rovinato",
        ),
        ("notxml.xml", b"hello", 3, "XML ben formato"),
        ("cut.xml", b"<Flusso", 3, "non è chiuso"),
        ("crossed.xml", b"<Flusso xmlns=\"http://inps.it/Casellario\"><a></b>", 3, "non si corrispondono"),
        ("bomb.xml", bomb.as_bytes(), 3, "DOCTYPE"),
        ("external.xml", b"<Flusso xmlns=\"http://inps.it/Casellario\">&x;</Flusso>", 3, "&x;"),
        ("deep.xml", deep.as_bytes(), 3, "annidati"),
        ("person.xml", person.as_bytes(), 3, "un record è troppo lungo"),
        ("texts.xml", texts.as_bytes(), 3, "un record è troppo lungo"),
        ("empty.xml", b"", 3, "riga 1, "),
        ("cut.xml", &document("").into_bytes(), 3, "riga 2, "),
        ("text.xml", &document("\nx</Flusso>").into_bytes(), 3, "riga 3, "),
        ("after.xml", &document("\n</Flusso>x").into_bytes(), 3, "riga 3, "),
        ("namespace.xml", b"<Flusso><IdentificazioneFlusso/><a/></Flusso>", 3, "Rifiutati: 1."),
        ("two.xml", b"<Flusso xmlns=\"http://inps.it/Casellario\"/>\n<Flusso/>", 3, "va in un file suo"),
        (
            "hyphens.xml",
            b"<Flusso xmlns=\"http://inps.it/Casellario\"><!-- a -- b --></Flusso>",
            3,
            "due trattini",
        ),
        ("root.xml", b"<Flussi/>", 3, "Flussi senza namespace"),
        ("encoding.xml", b"<?xml version=\"1.0\" encoding=\"EBCDIC-IT\"?><Flusso/>", 1, "ebcdic-it"),
        ("broken.xml", b"<?xml version=\"1.0\"?><Flusso xmlns=\"\xE0\"/>", 3, "codifica che dichiara"),
    ];
    for (name, content, code, word) in cases {
        if *name != "missing.csv" {
            place.file(name, content);
        }
        let done = place.run(&["import", name, "--ente", "H501", "--report", "r.csv"]);
        assert_eq!(done.code, *code, "{name}: {done:?}");
        assert!(done.stdout.contains(word), "{name}: {done:?}");
        assert!(done.stdout.len() < 20_000, "{name} says too much");
    }
    let published: Vec<_> = feed(&database).iter().map(prestazione).collect();
    assert_eq!(published.len(), 1, "what could be read before the fault is published, once: {published:?}");
}

#[test]
fn xml_in_every_admitted_encoding_is_the_same() {
    let (database, place) = place();
    let document = |encoding: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"{encoding}\"?><Flusso xmlns=\"http://inps.it/Casellario\">\
             <IdentificazioneFlusso Nome=\"x\"><Ente Codice=\"H501\" Indirizzo=\"H501\" \
             CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso><Beneficiario CodiceFiscale=\"CNTLCU15E09H501T\">\
             <Anagrafica Cognome=\"Contì\" Nome=\"Lucà\" AnnoNascita=\"2015\" LuogoNascita=\"H501\" Genere=\"1\" \
             CodiceCittadinanza=\"380\"/><Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
             <PrestazioniSociali PresenzaProvaMezzi=\"2\" CaratterePrestazione=\"2\" CodicePrestazione=\"A1.19\" \
             DenominazionePrestazione=\"Borse di studio\" ProtocolloDomanda=\"1\" \
             DataErogazionePrestazione=\"2025-03-15\" ImportoPrestazione=\"600.00\" PresaCarico=\"2\"/>\
             </Beneficiario></Flusso>"
        )
    };
    let utf16 = |big: bool| {
        let text = document("UTF-16");
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units
            .flat_map(|unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect::<Vec<u8>>()
    };
    let latin = |name: &str| encoding_rs::WINDOWS_1252.encode(&document(name)).0.into_owned();
    for (name, bytes) in [
        ("utf8", document("UTF-8").into_bytes()),
        ("latin", latin("ISO-8859-1")),
        ("windows", latin("windows-1252")),
        ("little", utf16(false)),
        ("big", utf16(true)),
    ] {
        place.file("a.xml", bytes);
        assert_eq!(place.run(&["import", "a.xml", "--ente", "H501"]).code, 0, "{name}");
    }
    assert_eq!(feed(&database).len(), 1);
    let other = place.run(&["check", "a.xml", "--ente", "F205"]);
    assert_eq!(other.code, 3, "another ente's file");
    assert!(other.stdout.contains("H501") && other.stdout.contains("F205"), "{other:?}");
}

#[test]
fn reports_follow_the_source_and_are_safe_in_a_spreadsheet() {
    let (_database, place) = place();
    let rows =
        [borsa("1").replace(";1;380;", ";=1+1;380;"), borsa("2"), borsa("@3").replace("Borse", "Bo\u{1}rse")];
    place.file("a.csv", table(&rows));
    let done = place.run(&["check", "a.csv", "--ente", "H501", "--report", "r.csv"]);
    assert_eq!(done.code, 3);
    let report = std::fs::read_to_string(place.path().join("r.csv")).unwrap();
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(report.as_bytes());
    let entries: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(&entries[0][0], "2");
    assert_eq!(&entries[0][5], "'=1+1");
    assert_eq!((&entries[1][0], &entries[1][8]), ("4", "'@3"));
    let json = place.run(&["check", "a.csv", "--ente", "H501", "--json"]);
    let summary: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&summary["records"], &summary["refused"]), (&Value::from(3), &Value::from(2)));
}

#[test]
fn a_report_says_of_which_file_and_overwrites_none() {
    let (_database, place) = place();
    let wrong = table(&[borsa("1").replace(";1;380;", ";7;380;")]);
    for name in ["a.csv", "b.csv"] {
        place.file(name, &wrong);
    }
    for (report, options) in [("a.csv", ["a.csv", "b.csv"]), ("./b.csv", ["a.csv", "b.csv"])] {
        let refused =
            place.run(&[&["check", "--ente", "H501", "--report", report], options.as_slice()].concat());
        assert!(refused.code == 2 && refused.stderr.contains("would overwrite"), "{refused:?}");
    }
    assert_eq!(place.run(&["check", "a.csv", "b.csv", "--ente", "H501", "--report", "r.csv"]).code, 3);
    let report = std::fs::read_to_string(place.path().join("r.csv")).unwrap();
    let files: Vec<&str> = report.lines().map(|line| line.rsplit(';').next().unwrap()).collect();
    assert_eq!(files, ["file", "a.csv", "b.csv"]);
    assert_eq!(place.run(&["check", "a.csv", "b.csv", "--ente", "H501", "--report", "r.json"]).code, 3);
    let report: Vec<Value> =
        serde_json::from_slice(&std::fs::read(place.path().join("r.json")).unwrap()).unwrap();
    assert_eq!([&report[0]["file"], &report[1]["file"]], ["a.csv", "b.csv"]);
    assert_eq!(place.run(&["check", "a.csv", "--ente", "H501", "--report", "r.json"]).code, 3);
    let report: Vec<Value> =
        serde_json::from_slice(&std::fs::read(place.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report[0].get("file"), None, "there is one file only");
}

/// What staff are told to write is what they have to look for, not the form that it has.
#[test]
fn remedies_say_what_to_look_for() {
    let (_database, place) = place();
    let good = table(&[borsa("1")]);
    let sinba = "IDBeneficiario;Prestazioni;ComposizioneFamiglia\n";
    for (content, words) in [
        (good.replace(";2015;H501;", ";2015;058091;"), "catastale (Belfiore)"),
        (good.replace(";058091;", ";58091;"), "codice ISTAT del comune, con gli zeri"),
        (good.replace(";08;", ";Lazio;"), "Agenzia delle Entrate"),
        (good.replace(";380\n", ";IT\n").replace(";380;2;2;", ";IT;2;2;"), "380 è l'Italia"),
        (good.replace("A1.19", "A1"), "un codice del nomenclatore"),
        (
            good.replace("PresaCarico\n", "PresaCarico;OreServizioMensile\n").replace(";2\n", ";2;2:30\n"),
            "2.30 per due ore",
        ),
        (good.replace("Conti", "Con\u{7}ti"), "un carattere di controllo"),
        (format!("{sinba}MIN-1;;1\n"), "XSD-01: Prestazioni\n"),
        (format!("{sinba}MIN-1;A2.02, A2.11;1\n"), "XSD-03: Prestazioni = "),
        (format!("{sinba}MIN-1;A2.02;Madre\n"), "XSD-03: ComposizioneFamiglia = "),
    ] {
        place.file("a.csv", &content);
        let done = place.run(&["check", "a.csv", "--ente", "H501"]);
        assert!(done.code == 3 && done.stdout.contains(words), "{words}: {done:?}");
    }
}

#[test]
fn a_code_in_other_letters_is_the_same_code() {
    let (_database, place) = place();
    for (code, refused, words) in [
        ("a4.10", 3, "PS-14: CodicePrestazione"),
        ("A4. 10", 3, "PS-14: CodicePrestazione"),
        ("a1.19", 0, "Forse è A1.19: scriverlo così."),
        ("A9.99", 0, "Controllare il codice nel nomenclatore"),
    ] {
        place.file("a.csv", table(&[borsa("1").replace("A1.19", code)]));
        let done = place.run(&["check", "a.csv", "--ente", "H501"]);
        assert!(done.code == refused && done.stdout.contains(words), "{code}: {done:?}");
    }
}

#[test]
fn commands_say_what_they_lack() {
    let (database, place) = place();
    place.file("a.csv", table(&[borsa("1")]));
    let unknown = place.run(&["import", "a.csv", "--ente", "Z999"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("Z999"), "{unknown:?}");
    let config = place.run(&["import", "a.csv", "--ente", "H501", "--config", "none.toml"]);
    assert_eq!(config.code, 2);
    let dry = place.run(&["import", "a.csv", "--ente", "H501", "--dry-run"]);
    assert_eq!(dry.code, 0);
    assert!(dry.stdout.contains("Flussi che si pubblicherebbero: 1. Prestazioni nuove: 1,"), "{dry:?}");
    assert!(feed(&database).is_empty(), "{dry:?}");
    let mut pipe = place.command(&["check", "/dev/stdin", "--ente", "H501"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(HEADER.as_bytes()).unwrap();
    let output = pipe.stdin(reader.into()).output().unwrap();
    drop(writer);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("è una pipe"), "{output:?}");
    let nobody = place.run(&["check", "a.csv", "--ente", ""]);
    assert_eq!(nobody.code, 2, "{nobody:?}");
    let nowhere = place.run(&["check", "a.csv", "--ente", "H501", "--report", "none/r.csv"]);
    assert!(nowhere.code == 1 && nowhere.stderr.contains("none/r.csv"), "{nowhere:?}");
}

#[test]
fn a_reader_who_leaves_does_not_stop_the_import() {
    let (database, place) = place();
    let rows: Vec<String> =
        (0..2000).map(|number| borsa(&number.to_string()).replace(";1;380;", ";7;380;")).collect();
    place.file("a.csv", table(&[rows, vec![borsa("good")]].concat()));
    let mut import = place.command(&["import", "a.csv", "--ente", "H501"]);
    let mut import = import.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(import.stdout.take());
    let output = import.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(feed(&database).len(), 1, "the record behind the refused ones is published");
}
