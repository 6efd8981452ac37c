//! Rules of the person: fiscal code, birth, residence.

use super::super::codice_fiscale::{check_character_is_right, nascita};
use super::super::notice::{Notice, Rule, Severity};
use super::super::record::{Indirizzo, PsPsaSina};
use super::super::tables::REGIONI;
use super::super::values::Value;
use super::{missing, rule};

pub(super) static RESIDENZA: Rule = rule(
    "PS-12",
    Severity::Errore,
    "Un indirizzo in Italia (CodiceNazione 380) ha CodiceRegione e CodiceComune",
    "Fatti SIUSS, regola 12 (C)",
);
pub(super) static CODICE_FISCALE: Rule = rule(
    "PS-17",
    Severity::Avviso,
    "Il codice fiscale ha il carattere di controllo giusto e si accorda con anno, genere e luogo di nascita",
    "Fatti SIUSS, regola 17 (I)",
);
pub(super) static REGIONE: Rule = rule(
    "PS-18",
    Severity::Avviso,
    "CodiceRegione è una delle 21 regioni dei flussi, ed è quella di CodiceComune",
    "Fatti SIUSS, regola 18",
);

/// Italy in the coding of nations.
const ITALIA: u32 = 380;

pub(super) fn check(record: &PsPsaSina, notices: &mut Vec<Notice>) {
    for indirizzo in record.indirizzi.as_slice() {
        check_indirizzo(indirizzo, notices);
    }
    check_codice_fiscale(record, notices);
}

fn check_indirizzo(indirizzo: &Indirizzo, notices: &mut Vec<Notice>) {
    if indirizzo.codice_nazione.number() == ITALIA {
        for (field, present) in [
            ("CodiceRegione", indirizzo.codice_regione.is_some()),
            ("CodiceComune", indirizzo.codice_comune.is_some()),
        ] {
            if !present {
                notices.push(missing(
                    &RESIDENZA,
                    field,
                    "l'indirizzo è in Italia (CodiceNazione 380)",
                    "Indicare regione (2 cifre) e comune (6 cifre, ISTAT), o correggere CodiceNazione.",
                ));
            }
        }
    }
    if let Some(regione) = indirizzo.codice_regione.map(|regione| regione.text())
        && !REGIONI.contains(&regione)
    {
        notices.push(Notice::new(
            &REGIONE,
            "CodiceRegione",
            &regione,
            format!("{regione} non è una delle regioni dei flussi, numerate da 01 a 21."),
            "Usare la codifica dell'Agenzia delle Entrate (01 Abruzzo … 21 Veneto), non quella ISTAT.",
        ));
    }
}

fn check_codice_fiscale(record: &PsPsaSina, notices: &mut Vec<Notice>) {
    let code = &record.codice_fiscale;
    let mut warn = |message: String| {
        notices.push(Notice::new(
            &CODICE_FISCALE,
            "CodiceFiscale",
            code.as_str(),
            message,
            "Confrontare il codice fiscale con la tessera sanitaria o con l'anagrafe.",
        ));
    };
    if !check_character_is_right(code) {
        warn(
            "Il carattere di controllo del codice fiscale non è quello che gli altri caratteri richiedono."
                .to_owned(),
        );
        return;
    }
    let Some(nascita) = nascita(code) else { return };
    let anagrafica = &record.anagrafica;
    if anagrafica.anno_nascita.number() % 100 != nascita.anno {
        warn(format!(
            "Il codice fiscale dice un anno di nascita che finisce in {:02}, AnnoNascita è {}.",
            nascita.anno,
            anagrafica.anno_nascita.text()
        ));
    }
    if anagrafica.genere != nascita.genere {
        warn(format!(
            "Il codice fiscale è di una persona di genere {}, Genere è {}.",
            nascita.genere.text(),
            anagrafica.genere.text()
        ));
    }
    if !anagrafica.luogo_nascita.as_str().eq_ignore_ascii_case(&nascita.luogo) {
        warn(format!(
            "Il codice fiscale dice che il luogo di nascita è {}, LuogoNascita è {}.",
            nascita.luogo,
            anagrafica.luogo_nascita.as_str()
        ));
    }
}
