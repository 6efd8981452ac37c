//! The claims of a voucher as types. How each is read is decided here; whether its value is acceptable, in
//! [`verify`](super::verify).

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::evidence::Evidence;
use super::token::Token;

/// A caller whose voucher passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// `jti`. The same voucher comes with many calls, until it expires.
    pub jti: Uuid,
    /// `client_id`: which client of the consumer is calling.
    pub client_id: Uuid,
    /// `purposeId`: the purpose (finalità) for which the consumer asked.
    pub purpose_id: Uuid,
    /// `consumerId`: who is calling. A local issuer may leave it out.
    pub consumer_id: Option<Uuid>,
    /// `producerId`: the provider.
    pub producer_id: Option<Uuid>,
    /// `eserviceId`.
    pub eservice_id: Option<Uuid>,
    /// `descriptorId`: the version of the e-service.
    pub descriptor_id: Option<Uuid>,
    /// Which of the issuer's keys signed.
    pub kid: String,
    /// `exp`, in seconds since the epoch.
    pub exp: i64,
    /// What the voucher says of the evidence that comes with the call (`AUDIT_REST_02`).
    pub digest: Option<Digest>,
    /// The evidence that came, if the e-service looks at it and `digest` answers for it.
    pub evidence: Option<Evidence>,
}

impl Voucher {
    /// The voucher of which the rules found nothing to refuse.
    pub(super) fn of(token: &Token<'_>, claims: &Claims, evidence: Option<Evidence>) -> Result<Self, String> {
        Ok(Self {
            jti: *claims.jti.required()?,
            client_id: *claims.client_id.required()?,
            purpose_id: *claims.purpose_id.required()?,
            consumer_id: claims.consumer_id.optional()?.copied(),
            producer_id: claims.producer_id.optional()?.copied(),
            eservice_id: claims.eservice_id.optional()?.copied(),
            descriptor_id: claims.descriptor_id.optional()?.copied(),
            kid: token.kid().unwrap_or_default().to_owned(),
            exp: *claims.exp.required()?,
            digest: claims.digest.optional()?.cloned(),
            evidence,
        })
    }

    /// The claims that the call log keeps.
    #[must_use]
    pub fn claims_read(&self) -> ClaimsRead {
        ClaimsRead {
            verified: true,
            jti: Some(self.jti),
            client_id: Some(self.client_id),
            purpose_id: Some(self.purpose_id),
            consumer_id: self.consumer_id,
            producer_id: self.producer_id,
            eservice_id: self.eservice_id,
            descriptor_id: self.descriptor_id,
            kid: Some(self.kid.clone()),
        }
    }
}

/// The claim `digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The hash function, `SHA256` in PDND's vouchers.
    pub alg: String,
    /// The hash, in hexadecimal.
    pub value: String,
}

/// What could be read of a token, whether or not it was let in: what the call log keeps of it.
///
/// Ids are read only if they are UUIDs, and `kid` only if it is short and printable: a token that nobody signed cannot
/// bring anything else into the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClaimsRead {
    /// Whether the issuer's signature vouches for the rest; if not, it is hearsay.
    pub verified: bool,
    /// `jti`.
    pub jti: Option<Uuid>,
    /// `client_id`.
    pub client_id: Option<Uuid>,
    /// `purposeId`.
    pub purpose_id: Option<Uuid>,
    /// `consumerId`.
    pub consumer_id: Option<Uuid>,
    /// `producerId`.
    pub producer_id: Option<Uuid>,
    /// `eserviceId`.
    pub eservice_id: Option<Uuid>,
    /// `descriptorId`.
    pub descriptor_id: Option<Uuid>,
    /// The header's `kid`.
    pub kid: Option<String>,
}

impl ClaimsRead {
    pub(super) fn of(token: &Token<'_>, claims: &Claims) -> Self {
        Self {
            verified: false,
            jti: claims.jti.get().copied(),
            client_id: claims.client_id.get().copied(),
            purpose_id: claims.purpose_id.get().copied(),
            consumer_id: claims.consumer_id.get().copied(),
            producer_id: claims.producer_id.get().copied(),
            eservice_id: claims.eservice_id.get().copied(),
            descriptor_id: claims.descriptor_id.get().copied(),
            kid: token.kid().map(str::to_owned),
        }
    }
}

/// One claim as it came.
#[derive(Debug)]
pub(super) struct Claim<T> {
    name: &'static str,
    value: Result<T, Flaw>,
}

/// Why a claim has no value.
#[derive(Clone, Copy, Debug)]
enum Flaw {
    Absent,
    /// It is there, in a form that its rule does not allow.
    Wrong(&'static str),
}

impl<T> Claim<T> {
    pub(super) fn read(
        payload: &Map<String, Value>,
        name: &'static str,
        form: &'static str,
        reader: impl FnOnce(&Value) -> Option<T>,
    ) -> Self {
        let value = match payload.get(name) {
            None => Err(Flaw::Absent),
            Some(value) => reader(value).ok_or(Flaw::Wrong(form)),
        };
        Self { name, value }
    }

    /// The value, if it could be read.
    pub(super) fn get(&self) -> Option<&T> {
        self.value.as_ref().ok()
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.value, Err(Flaw::Absent))
    }

    /// The value, or in Italian why there is none.
    pub(super) fn required(&self) -> Result<&T, String> {
        self.value.as_ref().map_err(|flaw| match flaw {
            Flaw::Absent => format!("manca {}", self.name),
            Flaw::Wrong(form) => format!("{} non è {form}", self.name),
        })
    }

    /// The value if the claim came, or in Italian why it cannot be read.
    pub(super) fn optional(&self) -> Result<Option<&T>, String> {
        if self.is_absent() { Ok(None) } else { self.required().map(Some) }
    }
}

/// Every claim that a check looks at.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) iss: Claim<String>,
    pub(super) aud: Claim<Vec<String>>,
    pub(super) iat: Claim<i64>,
    pub(super) nbf: Claim<i64>,
    pub(super) exp: Claim<i64>,
    pub(super) jti: Claim<Uuid>,
    pub(super) client_id: Claim<Uuid>,
    pub(super) sub: Claim<Uuid>,
    pub(super) purpose_id: Claim<Uuid>,
    pub(super) producer_id: Claim<Uuid>,
    pub(super) consumer_id: Claim<Uuid>,
    pub(super) eservice_id: Claim<Uuid>,
    pub(super) descriptor_id: Claim<Uuid>,
    pub(super) digest: Claim<Digest>,
    /// `cnf`, in whatever form: a voucher that claims to be bound is never taken for one that is not.
    pub(super) bound: bool,
    /// `cnf.jkt`, the thumbprint of the key that the voucher is bound to.
    pub(super) bound_to: Claim<String>,
    /// `organizationId` or `role`, which only tokens for PDND's own interfaces carry.
    pub(super) of_m2m: bool,
    /// `interactionId` or `scope`, which only vouchers of the asynchronous exchange carry.
    pub(super) of_async: bool,
}

impl Claims {
    pub(super) fn of(payload: &Map<String, Value>) -> Self {
        let id = |name| Claim::read(payload, name, "un UUID", uuid);
        let seconds = |name| Claim::read(payload, name, "un numero intero di secondi", seconds);
        let any = |names: [&str; 2]| names.iter().any(|name| payload.contains_key(*name));
        Self {
            iss: Claim::read(payload, "iss", "una stringa", text),
            aud: Claim::read(payload, "aud", "una stringa né un elenco di stringhe", audiences),
            iat: seconds("iat"),
            nbf: seconds("nbf"),
            exp: seconds("exp"),
            jti: id("jti"),
            client_id: id("client_id"),
            sub: id("sub"),
            purpose_id: id("purposeId"),
            producer_id: id("producerId"),
            consumer_id: id("consumerId"),
            eservice_id: id("eserviceId"),
            descriptor_id: id("descriptorId"),
            digest: Claim::read(payload, "digest", "un oggetto con alg e value", digest),
            bound: payload.contains_key("cnf"),
            bound_to: Claim::read(payload, "cnf", "un oggetto con jkt", |cnf| text(cnf.get("jkt")?)),
            of_m2m: any(["organizationId", "role"]),
            of_async: any(["interactionId", "scope"]),
        }
    }
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The canonical form with hyphens only: PDND writes no other, and the tracing files allow no other.
fn uuid(value: &Value) -> Option<Uuid> {
    let text = value.as_str()?;
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

/// Whole seconds up to the year 9999: an integer, never `1e9`, `1.0` or a string.
pub(super) fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().filter(|seconds| (0..=253_402_300_799).contains(seconds))
}

/// One string with the audiences joined by commas, as PDND writes it, or an array with one audience in each string.
fn audiences(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(list) => {
            Some(list.split(',').map(|entry| entry.trim_matches(' ').to_owned()).collect())
        }
        Value::Array(entries) => entries.iter().map(text).collect(),
        _ => None,
    }
}

fn digest(value: &Value) -> Option<Digest> {
    Some(Digest { alg: text(value.get("alg")?)?, value: text(value.get("value")?)? })
}
