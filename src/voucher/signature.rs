//! The issuer's public keys as verifiers, and the one place where a signature is verified.
//!
//! josekit verifies, with RS256 pinned by the verifier's type; it reads neither tokens, nor claims, nor key sets.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use josekit::jws::alg::rsassa::RsassaJwsVerifier;
use josekit::jws::{JwsVerifier, RS256};
use openssl::bn::BigNum;
use openssl::pkey::Public;
use openssl::rsa::Rsa;
use serde_json::{Map, Value};

use super::token::Token;

/// How many keys of a set are looked at: PDND publishes a handful.
const MAX_KEYS: usize = 64;

/// A key of the issuer.
#[derive(Clone, Debug)]
pub(super) struct Key(Arc<RsassaJwsVerifier>);

impl Key {
    /// Whether the signature of `token` is this key's.
    pub(super) fn verifies(&self, token: &Token<'_>) -> bool {
        self.0.verify(token.signed(), token.signature()).is_ok()
    }
}

/// A set of keys by their `kid`, read once and never changed.
#[derive(Debug, Default)]
pub(super) struct Jwks(HashMap<String, Key>);

impl Jwks {
    /// Reads a JWKS key by key: one that is malformed, weak, or for another use does not spoil the others. `None` when
    /// no usable key is left.
    pub(super) fn parse(json: &str) -> Option<Self> {
        let document: Map<String, Value> = serde_json::from_str(json).ok()?;
        let mut keys = HashMap::new();
        for jwk in document.get("keys")?.as_array()?.iter().take(MAX_KEYS) {
            if let Some((kid, key)) = usable(jwk) {
                keys.entry(kid).or_insert(key);
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    pub(super) fn get(&self, kid: &str) -> Option<Key> {
        self.0.get(kid).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

fn usable(jwk: &Value) -> Option<(String, Key)> {
    let is = |name: &str, expected: &str| jwk.get(name).is_none_or(|value| value == expected);
    let may_verify = jwk.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    if jwk.get("kty")? != "RSA" || !is("use", "sig") || !is("alg", "RS256") || !may_verify {
        return None;
    }
    let kid = jwk.get("kid")?.as_str()?.to_owned();
    let der = public_key(jwk)?.public_key_to_der().ok()?;
    let verifier = RS256.verifier_from_der(der).ok()?;
    Some((kid, Key(Arc::new(verifier))))
}

/// The RSA key of a JWK, if it is of a sane size: below 2048 bits it can be broken, above 8192 it is a burden; an
/// exponent that is even or 1 verifies anything or nothing.
fn public_key(jwk: &Value) -> Option<Rsa<Public>> {
    let number = |name: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()?;
        BigNum::from_slice(&bytes).ok()
    };
    let (modulus, exponent) = (number("n")?, number("e")?);
    let sane = (2048..=8192).contains(&modulus.num_bits())
        && (2..=64).contains(&exponent.num_bits())
        && exponent.is_bit_set(0);
    if sane { Rsa::from_public_components(modulus, exponent).ok() } else { None }
}
