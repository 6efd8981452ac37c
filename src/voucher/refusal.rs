//! Why a call is refused: the checks, each with its stable code, and what the caller and the call log are told.

use std::fmt;

use super::claims::ClaimsRead;
use crate::config::DpopPolicy;

/// What a voucher is checked for, in the order in which it is checked.
///
/// The code of a check is part of the product's promise: the call log, `voucher inspect` and the `WWW-Authenticate`
/// header carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// No credential came in the query.
    TokenInQuery,
    /// An `Authorization` header came with the call.
    CredentialsMissing,
    /// It came once.
    CredentialsRepeated,
    /// The scheme is `Bearer`.
    Scheme,
    /// The voucher is of a bounded size.
    TokenTooLong,
    /// The voucher is a compact JWS: three parts in base64url, JSON objects, no member repeated.
    TokenMalformed,
    /// `alg` is RS256, the only algorithm that PDND signs with.
    Algorithm,
    /// `typ` is `at+jwt`.
    Type,
    /// The header neither brings a key of its own nor asks for an extension.
    Header,
    /// `kid` says which key signed.
    KeyId,
    /// The issuer's keys could be had.
    KeysUnavailable,
    /// `kid` names one of them.
    KeyUnknown,
    /// The signature is the issuer's.
    Signature,
    /// `iss` is the issuer of this environment.
    Issuer,
    /// `iat`, `nbf` and `exp` are there and make sense together.
    Times,
    /// `exp` has not passed.
    Expired,
    /// `iat` and `nbf` have come, give or take five seconds.
    NotYetValid,
    /// It is a voucher, not a token for PDND's own interfaces.
    M2mToken,
    /// It is not a voucher of the asynchronous exchange.
    AsyncToken,
    /// It is bound to a key if and only if it came with the scheme `DPoP`.
    DpopBound,
    /// It is bound to a key, where this e-service requires that.
    DpopRequired,
    /// `aud` names this e-service's audience.
    Audience,
    /// `purposeId` is there.
    Purpose,
    /// `client_id` is there, and `sub` agrees.
    Client,
    /// `jti` is there.
    TokenId,
    /// `digest`, if there, can be read.
    Digest,
    /// `producerId` is this ente.
    Producer,
    /// `eserviceId` is this e-service.
    Eservice,
    /// `descriptorId` is a live version of this e-service.
    Descriptor,
    /// `consumerId` may pull.
    Consumer,
    /// The evidence came to which the voucher's `digest` ties it, where the e-service asks for that.
    Evidence,
    /// The keys could be had with which evidence is signed.
    EvidenceKeysUnavailable,
    /// The evidence is signed with one of them.
    EvidenceSignature,
    /// One proof came with the bound voucher, and can be read.
    DpopProof,
    /// The proof's signature is that of the key that it shows.
    DpopSignature,
    /// The proof is for this method and address.
    DpopTarget,
    /// The proof is fresh.
    DpopTime,
    /// The proof is for this voucher, and its key is the one that the voucher is bound to.
    DpopBinding,
    /// It could be told whether the proof was used before.
    ProofsUnavailable,
    /// The proof was not used before.
    DpopReplay,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Self; 40] = [
        Self::TokenInQuery,
        Self::CredentialsMissing,
        Self::CredentialsRepeated,
        Self::Scheme,
        Self::TokenTooLong,
        Self::TokenMalformed,
        Self::Algorithm,
        Self::Type,
        Self::Header,
        Self::KeyId,
        Self::KeysUnavailable,
        Self::KeyUnknown,
        Self::Signature,
        Self::Issuer,
        Self::Times,
        Self::Expired,
        Self::NotYetValid,
        Self::M2mToken,
        Self::AsyncToken,
        Self::DpopBound,
        Self::DpopRequired,
        Self::Audience,
        Self::Purpose,
        Self::Client,
        Self::TokenId,
        Self::Digest,
        Self::Producer,
        Self::Eservice,
        Self::Descriptor,
        Self::Consumer,
        Self::Evidence,
        Self::EvidenceKeysUnavailable,
        Self::EvidenceSignature,
        Self::DpopProof,
        Self::DpopSignature,
        Self::DpopTarget,
        Self::DpopTime,
        Self::DpopBinding,
        Self::ProofsUnavailable,
        Self::DpopReplay,
    ];

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// What must hold, in plain ASCII.
    #[must_use]
    pub fn demand(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status of a refusal: 401 for what is not a valid voucher, 403 for a valid one that is not for this
    /// e-service or this caller, 503 when it cannot be told.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Producer | Self::Eservice | Self::Descriptor | Self::Consumer => 403,
            Self::KeysUnavailable | Self::EvidenceKeysUnavailable | Self::ProofsUnavailable => 503,
            _ => 401,
        }
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::CredentialsMissing => {
                ("credentials_missing", "the call must carry an Authorization header")
            }
            Self::CredentialsRepeated => ("credentials_repeated", "the Authorization header must come once"),
            Self::TokenInQuery => ("token_in_query", "the voucher must not come in the query"),
            Self::Scheme => ("scheme", "the Authorization scheme must be one that the e-service accepts"),
            Self::TokenTooLong => ("token_too_long", "the voucher must be at most 8192 bytes long"),
            Self::TokenMalformed => (
                "token_malformed",
                "the voucher must be a compact JWS of JSON objects without repeated members",
            ),
            Self::Algorithm => ("algorithm", "alg must be RS256"),
            Self::Type => ("type", "typ must be at+jwt"),
            Self::Header => ("header", "the header must carry neither keys nor critical extensions"),
            Self::KeyId => ("key_id", "kid must be there"),
            Self::KeysUnavailable => ("keys_unavailable", "the issuer's keys must be reachable"),
            Self::KeyUnknown => ("key_unknown", "kid must name a key that the issuer publishes"),
            Self::Signature => ("signature", "the signature must verify with the key that kid names"),
            Self::Issuer => ("issuer", "iss must be the issuer of this environment"),
            Self::Times => {
                ("times", "iat, nbf and exp must be whole seconds, in order, and at most 86400 apart")
            }
            Self::Expired => ("expired", "exp must not have passed"),
            Self::NotYetValid => ("not_yet_valid", "iat and nbf must not be more than 5 seconds ahead"),
            Self::M2mToken => ("m2m_token", "it must be a voucher, not a token for the interfaces of PDND"),
            Self::AsyncToken => ("async_token", "it must not be a voucher of the asynchronous exchange"),
            Self::DpopBound => {
                ("dpop_bound", "a voucher must come as DPoP if and only if it is bound to a key")
            }
            Self::DpopRequired => ("dpop_required", "the voucher must be bound to a DPoP key"),
            Self::Audience => ("audience", "aud must name the audience of this e-service"),
            Self::Purpose => ("purpose", "purposeId must be a UUID"),
            Self::Client => ("client", "client_id must be a UUID, and sub must equal it"),
            Self::TokenId => ("token_id", "jti must be a UUID"),
            Self::Digest => ("digest", "digest, if any, must have the strings alg and value"),
            Self::Producer => ("producer", "producerId must be the provider of this e-service"),
            Self::Eservice => ("eservice", "eserviceId must be this e-service"),
            Self::Descriptor => ("descriptor", "descriptorId must be a live version of this e-service"),
            Self::Consumer => ("consumer", "consumerId must be among those that may call"),
            Self::Evidence => {
                ("evidence", "the header Agid-JWT-TrackingEvidence must be the one that digest is of")
            }
            Self::EvidenceKeysUnavailable => {
                ("evidence_keys_unavailable", "the keys that sign evidence must be reachable")
            }
            Self::EvidenceSignature => {
                ("evidence_signature", "the evidence must be signed with a key of the consumer")
            }
            Self::DpopProof => ("dpop_proof", "one DPoP header must carry a well-formed proof"),
            Self::DpopSignature => ("dpop_signature", "the proof must be signed by the key in its header"),
            Self::DpopTarget => ("dpop_target", "htm and htu must be the method and address of the call"),
            Self::DpopTime => ("dpop_time", "the proof must be at most 70 seconds old and 10 ahead"),
            Self::DpopBinding => ("dpop_binding", "ath and the key must be those of the voucher"),
            Self::ProofsUnavailable => ("proofs_unavailable", "the memory of used proofs must be reachable"),
            Self::DpopReplay => ("dpop_replay", "a proof must be used once"),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// A call that is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check}: {detail}")]
pub struct VoucherRefusal {
    /// The first check that failed.
    pub check: Check,
    /// What is wrong and what to do, in Italian, for the caller. Nothing of our configuration is in it.
    pub detail: String,
    /// What could be read of the token, for the call log.
    pub claims: ClaimsRead,
    /// What this e-service does with bound vouchers.
    pub dpop: DpopPolicy,
}

impl VoucherRefusal {
    /// The `WWW-Authenticate` header (RFC 6750, section 3; RFC 9449, section 7.1): absent when the caller is not to
    /// blame, without an error code when no credential of a known kind came.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<String> {
        const ALGORITHMS: &str = "algs=\"RS256 ES256\"";
        let error = match (self.check, self.check.status()) {
            (Check::CredentialsMissing | Check::Scheme, _) => {
                return Some(match self.dpop {
                    DpopPolicy::Refuse => "Bearer".to_owned(),
                    DpopPolicy::Accept => format!("Bearer, DPoP {ALGORITHMS}"),
                    DpopPolicy::Require => format!("DPoP {ALGORITHMS}"),
                });
            }
            (Check::CredentialsRepeated | Check::TokenInQuery, _) => "invalid_request",
            (
                Check::DpopProof
                | Check::DpopSignature
                | Check::DpopTarget
                | Check::DpopTime
                | Check::DpopBinding
                | Check::DpopReplay,
                _,
            ) => "invalid_dpop_proof",
            (_, 401) => "invalid_token",
            (_, 403) => "insufficient_scope",
            _ => return None,
        };
        let dpop = match self.dpop {
            DpopPolicy::Refuse => false,
            DpopPolicy::Accept => error == "invalid_dpop_proof" || self.check == Check::DpopBound,
            DpopPolicy::Require => true,
        };
        let (code, demand) = self.check.row();
        let reason = format!("error=\"{error}\", error_description=\"{code}: {demand}\"");
        Some(if dpop { format!("DPoP {reason}, {ALGORITHMS}") } else { format!("Bearer {reason}") })
    }

    /// Seconds after which it makes sense to try again, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        (self.check.status() == 503).then_some(60)
    }
}
