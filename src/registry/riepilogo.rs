//! Figures that are kept beside what they count, in the same transaction: how many flows come after a cursor, what the
//! benefits in force cost by month and code, and what INPS said; by which day it should have what is in
//! [`scadenze`]. Reading them costs the same however many benefits there are.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::upsert::excluded;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::plan::{Benefit, Plan, Stato};
use super::scadenze::{self, Deadlines};
use crate::siuss::codes::CaratterePrestazione;
use crate::siuss::record::Record;
use crate::siuss::values::Intero;
use crate::store::schema::{esito_riepilogo, feed_mark, flusso, prestazione, riepilogo};
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend};

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
        mark(connection, eservice, *last, count)?;
        scadenze::published(connection, eservice, *last, plan)?;
    }
    sums(connection, eservice, codice_ente, plan)
}

/// Marks how many flows the feed has with the `count` that end with `last`.
fn mark(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    last: i64,
    count: i64,
) -> Result<(), StoreError> {
    let before = total(connection, eservice)?;
    diesel::insert_into(feed_mark::table)
        .values((
            feed_mark::eservice_id.eq(eservice.get()),
            feed_mark::ts.eq(last),
            feed_mark::flussi.eq(before.saturating_add(count)),
        ))
        .execute(connection)?;
    Ok(())
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

/// How many flows the feed has.
fn total(connection: &mut AnyConnection, eservice: EserviceId) -> Result<i64, StoreError> {
    let last: Option<i64> = feed_mark::table
        .filter(feed_mark::eservice_id.eq(eservice.get()))
        .order(feed_mark::ts.desc())
        .select(feed_mark::flussi)
        .first(connection)
        .optional()?;
    Ok(last.unwrap_or_default())
}

/// How many flows the feed has up to and with `position`.
pub(super) fn up_to(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    position: i64,
) -> Result<i64, StoreError> {
    let mark: Option<(i64, i64)> = feed_mark::table
        .filter(feed_mark::eservice_id.eq(eservice.get()))
        .filter(feed_mark::ts.le(position))
        .order(feed_mark::ts.desc())
        .select((feed_mark::ts, feed_mark::flussi))
        .first(connection)
        .optional()?;
    let (from, counted) = mark.unwrap_or((i64::MIN, 0));
    let rest: i64 = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.gt(from))
        .filter(flusso::ts.le(position))
        .count()
        .get_result(connection)?;
    Ok(counted + rest)
}

/// How many flows come after `since`; those whose payload was dropped come no more.
pub(super) fn waiting(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    since: i64,
) -> Result<u64, StoreError> {
    let passed = up_to(connection, eservice, since)?;
    let dropped = dropped(connection, eservice, since)?;
    Ok(figure(total(connection, eservice)? - passed - dropped))
}

/// How many of the flows after `since` come no more.
fn dropped(connection: &mut AnyConnection, eservice: EserviceId, since: i64) -> Result<i64, StoreError> {
    let dropped = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::ts.gt(since))
        .filter(flusso::eliminato_ms.is_not_null())
        .count()
        .get_result(connection)?;
    Ok(dropped)
}

/// How a feed stands with INPS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// All of its flows.
    pub flussi: u64,
    /// Flows that INPS has taken.
    pub taken: u64,
    /// Flows that wait for it.
    pub waiting: u64,
    /// Of these, payments of A1.04 of more than fifteen days ago, and periodic benefits that began more than three months
    /// ago. What was published at once counts until all of it is taken.
    pub late: [u64; 2],
    /// Of either kind, the last day on which the first of those that wait is not late.
    pub due: [Option<Day>; 2],
    /// Our flows by the outcome in force, by its name in the contract.
    pub esiti: BTreeMap<String, u64>,
}

/// How a feed stands when INPS has its flows up to `position` and it is `today`.
pub(crate) fn standing(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    position: i64,
    today: Day,
) -> Result<Standing, StoreError> {
    let id = eservice.get();
    let flussi = total(connection, eservice)?;
    let taken = up_to(connection, eservice, position)?;
    let waiting = figure(flussi - taken - dropped(connection, eservice, position)?);
    let Deadlines { late, due } = match waiting {
        0 => Deadlines::default(),
        _ => scadenze::beyond(connection, eservice, position, today)?,
    };
    let esiti: Vec<(String, i64)> = esito_riepilogo::table
        .filter(esito_riepilogo::eservice_id.eq(id))
        .select((esito_riepilogo::codice_esito, esito_riepilogo::flussi))
        .load(connection)?;
    let esiti = esiti.into_iter().map(|(codice, flussi)| (codice, figure(flussi))).collect();
    Ok(Standing { flussi: figure(flussi), taken: figure(taken), waiting, late, due, esiti })
}

pub(super) fn figure(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
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

/// Takes note of an outcome that is about to be stored: the flow's former one is in force no longer.
pub(super) fn judged(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    former: Option<&str>,
    codice: &str,
) -> Result<(), StoreError> {
    for (codice, change) in [former.map(|former| (former, -1_i64)), Some((codice, 1))].into_iter().flatten() {
        let row = (
            esito_riepilogo::eservice_id.eq(eservice.get()),
            esito_riepilogo::codice_esito.eq(codice),
            esito_riepilogo::flussi.eq(change),
        );
        each_backend!(connection, |inner| diesel::insert_into(esito_riepilogo::table)
            .values(row)
            .on_conflict((esito_riepilogo::eservice_id, esito_riepilogo::codice_esito))
            .do_update()
            .set(esito_riepilogo::flussi.eq(esito_riepilogo::flussi + excluded(esito_riepilogo::flussi)))
            .execute(inner))?;
    }
    Ok(())
}
