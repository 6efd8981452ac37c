//! What INPS sees: the public listener, with the three operations of the contract and the contract itself; and, on an
//! address of their own, the health checks of the deployment and what vendors' software asks for ([`prestazioni`]).
//!
//! [`server`] starts and stops it all. A call goes through [`call`], which gives it an id, turns it
//! away if its address has had too many ([`limit`]), routes it ([`route`]), lets
//! the endpoint answer (one file each: [`flussi`], [`esiti`], [`status`], [`openapi`]), and writes the call log before
//! the answer leaves. Errors are in one table, [`problem`]. What an endpoint does is done by the rooms that own it:
//! nothing is decided here but the form of the answer.

mod body;
mod call;
mod client;
mod esiti;
mod flussi;
mod health;
mod limit;
pub mod openapi;
pub mod outcomes;
mod prestazioni;
pub mod problem;
pub mod query;
mod route;
pub mod server;
mod status;
mod tls;
mod unread;
