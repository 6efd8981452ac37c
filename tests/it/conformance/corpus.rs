//! The documents on which judges are compared: arbitrary valid ones, and mutations of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::arbitrary;
use super::coverage::Coverage;
use super::dom::{self, Style};
use super::facts;
use super::mutation::{Effect, MUTATIONS, NOT_A_DATE};
use super::random::Random;
use crate::support::xmllint;

/// Valid documents of each type in one run, and changed ones of each type and each mutation.
const DOCUMENTS: usize = 10_000;
const MUTATIONS_EACH: usize = 1_000;

/// One of the two document types.
pub(super) struct Flow {
    pub(super) facts: &'static facts::Element,
    own: &'static str,
    official: &'static str,
    /// The mutations that it has no place for.
    without: &'static [&'static str],
}

pub(super) static PS_PSA_SINA: Flow = Flow {
    facts: &facts::PS_PSA_SINA,
    own: "ps_psa_sina.xsd",
    official: "PS_PSA_SINA201812.xsd",
    without: &[],
};
pub(super) static SINBA: Flow =
    Flow { facts: &facts::SINBA, own: "sinba.xsd", official: "SINBA.xsd", without: &[NOT_A_DATE] };

impl Flow {
    /// The project's own schema.
    pub(super) fn own_schema(&self) -> PathBuf {
        xmllint::own(self.own)
    }

    /// INPS's schema, where it is at hand.
    pub(super) fn official_schema(&self) -> Option<PathBuf> {
        xmllint::official(self.official)
    }

    /// The best judge at hand.
    pub(super) fn best_schema(&self) -> PathBuf {
        self.official_schema().unwrap_or_else(|| self.own_schema())
    }
}

/// A document, where it comes from and what is known of it.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    /// The mutation's name, or `valid`.
    pub(super) origin: &'static str,
    pub(super) effect: Effect,
}

/// Valid documents of every shape.
pub(super) fn valid(flow: &Flow, random: &mut Random) -> Vec<Sample> {
    let mut coverage = Coverage::default();
    let samples = (0..DOCUMENTS)
        .map(|_| {
            let document = arbitrary::document(flow.facts, random);
            coverage.add(&document, flow.facts);
            let style = Style::arbitrary(random);
            let bytes = dom::write(&document, &style, random).into_bytes();
            Sample { bytes, origin: "valid", effect: Effect::Keeps }
        })
        .collect();
    coverage.assert_complete(flow.facts);
    samples
}

/// What all comparisons are made on: valid documents, then every mutation in turn.
pub(super) fn samples(flow: &Flow, seed: u64) -> Vec<Sample> {
    let mut random = Random::new(seed);
    let mut samples = valid(flow, &mut random);
    for mutation in MUTATIONS {
        let documents = (0..MUTATIONS_EACH).map_while(|_| mutation.document(flow.facts, &mut random));
        let before = samples.len();
        samples.extend(documents.map(|bytes| Sample {
            bytes,
            origin: mutation.name,
            effect: mutation.effect,
        }));
        let expected = if flow.without.contains(&mutation.name) { 0 } else { MUTATIONS_EACH };
        assert_eq!(samples.len() - before, expected, "{}", mutation.name);
    }
    samples
}

/// Fails with the samples on which a judge and somebody else disagree: a few of each origin, and the first in full.
pub(super) fn assert_none(disagreements: &[(&Sample, String)], seed: u64) {
    const OF_EACH_ORIGIN: usize = 3;
    let Some((first, _)) = disagreements.first() else { return };
    let mut report = format!("{} disagreements (WAAS_TEST_SEED={seed})", disagreements.len());
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (sample, what) in disagreements {
        let count = told.entry(sample.origin).or_default();
        *count += 1;
        if *count <= OF_EACH_ORIGIN {
            write!(report, "\n{}: {what}", sample.origin).unwrap();
        }
    }
    panic!("{report}\nthe first document:\n{}", String::from_utf8_lossy(&first.bytes));
}
