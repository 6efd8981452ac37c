//! Who called, when, for which purpose, and what they were given: the register that an auditor reads.
//!
//! There is one log per e-service, and one for the calls outside any. An [`Entry`] says how one call was answered; the
//! [`Appender`] makes it durable before the answer leaves, numbers it without gaps, and counts the call against the
//! daily thresholds in the same transaction. The entries of a log are the leaves of a Merkle [`tree`], so that nobody,
//! not even the database's owner, changes or drops one unnoticed. [`progress`] says how far the pulls have come,
//! [`pulls`] which calls disclosed a flow, [`disclosed`] which flows a call disclosed, [`search`] finds entries again,
//! [`export`] writes them out.
//!
//! Not here: deciding what is answered. An entry never holds a payload or a token that could be used again.

pub mod action;
mod appender;
mod commit;
pub mod disclosed;
mod entry;
pub mod export;
mod head;
mod leaf;
mod progress;
pub mod prune;
pub mod pulls;
mod rows;
pub mod seal;
pub mod search;
mod thresholds;
pub mod tree;

pub use action::{Action, Actor};
pub use appender::Appender;
#[cfg(feature = "measure-log")]
pub use appender::DISCARD;
pub use commit::Appended;
pub use entry::{Caller, Disclosed, Entry, EsitiTaken, request_id};
pub use head::catch_up;
pub(crate) use leaf::hex;
pub use progress::{Progress, furthest, last_checkpoint, progress, sizes};
pub use thresholds::{Charge, EXCEEDED, Limits, Quota};
