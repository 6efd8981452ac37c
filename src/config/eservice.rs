//! `[[eservice]]`: what is published on PDND, in which environment, for which enti.

use std::path::PathBuf;

use serde::Deserialize;

use crate::siuss::record::EnteErogatore;

/// PDND's environment, which implies an issuer and the address of its keys; or a local issuer for trying things out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real data.
    Produzione,
    /// Where INPS tests first.
    Collaudo,
    /// PDND's third environment.
    Attestazione,
    /// Vouchers of a local issuer, for tests and demonstrations.
    Locale,
}

impl Environment {
    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Produzione => "produzione",
            Self::Collaudo => "collaudo",
            Self::Attestazione => "attestazione",
            Self::Locale => "locale",
        }
    }

    /// The `iss` of this environment's vouchers, where PDND defines one (facts of PDND, "The voucher that arrives").
    #[must_use]
    pub fn issuer(self) -> Option<&'static str> {
        match self {
            Self::Produzione => Some("interop.pagopa.it"),
            Self::Collaudo => Some("uat.interop.pagopa.it"),
            Self::Attestazione => Some("att.interop.pagopa.it"),
            Self::Locale => None,
        }
    }

    /// Where this environment's keys are published, where PDND defines it.
    #[must_use]
    pub fn jwks_url(self) -> Option<&'static str> {
        match self {
            Self::Produzione => Some("https://interop.pagopa.it/.well-known/jwks.json"),
            Self::Collaudo => Some("https://uat.interop.pagopa.it/.well-known/jwks.json"),
            Self::Attestazione => Some("https://att.interop.pagopa.it/.well-known/jwks.json"),
            Self::Locale => None,
        }
    }
}

/// What becomes of a voucher that is bound to a key of its consumer (DPoP, RFC 9449).
///
/// PDND binds a voucher whenever its consumer asks for that, whatever the provider declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DpopPolicy {
    /// Let in with the key's proof; vouchers that are not bound are let in too.
    #[default]
    Accept,
    /// Only bound vouchers are let in, with the key's proof.
    Require,
    /// Bound vouchers are refused.
    Refuse,
}

/// What becomes of the tracking evidence to which a voucher ties its call (`AUDIT_REST_02`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditPolicy {
    /// It is not looked at.
    #[default]
    Ignore,
    /// With a voucher that has a `digest` it must come, and be the one that the digest is of.
    Match,
    /// Moreover it must be signed with one of the keys at `audit_jwks_url`.
    Verify,
}

/// `[[eservice]]`: one e-service on PDND, with its own base path, feed, thresholds and call log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EService {
    /// The file that describes it, of a folder of files; none where all is in one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// The name by which commands and logs call it.
    pub name: String,
    /// Where its three operations live, for example `/waas/v1`.
    pub base_path: String,
    /// PDND's environment.
    #[serde(deserialize_with = "super::load::named")]
    pub environment: Environment,
    /// The audiences of which a voucher must name at least one.
    #[serde(deserialize_with = "super::load::strings")]
    pub audience: Vec<String>,
    /// PDND's id of the ente as provider (`producerId`).
    #[serde(default)]
    pub producer_id: Option<String>,
    /// PDND's id of the e-service (`eserviceId`).
    #[serde(default)]
    pub eservice_id: Option<String>,
    /// PDND's ids of the live versions of the e-service (`descriptorId`).
    #[serde(default, deserialize_with = "super::load::strings")]
    pub descriptor_ids: Vec<String>,
    /// Who may pull (`consumerId`): INPS.
    #[serde(default, deserialize_with = "super::load::strings")]
    pub consumer_ids: Vec<String>,
    /// Accepts the risk of serving whoever obtains a voucher with the same audience for an e-service of their own.
    #[serde(default)]
    pub accept_vouchers_of_any_eservice: bool,
    /// Accepts the risk of serving any consumer of the e-service, not INPS alone.
    #[serde(default)]
    pub accept_any_consumer: bool,
    /// What becomes of vouchers that are bound to a DPoP key.
    #[serde(default, deserialize_with = "super::load::named")]
    pub dpop: DpopPolicy,
    /// What becomes of tracking evidence.
    #[serde(default, deserialize_with = "super::load::named")]
    pub audit: AuditPolicy,
    /// Where the keys are with which the consumer signs evidence; `https:` or `file:`.
    #[serde(default)]
    pub audit_jwks_url: Option<String>,
    /// Calls a day (Europe/Rome) of one consumer.
    #[serde(default = "hundred")]
    pub daily_calls_per_consumer: u32,
    /// Calls a day (Europe/Rome) of all consumers.
    #[serde(default = "hundred")]
    pub daily_calls_total: u32,
    /// Whether a correction or a withdrawal also cancels an insertion that INPS refused.
    #[serde(default)]
    pub cancel_refused: bool,
    /// Overrides the issuer that the environment implies.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Overrides the address of the keys that the environment implies; `https:` or `file:`.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whom INPS and PDND write to.
    #[serde(default)]
    pub contact_email: Option<String>,
    /// The terms of service.
    #[serde(default)]
    pub terms_url: Option<String>,
    /// What the code of an ente must match; the Belfiore form unless said otherwise.
    #[serde(default = "belfiore_pattern")]
    pub codice_ente_pattern: String,
    /// The bodies whose benefits this e-service carries.
    #[serde(default)]
    pub ente: Vec<Ente>,
}

fn hundred() -> u32 {
    100
}

/// The form of a Belfiore code.
pub const BELFIORE_PATTERN: &str = "^[A-Z][0-9]{3}$";

/// Whether `code` has the form of a Belfiore code.
#[must_use]
pub fn is_belfiore(code: &str) -> bool {
    matches!(code.as_bytes(), [letter, digits @ ..]
        if letter.is_ascii_uppercase() && digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))
}

fn belfiore_pattern() -> String {
    BELFIORE_PATTERN.to_owned()
}

/// `[[eservice.ente]]`: a body that grants benefits (ente erogatore).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ente {
    /// Its code: Belfiore for a Comune.
    pub codice: String,
    /// Its name.
    pub denominazione: String,
    /// Belfiore code of its legal seat.
    pub sede: String,
    /// Fiscal code of the operator who answers for what is sent.
    pub cf_operatore: String,
}

impl Ente {
    /// The ente as a flow names it, or the keys whose values a flow cannot carry.
    pub fn erogatore(&self) -> Result<EnteErogatore, Vec<&'static str>> {
        EnteErogatore::new(&self.codice, &self.denominazione, &self.sede, &self.cf_operatore)
    }
}

impl EService {
    /// The issuer whose vouchers are accepted.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref().or(self.environment.issuer())
    }

    /// Where the issuer's keys are.
    #[must_use]
    pub fn jwks_url(&self) -> Option<&str> {
        self.jwks_url.as_deref().or(self.environment.jwks_url())
    }
}
