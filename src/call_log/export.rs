//! Writing entries out: JSON lines and CSV, under the names that the interface promises.

use std::fmt::Write as _;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::entry::Evidence;
use super::search::{Filter, Found, search};
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

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// An entry under the names of the interface; null where something does not apply.
#[derive(Serialize)]
struct Line<'a> {
    index: i64,
    instant: String,
    request_id: &'a str,
    eservice: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    status: i16,
    outcome: &'a str,
    voucher_check: Option<&'a str>,
    client_ip: Option<&'a str>,
    client_id: Option<&'a str>,
    consumer_id: Option<&'a str>,
    purpose_id: Option<&'a str>,
    token_id: Option<&'a str>,
    kid: Option<&'a str>,
    producer_id: Option<&'a str>,
    eservice_id: Option<&'a str>,
    descriptor_id: Option<&'a str>,
    user_id: Option<String>,
    user_location: Option<String>,
    loa: Option<String>,
    since: Option<serde_json::Number>,
    limit: Option<i64>,
    first_ts: Option<i64>,
    last_ts: Option<i64>,
    count: Option<i64>,
    flows_digest: Option<String>,
    duration_ms: Option<serde_json::Number>,
    bytes: Option<i64>,
}

impl Found {
    /// The entry as a JSON object, its members in the order of the export.
    pub fn json(&self) -> Result<Map<String, Value>, serde_json::Error> {
        let row = &self.row;
        let instant = Timestamp::from_millisecond(row.instant_ms).unwrap_or_default();
        let evidence: Evidence =
            row.evidence.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        let line = Line {
            index: row.entry_index,
            instant: format!("{instant:.3}"),
            request_id: &row.request_id,
            eservice: self.eservice.as_deref(),
            method: &row.method,
            path: &row.path,
            query: row.query.as_deref(),
            status: row.status,
            outcome: &row.outcome,
            voucher_check: row.voucher_check.as_deref(),
            client_ip: row.client_ip.as_deref(),
            client_id: row.client_id.as_deref(),
            consumer_id: row.consumer_id.as_deref(),
            purpose_id: row.purpose_id.as_deref(),
            token_id: row.token_id.as_deref(),
            kid: row.kid.as_deref(),
            producer_id: row.producer_id.as_deref(),
            eservice_id: row.pdnd_eservice_id.as_deref(),
            descriptor_id: row.descriptor_id.as_deref(),
            user_id: evidence.user_id,
            user_location: evidence.user_location,
            loa: evidence.loa,
            since: row.since.as_deref().and_then(|since| since.parse().ok()),
            limit: row.page_limit,
            first_ts: row.first_ts,
            last_ts: row.last_ts,
            count: row.item_count,
            flows_digest: row.flows_digest.as_deref().map(hex),
            duration_ms: format!("{}.{:03}", row.duration_us / 1000, row.duration_us % 1000).parse().ok(),
            bytes: row.bytes,
        };
        match serde_json::to_value(line)? {
            Value::Object(members) => Ok(members),
            _ => Ok(Map::new()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Writes every entry that `filter` lets through, oldest first, and returns how many there were.
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
    let mut after = None;
    let mut count = 0;
    loop {
        let page = store.read(|connection| search(connection, filter, after, PAGE))?;
        for entry in &page.entries {
            writer.write(&entry.json()?)?;
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

    fn write(&mut self, entry: &Map<String, Value>) -> Result<(), ExportError> {
        match self {
            Self::Csv(writer) => writer.write_record(entry.values().map(cell))?,
            Self::Jsonl(output) => {
                serde_json::to_writer(&mut *output, entry)?;
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

/// A value as a cell. A spreadsheet takes text that begins like a formula for one, and would run what a caller wrote
/// into its query.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
