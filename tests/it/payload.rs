//! What is stored of a flow: nothing of a document is lost, damage is noticed, what older versions wrote is served.

use std::slice;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, SmallInt};
use openssl::sha::sha256;
use proptest::prelude::*;
use waas_comuni::payload::{LARGEST, PLAIN, PayloadError, ZSTD_1, pack, unpack};
use waas_comuni::registry::{Lookup, Payload};
use waas_comuni::siuss::record::{Flusso, NomeFlusso, Record, TipoOperazione};
use waas_comuni::siuss::values::Value;
use waas_comuni::siuss::xml;
use waas_comuni::store::StoreError;

use crate::conformance::plausible;
use crate::conformance::random::Random;
use crate::support::app::App;
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore, roma, withdrawn};

/// Flows of enti that the dictionary was not trained on.
fn flows(count: usize) -> Vec<Vec<u8>> {
    let (mut random, nomenclature) = (Random::new(7), plausible::nomenclature());
    (0..count).map(|_| plausible::flusso(&mut random, plausible::OTHER_ENTI, &nomenclature)).collect()
}

proptest! {
    #[test]
    fn nothing_is_lost(bytes in proptest::collection::vec(any::<u8>(), 0..4096), times in 1_usize..20) {
        let document = bytes.repeat(times);
        let packed = pack(&document);
        prop_assert!(packed.bytes.len() <= document.len());
        prop_assert_eq!(packed.length().unwrap(), document.len());
        let mut read = b"of another document".to_vec();
        packed.unpack_into(&mut read).unwrap();
        prop_assert_eq!(&read, &document);
        prop_assert_eq!(unpack(packed.format, packed.bytes.to_vec()).unwrap(), document);
    }

    #[test]
    fn what_is_no_payload_is_an_error(format in any::<i16>(), bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        match unpack(format, bytes.clone()) {
            Ok(document) => prop_assert!(format == PLAIN && document == bytes),
            Err(_) => prop_assert_ne!(format, PLAIN),
        }
    }

    #[test]
    fn damage_never_gives_another_document(place in any::<proptest::sample::Index>(), change in 1_u8.., cut in any::<bool>()) {
        let document = flows(1).remove(0);
        let mut bytes = pack(&document).bytes.into_owned();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= change;
        }
        if let Ok(read) = unpack(ZSTD_1, bytes) {
            prop_assert_eq!(read, document);
        }
    }
}

#[test]
fn the_first_dictionary_is_what_it_was() {
    // Flows that were written with it can be read with it alone: another dictionary is another file and format.
    let digest = sha256(include_bytes!("../../src/payload/dictionary-1.zstd"));
    assert_eq!(BASE64_STANDARD.encode(digest), "GHtqCwL6eiyDUO5MDKDYmXiq7P4a4d+jqvUdQ9EhQaU=");
}

#[test]
fn flows_of_any_ente_take_a_fifth_of_their_room() {
    let flows = flows(1000);
    let packed: usize = flows
        .iter()
        .map(|flow| {
            let packed = pack(flow);
            assert_eq!(packed.format, ZSTD_1);
            assert_eq!(&unpack(packed.format, packed.bytes.to_vec()).unwrap(), flow);
            packed.bytes.len()
        })
        .sum();
    let plain: usize = flows.iter().map(Vec::len).sum();
    assert!(packed * 5 < plain, "{packed} of {plain}");
}

#[test]
fn what_is_too_large_is_neither_compressed_nor_made() {
    let large = vec![0; LARGEST + 1];
    assert_eq!(pack(&large).format, PLAIN);
    assert_eq!(pack(&large[1..]).format, ZSTD_1);
    let bomb = zstd::bulk::compress(&large, 1).unwrap();
    assert!(matches!(unpack(ZSTD_1, bomb), Err(PayloadError::Size)));
    assert!(matches!(unpack(0, Vec::new()), Err(PayloadError::Format(0))));
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    ts: i64,
    #[diesel(sql_type = SmallInt)]
    payload_format: i16,
    #[diesel(sql_type = Binary)]
    payload: Vec<u8>,
}

fn rows(app: &App) -> Vec<Row> {
    let sql = "SELECT ts, payload_format, payload FROM flusso ORDER BY ts";
    app.store.read(|connection| Ok(diesel::sql_query(sql).load(connection)?)).unwrap()
}

/// Stores `payload` in the place of the flow's at `ts`.
fn store(app: &App, ts: i64, format: i16, payload: &[u8]) {
    app.store
        .write(|connection| {
            let update =
                diesel::sql_query("UPDATE flusso SET payload_format = $1, payload = $2 WHERE ts = $3");
            let update = update.bind::<SmallInt, _>(format).bind::<Binary, _>(payload).bind::<BigInt, _>(ts);
            Ok(update.execute(connection)?)
        })
        .unwrap();
}

/// The document with which `record` is inserted under this name.
fn document(name: &str, record: &Record) -> Vec<u8> {
    xml::write(&Flusso {
        nome: NomeFlusso::read(name).unwrap(),
        ente: roma(),
        record: record.clone().with_operazione(TipoOperazione::Inserimento),
    })
}

on_both_databases! {
    fn what_is_compressed_is_served_as_it_was_written(database) {
        let app = App::start(database);
        let records = [mensa("2025/1", 8000), minore("MIN-1", 5)];
        app.publish(&records);
        let served = app.get("/flussi?since=0").flussi();
        assert_eq!(served.len(), 2);
        for ((flusso, record), row) in served.iter().zip(&records).zip(rows(&app)) {
            let expected = document(flusso["id_flusso"].as_str().unwrap(), record);
            assert_eq!(xml_of(flusso), expected);
            assert_eq!(row.payload_format, ZSTD_1);
            assert!(row.payload.len() * 3 < expected.len(), "{} bytes", row.payload.len());
        }
    }

    fn what_an_older_version_stored_is_served_shown_and_cancelled(database) {
        let app = App::start(database);
        let record = mensa("2025/1", 8000);
        app.publish(slice::from_ref(&record));
        let before = app.get("/flussi?since=0").flussi();
        let xml = xml_of(&before[0]);
        let ts = rows(&app)[0].ts;
        store(&app, ts, PLAIN, &xml);
        assert_eq!(app.get("/flussi?since=0").flussi(), before);
        app.publish(&[withdrawn(&record)]);
        let found = app.registry.find(app.eservice, &Lookup::Label("2025/1".to_owned()), 1).unwrap();
        let shown: Vec<_> = found[0].flussi.iter().map(|flusso| flusso.payload.clone()).collect();
        let served: Vec<_> = app.get("/flussi?since=0").flussi().iter().map(xml_of).map(Payload::Xml).collect();
        assert_eq!(shown, served);
        assert_eq!(shown[0], Payload::Xml(xml.clone()));
        let (name, text) = (before[0]["id_flusso"].as_str().unwrap(), String::from_utf8(xml).unwrap());
        let cancelled = text.replace(name, &name.replace("0000001", "0000002")).replace("\"I\"", "\"C\"");
        assert_eq!(shown[1], Payload::Xml(cancelled.into_bytes()));
        assert_eq!(rows(&app).iter().map(|row| row.payload_format).collect::<Vec<_>>(), [PLAIN, ZSTD_1]);
    }

    fn a_program_that_knows_no_dictionary_finds_plain_payloads(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), minore("MIN-1", 5)]);
        let served = app.get("/flussi?since=0").flussi();
        let applied = app.store.schema_state().unwrap().applied;
        let before = applied.iter().rfind(|version| version.as_str() < "0017").unwrap();
        app.store.migrate_to(before, true).unwrap();
        let plain: Vec<_> = rows(&app).into_iter().map(|row| (row.payload_format, row.payload)).collect();
        assert_eq!(plain, served.iter().map(|flusso| (PLAIN, xml_of(flusso))).collect::<Vec<_>>());
        app.store.migrate().unwrap();
        assert_eq!(app.get("/flussi?since=0").flussi(), served);
    }

    fn a_damaged_payload_is_an_error_and_the_service_goes_on(database) {
        let app = App::start(database);
        app.publish(&[mensa("2025/1", 8000), mensa("2025/2", 8000)]);
        let whole = rows(&app);
        let mut damaged = whole[0].payload.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for (format, payload) in [(ZSTD_1, damaged.as_slice()), (ZSTD_1, b"".as_slice()), (99, &whole[0].payload)] {
            store(&app, whole[0].ts, format, payload);
            let refused = app.registry.page(app.eservice, 0, 10).unwrap_err();
            assert!(matches!(refused, StoreError::Unreadable(_)), "{refused:?}");
            assert!(app.get("/flussi?since=0").status >= 500);
            assert_eq!(app.get(&format!("/flussi?since={}", whole[0].ts)).flussi().len(), 1);
        }
        store(&app, whole[0].ts, whole[0].payload_format, &whole[0].payload);
        assert_eq!(app.get("/flussi?since=0").flussi().len(), 2);
    }
}

/// The document of a flow as it is served.
fn xml_of(flusso: &serde_json::Value) -> Vec<u8> {
    BASE64_STANDARD.decode(flusso["flusso"].as_str().unwrap()).unwrap()
}
