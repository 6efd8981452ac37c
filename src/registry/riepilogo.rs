//! What the benefits in force cost by month and code, kept beside what is summed, in the same transaction. Reading it
//! costs the same however many benefits there are. How the feed stands with INPS is in [`attesa`], by which day it
//! should have what in [`scadenze`].

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::plan::{Benefit, Plan, Stato};
use super::{attesa, scadenze};
use crate::siuss::codes::CaratterePrestazione;
use crate::siuss::record::Record;
use crate::siuss::values::Intero;
use crate::store::schema::{prestazione, riepilogo};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// A month as the tables keep it: 202601.
pub type Mese = i32;

/// What one benefit adds: see the migration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) codice: Option<String>,
    pub(super) primo_mese: Option<Mese>,
    pub(super) mesi: Option<i16>,
    pub(super) importo: Option<i64>,
}

impl Part {
    /// What `record` adds: nothing when it is a child in care, which has no amounts.
    pub(super) fn of(record: &Record) -> Self {
        let Record::PsPsaSina(record) = record else { return Self::default() };
        let dati = &record.prestazione;
        let (first, mesi, importo) = match dati.carattere {
            Some(CaratterePrestazione::Occasionale) => (dati.data_erogazione, 1, dati.importo),
            _ => {
                let spanned = dati.data_inizio.zip(dati.data_fine).map_or(1, |(start, end)| {
                    i32::from(end.day().month()) - i32::from(start.day().month()) + 1
                });
                let mesi = dati.periodo_erogazione.map_or(spanned, Intero::number);
                (dati.data_inizio, mesi.clamp(1, 12), dati.importo_mensile)
            }
        };
        let cents = importo.and_then(|importo| (importo.number() * Decimal::ONE_HUNDRED).to_i64());
        Self {
            codice: Some(dati.codice.as_str().to_owned()),
            primo_mese: first.map(|day| mese(day.day())),
            mesi: i16::try_from(mesi).ok(),
            importo: cents,
        }
    }

    /// What `benefit` adds as the plan leaves it; none when the plan does not change that.
    pub(super) fn left(benefit: &Benefit<'_>) -> Option<Self> {
        match benefit.stato {
            Stato::Withdrawn => Some(Self::default()),
            Stato::Active => benefit.record.map(Self::of),
        }
    }

    /// Adds it to `sums`, or takes it from them when `sign` is −1.
    fn add_to(&self, sums: &mut Sums, sign: i64) {
        let (Some(codice), Some(first), Some(mesi)) = (&self.codice, self.primo_mese, self.mesi) else {
            return;
        };
        for place in 0..i32::from(mesi) {
            let sum = sums.entry((after(first, place), codice.clone())).or_default();
            sum.iniziate += if place == 0 { sign } else { 0 };
            sum.in_corso += sign;
            sum.importo += sign.saturating_mul(self.importo.unwrap_or_default());
        }
    }
}

/// What a month has of a code.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    iniziate: i64,
    in_corso: i64,
    importo: i64,
}

type Sums = BTreeMap<(Mese, String), Sum>;

/// The month of a day.
#[must_use]
pub fn mese(day: Date) -> Mese {
    i32::from(day.year()) * 100 + i32::from(day.month())
}

/// The month that comes so many after `first`.
#[must_use]
pub fn after(first: Mese, months: i32) -> Mese {
    let index = first.div_euclid(100) * 12 + first.rem_euclid(100) - 1 + months;
    index.div_euclid(12) * 100 + index.rem_euclid(12) + 1
}

/// Takes note of what a transaction publishes, before its benefits are written.
pub(super) fn published(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codice_ente: &str,
    plan: &Plan<'_>,
    timestamps: &[i64],
) -> Result<(), StoreError> {
    // What INPS refused is withdrawn without a flow.
    if let Some(last) = timestamps.last() {
        let count = i64::try_from(timestamps.len()).unwrap_or(i64::MAX);
        attesa::mark(connection, eservice, *last, count)?;
        scadenze::published(connection, eservice, *last, plan)?;
    }
    sums(connection, eservice, codice_ente, plan)
}

/// Brings the sums by month and code to what the plan leaves.
fn sums(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codice_ente: &str,
    plan: &Plan<'_>,
) -> Result<(), StoreError> {
    let mut sums = Sums::new();
    for benefit in plan.benefits.values() {
        if !benefit.changed {
            continue;
        }
        // What stands is published once more.
        let Some(part) = Part::left(benefit) else { continue };
        if let Some(prestazione) = benefit.id {
            replace(connection, eservice, prestazione, &part)?.add_to(&mut sums, -1);
        }
        part.add_to(&mut sums, 1);
    }
    let rows: Vec<_> = sums
        .into_iter()
        .map(|((mese, codice), sum)| {
            (
                riepilogo::eservice_id.eq(eservice.get()),
                riepilogo::mese.eq(mese),
                riepilogo::codice.eq(codice),
                riepilogo::codice_ente.eq(codice_ente),
                riepilogo::iniziate.eq(sum.iniziate),
                riepilogo::in_corso.eq(sum.in_corso),
                riepilogo::importo.eq(sum.importo),
            )
        })
        .collect();
    macro_rules! add {
        ($inner:expr, $values:expr) => {
            diesel::insert_into(riepilogo::table)
                .values($values)
                .on_conflict((
                    riepilogo::eservice_id,
                    riepilogo::mese,
                    riepilogo::codice,
                    riepilogo::codice_ente,
                ))
                .do_update()
                .set((
                    riepilogo::iniziate.eq(riepilogo::iniziate + excluded(riepilogo::iniziate)),
                    riepilogo::in_corso.eq(riepilogo::in_corso + excluded(riepilogo::in_corso)),
                    riepilogo::importo.eq(riepilogo::importo + excluded(riepilogo::importo)),
                ))
                .execute($inner)?
        };
    }
    match connection {
        // One round trip for all of them.
        AnyConnection::Postgres(inner) => drop(add!(inner, &rows)),
        AnyConnection::Sqlite(inner) => {
            for row in &rows {
                add!(inner, row);
            }
        }
    }
    Ok(())
}

/// Writes what the benefit adds; gives what it added.
fn replace(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    id: i64,
    part: &Part,
) -> Result<Part, StoreError> {
    type Row = (Option<String>, Option<i32>, Option<i16>, Option<i64>);
    let benefit = prestazione::table.find((eservice.get(), id));
    let (codice, primo_mese, mesi, importo): Row = benefit
        .select((prestazione::codice, prestazione::primo_mese, prestazione::mesi, prestazione::importo))
        .get_result(connection)?;
    diesel::update(benefit)
        .set((
            // One that is withdrawn adds nothing, and is still looked for by its code.
            part.codice.as_ref().map(|codice| prestazione::codice.eq(codice)),
            prestazione::primo_mese.eq(part.primo_mese),
            prestazione::mesi.eq(part.mesi),
            prestazione::importo.eq(part.importo),
        ))
        .execute(connection)?;
    Ok(Part { codice, primo_mese, mesi, importo })
}

/// The benefits in force of a code in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monthly {
    /// The month.
    pub mese: Mese,
    /// The code.
    pub codice: String,
    /// Those whose first month it is.
    pub iniziate: i64,
    /// Those that were granted for it.
    pub in_corso: i64,
    /// What they cost in it, in cents.
    pub importo: i64,
}

/// The benefits in force from the month `from` to the month `until`, of these enti alone if any are named.
pub(crate) fn monthly(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    enti: Option<&[String]>,
    from: Mese,
    until: Mese,
) -> Result<Vec<Monthly>, StoreError> {
    type Row = (Mese, String, String, i64, i64, i64);
    let rows: Vec<Row> = riepilogo::table
        .filter(riepilogo::eservice_id.eq(eservice.get()))
        .filter(riepilogo::mese.between(from, until))
        .select((
            riepilogo::mese,
            riepilogo::codice,
            riepilogo::codice_ente,
            riepilogo::iniziate,
            riepilogo::in_corso,
            riepilogo::importo,
        ))
        .load(connection)?;
    let mut sums = Sums::new();
    for (mese, codice, ente, iniziate, in_corso, importo) in rows {
        if enti.is_none_or(|enti| enti.contains(&ente)) {
            let sum = sums.entry((mese, codice)).or_default();
            sum.iniziate += iniziate;
            sum.in_corso += in_corso;
            sum.importo += importo;
        }
    }
    Ok(sums
        .into_iter()
        .map(|((mese, codice), Sum { iniziate, in_corso, importo })| Monthly {
            mese,
            codice,
            iniziate,
            in_corso,
            importo,
        })
        .collect())
}
