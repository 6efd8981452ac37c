//! What must hold of a reader, whatever bytes it is given: it comes to an end, never panics, and gives on only what can
//! be published.
//!
//! One function for each target. `fuzz/targets/` hands them to libFuzzer (`make fuzz`); the tests run each on its seeds
//! and on some thousands of mutations of them. A target is its function here, its line in [`TARGETS`], its file in
//! `fuzz/targets/` with a `[[bin]]` in `fuzz/Cargo.toml`, and its seeds in `fuzz/seeds/`; a test holds the four together.

mod door;

use std::io::Cursor;
use std::sync::LazyLock;

use waas_comuni::api::outcomes;
use waas_comuni::api::problem::{Kind, Problem};
use waas_comuni::api::query::Query;
use waas_comuni::intake::{self, Format, Mapping, Options};
use waas_comuni::payload::{LARGEST, PLAIN, ZSTD_1, pack, unpack};
use waas_comuni::siuss::codice_fiscale::{check_character_is_right, has_shape, nascita};
use waas_comuni::siuss::notice::refuses;
use waas_comuni::siuss::record::{EnteErogatore, Flusso, NomeFlusso, Record, TipoOperazione};
use waas_comuni::siuss::rules::Rulebook;
use waas_comuni::siuss::values::{CodiceFiscale, Value};
use waas_comuni::siuss::xml::{self, Document, Encoding};

pub use door::{opens, voucher, voucher_claims};

/// What a target does with its input.
pub type Body = fn(&[u8]);

/// Every target, by the name of its file and of its seeds.
pub const TARGETS: &[(&str, Body)] = &[
    ("codice_fiscale", codice_fiscale),
    ("csv", csv),
    ("esiti", esiti),
    ("json", json),
    ("payload", payload),
    ("query", query),
    ("voucher", voucher),
    ("voucher_claims", voucher_claims),
    ("xml_documento", xml_documento),
    ("xml_flusso", xml_flusso),
    ("xml_intake", xml_intake),
];

/// A fiscal code: what is read is written the same, and says the same of its owner in any case of letters.
pub fn codice_fiscale(input: &[u8]) {
    let shaped = has_shape(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Some(code) = CodiceFiscale::read(text) else { return };
    assert!(!shaped || code.as_str() == text);
    assert_eq!(CodiceFiscale::read(code.as_str()).as_ref(), Some(&code));
    assert_eq!(CodiceFiscale::read(&text.to_ascii_lowercase()).as_ref(), Some(&code));
    let born = nascita(&code);
    assert!(born.is_none() || code.as_str().len() == 16);
    if check_character_is_right(&code) && code.as_str().len() == 16 {
        let mut wrong = code.as_str().to_owned();
        let last = wrong.pop().expect("16 characters");
        wrong.push(if last == 'Z' { 'A' } else { 'Z' });
        assert!(!check_character_is_right(&CodiceFiscale::read(&wrong).expect("the same form")));
    }
}

/// A CSV, from its bytes to records.
pub fn csv(input: &[u8]) {
    take(input, Format::Csv);
}

/// JSON Lines, from their bytes to records.
pub fn json(input: &[u8]) {
    take(input, Format::Json);
}

/// A file for SIUSS's web upload, from its bytes to records.
pub fn xml_intake(input: &[u8]) {
    take(input, Format::Xml);
}

fn take(input: &[u8], format: Format) {
    static RULEBOOK: LazyLock<Rulebook> = LazyLock::new(Rulebook::shipped);
    let mapping = Mapping::default();
    let options = Options { ente: "H501", format: Some(format), mapping: &mapping, rulebook: &RULEBOOK };
    let source = match intake::read_from(Cursor::new(input), format, &options, |_| {}) {
        Ok(source) => source,
        Err(notices) => {
            assert!(refuses(&notices));
            return;
        }
    };
    let mut lines = 1;
    for taken in source {
        assert!(taken.line >= lines, "records come in the order of the source");
        lines = taken.line;
        assert_eq!(taken.records.is_empty(), taken.is_refused(), "{:?}", taken.notices);
        for notice in &taken.notices {
            assert!(!notice.message.is_empty() && !notice.remedy.is_empty());
        }
        for record in &taken.records {
            publishable(record);
        }
    }
}

/// A record that was taken can be sent, and what is sent says the same.
fn publishable(record: &Record) {
    let keys = [record.identity(), record.content(), record.person().to_owned(), record.label().to_owned()];
    assert!(keys.iter().all(|key| !key.is_empty()));
    let ente = EnteErogatore::new("H501", "Comune di Roma", "H501", "RSSMRA80A01H501U").expect("a good ente");
    let nome = NomeFlusso::read("H501.PS.20260101.0000001").expect("a good name");
    for operazione in [TipoOperazione::Inserimento, TipoOperazione::Cancellazione] {
        let record = record.clone().with_operazione(operazione);
        let flusso = Flusso { nome: nome.clone(), ente: ente.clone(), record };
        assert_eq!(xml::read(&xml::write(&flusso)).as_ref(), Ok(&flusso));
    }
}

/// One flow, read strictly: what is taken is written in one form only.
pub fn xml_flusso(input: &[u8]) {
    match xml::read(input) {
        Ok(flusso) => assert_eq!(xml::read(&xml::write(&flusso)).as_ref(), Ok(&flusso)),
        Err(notices) => assert!(refuses(&notices)),
    }
}

/// A document, item by item: there are no more of them than the document can hold.
pub fn xml_documento(input: &[u8]) {
    for encoding in [Encoding::Utf8, Encoding::Converted] {
        let items = Document::new(input, encoding).count();
        assert!(items <= input.len() + 1);
    }
}

/// The body of `POST /esiti`.
pub fn esiti(input: &[u8]) {
    match outcomes::read(input) {
        Ok(esiti) => assert!(esiti.len() <= 100),
        Err(problem) => refused(&problem),
    }
}

/// The query string of `GET /flussi`.
pub fn query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Query::read(text) {
        Ok(query) => {
            assert!(query.since <= 100_000_000_000_000_000_000 && query.limit <= 100);
            let again = format!("since={}&limit={}", query.since, query.limit);
            assert!(Query::read(&again).is_ok_and(|again| again == query));
        }
        Err(problem) => refused(&problem),
    }
}

/// What is stored of a flow: any document comes back as it was, and bytes that nobody packed, after two that say how
/// they are written, are an error or a document of bounded size.
pub fn payload(input: &[u8]) {
    let packed = pack(input);
    assert!(packed.bytes.len() <= input.len());
    assert_eq!(unpack(packed.format, packed.bytes.into_owned()).expect("what was packed"), input);
    let Some((format, bytes)) = input.split_first_chunk() else { return };
    for format in [i16::from_le_bytes(*format), PLAIN, ZSTD_1] {
        if let Ok(document) = unpack(format, bytes.to_vec()) {
            assert!(document.len() <= LARGEST.max(bytes.len()));
        }
    }
}

fn refused(problem: &Problem) {
    assert_eq!(problem.kind, Kind::BadRequest);
    assert!(!problem.detail.is_empty() && problem.detail.len() < 1024, "{}", problem.detail);
}
