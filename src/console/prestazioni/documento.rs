//! A flow as a document that people read: what each value is called, its id in the layout of the mass upload, and what
//! its code means.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::console::text;
use crate::siuss::codes::{ComposizioneFamiglia, InvCiv};
use crate::siuss::element::Element;
use crate::siuss::fields;
use crate::siuss::tables::Nomenclatore;
use crate::siuss::values::{Importo, Kind, Value};
use crate::siuss::xml::{Document, Encoding, Item};

/// A part of a record.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) title: &'static str,
    pub(super) values: Vec<Datum>,
}

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datum {
    pub(super) label: String,
    /// Its id in the layout of the mass upload; empty where it has none.
    pub(super) bx: &'static str,
    /// As people write it, with what a code means.
    pub(super) value: String,
}

/// The record in a flow of ours.
pub(super) fn record(xml: &[u8]) -> Option<Element> {
    Document::new(xml, Encoding::Utf8).find_map(|item| match item {
        Item::Record(element) => Some(element),
        Item::Identificazione(_) | Item::Fault(_) => None,
    })
}

/// When the benefit of `record` was given: its period, or the day of payment. None of a child in care.
pub(super) fn period(record: &Element) -> Option<String> {
    let prestazione = record.child("PrestazioniSociali")?;
    let day = |name: &str| prestazione.attribute(name).map(italian_day);
    match (day("DataInizioPrestazione"), day("DataFinePrestazione"), day("DataErogazionePrestazione")) {
        (Some(from), Some(until), _) => Some(format!("dal {from} al {until}")),
        (Some(from), None, _) => Some(format!("dal {from}")),
        (None, _, paid) => paid.map(|paid| format!("del {paid}")),
    }
}

/// The parts of `record`, in the order of the schema.
pub(super) fn parts(record: &Element, nomenclatore: &Nomenclatore) -> Vec<Part> {
    let mut parts = Vec::new();
    add(record, nomenclatore, &mut parts);
    parts
}

fn add(element: &Element, nomenclatore: &Nomenclatore, parts: &mut Vec<Part>) {
    let mut values: Vec<Datum> = element
        .attributes
        .iter()
        .filter(|(name, _)| name != "TipoOperazione")
        .map(|(name, value)| datum(name, value, nomenclatore))
        .collect();
    // A text within belongs to what its container is called.
    let (lists, elements): (Vec<&Element>, Vec<&Element>) = element.children.iter().partition(|child| {
        child.children.iter().all(is_text) && !child.children.is_empty() && child.attributes.is_empty()
    });
    for list in lists {
        values.extend(list.children.iter().map(|item| {
            let datum = datum(&item.name, &item.text, nomenclatore);
            Datum { label: label(&list.name), ..datum }
        }));
    }
    if !values.is_empty() {
        parts.push(Part { title: title(&element.name), values });
    }
    for child in elements {
        add(child, nomenclatore, parts);
    }
}

fn is_text(element: &Element) -> bool {
    element.attributes.is_empty() && element.children.is_empty()
}

fn title(name: &str) -> &'static str {
    match name {
        "Beneficiario" => "Beneficiario",
        "Anagrafica" => "Anagrafica",
        "Indirizzo" => "Residenza",
        "PrestazioniSociali" => "Prestazione",
        "SINA" => "Valutazione della non autosufficienza (SINA)",
        _ => "Minore in carico (SINBA)",
    }
}

fn datum(name: &str, value: &str, nomenclatore: &Nomenclatore) -> Datum {
    let field = fields::find(name);
    let listed: &[(&str, &str)] = match name {
        "InvCiv" => InvCiv::CODES,
        "ComposizioneFamiglia" => ComposizioneFamiglia::CODES,
        _ => field.map(|field| field.codes).unwrap_or_default(),
    };
    let meaning = match listed.iter().find(|(code, _)| *code == value) {
        Some((_, meaning)) => Some(*meaning),
        None if name == "CodicePrestazione" => {
            nomenclatore.get(value).and_then(|voce| voce.denominazione.as_deref())
        }
        None => None,
    };
    let written = match field.map(|field| field.kind) {
        Some(Kind::Day) => italian_day(value),
        Some(Kind::Number) if name.starts_with("Importo") => euro(value),
        Some(Kind::Number) => value.replacen('.', ",", 1),
        _ => value.to_owned(),
    };
    Datum {
        label: label(name),
        bx: field.and_then(|field| field.bx).unwrap_or_default(),
        value: meaning.map_or_else(|| written.clone(), |meaning| format!("{written} – {meaning}")),
    }
}

/// An amount of XML as Italians write it: `1.234,50 €`.
fn euro(value: &str) -> String {
    let cents = Importo::read(value).and_then(|importo| (importo.number() * Decimal::ONE_HUNDRED).to_i64());
    cents.map_or_else(|| value.to_owned(), text::euro)
}

/// A day of XML as Italians write it.
pub(super) fn italian_day(day: &str) -> String {
    match day.split('-').collect::<Vec<_>>().as_slice() {
        [year, month, day] => format!("{day}/{month}/{year}"),
        _ => day.to_owned(),
    }
}

/// What an attribute is called in the pages.
pub(super) fn label(name: &str) -> String {
    let known = match name {
        "CodiceFiscale" => "Codice fiscale",
        "AnnoNascita" => "Anno di nascita",
        "LuogoNascita" => "Luogo di nascita (codice catastale)",
        "CodiceCittadinanza" => "Cittadinanza",
        "CodiceSecondaCittadinanza" => "Seconda cittadinanza",
        "CodiceRegione" => "Regione",
        "CodiceComune" => "Comune (codice ISTAT)",
        "CodiceNazione" => "Nazione",
        "PresenzaProvaMezzi" => "Prova dei mezzi",
        "CaratterePrestazione" => "Carattere",
        "NumeroProtocolloDSU" => "Numero di protocollo della DSU",
        "AnnoProtocolloDSU" => "Anno della DSU",
        "DataDSU" => "Data della DSU",
        "CodicePrestazione" => "Codice della prestazione",
        "DenominazionePrestazione" => "Denominazione",
        "ProtocolloDomanda" => "Protocollo della domanda",
        "DataEvento" => "Data dell'evento",
        "DataInizioPrestazione" => "Primo giorno",
        "DataFinePrestazione" => "Ultimo giorno",
        "DataErogazionePrestazione" => "Giorno di erogazione",
        "ImportoPrestazione" => "Importo",
        "PeriodoErogazione" => "Mesi di erogazione",
        "ImportoMensile" => "Importo mensile",
        "ImportoQuotaEnte" => "Quota a carico dell'ente",
        "ImportoQuotaUtente" => "Quota a carico della famiglia",
        "ImportoQuotaSSN" => "Quota a carico del servizio sanitario",
        "ImportoQuotaRichiesta" => "Quota richiesta",
        "ImportoSogliaISEE" => "Soglia ISEE",
        "OreServizioMensile" => "Ore di servizio al mese",
        "PresaCarico" => "Presa in carico",
        "AreaUtenza" => "Area di utenza",
        "CodiceFiscaleMinore" => "Codice fiscale del minore",
        "IDBeneficiario" => "Codice anonimo del minore",
        "FasciaEtaBeneficiario" => "Fascia di età",
        "MinoreStranieroNoAcc" => "Minore straniero non accompagnato",
        "CondizioneMinore" => "Condizione del minore",
        "CodiceNazioneResidenza" => "Nazione di residenza",
        "CodiceRegioneResidenza" => "Regione di residenza",
        "LuogoVita" => "Luogo di vita",
        "Disabilita" => "Disabilità",
        "TipoDisabilita" => "Tipo di disabilità",
        "InvCivCertificazioni" => "Certificazione di invalidità",
        "Famiglia" => "Chi vive con il minore",
        "NumeroComponentiISEE" => "Componenti del nucleo ISEE",
        "FasciaISEEBeneficiario" => "Fascia ISEE",
        "CodiceCittadinanzaPadre" => "Cittadinanza del padre",
        "CodiceCittadinanzaMadre" => "Cittadinanza della madre",
        "CodiceRegioneResidenzaPadre" => "Regione di residenza del padre",
        "CodiceRegioneResidenzaMadre" => "Regione di residenza della madre",
        "TitoloStudioPadre" => "Titolo di studio del padre",
        "TitoloStudioMadre" => "Titolo di studio della madre",
        "OccupazionePadre" => "Occupazione del padre",
        "OccupazioneMadre" => "Occupazione della madre",
        "DataPrimaSegnalazione" => "Mese della prima segnalazione",
        "FonteSegnalazione" => "Fonte della segnalazione",
        "ValutazioneMinore" => "Valutazione del minore",
        "ValutazioneFamigliaMinore" => "Valutazione della famiglia",
        "SegnalazioneAutoritaGiudiziaria" => "Segnalazione all'autorità giudiziaria",
        "DataSegnalazione" => "Mese della segnalazione all'autorità",
        "DataProvvedimentoGiudiziario" => "Mese del provvedimento",
        "AutoritaProvvedimento" => "Autorità che lo ha emesso",
        "TipoProvvedimentoGiudiziario" => "Tipo di provvedimento",
        "PotestaTutela" => "Responsabilità genitoriale e tutela",
        "FormaInterventoAffido" => "Forma dell'affido",
        "TipoInterventoAffido" => "Tipo di affido",
        "DurataAffido" => "Durata dell'affido",
        "CarattereAffido" => "Carattere dell'affido",
        "EsitoAffido" => "Esito dell'affido",
        "FormaInserimentoResidenziale" => "Forma dell'inserimento in struttura",
        "TipoInserimentoResidenziale" => "Tipo di inserimento in struttura",
        "CarattereInserimentoResidenziale" => "Carattere dell'inserimento in struttura",
        "EsitoInserimentoStruttura" => "Esito dell'inserimento in struttura",
        "CollaborazioniInterventi" => "Collaborazioni",
        "MotivazioneChiusuraCarico" => "Motivo della chiusura",
        "SituazioneChiusuraCarico" => "Situazione alla chiusura",
        _ => "",
    };
    if known.is_empty() { spelled(name) } else { known.to_owned() }
}

/// `DataPrimaSegnalazione` as words: the names of the schema are Italian.
fn spelled(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut before = ' ';
    let mut rest = name.chars().peekable();
    while let Some(character) = rest.next() {
        let begins = character.is_uppercase() && before.is_lowercase();
        let in_acronym = character.is_uppercase()
            && (before.is_uppercase() || rest.peek().is_none_or(|next| next.is_uppercase()));
        if begins {
            words.push(' ');
        }
        match character {
            character if words.is_empty() || in_acronym => words.push(character),
            character => words.extend(character.to_lowercase()),
        }
        before = character;
    }
    words
}

/// What changed from one content to the next: label, before, after.
pub(super) fn differences(before: &[Part], after: &[Part]) -> Vec<(String, String, String)> {
    let flat = |parts: &[Part]| -> Vec<(String, Datum)> {
        let values = |part: &Part| {
            part.values.iter().map(|datum| (part.title.to_owned(), datum.clone())).collect::<Vec<_>>()
        };
        parts.iter().flat_map(values).collect()
    };
    let (before, after) = (flat(before), flat(after));
    let value = |of: &[(String, Datum)], key: &(String, Datum)| {
        let same = |one: &&(String, Datum)| one.0 == key.0 && one.1.label == key.1.label;
        of.iter().filter(same).map(|(_, datum)| datum.value.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut differences = Vec::new();
    for key in before.iter().chain(&after) {
        let name = (key.0.clone(), key.1.label.clone());
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let (old, new) = (value(&before, key), value(&after, key));
        if old != new {
            differences.push((key.1.label.clone(), old, new));
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_schema_become_words() {
        assert_eq!(spelled("DataPrimaSegnalazione"), "Data prima segnalazione");
        assert_eq!(spelled("NumeroComponentiISEE"), "Numero componenti ISEE");
        assert_eq!(spelled("IDBeneficiario"), "IDBeneficiario");
    }
}
