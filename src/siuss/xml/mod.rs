//! Flows as XML: writing them in one canonical form, and reading them strictly.
//!
//! [`write`] gives the same bytes for the same flow, always. [`read`] takes one flow; [`Document`] takes what INPS's
//! web site takes, a file with many people and many benefits each, record by record and in bounded memory. Rules
//! beyond the schema are not applied here.

mod document;
mod limited;
mod parser;
mod well_formed;
mod writer;

pub use document::{Document, Item, read};
pub use parser::{Encoding, RULES};
pub use writer::write;

pub(crate) use writer::write_around;
pub(super) use writer::write_record;

/// The namespace of the flows.
pub const NAMESPACE: &str = "http://inps.it/Casellario";
