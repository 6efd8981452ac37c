//! The compact form of a JWS, read strictly. What the members mean is not judged here.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The longest token that is looked at, in bytes: PDND's vouchers are about 1,200.
pub(super) const MAX_LENGTH: usize = 8192;

/// Header, payload and signature, of which nothing is trusted yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) payload: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads `header.payload.signature`; `name` is what the token is called in the reason of a failure, in Italian.
    pub(super) fn parse(name: &str, text: &'a str) -> Result<Self, String> {
        let malformed = || format!("{name} non è un JWT firmato: servono tre parti separate da punti");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        if payload.contains('.') {
            return Err(malformed());
        }
        let bytes = |part: &str, of: &str| {
            let reason = |_| format!("{name} è illeggibile: {of} non è in base64url senza riempimento");
            BASE64_URL_SAFE_NO_PAD.decode(part).map_err(reason)
        };
        let members = |part: &str, of: &str| {
            object(&bytes(part, of)?).map_err(|reason| format!("{name} è illeggibile: {of} {reason}"))
        };
        Ok(Self {
            header: members(header, "l'intestazione")?,
            payload: members(payload, "il contenuto")?,
            signed,
            signature: bytes(signature, "la firma")?,
        })
    }

    /// The bytes that were signed.
    pub(super) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The signature over [`Token::signed`].
    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Which key is said to have signed: a short printable string, as every issuer's key ids are.
    pub(super) fn kid(&self) -> Option<&str> {
        let kid = self.header.get("kid")?.as_str()?;
        ((1..=128).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())).then_some(kid)
    }
}

/// Reads a JSON object no member of which, at any depth, is repeated: two readers may disagree on which of the two
/// counts.
fn object(json: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let object = serde_json::from_slice(json).map_err(|_| "non è un oggetto JSON")?;
    serde_json::from_slice::<Distinct>(json).map_err(|_| "ripete un campo")?;
    Ok(object)
}

/// Any JSON whose objects have distinct names.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Distinct;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without repeated members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_str<E>(self, _: &str) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_unit<E>(self) -> Result<Distinct, E> {
        Ok(Distinct)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Distinct, A::Error> {
        while elements.next_element::<Distinct>()?.is_some() {}
        Ok(Distinct)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Distinct, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member is repeated"));
            }
            members.next_value::<Distinct>()?;
        }
        Ok(Distinct)
    }
}
