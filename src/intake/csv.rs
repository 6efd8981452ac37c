//! CSV: a header row, then one record in each row.

use std::io::{self, BufRead, BufReader, Read};

use csv::{ErrorKind, StringRecord};

use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::rules::Rulebook;

use super::Taken;
use super::columns::{self, Columns, HEADER};
use super::mapping::Mapping;

pub(super) static ROW: Rule = Rule {
    code: "CSV-02",
    severity: Severity::Errore,
    summary: "Ogni riga ha un valore, anche vuoto, per ogni colonna, nessuno oltre l'ultima, e una lunghezza ragionevole",
    source: "Fatti SIUSS, «The CSV layout»",
};

/// Bytes of one row, or of the header.
const LONGEST_ROW: usize = 1024 * 1024;

/// The rows of a file.
pub(super) struct Rows<'a, R> {
    reader: csv::Reader<Bounded<R>>,
    columns: Columns,
    /// The first row, for whoever joins two files leaves that of the second among the records.
    header: StringRecord,
    rulebook: &'a Rulebook,
    record: StringRecord,
    ended: bool,
}

impl<'a, R: Read> Rows<'a, R> {
    /// Reads the header of `source`, UTF-8.
    pub(super) fn new(source: R, mapping: &Mapping, rulebook: &'a Rulebook) -> Result<Self, Vec<Notice>> {
        let (reader, record) = begin(source)?;
        let columns = Columns::read(record.iter(), mapping, rulebook.pseudonyms.is_some())?;
        Ok(Self { reader, columns, header: record.clone(), rulebook, record, ended: false })
    }

    fn row(&self, line: u64) -> Taken {
        let cells = self.record.iter().zip(&self.header);
        if self.record.len() >= self.header.len()
            && cells.into_iter().all(|(cell, name)| plain(cell) == plain(name))
        {
            let message = "La riga ripete l'intestazione, come quando due file sono uniti in uno.";
            return Taken::fault(line, Notice::new(&ROW, "riga", "", message, "Togliere la riga."));
        }
        let (values, columns) = (self.record.len(), self.columns.count());
        let nameless = self.record.iter().skip(columns).any(|value| !value.trim().is_empty());
        if values < columns || nameless {
            let values = if values == 1 { "un solo valore".to_owned() } else { format!("{values} valori") };
            let message = format!("La riga ha {values}, le colonne sono {columns}.");
            let breaks = self.record.iter().map(|value| value.matches('\n').count()).sum::<usize>();
            let last = line.saturating_add(u64::try_from(breaks).unwrap_or(u64::MAX));
            let remedy = if last > line {
                &format!(
                    "Controllare le virgolette: fino alla riga {last} tutto è stato letto come parte di questa riga."
                )
            } else if nameless {
                "Controllare separatori e virgolette della riga."
            } else {
                "Controllare separatori e virgolette della riga. Excel omette i separatori in fondo, dove le ultime \
                 colonne sono vuote: mettere per ultima una colonna che ha sempre un valore, come PresaCarico."
            };
            return Taken::fault(line, Notice::new(&ROW, "riga", "", message, remedy));
        }
        match self.columns.element(line, &self.record) {
            Ok((element, notices)) => Taken::judge(element, notices, self.rulebook),
            Err(notice) => Taken::fault(line, notice),
        }
    }
}

/// The columns of `source`, UTF-8, that are no field's by their own names.
pub(super) fn unknown_columns(source: impl Read) -> Result<Vec<String>, Vec<Notice>> {
    let (_, header) = begin(source)?;
    Ok(columns::unknown_names(header.iter()))
}

/// A reader behind the header of `source`, and the header, without the columns that have no name and stand at its end:
/// spreadsheets leave them there.
fn begin<R: Read>(source: R) -> Result<(csv::Reader<Bounded<R>>, StringRecord), Vec<Notice>> {
    let mut source = BufReader::with_capacity(64 * 1024, source);
    let start = source.fill_buf().map_err(|error| vec![super::unreadable(&error)])?;
    let delimiter = delimiter(start);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        // A carriage return before the line feed is trimmed with the value: taken for a terminator of its own, it
        // would put the line feed, and the count of lines, into the next row.
        .terminator(csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .from_reader(Bounded { source, left: LONGEST_ROW });
    let mut record = StringRecord::new();
    let mut read = reader.read_record(&mut record);
    // With this line Excel is told of the separator, which has been found in it.
    if matches!(read, Ok(true)) && record.len() == 2 && record.iter().collect::<String>().trim() == "sep=" {
        read = reader.read_record(&mut record);
    }
    match read {
        Ok(true) => match no_header(&record) {
            None => {
                let named = record.iter().zip(1..).filter(|(name, _)| !name.trim().is_empty()).last();
                record.truncate(named.map_or(0, |(_, count)| count));
                Ok((reader, record))
            }
            Some(notice) => Err(vec![notice]),
        },
        Ok(false) => Err(vec![empty("Il file è vuoto")]),
        Err(error) => Err(vec![unreadable_row(1, &error)]),
    }
}

/// What the first row shows to be wrong with the file as a whole: worth saying once, and not of each column.
fn no_header(first: &StringRecord) -> Option<Notice> {
    if first.iter().all(|name| name.trim().is_empty()) {
        return Some(empty("La prima riga è vuota"));
    }
    let told = |message, remedy| Some(Notice::new(&HEADER, "intestazione", "", message, remedy));
    let separator = match first.get(0) {
        Some(only) if first.len() > 1 || only.is_empty() => None,
        only => only.and_then(|only| only.chars().find(|character| matches!(character, '\t' | '|'))),
    };
    match separator {
        Some('\t') => told(
            "I valori sono separati da tabulazioni.",
            "Salvare il file con ; o , tra un valore e l'altro.",
        ),
        Some(_) => told(
            "I valori sono separati da barre verticali.",
            "Salvare il file con ; o , tra un valore e l'altro.",
        ),
        None if first.iter().any(|name| name.trim().contains('\r')) => told(
            "Le righe finiscono con il solo ritorno del carrello, come in un CSV per Macintosh.",
            "Salvare il file come CSV UTF-8.",
        ),
        None => None,
    }
}

impl<R: Read> Iterator for Rows<'_, R> {
    type Item = Taken;

    fn next(&mut self) -> Option<Taken> {
        while !self.ended {
            self.reader.get_mut().left = LONGEST_ROW;
            let line = self.reader.position().line();
            match self.reader.read_record(&mut self.record) {
                Ok(true) => {
                    let line = self.record.position().map_or(line, csv::Position::line);
                    // A row of empty cells is what a spreadsheet leaves below the last one.
                    if self.record.iter().any(|value| !value.trim().is_empty()) {
                        return Some(self.row(line));
                    }
                }
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Taken::fault(line, unreadable_row(line, &error)));
                }
            }
        }
        None
    }
}

/// The name in a cell of a header, which may be the first of its file.
fn plain(cell: &str) -> &str {
    cell.trim_matches(|character: char| character.is_whitespace() || character == '\u{FEFF}')
}

/// `;` or `,`, whichever the header has more of outside quotes.
fn delimiter(start: &[u8]) -> u8 {
    let mut quoted = false;
    let (mut semicolons, mut commas) = (0_usize, 0_usize);
    for byte in start {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            b';' if !quoted => semicolons += 1,
            b',' if !quoted => commas += 1,
            _ => {}
        }
    }
    if commas > semicolons { b',' } else { b';' }
}

fn empty(what: &str) -> Notice {
    let message = format!("{what}: manca la riga d'intestazione.");
    Notice::new(&HEADER, "intestazione", "", message, "Scrivere i nomi delle colonne nella prima riga.")
}

fn unreadable_row(line: u64, error: &csv::Error) -> Notice {
    let (message, remedy) = match error.kind() {
        ErrorKind::Io(cause)
            if cause.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<RowTooLong>) =>
        {
            (
                format!(
                    "Da questa riga in poi non si trova la fine della riga entro {LONGEST_ROW} byte: il resto del file \
                     non è stato letto."
                ),
                "Controllare che il file sia un CSV e che le virgolette aperte siano chiuse.",
            )
        }
        _ => (
            "Da questa riga in poi il file non si può leggere.".to_owned(),
            "Salvare di nuovo il file come CSV in UTF-8 e ripetere.",
        ),
    };
    Notice { line: Some(line), ..Notice::new(&ROW, "riga", "", message, remedy) }
}

/// A source that stops at a row longer than it lets pass.
struct Bounded<R> {
    source: BufReader<R>,
    left: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("the row is too long")]
struct RowTooLong;

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(RowTooLong));
        }
        let count = self.source.read(out)?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}
