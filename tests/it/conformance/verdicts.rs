//! Who accepts what: libxml2 with the official schemas, libxml2 with `specs/*.xsd`, the product's own reader.

use std::path::{Path, PathBuf};

use waas_comuni::siuss::xml;

use super::corpus::{self, Flow, PS_PSA_SINA, SINBA, Sample};
use super::mutation::{DOCUMENT_TYPE, Effect, REPEATED_RECORD};
use super::random::Random;
use crate::support::xmllint::{self, Verdict};

/// The mutations whose documents the reader always refuses, although the schemas admit them: a flow holds one record,
/// and nothing in it may be expanded or fetched.
const REFUSED_BY_DESIGN: [&str; 2] = [REPEATED_RECORD, DOCUMENT_TYPE];

/// How a verdict contradicts what is certain of the sample.
fn contradiction(sample: &Sample, verdict: &Verdict) -> Option<String> {
    match (sample.effect, verdict) {
        (Effect::Breaks, Verdict::Valid) => Some("accepted, though broken".to_owned()),
        (Effect::Keeps, Verdict::Invalid(reason)) => Some(format!("refused, though sound: {reason}")),
        _ => None,
    }
}

/// How the reader's verdict differs from the one that `verdict` makes right.
fn misreading(sample: &Sample, verdict: &Verdict) -> Option<String> {
    let expected = verdict.is_valid() && !REFUSED_BY_DESIGN.contains(&sample.origin);
    match xml::read(&sample.bytes) {
        Ok(_) if !expected => Some(format!("the reader accepts, libxml2 {verdict:?}")),
        Err(notices) if expected => Some(format!("the reader refuses: {}", notices[0].message)),
        Ok(_) | Err(_) => None,
    }
}

fn all_agree(flow: &Flow) {
    let seed = Random::seed();
    let samples = corpus::samples(flow, seed);
    let documents: Vec<&[u8]> = samples.iter().map(|sample| sample.bytes.as_slice()).collect();
    let schemas: Vec<PathBuf> = [flow.own_schema()].into_iter().chain(flow.official_schema()).collect();
    let schemas: Vec<&Path> = schemas.iter().map(PathBuf::as_path).collect();
    let verdicts = xmllint::judge(&documents, &schemas);

    let mut disagreements = Vec::new();
    for (sample, verdicts) in samples.iter().zip(&verdicts) {
        // The official schema comes last, where there is one.
        let (own, right) = (&verdicts[0], &verdicts[verdicts.len() - 1]);
        let schemas =
            (own.is_valid() != right.is_valid()).then(|| format!("own {own:?}, official {right:?}"));
        let found = [schemas, contradiction(sample, own), misreading(sample, right)];
        disagreements.extend(found.into_iter().flatten().map(|what| (sample, what)));
    }
    corpus::assert_none(&disagreements, seed);
}

#[test]
fn schemas_and_reader_agree_on_ps_psa_sina() {
    all_agree(&PS_PSA_SINA);
}

#[test]
fn schemas_and_reader_agree_on_sinba() {
    all_agree(&SINBA);
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
    let verdicts = xmllint::judge(&documents, &[&PS_PSA_SINA.best_schema()]);

    assert!(xml::read(sound.as_bytes()).is_ok());
    for (((what, ..), document), verdict) in stricter.iter().zip(documents).zip(verdicts) {
        assert!(verdict[0].is_valid(), "{what}: {verdict:?}");
        assert!(xml::read(document).is_err(), "{what}");
    }
}
