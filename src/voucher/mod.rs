//! Who is calling: whether the voucher that came with a call is PDND's, valid, and meant for this e-service.
//!
//! | module | what it holds |
//! |---|---|
//! | [`verify`] | the [`Verifier`] of one e-service: lets a call in, or explains check by check |
//! | [`refusal`] | [`Check`], the stable codes; [`VoucherRefusal`], what the caller and the call log are told |
//! | [`claims`] | the claims of a voucher as types, each rule explicit; the verified [`Voucher`] |
//! | [`keys`] | the issuer's public keys: fetched, refreshed, kept across outages and restarts |
//! | [`dpop`] | the proofs that come with vouchers that are bound to a key |
//! | [`evidence`] | what a consumer says of the person for whom it calls (`AUDIT_REST_02`) |
//! | [`issuer`] | a local issuer, for tests and demonstrations |
//! | [`forge`] | what such an issuer is asked for beyond honest vouchers: other algorithms, proofs, evidence |
//!
//! Of the private ones, `credentials` finds the token in what came with the call, `token` reads the compact form
//! strictly, `rules` is the ordered list of what header and claims must satisfy, and `signature` turns JWKs into
//! verifiers: there josekit verifies signatures, with the algorithm pinned, and nothing else. Nothing here knows HTTP
//! types or what a verified caller may ask, and the database holds nothing of it but the last good keys.

pub mod claims;
mod credentials;
pub mod dpop;
pub mod evidence;
pub mod forge;
pub mod issuer;
pub mod keys;
pub mod refusal;
mod rules;
mod signature;
mod token;
pub mod verify;

pub use claims::{ClaimsRead, Digest, Voucher};
pub use credentials::Credentials;
pub use dpop::Dpop;
pub use evidence::Evidence;
pub use refusal::{Check, VoucherRefusal};
pub use verify::Verifier;
