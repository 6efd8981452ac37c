//! A flow as XML and back, beside the base64 that its page needs in any case.

use std::hint::black_box;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use waas_comuni::siuss::record::{Flusso, NomeFlusso};
use waas_comuni::siuss::values::Value;
use waas_comuni::siuss::xml;

use crate::harness::{Contestant, compare};
use crate::support::records::{mensa, roma};

const TIMES: u32 = 20_000;

pub fn measure() {
    let flusso = Flusso {
        nome: NomeFlusso::read("H501.PS.20260101.0000001").unwrap(),
        ente: roma(),
        record: mensa("2025/1", 9000),
    };
    let bytes = xml::write(&flusso);
    let repeat = |work: &dyn Fn()| (0..TIMES).for_each(|_| work());
    let contestants = vec![
        Contestant::of("base64", TIMES, || repeat(&|| drop(black_box(BASE64_STANDARD.encode(&bytes))))),
        Contestant::of("write", TIMES, || repeat(&|| drop(black_box(xml::write(black_box(&flusso)))))),
        Contestant::of("read", TIMES, || repeat(&|| drop(black_box(xml::read(black_box(&bytes)))))),
    ];
    compare(&format!("XML of a flow, {} bytes, one thread", bytes.len()), "flows", 5, contestants);
}
