//! The tables that rules look into: the nomenclature of benefits, the regions, the archive of municipalities.
//!
//! The product ships what public sources give of the first two; an operator can load newer tables. How a table is
//! written as CSV is known here; where it is kept is not.

mod comuni;
mod nomenclatore;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use comuni::Comuni;
pub use nomenclatore::{NOMENCLATORE, Nomenclatore, Trasmissione, Voce};

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A column that the table needs is not in its first line.
    #[error("the first line has no column {0:?}")]
    Column(&'static str),
    /// The table has no rows.
    #[error("the table has no rows")]
    Empty,
    /// A line does not say what its column should.
    #[error("line {line}: {message}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
}

/// The codes of the regions in the flows: the order of Agenzia Entrate, not ISTAT's (facts of SIUSS).
pub static REGIONI: LazyLock<Vec<String>> = LazyLock::new(|| {
    csv::Reader::from_reader(include_str!("../../../specs/regioni.csv").as_bytes())
        .into_records()
        .filter_map(|row| row.ok()?.get(0).map(str::to_owned))
        .collect()
});

/// A CSV with a header row, read by the names of its columns.
struct Rows {
    rows: Vec<(u64, csv::StringRecord)>,
    columns: HashMap<&'static str, usize>,
}

impl Rows {
    /// The rows of `text`, which may begin with a byte-order mark and separates with `,` or `;`.
    fn read(text: &str, columns: &[&'static str]) -> Result<Self, TableError> {
        let text = text.trim_start_matches('\u{FEFF}');
        let header = text.lines().next().unwrap_or_default();
        let delimiter = if header.contains(';') { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let malformed = |error: csv::Error| TableError::Line {
            line: error.position().map_or(1, csv::Position::line),
            message: "it is not a row of a CSV with as many values as columns".to_owned(),
        };
        let header = reader.headers().map_err(malformed)?.clone();
        let columns = columns
            .iter()
            .map(|name| {
                let index = header.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
                index.map(|index| (*name, index)).ok_or(TableError::Column(name))
            })
            .collect::<Result<_, _>>()?;
        let rows: Vec<_> = reader
            .into_records()
            .map(|row| {
                let row = row.map_err(malformed)?;
                Ok((row.position().map_or(0, csv::Position::line), row))
            })
            .collect::<Result<_, _>>()?;
        if rows.is_empty() { Err(TableError::Empty) } else { Ok(Self { rows, columns }) }
    }

    /// Each row: its line, and how to get a value of it by column.
    fn iter<'a>(&'a self) -> impl Iterator<Item = (u64, impl Fn(&'static str) -> &'a str)> {
        self.rows.iter().map(move |(line, row)| {
            let value = move |column: &'static str| {
                self.columns.get(column).and_then(|index| row.get(*index)).unwrap_or_default().trim()
            };
            (*line, value)
        })
    }
}
