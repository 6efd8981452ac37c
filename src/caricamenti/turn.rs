//! Whose turn it is to work on a file, and how far that work is: taken, shown to go on, ended, given up. A run that was
//! taken for dead, or whose file was withdrawn, writes nothing any more.

use diesel::prelude::*;

use super::rows::{Row, drop_pages, drop_parts};
use super::{Caricamento, SILENCE_MS, Stato};
use crate::store::schema::{caricamento, caricamento_pagina};
use crate::store::{AnyConnection, EserviceId, StoreError, sequencer, storable};

/// Whether a file of the e-service waits to be worked on.
pub(super) fn waits(connection: &mut AnyConnection, eservice: EserviceId) -> Result<bool, StoreError> {
    let first: Option<i64> = caricamento::table
        .filter(caricamento::eservice_id.eq(eservice.get()))
        .filter(caricamento::stato.eq_any(WAITING.map(Stato::as_str)))
        .select(caricamento::id)
        .first(connection)
        .optional()?;
    Ok(first.is_some())
}

const WAITING: [Stato; 2] = [Stato::DaLeggere, Stato::DaPubblicare];

/// The next file of the e-service to work on, if none is worked on: from now on it is.
pub(super) fn claim(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    now_ms: i64,
) -> Result<Option<Caricamento>, StoreError> {
    // Of several instances one takes the file.
    sequencer::lock(connection, eservice)?;
    let of = caricamento::table.filter(caricamento::eservice_id.eq(eservice.get()));
    let at_work = [Stato::Lettura, Stato::Pubblicazione].map(Stato::as_str);
    let running: i64 = of
        .filter(caricamento::stato.eq_any(at_work))
        .filter(caricamento::beat_ms.ge(now_ms - SILENCE_MS))
        .count()
        .get_result(connection)?;
    let row: Option<Row> = of
        .filter(caricamento::stato.eq_any(WAITING.map(Stato::as_str)))
        .order(caricamento::id)
        .first(connection)
        .optional()?;
    let (0, Some(row)) = (running, row) else { return Ok(None) };
    let mut claimed = Caricamento::try_from(row)?;
    claimed.stato = match claimed.stato {
        Stato::DaPubblicare => Stato::Pubblicazione,
        _ => Stato::Lettura,
    };
    claimed.run += 1;
    drop_pages(connection, claimed.id)?;
    diesel::update(caricamento::table.find(claimed.id))
        .set((
            caricamento::stato.eq(claimed.stato.as_str()),
            caricamento::run.eq(claimed.run),
            caricamento::beat_ms.eq(now_ms),
            caricamento::bytes_read.eq(0),
            caricamento::figures.eq("{}"),
        ))
        .execute(connection)?;
    Ok(Some(claimed))
}

/// How far a run is.
pub(super) struct Step {
    pub(super) bytes_read: i64,
    pub(super) figures: String,
    /// Pages of its report, and the number of the first.
    pub(super) pages: Vec<String>,
    pub(super) first_page: i64,
}

/// Writes down how far the run of `job` is. False if it is its turn no longer: withdrawn, or begun again elsewhere.
pub(super) fn advance(
    connection: &mut AnyConnection,
    job: &Caricamento,
    step: &Step,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let done = diesel::update(caricamento::table.find(job.id))
        .filter(caricamento::stato.eq(job.stato.as_str()))
        .filter(caricamento::run.eq(job.run))
        .set((
            caricamento::beat_ms.eq(now_ms),
            caricamento::bytes_read.eq(step.bytes_read),
            caricamento::figures.eq(&step.figures),
        ))
        .execute(connection)?;
    if done == 0 {
        return Ok(false);
    }
    for (number, entries) in (step.first_page..).zip(&step.pages) {
        diesel::insert_into(caricamento_pagina::table)
            .values((
                caricamento_pagina::caricamento_id.eq(job.id),
                caricamento_pagina::pagina.eq(number),
                caricamento_pagina::entries.eq(storable(entries)),
            ))
            .execute(connection)?;
    }
    Ok(true)
}

/// Ends the run of `job` with its last `step`: the file is in the state `to`. False if it was its turn no longer.
pub(super) fn finish(
    connection: &mut AnyConnection,
    job: &Caricamento,
    step: &Step,
    to: Stato,
    columns: &[String],
    now_ms: i64,
) -> Result<bool, StoreError> {
    if !advance(connection, job, step, now_ms)? {
        return Ok(false);
    }
    let columns = serde_json::to_string(columns).unwrap_or_default();
    diesel::update(caricamento::table.find(job.id))
        .set((caricamento::stato.eq(to.as_str()), caricamento::colonne.eq(storable(&columns))))
        .execute(connection)?;
    if to == Stato::Concluso {
        diesel::update(caricamento::table.find(job.id))
            .set(caricamento::ended_ms.eq(Some(now_ms)))
            .execute(connection)?;
        drop_parts(connection, job.id)?;
    }
    Ok(true)
}

/// Gives the run of `job` up: it counts as interrupted at once.
pub(super) fn release(connection: &mut AnyConnection, job: &Caricamento) -> Result<(), StoreError> {
    diesel::update(caricamento::table.find(job.id))
        .filter(caricamento::stato.eq(job.stato.as_str()))
        .filter(caricamento::run.eq(job.run))
        .set(caricamento::beat_ms.eq(0))
        .execute(connection)?;
    Ok(())
}
