//! The product's own reader and writer, with libxml2 and the official schemas as judge.

use std::path::PathBuf;

use waas_comuni::siuss::xml;

use super::mutation::{DOCUMENT_TYPE, REPEATED_RECORD};
use super::random::Random;
use super::schemas::{self, Flow, PS_PSA_SINA, SINBA, Sample};
use crate::support::xmllint::{self, Batch};

/// The mutations whose documents the reader always refuses, although the schemas admit them: a flow holds one record,
/// and nothing in it may be expanded or fetched.
const REFUSED_BY_DESIGN: [&str; 2] = [REPEATED_RECORD, DOCUMENT_TYPE];

/// The best judge at hand.
fn schema(flow: &Flow) -> PathBuf {
    xmllint::official(flow.official).unwrap_or_else(|| xmllint::own(flow.own))
}

fn reader_agrees(flow: &Flow) {
    let seed = Random::seed();
    let samples = schemas::samples(flow, false, seed);
    let verdicts = Batch::new(samples.iter().map(|sample| sample.bytes.as_slice())).judge(&schema(flow));
    let disagreements: Vec<(&Sample, String)> = samples
        .iter()
        .zip(&verdicts)
        .filter_map(|(sample, verdict)| {
            let expected = verdict.is_valid() && !REFUSED_BY_DESIGN.contains(&sample.origin);
            let refusals = xml::read(&sample.bytes).err();
            let read = refusals.map_or_else(|| "accepts".to_owned(), |notices| notices[0].message.clone());
            ((read == "accepts") != expected)
                .then(|| (sample, format!("libxml2 {verdict:?}, reader: {read}")))
        })
        .collect();
    schemas::assert_none(&disagreements, seed);
}

/// Records of every shape, written and read again.
fn writer_agrees(flow: &Flow) {
    let seed = Random::seed();
    let samples = schemas::valid(flow, false, &mut Random::new(seed));
    let flows: Vec<_> =
        samples.iter().map(|sample| xml::read(&sample.bytes).expect("a valid document")).collect();
    let written: Vec<Vec<u8>> = flows.iter().map(xml::write).collect();
    let verdicts = Batch::new(written.iter().map(Vec::as_slice)).judge(&schema(flow));

    let mut disagreements = Vec::new();
    for (((sample, flow), written), verdict) in samples.iter().zip(&flows).zip(&written).zip(&verdicts) {
        let text = String::from_utf8_lossy(written);
        if !verdict.is_valid() {
            disagreements.push((sample, format!("libxml2 {verdict:?}: {text}")));
        }
        let again = xml::read(written);
        if again.as_ref() != Ok(flow) {
            disagreements.push((sample, format!("written {text}, read again {again:?}, at first {flow:?}")));
        }
    }
    schemas::assert_none(&disagreements, seed);
}

/// What the schemas admit and no flow of ours may hold, beyond what [`REFUSED_BY_DESIGN`] lists: the whole of what
/// the reader is stricter about.
#[test]
fn what_only_the_reader_refuses_is_known() {
    let sound = "<Flusso xmlns=\"http://inps.it/Casellario\">\
        <IdentificazioneFlusso Nome=\"H501.PS.20260105.0000001\">\
        <Ente Codice=\"H501\" Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
        <Beneficiario CodiceFiscale=\"RSSGNN35B02G273P\"><Anagrafica Cognome=\"Rossi\" Nome=\"Giovanni\" \
        AnnoNascita=\"1935\" LuogoNascita=\"G273\" Genere=\"1\" CodiceCittadinanza=\"380\"/>\
        <Indirizzo CodiceNazione=\"380\"/><PrestazioniSociali PresenzaProvaMezzi=\"4\" CodicePrestazione=\"A1.19\" \
        DenominazionePrestazione=\"Borse di studio\" ProtocolloDomanda=\"1\" PresaCarico=\"2\" \
        DataEvento=\"2025-12-15\"><SINA Mobilita=\"1\" AttivitaVitaQuotidiana=\"1\" DisturbiComportamentali=\"1\" \
        AreaReddituale=\"1\" AreaSupporto=\"1\" FonteDerivazioneValutazione=\"1\" StrumentoValutazione=\"1\">\
        <InvaliditaCivile><InvCiv>1</InvCiv></InvaliditaCivile></SINA>\
        </PrestazioniSociali></Beneficiario></Flusso>";
    let stricter = [
        ("digits of other scripts, in a fiscal code", "RSSGNN35", "RSSGNN٣٥".to_owned()),
        ("a year before the first", "2025-12-15", "-0001-12-15".to_owned()),
        ("a year of more than four digits", "2025-12-15", "12025-12-15".to_owned()),
        (
            "another declared encoding",
            "<Flusso",
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Flusso".to_owned(),
        ),
        ("a tag beyond bounds", "<SINA ", format!("<SINA {}", " ".repeat(300_000))),
        ("a record beyond bounds", "<InvCiv>1</InvCiv>", "<InvCiv>1</InvCiv>".repeat(20_000)),
    ];
    let documents: Vec<String> = stricter.iter().map(|(_, from, to)| sound.replacen(from, to, 1)).collect();
    let documents: Vec<&[u8]> = documents.iter().map(String::as_bytes).collect();
    let verdicts = Batch::new(documents.iter().copied()).judge(&schema(&PS_PSA_SINA));

    assert!(xml::read(sound.as_bytes()).is_ok());
    for (((what, ..), document), verdict) in stricter.iter().zip(documents).zip(verdicts) {
        assert!(verdict.is_valid(), "{what}: {verdict:?}");
        assert!(xml::read(document).is_err(), "{what}");
    }
}

#[test]
fn reader_of_ps_psa_sina_judges_as_libxml2_does() {
    reader_agrees(&PS_PSA_SINA);
}

#[test]
fn reader_of_sinba_judges_as_libxml2_does() {
    reader_agrees(&SINBA);
}

#[test]
fn every_ps_psa_sina_that_is_written_is_valid_and_reads_back_the_same() {
    writer_agrees(&PS_PSA_SINA);
}

#[test]
fn every_sinba_that_is_written_is_valid_and_reads_back_the_same() {
    writer_agrees(&SINBA);
}
