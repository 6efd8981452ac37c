//! What the codes of the log mean, in Italian.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::call_log::action::METHOD;
use crate::call_log::seal::verify::Fault;

/// The outcomes by which calls are looked for.
pub(super) const OUTCOMES: [&str; 22] = [
    "ok",
    "voucher_refused",
    "threshold_exceeded",
    "bad_request",
    "body_incomplete",
    "payload_too_large",
    "unsupported_media_type",
    "not_found",
    "method_not_allowed",
    "address_limit",
    "overloaded",
    "not_modified",
    "api_key_refused",
    "api_key_without_eservice",
    "api_key_for_another_ente",
    "record_refused",
    "idempotency_key_reused",
    "prestazione_not_found",
    "refused",
    "failed",
    "database_unavailable",
    "call_log_unavailable",
];

/// What an outcome means.
pub(super) fn outcome(code: &str) -> Cow<'_, str> {
    Cow::Borrowed(match code {
        "ok" => "riuscita",
        "voucher_refused" => "voucher non valido",
        "threshold_exceeded" => "soglia giornaliera superata",
        "bad_request" => "richiesta errata",
        "body_incomplete" => "richiesta interrotta",
        "payload_too_large" => "richiesta troppo grande",
        "unsupported_media_type" => "formato non ammesso",
        "not_found" => "non trovato",
        "method_not_allowed" => "metodo non ammesso",
        "address_limit" => "troppe richieste dall'indirizzo",
        "overloaded" => "troppe chiamate insieme",
        "not_modified" => "pagina che il chiamante ha già",
        "api_key_refused" => "chiave del gestionale non valida",
        "api_key_without_eservice" => "chiave senza e-service",
        "api_key_for_another_ente" => "chiave di un altro ente",
        "record_refused" => "dati della prestazione rifiutati",
        "idempotency_key_reused" => "chiave di idempotenza già usata",
        "prestazione_not_found" => "prestazione non trovata",
        "refused" => "non consentita",
        "failed" => "non riuscita",
        "database_unavailable" => "database non raggiungibile",
        "call_log_unavailable" => "registro non scrivibile: nessun dato uscito",
        "stopping" => "servizio in arresto",
        "rules_unavailable" => "regole non disponibili",
        "configuration" => "configurazione errata",
        other => return Cow::Owned(other.replace('_', " ")),
    })
}

/// What an action is.
pub(super) fn action(code: &str) -> Cow<'_, str> {
    Cow::Borrowed(match code {
        "benefit_viewed" => "ha visto una prestazione",
        "benefits_listed" => "ha visto un elenco di prestazioni",
        "benefits_exported" => "ha esportato prestazioni",
        "benefit_changed" => "ha corretto una prestazione",
        "benefit_withdrawn" => "ha ritirato una prestazione",
        "benefit_resent" => "ha inviato di nuovo una prestazione",
        "file_loaded" => "ha caricato un file di prestazioni",
        "file_withdrawn" => "ha annullato un caricamento",
        "mapping_saved" => "ha salvato la corrispondenza delle colonne",
        "import_begun" => "ha iniziato un'importazione",
        "import_ended" => "ha concluso un'importazione",
        "api_key_added" => "ha creato una chiave per un gestionale",
        "api_key_revoked" => "ha revocato la chiave di un gestionale",
        "calls_searched" => "ha cercato chi ha ricevuto dati",
        "calls_exported" => "ha esportato voci del registro",
        "calls_verified" => "ha avviato la verifica del registro",
        "calls_pruned" => "ha rimosso voci scadute del registro",
        "payloads_dropped" => "ha eliminato contenuti scaduti",
        "backup_made" => "ha copiato il database",
        "database_restored" => "ha ripristinato il database",
        "user_added" => "ha creato un utente",
        "user_changed" => "ha modificato un utente",
        "user_disabled" => "ha disabilitato un utente",
        "signed_in" => "ha fatto accesso alla console",
        "signed_out" => "è uscito dalla console",
        other => return Cow::Owned(other.replace('_', " ")),
    })
}

/// A member of an entry as text; empty where it does not apply.
pub(super) fn member(entry: &Map<String, Value>, name: &str) -> String {
    match entry.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_f64() => number.to_string().replacen('.', ",", 1),
        Some(other) => other.to_string(),
    }
}

/// What was done, in a few words.
pub(super) fn what(entry: &Map<String, Value>) -> String {
    let (method, path) = (member(entry, "method"), member(entry, "path"));
    if method == METHOD {
        return action(&path).into_owned();
    }
    let end = path.rsplit('/').next().unwrap_or_default();
    match (method.as_str(), end) {
        ("GET", "flussi") => "prelievo di flussi".to_owned(),
        ("POST", "esiti") => "consegna di esiti".to_owned(),
        ("GET", "status") => "controllo del servizio".to_owned(),
        ("GET", "openapi.yaml") => "lettura della descrizione del servizio".to_owned(),
        _ => format!("{method} {path}"),
    }
}

/// Who called or acted.
pub(super) fn who(entry: &Map<String, Value>) -> String {
    let (user, consumer) = (member(entry, "user_id"), member(entry, "consumer_id"));
    match (user.is_empty(), consumer.is_empty(), member(entry, "method") == METHOD) {
        (false, _, true) => user,
        (true, false, _) => format!("fruitore {consumer}"),
        (false, false, _) => format!("fruitore {consumer}, per {user}"),
        (false, true, false) => format!("chiave {user}"),
        (true, true, _) => "sconosciuto".to_owned(),
    }
}

/// How the badge of an entry looks.
pub(super) fn badge(entry: &Map<String, Value>) -> &'static str {
    match entry.get("status").and_then(Value::as_i64).unwrap_or_default() {
        200..300 => "ok",
        500.. => "errore",
        _ => "attenzione",
    }
}

/// The members of an entry in the order of its page: name, label, explanation.
pub(super) const MEMBERS: [(&str, &str, &str); 27] = [
    ("index", "Numero della voce", "Posto nel registro, da 0 e senza buchi."),
    ("request_id", "Richiesta", "L'identificativo che chi ha chiamato ha ricevuto in X-Request-Id."),
    ("method", "Metodo", "ACTION vuol dire un'azione del personale, non una chiamata."),
    ("path", "Indirizzo o azione", ""),
    ("query", "Parametri", "Come sono stati scritti da chi ha chiamato."),
    ("status", "Stato HTTP", ""),
    ("outcome", "Codice dell'esito", ""),
    (
        "voucher_check",
        "Controllo del voucher non superato",
        "I dati del voucher qui sotto sono allora letti, non verificati.",
    ),
    ("client_ip", "Indirizzo IP", ""),
    ("consumer_id", "Fruitore", "Chi ha chiamato, secondo PDND (consumerId)."),
    ("client_id", "Client", "Il programma del fruitore, secondo PDND (client_id)."),
    ("purpose_id", "Finalità", "Lo scopo dichiarato su PDND (purposeId)."),
    ("token_id", "Voucher", "Il suo numero (jti)."),
    ("kid", "Chiave del voucher", "Quella di PDND che lo ha firmato."),
    ("producer_id", "Erogatore", "L'ente, secondo PDND."),
    ("eservice_id", "E-service su PDND", ""),
    ("descriptor_id", "Versione dell'e-service su PDND", ""),
    ("user_id", "Utente", "Chi ha agito; di una chiamata, per conto di chi secondo il fruitore."),
    ("user_location", "Da dove", "console, cli (riga di comando), service (il servizio da sé)."),
    ("loa", "Livello di garanzia", "Dell'identità dell'utente, secondo il fruitore."),
    ("since", "Cursore chiesto", "I flussi pubblicati dopo questo istante, in millisecondi."),
    ("limit", "Flussi chiesti al più", ""),
    ("count", "Quanti", "Flussi consegnati, esiti ricevuti, o cose a cui si riferisce l'azione."),
    ("flows_digest", "Impronta dei nomi dei flussi", "SHA-256: prova quali flussi sono usciti."),
    ("benefit", "Prestazione", "Il numero che ha in questo archivio."),
    ("duration_ms", "Durata in millisecondi", ""),
    ("bytes", "Byte della risposta", ""),
];

/// A place where a checkpoint stands.
fn place(place: &str) -> String {
    place
        .replace("checkpoint of ", "checkpoint di ")
        .replace(" entries of log ", " voci del registro n. ")
        .replace(" in the database", " nel database")
        .replace(", line ", ", riga ")
}

/// What is wrong with a log, and what it means.
pub(super) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::EntryChanged { index } => {
            format!("La voce {index} è stata alterata: non dice più ciò che diceva quando fu scritta.")
        }
        Fault::EntryMissing { index } => {
            format!("Manca la voce {index}: ciò che viene dopo non si può verificare.")
        }
        Fault::EntryUnexpected { index } => {
            format!("La voce {index} è di troppo: il servizio non l'ha scritta.")
        }
        Fault::EntryUnhashed { index } => format!(
            "Dalla voce {index} in poi mancano le impronte: se le ha scritte una versione precedente, riavviare il \
             servizio; altrimenti qualcuno le ha tolte."
        ),
        Fault::EntriesGone { from, to } => format!(
            "Le voci da {from} a {to} non ci sono più, ne restano le impronte, e il registro non dice che siano state \
             rimosse: le ha tolte qualcun altro."
        ),
        Fault::HeadMissing => "Manca la testa del registro, che dice quante voci ha.".to_owned(),
        Fault::HeadChanged { size, entries } => format!(
            "La testa del registro dice che le voci sono {size}, e non corrisponde alle {entries} che ci sono."
        ),
        Fault::CheckpointUnreadable { place: at } => {
            format!("{}: qui dovrebbe esserci un checkpoint e non si legge.", place(at))
        }
        Fault::CheckpointUnsigned { place: at } => format!(
            "{}: il checkpoint non è firmato con la chiave in uso. Se la chiave è cambiata, verificare dalla riga di \
             comando con quella di allora.",
            place(at)
        ),
        Fault::CheckpointForged { place: at } => {
            format!("{}: la firma di questo checkpoint è falsa.", place(at))
        }
        Fault::CheckpointContradicted { place: at, from, size } => format!(
            "{}: le voci da {from} a {} non sono quelle firmate: una è stata alterata, aggiunta o tolta, o sono state \
             riscritte.",
            place(at),
            size.saturating_sub(1)
        ),
        Fault::LogShortened { place: at, size, entries } => format!(
            "{}: furono firmate {size} voci e ce ne sono {entries}: dalla voce {entries} il registro è stato tagliato, \
             o è stato ripristinato un database più vecchio.",
            place(at)
        ),
        Fault::LogUnknown { place: at, origin } => {
            format!("{}: riguarda il registro {origin}, che qui non c'è.", place(at))
        }
        Fault::FileMissing { place: at } => {
            format!("Il file dei checkpoint {at} manca o è vuoto: quelli che conteneva non ci sono più.")
        }
    }
}

/// The entry that is wrong, where a fault names one that is there.
pub(super) fn wrong_entry(fault: &Fault) -> Option<u64> {
    match fault {
        Fault::EntryChanged { index } | Fault::EntryUnexpected { index } | Fault::EntryUnhashed { index } => {
            Some(*index)
        }
        _ => None,
    }
}
