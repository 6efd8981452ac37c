//! Reads what people have, CSV, XML and JSON, into the records of [`crate::siuss`], and says what it refuses and why.
//!
//! One record of the source at a time, in bounded memory, whatever the size of the file. [`read`] gives the records in
//! the order of the source; a benefit that crosses calendar years gives several records at once. Nothing here touches
//! a database: whether a record is new is for the registry to say.

mod columns;
mod csv;
mod decode;
mod json;
mod mapping;
mod repeated;
pub mod report;
mod row;
mod xml;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

use crate::siuss::described::Described;
use crate::siuss::element::Element;
use crate::siuss::notice::{Notice, Rule, Severity, refuses};
use crate::siuss::pseudonym;
use crate::siuss::record::Record;
use crate::siuss::rules::Rulebook;
use crate::siuss::split;

use repeated::Seen;

pub use columns::{MOST_UNKNOWN, fields, nearest_field};
pub use json::{from_json, to_json};
pub use mapping::{Mapping, MappingError};
pub(crate) use row::canonical;

static READABLE: Rule = Rule {
    code: "FILE-01",
    severity: Severity::Errore,
    summary: "Il file si può leggere dall'inizio alla fine",
    source: "Prodotto",
};

/// The forms that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table with a header row.
    Csv,
    /// A SIUSS web-upload file.
    Xml,
    /// One JSON object in each line.
    Json,
}

impl Format {
    /// The form that the extension of a file's name tells.
    #[must_use]
    pub fn of_name(name: &Path) -> Option<Self> {
        let extension = name.extension().and_then(|extension| extension.to_str())?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "xml" => Some(Self::Xml),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            _ => None,
        }
    }

    /// The form of the file at `path`: by its extension, else by its first character.
    fn of(path: &Path, file: &mut File) -> io::Result<Self> {
        if let Some(format) = Self::of_name(path) {
            return Ok(format);
        }
        let mut start = [0; 64];
        let count = file.read(&mut start)?;
        file.rewind()?;
        Ok(match start.iter().take(count).find(|byte| byte.is_ascii_graphic()) {
            Some(b'<') => Self::Xml,
            Some(b'{') => Self::Json,
            _ => Self::Csv,
        })
    }
}

/// The rules that this room judges a file by.
pub static RULES: &[&Rule] = &[
    &READABLE,
    &decode::ENCODED,
    &xml::SAME_ENTE,
    &columns::HEADER,
    &csv::ROW,
    &columns::MIXED,
    &json::TEXT,
    &json::record::STRUCTURE,
];

/// By what staff find a record again, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Label {
    /// `ProtocolloDomanda`, of a benefit.
    ProtocolloDomanda(String),
    /// `IDBeneficiario`, of a child in care.
    IdBeneficiario(String),
    /// Nothing: the record could not be read as far.
    #[default]
    Unknown,
}

impl Label {
    fn of(element: &Element) -> Self {
        /// Longer than any that the schema admits.
        const LONGEST: usize = 64;
        let text = |name, element: &Element| {
            element.attribute(name).map(|text| match text.char_indices().nth(LONGEST) {
                Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
                None => text.to_owned(),
            })
        };
        let label = match element.child("PrestazioniSociali") {
            Some(prestazione) => text("ProtocolloDomanda", prestazione).map(Self::ProtocolloDomanda),
            None => text("IDBeneficiario", element).map(Self::IdBeneficiario),
        };
        label.unwrap_or_default()
    }

    /// The `ProtocolloDomanda`, or the `IDBeneficiario`.
    #[must_use]
    pub fn names(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::ProtocolloDomanda(text) => (Some(text), None),
            Self::IdBeneficiario(text) => (None, Some(text)),
            Self::Unknown => (None, None),
        }
    }
}

/// One record of the source, read and judged.
#[derive(Debug)]
pub struct Taken {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// By what staff find it again.
    pub label: Label,
    /// What can be published: empty when it is refused.
    pub records: Vec<Described>,
    /// What is to be said of it.
    pub notices: Vec<Notice>,
}

impl Taken {
    /// Something to say that belongs to no record: the file itself is at fault.
    fn fault(line: u64, notice: Notice) -> Self {
        Self { line, label: Label::default(), records: Vec::new(), notices: vec![notice] }
    }

    /// A request that carries no record.
    #[must_use]
    pub fn empty() -> Self {
        Self { line: 1, label: Label::default(), records: Vec::new(), notices: Vec::new() }
    }

    /// Whether it is refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        refuses(&self.notices)
    }

    /// Judges `element`, of which `notices` says what is wrong already.
    fn judge(mut element: Element, mut notices: Vec<Notice>, rulebook: &Rulebook) -> Self {
        let line = element.line;
        // Without a pseudonym there is nothing to call the child by: no report, and no other rule, can speak of it.
        if let Err(notice) = pseudonym::replace(&mut element, rulebook.pseudonyms.as_ref()) {
            return Self::fault(line, *notice);
        }
        let label = Label::of(&element);
        notices.extend(rulebook.check_written(&element));
        let mut records = Vec::new();
        for part in split::by_year(element, &mut notices) {
            let Some(record) = Record::read(&part, &mut notices) else { continue };
            notices.extend(rulebook.check(&record));
            let record = Described::from(record);
            records.push(if records.is_empty() { record } else { record.continuing() });
        }
        rulebook.severities.weigh(&mut notices);
        notices.dedup();
        // The parts of one source record go together: half a benefit would be a wrong benefit.
        if refuses(&notices) {
            records.clear();
        }
        Self { line, label, records, notices }
    }
}

/// Judges a record that somebody wrote here, without a file.
#[must_use]
pub fn judge(element: Element, rulebook: &Rulebook) -> Taken {
    Taken::judge(element, Vec::new(), rulebook)
}

/// How to read a source.
#[derive(Debug)]
pub struct Options<'a> {
    /// The ente whose records they are: a file that names another is refused.
    pub ente: &'a str,
    /// The form; `None`: by extension and content.
    pub format: Option<Format>,
    /// Names of columns that are not those of the attributes.
    pub mapping: &'a Mapping,
    /// By what the records are judged.
    pub rulebook: &'a Rulebook,
}

/// The records of the file at `path`, or what makes it unreadable from its first line.
///
/// `progress` is told how many bytes were read, as they are.
pub fn read<'a>(
    path: &Path,
    options: &Options<'a>,
    progress: impl Fn(u64) + 'a,
) -> Result<Box<dyn Iterator<Item = Taken> + 'a>, Vec<Notice>> {
    let cannot_read = |error: io::Error| vec![unreadable(&error)];
    let mut file = File::open(path).map_err(cannot_read)?;
    let format = match options.format {
        Some(format) => format,
        None => Format::of(path, &mut file).map_err(cannot_read)?,
    };
    read_from(file, format, options, progress)
}

/// [`read`], of a source in the form `format`, whatever `options` say of it. A CSV is read twice: once for its encoding.
pub fn read_from<'a, R: Read + Seek + 'a>(
    mut source: R,
    format: Format,
    options: &Options<'a>,
    progress: impl Fn(u64) + 'a,
) -> Result<Box<dyn Iterator<Item = Taken> + 'a>, Vec<Notice>> {
    let cannot_read = |error: io::Error| vec![unreadable(&error)];
    let taken: Box<dyn Iterator<Item = Taken> + 'a> = match format {
        Format::Csv => {
            let encoding = decode::csv_encoding(&mut source).map_err(cannot_read)??;
            let source = decode::Decoded::new(Counted { source, progress }, encoding);
            Box::new(csv::Rows::new(source, options.mapping, options.rulebook)?)
        }
        Format::Xml => {
            let (encoding, declared) = decode::xml_encoding(&mut source).map_err(cannot_read)??;
            let source = decode::Decoded::new(Counted { source, progress }, encoding);
            Box::new(xml::Records::new(source, declared, options.ente, options.rulebook))
        }
        Format::Json => Box::new(json::Lines::new(Counted { source, progress }, options.rulebook)),
    };
    let (mut seen, rulebook) = (Seen::default(), options.rulebook);
    Ok(Box::new(taken.map(move |taken| seen.look(taken, rulebook))))
}

/// The columns of a CSV that are no field's by their own names, in their order, each once: [`MOST_UNKNOWN`] and one at
/// most.
pub fn unknown_columns(mut source: impl Read + Seek) -> Result<Vec<String>, Vec<Notice>> {
    let cannot_read = |error: io::Error| vec![unreadable(&error)];
    let encoding = decode::csv_encoding(&mut source).map_err(cannot_read)??;
    csv::unknown_columns(decode::Decoded::new(source, encoding))
}

/// What is said of a file that cannot be read.
fn unreadable(error: &io::Error) -> Notice {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "non esiste".to_owned(),
        io::ErrorKind::PermissionDenied => "non si ha il permesso di leggerlo".to_owned(),
        io::ErrorKind::IsADirectory => "è una cartella".to_owned(),
        io::ErrorKind::NotSeekable => "è una pipe, e serve un file che si possa leggere due volte".to_owned(),
        _ => format!("la lettura non è riuscita ({error})"),
    };
    let remedy = match error.kind() {
        io::ErrorKind::IsADirectory => "Indicare uno per uno i file che contiene.",
        io::ErrorKind::NotSeekable => "Salvare prima ciò che dà in un file.",
        _ => "Controllare il nome e i permessi del file.",
    };
    Notice::new(&READABLE, "file", "", format!("Il file non si può leggere: {reason}."), remedy)
}

/// A source that tells how far it was read.
struct Counted<R, P> {
    source: R,
    progress: P,
}

impl<R: Read, P: Fn(u64)> Read for Counted<R, P> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(out)?;
        (self.progress)(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}
