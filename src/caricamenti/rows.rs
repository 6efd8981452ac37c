//! The files in the database, from their arrival to their end, as staff change them. Each change says from which state it
//! may be made: of two that come at once, one is. What a run changes is in [`turn`](super::turn).

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use serde::de::DeserializeOwned;

use super::{Caricamento, FILE_DAYS, MOST_OPEN, PAGE, REPORT_DAYS, SILENCE_MS, Stato};
use crate::intake::Format;
use crate::intake::report::Kept;
use crate::siuss::notice::Severity;
use crate::store::schema::{caricamento, caricamento_pagina, caricamento_parte};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend, sequencer, storable};

/// Enti that one statement names: one by one, for a list of any length has no form that both databases share.
pub(super) const ENTI: usize = 100;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a file may be on its way.
const ARRIVAL_MS: i64 = 60 * 60 * 1000;

#[derive(Queryable)]
pub(super) struct Row {
    id: i64,
    eservice_id: i64,
    codice_ente: String,
    file_name: String,
    format: String,
    bytes: i64,
    stato: String,
    loaded_by: String,
    created_ms: i64,
    confirmed_by: Option<String>,
    ended_ms: Option<i64>,
    colonne: String,
    mapping: String,
    run: i64,
    beat_ms: i64,
    bytes_read: i64,
    figures: String,
}

impl TryFrom<Row> for Caricamento {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unreadable = || StoreError::Unreadable(format!("the loaded file {}", row.id));
        Ok(Self {
            eservice: EserviceId::referred(row.eservice_id),
            format: format_of(&row.format).ok_or_else(unreadable)?,
            stato: Stato::read(&row.stato).ok_or_else(unreadable)?,
            columns: json(&row.colonne),
            mapping: json(&row.mapping),
            figures: json(&row.figures),
            id: row.id,
            codice_ente: row.codice_ente,
            file_name: row.file_name,
            bytes: row.bytes,
            loaded_by: row.loaded_by,
            created_ms: row.created_ms,
            confirmed_by: row.confirmed_by,
            ended_ms: row.ended_ms,
            run: row.run,
            beat_ms: row.beat_ms,
            bytes_read: row.bytes_read,
        })
    }
}

/// What a column of JSON holds: nothing, when that cannot be read.
pub(super) fn json<T: DeserializeOwned + Default>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_default()
}

fn format_of(name: &str) -> Option<Format> {
    [Format::Csv, Format::Xml, Format::Json].into_iter().find(|format| format_name(*format) == name)
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Csv => "csv",
        Format::Xml => "xml",
        Format::Json => "json",
    }
}

/// A file about to come.
#[derive(Clone, Debug)]
pub struct New {
    /// Into whose feed its benefits go.
    pub eservice: EserviceId,
    /// The ente whose benefits they are.
    pub codice_ente: String,
    /// What it is called.
    pub file_name: String,
    /// Its form.
    pub format: Format,
    /// Which fields columns contain.
    pub mapping: BTreeMap<String, String>,
    /// Who loads it.
    pub loaded_by: String,
}

/// Makes room for a file. None when too many of its e-service are open.
pub fn begin(connection: &mut AnyConnection, new: &New, now_ms: i64) -> Result<Option<i64>, StoreError> {
    sequencer::lock(connection, new.eservice)?;
    let open: i64 = caricamento::table
        .filter(caricamento::eservice_id.eq(new.eservice.get()))
        .filter(caricamento::stato.eq_any(Stato::OPEN.map(Stato::as_str)))
        .count()
        .get_result(connection)?;
    if open >= MOST_OPEN {
        return Ok(None);
    }
    let file_name = storable(&new.file_name);
    let mapping = serde_json::to_string(&new.mapping).unwrap_or_default();
    let row = (
        caricamento::eservice_id.eq(new.eservice.get()),
        caricamento::codice_ente.eq(&new.codice_ente),
        caricamento::file_name.eq(&file_name),
        caricamento::format.eq(format_name(new.format)),
        caricamento::bytes.eq(0),
        caricamento::stato.eq(Stato::InArrivo.as_str()),
        caricamento::loaded_by.eq(&new.loaded_by),
        caricamento::created_ms.eq(now_ms),
        caricamento::colonne.eq("[]"),
        caricamento::mapping.eq(&mapping),
        caricamento::run.eq(0),
        caricamento::beat_ms.eq(0),
        caricamento::bytes_read.eq(0),
        caricamento::figures.eq("{}"),
    );
    let id = each_backend!(connection, |inner| diesel::insert_into(caricamento::table)
        .values(row)
        .returning(caricamento::id)
        .get_result(inner))?;
    Ok(Some(id))
}

/// Keeps the part of this number of a file that is on its way.
pub fn append(connection: &mut AnyConnection, id: i64, part: i64, content: &[u8]) -> Result<(), StoreError> {
    diesel::insert_into(caricamento_parte::table)
        .values((
            caricamento_parte::caricamento_id.eq(id),
            caricamento_parte::parte.eq(part),
            caricamento_parte::content.eq(content),
        ))
        .execute(connection)?;
    Ok(())
}

/// The file is there, `bytes` long: it can be read. False if it is not on its way.
pub fn arrived(connection: &mut AnyConnection, id: i64, bytes: i64) -> Result<bool, StoreError> {
    let done = diesel::update(caricamento::table.find(id))
        .filter(caricamento::stato.eq(Stato::InArrivo.as_str()))
        .set((caricamento::bytes.eq(bytes), caricamento::stato.eq(Stato::DaLeggere.as_str())))
        .execute(connection)?;
    Ok(done > 0)
}

/// Forgets a file that did not arrive whole.
pub fn forget(connection: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    let stato = caricamento::table.find(id).select(caricamento::stato);
    let stato: Option<String> = stato.first(connection).optional()?;
    if stato.as_deref() == Some(Stato::InArrivo.as_str()) {
        drop_parts(connection, id)?;
        diesel::delete(caricamento::table.find(id)).execute(connection)?;
    }
    Ok(())
}

pub(super) fn drop_parts(connection: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    let parts = caricamento_parte::table.filter(caricamento_parte::caricamento_id.eq(id));
    diesel::delete(parts).execute(connection)?;
    Ok(())
}

pub(super) fn drop_pages(connection: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    let pages = caricamento_pagina::table.filter(caricamento_pagina::caricamento_id.eq(id));
    diesel::delete(pages).execute(connection)?;
    Ok(())
}

/// The file with this number, once it is there.
pub fn find(connection: &mut AnyConnection, id: i64) -> Result<Option<Caricamento>, StoreError> {
    let row: Option<Row> = caricamento::table
        .find(id)
        .filter(caricamento::stato.ne(Stato::InArrivo.as_str()))
        .first(connection)
        .optional()?;
    row.map(Caricamento::try_from).transpose()
}

/// At most `limit` files of these enti, the last first: those before the number `before`.
pub fn list(
    connection: &mut AnyConnection,
    enti: &[(EserviceId, String)],
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Caricamento>, StoreError> {
    let mut rows: Vec<Row> = Vec::new();
    for some in enti.chunks(ENTI) {
        let mut of_one: Box<dyn BoxableExpression<_, _, SqlType = Bool>> = Box::new(sql::<Bool>("1 = 0"));
        for (eservice, codice) in some {
            let is_it = caricamento::eservice_id.eq(eservice.get()).and(caricamento::codice_ente.eq(codice));
            of_one = Box::new(of_one.or(is_it));
        }
        let of_some: Vec<Row> = caricamento::table
            .filter(caricamento::id.lt(before.unwrap_or(i64::MAX)))
            .filter(caricamento::stato.ne(Stato::InArrivo.as_str()))
            .filter(of_one)
            .order(caricamento::id.desc())
            .limit(limit)
            .load(connection)?;
        rows.extend(of_some);
    }
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    rows.truncate(usize::try_from(limit).unwrap_or_default());
    rows.into_iter().map(Caricamento::try_from).collect()
}

/// One page of the report of a file.
pub fn page(connection: &mut AnyConnection, id: i64, number: i64) -> Result<Vec<Kept>, StoreError> {
    let entries: Option<String> = caricamento_pagina::table
        .find((id, number))
        .select(caricamento_pagina::entries)
        .first(connection)
        .optional()?;
    Ok(entries.map(|entries| json(&entries)).unwrap_or_default())
}

/// What refuses records in the report of a file, from a page of it on: a page full or a little more; and the page from
/// which to go on.
pub fn refusals(
    connection: &mut AnyConnection,
    id: i64,
    from: i64,
) -> Result<(Vec<Kept>, Option<i64>), StoreError> {
    // As the report is kept no value can say this: its quotation marks have a backslash.
    let refuses = format!("%\"severity\":\"{}\"%", Severity::Errore.as_str());
    // Each page that is found has one at least.
    let enough = i64::try_from(PAGE).unwrap_or(i64::MAX).saturating_add(1);
    let pages: Vec<(i64, String)> = caricamento_pagina::table
        .filter(caricamento_pagina::caricamento_id.eq(id))
        .filter(caricamento_pagina::pagina.ge(from))
        .filter(caricamento_pagina::entries.like(refuses))
        .order(caricamento_pagina::pagina)
        .limit(enough)
        .select((caricamento_pagina::pagina, caricamento_pagina::entries))
        .load(connection)?;
    let mut refusals: Vec<Kept> = Vec::new();
    for (pagina, entries) in pages {
        if refusals.len() >= PAGE {
            return Ok((refusals, Some(pagina)));
        }
        let entries: Vec<Kept> = json(&entries);
        refusals.extend(entries.into_iter().filter(Kept::is_refusal));
    }
    Ok((refusals, None))
}

/// Says which fields the columns contain: the file is read again. False if it is not the time for it.
pub fn map(
    connection: &mut AnyConnection,
    id: i64,
    mapping: &BTreeMap<String, String>,
) -> Result<bool, StoreError> {
    let from = [Stato::Colonne, Stato::Illeggibile, Stato::Pronto].map(Stato::as_str);
    let mapping = serde_json::to_string(mapping).unwrap_or_default();
    let done = diesel::update(caricamento::table.find(id))
        .filter(caricamento::stato.eq_any(from))
        .set((caricamento::mapping.eq(mapping), caricamento::stato.eq(Stato::DaLeggere.as_str())))
        .execute(connection)?;
    Ok(done > 0)
}

/// Has what the run `run` foresaw published. False if that is not what waits for it.
pub fn confirm(connection: &mut AnyConnection, id: i64, run: i64, by: &str) -> Result<bool, StoreError> {
    let done = diesel::update(caricamento::table.find(id))
        .filter(caricamento::stato.eq(Stato::Pronto.as_str()))
        .filter(caricamento::run.eq(run))
        .set((
            caricamento::stato.eq(Stato::DaPubblicare.as_str()),
            caricamento::confirmed_by.eq(Some(by)),
            caricamento::bytes_read.eq(0),
        ))
        .execute(connection)?;
    Ok(done > 0)
}

/// Gives the file up, with what was kept of it; what was published stays so. False if it is being published, or over.
pub fn withdraw(connection: &mut AnyConnection, id: i64, now_ms: i64) -> Result<bool, StoreError> {
    let from = [
        Stato::DaLeggere,
        Stato::Lettura,
        Stato::Colonne,
        Stato::Illeggibile,
        Stato::Pronto,
        Stato::DaPubblicare,
    ]
    .map(Stato::as_str);
    let to = (caricamento::stato.eq(Stato::Annullato.as_str()), caricamento::ended_ms.eq(Some(now_ms)));
    let done = diesel::update(caricamento::table.find(id))
        .filter(caricamento::stato.eq_any(from))
        .set(to)
        .execute(connection)?;
    // Nobody is at work on one whose publication was interrupted.
    let interrupted = diesel::update(caricamento::table.find(id))
        .filter(caricamento::stato.eq(Stato::Pubblicazione.as_str()))
        .filter(caricamento::beat_ms.lt(now_ms - SILENCE_MS))
        .set(to)
        .execute(connection)?;
    if done + interrupted > 0 {
        drop_parts(connection, id)?;
        drop_pages(connection, id)?;
    }
    Ok(done + interrupted > 0)
}

/// Puts a file whose run was interrupted back among those that wait. False if it goes on, or is over.
pub fn resume(connection: &mut AnyConnection, id: i64, now_ms: i64) -> Result<bool, StoreError> {
    let mut done = 0;
    for (from, to) in [(Stato::Lettura, Stato::DaLeggere), (Stato::Pubblicazione, Stato::DaPubblicare)] {
        done += diesel::update(caricamento::table.find(id))
            .filter(caricamento::stato.eq(from.as_str()))
            .filter(caricamento::beat_ms.lt(now_ms - SILENCE_MS))
            .set(caricamento::stato.eq(to.as_str()))
            .execute(connection)?;
    }
    Ok(done > 0)
}

/// Drops what is too old: files that did not arrive, files that nobody confirmed, reports.
pub fn sweep(connection: &mut AnyConnection, now_ms: i64) -> Result<(), StoreError> {
    let lost: Vec<i64> = caricamento::table
        .filter(caricamento::stato.eq(Stato::InArrivo.as_str()))
        .filter(caricamento::created_ms.lt(now_ms - ARRIVAL_MS))
        .select(caricamento::id)
        .load(connection)?;
    for id in lost {
        forget(connection, id)?;
    }
    let old: Vec<(i64, String, i64)> = caricamento::table
        .filter(caricamento::stato.eq_any(Stato::OPEN.map(Stato::as_str)))
        .filter(caricamento::created_ms.lt(now_ms - FILE_DAYS * DAY_MS))
        .select((caricamento::id, caricamento::stato, caricamento::beat_ms))
        .load(connection)?;
    for (id, stato, beat_ms) in old {
        let at_work = Stato::read(&stato).and_then(Stato::before_run).is_some();
        if at_work && beat_ms >= now_ms - SILENCE_MS {
            continue;
        }
        diesel::update(caricamento::table.find(id))
            .set((caricamento::stato.eq(Stato::Scaduto.as_str()), caricamento::ended_ms.eq(Some(now_ms))))
            .execute(connection)?;
        drop_parts(connection, id)?;
        drop_pages(connection, id)?;
    }
    let told: Vec<i64> = caricamento::table
        .filter(caricamento::ended_ms.lt(now_ms - REPORT_DAYS * DAY_MS))
        .filter(caricamento::stato.eq(Stato::Concluso.as_str()))
        .select(caricamento::id)
        .load(connection)?;
    for id in told {
        drop_pages(connection, id)?;
    }
    Ok(())
}
