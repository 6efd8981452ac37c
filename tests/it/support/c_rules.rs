//! What INPS refuses beyond its schemas, stated a second time: the rules of the facts of SIUSS that are marked C, written
//! from the facts and not from the product's code. Where the two disagree, one of them is wrong.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use regex::Regex;
use waas_comuni::siuss::element::Element;

/// The attributes of a record by their names, as they are written.
pub(crate) type Values = BTreeMap<String, String>;

/// One record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) is_sinba: bool,
    /// Those of every element but the addresses.
    pub(crate) values: Values,
    pub(crate) addresses: Vec<Values>,
}

/// The codes that INPS holds already: `trasmissione` is `no`.
static NEVER_SENT: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let never: HashSet<String> = include_str!("../../../specs/nomenclatore.csv")
        .lines()
        .filter(|line| line.ends_with(",no,") || line.contains(",no,\""))
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(never.len(), 29, "the facts count them: {never:?}");
    never
});

static FISCAL_CODE: LazyLock<Regex> = LazyLock::new(|| {
    let digit = "[0-9LMNPQRSTUV]";
    Regex::new(&format!("[A-Z]{{6}}{digit}{{2}}[A-Z]{digit}{{2}}[A-Z]{digit}{{3}}[A-Z]")).unwrap()
});

impl Facts {
    /// The facts of a record of a flow.
    pub(crate) fn of(record: &Element) -> Self {
        fn collect(element: &Element, facts: &mut Facts) {
            let values: Values =
                element.attributes.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            if element.name == "Indirizzo" {
                facts.addresses.push(values);
            } else {
                facts.values.extend(values);
            }
            for child in &element.children {
                collect(child, facts);
            }
        }
        let mut facts = Self { is_sinba: record.name == "SINBA", ..Self::default() };
        collect(record, &mut facts);
        facts
    }

    fn get(&self, name: &str) -> Option<&str> {
        value(&self.values, name)
    }

    /// The rules that it breaks as the content of one flow.
    pub(crate) fn broken(&self) -> BTreeSet<&'static str> {
        let mut broken = BTreeSet::new();
        if self.is_sinba {
            self.child(&mut broken);
        } else {
            self.benefit(&mut broken);
        }
        broken
    }

    /// The rules that it breaks as a record of a source, which is divided by calendar year first.
    pub(crate) fn broken_as_source(&self) -> BTreeSet<&'static str> {
        let mut first = self.clone();
        if let (Some(start), Some(end)) = (self.day("DataInizioPrestazione"), self.day("DataFinePrestazione"))
            && self.get("CaratterePrestazione") == Some("1")
            && start[..4] < end[..4]
        {
            first.values.insert("DataFinePrestazione".to_owned(), format!("{}-12-31", &start[..4]));
            first.values.remove("PeriodoErogazione");
        }
        first.broken()
    }

    fn benefit(&self, broken: &mut BTreeSet<&'static str>) {
        let mut rule = |code, holds: bool| {
            if !holds {
                broken.insert(code);
            }
        };
        let is = |name, expected| self.get(name) == Some(expected);
        let has = |name| self.get(name).is_some();
        let positive = |name| self.amount(name).is_some_and(|amount| amount > 0);
        let (periodic, occasional) = (is("CaratterePrestazione", "1"), is("CaratterePrestazione", "2"));
        rule("PS-02", periodic || occasional);
        rule(
            "PS-03",
            !periodic
                || (has("DataInizioPrestazione") && positive("ImportoMensile") && !has("ImportoPrestazione")),
        );
        rule("PS-04", !occasional || (has("DataErogazionePrestazione") && positive("ImportoPrestazione")));
        if let (Some(start), Some(end)) = (self.day("DataInizioPrestazione"), self.day("DataFinePrestazione"))
        {
            rule("PS-05", start <= end && start[..4] == end[..4]);
        }
        let (ente, utente, ssn) = (
            self.amount("ImportoQuotaEnte"),
            self.amount("ImportoQuotaUtente"),
            self.amount("ImportoQuotaSSN"),
        );
        rule("PS-07", ente.is_none_or(|share| share > 0));
        rule("PS-07", utente.is_none_or(|share| share >= 0));
        rule("PS-07", ssn.is_none_or(|share| share > 0));
        let shares: Vec<i128> = [ente, utente, ssn].into_iter().flatten().collect();
        let total = self.amount(if occasional { "ImportoPrestazione" } else { "ImportoMensile" });
        rule("PS-07", shares.is_empty() || total.is_none_or(|total| shares.iter().sum::<i128>() == total));
        let dsu = ["NumeroProtocolloDSU", "AnnoProtocolloDSU", "DataDSU"].map(has);
        rule("PS-08", dsu.iter().all(|present| *present) || dsu.iter().all(|present| !present));
        rule("PS-11", is("PresaCarico", "1") == has("AreaUtenza"));
        for address in &self.addresses {
            let italian = value(address, "CodiceNazione") == Some("380");
            let complete =
                ["CodiceRegione", "CodiceComune"].iter().all(|name| value(address, name).is_some());
            rule("PS-12", !italian || complete);
        }
        let minutes = self.amount("OreServizioMensile").map(|hours| hours % UNIT);
        rule("PS-13", minutes.is_none_or(|minutes| minutes <= UNIT / 100 * 59));
        rule("PS-14", !self.get("CodicePrestazione").is_some_and(|code| NEVER_SENT.contains(code)));
    }

    fn child(&self, broken: &mut BTreeSet<&'static str>) {
        let italian = self.get("CodiceNazioneResidenza") == Some("380");
        if italian && self.get("CodiceRegioneResidenza").is_none() {
            broken.insert("SINBA-04");
        }
        if self.get("NumeroComponentiISEE").is_some_and(|number| number.parse::<i32>().unwrap() < 1) {
            broken.insert("SINBA-05");
        }
        let letters = |character: &char| character.is_ascii_alphanumeric();
        let id: String = self.get("IDBeneficiario").unwrap_or_default().chars().filter(letters).collect();
        let provisional = id.len() == 11 && id.bytes().all(|byte| byte.is_ascii_digit());
        if provisional || FISCAL_CODE.is_match(&id.to_uppercase()) {
            broken.insert("SINBA-06");
        }
    }

    /// A day as `AAAA-MM-GG`, from either form.
    fn day(&self, name: &str) -> Option<String> {
        let text = self.get(name)?;
        let parts: Vec<&str> = text.split('/').collect();
        Some(match parts.as_slice() {
            [day, month, year] => format!("{year}-{month}-{day}"),
            _ => text.to_owned(),
        })
    }

    /// A number in millionths.
    fn amount(&self, name: &str) -> Option<i128> {
        let text = self.get(name)?.replace(',', ".");
        let (sign, text) = text.strip_prefix('-').map_or((1, text.as_str()), |text| (-1, text));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let number = |digits: &str| if digits.is_empty() { 0 } else { digits.parse::<i128>().unwrap() };
        Some(sign * (number(whole) * UNIT + number(&format!("{fraction:0<6}"))))
    }
}

const UNIT: i128 = 1_000_000;

/// What is there: an empty cell is not.
fn value<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    values.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}
