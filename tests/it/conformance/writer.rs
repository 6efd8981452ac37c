//! The product's writer: what it makes of any record is valid, and is read back as the same record.

use waas_comuni::siuss::xml;

use super::corpus::{self, Flow, PS_PSA_SINA, SINBA};
use super::random::Random;
use crate::support::xmllint;

/// Records of every shape, written and read again.
fn writer_agrees(flow: &Flow) {
    let seed = Random::seed();
    let samples = corpus::valid(flow, &mut Random::new(seed));
    let flows: Vec<_> =
        samples.iter().map(|sample| xml::read(&sample.bytes).expect("a valid document")).collect();
    let written: Vec<Vec<u8>> = flows.iter().map(xml::write).collect();
    let documents: Vec<&[u8]> = written.iter().map(Vec::as_slice).collect();
    let verdicts = xmllint::judge(&documents, &[&flow.best_schema()]);

    let mut disagreements = Vec::new();
    for (((sample, read), written), verdict) in samples.iter().zip(&flows).zip(&written).zip(&verdicts) {
        let text = String::from_utf8_lossy(written);
        if !verdict[0].is_valid() {
            disagreements.push((sample, format!("libxml2 {verdict:?}: {text}")));
        }
        let again = xml::read(written);
        if again.as_ref() != Ok(read) {
            disagreements.push((sample, format!("written {text}, read again {again:?}, at first {read:?}")));
        }
    }
    corpus::assert_none(&disagreements, seed);
}

#[test]
fn every_ps_psa_sina_that_is_written_is_valid_and_reads_back_the_same() {
    writer_agrees(&PS_PSA_SINA);
}

#[test]
fn every_sinba_that_is_written_is_valid_and_reads_back_the_same() {
    writer_agrees(&SINBA);
}
