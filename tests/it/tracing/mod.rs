//! The daily count of calls for PDND: what is counted, and how it is sent.

mod count;
mod fake;
mod job;
mod judge;
mod page;
mod settings;
mod submit;
