//! The product from outside: HTTP, command line, database files, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    reason = "tests say what they expect by panicking, and have no public face"
)]

mod actions;
mod ahead;
mod anni;
mod api;
mod append_only;
mod ats;
mod audit;
mod backup;
mod bench_check;
mod benefits;
mod browser;
mod call_log;
mod caricamenti;
mod codes;
mod config_example;
mod config_folder;
mod config_init;
mod conformance;
mod console;
mod cruscotto;
mod delivery;
mod demo;
mod doctor;
mod down;
mod esiti;
mod fuzzing;
mod gap;
mod guida;
mod guidata;
mod import;
mod indirizzi;
mod iniezioni;
mod inps;
mod installation;
mod json;
mod limits;
mod links;
mod many;
mod metrics;
mod moduli;
mod overload;
mod pagine;
mod payload;
mod prestazioni;
mod privacy;
mod pulls;
mod registro;
mod registry;
mod reload;
mod replica;
mod retention;
mod rifiuti;
mod roles;
mod rules;
mod seal;
mod search;
mod sequencer_model;
mod serving;
mod siuss;
mod store;
mod story;
mod support;
mod telemetry;
mod threats;
mod tracing;
mod transport;
mod tree;
mod upkeep;
mod users;
mod vendor;
mod verdicts;
mod voucher;
mod voucher_cli;
mod voucher_corpus;
mod voucher_issue;
mod voucher_keys;
mod voucher_live;
