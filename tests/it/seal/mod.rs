//! What makes the log provable: whoever changes it is found out, from inside and from outside.

mod keys;
mod offline;
mod pruning;
mod serving;
mod tampering;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use waas_comuni::call_log::export::{Format, export};
use waas_comuni::call_log::seal::note::{PublicKey, SigningKey};
use waas_comuni::call_log::seal::stored;
use waas_comuni::call_log::seal::verify::{Fault, LogReport, Report};
use waas_comuni::call_log::seal::writer::{Checkpointer, Round};
use waas_comuni::call_log::search::Filter;
use waas_comuni::call_log::{self, Appender, Caller, Disclosed, Entry};
use waas_comuni::clock::Clock;
use waas_comuni::config::{CallLog, Config};
use waas_comuni::store::{EserviceId, Store};

use crate::support::database::TestDatabase;

/// A signed log on a database: that of the e-service `prova`, and that of the calls outside.
pub(super) struct Log<'a> {
    database: &'a TestDatabase,
    pub(super) folder: TempDir,
    pub(super) store: Store,
    pub(super) config: Config,
    eservice: EserviceId,
}

impl<'a> Log<'a> {
    pub(super) fn new(database: &'a TestDatabase) -> Self {
        let folder = TempDir::new().unwrap();
        let key = folder.path().join("checkpoint.pem");
        SigningKey::generate(&key).unwrap();
        let call_log = CallLog {
            checkpoint_key: Some(key),
            checkpoint_file: Some(folder.path().join("checkpoints.txt")),
            origin: Some("waas.example.it".to_owned()),
            ..CallLog::default()
        };
        let config = Config { database: database.settings(), call_log, ..Config::default() };
        let store = database.store();
        let eservice = store.register_eservice("prova").unwrap();
        Self { database, folder, store, config, eservice }
    }

    /// 30 entries, signed at 10 and at 20, and 5 outside any e-service.
    pub(super) fn signed(database: &'a TestDatabase) -> Self {
        let log = Self::new(database);
        for first in [0, 10] {
            log.append(first..first + 10);
            assert_eq!(log.checkpoint().written.len(), 1);
        }
        log.append(20..30);
        log.append_outside(5);
        log
    }

    pub(super) fn append(&self, calls: std::ops::Range<u32>) {
        self.write(calls.map(|number| entry(Some(self.eservice), number)));
    }

    pub(super) fn append_outside(&self, count: u32) {
        self.write((0..count).map(|number| entry(None, number)));
    }

    fn write(&self, entries: impl Iterator<Item = Entry>) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let appender = Appender::start(self.store.clone(), Clock::System).unwrap();
            for entry in entries {
                appender.append(entry, None).await.unwrap();
            }
            appender.shutdown().await;
        });
    }

    pub(super) fn checkpoint(&self) -> Round {
        let checkpointer = Checkpointer::open(&self.config, self.store.clone(), Clock::System).unwrap();
        checkpointer.unwrap().round().unwrap()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.config.call_log.checkpoint_file.clone().unwrap()
    }

    pub(super) fn key(&self) -> PublicKey {
        PublicKey::read(self.config.call_log.checkpoint_key.as_deref().unwrap()).unwrap()
    }

    pub(super) fn verify(&self) -> Report {
        stored::verify(&self.store, &[self.file()], &[self.key()], None).unwrap()
    }

    /// What is wrong with the log of `prova`; nothing may be wrong elsewhere.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let report = self.verify();
        assert_eq!(report.faults, []);
        let [outside, prova] = report.logs.try_into().unwrap();
        assert_eq!((outside.eservice, outside.faults), (None, vec![]));
        prova.faults
    }

    pub(super) fn prova(&self) -> LogReport {
        self.verify().logs.remove(1)
    }

    /// Runs statements as the database's owner could; `LOG` is the log of `prova`.
    pub(super) fn tamper(&self, sql: &str) {
        self.database.tamper(&sql.replace("LOG", "(SELECT id FROM eservice WHERE name = 'prova')"));
    }

    /// Makes the tree again from what the entries say, as somebody would who knows how it is made.
    pub(super) fn make_tree_again(&self) {
        self.tamper(
            "UPDATE call_entry SET leaf_hash = NULL WHERE log_id = LOG;
             UPDATE call_log_head SET hashed = 0, frontier = substr(frontier, 1, 0),
                 size = (SELECT count(*) FROM call_entry WHERE log_id = LOG) WHERE log_id = LOG;",
        );
        self.store.write(call_log::catch_up).unwrap();
    }

    /// The whole export, in a file.
    pub(super) fn export(&self) -> PathBuf {
        let path = self.folder.path().join("calls.jsonl");
        let file = std::fs::File::create(&path).unwrap();
        export(&self.store, &Filter::default(), Format::Jsonl, file).unwrap();
        path
    }
}

pub(super) fn entry(eservice: Option<EserviceId>, number: u32) -> Entry {
    Entry {
        eservice,
        // Not in the order of the log.
        instant: format!("2026-03-01T10:00:{:02}.123Z", 59 - number % 60).parse().unwrap(),
        request_id: format!("request-{number}"),
        method: "GET".to_owned(),
        path: "/waas/v1/fluss\u{ec}\u{1}\"\\".to_owned(),
        query: Some("since=0&limit=100".to_owned()),
        status: 200,
        outcome: "ok",
        client_ip: Some("192.0.2.7".parse().unwrap()),
        caller: Caller { loa: Some("2".to_owned()), ..Caller::default() },
        voucher_check: None,
        since: Some(0),
        limit: Some(100),
        count: Some(2),
        disclosed: Some(Disclosed::new(5, 9, ["A", "B"])),
        duration: Duration::from_micros(1000 + u64::from(number)),
        bytes: Some(4096),
        benefit: None,
        esiti: None,
    }
}
