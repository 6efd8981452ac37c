//! The judgement that no test escapes: every flow that a test left in its database is valid for libxml2 with INPS's
//! schemas, and breaks none of INPS's other rules.

use diesel::prelude::*;
use diesel::sql_types::Text;
use waas_comuni::clock::Clock;
use waas_comuni::registry::{PublishedFlusso, Registry};
use waas_comuni::siuss::record::TipoFlusso;
use waas_comuni::siuss::xml::{Document, Encoding, Item};
use waas_comuni::store::{Store, StoreError};

use super::c_rules::Facts;
use super::watch::WATCH;
use super::xmllint;

/// Flows that are judged at once.
const PAGE: u32 = 10_000;

#[derive(QueryableByName)]
struct Eservice {
    #[diesel(sql_type = Text)]
    name: String,
}

/// Panics when a feed of `store` has a flow that INPS would refuse; gives how many it has that INPS would take.
pub(crate) fn assert_accepted(store: &Store) -> usize {
    let names: Result<Vec<Eservice>, StoreError> = store.read(|connection| {
        Ok(diesel::sql_query("SELECT name FROM eservice ORDER BY name").load(connection)?)
    });
    // A database that cannot be reached, or was never made, has no feed.
    let Ok(names) = names else { return 0 };
    let mut count = 0;
    let registry = Registry::new(store.clone(), Clock::System);
    for Eservice { name } in names {
        let eservice = store.find_eservice(&name).unwrap().unwrap();
        let mut since = 0;
        loop {
            let flussi = registry.page(eservice, since, PAGE).unwrap();
            let Some(last) = flussi.last() else { break };
            since = u128::try_from(last.ts_ms).unwrap();
            judge(&flussi);
            for flusso in &flussi {
                WATCH.keep_secret_all_of(&flusso.xml);
            }
            count += flussi.len();
        }
    }
    count
}

/// Panics when INPS would refuse one of `flussi`.
pub(crate) fn judge(flussi: &[PublishedFlusso]) {
    for (tipo, schema, own) in [
        (TipoFlusso::PsPsaSina, "PS_PSA_SINA201812.xsd", "ps_psa_sina.xsd"),
        (TipoFlusso::Sinba, "SINBA.xsd", "sinba.xsd"),
    ] {
        let flussi: Vec<_> = flussi.iter().filter(|flusso| flusso.tipo == tipo).collect();
        if flussi.is_empty() {
            continue;
        }
        let documents: Vec<&[u8]> = flussi.iter().map(|flusso| flusso.xml.as_slice()).collect();
        let schema = xmllint::official(schema).unwrap_or_else(|| xmllint::own(own));
        for (flusso, verdict) in flussi.iter().zip(xmllint::judge(&documents, &[&schema])) {
            let text = String::from_utf8_lossy(&flusso.xml);
            assert!(verdict[0].is_valid(), "{} was published: {verdict:?}\n{text}", flusso.id_flusso);
            let broken = Facts::of(&record(&flusso.xml)).broken();
            assert!(broken.is_empty(), "{} was published: {broken:?}\n{text}", flusso.id_flusso);
        }
    }
}

fn record(xml: &[u8]) -> waas_comuni::siuss::element::Element {
    Document::new(xml, Encoding::Utf8)
        .find_map(|item| match item {
            Item::Record(element) => Some(element),
            Item::Identificazione(_) | Item::Fault(_) => None,
        })
        .unwrap()
}
