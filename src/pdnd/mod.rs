//! What is asked of PDND: the daily count of calls that every member owes it (tracing).
//!
//! | module | what it holds |
//! |---|---|
//! | [`count`] | the count of one day, from the call log, and its file |
//! | [`settle`] | what is done for one day, given what PDND says of it |
//! | [`daily`] | the job in `serve` that does it every day |
//! | [`report`] | how the days stand, and what there is to do |
//! | [`ledger`] | what was sent for which day, and whose turn it is to send: shared by all instances |
//! | [`service`] | PDND's tracing service, as types |
//! | [`token`] | the M2M voucher that it asks for |
//! | [`member`] | from a section of the configuration to what sends its files |
//! | [`error`] | why PDND does not do what is asked of it |
//!
//! Of the private ones, `http` is one bounded call. Not here: the keys with which PDND signs vouchers (they are
//! `voucher::keys`), and who may call.

pub mod count;
pub mod daily;
pub mod error;
mod http;
pub mod ledger;
pub mod member;
pub mod report;
pub mod service;
pub mod settle;
pub mod token;
