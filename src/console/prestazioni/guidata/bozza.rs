//! What was entered so far, and the record that it makes.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::campi::{Campo, Only, PASSI, campi};
use crate::console::form::Form;
use crate::console::prestazioni::documento::italian_day;
use crate::intake::canonical;
use crate::siuss::element::Element;
use crate::siuss::fields;
use crate::siuss::quote::Quote;
use crate::siuss::split::months;
use crate::siuss::tables::Nomenclatore;
use crate::siuss::values::{Data, Importo, Kind, Value};

/// Characters of a value: more than any attribute takes.
const LONGEST: usize = 300;
/// Under this name the form says whether the amounts are those of a month or of the whole period.
pub(super) const BASE: &str = "base";
const WHOLE: &str = "periodo";

/// What was entered so far, by the names of the attributes.
pub(super) struct Bozza {
    values: BTreeMap<&'static str, String>,
    /// Whether the amounts are those of the whole period.
    pub(super) is_whole: bool,
}

impl Bozza {
    /// What a form says.
    pub(super) fn read(form: &Form) -> Self {
        let value = |campo: &Campo| (campo.id, form.text(campo.id).chars().take(LONGEST).collect());
        Self { values: campi().map(value).collect(), is_whole: form.text(BASE) == WHOLE }
    }

    /// What a form about nobody yet begins with.
    pub(super) fn empty() -> Self {
        let italy = ["CodiceCittadinanza", "CodiceNazione"].map(|name| (name, "380".to_owned()));
        Self { values: BTreeMap::from(italy), is_whole: false }
    }

    /// What `record` says, as people write it.
    pub(super) fn of(record: &Element) -> Self {
        let mut record = record.clone();
        let mut values = BTreeMap::new();
        for campo in campi() {
            let value = campo.place.of(&mut record).and_then(|element| element.attribute(campo.id));
            let value = value.map(|value| match kind(campo) {
                Kind::Day => italian_day(value),
                Kind::Number => value.replacen('.', ",", 1),
                Kind::Text => value.to_owned(),
            });
            values.insert(campo.id, value.unwrap_or_default());
        }
        let mut bozza = Self { values, is_whole: false };
        // Months that can be counted are counted again when the days change.
        if bozza.counted().is_some_and(|counted| bozza.value("PeriodoErogazione") == counted.to_string()) {
            bozza.values.insert("PeriodoErogazione", String::new());
        }
        bozza
    }

    /// The value of a field; empty where there is none.
    pub(super) fn value(&self, id: &str) -> &str {
        self.values.get(id).map(String::as_str).unwrap_or_default()
    }

    /// How `base` is said again.
    pub(super) fn base(&self) -> &'static str {
        if self.is_whole { WHOLE } else { "mese" }
    }

    /// Whether the benefit is granted month by month; nobody knows before it was said.
    pub(super) fn is_periodic(&self) -> bool {
        self.value("CaratterePrestazione") != "2"
    }

    /// Whether the form asks for this field.
    pub(super) fn asks(&self, campo: &Campo) -> bool {
        match campo.only {
            Only::All => true,
            Only::Periodic => self.is_periodic(),
            Only::Occasional => !self.is_periodic(),
        }
    }

    /// The months between the two days, where they are days.
    fn counted(&self) -> Option<i32> {
        let day = |name| Data::read(&canonical(Kind::Day, self.value(name))).map(Data::day);
        let (first, last) = (day("DataInizioPrestazione")?, day("DataFinePrestazione")?);
        (first <= last).then(|| months(first, last))?
    }

    /// The record, as far as it was entered: `base` with what the form says in the place of what it said. Each month's
    /// amounts are those of the whole period, divided, where they were entered so; none when they cannot be.
    pub(super) fn record(
        &self,
        base: Option<&Element>,
        nomenclatore: &Nomenclatore,
    ) -> (Element, Option<&'static str>) {
        let mut record = base.cloned().unwrap_or_else(empty);
        for campo in campi() {
            let value = canonical(kind(campo), self.value(campo.id));
            let value = Some(value).filter(|value| !value.is_empty() && self.asks(campo));
            if let Some(element) = campo.place.of(&mut record) {
                element.set_attribute(campo.id, value);
            }
        }
        let mut fault = None;
        if let Some(prestazione) = record.child_mut("PrestazioniSociali") {
            prestazione.set_attribute("TipoOperazione", None);
            if prestazione.attribute("DenominazionePrestazione").is_none() {
                let voce =
                    prestazione.attribute("CodicePrestazione").and_then(|codice| nomenclatore.get(codice));
                let name = voce.and_then(|voce| voce.denominazione.as_ref());
                prestazione.set_attribute(
                    "DenominazionePrestazione",
                    name.map(|name| name.chars().take(200).collect()),
                );
            }
            if self.is_periodic() {
                if prestazione.attribute("PeriodoErogazione").is_none() {
                    prestazione.set_attribute(
                        "PeriodoErogazione",
                        self.counted().map(|counted| counted.to_string()),
                    );
                }
                if self.is_whole {
                    fault = divide(prestazione);
                }
            }
        }
        (record, fault)
    }

    /// The record with something in the place of what later steps ask for, so that the rules can speak of this one.
    pub(super) fn probe(mut record: Element, step: usize) -> Element {
        let missing: &[(usize, &str, &str)] = &[
            (1, "PresenzaProvaMezzi", "4"),
            (1, "CodicePrestazione", "A2.12"),
            (1, "DenominazionePrestazione", "Mensa scolastica"),
            (1, "ProtocolloDomanda", "1"),
            (5, "PresaCarico", "2"),
        ];
        if let Some(prestazione) = record.child_mut("PrestazioniSociali") {
            for (asked_in, name, value) in missing {
                if *asked_in > step {
                    prestazione.set_attribute(name, Some((*value).to_owned()));
                }
            }
            if step < PASSI.len() - 1 {
                prestazione.set_attribute("AreaUtenza", None);
            }
        }
        record
    }
}

fn kind(campo: &Campo) -> Kind {
    fields::find(campo.id).map_or(Kind::Text, |field| field.kind)
}

fn empty() -> Element {
    let children = ["Anagrafica", "Indirizzo", "PrestazioniSociali"].map(|name| Element::new(name, 1));
    Element { children: children.to_vec(), ..Element::new("Beneficiario", 1) }
}

/// Divides the amounts of the whole period into those of a month. What is wrong with them, if they cannot be divided.
fn divide(prestazione: &mut Element) -> Option<&'static str> {
    const SHARES: [&str; 3] = ["ImportoQuotaEnte", "ImportoQuotaUtente", "ImportoQuotaSSN"];
    let number =
        |name: &str| -> Option<Decimal> { Importo::read(prestazione.attribute(name)?).map(Importo::number) };
    let importo = number("ImportoMensile")?;
    let [ente, utente, ssn] = SHARES.map(number);
    let months = prestazione.attribute("PeriodoErogazione").and_then(|months| months.parse().ok());
    let Some(months) = months else {
        return Some(
            "Per dividere l'importo di tutto il periodo servono i mesi: scrivere l'ultimo giorno, o quanti mesi sono.",
        );
    };
    let Some(monthly) = (Quote { importo, ente, utente, ssn }).monthly(months) else {
        return Some(
            "Le quote non fanno insieme l'importo di tutto il periodo: correggere l'importo o le quote.",
        );
    };
    let parts = [Some(monthly.importo), monthly.ente, monthly.utente, monthly.ssn];
    for (name, part) in ["ImportoMensile"].into_iter().chain(SHARES).zip(parts) {
        prestazione.set_attribute(name, part.map(|part| Importo::from(part).text()));
    }
    None
}
