//! What a token's header and claims must satisfy: two ordered lists of rules, each a check and its test.
//!
//! The sources are PDND's documentation and the behaviour of its platform. The reasons of failures are Italian: they
//! go to the caller.

use serde_json::Value;
use uuid::Uuid;

use super::claims::{Claim, Claims};
use super::refusal::Check;
use super::token::Token;
use crate::config::EService;

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

type ClaimsRule = fn(&Terms, &Claims, i64) -> Finding;

/// The rules of the claims, in order. The last argument is the present instant, in milliseconds since the epoch.
pub(super) const CLAIMS: [(Check, ClaimsRule); 16] = [
    (Check::Issuer, |terms, claims, _| {
        when(claims.iss.required(), |iss| {
            ensure(*iss == terms.issuer, "il voucher è di un altro emittente o di un altro ambiente di PDND")
        })
    }),
    (Check::Times, |_, claims, _| times(claims).into()),
    (Check::Expired, |_, claims, now| {
        when(claims.exp.required(), |exp| {
            ensure(now < exp.saturating_mul(1000), "il voucher è scaduto: chiederne uno nuovo a PDND")
        })
    }),
    (Check::NotYetValid, |_, claims, now| {
        let came = |instant: &Claim<i64>| {
            instant.get().is_some_and(|instant| instant.saturating_mul(1000) <= now.saturating_add(LEEWAY_MS))
        };
        ensure(
            came(&claims.iat) && came(&claims.nbf),
            "il voucher non è ancora valido: iat o nbf sono nel futuro",
        )
    }),
    (Check::M2mToken, |terms, claims, _| {
        let own = |entry: &String| entry.strip_suffix("/m2m") == Some(terms.issuer.as_str());
        ensure(
            !claims.of_m2m && !claims.aud.get().is_some_and(|aud| aud.iter().any(own)),
            "il token è per le interfacce di PDND (machine-to-machine): serve un voucher per l'e-service, chiesto \
             indicando la finalità (purposeId)",
        )
    }),
    (Check::AsyncToken, |_, claims, _| {
        ensure(!claims.of_async, "il voucher è per lo scambio asincrono, che questo e-service non prevede")
    }),
    (Check::DpopBound, |_, claims, _| {
        ensure(
            !claims.bound,
            "il voucher è legato a una chiave DPoP (cnf): chiederne a PDND uno senza prova DPoP",
        )
    }),
    (Check::Audience, |terms, claims, _| {
        when(claims.aud.required(), |aud| {
            ensure(
                aud.iter().any(|entry| terms.audience.contains(entry)),
                "il voucher è per un'altra audience, non per quella di questo e-service",
            )
        })
    }),
    (Check::Purpose, |_, claims, _| when(claims.purpose_id.required(), |_| Finding::Passed)),
    (Check::Client, |_, claims, _| {
        when(claims.client_id.required(), |client| {
            when(claims.sub.optional(), |sub| {
                ensure(sub.is_none_or(|sub| sub == client), "nel voucher sub e client_id sono diversi")
            })
        })
    }),
    (Check::TokenId, |_, claims, _| when(claims.jti.required(), |_| Finding::Passed)),
    (Check::Digest, |_, claims, _| when(claims.digest.optional(), |_| Finding::Passed)),
    (Check::Producer, |terms, claims, _| {
        among(&claims.producer_id, &terms.producer, "il voucher è per un e-service di un altro erogatore")
    }),
    (Check::Eservice, |terms, claims, _| {
        among(&claims.eservice_id, &terms.eservice, "il voucher è per un altro e-service")
    }),
    (Check::Descriptor, |terms, claims, _| {
        among(
            &claims.descriptor_id,
            &terms.descriptors,
            "il voucher è per una versione dell'e-service che qui non è attiva: usare quella pubblicata su PDND",
        )
    }),
    (Check::Consumer, |terms, claims, _| {
        among(
            &claims.consumer_id,
            &terms.consumers,
            "il fruitore non è fra quelli ammessi da questo e-service",
        )
    }),
];

fn ensure(holds: bool, otherwise: &str) -> Finding {
    if holds { Finding::Passed } else { Finding::Failed(otherwise.to_owned()) }
}

fn when<T>(claim: Result<T, String>, test: impl FnOnce(T) -> Finding) -> Finding {
    claim.map_or_else(Finding::Failed, test)
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
    let (iat, nbf, exp) = (claims.iat.required()?, claims.nbf.required()?, claims.exp.required()?);
    if exp <= iat || exp <= nbf {
        return Err("il voucher scade prima di cominciare a valere".to_owned());
    }
    if exp.saturating_sub(*iat) > MAX_LIFE {
        return Err("il voucher dura più di 86400 secondi, il massimo che PDND concede".to_owned());
    }
    Ok(())
}
