//! What each level of gzip makes of a page, on one core.

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use waas_comuni::clock::Clock;
use waas_comuni::registry::Registry;

use crate::dataset::Dataset;
use crate::harness::{Contestant, compare};

pub fn measure(dataset: &Dataset) {
    const PAGES: u32 = 200;
    let registry = Registry::new(dataset.store.clone(), Clock::System);
    let page =
        registry.page(dataset.feed().eservice, u128::try_from(dataset.feed().first).unwrap(), 100).unwrap();
    let body: String = page
        .iter()
        .map(|flusso| {
            format!(
                "{{\"codice_ente\":\"{}\",\"denominazione_ente\":\"{}\",\"id_flusso\":\"{}\",\"ts_flusso\":\"{}\",\
                 \"tipo\":\"{}\",\"flusso\":\"{}\"}},",
                flusso.codice_ente,
                flusso.denominazione_ente,
                flusso.id_flusso,
                flusso.ts_ms,
                flusso.tipo.as_str(),
                BASE64_STANDARD.encode(&flusso.xml)
            )
        })
        .collect();
    let gzip = |level: u32| {
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::new(level));
        encoder.write_all(body.as_bytes()).unwrap();
        encoder.finish().unwrap().len()
    };
    let gzip = &gzip;
    let contestants = [1, 2, 3, 4, 6, 9]
        .map(|level| {
            let share = gzip(level) * 100 / body.len();
            Contestant::of(format!("level {level}, which leaves {share} %"), PAGES, move || {
                (0..PAGES).for_each(|_| assert!(std::hint::black_box(gzip(level)) > 0));
            })
        })
        .into();
    compare(&format!("gzip of a page of 100, {} bytes, one thread", body.len()), "pages", 3, contestants);
}
