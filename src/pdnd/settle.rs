//! What is done for one day, given what PDND says of it: its file is sent, sent again, or left alone.
//!
//! PDND is always asked before anything is sent, so that a file whose sending was cut off is never sent a second time.
//! The daily job and `tracing submit` both come here; when and how often they do is theirs to decide.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::count::{Count, CountError, count};
use super::error::PdndError;
use super::ledger::{self, Record};
use super::service::{Known, Service, State, Taken};
use crate::clock::Clock;
use crate::store::{Day, EserviceId, Store, StoreError};

/// How long after its end a day is counted. The entry of a call may become durable some seconds after the call
/// arrived, and those of an outage after that.
pub const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Why a day could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The day cannot be counted.
    #[error(transparent)]
    Count(CountError),
    /// PDND.
    #[error(transparent)]
    Pdnd(#[from] PdndError),
    /// The day is not over, or was until a moment ago.
    #[error("{day} cannot be sent before {from}: calls may still be missing from its count")]
    Early {
        /// The day.
        day: Day,
        /// When it can be, in UTC.
        from: Timestamp,
    },
    /// Somebody else is sending.
    #[error("another instance or command is sending the files of this section: try again in some minutes")]
    Busy,
}

impl From<CountError> for SettleError {
    fn from(error: CountError) -> Self {
        match error {
            CountError::Store(error) => Self::Store(error),
            other => Self::Count(other),
        }
    }
}

impl SettleError {
    /// Whether trying again later may help without anybody mending anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.is_unavailable(),
            Self::Pdnd(error) => error.is_passing(),
            Self::Busy => true,
            Self::Count(_) | Self::Early { .. } => false,
        }
    }
}

/// What may be done beyond sending a file that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By the daily job: a file that PDND finds wrong is sent again once, or when the count has changed.
    Daily,
    /// By a person: a file that PDND finds wrong is sent again.
    Submit,
    /// By a person who wants the file of a counted day replaced, if the count has changed.
    Replace,
}

/// What became of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// A file was sent, and PDND is looking at it.
    Sent(How, Taken),
    /// PDND is looking at a file that was sent before.
    Waiting,
    /// PDND has counted the day, with this very file.
    Accepted(State),
    /// PDND has counted the day, with a file of which it is known that it differs (`true`), or not known whether.
    AcceptedOther(State, bool),
    /// PDND finds the file wrong, and the same one was sent already: sending it again would not help.
    LeftInError(Uuid),
}

/// How a file was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As the first of its day.
    Submitted,
    /// In place of one in error, or late.
    Recovered,
    /// In place of one that was counted.
    Replaced,
}

/// The day's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Send(How, Option<Uuid>),
    Rest,
}

/// Sends the files of one section.
pub struct Settler {
    /// Name of the section.
    pub name: String,
    /// Names of its e-services.
    pub eservices: Vec<String>,
    /// Days that the call log keeps.
    pub retention_days: u32,
    /// Who sends, in the ledger.
    pub holder: String,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// PDND.
    pub service: Service,
}

impl Settler {
    /// Takes or renews the section's turn.
    pub fn take_turn(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.store.write(|connection| ledger::take_turn(connection, &self.name, &self.holder, now))
    }

    /// Gives the turn back. Where that fails, the turn ends by itself.
    pub fn end_turn(&self) {
        let ended = self.store.write(|connection| ledger::end_turn(connection, &self.name, &self.holder));
        if let Err(error) = ended {
            tracing::warn!(section = self.name, %error, "the turn to send cannot be given back");
        }
    }

    /// Does what is to be done for `day`, of which PDND knows what `known` says. Needs the section's turn.
    pub fn settle(
        &self,
        day: Day,
        known: &BTreeMap<Day, Known>,
        asked: Asked,
    ) -> Result<Settled, SettleError> {
        self.require_over(day)?;
        match self.once(day, known.get(&day).copied(), asked) {
            // Another file came between the question and this one.
            Err(SettleError::Pdnd(PdndError::AlreadyExists)) => {
                let known = self.service.days(&[])?;
                self.once(day, known.get(&day).copied(), asked)
            }
            other => other,
        }
    }

    /// The count of `day` as the log has it.
    pub fn count(&self, day: Day) -> Result<Count, CountError> {
        counted(&self.store, &self.eservices, day, self.clock.now(), self.retention_days)
            .map(|(count, _)| count)
    }

    fn require_over(&self, day: Day) -> Result<(), SettleError> {
        let from = ready(day).ok_or(CountError::Future(day))?;
        if self.clock.now() < from { Err(SettleError::Early { day, from }) } else { Ok(()) }
    }

    fn once(&self, day: Day, known: Option<Known>, asked: Asked) -> Result<Settled, SettleError> {
        let mut record = self.store.read(|connection| ledger::load(connection, &self.name, day))?;
        learn(&mut record, known);
        self.save(&record)?;
        if record.state == Some(State::Pending) {
            return Ok(Settled::Waiting);
        }
        let file = match self.count(day) {
            // The entries are gone, and nothing needs them any more.
            Err(CountError::Removed { .. }) if record.is_accepted() && asked != Asked::Replace => None,
            other => Some(other?),
        };
        let digest = file.as_ref().map(Count::digest);
        let same = record.digest.is_some() && (record.digest == digest || digest.is_none());
        match (next_step(&record, same, asked), file) {
            (Step::Send(how, id), Some(file)) => {
                let taken = self.send(record, how, id, &file)?;
                Ok(Settled::Sent(how, taken))
            }
            _ => Ok(match (record.state, record.tracing_id) {
                (Some(state), _) if state.is_accepted() && same => Settled::Accepted(state),
                (Some(state), _) if state.is_accepted() => {
                    Settled::AcceptedOther(state, record.digest.is_some())
                }
                (_, Some(id)) => Settled::LeftInError(id),
                (_, None) => Settled::Waiting,
            }),
        }
    }

    /// Sends `file`, having written down that it is about to be sent, while it is this holder's turn.
    fn send(
        &self,
        mut record: Record,
        how: How,
        id: Option<Uuid>,
        file: &Count,
    ) -> Result<Taken, SettleError> {
        let before = record.sending.clone();
        let now = self.clock.now();
        record.sending = Some(file.digest());
        record.submitted = Some(now);
        let mine = self.store.write(|connection| {
            let mine = ledger::take_turn(connection, &self.name, &self.holder, now)?;
            if mine {
                ledger::save(connection, &self.name, &record)?;
            }
            Ok(mine)
        })?;
        if !mine {
            return Err(SettleError::Busy);
        }
        let csv = file.csv();
        let sent = match (how, id) {
            (How::Recovered, Some(id)) => self.service.recover(id, &csv),
            (How::Replaced, Some(id)) => self.service.replace(id, &csv),
            _ => self.service.submit(record.day, &csv),
        };
        match sent {
            Ok(taken) => {
                if how == How::Recovered && record.state == Some(State::Error) {
                    record.recoveries = record.recoveries.saturating_add(1);
                }
                record.tracing_id = taken.id.or(id);
                record.state = Some(State::Pending);
                record.digest = record.sending.take();
                record.failures = 0;
                record.last_error = None;
                self.save(&record)?;
                tracing::info!(
                    section = self.name, day = %record.day, ?how, calls = file.calls(),
                    "the count of a day was sent to PDND"
                );
                if taken.others_in_error {
                    tracing::warn!(
                        section = self.name,
                        "PDND says that other days are in error: see `tracing status`"
                    );
                }
                Ok(taken)
            }
            Err(error) => {
                if !error.is_doubtful() {
                    record.sending = before;
                    self.save(&record)?;
                }
                Err(error.into())
            }
        }
    }

    /// Writes down why an attempt failed, and when the next is due.
    pub fn failed(&self, day: Day, reason: &str, next: Timestamp) -> Result<(), StoreError> {
        self.store.write(|connection| {
            let mut record = ledger::load(connection, &self.name, day)?;
            record.failures = record.failures.saturating_add(1);
            record.last_error = Some(reason.chars().take(LONGEST_REASON).collect());
            record.next = next;
            ledger::save(connection, &self.name, &record)
        })
    }

    /// Writes down when the next look at a day is due, and what there is to say of it.
    pub fn later(&self, day: Day, note: Option<&str>, next: Timestamp) -> Result<(), StoreError> {
        self.store.write(|connection| {
            let mut record = ledger::load(connection, &self.name, day)?;
            record.failures = 0;
            record.last_error = note.map(|note| note.chars().take(LONGEST_REASON).collect());
            record.next = next;
            ledger::save(connection, &self.name, &record)
        })
    }

    fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.store.write(|connection| ledger::save(connection, &self.name, record))
    }
}

/// When the count of `day` may be sent.
#[must_use]
pub fn ready(day: Day) -> Option<Timestamp> {
    day.end().and_then(|end| end.checked_add(MARGIN).ok())
}

/// Until when PDND takes the count of `day`: 23:50 of the next day.
#[must_use]
pub fn deadline(day: Day) -> Option<Timestamp> {
    day.next()?.at(23, 50)
}

/// The count of `day` as the log has it, and those of the e-services that the database does not know: they have had
/// no call.
pub fn counted(
    store: &Store,
    eservices: &[String],
    day: Day,
    now: Timestamp,
    retention_days: u32,
) -> Result<(Count, Vec<String>), CountError> {
    let mut known: Vec<(String, EserviceId)> = Vec::with_capacity(eservices.len());
    let mut unknown = Vec::new();
    for name in eservices {
        match store.find_eservice(name)? {
            Some(id) => known.push((name.clone(), id)),
            None => unknown.push(name.clone()),
        }
    }
    let count = store.read(|connection| Ok(count(connection, &known, day, now, retention_days)))??;
    Ok((count, unknown))
}

/// Takes over what PDND says of a day, and concludes what became of a file whose sending was cut off.
pub(super) fn learn(record: &mut Record, known: Option<Known>) {
    let state = known.map(|known| known.state);
    if let Some(sending) = record.sending.take() {
        let was_accepted = record.state.is_some_and(State::is_accepted);
        match state {
            Some(State::Pending) => record.digest = Some(sending),
            Some(State::Completed | State::Warning) if !was_accepted => record.digest = Some(sending),
            // Of two files one was counted.
            Some(State::Completed | State::Warning) => record.digest = None,
            Some(State::Error | State::Missing) | None => {}
        }
    }
    record.state = state;
    record.tracing_id = known.map(|known| known.id);
}

fn next_step(record: &Record, same: bool, asked: Asked) -> Step {
    match record.state {
        None => Step::Send(How::Submitted, None),
        Some(State::Missing) => Step::Send(How::Recovered, record.tracing_id),
        Some(State::Error) if asked != Asked::Daily || record.recoveries == 0 || !same => {
            Step::Send(How::Recovered, record.tracing_id)
        }
        Some(State::Completed | State::Warning) if asked == Asked::Replace && !same => {
            Step::Send(How::Replaced, record.tracing_id)
        }
        Some(State::Pending | State::Error | State::Completed | State::Warning) => Step::Rest,
    }
}
