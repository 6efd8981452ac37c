//! Rules of the amounts: the shares and their sum, and the hours.

use rust_decimal::Decimal;

use super::super::notice::{Notice, Rule, Severity};
use super::super::record::PsPsaSina;
use super::super::values::Value;
use super::{is_occasional, rule};

pub(super) static QUOTE: Rule = rule(
    "PS-07",
    Severity::Errore,
    "Le quote che ci sono sono maggiori di zero (quella dell'utente può essere zero), e insieme fanno ImportoMensile, \
     o ImportoPrestazione se la prestazione è occasionale",
    "Fatti SIUSS, regola 7 (C)",
);
pub(super) static ORE: Rule = rule(
    "PS-13",
    Severity::Errore,
    "OreServizioMensile è ore.minuti: la parte decimale va da .00 a .59",
    "Fatti SIUSS, regola 13 (C)",
);

pub(super) fn check(record: &PsPsaSina, notices: &mut Vec<Notice>) {
    check_shares(record, notices);
    let Some(hours) = record.prestazione.ore_servizio_mensile else { return };
    let minutes = hours.number().fract() * Decimal::ONE_HUNDRED;
    if hours.number() < Decimal::ZERO || minutes >= Decimal::from(60) || !minutes.fract().is_zero() {
        notices.push(Notice::new(
            &ORE,
            "OreServizioMensile",
            &hours.text(),
            "OreServizioMensile è scritto come ore.minuti, e i minuti vanno da 00 a 59.",
            "Scrivere per esempio 2.30 per due ore e mezza.",
        ));
    }
}

fn check_shares(record: &PsPsaSina, notices: &mut Vec<Notice>) {
    let prestazione = &record.prestazione;
    let shares = [
        ("ImportoQuotaEnte", prestazione.quota_ente, false),
        ("ImportoQuotaUtente", prestazione.quota_utente, true),
        ("ImportoQuotaSSN", prestazione.quota_ssn, false),
    ];
    let mut sum = Decimal::ZERO;
    let mut first = None;
    for (field, share, may_be_zero) in shares {
        let Some(share) = share else { continue };
        first = first.or(Some((field, share)));
        sum += share.number();
        if share.number() < Decimal::ZERO || (share.number().is_zero() && !may_be_zero) {
            notices.push(Notice::new(
                &QUOTE,
                field,
                &share.text(),
                format!("{field} deve essere maggiore di zero: una quota che non c'è non si scrive."),
                "Togliere la quota, o correggerla.",
            ));
        }
    }
    let (total_field, total) = if is_occasional(record) {
        ("ImportoPrestazione", prestazione.importo)
    } else {
        ("ImportoMensile", prestazione.importo_mensile)
    };
    if let (Some((field, share)), Some(total)) = (first, total)
        && sum != total.number()
    {
        notices.push(Notice::new(
            &QUOTE,
            field,
            &share.text(),
            format!("Le quote fanno {sum}, ma {total_field} è {}.", total.text()),
            format!("Correggere le quote o {total_field}, in modo che la somma torni al centesimo."),
        ));
    }
}
