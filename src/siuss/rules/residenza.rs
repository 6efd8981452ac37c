//! Rules of the residence: region and municipality, there and in agreement.

use jiff::civil::Date;

use super::super::notice::{Notice, Rule, Severity};
use super::super::record::{DatiPrestazione, Indirizzo, PsPsaSina};
use super::super::tables::{Comuni, REGIONI};
use super::super::values::{Data, Value};
use super::{missing, rule, unknown_region};

pub(super) static RESIDENZA: Rule = rule(
    "PS-12",
    Severity::Errore,
    "Un indirizzo in Italia (CodiceNazione 380) ha CodiceRegione e CodiceComune",
    "Fatti SIUSS, regola 12 (C)",
);
pub(super) static COMUNE: Rule = rule(
    "PS-18",
    Severity::Avviso,
    "CodiceRegione è una delle 21 regioni dei flussi e quella di CodiceComune, e il comune esiste alla data della \
     prestazione (il comune, dove l'archivio dei comuni è caricato)",
    "Fatti SIUSS, regola 18",
);

/// Italy in the coding of nations.
const ITALIA: u32 = 380;

pub(super) fn check(record: &PsPsaSina, comuni: Option<&Comuni>, notices: &mut Vec<Notice>) {
    let day = day(&record.prestazione);
    for indirizzo in record.indirizzi.as_slice() {
        check_presence(indirizzo, notices);
        if let Some(regione) = indirizzo.codice_regione.map(|regione| regione.text())
            && !REGIONI.contains(&regione)
        {
            notices.push(unknown_region(&COMUNE, "CodiceRegione", &regione));
        } else if let Some(comuni) = comuni {
            check_comune(indirizzo, comuni, day, notices);
        }
    }
}

/// The day on which the person lived there.
fn day(prestazione: &DatiPrestazione) -> Option<Date> {
    prestazione.data_inizio.or(prestazione.data_erogazione).or(prestazione.data_evento).map(Data::day)
}

fn check_presence(indirizzo: &Indirizzo, notices: &mut Vec<Notice>) {
    if indirizzo.codice_nazione.number() != ITALIA {
        return;
    }
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

fn check_comune(indirizzo: &Indirizzo, comuni: &Comuni, day: Option<Date>, notices: &mut Vec<Notice>) {
    let Some(istat) = indirizzo.codice_comune else { return };
    let text = istat.text();
    if !comuni.has_istat(istat.number(), day) {
        let when = day.map(|day| format!(" il {day}")).unwrap_or_default();
        notices.push(Notice::new(
            &COMUNE,
            "CodiceComune",
            &text,
            format!("{text} non è il codice ISTAT di un comune esistente{when}, né di uno attuale."),
            "Controllare il codice: 6 cifre, provincia e comune, nella codifica ISTAT.",
        ));
        return;
    }
    if let Some(stated) = indirizzo.codice_regione
        && let Some(regione) = comuni.regione(istat.number(), day)
        && u32::from(regione) != stated.number()
    {
        notices.push(Notice::new(
            &COMUNE,
            "CodiceRegione",
            &stated.text(),
            format!("Il comune {text} è nella regione {regione:02}, non {}.", stated.text()),
            format!(
                "Scrivere {regione:02} (codifica dell'Agenzia delle Entrate), o correggere CodiceComune."
            ),
        ));
    }
}
