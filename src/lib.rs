//! `waas-comuni`: the e-service *WaaS.Comuni* of an Italian municipality.

pub mod call_log;
pub mod cli;
pub mod clock;
pub mod config;
pub mod registry;
pub mod intake;
pub mod siuss;
pub mod store;
pub mod voucher;
