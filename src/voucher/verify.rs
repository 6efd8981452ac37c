//! The verifier of one e-service: what came with a call, the token's form, its header, its signature, its claims, and
//! the proof that comes with a bound one.
//!
//! The order is that of [`Check`]. A call is refused at the first check that fails; an inspection hears them all.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::claims::{Claims, ClaimsRead, Voucher};
use super::credentials::{Credentials, Failure};
use super::dpop::Dpop;
use super::evidence::Audit;
use super::keys::{Fetch, KeySet, NoKey};
use super::refusal::{Check, VoucherRefusal};
use super::rules::{CLAIMS, Case, HEADER, Scheme, Terms};
pub use super::rules::{Finding, SetupError};
use super::signature::Key;
use super::token::{MAX_LENGTH, Token};
use crate::clock::Clock;
use crate::config::{AuditPolicy, Config, DpopPolicy, EService};
use crate::store::Store;

/// The checks of a token's form, in order.
const FORM: [Check; 2] = [Check::TokenTooLong, Check::TokenMalformed];

/// The checks that need the issuer's keys, in order.
const SIGNATURE: [Check; 3] = [Check::KeysUnavailable, Check::KeyUnknown, Check::Signature];

/// What was found of a token, check by check, in their order.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Every check and what it found.
    pub findings: Vec<(Check, Finding)>,
    /// The token's header, if it could be read.
    pub header: Option<Map<String, Value>>,
    /// The token's claims, if they could be read.
    pub claims: Option<Map<String, Value>>,
}

impl Inspection {
    /// Whether a call with this token would be let in.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings.iter().all(|(_, finding)| matches!(finding, Finding::Passed | Finding::NotAsked))
    }
}

/// Lets in the vouchers that are meant for one e-service.
#[derive(Clone)]
pub struct Verifier {
    terms: Terms,
    keys: KeySet,
    clock: Clock,
    dpop: Option<Dpop>,
    audit: Audit,
    remembers: bool,
}

impl Verifier {
    /// The verifier of `eservice`, with the keys of its issuer. It refuses bound vouchers, unless
    /// [`Verifier::with_dpop`] says otherwise, and evidence whose signature it is to verify, unless
    /// [`Verifier::with_evidence_keys`] gives it the keys.
    pub fn new(eservice: &EService, keys: KeySet, clock: Clock) -> Result<Self, SetupError> {
        let audit = Audit { policy: eservice.audit, keys: None };
        Ok(Self { terms: Terms::of(eservice)?, keys, clock, dpop: None, audit, remembers: false })
    }

    /// The verifiers of all e-services of `config`, in their order. Keys at the same address are shared, among them and
    /// with those that are `known`; the last good ones, and the proofs that were used, are kept in `store`. Blocking.
    pub fn all(
        config: &Config,
        fetch: &Arc<dyn Fetch>,
        store: &Store,
        clock: &Clock,
        known: &HashMap<String, KeySet>,
    ) -> Result<Vec<Self>, SetupError> {
        let mut sets: HashMap<&str, KeySet> =
            known.iter().map(|(url, keys)| (url.as_str(), keys.clone())).collect();
        let mut verifiers = Vec::new();
        for eservice in &config.eservice {
            let url = eservice.jwks_url().ok_or_else(|| SetupError::NoKeys(eservice.name.clone()))?;
            let open = || KeySet::open(url, Arc::clone(fetch), Arc::new(store.clone()), clock.clone());
            let keys = sets.entry(url).or_insert_with(open).clone();
            let mut verifier = Self::new(eservice, keys, clock.clone())?;
            if let (AuditPolicy::Verify, Some(url)) = (eservice.audit, eservice.audit_jwks_url.as_deref()) {
                let open = || KeySet::open(url, Arc::clone(fetch), Arc::new(store.clone()), clock.clone());
                verifier = verifier.with_evidence_keys(sets.entry(url).or_insert_with(open).clone());
            }
            verifier = verifier.remembering(config.api.remember_signatures);
            // Proofs name the public address: where none is configured, bound vouchers stay refused.
            verifiers.push(match &config.api.public_url {
                Some(url) => verifier.with_dpop(Dpop::new(eservice.dpop, url, Arc::new(store.clone()))),
                None => verifier,
            });
        }
        Ok(verifiers)
    }

    /// Lets in bound vouchers with a proof, as `dpop` says.
    #[must_use]
    pub fn with_dpop(mut self, dpop: Dpop) -> Self {
        self.terms.dpop = dpop.policy;
        self.dpop = Some(dpop);
        self
    }

    /// Verifies evidence with the consumers' keys.
    #[must_use]
    pub fn with_evidence_keys(mut self, keys: KeySet) -> Self {
        self.audit.keys = Some(keys);
        self
    }

    /// Verifies the signature of a voucher that comes again once, if `remembers`: as long as its key is not fetched again.
    #[must_use]
    pub fn remembering(self, remembers: bool) -> Self {
        Self { remembers, ..self }
    }

    /// Every set of keys that is to be kept fresh: the issuer's, then that of the consumers, if there is one.
    pub fn key_sets(&self) -> impl Iterator<Item = &KeySet> {
        std::iter::once(&self.keys).chain(&self.audit.keys)
    }

    /// The issuer's keys: to be watched.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Lets a call in, or says why not. It waits for nothing but the issuer's keys, and only when the token names an
    /// unknown one, and the memory of proofs, when one comes. Needs a tokio runtime.
    pub async fn verify(&self, credentials: &Credentials<'_>) -> Result<Voucher, VoucherRefusal> {
        let mut read = ClaimsRead::default();
        self.admit(credentials, &mut read).await.map_err(|(check, detail)| VoucherRefusal {
            check,
            detail,
            claims: read,
            dpop: self.terms.dpop,
        })
    }

    async fn admit(&self, credentials: &Credentials<'_>, read: &mut ClaimsRead) -> Result<Voucher, Failure> {
        let (scheme, text) = credentials.token(self.terms.dpop)?;
        let token = parse(text)?;
        let claims = Claims::of(&token.payload);
        *read = ClaimsRead::of(&token, &claims);
        for (check, rule) in HEADER {
            if let Finding::Failed(detail) = rule(&token) {
                return Err((check, detail));
            }
        }
        self.check_signature(&token).await?;
        read.verified = true;
        let now = self.clock.now();
        let case = Case { terms: &self.terms, claims: &claims, scheme, now: now.as_millisecond() };
        for (check, rule) in CLAIMS {
            if let Finding::Failed(detail) = rule(&case) {
                return Err((check, detail));
            }
        }
        let evidence = self.audit.judge(credentials, claims.digest.get()).await?;
        if let (Scheme::Dpop, Some(dpop)) = (scheme, &self.dpop) {
            let bound_to = claims.bound_to.get().map(String::as_str).unwrap_or_default();
            dpop.prove(credentials, text, bound_to, now).await?;
        }
        Voucher::of(&token, &claims, evidence).map_err(|detail| (Check::TokenMalformed, detail))
    }

    /// Judges a token check by check, those after a failed one included where they can be made. A bound voucher is
    /// taken to come as it should. Needs a tokio runtime.
    pub async fn inspect(&self, text: &str) -> Inspection {
        let token = match parse(text) {
            Ok(token) => token,
            Err(failure) => {
                let header = HEADER.into_iter().map(|(check, _)| check);
                let claims = CLAIMS.into_iter().map(|(check, _)| check);
                let unreached =
                    header.chain(SIGNATURE).chain(claims).map(|check| (check, Finding::NotReached));
                let findings = steps(FORM, Some(&failure)).chain(unreached).collect();
                return Inspection { findings, header: None, claims: None };
            }
        };
        let claims = Claims::of(&token.payload);
        let as_dpop = claims.bound && self.terms.dpop != DpopPolicy::Refuse;
        let scheme = if as_dpop { Scheme::Dpop } else { Scheme::Bearer };
        let case = Case { terms: &self.terms, claims: &claims, scheme, now: self.clock.now_ms() };
        let signature = self.check_signature(&token).await.err();
        let findings = steps(FORM, None)
            .chain(HEADER.map(|(check, rule)| (check, rule(&token))))
            .chain(steps(SIGNATURE, signature.as_ref()))
            .chain(CLAIMS.map(|(check, rule)| (check, rule(&case))))
            .collect();
        Inspection { findings, header: Some(token.header), claims: Some(token.payload) }
    }

    async fn check_signature(&self, token: &Token<'_>) -> Result<(), Failure> {
        let fail = |check, detail: &str| Err((check, detail.to_owned()));
        let verifies = if self.remembers { Key::verifies_again } else { Key::verifies };
        match self.keys.find(token.kid().unwrap_or_default()).await {
            Ok(key) if verifies(&key, token) => Ok(()),
            Ok(_) => fail(Check::Signature, "la firma del voucher non è valida: chiederne uno nuovo a PDND"),
            Err(NoKey::Unknown) => fail(
                Check::KeyUnknown,
                "il voucher è firmato con una chiave che PDND non pubblica per questo ambiente: verificare di averlo \
                 chiesto all'ambiente giusto",
            ),
            Err(NoKey::Unavailable) => fail(
                Check::KeysUnavailable,
                "le chiavi con cui PDND firma i voucher non sono al momento disponibili: riprovare più tardi",
            ),
        }
    }
}

/// Checks made one after the other until one fails.
fn steps<const N: usize>(
    checks: [Check; N],
    failure: Option<&Failure>,
) -> impl Iterator<Item = (Check, Finding)> {
    let mut finding = Finding::Passed;
    checks.into_iter().map(move |check| {
        if finding == Finding::Passed
            && let Some((failed, detail)) = failure
            && *failed == check
        {
            finding = Finding::NotReached;
            return (check, Finding::Failed(detail.clone()));
        }
        (check, finding.clone())
    })
}

fn parse(text: &str) -> Result<Token<'_>, Failure> {
    if text.len() > MAX_LENGTH {
        return Err((Check::TokenTooLong, format!("il voucher supera i {MAX_LENGTH} byte ammessi")));
    }
    Token::parse("il voucher", text).map_err(|detail| (Check::TokenMalformed, detail))
}
