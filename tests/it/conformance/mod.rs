//! Proof that the product says what the official documents say, with libxml2 and INPS's own files as judges.
//!
//! INPS's files are not part of this repository: where a copy stands beside it, they are the judge; elsewhere the
//! project's own `specs/` is, and what is known of each mutation.
//!
//! `facts` states the two documents, `arbitrary` makes valid ones, `mutation` breaks them, `dom` writes them down.

mod arbitrary;
mod corpus;
mod coverage;
mod dom;
mod facts;
mod mutation;
mod openapi;
pub(crate) mod plausible;
pub(crate) mod random;
mod verdicts;
mod writer;
