//! The archive of municipalities, current and ceased, with the days between which each code was in use.
//!
//! The form is that of ANPR's archive, published by the Ministry of the Interior: `CODISTAT`, `CODCATASTALE` (Belfiore),
//! `DATAISTITUZIONE`, `DATACESSAZIONE` (9999-12-31 when current), `IDREGIONE` (ISTAT), `IDPROVINCIAISTAT`.

use std::collections::HashMap;

use jiff::civil::Date;

use super::{Rows, TableError};

/// The regions of ISTAT, from 01, in the numbers of the flows. Trentino-Alto Adige, ISTAT's 04, is two of the flows'
/// regions and is told apart by province.
const REGIONS: [u8; 20] =
    [13, 20, 10, TRENTINO_ALTO_ADIGE, 21, 7, 9, 6, 17, 19, 11, 8, 1, 12, 5, 14, 2, 4, 16, 15];
const TRENTINO_ALTO_ADIGE: u8 = 0;
/// ISTAT's provinces of ISTAT's region 04, and what the flows number as regions.
const PROVINCES: [(&str, u8); 2] = [("021", 3), ("022", 18)];

/// A time in which a code belonged to a municipality, first and last day included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Period {
    first: Date,
    last: Date,
}

impl Period {
    fn contains(self, day: Date) -> bool {
        (self.first..=self.last).contains(&day)
    }

    fn is_current(self) -> bool {
        self.last.year() == 9999
    }
}

/// The archive.
#[derive(Clone, Debug, Default)]
pub struct Comuni {
    belfiore: HashMap<String, Vec<Period>>,
    /// By ISTAT code: when, and in which region of the flows, where the flows have one (not of lands that are no longer
    /// Italy's).
    istat: HashMap<u32, Vec<(Period, Option<u8>)>>,
}

impl Comuni {
    /// Reads the archive.
    pub fn from_csv(text: &str) -> Result<Self, TableError> {
        let columns = [
            "DATAISTITUZIONE",
            "DATACESSAZIONE",
            "CODISTAT",
            "CODCATASTALE",
            "IDREGIONE",
            "IDPROVINCIAISTAT",
        ];
        let mut archive = Self::default();
        for (line, value) in Rows::read(text, &columns)?.iter() {
            let wrong = |column: &str, text: &str| TableError::Line {
                line,
                message: format!("{column} is {text:?}, which it cannot be"),
            };
            let day = |column: &'static str| {
                value(column).parse::<Date>().map_err(|_| wrong(column, value(column)))
            };
            let period = Period { first: day("DATAISTITUZIONE")?, last: day("DATACESSAZIONE")? };
            let istat = value("CODISTAT");
            let number = istat.parse().ok().filter(|_| istat.len() == 6);
            let number: u32 = number.ok_or_else(|| wrong("CODISTAT", istat))?;
            let regione = regione(value("IDREGIONE"), value("IDPROVINCIAISTAT"));
            archive.istat.entry(number).or_default().push((period, regione));
            // Some that ceased long ago never had a Belfiore code (`ND`).
            let belfiore = value("CODCATASTALE");
            if belfiore.len() == 4 {
                archive.belfiore.entry(belfiore.to_ascii_uppercase()).or_default().push(period);
            }
        }
        Ok(archive)
    }

    /// How many Belfiore codes it knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.belfiore.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.belfiore.is_empty()
    }

    /// Whether the Belfiore code (capitals) was in use on some day of `year`.
    #[must_use]
    pub fn has_belfiore(&self, code: &str, year: u32) -> bool {
        let within = |period: &Period| {
            let years = i64::from(period.first.year())..=i64::from(period.last.year());
            years.contains(&i64::from(year))
        };
        self.belfiore.get(code).is_some_and(|periods| periods.iter().any(within))
    }

    /// Whether the Belfiore code (capitals) was ever in use.
    #[must_use]
    pub fn ever_had_belfiore(&self, code: &str) -> bool {
        self.belfiore.contains_key(code)
    }

    /// Whether the ISTAT code is in use today, or was on `day`.
    #[must_use]
    pub fn has_istat(&self, code: u32, day: Option<Date>) -> bool {
        self.on(code, day).next().is_some()
    }

    /// The region of the flows in which the municipality with this ISTAT code is, or was on `day`.
    #[must_use]
    pub fn regione(&self, code: u32, day: Option<Date>) -> Option<u8> {
        self.on(code, day).find_map(|regione| *regione)
    }

    /// The regions that the code had on `day`, then those that it has today.
    fn on(&self, code: u32, day: Option<Date>) -> impl Iterator<Item = &Option<u8>> {
        let known = self.istat.get(&code).map(Vec::as_slice).unwrap_or_default();
        let then = known.iter().filter(move |(period, _)| day.is_some_and(|day| period.contains(day)));
        let today = known.iter().filter(|(period, _)| period.is_current());
        then.chain(today).map(|(_, regione)| regione)
    }
}

/// The region of the flows for ISTAT's region and province.
fn regione(istat: &str, provincia: &str) -> Option<u8> {
    let index = istat.parse::<usize>().ok()?.checked_sub(1)?;
    match *REGIONS.get(index)? {
        TRENTINO_ALTO_ADIGE => {
            PROVINCES.iter().find(|(code, _)| *code == provincia).map(|(_, regione)| *regione)
        }
        regione => Some(regione),
    }
}
