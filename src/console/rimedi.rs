//! What is left to do about what INPS said, in the words of the pages: which button to press.

use crate::registry::{Case, CodiceEsito};
use crate::siuss::record::TipoFlusso;

/// What to do about an insertion of which INPS says this; nothing where it is accepted.
pub(super) fn insertion(codice: CodiceEsito) -> &'static str {
    match codice {
        CodiceEsito::Ok => "",
        CodiceEsito::DatiNonTrovati => {
            "INPS non ha trovato la persona o la prestazione. Controllare il codice fiscale, i dati anagrafici e il \
             codice della prestazione, e correggerli con «Correggi». Se sono giusti, chiedere a INPS che cosa non ha \
             trovato."
        }
        CodiceEsito::RichiestaInvalida => {
            "Correggere con «Correggi» ciò che INPS indica. Se riguarda l'ente (codice, operatore), far correggere la \
             configurazione a un amministratore e usare «Invia di nuovo»."
        }
        CodiceEsito::ErroreGenerico => {
            "INPS non è riuscito a elaborarla: inviarla così com'è con «Invia di nuovo». Se si ripete, segnalarlo a \
             INPS con il nome del flusso."
        }
    }
}

/// What to do about a cancellation that INPS refused.
pub(super) const CANCELLATION: &str = "A INPS risulta ancora ciò che andava annullato: ripetere l'annullamento con «Invia di nuovo». Se si ripete, \
     segnalarlo a INPS con il nome del flusso.";

/// What to do about a flow of this kind of which this is left to do.
pub(super) fn of(case: Case, codice: CodiceEsito, tipo: TipoFlusso) -> &'static str {
    match (case, tipo) {
        (Case::InsertionRefused, _) => insertion(codice),
        (Case::CancellationRefused, _) => CANCELLATION,
        (Case::AcceptedLate, TipoFlusso::PsPsaSina) => {
            "INPS ha accettato dopo averlo rifiutato un flusso che è già stato sostituito o ritirato, e ora possiede \
             una versione di troppo: «Invia di nuovo» annulla tutto ciò che INPS può possedere e inserisce la versione \
             giusta."
        }
        (Case::AcceptedLate, TipoFlusso::Sinba) => {
            "INPS ha accettato un minore in carico che era stato ritirato: il tracciato SINBA non prevede la \
             cancellazione, rivolgersi a INPS con il nome del flusso."
        }
    }
}
