//! The compact form of a JWS, read strictly. What the members mean is not judged here.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json::{self, Fault};

/// The longest token that is looked at, in bytes: PDND's vouchers are about 1,200.
pub(super) const MAX_LENGTH: usize = 8192;

/// Header, payload and signature, of which nothing is trusted yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) payload: Map<String, Value>,
    text: &'a str,
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
            text,
            signed,
            signature: bytes(signature, "la firma")?,
        })
    }

    /// All of it, as it came.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_bytes()
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

/// Reads a JSON object no member of which, at any depth, is repeated.
fn object(json: &[u8]) -> Result<Map<String, Value>, &'static str> {
    json::distinct(json).map_err(|fault| match fault {
        Fault::Unreadable(_) => "non è un oggetto JSON",
        Fault::Repeated(_) => "ripete un campo",
    })
}
