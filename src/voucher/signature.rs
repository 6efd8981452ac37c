//! Public keys as verifiers, and the one place where a signature is verified.
//!
//! josekit verifies, with the algorithm pinned by the verifier's type; it reads neither tokens, nor claims, nor key
//! sets.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use josekit::jws::{ES256, JwsVerifier, RS256};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use serde_json::{Map, Value};

use super::token::Token;

/// How many keys of a set are looked at: PDND publishes a handful.
const MAX_KEYS: usize = 64;

/// How many tokens a key remembers, by 32 bytes each.
const REMEMBERED: usize = 256;

/// A public key that verifies with one algorithm.
#[derive(Clone, Debug)]
pub(super) struct Key {
    verifier: Arc<dyn JwsVerifier>,
    /// The SHA-256 of whole tokens whose signature is this key's. It ends with the key, which each fetch of a key set
    /// makes anew.
    signed: Arc<Mutex<HashSet<[u8; 32]>>>,
}

impl Key {
    /// The RSA key of a JWK, for RS256.
    pub(super) fn rs256(jwk: &Value) -> Option<Self> {
        let der = rsa_key(jwk)?.public_key_to_der().ok()?;
        Some(Self::of(RS256.verifier_from_der(der).ok()?))
    }

    /// The P-256 key of a JWK, for ES256.
    pub(super) fn es256(jwk: &Value) -> Option<Self> {
        let coordinate = |name: &str| bytes(jwk, name).filter(|bytes| bytes.len() == 32);
        if jwk.get("kty")? != "EC" || jwk.get("crv")? != "P-256" {
            return None;
        }
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
        let (x, y) =
            (BigNum::from_slice(&coordinate("x")?).ok()?, BigNum::from_slice(&coordinate("y")?).ok()?);
        let key =
            EcKey::from_public_key_affine_coordinates(&group, &x, &y).and_then(PKey::from_ec_key).ok()?;
        Some(Self::of(ES256.verifier_from_der(key.public_key_to_der().ok()?).ok()?))
    }

    fn of(verifier: impl JwsVerifier + 'static) -> Self {
        Self { verifier: Arc::new(verifier), signed: Arc::default() }
    }

    /// Whether the signature of `token` is this key's.
    pub(super) fn verifies(&self, token: &Token<'_>) -> bool {
        self.verifier.verify(token.signed(), token.signature()).is_ok()
    }

    /// The same, of a token that may come again: one that was verified is known by its hash. Nothing but the signature
    /// is remembered.
    pub(super) fn verifies_again(&self, token: &Token<'_>) -> bool {
        let hash = sha256(token.text());
        let signed = || self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if signed().contains(&hash) {
            return true;
        }
        let verified = self.verifies(token);
        if verified {
            let mut signed = signed();
            if signed.len() >= REMEMBERED {
                signed.clear();
            }
            signed.insert(hash);
        }
        verified
    }
}

/// The thumbprint of a public key (RFC 7638), and the names of the members that make it up.
pub(super) fn thumbprint(jwk: &Value) -> Option<(String, &'static [&'static str])> {
    // The order of the names is the RFC's; the text of each is base64url or a name, so that nothing needs escaping.
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        _ => return None,
    };
    let member = |name: &&str| Some(format!(r#""{name}":"{}""#, jwk.get(*name)?.as_str()?));
    let members = names.iter().map(member).collect::<Option<Vec<_>>>()?.join(",");
    Some((BASE64_URL_SAFE_NO_PAD.encode(sha256(format!("{{{members}}}").as_bytes())), names))
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
    if !is("use", "sig") || !is("alg", "RS256") || !may_verify {
        return None;
    }
    Some((jwk.get("kid")?.as_str()?.to_owned(), Key::rs256(jwk)?))
}

/// The RSA key of a JWK, if it is of a sane size: below 2048 bits it can be broken, above 8192 it is a burden; an
/// exponent that is even or 1 verifies anything or nothing.
fn rsa_key(jwk: &Value) -> Option<Rsa<Public>> {
    let number = |name: &str| BigNum::from_slice(&bytes(jwk, name)?).ok();
    if jwk.get("kty")? != "RSA" {
        return None;
    }
    let (modulus, exponent) = (number("n")?, number("e")?);
    let sane = (2048..=8192).contains(&modulus.num_bits())
        && (2..=64).contains(&exponent.num_bits())
        && exponent.is_bit_set(0);
    if sane { Rsa::from_public_components(modulus, exponent).ok() } else { None }
}

fn bytes(jwk: &Value, name: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
