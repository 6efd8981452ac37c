//! Vendors' software, which feeds benefits to the registry: with which keys, what it may ask for, what it is answered.
//!
//! Not here: HTTP, which is [`crate::api`]'s; what a valid record is, which [`crate::intake`] and [`crate::siuss`]
//! say; what becomes of it, which is the registry's matter.

mod answer;
pub mod keys;
mod replay;

use crate::clock::Clock;
use crate::intake::Taken;
use crate::registry::change::{self, Register};
use crate::registry::{Feed, RefusedInsertions};
use crate::siuss::described::Described;
use crate::siuss::notice::Rule;
use crate::siuss::record::{EnteErogatore, TipoOperazione};
use crate::siuss::rules::Severities;
use crate::store::{AnyConnection, StoreError};

pub use answer::{Answer, document};
pub use keys::ApiKey;
pub use replay::Idempotency;

use answer::Done;

/// The rules about what is asked for.
pub static RULES: &[&Rule] = &[&answer::CORRECTION];

/// Records of one request.
pub const MOST_RECORDS: usize = 1000;

/// On whose behalf something is asked for.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The key that was presented.
    pub key: ApiKey,
    /// Whose benefits they are: an ente that the key may act for.
    pub ente: EnteErogatore,
    /// What becomes of insertions that INPS refused.
    pub refused: RefusedInsertions,
    /// What the operator makes of the registry's rules.
    pub severities: Severities,
    /// What makes the request the same as an earlier one.
    pub idempotency: Option<Idempotency>,
}

/// What is asked for.
#[derive(Debug)]
pub enum Request {
    /// Registering records.
    Register(Vec<Taken>),
    /// Putting a record in the place of the benefit with this id, of which it may be another version, or which it may
    /// not be at all: person, code, protocol or first day were wrong.
    Correct {
        /// The registry's number of the benefit.
        id: i64,
        /// What is right.
        record: Box<Taken>,
    },
    /// Withdrawing the benefit with this id.
    Withdraw {
        /// The registry's number of the benefit.
        id: i64,
    },
    /// Publishing again what INPS refused of the benefit with this id.
    Resend {
        /// The registry's number of the benefit.
        id: i64,
    },
}

/// What comes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It was done or refused, record by record; now, or when the same request came first.
    Answered(Answer),
    /// There is no such benefit of the ente.
    NotFound,
    /// The idempotency key was used for another request.
    KeyReused,
}

/// Does what is asked for, within the caller's transaction: the benefits and the answer that is kept for a repetition
/// become durable together.
pub fn perform(
    connection: &mut AnyConnection,
    clock: &Clock,
    caller: &Caller,
    request: Request,
) -> Result<Outcome, StoreError> {
    let now_ms = clock.now_ms();
    if let Some(idempotency) = &caller.idempotency {
        match replay::find(connection, &caller.key, idempotency)? {
            replay::Earlier::None => {}
            replay::Earlier::Same(answer) => return Ok(Outcome::Answered(answer)),
            replay::Earlier::Other => return Ok(Outcome::KeyReused),
        }
    }
    let Caller { key, ente, refused, severities, .. } = caller;
    let feed = Feed { eservice: key.eservice, erogatore: ente, clock, refused: *refused, following: 0 };
    let answer = match request {
        Request::Register(mut taken) => {
            let parts: Vec<usize> = taken.iter().map(|taken| taken.records.len()).collect();
            let records: Vec<Described> =
                taken.iter_mut().flat_map(|taken| std::mem::take(&mut taken.records)).collect();
            let mut published = Register(&records).publish(connection, &feed)?.into_iter();
            let done: Vec<Done> = taken
                .into_iter()
                .zip(parts)
                .map(|(taken, parts)| Done::new(taken, published.by_ref().take(parts).collect(), severities))
                .collect();
            Answer::of_batch(&done)
        }
        Request::Correct { id, record } => {
            let mut taken = *record;
            if taken.records.iter().any(|record| record.operazione() == TipoOperazione::Cancellazione) {
                taken.notices.push(answer::withdrawal_in_correction());
            }
            let published = if taken.is_refused() {
                Vec::new()
            } else {
                let records = std::mem::take(&mut taken.records);
                match Register(&records).correct(connection, &feed, id)? {
                    Some(published) => published,
                    None => return Ok(Outcome::NotFound),
                }
            };
            Answer::of_one(&Done::new(taken, published, severities))
        }
        Request::Withdraw { id } => match change::withdraw(connection, &feed, id)? {
            Some(published) => Answer::of_one(&Done::new(Taken::empty(), vec![published], severities)),
            None => return Ok(Outcome::NotFound),
        },
        Request::Resend { id } => match change::resend(connection, &feed, id)? {
            Some(published) => Answer::of_one(&Done::new(Taken::empty(), vec![published], severities)),
            None => return Ok(Outcome::NotFound),
        },
    };
    if let Some(idempotency) = &caller.idempotency {
        replay::keep(connection, key, idempotency, &answer, now_ms)?;
    }
    Ok(Outcome::Answered(answer))
}
