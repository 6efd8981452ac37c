//! Whether a place of birth existed when the person was born.

use super::super::notice::Notice;
use super::super::record::Anagrafica;
use super::super::tables::Comuni;
use super::anagrafica::CODICE_FISCALE;

/// Looks `LuogoNascita` up in the archive. A foreign state is not looked for: the archive is of municipalities.
pub(super) fn birthplace(anagrafica: &Anagrafica, comuni: &Comuni, notices: &mut Vec<Notice>) {
    let text = anagrafica.luogo_nascita.as_str();
    let code = text.to_ascii_uppercase();
    let anno = anagrafica.anno_nascita.number();
    let mut letters = code.chars();
    let abroad = letters.next() == Some('Z') && letters.all(|letter| letter.is_ascii_digit());
    let message = if abroad || comuni.has_belfiore(&code, anno) {
        return;
    } else if comuni.ever_had_belfiore(&code) {
        format!("Il comune con il codice {code} non esisteva nel {anno}, l'anno di nascita.")
    } else {
        format!("{code} non è il codice catastale (Belfiore) di un comune, né quello di uno Stato estero.")
    };
    notices.push(Notice::new(
        &CODICE_FISCALE,
        "LuogoNascita",
        text,
        message,
        "Scrivere il codice del luogo di nascita che compare nel codice fiscale: quattro caratteri, o Z e tre cifre \
         per uno Stato estero.",
    ));
}
