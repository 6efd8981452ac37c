//! The two kinds of record as types: PS_PSA_SINA and SINBA, with every element of INPS's XML schemas; the attributes of
//! each are in [`super::attributes`].
//!
//! A value of these types obeys the schema; the rules beyond it are in [`super::rules`]. How a record becomes XML and
//! back is in [`super::xml`].

use jiff::civil::Date;

use super::codes::{CaratterePrestazione, ComposizioneFamiglia, InvCiv};
use super::element::{Attributes, Element, Sequence, empty_list, texts};
use super::notice::Notice;
use super::values::{CodiceFiscale, Data, Text, Value};

pub(super) use super::attributes::Group;
pub use super::attributes::{
    Anagrafica, CodicePrestazione, DatiBeneficiario, DatiPrestazione, DatiSina, DatiSinba, EnteErogatore,
    Indirizzo,
};
pub use super::codes::TipoOperazione;

/// The name of a flow: `IdentificazioneFlusso/@Nome`, which is also its `id_flusso`.
pub type NomeFlusso = Text<0, 50>;

/// Between `MIN` and `MAX` values of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Repeated<T, MIN, MAX> {
    /// `values`, unless they are too few or too many.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        (MIN..=MAX).contains(&values.len()).then_some(Self(values))
    }

    /// The values, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

/// The assessment of non-self-sufficiency: `SINA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sina {
    /// Its attributes.
    pub dati: DatiSina,
    /// `NecessitaInterventiSociali`: the benefits that the person needs; absent when empty.
    pub necessita_interventi_sociali: Vec<CodicePrestazione>,
    /// `InvaliditaCivile`: the person's certificates; absent when empty.
    pub invalidita_civile: Vec<InvCiv>,
}

/// One benefit of one person: `Beneficiario` with one `PrestazioniSociali`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsPsaSina {
    /// Whose benefit it is.
    pub codice_fiscale: CodiceFiscale,
    /// Who that is.
    pub anagrafica: Anagrafica,
    /// Where that person lives.
    pub indirizzi: Repeated<Indirizzo, 1, 5>,
    /// The benefit.
    pub prestazione: DatiPrestazione,
    /// The assessment behind it, if any.
    pub sina: Option<Sina>,
}

/// One child in care: `SINBA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sinba {
    /// Its attributes.
    pub dati: DatiSinba,
    /// `Prestazioni`: the benefits that the child receives.
    pub prestazioni: Repeated<CodicePrestazione, 1, { usize::MAX }>,
    /// `Famiglia`: who lives with the child.
    pub famiglia: Repeated<ComposizioneFamiglia, 1, { usize::MAX }>,
}

/// What a flow carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A benefit and, if any, the assessment behind it.
    PsPsaSina(Box<PsPsaSina>),
    /// A child in care.
    Sinba(Box<Sinba>),
}

/// The kind of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TipoFlusso {
    /// A benefit.
    PsPsaSina,
    /// A child in care.
    Sinba,
}

impl TipoFlusso {
    /// Its name in the contract (`tipo`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PsPsaSina => "PS_PSA_SINA",
            Self::Sinba => "SINBA",
        }
    }

    /// Its name inside an `id_flusso`.
    #[must_use]
    pub fn sigla(self) -> &'static str {
        match self {
            Self::PsPsaSina => "PS",
            Self::Sinba => "SINBA",
        }
    }
}

/// A flow: one record of one ente, under its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flusso {
    /// Its name.
    pub nome: NomeFlusso,
    /// Who transmits it.
    pub ente: EnteErogatore,
    /// What it carries.
    pub record: Record,
}

impl Record {
    /// Reads a `Beneficiario` with one `PrestazioniSociali`, or a `SINBA`.
    ///
    /// Says in `notices` what the schema does not allow, and then gives no record.
    pub fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let before = notices.len();
        let record = if element.name == "SINBA" {
            Sinba::read(element, notices).map(|record| Self::Sinba(Box::new(record)))
        } else {
            PsPsaSina::read(element, notices).map(|record| Self::PsPsaSina(Box::new(record)))
        };
        record.filter(|_| notices.len() == before)
    }

    /// Its kind.
    #[must_use]
    pub fn tipo(&self) -> TipoFlusso {
        match self {
            Self::PsPsaSina(_) => TipoFlusso::PsPsaSina,
            Self::Sinba(_) => TipoFlusso::Sinba,
        }
    }

    /// What it asks for; a SINBA can only be inserted.
    #[must_use]
    pub fn operazione(&self) -> TipoOperazione {
        match self {
            Self::PsPsaSina(record) => {
                record.prestazione.tipo_operazione.unwrap_or(TipoOperazione::Inserimento)
            }
            Self::Sinba(_) => TipoOperazione::Inserimento,
        }
    }

    /// The same record asking for `operazione`; a SINBA has none and stays as it is.
    #[must_use]
    pub fn with_operazione(mut self, operazione: TipoOperazione) -> Self {
        if let Self::PsPsaSina(record) = &mut self {
            record.prestazione.tipo_operazione = Some(operazione);
        }
        self
    }

    /// By what staff find it again: `ProtocolloDomanda`, or `IDBeneficiario`.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::PsPsaSina(record) => record.prestazione.protocollo_domanda.as_str(),
            Self::Sinba(record) => record.dati.id_beneficiario.as_str(),
        }
    }

    /// Whose it is: the fiscal code, or the pseudonym.
    #[must_use]
    pub fn person(&self) -> &str {
        match self {
            Self::PsPsaSina(record) => record.codice_fiscale.as_str(),
            Self::Sinba(record) => record.dati.id_beneficiario.as_str(),
        }
    }

    /// The code of the benefit; a child in care has several, or none.
    #[must_use]
    pub fn codice(&self) -> Option<&str> {
        match self {
            Self::PsPsaSina(record) => Some(record.prestazione.codice.as_str()),
            Self::Sinba(_) => None,
        }
    }

    /// What makes two records of one ente the same benefit, whatever else changed.
    ///
    /// A benefit is the same when person, code, protocol of the request and first day (or day of payment) are: one
    /// request may be paid several times, and granted again for another period, so the day belongs to it. A child in
    /// care is the same under the same pseudonym.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::PsPsaSina(record) => record.identity(record.first_day()),
            Self::Sinba(record) => format!("SINBA\n{}", record.dati.id_beneficiario.as_str()),
        }
    }

    /// The identity that the benefit would have `years` after its own, had it gone on: of one that ends before its year
    /// does, for what ends with the year may be that year's record of a longer one.
    #[must_use]
    pub fn identity_after(&self, years: i16) -> Option<String> {
        let Self::PsPsaSina(record) = self else { return None };
        let (first, last) = (record.first_day()?.day(), record.prestazione.data_fine?.day());
        let year = first.year().checked_add(years)?;
        let goes_on = last == Date::new(first.year(), 12, 31).ok()?;
        (!goes_on).then_some(record.identity(Some(Date::new(year, 1, 1).ok()?.into())))
    }

    /// Everything that it says, in one canonical form, but for the operation.
    #[must_use]
    pub fn content(&self) -> String {
        super::xml::write_record(self, Some(TipoOperazione::Inserimento))
    }
}

impl PsPsaSina {
    /// The first day, or the day of payment.
    fn first_day(&self) -> Option<Data> {
        match self.prestazione.carattere {
            Some(CaratterePrestazione::Occasionale) => self.prestazione.data_erogazione,
            _ => self.prestazione.data_inizio,
        }
    }

    /// The identity of the same benefit from `day` on.
    fn identity(&self, day: Option<Data>) -> String {
        format!(
            "PS\n{}\n{}\n{}\n{}",
            self.codice_fiscale,
            self.prestazione.codice.as_str(),
            self.prestazione.protocollo_domanda.as_str(),
            day.map(|day| day.text()).unwrap_or_default()
        )
    }

    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiBeneficiario::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let anagrafica = children
            .take("Anagrafica", 1, 1, notices)
            .first()
            .and_then(|element| read_empty::<Anagrafica>(element, notices));
        let indirizzi: Vec<_> = children
            .take("Indirizzo", 1, 5, notices)
            .iter()
            .filter_map(|element| read_empty::<Indirizzo>(element, notices))
            .collect();
        let prestazione = children.take("PrestazioniSociali", 1, 1, notices).first();
        children.end(notices);
        let (prestazione, sina) = prestazione.map(|element| {
            let mut dati = DatiPrestazione::read(element, notices);
            if let Some(dati) = &mut dati {
                // The schema admits an empty number, which is none: it would be sent without its year and its date.
                dati.numero_protocollo_dsu.take_if(|number| number.as_str().trim().is_empty());
            }
            let mut children = Sequence::new(element, notices);
            let sina =
                children.take("SINA", 0, 1, notices).first().map(|element| Sina::read(element, notices));
            children.end(notices);
            (dati, sina)
        })?;
        Some(Self {
            codice_fiscale: dati?.codice_fiscale,
            anagrafica: anagrafica?,
            indirizzi: Repeated::new(indirizzi)?,
            prestazione: prestazione?,
            sina: match sina {
                None => None,
                Some(sina) => Some(sina?),
            },
        })
    }
}

/// Reads an element that has attributes and no content.
pub(super) fn read_empty<T: Group>(element: &Element, notices: &mut Vec<Notice>) -> Option<T> {
    let group = T::read(element, notices);
    element.check_empty(notices);
    group
}

/// Reads the texts within the element `container`, which may be absent if `least` is 0. What is wrong with one is told by
/// the name that the list has as a column of a table.
fn read_list<T: Value>(
    children: &mut Sequence<'_>,
    container: &'static str,
    item: &'static str,
    least: usize,
    notices: &mut Vec<Notice>,
) -> Option<Vec<T>> {
    let Some(element) = children.take(container, least, 1, notices).first() else {
        return Some(Vec::new());
    };
    Attributes::new(element, &[], notices);
    let field = if container == "Famiglia" { item } else { container };
    if element.children.is_empty() {
        notices.push(empty_list::<T>(element, field));
        return None;
    }
    let mut items = Sequence::new(element, notices);
    let values = texts(items.take(item, 1, usize::MAX, notices), field, notices);
    items.end(notices);
    values
}

impl Sina {
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiSina::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let necessita =
            read_list(&mut children, "NecessitaInterventiSociali", "CodicePrestazione", 0, notices);
        let invalidita = read_list(&mut children, "InvaliditaCivile", "InvCiv", 0, notices);
        children.end(notices);
        Some(Self { dati: dati?, necessita_interventi_sociali: necessita?, invalidita_civile: invalidita? })
    }
}

impl Sinba {
    fn read(element: &Element, notices: &mut Vec<Notice>) -> Option<Self> {
        let dati = DatiSinba::read(element, notices);
        let mut children = Sequence::new(element, notices);
        let prestazioni = read_list(&mut children, "Prestazioni", "CodicePrestazione", 1, notices);
        let famiglia = read_list(&mut children, "Famiglia", "ComposizioneFamiglia", 1, notices);
        children.end(notices);
        Some(Self {
            dati: dati?,
            prestazioni: Repeated::new(prestazioni?)?,
            famiglia: Repeated::new(famiglia?)?,
        })
    }
}
