//! The benefits in force and what they cost, by month and by code: rows of tables, and charts.

use std::collections::BTreeMap;

use crate::console::chart::Chart;
use crate::console::text;
use crate::registry::{Monthly, riepilogo};
use crate::siuss::tables::Nomenclatore;

/// Months that are shown, the present one included.
pub(super) const MONTHS: i32 = 12;
/// Codes that are shown, or one less and all the others together.
const MOST_CODES: usize = 15;

/// What the benefits of an e-service cost.
pub(super) struct Andamento {
    pub(super) charts: Vec<Chart>,
    pub(super) months: Vec<[String; 4]>,
    pub(super) codes: Vec<[String; 4]>,
}

impl Andamento {
    /// The months from `from` on, of the e-service at a place of the page; none where they have nothing.
    pub(super) fn new(
        place: usize,
        monthly: &[Monthly],
        from: i32,
        nomenclatore: &Nomenclatore,
    ) -> Option<Self> {
        let sums = by_month(monthly, from);
        let codes = by_code(monthly, nomenclatore);
        sums.iter().any(|(_, sum)| sum.in_corso != 0).then(|| Self {
            charts: charts(place, &sums, &codes),
            months: sums.iter().map(|(mese, sum)| month_row(*mese, sum)).collect(),
            codes: codes.iter().map(code_row).collect(),
        })
    }
}

/// The sums of each month from `from` on, those without anything too.
fn by_month(monthly: &[Monthly], from: i32) -> Vec<(i32, Monthly)> {
    (0..MONTHS)
        .map(|place| {
            let mese = riepilogo::after(from, place);
            let mut sum = Monthly { mese, codice: String::new(), iniziate: 0, in_corso: 0, importo: 0 };
            for one in monthly.iter().filter(|one| one.mese == mese) {
                sum.iniziate += one.iniziate;
                sum.in_corso += one.in_corso;
                sum.importo += one.importo;
            }
            (mese, sum)
        })
        .collect()
}

fn month_row(mese: i32, sum: &Monthly) -> [String; 4] {
    [text::month(mese), text::count(sum.iniziate), text::count(sum.in_corso), text::euro(sum.importo)]
}

/// What a code has, or several together.
struct Voce {
    codice: String,
    denominazione: String,
    iniziate: i64,
    importo: i64,
}

/// What each code has, the dearest first; those beyond the last that is shown are one.
fn by_code(monthly: &[Monthly], nomenclatore: &Nomenclatore) -> Vec<Voce> {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for one in monthly {
        let (iniziate, importo) = sums.entry(&one.codice).or_default();
        *iniziate += one.iniziate;
        *importo += one.importo;
    }
    let name = |codice: &str| nomenclatore.get(codice).and_then(|voce| voce.denominazione.clone());
    let sums = sums.into_iter().filter(|(_, sum)| *sum != (0, 0));
    let codice = |(codice, (iniziate, importo)): (&str, (i64, i64))| Voce {
        codice: codice.to_owned(),
        denominazione: name(codice).unwrap_or_default(),
        iniziate,
        importo,
    };
    let mut codes: Vec<Voce> = sums.map(codice).collect();
    codes.sort_by_key(|one| std::cmp::Reverse(one.importo));
    if codes.len() > MOST_CODES {
        let others = codes.split_off(MOST_CODES - 1);
        codes.push(Voce {
            codice: format!("altri {}", others.len()),
            denominazione: "i codici con gli importi minori, insieme".to_owned(),
            iniziate: others.iter().map(|one| one.iniziate).sum(),
            importo: others.iter().map(|one| one.importo).sum(),
        });
    }
    codes
}

fn code_row(one: &Voce) -> [String; 4] {
    [one.codice.clone(), one.denominazione.clone(), text::count(one.iniziate), text::euro(one.importo)]
}

/// The charts of the e-service at a place of the page.
fn charts(place: usize, months: &[(i32, Monthly)], codes: &[Voce]) -> Vec<Chart> {
    let chart = |what: &str, title: &'static str, bars: Vec<(String, i64, String)>| {
        let description =
            "Una barra per riga, con la sua cifra; le stesse cifre sono nelle tabelle che seguono.";
        Chart::new(format!("grafico-{what}-{place}"), title, description.to_owned(), bars)
    };
    let by_month = |value: fn(&Monthly) -> i64, written: fn(i64) -> String| {
        let bar = |(mese, sum): &(i32, Monthly)| (text::short_month(*mese), value(sum), written(value(sum)));
        months.iter().map(bar).collect()
    };
    let by_code = |value: fn(&Voce) -> i64, written: fn(i64) -> String| {
        let bar = |one: &Voce| (one.codice.clone(), value(one), written(value(one)));
        codes.iter().map(bar).collect()
    };
    vec![
        chart("mesi-importi", "Importi per mese", by_month(|sum| sum.importo, text::euro)),
        chart("mesi-numero", "Prestazioni in corso, per mese", by_month(|sum| sum.in_corso, text::count)),
        chart("codici-importi", "Importi per codice", by_code(|one| one.importo, text::euro)),
        chart("codici-numero", "Prestazioni iniziate, per codice", by_code(|one| one.iniziate, text::count)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_shown_by_itself_is_shown_together() {
        let of = |number: i64| Monthly {
            mese: 202_601,
            codice: format!("A{number}"),
            iniziate: 1,
            in_corso: 1,
            importo: number * 100,
        };
        let shown = |count: i64| {
            let monthly: Vec<Monthly> = (1..=count).map(of).collect();
            let sum = Andamento::new(0, &monthly, 202_601, &Nomenclatore::default()).unwrap();
            (sum.codes.len(), sum.codes.into_iter().next_back().unwrap())
        };
        assert_eq!(shown(15), (15, ["A1", "", "1", "1,00 €"].map(str::to_owned)));
        let others = ["altri 6", "i codici con gli importi minori, insieme", "6", "21,00 €"];
        assert_eq!(shown(20), (15, others.map(str::to_owned)));
    }
}
