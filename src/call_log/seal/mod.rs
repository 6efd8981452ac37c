//! What makes a log provable to somebody who does not trust its database: checkpoints that are signed and kept
//! elsewhere, verification, and proofs.
//!
//! - [`note`]: texts with signatures, and the keys that make and check them;
//! - [`checkpoint`]: what is signed of a log; [`writer`]: where it is written; [`schedule`]: when;
//! - [`verify`]: one log beside its checkpoints, leaf by leaf ([`pieces`]), whether they come from the database
//!   ([`stored`]) or from an export ([`exported`]);
//! - [`period`]: what stands in an export for what it leaves out;
//! - [`runs`]: verifications that staff started, and how they stand;
//! - [`proof`]: one entry beside one checkpoint.
//!
//! The tree itself is in [`tree`](super::tree), what its leaves say in `leaf`.

pub mod checkpoint;
pub mod exported;
pub mod note;
pub mod period;
pub mod pieces;
pub mod proof;
pub mod runs;
pub mod schedule;
pub mod stored;
pub mod verify;
pub mod writer;
