//! What was sent for which day, and whose turn it is to send: two tables that all instances share.
//!
//! Only the holder of a section's turn sends anything for it. That a file is about to be sent is written before it
//! is: whoever comes after a crash knows that it may have arrived, and asks PDND first.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::service::State;
use crate::store::schema::{tracing_day, tracing_turn};
use crate::store::{AnyConnection, Day, StoreError, each_backend};

/// How long a turn lasts unless it is renewed: longer than any call to PDND.
pub const TURN: SignedDuration = SignedDuration::from_mins(5);

/// The state of a day of which PDND has said nothing.
const OWED: &str = "OWED";

/// What is known of one day.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = tracing_day, primary_key(name, giorno), treat_none_as_null = true)]
#[diesel(treat_none_as_default_value = false)]
struct Row {
    name: String,
    giorno: i32,
    state: String,
    tracing_id: Option<String>,
    digest: Option<String>,
    sending: Option<String>,
    failures: i32,
    recoveries: i32,
    last_error: Option<String>,
    submitted_ms: Option<i64>,
    next_ms: i64,
}

/// What is known of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The day.
    pub day: Day,
    /// What PDND last said of it; none as long as it has said nothing.
    pub state: Option<State>,
    /// PDND's id of the day's tracing.
    pub tracing_id: Option<Uuid>,
    /// SHA-256 of the file that PDND has; none when there is none, or somebody else sent it.
    pub digest: Option<String>,
    /// SHA-256 of a file that was on its way when this was written, of which it is not known whether it arrived.
    pub sending: Option<String>,
    /// Attempts that failed since the last that succeeded.
    pub failures: i32,
    /// How often the daily job sent a file again that PDND had found wrong.
    pub recoveries: i32,
    /// Why the last attempt failed, or what PDND found in the file.
    pub last_error: Option<String>,
    /// When a file was last sent.
    pub submitted: Option<Timestamp>,
    /// Before this instant the daily job leaves the day alone.
    pub next: Timestamp,
}

impl Record {
    /// A day of which nothing is known.
    #[must_use]
    pub fn new(day: Day) -> Self {
        Self {
            day,
            state: None,
            tracing_id: None,
            digest: None,
            sending: None,
            failures: 0,
            recoveries: 0,
            last_error: None,
            submitted: None,
            next: Timestamp::UNIX_EPOCH,
        }
    }

    /// Whether the day is counted: nothing more is owed.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.state.is_some_and(State::is_accepted) && self.sending.is_none()
    }

    fn read(row: Row) -> Option<Self> {
        Some(Self {
            day: Day::from_number(row.giorno)?,
            state: State::parse(&row.state),
            tracing_id: row.tracing_id.and_then(|id| Uuid::try_parse(&id).ok()),
            digest: row.digest,
            sending: row.sending,
            failures: row.failures,
            recoveries: row.recoveries,
            last_error: row.last_error,
            submitted: row.submitted_ms.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
            next: Timestamp::from_millisecond(row.next_ms).unwrap_or_default(),
        })
    }

    fn row(&self, name: &str) -> Row {
        Row {
            name: name.to_owned(),
            giorno: self.day.number(),
            state: self.state.map_or(OWED, State::as_str).to_owned(),
            tracing_id: self.tracing_id.map(|id| id.to_string()),
            digest: self.digest.clone(),
            sending: self.sending.clone(),
            failures: self.failures,
            recoveries: self.recoveries,
            last_error: self.last_error.clone(),
            submitted_ms: self.submitted.map(Timestamp::as_millisecond),
            next_ms: self.next.as_millisecond(),
        }
    }
}

/// What is known of a day.
pub fn load(connection: &mut AnyConnection, name: &str, day: Day) -> Result<Record, StoreError> {
    let row: Option<Row> = tracing_day::table.find((name, day.number())).first(connection).optional()?;
    Ok(row.and_then(Record::read).unwrap_or_else(|| Record::new(day)))
}

/// What is known of the days from `first` on, in their order.
pub fn since(connection: &mut AnyConnection, name: &str, first: Day) -> Result<Vec<Record>, StoreError> {
    let rows: Vec<Row> = tracing_day::table
        .filter(tracing_day::name.eq(name))
        .filter(tracing_day::giorno.ge(first.number()))
        .order(tracing_day::giorno)
        .load(connection)?;
    Ok(rows.into_iter().filter_map(Record::read).collect())
}

/// The last day that PDND has counted, if there is one.
pub fn last_accepted(connection: &mut AnyConnection, name: &str) -> Result<Option<Day>, StoreError> {
    let accepted = [State::Completed, State::Warning].map(State::as_str);
    let giorno: Option<i32> = tracing_day::table
        .filter(tracing_day::name.eq(name))
        .filter(tracing_day::state.eq_any(accepted))
        .order(tracing_day::giorno.desc())
        .select(tracing_day::giorno)
        .first(connection)
        .optional()?;
    Ok(giorno.and_then(Day::from_number))
}

/// Keeps what is known of a day.
pub fn save(connection: &mut AnyConnection, name: &str, record: &Record) -> Result<(), StoreError> {
    let row = record.row(name);
    each_backend!(connection, |inner| diesel::insert_into(tracing_day::table)
        .values(&row)
        .on_conflict((tracing_day::name, tracing_day::giorno))
        .do_update()
        .set(&row)
        .execute(inner))?;
    Ok(())
}

/// The first day that the daily job answers for, if it was ever enabled.
pub fn first_day(connection: &mut AnyConnection, name: &str) -> Result<Option<Day>, StoreError> {
    let since: Option<Option<i32>> =
        tracing_turn::table.find(name).select(tracing_turn::since).first(connection).optional()?;
    Ok(since.flatten().and_then(Day::from_number))
}

/// Lets the daily job answer for `day` and what follows, unless it answers for earlier days already.
pub fn enable(connection: &mut AnyConnection, name: &str, day: Day) -> Result<(), StoreError> {
    register(connection, name)?;
    diesel::update(tracing_turn::table.find(name).filter(tracing_turn::since.is_null()))
        .set(tracing_turn::since.eq(day.number()))
        .execute(connection)?;
    Ok(())
}

/// Lets the daily job forget the days before `day`, which are all counted.
pub fn advance(connection: &mut AnyConnection, name: &str, day: Day) -> Result<(), StoreError> {
    diesel::update(tracing_turn::table.find(name).filter(tracing_turn::since.lt(day.number())))
        .set(tracing_turn::since.eq(day.number()))
        .execute(connection)?;
    Ok(())
}

/// Takes the turn of a section for `holder`, or renews it. Says whether it has it.
///
/// A turn that ends later than any that begins at `now` could was taken by a clock that was wrong: it is nobody's.
pub fn take_turn(
    connection: &mut AnyConnection,
    name: &str,
    holder: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    register(connection, name)?;
    let until = now.checked_add(TURN).unwrap_or(now).as_millisecond();
    let free = tracing_turn::holder
        .is_null()
        .or(tracing_turn::holder.eq(holder))
        .or(tracing_turn::until_ms.lt(now.as_millisecond()))
        .or(tracing_turn::until_ms.gt(until));
    let taken = diesel::update(tracing_turn::table.find(name).filter(free.assume_not_null()))
        .set((tracing_turn::holder.eq(holder), tracing_turn::until_ms.eq(until)))
        .execute(connection)?;
    Ok(taken == 1)
}

/// Gives the turn back.
pub fn end_turn(connection: &mut AnyConnection, name: &str, holder: &str) -> Result<(), StoreError> {
    diesel::update(tracing_turn::table.find(name).filter(tracing_turn::holder.eq(holder)))
        .set(tracing_turn::holder.eq(None::<String>))
        .execute(connection)?;
    Ok(())
}

fn register(connection: &mut AnyConnection, name: &str) -> Result<(), StoreError> {
    let row = (tracing_turn::name.eq(name), tracing_turn::until_ms.eq(0));
    each_backend!(connection, |inner| diesel::insert_into(tracing_turn::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(())
}
