//! Writing entries out: JSON lines and CSV, under the names that the interface promises.

use std::io::Write;

use serde_json::{Map, Value};

use super::leaf::{LATER, Leaf};
use super::prune;
use super::seal::exported::RemovedLine;
use super::seal::period::{Ends, each_left_out};
use super::search::{Filter, Found, search};
use crate::spreadsheet;
use crate::store::{Store, StoreError};

/// How many entries are read at a time.
const PAGE: u32 = 1000;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A header, then one row per entry; safe to open in a spreadsheet.
    Csv,
    /// One JSON object per line.
    Jsonl,
}

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The destination could not be written.
    #[error("cannot write the export: {0}")]
    Output(#[from] std::io::Error),
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        Self::Output(error.into())
    }
}

impl Found {
    /// The entry as a JSON object, all its members in the order of the export.
    pub fn json(&self) -> Result<Map<String, Value>, StoreError> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(self.leaf()?) else {
            return Ok(Map::new());
        };
        let mut later: Map<String, Value> = LATER
            .iter()
            .map(|name| ((*name).to_owned(), members.remove(*name).unwrap_or_default()))
            .collect();
        members.append(&mut later);
        Ok(members)
    }

    fn leaf(&self) -> Result<Leaf<'_>, StoreError> {
        Leaf::new(&self.row, self.eservice.as_deref())
    }
}

/// Writes every entry that `filter` lets through, oldest first, and returns how many there were.
///
/// JSON lines begin with the hashes of the entries that were removed, and those of a period with the hashes of what it
/// leaves out, so that they still verify.
pub fn export(
    store: &Store,
    filter: &Filter,
    format: Format,
    output: impl Write,
) -> Result<u64, ExportError> {
    let mut writer = match format {
        Format::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(output))),
        Format::Jsonl => Writer::Jsonl(output),
    };
    writer.begin()?;
    let mut ends = None;
    if let Writer::Jsonl(output) = &mut writer {
        let line = |line: RemovedLine| {
            serde_json::to_writer(&mut *output, &line).map_err(std::io::Error::from)?;
            Ok::<_, ExportError>(output.write_all(b"\n")?)
        };
        if filter.is_whole() {
            prune::each_removed(store, filter.eservice.as_deref(), line)?;
        } else if filter.is_period() {
            ends = Some(each_left_out(store, filter, line)?);
        }
    }
    let came_later = |found: &Found| {
        let end = |ends: &Ends| ends.get(&found.log_id()).copied().unwrap_or_default();
        ends.as_ref().is_some_and(|ends| found.index() >= end(ends))
    };
    let mut after = None;
    let mut count = 0;
    loop {
        let page = store.read(|connection| search(connection, filter, after, PAGE))?;
        for entry in page.entries.iter().filter(|entry| !came_later(entry)) {
            writer.write(entry)?;
            count += 1;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    writer.finish()?;
    Ok(count)
}

enum Writer<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

impl<W: Write> Writer<W> {
    /// The header, which an export without entries has as well.
    fn begin(&mut self) -> Result<(), ExportError> {
        if let Self::Csv(writer) = self {
            writer.write_record(Found::default().json()?.keys())?;
        }
        Ok(())
    }

    fn write(&mut self, entry: &Found) -> Result<(), ExportError> {
        match self {
            Self::Csv(writer) => writer.write_record(entry.json()?.values().map(cell))?,
            Self::Jsonl(output) => {
                output.write_all(entry.leaf()?.text()?.as_bytes())?;
                output.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::Csv(mut writer) => writer.flush()?,
            Self::Jsonl(mut output) => output.flush()?,
        }
        Ok(())
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => spreadsheet::cell(text),
        other => other.to_string(),
    }
}
