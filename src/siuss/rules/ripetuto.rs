//! Two records of one source that speak of the same benefit and say different things.

use super::super::notice::{Notice, Rule, Severity};
use super::super::record::{Record, TipoFlusso};
use super::rule;

pub(super) static RIPETUTO: Rule = rule(
    "FILE-04",
    Severity::Avviso,
    "Un file non descrive due volte la stessa prestazione (persona, codice, protocollo e primo giorno, o \
     IDBeneficiario) con contenuti diversi",
    "Prodotto: vale l'ultima riga, e la precedente è subito cancellata",
);

/// What is said of `record`, which the record at `line` of the same source contradicts.
#[must_use]
pub fn repeated(record: &Record, line: u64) -> Notice {
    let (field, what, remedy) = match record.tipo() {
        TipoFlusso::PsPsaSina => (
            "ProtocolloDomanda",
            "la stessa prestazione (persona, codice, protocollo e primo giorno o giorno del pagamento)",
            "Se sono due prestazioni, dare a ciascuna il suo protocollo o il suo giorno; se una riga è sbagliata, \
             toglierla.",
        ),
        TipoFlusso::Sinba => (
            "IDBeneficiario",
            "lo stesso minore",
            "Se sono due minori, dare a ciascuno il suo IDBeneficiario; se una riga è sbagliata, toglierla.",
        ),
    };
    let message = format!("Anche la riga {line} descrive {what}, con un contenuto diverso: vale questa.");
    Notice::new(&RIPETUTO, field, record.label(), message, remedy)
}
