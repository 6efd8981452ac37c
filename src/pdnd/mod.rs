//! What is asked of PDND: the daily count of calls that every member owes it (tracing).
//!
//! | module | what it holds |
//! |---|---|
//! | [`count`] | the count of one day, from the call log, and its file |
//!
//! Not here: the keys with which PDND signs vouchers (they are `voucher::keys`), and who may call.

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
