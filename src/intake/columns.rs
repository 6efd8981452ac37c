//! Which field each column of a CSV feeds, and which kind of record a row is. How its values become an [`Element`] is in
//! [`super::row`].

use csv::StringRecord;

use crate::siuss::element::Element;
use crate::siuss::fields::{self, Field};
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::pseudonym;
use crate::siuss::rules::sinba_operation;
use crate::siuss::values::Kind;

use super::mapping::Mapping;
use super::row::Row;

pub(super) static HEADER: Rule = Rule {
    code: "CSV-01",
    severity: Severity::Errore,
    summary: "Ogni colonna ha un nome conosciuto, o è nel file di mappatura, e compare una volta sola",
    source: "Fatti SIUSS, «The CSV layout»",
};
pub(super) static MIXED: Rule = Rule {
    code: "CSV-03",
    severity: Severity::Errore,
    summary: "Una riga è di un beneficiario con CodiceFiscale, o di un minore con IDBeneficiario, non di entrambi",
    source: "Fatti SIUSS, «The CSV layout»",
};

/// The element that an attribute belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Beneficiario,
    Anagrafica,
    Indirizzo,
    Prestazione,
    Sina,
    /// A list within `SINA`: the container, and the element of one value.
    SinaList(&'static str),
    Sinba,
    /// A list within `SINBA`.
    SinbaList(&'static str),
}

/// Where the values of a column go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) owner: Owner,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// A column: its targets in the two kinds of record.
#[derive(Clone, Debug)]
struct Column {
    name: String,
    ps: Option<Target>,
    sinba: Option<Target>,
}

/// The attributes of a person's benefit, by the element that they belong to.
const PS: &[(Owner, &[Field])] = &[
    (Owner::Beneficiario, fields::BENEFICIARIO),
    (Owner::Anagrafica, fields::ANAGRAFICA),
    (Owner::Indirizzo, fields::INDIRIZZO),
    (Owner::Prestazione, fields::PRESTAZIONE),
    (Owner::Sina, fields::SINA),
];

/// Fields with several values: the name of the column, the list, the element of one value.
const LISTS: &[(&str, Owner, &str)] = &[
    ("NecessitaInterventiSociali", Owner::SinaList("NecessitaInterventiSociali"), "CodicePrestazione"),
    ("InvaliditaCivile", Owner::SinaList("InvaliditaCivile"), "InvCiv"),
    ("Prestazioni", Owner::SinbaList("Prestazioni"), "CodicePrestazione"),
    ("ComposizioneFamiglia", Owner::SinbaList("Famiglia"), "ComposizioneFamiglia"),
];

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Columns {
    all: Vec<Column>,
    /// The places of those that make a row one of a person's benefit.
    codes: Vec<usize>,
    /// The places of those that make it one of a child in care.
    pseudonyms: Vec<usize>,
}

/// Unknown names of a header after which no further are looked for: whoever has as many means another kind of file.
pub const MOST_UNKNOWN: usize = 100;
/// Faults of a header that are told one by one.
const MOST_FAULTS: usize = 20;

impl Columns {
    /// Reads a header row. Fiscal codes of children are columns only where `pseudonyms` can be made of them.
    pub(super) fn read<'a>(
        header: impl Iterator<Item = &'a str>,
        mapping: &Mapping,
        pseudonyms: bool,
    ) -> Result<Self, Vec<Notice>> {
        let mut columns: Vec<Column> = Vec::new();
        let mut faults = Vec::new();
        let mut untold = 0_usize;
        for (position, name) in header.enumerate() {
            // A hostile header has a million faults: only what is told is worth working out.
            let told = faults.len() < MOST_FAULTS;
            let fault = match column(name.trim(), mapping) {
                Ok(column) if column.name == pseudonym::SOURCE && !pseudonyms => {
                    told.then(|| Notice { line: Some(1), ..*pseudonym::without_key() })
                }
                Ok(column) => {
                    let known = |own| columns.iter().any(|other| other.targets().any(|target| own == target));
                    let twice = column.targets().any(known);
                    columns.push(column);
                    if !twice {
                        continue;
                    }
                    told.then(|| repeated(name))
                }
                Err("") if name.trim().is_empty() => told.then(|| nameless(position)),
                Err(field) => told.then(|| unknown(name.trim(), field)),
            };
            match fault {
                Some(fault) => faults.push(fault),
                None => untold += 1,
            }
        }
        if untold > 0 {
            let message = format!("Ci sono altre {untold} colonne sconosciute o ripetute.");
            faults.push(Notice::new(
                &HEADER,
                "intestazione",
                "",
                message,
                "Controllare l'intestazione del file.",
            ));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let places = |names: &[&str]| {
            let feeds = |column: &Column| column.targets().any(|(_, target)| names.contains(&target));
            columns.iter().zip(0..).filter(|(column, _)| feeds(column)).map(|(_, place)| place).collect()
        };
        let (codes, pseudonyms) =
            (places(&["CodiceFiscale"]), places(&["IDBeneficiario", pseudonym::SOURCE]));
        Ok(Self { all: columns, codes, pseudonyms })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// The record of a row, and what is wrong with it as a row; or why it is none: it is of both kinds.
    pub(super) fn element(&self, line: u64, values: &StringRecord) -> Result<(Element, Vec<Notice>), Notice> {
        let mut notices = Vec::new();
        let filled = |places: &[usize]| {
            places.iter().filter_map(|place| values.get(*place)).any(|value| !value.trim().is_empty())
        };
        let is_sinba = filled(&self.pseudonyms) || (!filled(&self.codes) && self.speaks_of_a_child(values));
        if is_sinba && filled(&self.codes) {
            return Err(Notice::new(
                &MIXED,
                "IDBeneficiario",
                "",
                "La riga ha sia CodiceFiscale sia IDBeneficiario (o CodiceFiscaleMinore).",
                "Tenere CodiceFiscale per una prestazione, o IDBeneficiario per un minore in carico (SINBA).",
            ));
        }
        let mut row = Row::new(is_sinba, line);
        for (column, value) in self.all.iter().zip(values) {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match if is_sinba { column.sinba } else { column.ps } {
                Some(target) => row.set(target, value),
                // A mapped column without a target is one that the mapping says to ignore.
                None if column.ps.is_none() && column.sinba.is_none() => {}
                // A table of both kinds of record says `I` of all that it inserts.
                None if is_sinba && column.name == "TipoOperazione" => {
                    if value != "I" {
                        notices.push(sinba_operation(value));
                    }
                }
                None => notices.push(Notice::new(
                    &MIXED,
                    column.name.clone(),
                    value,
                    format!(
                        "La colonna {} non riguarda {}.",
                        column.name,
                        if is_sinba {
                            "un minore in carico (SINBA)"
                        } else {
                            "una prestazione (PS_PSA_SINA)"
                        }
                    ),
                    "Lasciarla vuota in questa riga.",
                )),
            }
        }
        Ok((row.finish(), notices))
    }

    /// Whether a row that says in no column whose it is has more values of a child in care than of a benefit.
    fn speaks_of_a_child(&self, values: &StringRecord) -> bool {
        let filled = self.all.iter().zip(values).filter(|(_, value)| !value.trim().is_empty());
        let (children, benefits): (Vec<_>, Vec<_>) = filled
            .map(|(column, _)| (column.ps.is_some(), column.sinba.is_some()))
            .filter(|(ps, sinba)| ps != sinba)
            .partition(|(_, sinba)| *sinba);
        children.len() > benefits.len()
    }
}

impl Column {
    /// The element and the attribute that it feeds, in each kind of record.
    fn targets(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let ps = self.ps.map(|target| ("PS", target));
        let sinba = self.sinba.map(|target| ("SINBA", target));
        ps.into_iter().chain(sinba).map(|(tipo, target)| match target.owner {
            Owner::SinaList(list) | Owner::SinbaList(list) => (tipo, list),
            _ => (tipo, target.name),
        })
    }
}

/// The column called `name` in the file, or the field that it should contain and that does not exist.
fn column<'a>(name: &'a str, mapping: &'a Mapping) -> Result<Column, &'a str> {
    let field = match mapping.field(name) {
        Some("") => return Ok(Column { name: name.to_owned(), ps: None, sinba: None }),
        Some(field) => field,
        None => name,
    };
    let is = |candidate: &str| candidate.eq_ignore_ascii_case(field);
    let ps = PS.iter().find_map(|(owner, fields)| {
        let found = fields.iter().find(|known| is(known.name) || known.bx.is_some_and(is))?;
        Some(Target { owner: *owner, name: found.name, kind: found.kind })
    });
    let list = LISTS.iter().find(|(known, ..)| is(known)).map(|(_, owner, item)| (*owner, *item));
    let list = list.map(|(owner, name)| Target { owner, name, kind: Kind::Text });
    let (ps_list, sinba_list) = match list {
        Some(target) if matches!(target.owner, Owner::SinaList(_)) => (Some(target), None),
        other => (None, other),
    };
    let sinba = fields::SINBA.iter().find(|known| is(known.name)).map(|found| (found.name, found.kind));
    let sinba = sinba.or_else(|| is(pseudonym::SOURCE).then_some((pseudonym::SOURCE, Kind::Text)));
    let sinba = sinba.map(|(name, kind)| Target { owner: Owner::Sinba, name, kind });
    let field = ps.or(sinba).map_or(field, |target| target.name);
    let column = Column { name: field.to_owned(), ps: ps.or(ps_list), sinba: sinba.or(sinba_list) };
    if column.ps.is_none() && column.sinba.is_none() {
        return Err(field);
    }
    Ok(column)
}

/// The names in `header` that are no field's, each once.
pub(super) fn unknown_names<'a>(header: impl Iterator<Item = &'a str>) -> Vec<String> {
    let nothing = Mapping::default();
    let mut names: Vec<String> = Vec::new();
    for name in header.map(str::trim) {
        if column(name, &nothing).is_err() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
            if names.len() > MOST_UNKNOWN {
                break;
            }
        }
    }
    names
}

/// Every field that a column can contain: its name, and its id in the layout of the mass upload.
pub fn fields() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let ps = PS.iter().flat_map(|(_, fields)| fields.iter().map(|field| (field.name, field.bx)));
    // What both kinds of record have is told once.
    let shared = |name: &str| PS.iter().any(|(_, fields)| fields.iter().any(|field| field.name == name));
    let sinba = fields::SINBA.iter().filter(move |field| !shared(field.name)).map(|field| (field.name, None));
    ps.chain(sinba).chain(LISTS.iter().map(|(name, ..)| (*name, None)))
}

/// The field whose name is nearest to `name`, if any is near enough to be meant.
#[must_use]
pub fn nearest_field(name: &str) -> Option<&'static str> {
    let known: Vec<&str> = fields().map(|(name, _)| name).collect();
    fields::nearest(name, &known)
}

fn unknown(name: &str, field: &str) -> Notice {
    let remedy = match nearest_field(field) {
        Some(near) => format!("Forse è {near}: correggere l'intestazione, o dirlo nel file di mappatura."),
        None => "Togliere la colonna, o dire nel file di mappatura quale campo contiene.".to_owned(),
    };
    let message = if name == field {
        format!("La colonna «{}» non è conosciuta.", short(name))
    } else {
        format!(
            "Il file di mappatura associa la colonna «{}» a {}, che non esiste.",
            short(name),
            short(field)
        )
    };
    Notice { line: Some(1), ..Notice::new(&HEADER, short(name), "", message, remedy) }
}

fn nameless(position: usize) -> Notice {
    let column = format!("colonna {}", position + 1);
    let message = format!("La {column} non ha nome.");
    let remedy = "Togliere la colonna, anche se è vuota, o darle un nome.";
    Notice { line: Some(1), ..Notice::new(&HEADER, column, "", message, remedy) }
}

fn repeated(name: &str) -> Notice {
    let name = short(name.trim());
    let message = format!("La colonna «{name}» ripete un campo che un'altra colonna contiene già.");
    Notice { line: Some(1), ..Notice::new(&HEADER, name, "", message, "Tenere una sola colonna per campo.") }
}

/// As much of a name as a message repeats.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}
