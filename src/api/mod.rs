//! What INPS sees: the public listener, with the three operations of the contract and the contract itself; and, on an
//! address of their own, the health checks of the deployment and what vendors' software asks for ([`prestazioni`]).
//!
//! [`server`] starts and stops it all; [`reload`] takes over another configuration meanwhile. A call comes to
//! [`public`], which turns it away if its address has had too many refused ([`limit`]), routes it ([`route`]), and lets
//! the endpoint answer (one file each: [`flussi`], [`esiti`], [`status`], [`openapi`]); [`call`] gives it an id and
//! writes the call log before the answer leaves. What the calls share is in [`service`]. Errors are in one table,
//! [`problem`]. What an endpoint does is done by the rooms that own it: nothing is decided here but the form of the
//! answer.

mod admission;
mod ahead;
mod body;
mod call;
pub(crate) mod client;
mod delivery;
mod esiti;
mod flussi;
mod health;
mod jobs;
mod limit;
mod metrics;
pub mod openapi;
pub mod outcomes;
mod page;
mod prepare;
mod prestazioni;
pub mod problem;
mod public;
pub mod query;
pub mod reload;
mod route;
pub mod server;
mod service;
mod status;
mod tls;
mod unread;
