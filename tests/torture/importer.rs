//! Somebody at a desk: imports files with the product's own program, which is killed in the middle of some, and runs it
//! again until it says that all was taken.

use std::process::{Child, Output};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::checker::Fact;
use crate::random::Random;
use crate::records::{Benefit, csv};
use crate::run::{EService, Phase, Stage};

pub(crate) struct Importer {
    stage: Arc<Stage>,
    eservice: EService,
    number: u64,
    random: Random,
    files: u64,
}

/// What became of one run of the program.
enum Ended {
    /// All was taken.
    Complete,
    /// It was killed, or the database was away.
    Interrupted,
}

impl Importer {
    pub(crate) fn new(stage: Arc<Stage>, eservice: EService, number: u64) -> Self {
        Self { random: Random::new(stage.seed, 300 + number), stage, eservice, number, files: 0 }
    }

    pub(crate) fn run(mut self) {
        while self.stage.may_write(self.eservice) {
            self.files += 1;
            // Three transactions, now and then, in the middle of which it can be killed.
            let rows = if self.random.chance(15) { 1_200 } else { self.random.within(1, 80) };
            let mut benefits: Vec<Benefit> = (1..=rows)
                .map(|row| Benefit {
                    protocollo: format!("I{}-{}-{row}", self.number, self.files),
                    amount: 1_000,
                })
                .collect();
            for _ in 0..self.random.within(1, 3) {
                if !self.import(&benefits) {
                    return;
                }
                thread::sleep(self.random.millis(0, 800));
                for benefit in &mut benefits {
                    benefit.amount += u64::from(self.random.chance(30));
                }
            }
        }
    }

    /// Imports a file until it is taken. False when the run is over.
    fn import(&mut self, benefits: &[Benefit]) -> bool {
        let file = format!("import-{}.csv", self.number);
        std::fs::write(self.stage.folder.join(&file), csv(benefits)).unwrap();
        while self.stage.phase() < Phase::Over {
            let twin = self.random.chance(15).then(|| self.start(&file));
            let own = self.start(&file);
            if twin.is_some() {
                self.stage.stats.add("imports of one file at once", 1);
            }
            let ended: Vec<Ended> =
                [Some(own), twin].into_iter().flatten().filter_map(|process| self.finish(process)).collect();
            if ended.iter().any(|ended| matches!(ended, Ended::Complete)) {
                self.stage.stats.add("imports completed", 1);
                self.stage.tell(self.eservice, Fact::Imported(benefits.to_vec()));
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn start(&self, file: &str) -> Child {
        self.stage.program(&["import", file, "--ente", self.eservice.ente, "--json"]).spawn().unwrap()
    }

    /// Waits for the program, or kills it. None: it said what it must not.
    fn finish(&mut self, mut process: Child) -> Option<Ended> {
        if self.stage.phase() == Phase::Storm && self.random.chance(25) {
            thread::sleep(self.random.millis(0, 250));
            if process.try_wait().unwrap().is_none() {
                process.kill().unwrap();
                self.stage.stats.add("importers killed", 1);
            }
        }
        let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
        match status.code() {
            Some(0) => {
                let summary: Value = serde_json::from_slice(&stdout).unwrap_or_default();
                if summary["refused"] != 0 {
                    self.stage.violated(format!("an import of good records said {summary}"));
                }
                Some(Ended::Complete)
            }
            Some(1) => {
                self.stage.stats.add("imports given up, and run again", 1);
                Some(Ended::Interrupted)
            }
            None => Some(Ended::Interrupted),
            Some(_) => {
                let said = String::from_utf8_lossy(&stderr).into_owned();
                self.stage.violated(format!("an import ended with {status}: {said}"));
                None
            }
        }
    }
}
