//! What a token's header and claims must satisfy: two ordered lists of rules, each a check and its test.
//!
//! The sources are PDND's documentation and the behaviour of its platform. The reasons of failures are Italian: they
//! go to the caller.

use serde_json::Value;
use uuid::Uuid;

use super::claims::{Claim, Claims};
use super::refusal::Check;
use super::token::Token;
use crate::config::{DpopPolicy, EService};

/// The longest life of a voucher, in seconds.
const MAX_LIFE: i64 = 86_400;

/// How far ahead `iat` and `nbf` may be, in milliseconds: clocks differ, and PDND's has been seen ahead.
const LEEWAY_MS: i64 = 5_000;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It holds.
    Passed,
    /// The configuration does not ask for it.
    NotAsked,
    /// It does not hold, and why, in Italian.
    Failed(String),
    /// It could not be made, because an earlier one failed.
    NotReached,
}

impl From<Result<(), String>> for Finding {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

/// What the configuration asks of a voucher. An empty list of ids asks nothing.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    issuer: String,
    audience: Vec<String>,
    producer: Vec<Uuid>,
    eservice: Vec<Uuid>,
    descriptors: Vec<Uuid>,
    consumers: Vec<Uuid>,
    /// What becomes of vouchers that are bound to a DPoP key.
    pub(super) dpop: DpopPolicy,
}

/// Why the configuration of an e-service gives no terms for its vouchers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// Neither the configuration nor the environment names an issuer.
    #[error("e-service {0:?} has no issuer")]
    NoIssuer(String),
    /// Neither the configuration nor the environment says where the issuer's keys are.
    #[error("e-service {0:?} has no jwks_url")]
    NoKeys(String),
    /// An id is not a UUID, as all of PDND's are.
    #[error("e-service {eservice:?}: {value:?} in {key} is not a UUID")]
    NotUuid {
        /// The e-service's name.
        eservice: String,
        /// The key of the configuration.
        key: &'static str,
        /// What it holds.
        value: String,
    },
}

impl Terms {
    pub(super) fn of(eservice: &EService) -> Result<Self, SetupError> {
        let ids = |key: &'static str, values: &[String]| {
            let id = |value: &String| {
                Uuid::try_parse(value).map_err(|_| SetupError::NotUuid {
                    eservice: eservice.name.clone(),
                    key,
                    value: value.clone(),
                })
            };
            values.iter().map(id).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            issuer: eservice.issuer().ok_or_else(|| SetupError::NoIssuer(eservice.name.clone()))?.to_owned(),
            audience: eservice.audience.clone(),
            producer: ids("producer_id", eservice.producer_id.as_slice())?,
            eservice: ids("eservice_id", eservice.eservice_id.as_slice())?,
            descriptors: ids("descriptor_ids", &eservice.descriptor_ids)?,
            consumers: ids("consumer_ids", &eservice.consumer_ids)?,
            dpop: DpopPolicy::Refuse,
        })
    }
}

type HeaderRule = fn(&Token<'_>) -> Finding;

/// The rules of the header, in order.
pub(super) const HEADER: [(Check, HeaderRule); 4] = [
    (Check::Algorithm, |token| {
        let algorithm = token.header.get("alg").and_then(Value::as_str);
        ensure(algorithm == Some("RS256"), "il voucher non è firmato con RS256, il solo algoritmo di PDND")
    }),
    (Check::Type, |token| {
        let kind = token.header.get("typ").and_then(Value::as_str).map(str::to_ascii_lowercase);
        let kind = kind.as_deref().map(|kind| kind.strip_prefix("application/").unwrap_or(kind));
        ensure(kind == Some("at+jwt"), "il token non è un voucher: il suo tipo (typ) non è at+jwt")
    }),
    (Check::Header, |token| {
        // A key that comes with the token proves nothing, and an extension that is not understood may change what
        // the rest means (RFC 7515, sections 4.1 and 10.1).
        let forbidden = ["crit", "b64", "jwk", "jku", "x5u", "x5c"]
            .into_iter()
            .find(|name| token.header.contains_key(*name));
        match forbidden {
            None => Finding::Passed,
            Some(name) => {
                Finding::Failed(format!("l'intestazione del voucher contiene {name}, che non è ammesso"))
            }
        }
    }),
    (Check::KeyId, |token| {
        ensure(
            token.kid().is_some(),
            "nell'intestazione del voucher manca kid, che dice quale chiave lo ha firmato",
        )
    }),
];

/// How the token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Bearer`.
    Bearer,
    /// `DPoP`.
    Dpop,
}

/// What the rules of the claims look at.
pub(super) struct Case<'a> {
    pub(super) terms: &'a Terms,
    pub(super) claims: &'a Claims,
    pub(super) scheme: Scheme,
    /// The present instant, in milliseconds since the epoch.
    pub(super) now: i64,
}

type ClaimsRule = fn(&Case<'_>) -> Finding;

/// The rules of the claims, in order.
pub(super) const CLAIMS: [(Check, ClaimsRule); 17] = [
    (Check::Issuer, |case| {
        when(case.claims.iss.required(), |iss| {
            ensure(
                *iss == case.terms.issuer,
                "il voucher è di un altro emittente o di un altro ambiente di PDND",
            )
        })
    }),
    (Check::Times, |case| times(case.claims).into()),
    (Check::Expired, |case| {
        when(case.claims.exp.required(), |exp| {
            ensure(case.now < exp.saturating_mul(1000), "il voucher è scaduto: chiederne uno nuovo a PDND")
        })
    }),
    (Check::NotYetValid, |case| {
        let latest = case.now.saturating_add(LEEWAY_MS);
        let came = |instant: &Claim<i64>| {
            instant.get().is_some_and(|instant| instant.saturating_mul(1000) <= latest)
        };
        ensure(
            came(&case.claims.iat) && came(&case.claims.nbf),
            "il voucher non è ancora valido: iat o nbf sono nel futuro",
        )
    }),
    (Check::M2mToken, |case| {
        let own = |entry: &String| entry.strip_suffix("/m2m") == Some(case.terms.issuer.as_str());
        ensure(
            !case.claims.of_m2m && !case.claims.aud.get().is_some_and(|aud| aud.iter().any(own)),
            "il token è per le interfacce di PDND (machine-to-machine): serve un voucher per l'e-service, chiesto \
             indicando la finalità (purposeId)",
        )
    }),
    (Check::AsyncToken, |case| {
        ensure(
            !case.claims.of_async,
            "il voucher è per lo scambio asincrono, che questo e-service non prevede",
        )
    }),
    (Check::DpopBound, |case| match (case.scheme, case.terms.dpop) {
        (Scheme::Dpop, _) => when(case.claims.bound_to.required(), |_| Finding::Passed),
        (Scheme::Bearer, DpopPolicy::Refuse) => ensure(
            !case.claims.bound,
            "il voucher è legato a una chiave DPoP (cnf): chiederne a PDND uno senza prova DPoP",
        ),
        (Scheme::Bearer, _) => ensure(
            !case.claims.bound,
            "il voucher è legato a una chiave DPoP (cnf): inviarlo come Authorization: DPoP, con la prova di \
             possesso nell'intestazione DPoP",
        ),
    }),
    (Check::DpopRequired, |case| match case.terms.dpop {
        DpopPolicy::Require => ensure(
            case.scheme == Scheme::Dpop,
            "questo e-service accetta soltanto voucher legati a una chiave DPoP: chiederne uno a PDND con la prova \
             DPoP",
        ),
        DpopPolicy::Accept | DpopPolicy::Refuse => Finding::NotAsked,
    }),
    (Check::Audience, |case| {
        when(case.claims.aud.required(), |aud| {
            ensure(
                aud.iter().any(|entry| case.terms.audience.contains(entry)),
                "il voucher è per un'altra audience, non per quella di questo e-service",
            )
        })
    }),
    (Check::Purpose, |case| when(case.claims.purpose_id.required(), |_| Finding::Passed)),
    (Check::Client, |case| {
        when(case.claims.client_id.required(), |client| {
            when(case.claims.sub.optional(), |sub| {
                ensure(sub.is_none_or(|sub| sub == client), "nel voucher sub e client_id sono diversi")
            })
        })
    }),
    (Check::TokenId, |case| when(case.claims.jti.required(), |_| Finding::Passed)),
    (Check::Digest, |case| when(case.claims.digest.optional(), |_| Finding::Passed)),
    (Check::Producer, |case| {
        among(
            &case.claims.producer_id,
            &case.terms.producer,
            "il voucher è per un e-service di un altro erogatore",
        )
    }),
    (Check::Eservice, |case| {
        among(&case.claims.eservice_id, &case.terms.eservice, "il voucher è per un altro e-service")
    }),
    (Check::Descriptor, |case| {
        among(
            &case.claims.descriptor_id,
            &case.terms.descriptors,
            "il voucher è per una versione dell'e-service che qui non è attiva: usare quella pubblicata su PDND",
        )
    }),
    (Check::Consumer, |case| {
        among(
            &case.claims.consumer_id,
            &case.terms.consumers,
            "il fruitore non è fra quelli ammessi da questo e-service",
        )
    }),
];

fn ensure(holds: bool, otherwise: &str) -> Finding {
    if holds { Finding::Passed } else { Finding::Failed(otherwise.to_owned()) }
}

fn when<T>(claim: Result<T, String>, test: impl FnOnce(T) -> Finding) -> Finding {
    claim.map_or_else(|reason| Finding::Failed(format!("nel voucher {reason}")), test)
}

/// An id against those that are configured. One that cannot be read is refused even where nothing is configured: the
/// call log could not name it.
fn among(claim: &Claim<Uuid>, allowed: &[Uuid], otherwise: &str) -> Finding {
    if allowed.is_empty() {
        return when(claim.optional(), |_| Finding::NotAsked);
    }
    when(claim.required(), |id| ensure(allowed.contains(id), otherwise))
}

fn times(claims: &Claims) -> Result<(), String> {
    let required =
        |claim: &Claim<i64>| claim.required().copied().map_err(|reason| format!("nel voucher {reason}"));
    let (iat, nbf, exp) = (required(&claims.iat)?, required(&claims.nbf)?, required(&claims.exp)?);
    if exp <= iat || exp <= nbf {
        return Err("il voucher scade prima di cominciare a valere".to_owned());
    }
    if exp.saturating_sub(iat) > MAX_LIFE {
        return Err("il voucher dura più di 86400 secondi, il massimo che PDND concede".to_owned());
    }
    Ok(())
}
