//! Rules of the amounts: the shares and their sum, and the hours.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::super::element::Element;
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

pub(super) static CENTESIMI: Rule = rule(
    "PS-19",
    Severity::Avviso,
    "Un importo ha al massimo due decimali: 1.234 è il modo italiano di scrivere 1234, ma qui vale poco più di un euro",
    "Prodotto",
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
            "OreServizioMensile è scritto come ore.minuti, senza segno, e i minuti vanno da 00 a 59.",
            "Scrivere per esempio 2.30 per due ore e mezza.",
        ));
    }
}

/// The amounts of a benefit; `OreServizioMensile` is a number too, and no amount.
const AMOUNTS: [&str; 7] = [
    "ImportoPrestazione",
    "ImportoMensile",
    "ImportoQuotaEnte",
    "ImportoQuotaUtente",
    "ImportoQuotaSSN",
    "ImportoQuotaRichiesta",
    "ImportoSogliaISEE",
];

/// Looks at the amounts as the source wrote them: once read, 5.560 is 5.56, and nothing tells that it meant 5560.
pub(super) fn check_written(record: &Element, notices: &mut Vec<Notice>) {
    let Some(prestazione) = record.child("PrestazioniSociali") else { return };
    for field in AMOUNTS {
        let Some(text) = prestazione.attribute(field) else { continue };
        let Some((_, decimals)) = text.trim().split_once('.') else { continue };
        if decimals.len() > 2 && decimals.bytes().all(|byte| byte.is_ascii_digit()) {
            notices.push(Notice::new(
                &CENTESIMI,
                field,
                text,
                format!("{field} ha più di due decimali: un importo in euro ne ha al massimo due."),
                "Se il punto separa le migliaia, toglierlo (1234.00 e non 1.234); altrimenti arrotondare al \
                 centesimo.",
            ));
        }
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
        let fault = match share.number().cmp(&Decimal::ZERO) {
            Ordering::Greater => continue,
            Ordering::Equal if may_be_zero => continue,
            _ if may_be_zero => "non può essere negativo",
            _ => "deve essere maggiore di zero: una quota che non c'è non si scrive",
        };
        let message = format!("{field} {fault}.");
        notices.push(Notice::new(&QUOTE, field, &share.text(), message, "Togliere la quota, o correggerla."));
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
