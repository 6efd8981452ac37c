//! The way of a benefit, from a file to the feed: reading, publishing in batches, reporting, counting.
//!
//! What a file holds is read by [`crate::intake`]; what becomes of a record is the registry's matter. Here the two
//! meet, so that the command line and whatever else imports do it in the same way.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::intake::report::{Entry, Report};
use crate::intake::{self, Format, Label, Options, Taken};
use crate::registry::meanwhile::meanwhile;
use crate::registry::{Forecast, Registry, Verdict};
use crate::siuss::described::Described;
use crate::siuss::notice::Notice;
use crate::siuss::record::EnteErogatore;
use crate::siuss::rules::Rulebook;
use crate::store::{EserviceId, StoreError};

/// Source records that share one transaction of a server: the more, the less is waited for its commits, while nobody
/// but who publishes into the same feed waits.
const SERVER_BATCH: usize = 4000;

/// Source records that share one transaction of a file, where every other writer waits for its end.
const FILE_BATCH: usize = 1000;

/// Bytes of documents after which a transaction takes no further record, however few it has: a record may have a
/// megabyte.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of a source for each flow that comes of it, at the least: a row of a CSV, the shortest form, has some three
/// hundred, and may be divided by year or replace what was sent.
const BYTES_OF_A_FLOW: u64 = 64;

/// Bytes that a reader may have taken of a source and not yet given out as records, at the most.
const READ_AHEAD: u64 = 256 * 1024;

/// What an import did, or foresaw, so far. What is kept of one may lack a figure that came later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Records of the source.
    pub records: u64,
    /// Benefits that the registry did not hold.
    pub new: u64,
    /// Benefits whose content changed.
    pub changed: u64,
    /// Benefits that were known as they are.
    pub unchanged: u64,
    /// Benefits that were withdrawn.
    pub withdrawn: u64,
    /// Flows that were published for them.
    pub flussi: u64,
    /// Records of the source that were refused.
    pub refused: u64,
    /// Records of the source that were taken, and of which something is said.
    pub warned: u64,
    /// Refusals and warnings, by rule.
    pub by_rule: BTreeMap<Cow<'static, str>, u64>,
}

/// Why an import could not go on. What was counted before is published.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(#[from] io::Error),
    /// Whoever listened asked for it.
    #[error("the import was stopped")]
    Stopped,
}

/// Where the records of an import go.
#[derive(Debug)]
pub enum Destination<'a> {
    /// Into the feed of an e-service.
    Feed {
        /// The registry that publishes them.
        registry: &'a Registry,
        /// Whose feed it is.
        eservice: EserviceId,
        /// Who transmits them.
        ente: &'a EnteErogatore,
    },
    /// Nowhere: they are judged, and it is foreseen what the feed would make of them.
    Forecast {
        /// The registry that would publish them.
        registry: &'a Registry,
        /// Whose feed it would be.
        eservice: EserviceId,
        /// Who would transmit them.
        ente: &'a EnteErogatore,
        /// What is foreseen so far.
        forecast: Forecast,
    },
    /// Nowhere: they are only judged.
    Nowhere,
}

/// What an import tells while it goes.
pub struct Listeners<'a> {
    /// Each refusal and warning, in the order of the source.
    pub notice: &'a mut dyn FnMut(&Entry<'_>),
    /// Bytes that were read.
    pub progress: &'a dyn Fn(u64),
    /// What was done after each batch: whether to go on.
    pub batch: &'a mut dyn FnMut(&Summary) -> ControlFlow<()>,
    /// The report, if one is wanted.
    pub report: Option<&'a mut Report>,
}

impl Destination<'_> {
    fn is_on_server(&self) -> bool {
        matches!(self, Self::Feed { registry, .. } if registry.is_on_server())
    }

    /// Publishes `records`, and does `work` as well: meanwhile, where it is a server that publishes and time would pass
    /// in waiting for it. A file has one writer, and others write to it during `work`.
    fn publish_and<T>(
        &mut self,
        records: &[Described],
        following: u32,
        work: impl FnOnce() -> T,
    ) -> (Result<Vec<Verdict>, StoreError>, T) {
        let apart = self.is_on_server();
        meanwhile(apart, || self.publish(records, following), work)
    }

    fn publish(&mut self, records: &[Described], following: u32) -> Result<Vec<Verdict>, StoreError> {
        match self {
            _ if records.is_empty() => Ok(Vec::new()),
            Self::Feed { registry, eservice, ente } => {
                registry.publish_part(*eservice, ente, records, following)
            }
            Self::Forecast { registry, eservice, ente, forecast } => {
                registry.foresee(*eservice, ente, records, forecast)
            }
            Self::Nowhere => Ok(Vec::new()),
        }
    }
}

/// Imports the file at `path`, and adds what it did to `summary`. Blocks.
///
/// A file that cannot be read from its first line gives its reasons, as one refused record; then this gives false.
pub fn run(
    path: &Path,
    options: &Options<'_>,
    destination: &mut Destination<'_>,
    summary: &mut Summary,
    listeners: &mut Listeners<'_>,
) -> Result<bool, ImportError> {
    let (size, read) = (path.metadata().map_or(0, |metadata| metadata.len()), Cell::new(0));
    let progress = counting(&read, listeners.progress);
    let source = intake::read(path, options, progress);
    take(source, (size, &read), options.rulebook, destination, summary, listeners)
}

/// [`run`], of a source of `size` bytes in the form `format`, whatever `options` say of it. Blocks.
pub fn run_from(
    (source, size): (impl Read + Seek, u64),
    format: Format,
    options: &Options<'_>,
    destination: &mut Destination<'_>,
    summary: &mut Summary,
    listeners: &mut Listeners<'_>,
) -> Result<bool, ImportError> {
    let read = Cell::new(0);
    let progress = counting(&read, listeners.progress);
    let source = intake::read_from(source, format, options, progress);
    take(source, (size, &read), options.rulebook, destination, summary, listeners)
}

/// Counts in `read` what is told to `progress`.
fn counting<'a>(read: &'a Cell<u64>, progress: &'a dyn Fn(u64)) -> impl Fn(u64) + 'a {
    move |bytes| {
        read.set(read.get().saturating_add(bytes));
        progress(bytes);
    }
}

/// Imports the records of `source`, of which [`counting`] says how far it was read.
fn take<'a>(
    source: Result<Box<dyn Iterator<Item = Taken> + 'a>, Vec<Notice>>,
    (size, read): (u64, &Cell<u64>),
    rulebook: &Rulebook,
    destination: &mut Destination<'_>,
    summary: &mut Summary,
    listeners: &mut Listeners<'_>,
) -> Result<bool, ImportError> {
    let mut source = match source {
        Ok(source) => source.peekable(),
        Err(notices) => {
            let line = notices.first().and_then(|notice| notice.line).unwrap_or(1);
            let fault = Taken { line, label: Label::default(), records: Vec::new(), notices };
            tell(&fault, summary, listeners)?;
            return Ok(false);
        }
    };
    let most = if destination.is_on_server() { SERVER_BATCH } else { FILE_BATCH };
    let mut batch = next(&mut source, most);
    loop {
        if batch.is_empty() {
            return Ok(true);
        }
        let parts: Vec<usize> = batch.iter().map(|taken| taken.records.len()).collect();
        let records: Vec<Described> =
            batch.iter_mut().flat_map(|taken| std::mem::take(&mut taken.records)).collect();
        let following = match source.peek() {
            Some(_) => (size.saturating_sub(read.get()) + READ_AHEAD) / BYTES_OF_A_FLOW,
            None => 0,
        };
        let following = u32::try_from(following).unwrap_or(u32::MAX);
        let (verdicts, ahead) = destination.publish_and(&records, following, || next(&mut source, most));
        let mut verdicts = verdicts?.into_iter();
        for (taken, parts) in batch.iter_mut().zip(parts) {
            let mut notices: Vec<Notice> =
                verdicts.by_ref().take(parts).filter_map(|verdict| count(verdict, summary)).collect();
            rulebook.severities.weigh(&mut notices);
            // The parts of a record are refused together, for one reason.
            notices.dedup();
            taken.notices.append(&mut notices);
            tell(taken, summary, listeners)?;
        }
        if (listeners.batch)(summary).is_break() {
            return Err(ImportError::Stopped);
        }
        batch = ahead;
    }
}

/// The next records of `source`, which share a transaction.
fn next(source: &mut impl Iterator<Item = Taken>, most: usize) -> Vec<Taken> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < most && bytes < BATCH_BYTES {
        let Some(taken) = source.next() else { break };
        bytes += taken.records.iter().map(|record| record.text().len()).sum::<usize>();
        batch.push(taken);
    }
    batch
}

/// Counts what became of a benefit, and gives what is to be said of it, if anything.
fn count(verdict: Verdict, summary: &mut Summary) -> Option<Notice> {
    match verdict {
        Verdict::New { .. } => {
            summary.new += 1;
            summary.flussi += 1;
        }
        Verdict::Changed { cancellations, .. } => {
            summary.changed += 1;
            summary.flussi += 1 + flows(&cancellations);
        }
        Verdict::Unchanged => summary.unchanged += 1,
        Verdict::Unsettled(notice) => {
            summary.unchanged += 1;
            return Some(*notice);
        }
        Verdict::Withdrawn { cancellations } => {
            summary.withdrawn += 1;
            summary.flussi += flows(&cancellations);
        }
        Verdict::Refused(notice) => return Some(*notice),
    }
    None
}

fn flows(names: &[String]) -> u64 {
    u64::try_from(names.len()).unwrap_or(u64::MAX)
}

/// Counts one record of the source, and tells what is to be said of it.
fn tell(taken: &Taken, summary: &mut Summary, listeners: &mut Listeners<'_>) -> io::Result<()> {
    summary.records += 1;
    if taken.is_refused() {
        summary.refused += 1;
    } else if !taken.notices.is_empty() {
        summary.warned += 1;
    }
    for notice in &taken.notices {
        *summary.by_rule.entry(Cow::Borrowed(notice.rule.code)).or_default() += 1;
        let entry = Entry::new(taken, notice);
        (listeners.notice)(&entry);
        if let Some(report) = &mut listeners.report {
            report.write(&entry)?;
        }
    }
    Ok(())
}
