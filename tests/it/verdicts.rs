//! Random benefits, and a second opinion on each: the product refuses exactly what the rules marked C refuse.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use waas_comuni::clock::Clock;
use waas_comuni::intake::{self, Format, Mapping, Options};
use waas_comuni::registry::{PublishedFlusso, Registry};
use waas_comuni::siuss::notice::Severity;
use waas_comuni::siuss::record::TipoFlusso;
use waas_comuni::siuss::rules::Rulebook;

use crate::conformance::random::Random;
use crate::support::c_rules::{Facts, Values};
use crate::support::database::on_both_databases;
use crate::support::published;
use crate::support::records::{mensa, minore, roma};

const BENEFITS: usize = 90_000;
const CHILDREN: usize = 10_000;

/// The columns of a benefit, a value that agrees with the others, and values that may not.
const BENEFIT: &[(&str, &str, &[&str])] = &[
    ("Cognome", "Conti", &["Bianchi"]),
    ("Nome", "Luca", &["Anna"]),
    ("AnnoNascita", "2015", &["2014"]),
    ("LuogoNascita", "H501", &["Z404"]),
    ("Genere", "1", &["2"]),
    ("CodiceCittadinanza", "380", &["990"]),
    ("CodiceRegione", "08", &["", "12"]),
    ("CodiceComune", "058091", &["", "015146"]),
    ("CodiceNazione", "380", &["250", "990"]),
    ("TipoOperazione", "", &["I", "C"]),
    ("PresenzaProvaMezzi", "1", &["2", "4"]),
    ("CaratterePrestazione", "1", &["", "2"]),
    ("NumeroProtocolloDSU", "INPS-ISEE-2024-01234567A-00", &["", "INPS-ISEE-2023-01234567A-00", "12/2024"]),
    ("AnnoProtocolloDSU", "2024", &["", "2023"]),
    ("DataDSU", "2024-01-14", &["", "14/01/2024"]),
    ("CodicePrestazione", "A2.12", &["A2.07", "A2.17", "A4.10", "A1.01", "A1.05.01", "A9.99", "A1.04.01"]),
    ("DenominazionePrestazione", "Mensa scolastica", &["Altra prestazione"]),
    ("ProtocolloDomanda", "2024/000417", &["1"]),
    ("DataEvento", "2024-08-25", &[""]),
    ("DataInizioPrestazione", "2024-09-01", &["", "01/03/2024", "2024-12-31", "2025-01-01", "2023-09-01"]),
    ("DataFinePrestazione", "2024-12-31", &["", "31/05/2024", "2025-05-31", "2024-09-01", "31/12/2025"]),
    ("DataErogazionePrestazione", "", &["2024-10-01", "01/10/2024"]),
    ("ImportoPrestazione", "", &["84.20", "84,2", "0", "-1", "120"]),
    ("PeriodoErogazione", "4", &["", "0", "1", "9", "12", "13"]),
    ("ImportoMensile", "84.20", &["", "0.00", "-84.20", "84,2", "61.55", "84.21"]),
    ("ImportoQuotaEnte", "61.55", &["", "0", "-1", "84.20", "61,55", "60.55"]),
    ("ImportoQuotaUtente", "22.65", &["", "0", "-1", "0.00", "22,65", "22.66"]),
    ("ImportoQuotaSSN", "", &["0", "1", "1.00", "-1"]),
    ("ImportoQuotaRichiesta", "84.20", &[""]),
    ("ImportoSogliaISEE", "5560.00", &["", "5.560"]),
    ("OreServizioMensile", "", &["2", "2.5", "2,59", "2.59", "2.6", "2.60", "0.75", "12.30", "12.99"]),
    ("PresaCarico", "2", &["1"]),
    ("AreaUtenza", "", &["1", "2", "3"]),
];

/// The same of a child in care.
const CHILD: &[(&str, &str, &[&str])] = &[
    (
        "IDBeneficiario",
        "MIN-2025-0001",
        &[
            "CNTLCU15E09H501T",
            "cntlcu 15e09 h501t",
            "X-CNTLCUMRELVHRLMT",
            "12345678901",
            "123456789-01",
            "1234567890",
            "CNTLCU15E09H501",
            "CNTLCU15K09H5K1T",
            "ABCDEFGHIJKOWXYZABCD",
        ],
    ),
    ("MinoreStranieroNoAcc", "2", &["1"]),
    ("CondizioneMinore", "1", &["2"]),
    ("LuogoVita", "1", &["2"]),
    ("ScuolaFrequentata", "5", &["4"]),
    ("CondizioneLavoro", "1", &["2"]),
    ("Disabilita", "2", &["1"]),
    ("DataPrimaSegnalazione", "03/2024", &["12/2023"]),
    ("FonteSegnalazione", "13", &["1"]),
    ("ValutazioneMinore", "2", &["1"]),
    ("ValutazioneFamigliaMinore", "2", &["1"]),
    ("SegnalazioneAutoritaGiudiziaria", "2", &["1"]),
    ("ProvvedimentoGiudiziario", "2", &["1"]),
    ("NumeroComponentiISEE", "", &["0", "-3", "1", "9", "10"]),
    ("FasciaEtaBeneficiario", "4", &["3"]),
    ("AnnoNascita", "2014", &["2013"]),
    ("CodiceRegioneResidenza", "08", &["", "22"]),
    ("CodiceNazioneResidenza", "380", &["250", "990"]),
    ("Prestazioni", "A2.02", &["A2.02|A2.12"]),
    ("ComposizioneFamiglia", "1", &["1|2"]),
];

/// A few values of `columns` changed: most records are nearly right, as people's are.
fn vary(columns: &[(&str, &str, &[&str])], random: &mut Random) -> Values {
    let mut values: Values =
        columns.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())).collect();
    for _ in 0..random.below(5) {
        let (name, _, others) = random.pick(columns);
        values.insert(name.to_owned(), random.pick(others).to_owned());
    }
    values
}

/// A fiscal code with as many of its digits replaced as chance says, in the order in which they are; now and then one
/// that is none.
fn fiscal_code(random: &mut Random) -> String {
    if random.chance(2) {
        return random.pick(&["RSSMRA80A01H5", "RSSMRA80A01H501", "1234567890", "123456789012"]).to_owned();
    }
    if random.chance(5) {
        return "12345678903".to_owned();
    }
    let mut code: Vec<u8> = b"CNTLCU15E09H501T".to_vec();
    let replaced = if random.chance(70) { 0 } else { random.below(8) };
    for position in [15, 14, 13, 11, 10, 8, 7].into_iter().take(replaced) {
        let digit = usize::from(code[position - 1] - b'0');
        code[position - 1] = b"LMNPQRSTUV"[digit];
    }
    String::from_utf8(code).unwrap()
}

fn benefit(random: &mut Random) -> Facts {
    let mut values = vary(BENEFIT, random);
    if random.chance(40) {
        // An occasional one, as right as the others at first.
        for (name, value) in [
            ("CaratterePrestazione", "2"),
            ("DataErogazionePrestazione", "2024-10-01"),
            ("ImportoPrestazione", "84.20"),
            ("ImportoMensile", ""),
            ("DataInizioPrestazione", ""),
            ("DataFinePrestazione", ""),
        ] {
            if random.chance(97) {
                values.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    values.insert("CodiceFiscale".to_owned(), fiscal_code(random));
    let address = ["CodiceRegione", "CodiceComune", "CodiceNazione"]
        .map(|name| (name.to_owned(), values[name].clone()))
        .into_iter()
        .collect();
    Facts { is_sinba: false, values, addresses: vec![address] }
}

/// What the schema refuses of what is made here: then no rule beyond it is asked.
fn refused_by_the_schema(facts: &Facts) -> BTreeSet<&'static str> {
    let mut refused = BTreeSet::new();
    let get = |name: &str| facts.values.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if facts.is_sinba {
        if get("NumeroComponentiISEE") == Some("10") {
            refused.insert("XSD-03");
        }
        return refused;
    }
    let code = get("CodiceFiscale").unwrap();
    match code.len() {
        11 => {}
        16 => {
            let replaced =
                [15, 14, 13, 11, 10, 8, 7].into_iter().filter(|at| code.as_bytes()[at - 1] > b'9').count();
            if replaced > 3 {
                refused.insert("CF-01");
            }
        }
        _ => {
            refused.insert("XSD-03");
        }
    }
    if matches!(get("PeriodoErogazione"), Some("0" | "13")) && !crosses_years(facts) {
        refused.insert("XSD-03");
    }
    refused
}

/// Whether it is divided by year, and its months are counted then, whatever it states.
fn crosses_years(facts: &Facts) -> bool {
    let year =
        |name: &str| facts.values[name].split(['-', '/']).find(|part| part.len() == 4).map(str::to_owned);
    facts.values["CaratterePrestazione"] == "1"
        && year("DataInizioPrestazione")
            .zip(year("DataFinePrestazione"))
            .is_some_and(|(first, last)| first < last)
}

/// The records as a table, and what the product says of each: the rules for which it refuses it.
fn verdicts(folder: &Path, name: &str, records: &[Facts]) -> Vec<BTreeSet<&'static str>> {
    let path = folder.join(name);
    let mut table = csv::WriterBuilder::new().delimiter(b';').from_path(&path).unwrap();
    let columns: Vec<&String> = records[0].values.keys().collect();
    table.write_record(&columns).unwrap();
    for record in records {
        table.write_record(record.values.values()).unwrap();
    }
    table.flush().unwrap();
    let rulebook = Rulebook::shipped();
    let mapping = Mapping::default();
    let options = Options { ente: "H501", format: Some(Format::Csv), mapping: &mapping, rulebook: &rulebook };
    let taken = intake::read(&path, &options, |_| {}).unwrap_or_else(|notices| panic!("{notices:?}"));
    taken
        .map(|taken| {
            assert_eq!(taken.is_refused(), taken.records.is_empty());
            let refusals = taken.notices.iter().filter(|notice| notice.severity == Severity::Errore);
            refusals.map(|notice| notice.rule.code).collect()
        })
        .collect()
}

#[test]
fn the_product_refuses_what_the_rules_marked_c_refuse_and_nothing_else() {
    let seed = Random::seed();
    let folder = tempfile::tempdir().unwrap();
    let workers = thread::available_parallelism().map_or(1, usize::from).min(4);
    let met: Vec<BTreeSet<&'static str>> = thread::scope(|scope| {
        let run = |worker: usize| {
            let mut random = Random::new(seed.wrapping_add(u64::try_from(worker).unwrap()));
            let mut met = BTreeSet::new();
            let benefits: Vec<Facts> =
                (0..BENEFITS.div_ceil(workers)).map(|_| benefit(&mut random)).collect();
            let children: Vec<Facts> = (0..CHILDREN.div_ceil(workers))
                .map(|_| Facts { is_sinba: true, values: vary(CHILD, &mut random), addresses: Vec::new() })
                .collect();
            for (name, records) in [("benefits", benefits), ("children", children)] {
                let verdicts = verdicts(folder.path(), &format!("{name}-{worker}.csv"), &records);
                assert_eq!(verdicts.len(), records.len());
                let mut refused = 0;
                for (record, product) in records.iter().zip(verdicts) {
                    let schema = refused_by_the_schema(record);
                    let expected = if schema.is_empty() { record.broken_as_source() } else { schema };
                    assert_eq!(product, expected, "WAAS_TEST_SEED={seed}: {record:#?}");
                    refused += usize::from(!expected.is_empty());
                    met.extend(expected);
                }
                let taken = records.len() - refused;
                assert!(
                    taken > records.len() / 10 && refused > records.len() / 10,
                    "{refused} of {} refused: too few of one kind to prove anything",
                    records.len()
                );
            }
            met
        };
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || run(worker))).collect();
        running.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let every: BTreeSet<&str> = [
        "CF-01", "PS-02", "PS-03", "PS-04", "PS-05", "PS-07", "PS-08", "PS-11", "PS-12", "PS-13", "PS-14",
        "SINBA-04", "SINBA-05", "SINBA-06", "XSD-03",
    ]
    .into_iter()
    .collect();
    for met in met {
        assert_eq!(met, every, "WAAS_TEST_SEED={seed}: a rule was never put to the test");
    }
}

on_both_databases! {
    fn what_a_test_leaves_in_its_database_is_judged(database) {
        let store = database.store();
        assert_eq!(published::assert_accepted(&store), 0);
        let eservice = store.register_eservice("prova").unwrap();
        let records = [mensa("1", 8420), minore("MIN-1", 5)];
        Registry::new(store.clone(), Clock::System).publish(eservice, &roma(), &records).unwrap();
        assert_eq!(published::assert_accepted(&store), 2);
    }
}

#[test]
fn the_judge_of_what_tests_publish_sees_what_inps_would_refuse() {
    let published = |xml: String| {
        let flusso = PublishedFlusso {
            codice_ente: "H501".to_owned(),
            denominazione_ente: "Comune di Roma".to_owned(),
            id_flusso: "H501.PS.20240101.0000001".to_owned(),
            ts_ms: 1,
            tipo: TipoFlusso::PsPsaSina,
            xml: xml.into_bytes(),
        };
        thread::spawn(move || published::judge(&[flusso])).join().is_ok()
    };
    let right = |quota: &str, genere: &str| {
        format!(
            "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"x\"><Ente Codice=\"H501\" \
             Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
             <Beneficiario CodiceFiscale=\"CNTLCU15E09H501T\"><Anagrafica Cognome=\"Conti\" Nome=\"Luca\" \
             AnnoNascita=\"2015\" LuogoNascita=\"H501\" Genere=\"{genere}\" CodiceCittadinanza=\"380\"/>\
             <Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
             <PrestazioniSociali PresenzaProvaMezzi=\"2\" CaratterePrestazione=\"2\" CodicePrestazione=\"A1.19\" \
             DenominazionePrestazione=\"Borse di studio\" ProtocolloDomanda=\"1\" \
             DataErogazionePrestazione=\"2025-03-15\" ImportoPrestazione=\"600.00\" ImportoQuotaEnte=\"{quota}\" \
             PresaCarico=\"2\"/></Beneficiario></Flusso>"
        )
    };
    assert!(published(right("600.00", "1")));
    assert!(!published(right("599.99", "1")), "rule 7");
    assert!(!published(right("600.00", "3")), "the schema");
}
