//! DPoP (RFC 9449): the proof, made for one call, that a caller holds the key to which its voucher is bound.
//!
//! In the order of the RFC and of PDND: syntax, signature, target and time, binding, replay. Whether the voucher itself
//! is good is not judged here.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use openssl::sha::sha256;
use serde_json::{Map, Value};
use url::Url;

use super::claims::{Claim, seconds, text};
use super::credentials::{Credentials, Failure};
use super::refusal::Check;
use super::signature::{Key, thumbprint};
use super::token::{MAX_LENGTH, Token};

use crate::config::DpopPolicy;
use crate::store::{Store, StoreError, proofs};

/// How far ahead a proof's `iat` may be, in seconds.
const AHEAD: i64 = 10;

/// How old a proof may be, in seconds: a minute, and the same leeway.
const AGE: i64 = 60 + AHEAD;

/// How long a used proof is remembered beyond the end of its life, in seconds: the clocks of two instances differ.
const MARGIN: i64 = 60;

/// Remembers used proofs, for all instances of the service.
pub trait ProofMemory: Send + Sync {
    /// Remembers `proof` until `until`, and says whether it was unknown.
    fn remember(
        &self,
        proof: String,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>>;
}

impl ProofMemory for Store {
    fn remember(
        &self,
        proof: String,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.write_async(move |connection| proofs::remember(connection, &proof, now, until)))
    }
}

/// Remembers nothing, so that no proof is good.
impl ProofMemory for () {
    fn remember(&self, _: String, _: Timestamp, _: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable("there is no memory of proofs".to_owned()))))
    }
}

/// Judges the proofs of one e-service.
#[derive(Clone)]
pub struct Dpop {
    pub(super) policy: DpopPolicy,
    base_url: String,
    memory: Arc<dyn ProofMemory>,
}

impl Dpop {
    /// `public_url` is the address under which callers reach the service, without a path: proofs name it, whatever a
    /// proxy in front makes of it.
    #[must_use]
    pub fn new(policy: DpopPolicy, public_url: &str, memory: Arc<dyn ProofMemory>) -> Self {
        Self { policy, base_url: public_url.trim_end_matches('/').to_owned(), memory }
    }

    /// Whether the call of `credentials` comes from whoever holds the key `bound_to`, to which `voucher` is bound.
    pub(super) async fn prove(
        &self,
        credentials: &Credentials<'_>,
        voucher: &str,
        bound_to: &str,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let fail = |check, reason: &str| Err((check, format!("la prova DPoP {reason}")));
        let header = match credentials.dpop.as_slice() {
            [header] => str::from_utf8(header).ok().filter(|header| header.len() <= MAX_LENGTH),
            _ => {
                return fail(Check::DpopProof, "manca o compare più volte: serve una sola intestazione DPoP");
            }
        };
        let Some(header) = header else {
            return fail(Check::DpopProof, "è troppo lunga o contiene caratteri non ammessi");
        };
        let malformed = |reason: String| (Check::DpopProof, reason);
        let token = Token::parse("la prova DPoP", header).map_err(malformed)?;
        let (key, own_thumbprint) = shown_key(&token.header)
            .map_err(|reason| (Check::DpopProof, format!("nell'intestazione della prova DPoP {reason}")))?;
        let proof = Proof::of(&token.payload)
            .map_err(|reason| (Check::DpopProof, format!("nella prova DPoP {reason}")))?;

        if !key.verifies(&token) {
            return fail(Check::DpopSignature, "non è firmata con la chiave che mostra");
        }
        if proof.method != credentials.method || !self.is_target(&proof.target, credentials.path) {
            return fail(Check::DpopTarget, "è per un altro metodo o un altro indirizzo (htm, htu)");
        }
        let age = now.as_second().saturating_sub(proof.issued);
        if !(-AHEAD..=AGE).contains(&age) {
            return fail(
                Check::DpopTime,
                "non è recente: crearne una per ogni chiamata, con l'orologio esatto (iat)",
            );
        }
        if own_thumbprint != bound_to {
            return fail(Check::DpopBinding, "è di una chiave diversa da quella a cui il voucher è legato");
        }
        if proof.voucher != BASE64_URL_SAFE_NO_PAD.encode(sha256(voucher.as_bytes())) {
            return fail(Check::DpopBinding, "è per un altro voucher (ath)");
        }
        self.first_use(&format!("{own_thumbprint}.{}", proof.id), proof.issued, now).await
    }

    fn is_target(&self, target: &str, path: &str) -> bool {
        let own = Url::parse(&format!("{}{path}", self.base_url)).ok();
        let target = Url::parse(target).ok().map(|mut target| {
            // RFC 9449, section 4.3: query and fragment do not count.
            target.set_query(None);
            target.set_fragment(None);
            target
        });
        own.is_some() && own == target
    }

    async fn first_use(&self, proof: &str, issued: i64, now: Timestamp) -> Result<(), Failure> {
        let until = issued.saturating_add(AGE).saturating_add(MARGIN);
        let until = Timestamp::from_second(until).unwrap_or(Timestamp::MAX);
        // The id is the caller's to choose: what is remembered is of a fixed size.
        let proof = BASE64_URL_SAFE_NO_PAD.encode(sha256(proof.as_bytes()));
        match self.memory.remember(proof, now, until).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = "la prova DPoP è già stata usata: crearne una per ogni chiamata (jti)";
                Err((Check::DpopReplay, reason.to_owned()))
            }
            Err(error) => {
                tracing::error!(%error, "cannot tell whether a DPoP proof was used before");
                let reason = "la prova DPoP non può essere verificata in questo momento: riprovare più tardi";
                Err((Check::ProofsUnavailable, reason.to_owned()))
            }
        }
    }
}

/// The key that a proof's header shows, and its thumbprint. The header holds `typ`, `alg` and `jwk` and nothing else,
/// the key its public members and nothing else.
fn shown_key(header: &Map<String, Value>) -> Result<(Key, String), &'static str> {
    if header.len() != 3 || header.get("typ").is_none_or(|kind| kind != "dpop+jwt") {
        return Err("servono typ (dpop+jwt), alg e jwk, e nient'altro");
    }
    let jwk = header.get("jwk").ok_or("manca jwk")?;
    let (thumbprint, names) = thumbprint(jwk).ok_or("jwk non è una chiave pubblica RSA o EC")?;
    if jwk.as_object().is_none_or(|members| members.len() != names.len()) {
        return Err("jwk contiene più della chiave pubblica");
    }
    let key = match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Key::rs256(jwk),
        Some("ES256") => Key::es256(jwk),
        _ => return Err("alg non è RS256 né ES256"),
    };
    Ok((key.ok_or("jwk non è una chiave adatta ad alg")?, thumbprint))
}

/// What a proof says.
struct Proof {
    /// `htm`.
    method: String,
    /// `htu`.
    target: String,
    /// `iat`, in seconds since the epoch.
    issued: i64,
    /// `jti`.
    id: String,
    /// `ath`, the hash of the voucher.
    voucher: String,
}

impl Proof {
    fn of(payload: &Map<String, Value>) -> Result<Self, String> {
        let string = |name| Claim::read(payload, name, "una stringa", text).required().cloned();
        let name = |id: &Value| text(id).filter(|id| !id.is_empty());
        Ok(Self {
            method: string("htm")?,
            target: string("htu")?,
            issued: *Claim::read(payload, "iat", "un numero intero di secondi", seconds).required()?,
            id: Claim::read(payload, "jti", "una stringa non vuota", name).required().cloned()?,
            voucher: string("ath")?,
        })
    }
}
