//! What INPS asks of a record beyond the schema: the rules of the facts of SIUSS, each with its stable code.
//!
//! The schema itself is in [`super::record`]. A rule marked C in the facts refuses (`errore`), the others warn
//! (`avviso`); what the operator makes of that is in [`Severities`].

mod anagrafica;
mod importi;
mod nascita;
mod prestazione;
mod residenza;
mod ripetuto;
mod severities;
mod sinba;

pub(super) use prestazione::other_months_of_parts;
pub use ripetuto::repeated;
pub use severities::{Level, Severities, SeverityError};
pub use sinba::sinba_operation;

use super::element::Element;
use super::notice::{Notice, Rule, Severity};
use super::record::{PsPsaSina, Record};
use super::tables::{Comuni, NOMENCLATORE, Nomenclatore};
use super::{codice_fiscale, element, pseudonym};

/// By what records are judged: the tables that rules look into, and what a breach of each rule means.
#[derive(Clone, Debug)]
pub struct Rulebook {
    /// The nomenclature of benefits.
    pub nomenclatore: Nomenclatore,
    /// The archive of municipalities, where one is loaded: without it, whether a municipality exists is not asked.
    pub comuni: Option<Comuni>,
    /// What the operator changed of the rules' severities.
    pub severities: Severities,
    /// The key that makes pseudonyms of fiscal codes, where the operator has one.
    pub pseudonyms: Option<pseudonym::Key>,
}

impl Rulebook {
    /// The one that the product ships.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            nomenclatore: NOMENCLATORE.clone(),
            comuni: None,
            severities: Severities::default(),
            pseudonyms: None,
        }
    }

    /// Checks what only the source's own spelling shows.
    #[must_use]
    pub fn check_written(&self, record: &Element) -> Vec<Notice> {
        let mut notices = Vec::new();
        importi::check_written(record, &mut notices);
        if record.name == "SINBA"
            && let Some(text) = record.attribute("TipoOperazione")
        {
            notices.push(sinba_operation(text));
        }
        self.severities.weigh(&mut notices);
        notices
    }

    /// Checks `record` against every rule that one record can break by itself.
    #[must_use]
    pub fn check(&self, record: &Record) -> Vec<Notice> {
        let mut notices = Vec::new();
        match record {
            Record::PsPsaSina(record) => {
                prestazione::check(record, &self.nomenclatore, &mut notices);
                importi::check(record, &mut notices);
                residenza::check(record, self.comuni.as_ref(), &mut notices);
                anagrafica::check(record, self.comuni.as_ref(), &mut notices);
            }
            Record::Sinba(record) => sinba::check(record, &self.nomenclatore, &mut notices),
        }
        self.severities.weigh(&mut notices);
        notices
    }
}

/// A benefit that stands otherwise with INPS than in the registry, and that a record describes as the registry has it:
/// the registry notices it, and an operator may weigh it like any warning about a record.
pub static UNSETTLED: Rule = rule(
    "REG-05",
    Severity::Avviso,
    "Ciò che INPS ha rifiutato non è inviato di nuovo da solo: va corretto, o inviato con un comando.",
    "docs/esiti.md",
);

/// Every rule that speaks of a record: of the schema, and beyond it.
pub static RULES: &[&Rule] = &[
    &element::MISSING,
    &element::UNKNOWN,
    &element::VALUE,
    &element::STRUCTURE,
    &codice_fiscale::SENDABLE,
    &prestazione::CARATTERE,
    &prestazione::PERIODICA,
    &prestazione::OCCASIONALE,
    &prestazione::FINE,
    &prestazione::MESI,
    &importi::QUOTE,
    &prestazione::DSU,
    &prestazione::ISEE_SENZA_DSU,
    &prestazione::NUMERO_DSU,
    &prestazione::PRESA_CARICO,
    &residenza::RESIDENZA,
    &importi::ORE,
    &prestazione::MAI_TRASMESSA,
    &prestazione::SOLO_PRESA_CARICO,
    &prestazione::AFFITTI,
    &prestazione::NOMENCLATORE,
    &anagrafica::CODICE_FISCALE,
    &residenza::COMUNE,
    &importi::CENTESIMI,
    &sinba::DISABILITA,
    &sinba::SEGNALAZIONE,
    &sinba::PROVVEDIMENTO,
    &sinba::RESIDENZA,
    &sinba::COMPONENTI,
    &sinba::PSEUDONIMO,
    &sinba::REGIONE,
    &sinba::NOMENCLATORE,
    &pseudonym::DERIVED,
    &sinba::OPERAZIONE,
    &ripetuto::RIPETUTO,
    &UNSETTLED,
];

const fn rule(code: &'static str, severity: Severity, summary: &'static str, source: &'static str) -> Rule {
    Rule { code, severity, summary, source }
}

/// What a present or missing date or amount is called when it should not be, or should be, there.
fn missing(rule: &'static Rule, field: &'static str, because: &str, remedy: &str) -> Notice {
    Notice::new(rule, field, "", format!("Manca {field}: {because}."), remedy)
}

/// Whether the benefit is one of the occasional ones.
fn is_occasional(record: &PsPsaSina) -> bool {
    record.prestazione.carattere == Some(super::codes::CaratterePrestazione::Occasionale)
}

/// What is said of a region that the flows do not number.
fn unknown_region(rule: &'static Rule, field: &'static str, regione: &str) -> Notice {
    Notice::new(
        rule,
        field,
        regione,
        format!("{regione} non è una delle regioni dei flussi, numerate da 01 a 21."),
        "Usare la codifica dell'Agenzia delle Entrate (01 Abruzzo … 21 Veneto), non quella ISTAT.",
    )
}
