//! Rules of the person: what the fiscal code says of its owner, and the place of birth.

use super::super::codice_fiscale::{Nascita, check_character_is_right, has_shape, is_provisional, nascita};
use super::super::nome;
use super::super::notice::{Notice, Rule, Severity};
use super::super::record::{Anagrafica, PsPsaSina};
use super::super::tables::Comuni;
use super::super::values::{CodiceFiscale, Value};
use super::nascita::birthplace;
use super::rule;

pub(super) static CODICE_FISCALE: Rule = rule(
    "PS-17",
    Severity::Avviso,
    "Il codice fiscale ha il carattere di controllo giusto e si accorda con cognome, nome, anno, genere e luogo di \
     nascita; il luogo di nascita esiste in quell'anno (dove l'archivio dei comuni è caricato)",
    "Fatti SIUSS, regola 17 (I); D.M. 23 dicembre 1976 per cognome e nome",
);

/// What to do about a code that does not agree.
const COMPARE: &str = "Confrontare il codice fiscale con la tessera sanitaria o con l'anagrafe.";

pub(super) fn check(record: &PsPsaSina, comuni: Option<&Comuni>, notices: &mut Vec<Notice>) {
    check_codice_fiscale(&record.codice_fiscale, &record.anagrafica, notices);
    if let Some(comuni) = comuni {
        birthplace(&record.anagrafica, comuni, notices);
    }
}

fn check_codice_fiscale(code: &CodiceFiscale, anagrafica: &Anagrafica, notices: &mut Vec<Notice>) {
    let mut warn = |message: String| {
        notices.push(Notice::new(&CODICE_FISCALE, "CodiceFiscale", code.as_str(), message, COMPARE));
    };
    if !is_provisional(code) && !has_shape(code.as_str().as_bytes()) {
        warn(
            "Il codice fiscale ha, al posto di una cifra, una lettera che non può sostituirla (omocodia: L M N P Q R \
             S T U V)."
                .to_owned(),
        );
        return;
    }
    if !check_character_is_right(code) {
        warn(
            "Il carattere di controllo del codice fiscale non è quello che gli altri caratteri richiedono."
                .to_owned(),
        );
        return;
    }
    if let Some(nascita) = nascita(code) {
        for message in disagreements(code, &nascita, anagrafica) {
            warn(message);
        }
    }
}

/// What the code says otherwise than the person's particulars.
fn disagreements(code: &CodiceFiscale, nascita: &Nascita, anagrafica: &Anagrafica) -> Vec<String> {
    let mut messages = Vec::new();
    let letters = [
        ("Cognome", &anagrafica.cognome, nome::surname_letters(anagrafica.cognome.as_str()), 0),
        ("Nome", &anagrafica.nome, nome::name_letters(anagrafica.nome.as_str()), 3),
    ];
    for (field, text, letters, at) in letters {
        let Some(letters) = letters else { continue };
        if code.as_str().get(at..at + 3) != Some(letters.as_str()) {
            messages.push(format!(
                "Con {field} «{}» le lettere {}–{} del codice fiscale sarebbero {letters}.",
                text.as_str(),
                at + 1,
                at + 3
            ));
        }
    }
    if anagrafica.anno_nascita.number() % 100 != nascita.anno {
        messages.push(format!(
            "Il codice fiscale dice un anno di nascita che finisce in {:02}, AnnoNascita è {}.",
            nascita.anno,
            anagrafica.anno_nascita.text()
        ));
    }
    if !nascita.is_a_day() {
        messages.push("Il codice fiscale dice un giorno di nascita che non esiste.".to_owned());
    }
    if anagrafica.genere != nascita.genere {
        messages.push(format!(
            "Il codice fiscale è di una persona di genere {}, Genere è {}.",
            nascita.genere.text(),
            anagrafica.genere.text()
        ));
    }
    if !anagrafica.luogo_nascita.as_str().eq_ignore_ascii_case(&nascita.luogo) {
        messages.push(format!(
            "Il codice fiscale dice che il luogo di nascita è {}, LuogoNascita è {}.",
            nascita.luogo,
            anagrafica.luogo_nascita.as_str()
        ));
    }
    messages
}
