//! The verifier of one e-service: what came with a call, the token's form, its header, its signature, its claims.
//!
//! The order is that of [`Check`]: first what makes a voucher invalid, then what makes a valid one not for us. A call is
//! refused at the first check that fails; an inspection hears them all.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::claims::{Claims, ClaimsRead, Voucher};
use super::keys::{Fetch, KeyCache, KeySet, NoKey};
use super::refusal::{Check, VoucherRefusal};
use super::rules::{CLAIMS, HEADER, Terms};
pub use super::rules::{Finding, SetupError};
use super::token::{MAX_LENGTH, Token};
use crate::clock::Clock;
use crate::config::EService;

/// The checks of a token's form, in order.
const FORM: [Check; 2] = [Check::TokenTooLong, Check::TokenMalformed];

/// The checks that need the issuer's keys, in order.
const SIGNATURE: [Check; 3] = [Check::KeysUnavailable, Check::KeyUnknown, Check::Signature];

/// A check that failed, and why, in Italian.
type Failure = (Check, String);

/// What came with a call to say who is calling.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'a> {
    /// The value of every `Authorization` header.
    pub authorization: Vec<&'a [u8]>,
    /// The query of the request, without the question mark.
    pub query: &'a str,
}

impl<'a> Credentials<'a> {
    /// The one bearer token (RFC 6750, section 2.1).
    fn token(&self) -> Result<&'a str, Failure> {
        let fail = |check, detail: &str| Err((check, detail.to_owned()));
        if self.query.split('&').any(|pair| pair.split('=').next() == Some("access_token")) {
            return fail(
                Check::TokenInQuery,
                "il voucher va nell'intestazione Authorization, mai nell'indirizzo",
            );
        }
        let value = match self.authorization.as_slice() {
            [value] => *value,
            [] => {
                return fail(
                    Check::CredentialsMissing,
                    "manca il voucher: chiederlo a PDND e inviarlo come Authorization: Bearer",
                );
            }
            _ => {
                return fail(
                    Check::CredentialsRepeated,
                    "l'intestazione Authorization compare più volte: inviarne una",
                );
            }
        };
        let Ok(value) = str::from_utf8(value) else {
            return fail(
                Check::TokenMalformed,
                "l'intestazione Authorization contiene caratteri non ammessi",
            );
        };
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return fail(
                Check::Scheme,
                "lo schema di Authorization non è Bearer, il solo che questo e-service accetta",
            );
        }
        Ok(token.trim_start_matches(' '))
    }
}

fn parse(text: &str) -> Result<Token<'_>, Failure> {
    if text.len() > MAX_LENGTH {
        return Err((Check::TokenTooLong, format!("il voucher supera i {MAX_LENGTH} byte ammessi")));
    }
    Token::parse(text).map_err(|detail| (Check::TokenMalformed, detail))
}

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
}

impl Verifier {
    /// The verifier of `eservice`, with the keys of its issuer.
    pub fn new(eservice: &EService, keys: KeySet, clock: Clock) -> Result<Self, SetupError> {
        Ok(Self { terms: Terms::of(eservice)?, keys, clock })
    }

    /// The verifiers of `eservices`, in their order; those whose keys have the same address share them. Blocking.
    pub fn all(
        eservices: &[EService],
        fetch: &Arc<dyn Fetch>,
        cache: &Arc<dyn KeyCache>,
        clock: &Clock,
    ) -> Result<Vec<Self>, SetupError> {
        let mut sets: HashMap<&str, KeySet> = HashMap::new();
        let verifier = |eservice| {
            let url =
                EService::jwks_url(eservice).ok_or_else(|| SetupError::NoKeys(eservice.name.clone()))?;
            let open = || KeySet::open(url, Arc::clone(fetch), Arc::clone(cache), clock.clone());
            Self::new(eservice, sets.entry(url).or_insert_with(open).clone(), clock.clone())
        };
        eservices.iter().map(verifier).collect()
    }

    /// The issuer's keys: to be kept fresh, and watched.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Lets a call in, or says why not. It waits for nothing but the issuer's keys, and only when the token names an
    /// unknown one. Needs a tokio runtime.
    pub async fn verify(&self, credentials: &Credentials<'_>) -> Result<Voucher, VoucherRefusal> {
        let token = credentials.token().and_then(parse).map_err(|(check, detail)| VoucherRefusal {
            check,
            detail,
            claims: ClaimsRead::default(),
        })?;
        let claims = Claims::of(&token.payload);
        let mut read = ClaimsRead::of(&token, &claims);
        let admitted = self.admit(&token, &claims, &mut read.verified).await;
        admitted.map_err(|(check, detail)| VoucherRefusal { check, detail, claims: read })
    }

    async fn admit(
        &self,
        token: &Token<'_>,
        claims: &Claims,
        verified: &mut bool,
    ) -> Result<Voucher, Failure> {
        for (check, rule) in HEADER {
            if let Finding::Failed(detail) = rule(token) {
                return Err((check, detail));
            }
        }
        self.check_signature(token).await?;
        *verified = true;
        let now = self.clock.now_ms();
        for (check, rule) in CLAIMS {
            if let Finding::Failed(detail) = rule(&self.terms, claims, now) {
                return Err((check, detail));
            }
        }
        Voucher::of(token, claims).map_err(|detail| (Check::TokenMalformed, detail))
    }

    /// Judges a token check by check, those after a failed one included where they can be made. Needs a tokio runtime.
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
        let now = self.clock.now_ms();
        let signature = self.check_signature(&token).await.err();
        let findings = steps(FORM, None)
            .chain(HEADER.map(|(check, rule)| (check, rule(&token))))
            .chain(steps(SIGNATURE, signature.as_ref()))
            .chain(CLAIMS.map(|(check, rule)| (check, rule(&self.terms, &claims, now))))
            .collect();
        Inspection { findings, header: Some(token.header), claims: Some(token.payload) }
    }

    async fn check_signature(&self, token: &Token<'_>) -> Result<(), Failure> {
        let fail = |check, detail: &str| Err((check, detail.to_owned()));
        match self.keys.find(token.kid().unwrap_or_default()).await {
            Ok(key) if key.verifies(token) => Ok(()),
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
