//! What the pages show beside the feed and the log: outcomes, corrections, figures, files.

use diesel::connection::SimpleConnection;
use jiff::Timestamp;
use waas_comuni::store::{AnyConnection, Day, Store};

use crate::support::app::App;
use crate::support::bulk::{BEGIN, ESERVICES, STEP};
use crate::support::records::{mensa, roma};
use crate::support::staff::Visitor;

/// What pages are asked for with.
pub(crate) struct Filled {
    /// A benefit with an outcome, which INPS took several times.
    pub(crate) benefit: i64,
    /// One that was published by the service itself.
    pub(crate) published: i64,
    /// The flow of the former.
    pub(crate) flow: String,
    /// Whose it is.
    pub(crate) person: String,
    /// A call that gave flows.
    pub(crate) entry: i64,
}

/// Benefits of which INPS refused the first flow: one in so many. All but one in a hundred of these were corrected.
const REFUSED: i64 = 100;

/// Fills what `bulk` leaves empty, in a store in which nothing runs.
pub(crate) fn complete(store: &Store, entries: i64, benefits: i64) {
    let (postgres, bytes, zeros) = store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(_) => (false, "BLOB", "zeroblob(32 * COUNT)"),
                AnyConnection::Postgres(_) => (true, "BYTEA", "decode(repeat('00', 32 * COUNT), 'hex')"),
            })
        })
        .unwrap();
    let before = if postgres { "SET LOCAL statement_timeout = 0;" } else { "" };
    let zeros = zeros.replace("COUNT", &entries.count_ones().to_string());
    let corrected = format!("eservice_id = 1 AND id % {REFUSED} = 7 AND id % {} <> 7", REFUSED * 100);
    for sql in [
        "UPDATE prestazione SET primo_mese = 202501, mesi = 6, importo = 8420,
             codice = CASE WHEN id % 20 = 0 THEN 'A1.04' WHEN id % 3 = 0 THEN 'A3.03' ELSE 'A2.12' END,
             stato = CASE WHEN id % 50 = 3 THEN 2 ELSE stato END"
            .to_owned(),
        format!(
            "INSERT INTO flusso (eservice_id, ts, id_flusso, ente_id, tipo, operazione, prestazione_id, payload_format,
                 payload)
             SELECT 1, id + {benefits}, 'G' || id, 1, 1, 'I', id, 1, CAST('' AS {bytes}) FROM prestazione
             WHERE {corrected}"
        ),
        format!("UPDATE prestazione SET flusso_ts = id + {benefits} WHERE {corrected}"),
        format!(
            "INSERT INTO esito (eservice_id, id_flusso, flusso_ts, ts_flusso_ms, ts_acquisizione_ms, tipo, codice_esito,
                 descrizione, id_acquisizione_siuss, digest, received_ms, request_id)
             SELECT 1, id_flusso, ts, ts, ts, 'PS_PSA_SINA',
                 CASE WHEN ts < 1000 + {benefits} AND ts % {REFUSED} = 7 THEN 'RICHIESTA_INVALIDA' ELSE 'OK' END,
                 CASE WHEN ts % {REFUSED} = 7 THEN 'ImportoMensile' END, 'S' || ts, CAST(id_flusso AS {bytes}), ts, ''
             FROM flusso WHERE eservice_id = 1"
        ),
        "INSERT INTO rifiuto (eservice_id, flusso_ts, prestazione_id, aperto)
         SELECT 1, flusso.ts, prestazione.id, CASE WHEN prestazione.flusso_ts = flusso.ts THEN 1 ELSE 0 END
         FROM esito JOIN flusso ON flusso.eservice_id = 1 AND flusso.ts = esito.flusso_ts
         JOIN prestazione ON prestazione.eservice_id = 1 AND prestazione.id = flusso.prestazione_id
         WHERE esito.codice_esito <> 'OK'"
            .to_owned(),
        "INSERT INTO esito_riepilogo (eservice_id, codice_esito, flussi)
         SELECT 1, codice_esito, count(*) FROM esito GROUP BY codice_esito"
            .to_owned(),
        "INSERT INTO feed_mark (eservice_id, ts, flussi) SELECT 1, ts, ts - 999 FROM flusso WHERE ts % 500 = 0"
            .to_owned(),
        "INSERT INTO scadenza (eservice_id, ts, tipo, giorno, flussi) SELECT 1, ts, 2, 20500, 400 FROM feed_mark"
            .to_owned(),
        "INSERT INTO riepilogo (eservice_id, mese, codice, codice_ente, iniziate, in_corso, importo)
         SELECT 1, 202500 + months.n, 'A' || codes.n, 'H501', 10, 60, 500000
         FROM (SELECT id % 1000 AS n FROM prestazione WHERE id BETWEEN 1001 AND 1012) AS months,
              (SELECT id % 1000 AS n FROM prestazione WHERE id BETWEEN 1001 AND 1090) AS codes"
            .to_owned(),
        // Checkpoints of a year, one an hour. Nobody verifies them here.
        format!(
            "INSERT INTO call_checkpoint (log_id, size, instant_ms, note)
             SELECT 1, entry_index + 1, instant_ms, 'n' FROM call_entry
             WHERE log_id = 1 AND entry_index % {} = 0",
            (entries / 8760).max(1)
        ),
        format!(
            "INSERT INTO daily_calls (eservice_id, giorno, consumer_id, calls) SELECT id, {}, '', 1 FROM eservice",
            day(BEGIN + entries * STEP)
        ),
        format!("UPDATE call_log_head SET size = {entries}, hashed = {entries}, frontier = {zeros} WHERE log_id IN (1, 2)"),
    ] {
        store.write(|connection| Ok(connection.batch_execute(&format!("{before}{sql}"))?)).unwrap();
    }
    if postgres {
        store
            .read(|connection| {
                // Rows that came with a number of their own left the counter where it was.
                let sql = "SELECT setval(pg_get_serial_sequence('ente', 'id'), 2); SET statement_timeout = 0; VACUUM; \
                           ANALYZE; RESET statement_timeout";
                Ok(sql.split(';').try_for_each(|statement| connection.batch_execute(statement))?)
            })
            .unwrap();
    }
}

/// The day of an instant, as the tables keep it.
fn day(ms: i64) -> i32 {
    Day::of(Timestamp::from_millisecond(ms).unwrap()).number()
}

/// What each of the other e-services has: INPS came once, PDND has been probing since, and something is late.
fn others(store: &Store) {
    let probes = format!(
        "INSERT INTO call_entry (log_id, entry_index, instant_ms, request_id, method, path, status, outcome, client_ip,
             since, page_limit, item_count, duration_us, bytes)
         SELECT e.id, n.n, {BEGIN} + n.n * 300000, 'r' || e.id || '-' || n.n, 'GET',
             CASE WHEN n.n = 0 THEN '/waas/v1/flussi' ELSE '/waas/v1/status' END, 200, 'ok', '192.0.2.7',
             CASE WHEN n.n = 0 THEN '0' END, CASE WHEN n.n = 0 THEN 100 END, CASE WHEN n.n = 0 THEN 0 END, 1000, 100
         FROM eservice e CROSS JOIN (SELECT id - 1000 AS n FROM prestazione WHERE eservice_id = 1 AND id < 2000) AS n
         WHERE e.id > 2"
    );
    let counted = format!(
        "INSERT INTO daily_calls (eservice_id, giorno, consumer_id, calls)
         SELECT id, {}, '', 1 FROM eservice WHERE id > 2",
        day(BEGIN)
    );
    let late = "INSERT INTO scadenza (eservice_id, ts, tipo, giorno, flussi)
         SELECT e.id, 1000 + n.n, 2, 20200131, 5
         FROM eservice e CROSS JOIN (SELECT id - 1000 AS n FROM prestazione WHERE eservice_id = 1 AND id < 1100) AS n
         WHERE e.id > 2"
        .to_owned();
    let marks =
        "INSERT INTO feed_mark (eservice_id, ts, flussi) SELECT id, 2000, 500 FROM eservice WHERE id > 2";
    for sql in [probes, counted, late, marks.to_owned()] {
        store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
    }
    // What the server's own housekeeping would have found out by then.
    let housekeeping = |connection: &mut AnyConnection| match connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(inner) => Ok(inner.batch_execute("ANALYZE")?),
    };
    store.read(housekeeping).unwrap();
}

/// What comes by the ways of the service itself: a benefit with a document, a file that was loaded and its like.
pub(crate) fn history(
    app: &App,
    store: &Store,
    visitor: &Visitor<'_>,
    benefits: i64,
    entries: i64,
) -> Filled {
    others(store);
    let produzione = store.find_eservice(ESERVICES[0]).unwrap().unwrap();
    app.registry.publish(produzione, &roma(), &[mensa("2020/1", 8420)]).unwrap();
    let after = u128::try_from(1000 + 2 * benefits).unwrap();
    let published = app.registry.page(produzione, after, 1).unwrap()[0].ts_ms;
    // A benefit in the middle that was never refused.
    let benefit = 1000 + benefits / 2;
    assert!(benefit % REFUSED != 7);
    visitor.get("/caricamenti");
    let rows: Vec<String> = (0..200).map(|number| format!("A;{number}")).collect();
    let content = format!("CodiceFiscale;ProtocolloDomanda\n{}\n", rows.join("\n"));
    let loaded = visitor.upload("/caricamenti", &[("ente", "produzione:H501")], "a.csv", content.as_bytes());
    assert_eq!(loaded.header("location"), Some("/caricamenti/1"), "{loaded:?}");
    while visitor.get("/caricamenti/1/stato").json()["inCorso"] == true {}
    let columns = "eservice_id, codice_ente, file_name, format, bytes, stato, loaded_by, created_ms, confirmed_by, \
                   ended_ms, colonne, mapping, run, beat_ms, bytes_read, figures";
    let like = format!(
        "INSERT INTO caricamento ({columns}) SELECT {columns} FROM caricamento CROSS JOIN
             (SELECT id AS n FROM prestazione WHERE eservice_id = 1 LIMIT 5000) AS many"
    );
    // The benefit in the middle has the document of the one that was published, and what identifies it is as long.
    let document = format!("(SELECT COLUMN FROM flusso WHERE eservice_id = 1 AND ts = {published})");
    let document = format!(
        "UPDATE flusso SET payload = {}, payload_format = {} WHERE eservice_id = 1 AND ts = {benefit}",
        document.replace("COLUMN", "payload"),
        document.replace("COLUMN", "payload_format")
    );
    let key = format!("(SELECT content_hash FROM prestazione WHERE eservice_id = 1 AND id = {published})");
    let keys = format!(
        "UPDATE prestazione SET content_hash = {key}, identity_hash = {key} WHERE eservice_id = 1 AND id = {benefit}"
    );
    for sql in [like, document, keys] {
        store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
    }
    Filled {
        benefit,
        published,
        flow: format!("F{}", benefits / 2),
        person: format!("P{}", benefits / 8),
        // One in ten holds a page, but for one in a thousand.
        entry: entries / 20 * 10 + 10,
    }
}
