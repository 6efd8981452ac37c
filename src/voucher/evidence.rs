//! `AUDIT_REST_02`: what a consumer says of the person for whom it calls. The evidence comes in a header of its own; the
//! voucher's `digest`, which PDND signed, answers for it.
//!
//! Its claims are read leniently, for the call log alone: nothing is let in or refused for what they say.

use openssl::sha::sha256;
use serde_json::{Map, Value};

use super::claims::Digest;
use super::credentials::{Credentials, Failure};
use super::keys::{KeySet, NoKey};
use super::refusal::Check;
use super::token::{MAX_LENGTH, Token};
use crate::config::AuditPolicy;

/// The header that carries the evidence.
pub const HEADER: &str = "Agid-JWT-TrackingEvidence";

/// What the evidence says of the person for whom the call is made, in the consumer's own terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// `userID`.
    pub user_id: Option<String>,
    /// `userLocation`: where the person works from.
    pub user_location: Option<String>,
    /// `LoA`: how surely the person was recognised.
    pub loa: Option<String>,
}

impl Evidence {
    fn of(payload: &Map<String, Value>) -> Self {
        let text = |name: &str| {
            payload.iter().find(|(member, _)| member.eq_ignore_ascii_case(name)).and_then(|(_, value)| {
                match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                }
            })
        };
        Self { user_id: text("userID"), user_location: text("userLocation"), loa: text("LoA") }
    }
}

/// Judges the evidence that comes with the vouchers of one e-service.
#[derive(Clone)]
pub(super) struct Audit {
    pub(super) policy: AuditPolicy,
    /// The keys of the consumers, with which evidence is signed.
    pub(super) keys: Option<KeySet>,
}

impl Audit {
    /// The evidence for which `digest` answers; none where the voucher has no digest, or it is not looked at.
    pub(super) async fn judge(
        &self,
        credentials: &Credentials<'_>,
        digest: Option<&Digest>,
    ) -> Result<Option<Evidence>, Failure> {
        let fail = |check, reason: &str| Err((check, reason.to_owned()));
        let (AuditPolicy::Match | AuditPolicy::Verify, Some(digest)) = (self.policy, digest) else {
            return Ok(None);
        };
        let text = match credentials.evidence.as_slice() {
            [text] if text.len() <= MAX_LENGTH => *text,
            _ => {
                return fail(
                    Check::Evidence,
                    "il voucher è legato a un'evidenza di tracciamento (digest): inviarla, una volta sola, \
                     nell'intestazione Agid-JWT-TrackingEvidence",
                );
            }
        };
        let matches = digest.alg.eq_ignore_ascii_case("SHA256")
            && digest.value.eq_ignore_ascii_case(&hexadecimal(&sha256(text)));
        if !matches {
            return fail(
                Check::Evidence,
                "l'evidenza di tracciamento non è quella a cui il voucher è legato (digest): inviarla com'era \
                 quando il voucher è stato chiesto",
            );
        }
        let token = str::from_utf8(text).ok().map(|text| Token::parse("l'evidenza di tracciamento", text));
        let read = |token: &Token<'_>| Some(Evidence::of(&token.payload));
        match (self.policy, token) {
            (AuditPolicy::Verify, Some(Ok(token))) => {
                self.check_signature(&token).await?;
                Ok(read(&token))
            }
            (AuditPolicy::Verify, _) => {
                fail(Check::EvidenceSignature, "l'evidenza di tracciamento non è un JWT firmato")
            }
            (_, Some(Ok(token))) => Ok(read(&token)),
            (_, _) => Ok(None),
        }
    }

    async fn check_signature(&self, token: &Token<'_>) -> Result<(), Failure> {
        let fail = |check, reason: &str| Err((check, reason.to_owned()));
        let missing = (
            Check::EvidenceKeysUnavailable,
            "le chiavi per verificare l'evidenza di tracciamento non sono al momento disponibili: riprovare più tardi",
        );
        let Some(keys) = &self.keys else {
            return fail(missing.0, missing.1);
        };
        if token.header.get("alg").is_none_or(|algorithm| algorithm != "RS256") {
            return fail(Check::EvidenceSignature, "l'evidenza di tracciamento non è firmata con RS256");
        }
        match keys.find(token.kid().unwrap_or_default()).await {
            Ok(key) if key.verifies(token) => Ok(()),
            Err(NoKey::Unavailable) => fail(missing.0, missing.1),
            Ok(_) | Err(NoKey::Unknown) => fail(
                Check::EvidenceSignature,
                "l'evidenza di tracciamento non è firmata con una chiave nota del fruitore",
            ),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
