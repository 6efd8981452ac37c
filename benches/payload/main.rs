//! What is stored of a flow: how small, and how fast it is written and read back, on one core.
//!
//! `cargo bench --bench payload` measures the dictionary in force, with flows of enti that it was not trained on, beside
//! zstd without one. `cargo bench --bench payload -- train FILE` makes a dictionary: the next is
//! `src/payload/dictionary-2.zstd`, with a format of its own; one that was released is never made again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a measurement ends where something fails, and has no public face"
)]

#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "the other bench times some of its contestants itself")]
mod harness;
#[path = "../../tests/it/conformance/plausible.rs"]
mod plausible;
#[path = "../../tests/it/conformance/random.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod random;

use std::hint::black_box;

use harness::{Contestant, compare};
use random::Random;
use waas_comuni::payload::{Packed, pack, unpack};

/// Flows that a dictionary is trained on.
const SAMPLES: usize = 40_000;
/// Bytes of a dictionary: twice as many would take another twentieth off what is stored.
const SIZE: usize = 32 * 1024;
/// Flows that are measured.
const FLOWS: u32 = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().position(|argument| argument == "train") {
        Some(place) => {
            let samples = flows(1, SAMPLES, plausible::ENTI);
            std::fs::write(&arguments[place + 1], zstd::dict::from_samples(&samples, SIZE).unwrap()).unwrap();
        }
        None => measure(),
    }
}

fn flows(seed: u64, count: usize, enti: &[[&'static str; 5]]) -> Vec<Vec<u8>> {
    let (mut random, nomenclature) = (Random::new(seed), plausible::nomenclature());
    (0..count).map(|_| plausible::flusso(&mut random, enti, &nomenclature)).collect()
}

fn measure() {
    let flows = flows(2, FLOWS as usize, plausible::OTHER_ENTI);
    let packed: Vec<Packed<'_>> = flows.iter().map(|flow| pack(flow)).collect();
    let alone: Vec<Vec<u8>> = flows.iter().map(|flow| zstd::bulk::compress(flow, 3).unwrap()).collect();
    println!("| bytes of a flow, the mean | plain | zstd | zstd with the dictionary |");
    println!(
        "| | {} | {} | {} |",
        mean(flows.iter().map(Vec::len)),
        mean(alone.iter().map(Vec::len)),
        mean(packed.iter().map(|packed| packed.bytes.len()))
    );
    let write = vec![
        Contestant::of("zstd", FLOWS, || {
            for flow in &flows {
                drop(black_box(zstd::bulk::compress(flow, 3)));
            }
        }),
        Contestant::of("zstd with the dictionary", FLOWS, || {
            for flow in &flows {
                drop(black_box(pack(flow)));
            }
        }),
    ];
    compare("Compressing a flow, one thread", "flows", 5, write);
    let read = vec![
        Contestant::of("zstd", FLOWS, || {
            let mut decompressor = zstd::bulk::Decompressor::new().unwrap();
            for bytes in &alone {
                drop(black_box(decompressor.decompress(bytes, 4096)));
            }
        }),
        Contestant::of("zstd with the dictionary", FLOWS, || {
            for packed in &packed {
                drop(black_box(unpack(packed.format, packed.bytes.to_vec())));
            }
        }),
    ];
    compare("Decompressing a flow, one thread", "flows", 5, read);
}

fn mean(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.sum::<usize>() / FLOWS as usize
}
