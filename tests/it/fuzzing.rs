//! A short run of the fuzz targets: each on its seeds, then on mutations of them that are the same in every run.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use waas_comuni::payload;

use crate::conformance::random::Random;

/// Mutations for each target.
const RUNS: usize = 2000;
/// Bytes of an input.
const LONGEST: usize = 16 * 1024;

/// What readers stumble over, in any format.
const TOKENS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b";",
    b",",
    b".",
    b"|",
    b"/",
    b"-",
    b"+",
    b"0",
    b"1",
    b"=",
    b"&",
    b"%",
    b"%00",
    b"%ff",
    b"<",
    b">",
    b"</",
    b"/>",
    b"<a>",
    b"</Flusso>",
    b"<!--",
    b"-->",
    b"<![CDATA[",
    b"]]>",
    b"<?xml version=\"1.0\"?>",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"&b;",
    b"&lt;",
    b"&#0;",
    b"&#x10FFFF;",
    b"xmlns=\"\"",
    b"xsi:nil=\"true\"",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\xFE\xFF",
    b"\xC3",
    b"\xED\xA0\x80",
    b"\xF4\x8F\xBF\xBF",
    "\u{e0}".as_bytes(),
    "\u{130}".as_bytes(),
    "\u{FFFD}".as_bytes(),
    b"9999999999999999999999999999999999999999",
    b"-1",
    b"1e999",
    b"0.000000000000000000000000000001",
    b"2025-02-30",
    b"9999-12-31",
    b"0000-00-00",
    b"31/12/9999",
    b"-9999-01-01",
    b"T24:60:60Z",
    b"+23:59",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"elenco_esiti",
    b"since=",
    b"limit=",
    b"CodiceFiscale",
    b"IDBeneficiario",
    b"=1+1",
    b"LMNPQRSTUV",
    b"Bearer ",
    b"DPoP ",
    b"\nA",
    b"\nD",
    b"\nE",
    b"eyJhbGciOiJub25lIn0.",
    b"access%5ftoken=",
    b"\"exp\":",
    b"\"cnf\":{},",
    b"\"\\u0061ud\":",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(fuzz("seeds").join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

fn fuzz(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

/// Some changes to `input`, with pieces of `other`.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..random.within(1, 6) {
        let place = random.below(input.len() + 1);
        let end = place + random.below((input.len() - place).min(64) + 1);
        match random.below(8) {
            0 if place < input.len() => input[place] ^= 1 << random.below(8),
            1 if place < input.len() => input[place] = u8::try_from(random.below(256)).unwrap(),
            2 => drop(input.drain(place..end)),
            3 => {
                let piece = input[place..end].to_vec();
                let count = random.within(1, 40);
                input.splice(place..place, piece.repeat(count));
            }
            4 => {
                let from = random.below(other.len() + 1);
                let to = from + random.below(other.len() - from + 1);
                input.splice(place..end, other[from..to].iter().copied());
            }
            5 if random.chance(10) => input.truncate(place),
            6 => drop(input.splice(place..end, random.pick(TOKENS).iter().copied())),
            _ => drop(input.splice(place..place, random.pick(TOKENS).iter().copied())),
        }
    }
    input.truncate(LONGEST);
}

fn run(target: &str) {
    let body = targets::TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let holds = |input: &[u8]| {
        assert!(catch_unwind(|| body(input)).is_ok(), "{target} fails with b\"{}\"", input.escape_ascii());
    };
    let seeds = seeds(target);
    for seed in &seeds {
        holds(seed);
    }
    holds(b"");
    let mut random = Random::new(0);
    for _ in 0..RUNS {
        let mut input = random.pick(&seeds);
        mutate(&mut input, &random.pick(&seeds), &mut random);
        holds(&input);
    }
}

/// What is fuzzed is the whole way of a voucher, to its end: with seeds that are turned away at once it would be nothing.
#[test]
fn the_good_calls_among_the_seeds_are_let_in() {
    for (name, opens) in [
        ("bearer", true),
        ("dpop", true),
        ("evidenza", true),
        ("altro-nome", true),
        ("nella-query", false),
        ("spazzatura", false),
    ] {
        let call = fs::read(fuzz("seeds/voucher").join(name)).unwrap();
        assert_eq!(targets::opens(&call), opens, "{name}");
    }
}

/// The same of what is stored: the reader of compressed bytes is tried only from bytes that it reads.
#[test]
fn the_compressed_payload_among_the_seeds_is_read() {
    let stored = fs::read(fuzz("seeds/payload/compressa")).unwrap();
    let (format, bytes) = stored.split_first_chunk().unwrap();
    let document = payload::unpack(i16::from_le_bytes(*format), bytes.to_vec()).unwrap();
    assert_eq!(document, fs::read(fuzz("seeds/xml_flusso/sina")).unwrap());
}

macro_rules! targets {
    ($($target:ident)+) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })+

        #[test]
        fn every_target_has_its_function_its_program_its_seeds_and_its_test() {
            let names = |folder: &str| -> BTreeSet<String> {
                let entries = fs::read_dir(fuzz(folder)).unwrap();
                entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
            };
            let manifest: toml::Table = toml::from_str(&fs::read_to_string(fuzz("Cargo.toml")).unwrap()).unwrap();
            let programs: BTreeSet<String> = manifest["bin"]
                .as_array()
                .unwrap()
                .iter()
                .map(|program| program["name"].as_str().unwrap().to_owned())
                .collect();
            let tested: BTreeSet<String> = [$(stringify!($target)),+].map(str::to_owned).into();
            assert_eq!(targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), tested);
            assert_eq!(names("targets"), tested);
            assert_eq!(names("seeds"), tested);
            assert_eq!(programs, tested);
        }
    };
}

targets! {
    codice_fiscale
    csv
    esiti
    json
    payload
    query
    voucher
    voucher_claims
    xml_documento
    xml_flusso
    xml_intake
}
