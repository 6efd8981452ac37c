//! One run over a file: reading it and foreseeing, or publishing.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::content::{Content, Failure};
use super::turn::{self, Step};
use super::{Caricamento, MOST_PAGES, PAGE, Stato, kept};
use crate::clock::Clock;
use crate::codes::{CodesError, RulesInForce};
use crate::config::EService;
use crate::import::{self, Destination, ImportError, Listeners, Summary};
use crate::intake::{self, Format, MOST_UNKNOWN, Mapping, Options};
use crate::registry::{Forecast, RefusedInsertions, Registry};
use crate::store::{Store, StoreError};

/// How often a run writes down how far it is.
const BEAT: Duration = Duration::from_secs(1);

/// Why a run ended in the middle.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Codes(#[from] CodesError),
    #[error("{0}")]
    Import(#[from] ImportError),
    #[error("the configuration has no ente {0} any longer, or one that cannot be used")]
    Ente(String),
}

/// What runs share.
pub(super) struct Tools<'a> {
    pub(super) store: &'a Store,
    pub(super) clock: &'a Clock,
    pub(super) rules: &'a RulesInForce,
    /// Whether the process is stopping.
    pub(super) stop: &'a dyn Fn() -> bool,
}

/// Works on `job` to its end. Gives what was done; none if it was withdrawn meanwhile. Blocks.
pub(super) fn run(
    tools: &Tools<'_>,
    eservice: &EService,
    job: &Caricamento,
) -> Result<Option<Summary>, RunError> {
    let unknown = || RunError::Ente(job.codice_ente.clone());
    let ente = eservice.ente.iter().find(|ente| ente.codice == job.codice_ente).ok_or_else(unknown)?;
    let ente = ente.erogatore().map_err(|_| unknown())?;
    let rulebook = tools.rules.get()?;
    let refused = RefusedInsertions::of(eservice.cancel_refused);
    let registry = &Registry::new(tools.store.clone(), tools.clock.clone()).with_refused(refused);
    let mapping = Mapping::new(job.mapping.clone());
    let (length, unread) = (u64::try_from(job.bytes).unwrap_or_default(), Failure::default());
    let content = || Content::new(tools.store, job.id, length, &unread);

    let columns = match job.format {
        // A header that cannot be read is told by the import itself.
        Format::Csv => intake::unknown_columns(content()).unwrap_or_default(),
        Format::Xml | Format::Json => Vec::new(),
    };
    // As many are no spelling of ours: it is another kind of file, whose header is refused.
    let columns = if columns.len() > MOST_UNKNOWN { Vec::new() } else { columns };
    let mut log = Log::new(tools, job);
    let mut summary = Summary::default();
    if columns.iter().any(|column| !mapping.knows(column)) {
        let done = log.finish(&summary, Stato::Colonne, &columns)?;
        return Ok(done.then_some(summary));
    }
    let is_published = job.stato == Stato::Pubblicazione;
    let mut destination = if is_published {
        Destination::Feed { registry, eservice: job.eservice, ente: &ente }
    } else {
        Destination::Forecast { registry, eservice: job.eservice, ente: &ente, forecast: Forecast::default() }
    };
    let options = Options { ente: &job.codice_ente, format: None, mapping: &mapping, rulebook: &rulebook };
    let bytes = Cell::new(0);
    let entries = RefCell::new(Vec::new());
    let mut failure = None;
    let mut listeners = Listeners {
        notice: &mut |entry| {
            entries.borrow_mut().push(serde_json::to_string(entry).unwrap_or_default());
        },
        progress: &|count| bytes.set(bytes.get() + count),
        batch: &mut |summary| {
            log.take(&mut entries.borrow_mut(), bytes.get());
            match log.beat(summary) {
                Ok(true) if !(tools.stop)() => ControlFlow::Continue(()),
                Ok(_) => ControlFlow::Break(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        },
        report: None,
    };
    let source = (content(), length);
    let done = import::run_from(source, job.format, &options, &mut destination, &mut summary, &mut listeners);
    if let Some(error) = failure.or_else(|| unread.take()) {
        // Whoever withdrew the file took its content away.
        return if log.advance(&summary)? { Err(error.into()) } else { Ok(None) };
    }
    let is_readable = match done {
        Err(ImportError::Stopped) if log.is_lost => return Ok(None),
        done => done?,
    };
    log.take(&mut entries.borrow_mut(), bytes.get());
    let to = match (is_published, is_readable) {
        (true, _) => Stato::Concluso,
        (false, true) => Stato::Pronto,
        (false, false) => Stato::Illeggibile,
    };
    Ok(log.finish(&summary, to, &columns)?.then_some(summary))
}

/// What a run writes down of itself.
struct Log<'a> {
    tools: &'a Tools<'a>,
    job: &'a Caricamento,
    /// Entries of the report that fill no page yet.
    rest: Vec<String>,
    pages: Vec<String>,
    /// Pages that were written.
    written: usize,
    bytes: u64,
    last: Instant,
    /// Whether the file was withdrawn, or is worked on elsewhere.
    is_lost: bool,
}

impl<'a> Log<'a> {
    fn new(tools: &'a Tools<'a>, job: &'a Caricamento) -> Self {
        let (rest, pages) = (Vec::new(), Vec::new());
        Self { tools, job, rest, pages, written: 0, bytes: 0, last: Instant::now(), is_lost: false }
    }

    /// Takes entries over, as far as there are pages for them.
    fn take(&mut self, entries: &mut Vec<String>, bytes: u64) {
        self.bytes = bytes;
        for entry in entries.drain(..) {
            if self.written + self.pages.len() < MOST_PAGES {
                self.rest.push(entry);
                if self.rest.len() == PAGE {
                    self.turn();
                }
            }
        }
    }

    fn turn(&mut self) {
        self.pages.push(format!("[{}]", self.rest.join(",")));
        self.rest.clear();
    }

    /// Writes down how far the run is, if that was some time ago. False if it is not its turn any longer.
    fn beat(&mut self, summary: &Summary) -> Result<bool, StoreError> {
        if self.last.elapsed() < BEAT && self.pages.len() < PAGE {
            return Ok(true);
        }
        self.advance(summary)
    }

    fn advance(&mut self, summary: &Summary) -> Result<bool, StoreError> {
        let (job, step, now_ms) = (self.job.clone(), self.step(summary), self.tools.clock.now_ms());
        let goes_on = self
            .tools
            .store
            .write_bounded(move |connection| turn::advance(connection, &job, &step, now_ms))?;
        self.is_lost = !goes_on;
        self.last = Instant::now();
        Ok(goes_on)
    }

    fn step(&mut self, summary: &Summary) -> Step {
        let first_page = i64::try_from(self.written).unwrap_or(i64::MAX);
        let pages = std::mem::take(&mut self.pages);
        self.written += pages.len();
        let bytes_read = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        Step { bytes_read, figures: kept(summary), pages, first_page }
    }

    fn finish(&mut self, summary: &Summary, to: Stato, columns: &[String]) -> Result<bool, StoreError> {
        if !self.rest.is_empty() {
            self.turn();
        }
        let (job, step, now_ms) = (self.job.clone(), self.step(summary), self.tools.clock.now_ms());
        let columns = columns.to_vec();
        self.tools
            .store
            .write_bounded(move |connection| turn::finish(connection, &job, &step, to, &columns, now_ms))
    }
}
