//! The database as a whole: what it holds, copies of it, and bringing one back.
//!
//! A backup is made while the service runs, of one instant, and is not there under its name until it has been
//! examined. Beside it stands a [`Manifest`], by which a restore recognises it whole. A restore ends with what makes
//! the feed safe for those who have pulled from it since ([`Resumed`]).
//!
//! Not here: how tables change, which is the store's matter, and what their rows mean.

mod backup;
mod contents;
mod digest;
mod error;
mod manifest;
mod postgres;
mod restore;
mod resume;
mod sqlite;
mod verify;

pub use backup::backup;
pub use contents::{Contents, Engine, EserviceContents};
pub use error::UpkeepError;
pub use manifest::Manifest;
pub use restore::{Restored, restore, resume_in_place};
pub use resume::{Known, Resumed};
