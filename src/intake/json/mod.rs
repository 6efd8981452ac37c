//! JSON: lines with one record each, and the body of a request with one record or an array of them.
//!
//! A record is the XML's structure: attributes and elements by their own names, repeated elements as arrays, values as
//! texts or numbers, `null` for what is not there, and `tipo` beside it. A *file* is JSON Lines and nothing else: an
//! array in a file would have to be read whole before its last bracket says that it was one, and a line that cannot be
//! read would take all others with it.

pub(super) mod record;
mod tree;
mod write;

use std::io::{self, BufRead, BufReader, Read};

use serde_json::error::Category;

use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::rules::Rulebook;

use super::repeated::Seen;
use super::{Label, Taken};
use tree::Tree;

pub use write::to_json;

pub(super) static TEXT: Rule = Rule {
    code: "JSON-01",
    severity: Severity::Errore,
    summary: "Ogni riga è un oggetto JSON completo, in UTF-8, di lunghezza e profondità ragionevoli",
    source: "Interfaccia del prodotto, «Formats»; RFC 8259",
};

/// Bytes of one line.
const LONGEST_LINE: usize = 1024 * 1024;
/// Values in one line: a record with every field and a hundred in each list has fewer than a thousand.
const MOST_VALUES: usize = 10_000;
/// Values in a record of a request.
const MOST_VALUES_EACH: usize = 500;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The records of a file.
pub(super) struct Lines<'a, R> {
    source: BufReader<R>,
    rulebook: &'a Rulebook,
    buffer: Vec<u8>,
    /// Lines that were read.
    line: u64,
    /// Whether a line with something in it was read.
    begun: bool,
    ended: bool,
}

impl<'a, R: Read> Lines<'a, R> {
    pub(super) fn new(source: R, rulebook: &'a Rulebook) -> Self {
        let source = BufReader::with_capacity(64 * 1024, source);
        Self { source, rulebook, buffer: Vec::new(), line: 0, begun: false, ended: false }
    }

    /// Reads the next line into the buffer; false at the end of the file. A line that is too long is passed over, and
    /// an error of the kind `InvalidData`.
    fn read_line(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX).saturating_add(1);
        let count = self.source.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
        self.line += u64::from(count > 0);
        if count <= LONGEST_LINE {
            return Ok(count > 0);
        }
        while !self.buffer.ends_with(b"\n") {
            self.buffer.clear();
            let count = self.source.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
            if count == 0 {
                break;
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn fault(&self, notice: Notice) -> Taken {
        Taken::fault(self.line, notice)
    }
}

impl<R: Read> Iterator for Lines<'_, R> {
    type Item = Taken;

    fn next(&mut self) -> Option<Taken> {
        while !self.ended {
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.begun = true;
                    return Some(self.fault(too_long()));
                }
                Err(error) => {
                    self.ended = true;
                    return Some(self.fault(super::unreadable(&error)));
                }
            }
            let mut text = self.buffer.as_slice();
            if self.line == 1 {
                text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            }
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let first = !std::mem::replace(&mut self.begun, true);
            // What says of the first record that the file is something else says it of all that follow.
            if first && let Some(notice) = not_lines(text) {
                self.ended = true;
                return Some(self.fault(notice));
            }
            if std::str::from_utf8(text).is_err() {
                return Some(self.fault(not_utf8()));
            }
            return Some(match tree::read(text, MOST_VALUES) {
                Ok(tree) => judge(tree, self.line, self.rulebook),
                Err(error) => {
                    self.ended = first && error.classify() == Category::Eof;
                    self.fault(unreadable(&error, "La riga"))
                }
            });
        }
        None
    }
}

/// The records in the body of a request: one object, or an array of at most `most`. Each has its place, from 1, for a
/// line.
pub fn from_json(body: &[u8], most: usize, rulebook: &Rulebook) -> Result<Vec<Taken>, Notice> {
    if std::str::from_utf8(body).is_err() {
        return Err(not_utf8());
    }
    let values = most.saturating_mul(MOST_VALUES_EACH).max(MOST_VALUES);
    if body.trim_ascii().is_empty() {
        let remedy = "Inviare un record, o un elenco di record, in JSON.";
        return Err(Notice::new(&TEXT, "corpo", "", "Il corpo è vuoto.", remedy));
    }
    let records = match tree::read(body, values).map_err(|error| unreadable(&error, "Il corpo"))? {
        Tree::List(records) => records,
        one => vec![one],
    };
    if records.is_empty() || records.len() > most {
        let (message, remedy) = match (records.len(), most) {
            (0, _) => ("L'elenco è vuoto.".to_owned(), "Inviare almeno un record."),
            (count, 1) => (
                format!("Il corpo ha {count} record: qui se ne attende uno."),
                "Inviare una richiesta per ogni record.",
            ),
            (count, _) => (
                format!("L'elenco ha {count} record: al massimo {most}."),
                "Dividere i record in più richieste.",
            ),
        };
        return Err(Notice::new(&TEXT, "corpo", "", message, remedy));
    }
    let mut seen = Seen::default();
    let judged = (1..).zip(records).map(|(place, tree)| judge(tree, place, rulebook));
    Ok(judged.map(|taken| seen.look(taken, rulebook)).collect())
}

fn judge(tree: Tree, line: u64, rulebook: &Rulebook) -> Taken {
    let (element, notices) = record::element(tree, line);
    match element {
        Some(element) => Taken::judge(element, notices, rulebook),
        None => Taken { line, label: Label::default(), records: Vec::new(), notices },
    }
}

/// Why a file that begins with `text` is not JSON Lines.
fn not_lines(text: &[u8]) -> Option<Notice> {
    let (message, remedy) = match text {
        [b'[', ..] => (
            "Il file è un array JSON: qui si legge un record per riga (JSON Lines).",
            "Scrivere ogni record su una riga sola, senza parentesi quadre e senza virgole tra i record.",
        ),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            ("Il file JSON è in UTF-16, che non è ammesso.", "Salvarlo di nuovo in UTF-8.")
        }
        _ => return None,
    };
    Some(Notice::new(&TEXT, "file", "", message, remedy))
}

fn too_long() -> Notice {
    let message = format!("La riga supera {LONGEST_LINE} byte.");
    Notice::new(&TEXT, "riga", "", message, "Scrivere un record per riga.")
}

fn not_utf8() -> Notice {
    let message = "Il testo non è UTF-8.";
    Notice::new(&TEXT, "riga", "", message, "Scrivere il JSON in UTF-8, come RFC 8259 prescrive.")
}

fn unreadable(error: &serde_json::Error, what: &str) -> Notice {
    let (column, row) = (error.column(), error.line());
    let (message, remedy) = match error.classify() {
        Category::Eof => (
            format!("{what} finisce prima che il JSON sia completo."),
            "Scrivere ogni record per intero; in un file, su una riga sola.",
        ),
        Category::Data => (
            format!("{what} ha troppi livelli o troppi valori (alla colonna {column})."),
            "Scrivere il record con la struttura dell'XML.",
        ),
        Category::Syntax | Category::Io => (
            format!("{what} non è JSON valido: errore alla riga {row} del testo, colonna {column}."),
            "Correggere il JSON in quel punto: virgolette, virgole, caratteri di controllo, sequenze \\u.",
        ),
    };
    Notice::new(&TEXT, "json", "", message, remedy)
}
