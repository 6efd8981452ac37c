//! Rules of a SINBA record, and what protects the child's name.

use super::super::codes::SiNo;
use super::super::codice_fiscale::has_shape;
use super::super::notice::{Notice, Rule, Severity};
use super::super::record::Sinba;
use super::super::tables::{Nomenclatore, REGIONI};
use super::super::values::Value;
use super::prestazione::unknown_code;
use super::{missing, rule, unknown_region};

pub(super) static DISABILITA: Rule = rule(
    "SINBA-01",
    Severity::Avviso,
    "Con Disabilita 1 ci sono TipoDisabilita e InvCivCertificazioni",
    "Fatti SIUSS, SINBA (S)",
);
pub(super) static SEGNALAZIONE: Rule = rule(
    "SINBA-02",
    Severity::Avviso,
    "Con SegnalazioneAutoritaGiudiziaria 1 c'è DataSegnalazione",
    "Fatti SIUSS, SINBA (S)",
);
pub(super) static PROVVEDIMENTO: Rule = rule(
    "SINBA-03",
    Severity::Avviso,
    "Con ProvvedimentoGiudiziario 1 c'è DataProvvedimentoGiudiziario",
    "Fatti SIUSS, SINBA (S)",
);
pub(super) static RESIDENZA: Rule = rule(
    "SINBA-04",
    Severity::Errore,
    "Con CodiceNazioneResidenza 380 c'è CodiceRegioneResidenza",
    "Fatti SIUSS, SINBA (C)",
);
pub(super) static COMPONENTI: Rule =
    rule("SINBA-05", Severity::Errore, "NumeroComponentiISEE va da 1 a 9", "Fatti SIUSS, SINBA (C)");
pub(super) static PSEUDONIMO: Rule = rule(
    "SINBA-06",
    Severity::Errore,
    "IDBeneficiario è un codice anonimo dell'ente, mai un codice fiscale",
    "Fatti SIUSS, SINBA (C)",
);

pub(super) static REGIONE: Rule = rule(
    "SINBA-07",
    Severity::Avviso,
    "Le regioni di residenza, del minore e dei genitori, sono tra le 21 dei flussi",
    "Fatti SIUSS, regola 18",
);
pub(super) static NOMENCLATORE: Rule = rule(
    "SINBA-08",
    Severity::Avviso,
    "I codici delle prestazioni del minore sono nel nomenclatore",
    "Fatti SIUSS, regola 16",
);

pub(super) static OPERAZIONE: Rule = rule(
    "SINBA-10",
    Severity::Errore,
    "Un SINBA non ha TipoOperazione: si inserisce, e non si può cancellare",
    "SINBA.xsd; Fatti SIUSS, SINBA (C)",
);

/// What is said of a SINBA that asks for the operation `text`.
#[must_use]
pub fn sinba_operation(text: &str) -> Notice {
    Notice::new(
        &OPERAZIONE,
        "TipoOperazione",
        text,
        "Un minore in carico (SINBA) non ha un tipo di operazione: INPS non prevede che si cancelli.",
        "Togliere la riga; se qualcosa è cambiato, inviarla di nuovo corretta e senza TipoOperazione.",
    )
}

pub(super) fn check(record: &Sinba, nomenclatore: &Nomenclatore, notices: &mut Vec<Notice>) {
    let dati = &record.dati;
    let needed = [
        (&DISABILITA, dati.disabilita, "TipoDisabilita", dati.tipo_disabilita.is_some(), "Disabilita è 1"),
        (
            &DISABILITA,
            dati.disabilita,
            "InvCivCertificazioni",
            dati.inv_civ_certificazioni.is_some(),
            "Disabilita è 1",
        ),
        (
            &SEGNALAZIONE,
            dati.segnalazione_autorita_giudiziaria,
            "DataSegnalazione",
            dati.data_segnalazione.is_some(),
            "SegnalazioneAutoritaGiudiziaria è 1",
        ),
        (
            &PROVVEDIMENTO,
            dati.provvedimento_giudiziario,
            "DataProvvedimentoGiudiziario",
            dati.data_provvedimento_giudiziario.is_some(),
            "ProvvedimentoGiudiziario è 1",
        ),
    ];
    for (rule, condition, field, present, because) in needed {
        if condition == SiNo::Si && !present {
            notices.push(missing(
                rule,
                field,
                because,
                "Indicarlo, o correggere la risposta da cui dipende.",
            ));
        }
    }
    if dati.nazione_residenza.number() == 380 && dati.regione_residenza.is_none() {
        notices.push(missing(
            &RESIDENZA,
            "CodiceRegioneResidenza",
            "il minore risiede in Italia (CodiceNazioneResidenza 380)",
            "Indicare la regione, da 01 a 21.",
        ));
    }
    if let Some(number) = dati.numero_componenti_isee
        && number.number() < 1
    {
        notices.push(Notice::new(
            &COMPONENTI,
            "NumeroComponentiISEE",
            &number.text(),
            "Il numero dei componenti del nucleo ISEE va da 1 a 9.",
            "Correggerlo, o toglierlo se non è noto.",
        ));
    }
    for (field, regione) in [
        ("CodiceRegioneResidenzaPadre", dati.regione_residenza_padre),
        ("CodiceRegioneResidenzaMadre", dati.regione_residenza_madre),
        ("CodiceRegioneResidenza", dati.regione_residenza),
    ] {
        if let Some(regione) = regione.map(|regione| regione.text())
            && !REGIONI.contains(&regione)
        {
            notices.push(unknown_region(&REGIONE, field, &regione));
        }
    }
    for codice in record.prestazioni.as_slice() {
        notices.extend(unknown_code(&NOMENCLATORE, "Prestazioni", codice.as_str(), nomenclatore));
    }
    if names_a_person(dati.id_beneficiario.as_str()) {
        notices.push(Notice::new(
            &PSEUDONIMO,
            "IDBeneficiario",
            dati.id_beneficiario.as_str(),
            "IDBeneficiario ha la forma di un codice fiscale: renderebbe riconoscibile il minore.",
            "Usare un codice anonimo dell'ente, per esempio MIN-2025-0001.",
        ));
    }
}

/// Whether a fiscal code stands in `text`, of 16 characters or of 11 digits, with or without separators.
fn names_a_person(text: &str) -> bool {
    let plain: Vec<u8> =
        text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_uppercase()).collect();
    let provisional = plain.len() == 11 && plain.iter().all(u8::is_ascii_digit);
    provisional || plain.windows(16).any(has_shape)
}
