//! What was entered so far, and the record that it makes.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::modulo::{Campo, Modulo, Only, Place};
use crate::console::form::Form;
use crate::console::prestazioni::documento::italian_day;
use crate::intake::canonical;
use crate::siuss::codice_fiscale::nascita;
use crate::siuss::element::Element;
use crate::siuss::fields;
use crate::siuss::pseudonym::{self, Key, SOURCE};
use crate::siuss::quote::Quote;
use crate::siuss::split::{by_year, months};
use crate::siuss::tables::Nomenclatore;
use crate::siuss::values::{CodiceFiscale, Data, Importo, Kind, Value};

/// Characters of a value: more than any attribute takes.
const LONGEST: usize = 300;
/// What stands between the values of a field that has several.
const BETWEEN: &str = "|";
/// Under this name the form says whether the amounts are those of a month or of the whole period.
pub(super) const BASE: &str = "base";
const WHOLE: &str = "periodo";
/// The amount of a month, and who pays which share of it.
pub(super) const IMPORTO: &str = "ImportoMensile";
pub(super) const QUOTE: [&str; 3] = ["ImportoQuotaEnte", "ImportoQuotaUtente", "ImportoQuotaSSN"];

/// What was entered so far, by the names of the attributes.
pub(super) struct Bozza {
    pub(super) modulo: &'static Modulo,
    values: BTreeMap<&'static str, String>,
    /// Whether the amounts are those of the whole period.
    pub(super) is_whole: bool,
}

impl Bozza {
    /// What a form says.
    pub(super) fn read(modulo: &'static Modulo, form: &Form) -> Self {
        let value = |campo: &Campo| {
            // Of several values each may be a field of its own.
            let text = form.all(campo.id).collect::<Vec<_>>().join(BETWEEN);
            (campo.id, text.chars().take(LONGEST).collect())
        };
        Self { modulo, values: modulo.campi().map(value).collect(), is_whole: form.text(BASE) == WHOLE }
    }

    /// What a form about nobody yet begins with.
    pub(super) fn empty(modulo: &'static Modulo) -> Self {
        let italy = ["CodiceCittadinanza", "CodiceNazione", "CodiceNazioneResidenza"];
        Self { modulo, values: BTreeMap::from(italy.map(|name| (name, "380".to_owned()))), is_whole: false }
    }

    /// What `record` says, as people write it.
    pub(super) fn of(modulo: &'static Modulo, record: &Element) -> Self {
        let mut record = record.clone();
        let mut values = BTreeMap::new();
        for campo in modulo.campi() {
            let owner = campo.owner(&mut record);
            if let Place::List(_) = campo.place {
                let items = owner.iter().flat_map(|list| &list.children).map(|item| item.text.as_str());
                values.insert(campo.id, items.collect::<Vec<_>>().join(BETWEEN));
                continue;
            }
            let value = owner.and_then(|element| element.attribute(campo.id));
            let value = value.map(|value| match kind(campo) {
                Kind::Day => italian_day(value),
                Kind::Number => value.replacen('.', ",", 1),
                Kind::Text => value.to_owned(),
            });
            values.insert(campo.id, value.unwrap_or_default());
        }
        let mut bozza = Self { modulo, values, is_whole: false };
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

    /// The values of a field that has several.
    pub(super) fn items(&self, id: &str) -> impl Iterator<Item = &str> {
        let is_between = |character: char| character.is_whitespace() || "|,;".contains(character);
        self.value(id).split(is_between).filter(|item| !item.is_empty())
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
        let mut record = base.cloned().unwrap_or_else(|| empty(self.modulo));
        for campo in self.modulo.campi() {
            if let Place::List(item) = campo.place {
                if let Some(list) = campo.owner(&mut record) {
                    let items = self
                        .items(campo.id)
                        .map(|text| Element { text: text.to_owned(), ..Element::new(item, 1) });
                    list.children = items.collect();
                }
                continue;
            }
            let value = canonical(kind(campo), self.value(campo.id));
            let value = Some(value).filter(|value| !value.is_empty() && self.asks(campo));
            if let Some(element) = campo.owner(&mut record) {
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
            if self.is_periodic() && prestazione.attribute("PeriodoErogazione").is_none() {
                prestazione
                    .set_attribute("PeriodoErogazione", self.counted().map(|counted| counted.to_string()));
            }
        }
        if self.is_whole && self.is_periodic() {
            // The months that the flows will say: those of each year are counted.
            let months = by_year(record.clone(), &mut Vec::new()).iter().map(stated_months).sum();
            if let Some(prestazione) = record.child_mut("PrestazioniSociali") {
                fault = divide(prestazione, months);
            }
        }
        (record, fault)
    }

    /// The record with something in the place of what later steps ask for, so that the rules can speak of this one.
    pub(super) fn probe(&self, mut record: Element, step: usize) -> Element {
        for campo in self.modulo.passi.iter().skip(step + 1).flat_map(|passo| passo.campi) {
            let first = campo.codes().first().map(|(code, _)| *code);
            let Some(owner) = campo.owner(&mut record) else { continue };
            let stand_in = match campo.id {
                "PresenzaProvaMezzi" => "4",
                "CodicePrestazione" | "Prestazioni" => "A2.12",
                "DenominazionePrestazione" => "Mensa scolastica",
                "ProtocolloDomanda" => "1",
                "PresaCarico" | "SegnalazioneAutoritaGiudiziaria" | "ProvvedimentoGiudiziario" => "2",
                "DataPrimaSegnalazione" => "01/2024",
                _ if campo.place == Place::Record && campo.needed => first.unwrap_or_default(),
                "Famiglia" => "1",
                "AreaUtenza" => {
                    owner.set_attribute(campo.id, None);
                    continue;
                }
                _ => continue,
            };
            if let Place::List(item) = campo.place {
                owner.children = vec![Element { text: stand_in.to_owned(), ..Element::new(item, 1) }];
            } else {
                owner.set_attribute(campo.id, Some(stand_in.to_owned()));
            }
        }
        record
    }

    /// Forgets the fiscal code of a child, for what it says: the anonymous code that `key` makes of it and, where nothing
    /// else was written, the year of birth and the age on the day `today`.
    pub(super) fn forget(&mut self, key: Option<&Key>, today: Date) {
        let code = self.value(SOURCE).to_owned();
        let mut record = Element::new("SINBA", 1);
        record.set_attribute(SOURCE, Some(code.clone()).filter(|code| !code.is_empty()));
        if !self.value("IDBeneficiario").is_empty() || pseudonym::replace(&mut record, key).is_err() {
            return;
        }
        let Some(pseudonym) = record.attribute("IDBeneficiario") else { return };
        self.values.insert("IDBeneficiario", pseudonym.to_owned());
        self.values.insert(SOURCE, String::new());
        let Some((born, age)) = CodiceFiscale::read(code.trim()).and_then(|code| child(&code, today)) else {
            return;
        };
        let band = (age / 3 + 1).to_string();
        for (name, value) in [("AnnoNascita", born.to_string()), ("FasciaEtaBeneficiario", band)] {
            if self.value(name).is_empty() {
                self.values.insert(name, value);
            }
        }
    }
}

/// In which year somebody who is no adult on the day `today` was born, and how old they are; none of somebody who is.
fn child(code: &CodiceFiscale, today: Date) -> Option<(i16, i16)> {
    let nascita = nascita(code)?;
    let (month, day) = (i8::try_from(nascita.mese?).ok()?, i8::try_from(nascita.giorno).ok()?);
    let year = 2000 + i16::try_from(nascita.anno).ok()?;
    let birthday_is_over = (month, day) <= (today.month(), today.day());
    let age = today.year() - year - i16::from(!birthday_is_over);
    (0..18).contains(&age).then_some((year, age))
}

fn kind(campo: &Campo) -> Kind {
    fields::find(campo.id).map_or(Kind::Text, |field| field.kind)
}

fn empty(modulo: &Modulo) -> Element {
    let children = modulo.children.iter().map(|name| Element::new(*name, 1));
    Element { children: children.collect(), ..Element::new(modulo.element, 1) }
}

/// How many months `record` says that it is for.
pub(super) fn stated_months(record: &Element) -> Option<u32> {
    record.child("PrestazioniSociali")?.attribute("PeriodoErogazione")?.parse().ok()
}

/// Divides the amounts of the whole period into those of a month. What is wrong with them, if they cannot be divided.
fn divide(prestazione: &mut Element, months: Option<u32>) -> Option<&'static str> {
    let number =
        |name: &str| -> Option<Decimal> { Importo::read(prestazione.attribute(name)?).map(Importo::number) };
    let importo = number(IMPORTO)?;
    let [ente, utente, ssn] = QUOTE.map(number);
    if QUOTE.into_iter().any(|name| prestazione.attribute(name).is_some() && number(name).is_none()) {
        // What is no amount is told as that.
        return None;
    }
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
    for (name, part) in [IMPORTO].into_iter().chain(QUOTE).zip(parts) {
        prestazione.set_attribute(name, part.map(|part| Importo::from(part).text()));
    }
    None
}
