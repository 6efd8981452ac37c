//! The language of the flows: what a benefit is, how it is written, and which rules it obeys.
//!
//! Pure: no files, no clock, no database; and it knows no other room. [`element`] is a record as its source gave it,
//! [`record`] the typed one, [`described`] that one with what it is known by, [`xml`] its form on the wire, [`rules`]
//! what INPS asks beyond the schema, [`split`] the division by calendar year, [`quote`] that of totals into months,
//! [`pseudonym`] what a child is called instead of by name, [`notice`] how a refusal is worded.

mod attributes;
pub mod codes;
pub mod codice_fiscale;
pub mod described;
pub mod element;
pub mod fields;
pub mod nome;
pub mod notice;
pub mod pseudonym;
pub mod quote;
pub mod record;
pub mod rules;
pub mod split;
pub mod tables;
pub mod values;
pub mod xml;
