//! A log of any length, with a feed to which its pages refer, made by the database itself.
//!
//! Entry `i` came three seconds after the one before. Nearly all are pulls of one consumer with one purpose; what is rare
//! is told apart by [`RARE`].

use diesel::connection::SimpleConnection;
use waas_comuni::store::{AnyConnection, Store};

/// When the first entry came, in milliseconds since the epoch.
pub(crate) const BEGIN: i64 = 1_700_000_000_000;
/// Milliseconds from one entry to the next.
pub(crate) const STEP: i64 = 3000;
/// Of how many entries one has each rare value, and of how many flows one is of the rare ente.
pub(crate) const RARE: i64 = 5000;
/// The common e-service, and the rare one.
pub(crate) const ESERVICES: [&str; 2] = ["produzione", "collaudo"];
/// The common ente, and the rare one.
pub(crate) const ENTI: [&str; 2] = ["H501", "F205"];

/// The id of the request of entry `i`.
pub(crate) fn request_id(i: i64) -> String {
    let hex = format!("{:012x}", BEGIN + i * STEP);
    format!("{}-{}-7000-8000-{i:012}", &hex[..8], &hex[8..])
}

/// Entries of one transaction.
const CHUNK: usize = 250_000;

/// Fills an empty database with so many flows, one for each benefit and four benefits for each person, and so many
/// entries, of which one in ten holds a page of a hundred flows.
pub(crate) fn fill(store: &Store, entries: i64, flows: i64) {
    let logs = ESERVICES.map(|name| store.register_eservice(name).unwrap());
    // E-services are numbered from 1 in the order in which they are made known.
    assert_eq!(store.find_eservice(ESERVICES[0]).unwrap(), Some(logs[0]));
    let dialect = store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(_) => Dialect::SQLITE,
                AnyConnection::Postgres(_) => Dialect::POSTGRES,
            })
        })
        .unwrap();
    let execute = |sql: &str| {
        let sql = format!("{}{sql}", dialect.before);
        store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
    };
    execute(&dialect.feed(flows));
    for first in (0..entries).step_by(CHUNK) {
        let until = entries.min(first + i64::try_from(CHUNK).unwrap());
        execute(&dialect.entries(first, until, flows));
    }
    store
        .read(|connection| {
            if let AnyConnection::Postgres(inner) = connection {
                inner.batch_execute("SET statement_timeout = 0; ANALYZE; RESET statement_timeout")?;
            }
            Ok(())
        })
        .unwrap();
}

/// Where the two databases differ.
struct Dialect {
    before: &'static str,
    /// The numbers from FIRST up to, and without, UNTIL.
    series: &'static str,
    hex12: &'static str,
    blob: &'static str,
}

impl Dialect {
    const SQLITE: Self = Self {
        before: "",
        series: "(WITH RECURSIVE numbers (i) AS (SELECT FIRST UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < UNTIL) \
                 SELECT i FROM numbers)",
        hex12: "printf('%012x', N)",
        blob: "zeroblob(32)",
    };
    const POSTGRES: Self = Self {
        before: "SET LOCAL statement_timeout = 0; SET LOCAL maintenance_work_mem = '1GB';",
        series: "(SELECT i FROM generate_series(FIRST::bigint, UNTIL - 1) AS numbers (i)) AS numbers",
        hex12: "lpad(to_hex(N), 12, '0')",
        blob: "decode(repeat('00', 32), 'hex')",
    };

    fn series(&self, first: i64, until: i64) -> String {
        self.series.replace("FIRST", &first.to_string()).replace("UNTIL", &until.to_string())
    }

    fn feed(&self, flows: i64) -> String {
        let (common, rare) = (ENTI[0], ENTI[1]);
        format!(
            "INSERT INTO ente (id, eservice_id, codice, denominazione) VALUES
                 (1, 1, '{common}', 'Comune di Roma'), (2, 1, '{rare}', 'Comune di Milano');
             INSERT INTO prestazione (eservice_id, id, codice_ente, tipo, identity_hash, content_hash, person, label,
                 stato, flusso_ts, created_ms, updated_ms)
             SELECT 1, 1000 + i, CASE WHEN i % {RARE} = 5 THEN '{rare}' ELSE '{common}' END, 1,
                 CAST('i' || i AS {bytes}), CAST('c' || i AS {bytes}), 'P' || (i / 4), 'L' || i, 1, 1000 + i, 0, 0
             FROM {flow_series};
             INSERT INTO flusso (eservice_id, ts, id_flusso, ente_id, tipo, operazione, prestazione_id, payload_format,
                 payload)
             SELECT 1, 1000 + i, 'F' || i, CASE WHEN i % {RARE} = 5 THEN 2 ELSE 1 END, 1, 'I', 1000 + i, 1,
                 CAST('' AS {bytes})
             FROM {flow_series};",
            bytes = if self.before.is_empty() { "BLOB" } else { "BYTEA" },
            flow_series = self.series(0, flows),
        )
    }

    fn entries(&self, first: i64, until: i64, flows: i64) -> String {
        let hex = self.hex12.replace('N', &format!("({BEGIN} + i * {STEP})"));
        let number = "substr('000000000000' || i, length('000000000000' || i) - 11)";
        let request_id =
            format!("substr({hex}, 1, 8) || '-' || substr({hex}, 9, 4) || '-7000-8000-' || {number}");
        let token = format!(
            "substr({}, 5, 8) || '-0000-4000-8000-000000000000'",
            self.hex12.replace('N', "(i / 100)")
        );
        let page = format!("(i * 37 % {})", (flows - 99).max(1));
        let discloses = "(i % 10 = 0 AND i % 1000 <> 0)";
        format!(
            "INSERT INTO call_entry (log_id, entry_index, instant_ms, request_id, method, path, query, status, outcome,
                 client_ip, client_id, consumer_id, purpose_id, token_id, kid, voucher_check, since, page_limit,
                 first_ts, last_ts, item_count, flows_digest, duration_us, bytes, evidence, leaf_hash, benefit)
             SELECT CASE WHEN i % {RARE} = 1 THEN 2 ELSE 1 END, i, {BEGIN} + i * {STEP}, {request_id},
                 CASE WHEN i % 1000 = 0 THEN 'ACTION' WHEN i % 100 = 50 THEN 'POST' ELSE 'GET' END,
                 CASE WHEN i % {RARE} = 0 THEN 'benefit_viewed' WHEN i % 1000 = 0 THEN 'calls_searched'
                     ELSE '/waas/v1/flussi' END,
                 'since=1767225600000&limit=100',
                 CASE WHEN i % {RARE} = 2 THEN 429 WHEN i % 100 = 51 THEN 403 WHEN i % 100 = 50 THEN 204 ELSE 200 END,
                 CASE WHEN i % {RARE} = 2 THEN 'threshold_exceeded' WHEN i % 100 = 51 THEN 'voucher_refused'
                     ELSE 'ok' END,
                 '192.0.2.7',
                 CASE WHEN i % {RARE} = 3 THEN 'rare' ELSE '0f3b6c1e-8a4d-4c1b-9f6e-1b7f3a112f0f' END,
                 CASE WHEN i % {RARE} = 4 THEN 'rare' ELSE '2f0f9b6e-4d8b-4a52-9d6e-0f5c1b7f3a11' END,
                 CASE WHEN i % {RARE} = 5 THEN 'rare' ELSE '9b6e4d8b-4a52-4d6e-8f5c-1b7f3a112f0f' END,
                 {token}, 'kid', CASE WHEN i % 100 = 51 THEN 'expired' END, '1767225600000', 100,
                 CASE WHEN {discloses} THEN 1000 + {page} END, CASE WHEN {discloses} THEN 1099 + {page} END,
                 CASE WHEN {discloses} THEN 100 ELSE 0 END, CASE WHEN {discloses} THEN {blob} END, 3000, 180000,
                 CASE WHEN i % {RARE} = 0 THEN '{{\"user_id\":\"rare\",\"user_location\":\"console\"}}'
                     WHEN i % 1000 = 0 THEN '{{\"user_id\":\"anna\",\"user_location\":\"console\"}}' END, {blob},
                 CASE WHEN i % {RARE} = 0 THEN 1000 + i % {flows} END
             FROM {entry_series};",
            entry_series = self.series(first, until),
            blob = self.blob,
        )
    }
}

/// Takes the feed away again: its flows are none that INPS would take.
pub(crate) fn forget_feed(store: &Store) {
    store.write(|connection| Ok(connection.batch_execute("DELETE FROM flusso")?)).unwrap();
}
