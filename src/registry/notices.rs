//! What is said of records by what the registry holds: the rules, and their texts.

use jiff::Timestamp;

use super::plan::{Benefit, Refusal, Stato};
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::rules::UNSETTLED;
use crate::store::Day;

/// A withdrawal of what the registry does not hold.
pub(super) static NOT_HELD: Rule = Rule {
    code: "REG-01",
    severity: Severity::Errore,
    summary: "Si ritira (TipoOperazione C) soltanto una prestazione che il registro conosce.",
    source: "Specifica WaaS.Comuni: una cancellazione ripete il flusso inviato",
};

/// A withdrawal of what cannot be withdrawn.
pub(super) static NOT_CANCELLABLE: Rule = Rule {
    code: "REG-02",
    severity: Severity::Errore,
    summary: "Un flusso SINBA non si ritira: il tracciato non prevede la cancellazione.",
    source: "SINBA.xsd, che non ha TipoOperazione",
};

/// A correction of what was withdrawn.
pub(super) static WITHDRAWN: Rule = Rule {
    code: "REG-03",
    severity: Severity::Errore,
    summary: "Si corregge soltanto una prestazione attiva.",
    source: "Specifica WaaS.Comuni: una correzione è una cancellazione seguita da un inserimento",
};

/// A withdrawal that describes another content than the one in force.
pub(super) static OTHER_CONTENT: Rule = Rule {
    code: "REG-04",
    severity: Severity::Errore,
    summary: "Una riga con TipoOperazione C descrive la prestazione come è stata inviata.",
    source: "Fatti SIUSS, «Life of a record»: una cancellazione ripete ciò che fu inviato",
};

/// A change of a benefit whose payload was dropped.
pub(super) static PAYLOAD_GONE: Rule = Rule {
    code: "REG-06",
    severity: Severity::Errore,
    summary: "Non si ritira né si corregge una prestazione di cui il contenuto inviato è stato eliminato.",
    source: "[retention] della configurazione: una cancellazione ripete ciò che fu inviato",
};

pub(super) fn not_held() -> Notice {
    Notice::new(
        &NOT_HELD,
        "TipoOperazione",
        "C",
        "La prestazione da ritirare non è nel registro: non risulta mai pubblicata con questo codice fiscale, codice \
         prestazione, protocollo e data.",
        "Controllare che questi dati siano quelli con cui fu inviata; se non fu mai inviata, togliere la riga.",
    )
}

pub(super) fn other_content() -> Notice {
    Notice::new(
        &OTHER_CONTENT,
        "TipoOperazione",
        "C",
        "La prestazione è nel registro, ma con un contenuto diverso da quello di questa riga.",
        "Se la riga descrive una versione già sostituita non c'è nulla da fare; per ritirare quella in vigore, \
         descriverla com'è, o usare `benefits withdraw`.",
    )
}

pub(super) fn not_cancellable() -> Notice {
    Notice::new(
        &NOT_CANCELLABLE,
        "SINBA",
        "",
        "Un minore in carico (SINBA) non si può ritirare: il tracciato SINBA non prevede la cancellazione.",
        "Inviare la situazione aggiornata del minore, per esempio con MotivazioneChiusuraCarico; per una posizione \
         inviata per errore rivolgersi a INPS.",
    )
}

pub(super) fn withdrawn() -> Notice {
    Notice::new(
        &WITHDRAWN,
        "id",
        "",
        "La prestazione è già stata ritirata: non si può correggere.",
        "Se è di nuovo dovuta, registrarla come nuova.",
    )
}

pub(super) fn unsettled(held: &Benefit<'_>) -> Notice {
    let id = held.id.map_or_else(|| "ID".to_owned(), |id| id.to_string());
    let (value, message, remedy) = match (&held.refusal, held.stato) {
        (Some(Refusal { id_flusso, codice, descrizione }), _) => {
            let detail = descrizione.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
            (
                codice.as_str(),
                format!("INPS ha rifiutato questa prestazione (flusso {id_flusso}, {codice}{detail})."),
                codice.remedy().to_owned(),
            )
        }
        (None, Stato::Withdrawn) => (
            "",
            "La prestazione è ritirata, ma a INPS risulta ancora: l'annullamento non è riuscito.".to_owned(),
            format!("Ripetere l'annullamento con `benefits resend --id {id}`."),
        ),
        (None, Stato::Active) => (
            "",
            "A INPS risulta, oltre a questa, una versione precedente della prestazione.".to_owned(),
            format!("Rimettere in pari INPS con `benefits resend --id {id}`."),
        ),
    };
    Notice::new(&UNSETTLED, "esito", value, message, remedy)
}

pub(super) fn payload_gone(ms: i64) -> Notice {
    let day = Day::of(Timestamp::from_millisecond(ms).unwrap_or_default());
    Notice::new(
        &PAYLOAD_GONE,
        "TipoOperazione",
        "",
        format!(
            "Il contenuto che fu inviato di questa prestazione è stato eliminato il {day}, come vuole la \
             configurazione ([retention]): non si può più ripetere per annullarlo."
        ),
        "Lasciare la prestazione com'è. Se va annullata o corretta comunque, chiedere a INPS come farlo.",
    )
}
