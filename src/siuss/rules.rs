//! What INPS asks of a record beyond the schema: the rules of the facts of SIUSS, each with its stable code.
//!
//! The schema itself is in [`super::record`]. A rule marked C in the facts refuses (`errore`), the others warn
//! (`avviso`).

mod anagrafica;
mod importi;
mod prestazione;
mod sinba;

pub(super) use prestazione::other_months;

use super::element;
use super::notice::{Notice, Rule, Severity};
use super::record::{PsPsaSina, Record};
use super::tables::Nomenclatore;

/// Checks `record` against every rule that one record can break by itself.
#[must_use]
pub fn check(record: &Record, nomenclatore: &Nomenclatore) -> Vec<Notice> {
    let mut notices = Vec::new();
    match record {
        Record::PsPsaSina(record) => {
            prestazione::check(record, nomenclatore, &mut notices);
            importi::check(record, &mut notices);
            anagrafica::check(record, &mut notices);
        }
        Record::Sinba(record) => sinba::check(record, &mut notices),
    }
    notices
}

/// Every rule that speaks of a record: of the schema, and beyond it.
pub static RULES: &[&Rule] = &[
    &element::MISSING,
    &element::UNKNOWN,
    &element::VALUE,
    &element::STRUCTURE,
    &super::codice_fiscale::SENDABLE,
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
    &anagrafica::RESIDENZA,
    &importi::ORE,
    &prestazione::MAI_TRASMESSA,
    &prestazione::SOLO_PRESA_CARICO,
    &prestazione::AFFITTI,
    &prestazione::NOMENCLATORE,
    &anagrafica::CODICE_FISCALE,
    &anagrafica::REGIONE,
    &sinba::DISABILITA,
    &sinba::SEGNALAZIONE,
    &sinba::PROVVEDIMENTO,
    &sinba::RESIDENZA,
    &sinba::COMPONENTI,
    &sinba::PSEUDONIMO,
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
