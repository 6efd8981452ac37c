//! The database as a whole: what it holds.
//!
//! Not here: how its tables change, which is the store's matter, and what their rows mean.

mod contents;

pub use contents::{Contents, Engine, EserviceContents};
