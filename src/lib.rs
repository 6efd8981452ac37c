//! `waas-comuni`: the e-service *WaaS.Comuni* of an Italian municipality.
//!
//! The rooms, from the inside out; each knows those above it, and none below:
//!
//! | room | what happens there |
//! |---|---|
//! | [`siuss`] | the language of the flows: typed records, rules, XML. Pure |
//! | [`clock`], [`config`], [`current`], [`telemetry`] | time, settings, what is in force of them, logs |
//! | [`payload`], `json`, `spreadsheet` | what is stored of a flow's XML; JSON that says nothing twice; cells that are no formula |
//! | [`store`] | the two databases behind one door |
//! | [`intake`] | reads what people have into records, and reports what it refuses |
//! | [`voucher`] | who is calling |
//! | [`registry`] | the benefits, the feed of flows, the outcomes |
//! | [`call_log`] | what callers did, and their thresholds |
//! | [`pdnd`] | what is asked of PDND: the daily count of calls that its members send |
//! | [`codes`], [`catalogue`] | the official tables that were loaded; every rule of every room |
//! | [`import`] | the way of a benefit: from a file to the feed |
//! | [`caricamenti`] | files that staff load: kept, previewed, published in the background |
//! | [`retention`] | dropping what was kept long enough |
//! | [`vendor`] | vendors' software: its keys, what it asks for, what it is answered |
//! | [`staff`] | the ente's own people: accounts, passwords, sessions |
//! | [`api`] | what INPS sees, and vendors' software |
//! | [`upkeep`] | the database as a whole |
//! | [`console`] | what the ente's own people see: pages in the browser |
//! | [`doctor`] | what is wrong with a deployment |
//! | [`demo`] | the things of the demonstration |
//! | [`inps`] | plays INPS against any service that speaks the contract |
//! | [`cli`] | one file per command |

pub mod api;
pub mod call_log;
pub mod caricamenti;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod console;
pub mod current;
pub mod demo;
pub mod doctor;
pub mod import;
pub mod inps;
pub mod intake;
mod json;
pub mod payload;
pub mod pdnd;
pub mod registry;
pub mod retention;
pub mod siuss;
mod spreadsheet;
pub mod staff;
pub mod store;
pub mod telemetry;
pub mod upkeep;
pub mod vendor;
pub mod voucher;
