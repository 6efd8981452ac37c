//! Who watches: compares, all the time, what the actors were told with what the database holds.
//!
//! Nothing here uses the product's code. What an actor was told is taken before the database is looked at, so that
//! whatever was told must be there.

mod connection;
mod feed;
mod log;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use connection::{Open, Word};
use feed::Feed;
use log::Log;

pub(crate) use connection::Connection;

use crate::records::Benefit;
use crate::run::{EService, Phase, Stage};

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(300);
/// How long the database may be away before that is a failure of the test itself.
const PATIENCE: Duration = Duration::from_secs(180);

/// A flow as a client saw it.
pub(crate) struct Seen {
    pub(crate) ts: i64,
    pub(crate) id_flusso: String,
    pub(crate) ts_flusso: String,
    /// Whether it cancels what an earlier one inserted.
    pub(crate) withdraws: bool,
    /// Stands for its name and document.
    pub(crate) content: u64,
}

/// What an actor was told.
pub(crate) enum Fact {
    /// A client was given a page.
    Page { client: u64, request_id: String, flows: Vec<Seen> },
    /// Outcomes were acknowledged: of which flow, under which number.
    Esiti { request_id: String, sent: Vec<[String; 2]> },
    /// A vendor was told of these flows.
    Published { request_id: String, flows: Vec<String> },
    /// An import took all of these.
    Imported(Vec<Benefit>),
}

/// Something that must hold does not, or the database is away.
pub(crate) enum Trouble {
    Away(String),
    Violation(String),
}

impl From<String> for Trouble {
    fn from(error: String) -> Self {
        Self::Away(error)
    }
}

pub(crate) struct Checker {
    stage: Arc<Stage>,
    connection: Connection,
    eservice: EService,
    facts: Receiver<Fact>,
    open: Option<Open>,
    /// The number of the e-service in the database.
    id: i64,
    pending: Vec<Fact>,
    feed: Feed,
    log: Log,
    /// Up to where each client has come in the feed.
    positions: HashMap<u64, usize>,
    looks: u64,
}

impl Checker {
    pub(crate) fn new(
        stage: Arc<Stage>,
        eservice: EService,
        connection: Connection,
        facts: Receiver<Fact>,
    ) -> Self {
        Self {
            stage,
            connection,
            eservice,
            facts,
            open: None,
            id: 0,
            pending: Vec::new(),
            feed: Feed::default(),
            log: Log::default(),
            positions: HashMap::new(),
            looks: 0,
        }
    }

    /// Looks until the run is over, and then once more at everything.
    pub(crate) fn run(mut self) {
        let mut last = Instant::now();
        loop {
            let is_over = self.stage.phase() == Phase::Over;
            let looked = self.look().and_then(|()| if is_over { self.look_at_all() } else { Ok(()) });
            match looked {
                Ok(()) if is_over => return,
                Ok(()) => last = Instant::now(),
                Err(Trouble::Violation(what)) => return self.stage.violated(what),
                Err(Trouble::Away(error)) => {
                    self.open = None;
                    if last.elapsed() > PATIENCE {
                        return self.stage.violated(format!("the checker cannot look: {error}"));
                    }
                }
            }
            thread::sleep(PAUSE);
        }
    }

    fn look(&mut self) -> Result<(), Trouble> {
        self.pending.extend(self.facts.try_iter());
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connection.open()?,
        };
        if self.id == 0 {
            let name = self.eservice.name;
            self.id = open.number(&format!("SELECT id AS number FROM eservice WHERE name = '{name}'"))?;
        }
        self.feed.look(&mut open, self.id, self.looks.is_multiple_of(10))?;
        self.log.look(&mut open, self.id)?;
        self.look_for_esiti(&mut open)?;
        for fact in std::mem::take(&mut self.pending) {
            self.verify(&fact).map_err(Trouble::Violation)?;
        }
        let slowest = self.positions.values().min().copied().unwrap_or_default();
        self.stage.behind[self.eservice.index].store(self.feed.len() - slowest, Ordering::SeqCst);
        self.open = Some(open);
        self.looks += 1;
        self.stage.stats.add("looks of the checker", 1);
        Ok(())
    }

    /// Whether the acknowledged outcomes are stored.
    fn look_for_esiti(&self, open: &mut Open) -> Result<(), Trouble> {
        let acknowledged = self.pending.iter().flat_map(|fact| match fact {
            Fact::Esiti { sent, .. } => sent.as_slice(),
            _ => &[],
        });
        let acknowledged: Vec<_> = acknowledged.collect();
        for chunk in acknowledged.chunks(200) {
            let names: Vec<_> = chunk.iter().map(|[id_flusso, _]| format!("'{id_flusso}'")).collect();
            let stored: Vec<Word> = open.load(&format!(
                "SELECT id_acquisizione_siuss AS word FROM esito WHERE eservice_id = {} AND id_flusso IN ({})",
                self.id,
                names.join(", ")
            ))?;
            for [id_flusso, number] in chunk {
                if !stored.iter().any(|row| row.word == *number) {
                    let what =
                        format!("the outcome {number} of {id_flusso} was acknowledged and is not stored");
                    return Err(Trouble::Violation(what));
                }
            }
        }
        Ok(())
    }

    fn verify(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Page { client, request_id, flows } => {
                let position = self.positions.entry(*client).or_default();
                for flow in flows {
                    self.feed.is_next(*position, flow).map_err(|what| format!("client {client}: {what}"))?;
                    *position += 1;
                }
                let ends = flows.first().zip(flows.last()).map(|(first, last)| (first.ts, last.ts));
                self.log.has(request_id, 200, flows.len(), ends)
            }
            Fact::Esiti { request_id, sent } => self.log.has(request_id, 204, sent.len(), None),
            Fact::Published { request_id, flows } => {
                flows.iter().try_for_each(|flow| self.feed.has(flow))?;
                self.log.has_call(request_id)
            }
            Fact::Imported(benefits) => benefits.iter().try_for_each(|benefit| self.feed.says(benefit)),
        }
    }

    /// The last look: everything, and everybody at the end of it.
    fn look_at_all(&mut self) -> Result<(), Trouble> {
        let mut open = self.connection.open()?;
        self.feed.compare(&mut open, self.id)?;
        self.log.compare(&mut open, self.id)?;
        let twice = format!(
            "SELECT count(*) AS number FROM (SELECT id_acquisizione_siuss FROM esito WHERE eservice_id = {} GROUP BY \
             id_acquisizione_siuss HAVING count(*) > 1) AS twice",
            self.id
        );
        if open.number(&twice)? > 0 {
            return Err(Trouble::Violation("an outcome is stored twice".to_owned()));
        }
        if open.number("SELECT count(*) AS number FROM feed_gap")? > 0 {
            return Err(Trouble::Violation("flows were taken for lost, though none was".to_owned()));
        }
        let stats = &self.stage.stats;
        stats.add("flows published", u64::try_from(self.feed.len()).unwrap());
        stats.add("insertions in place of refused ones", self.feed.replaced());
        stats.add("log entries checked", self.log.len());
        let checkpoints =
            format!("SELECT count(*) AS number FROM call_checkpoint WHERE log_id = {}", self.id);
        let checkpoints = open.number(&checkpoints)?;
        self.stage.stats.add("checkpoints signed", u64::try_from(checkpoints).unwrap());
        for (client, position) in &self.positions {
            if *position != self.feed.len() {
                let what =
                    format!("client {client} came to its end with {position} of {} flows", self.feed.len());
                return Err(Trouble::Violation(what));
            }
        }
        Ok(())
    }
}
