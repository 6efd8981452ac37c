//! Verifications that staff started, in the database: whichever instance is asked tells how the last one stands.
//!
//! Whoever verifies shows again and again that it goes on; one that is silent was ended by the end of its process.

use diesel::prelude::*;

use super::verify::Report;
use crate::store::schema::verifica;
use crate::store::{AnyConnection, StoreError, each_backend};

/// After how long a silent verification has ended, in milliseconds.
pub const SILENCE_MS: i64 = 60_000;
/// How many are remembered.
const KEPT: i64 = 20;
/// How the table marks one that goes on.
const RUNNING: i16 = 1;
/// How the table marks one that does not.
const OVER: i16 = 0;

/// A verification.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// Name of the e-service; none: every log.
    pub eservice: Option<String>,
    /// Who started it.
    pub user: String,
    /// When, in milliseconds since the epoch.
    pub started_ms: i64,
    /// How many entries there were.
    pub entries: u64,
    /// How far it has come.
    pub stand: Stand,
}

/// How a verification stands.
#[derive(Clone, Debug)]
pub enum Stand {
    /// It goes on.
    Running {
        /// How many entries it has checked.
        checked: u64,
    },
    /// It came to its end.
    Ended {
        /// When, in milliseconds since the epoch.
        ms: i64,
        /// What it found.
        report: Box<Report>,
    },
    /// It ended early, and says nothing of the log.
    Interrupted,
}

/// What is to be verified, for whom.
#[derive(Clone, Debug)]
pub struct Task {
    /// Name of the e-service; none: every log.
    pub eservice: Option<String>,
    /// Who starts it.
    pub user: String,
    /// How many entries there are.
    pub entries: i64,
}

/// Takes note that `task` begins, and gives its number; none if another goes on. In a transaction.
pub fn begin(connection: &mut AnyConnection, task: &Task, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let silent = verifica::table
        .filter(verifica::in_corso.eq(RUNNING))
        .filter(verifica::beat_ms.le(now_ms.saturating_sub(SILENCE_MS)));
    diesel::update(silent)
        .set((verifica::in_corso.eq(OVER), verifica::ended_ms.eq(now_ms)))
        .execute(connection)?;
    let row = (
        verifica::eservice.eq(&task.eservice),
        verifica::started_by.eq(&task.user),
        verifica::started_ms.eq(now_ms),
        verifica::entries.eq(task.entries),
        verifica::checked.eq(0_i64),
        verifica::in_corso.eq(RUNNING),
        verifica::beat_ms.eq(now_ms),
    );
    // The tables hold one at most that goes on.
    let id: Option<i64> = each_backend!(connection, |inner| diesel::insert_into(verifica::table)
        .values(row)
        .on_conflict_do_nothing()
        .returning(verifica::id)
        .get_result(inner)
        .optional())?;
    if let Some(id) = id {
        diesel::delete(verifica::table.filter(verifica::id.le(id.saturating_sub(KEPT))))
            .execute(connection)?;
    }
    Ok(id)
}

/// Shows that it goes on. False if it has been taken for ended.
pub fn beat(connection: &mut AnyConnection, id: i64, checked: u64, now_ms: i64) -> Result<bool, StoreError> {
    let mine = verifica::table.filter(verifica::id.eq(id)).filter(verifica::in_corso.eq(RUNNING));
    let checked = i64::try_from(checked).unwrap_or(i64::MAX);
    let beaten = diesel::update(mine)
        .set((verifica::checked.eq(checked), verifica::beat_ms.eq(now_ms)))
        .execute(connection)?;
    Ok(beaten > 0)
}

/// Takes note of its end, with what it found if it came so far.
pub fn end(
    connection: &mut AnyConnection,
    id: i64,
    report: Option<&Report>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let text = report.map(serde_json::to_string).transpose().map_err(|error| unreadable(&error))?;
    diesel::update(verifica::table.filter(verifica::id.eq(id)).filter(verifica::in_corso.eq(RUNNING)))
        .set((verifica::in_corso.eq(OVER), verifica::ended_ms.eq(now_ms), verifica::report.eq(text)))
        .execute(connection)?;
    Ok(())
}

/// The last one, as it stands at `now_ms`.
pub fn last(connection: &mut AnyConnection, now_ms: i64) -> Result<Option<Run>, StoreError> {
    type Row = (i64, Option<String>, String, i64, i64, i64, i64, Option<i64>, Option<String>);
    let row: Option<Row> = verifica::table
        .order(verifica::id.desc())
        .select((
            verifica::id,
            verifica::eservice,
            verifica::started_by,
            verifica::started_ms,
            verifica::entries,
            verifica::checked,
            verifica::beat_ms,
            verifica::ended_ms,
            verifica::report,
        ))
        .first(connection)
        .optional()?;
    let Some((id, eservice, user, started_ms, entries, checked, beat_ms, ended_ms, report)) = row else {
        return Ok(None);
    };
    let stand = match (ended_ms, report) {
        (Some(ms), Some(report)) => Stand::Ended {
            ms,
            report: Box::new(serde_json::from_str(&report).map_err(|error| unreadable(&error))?),
        },
        (None, _) if now_ms.saturating_sub(beat_ms) < SILENCE_MS => {
            Stand::Running { checked: u64::try_from(checked).unwrap_or_default() }
        }
        _ => Stand::Interrupted,
    };
    let entries = u64::try_from(entries).unwrap_or_default();
    Ok(Some(Run { id, eservice, user, started_ms, entries, stand }))
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Unreadable(format!("the report of a verification: {error}"))
}
