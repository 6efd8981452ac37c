//! The report of an import: one entry for each refusal or warning, in the order of the source, as CSV or JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::siuss::notice::{Notice, Severity};
use crate::spreadsheet;

use super::Taken;

/// One entry.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// The line of the source, from 1.
    pub line: u64,
    /// The rule's code.
    pub rule: &'a str,
    /// `errore` or `avviso`.
    pub severity: Severity,
    /// The attribute or element.
    pub field: &'a str,
    /// Its id in the layout of the mass upload.
    pub bx: Option<&'a str>,
    /// The value that was read.
    pub value: &'a str,
    /// What is wrong.
    pub message: &'a str,
    /// What to do.
    pub remedy: &'a str,
    /// The record's protocol, where it is a benefit.
    #[serde(rename = "ProtocolloDomanda", skip_serializing_if = "Option::is_none")]
    pub protocollo_domanda: Option<&'a str>,
    /// The record's pseudonym, where it is a child in care.
    #[serde(rename = "IDBeneficiario", skip_serializing_if = "Option::is_none")]
    pub id_beneficiario: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// What `notice` says of `taken`. The line is the record's: an XML record may begin above the faulty element.
    #[must_use]
    pub fn new(taken: &'a Taken, notice: &'a Notice) -> Self {
        let (protocollo_domanda, id_beneficiario) = taken.label.names();
        Self {
            line: notice.line.unwrap_or(taken.line),
            rule: notice.rule.code,
            severity: notice.severity,
            field: &notice.field,
            bx: notice.bx,
            value: &notice.value,
            message: &notice.message,
            remedy: &notice.remedy,
            protocollo_domanda,
            id_beneficiario,
        }
    }
}

/// An entry that was kept.
#[derive(Debug, Deserialize)]
pub struct Kept {
    line: u64,
    rule: String,
    severity: Severity,
    field: String,
    bx: Option<String>,
    value: String,
    message: String,
    remedy: String,
    #[serde(rename = "ProtocolloDomanda")]
    protocollo_domanda: Option<String>,
    #[serde(rename = "IDBeneficiario")]
    id_beneficiario: Option<String>,
}

impl Kept {
    /// Whether it refuses its record.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.severity == Severity::Errore
    }

    /// It, as it was.
    #[must_use]
    pub fn entry(&self) -> Entry<'_> {
        Entry {
            line: self.line,
            rule: &self.rule,
            severity: self.severity,
            field: &self.field,
            bx: self.bx.as_deref(),
            value: &self.value,
            message: &self.message,
            remedy: &self.remedy,
            protocollo_domanda: self.protocollo_domanda.as_deref(),
            id_beneficiario: self.id_beneficiario.as_deref(),
        }
    }
}

/// A report on its way to a file or elsewhere, written as the import goes.
#[derive(Debug)]
pub struct Report<W: Write = BufWriter<File>> {
    form: Form<W>,
    /// The source that the next entries are of, where they are of several.
    file: Option<String>,
}

#[derive(Debug)]
enum Form<W: Write> {
    /// A table, safe to open in a spreadsheet.
    Csv(Box<csv::Writer<W>>),
    /// An array of objects; whether one was written.
    Json { out: W, begun: bool },
}

/// An entry, and the source that it is of, where there are several.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

impl Report {
    /// A report at `path`, whose extension tells its form: `.json`, else CSV. It is readable by its owner alone, for
    /// it repeats what the source says of people. Of several sources it says with each entry which one it is of.
    pub fn create(path: &Path, several: bool) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let out = BufWriter::new(options.open(path)?);
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let file = several.then(String::new);
        if is_json { Ok(Self { file, ..Self::json(out) }) } else { Self::table(out, file) }
    }
}

impl<W: Write> Report<W> {
    /// A report that is an array of objects.
    pub fn json(out: W) -> Self {
        Self { form: Form::Json { out, begun: false }, file: None }
    }

    /// A report that is a table.
    pub fn csv(out: W) -> io::Result<Self> {
        Self::table(out, None)
    }

    fn table(out: W, file: Option<String>) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer(out);
        let columns = [
            "line",
            "rule",
            "severity",
            "field",
            "bx",
            "value",
            "message",
            "remedy",
            "ProtocolloDomanda",
            "IDBeneficiario",
        ];
        out.write_record(columns.into_iter().chain(file.as_ref().map(|_| "file")))?;
        Ok(Self { form: Form::Csv(Box::new(out)), file })
    }

    /// Says that the next entries are of the source at `path`.
    pub fn of(&mut self, path: &Path) {
        if let Some(file) = &mut self.file {
            *file = path.display().to_string();
        }
    }

    /// Writes one entry.
    pub fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let file = self.file.as_deref();
        match &mut self.form {
            Form::Csv(out) => {
                let line = entry.line.to_string();
                let cells = [
                    line.as_str(),
                    entry.rule,
                    entry.severity.as_str(),
                    entry.field,
                    entry.bx.unwrap_or_default(),
                    entry.value,
                    entry.message,
                    entry.remedy,
                    entry.protocollo_domanda.unwrap_or_default(),
                    entry.id_beneficiario.unwrap_or_default(),
                ];
                let cells = cells.into_iter().chain(file);
                out.write_record(cells.map(spreadsheet::cell)).map_err(io::Error::from)
            }
            Form::Json { out, begun } => {
                out.write_all(if std::mem::replace(begun, true) { b",\n" } else { b"[\n" })?;
                serde_json::to_writer(out, &Line { entry, file }).map_err(io::Error::from)
            }
        }
    }

    /// Hands on what was written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Csv(out) => out.flush(),
            Form::Json { out, .. } => out.flush(),
        }
    }

    /// Ends the report.
    pub fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Csv(mut out) => out.flush(),
            Form::Json { mut out, begun } => {
                out.write_all(if begun { b"\n]\n" } else { b"[]\n" })?;
                out.flush()
            }
        }
    }
}
