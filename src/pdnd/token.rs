//! The M2M voucher with which the provider speaks to PDND's own interfaces: asked for with an assertion that the
//! client's key signs (facts of PDND, "The M2M voucher"), and kept in memory for as long as it lives.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use super::error::PdndError;
use super::http::{Body, Http};
use crate::clock::Clock;
use crate::voucher::issuer::Signer;

/// Seconds that an assertion lives.
const ASSERTION_LIFE: i64 = 600;
/// The longest that a voucher is kept, whatever its answer says, in seconds.
const LONGEST_LIFE: i64 = 600;
/// Seconds before its end at which a voucher is no longer used: a call takes time.
const MARGIN: i64 = 60;

/// Where the private key is.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Here, in PEM.
    Pem(SecretString),
    /// In this file, in PEM.
    File(PathBuf),
}

impl KeySource {
    /// The key, read anew.
    pub fn read(&self) -> Result<Signer, PdndError> {
        let pem = match self {
            Self::Pem(pem) => pem.expose_secret().to_owned(),
            Self::File(path) => fs::read_to_string(path)
                .map_err(|error| PdndError::Key(format!("{}: {error}", path.display())))?,
        };
        // OpenSSL would ask the terminal for the passphrase, and wait.
        if pem.contains("ENCRYPTED") {
            return Err(PdndError::Key("it has a passphrase, which nobody is there to type".to_owned()));
        }
        Signer::from_pem(pem.as_bytes()).map_err(|error| PdndError::Key(error.to_string()))
    }
}

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Client {
    /// PDND's id of the client.
    pub client_id: Uuid,
    /// PDND's id of its key.
    pub kid: String,
    /// The key.
    pub key: KeySource,
    /// Where vouchers are given.
    pub token_url: String,
    /// For whom the assertion is.
    pub audience: String,
}

/// The voucher of one client.
pub(super) struct Tokens {
    client: Client,
    clock: Clock,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: SecretString,
    obtained: Timestamp,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
    token_type: String,
    expires_in: i64,
}

impl Tokens {
    pub(super) fn new(client: Client, clock: Clock) -> Self {
        Self { client, clock, held: Mutex::new(None) }
    }

    /// A voucher that is good for a while.
    pub(super) fn get(&self, http: &Http) -> Result<SecretString, PdndError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some(held) = held.as_ref().filter(|held| (held.obtained..held.until).contains(&now)) {
            return Ok(held.token.clone());
        }
        let (token, life) = self.ask(http, now)?;
        let until = now.checked_add(SignedDuration::from_secs(life - MARGIN)).unwrap_or(now);
        *held = Some(Held { token: token.clone(), obtained: now, until });
        Ok(token)
    }

    /// Forgets the voucher: it was not accepted.
    pub(super) fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A new voucher, and how many seconds it lives.
    fn ask(&self, http: &Http, now: Timestamp) -> Result<(SecretString, i64), PdndError> {
        let assertion = self.assertion(now)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client.client_id.to_string())
            .append_pair("client_assertion", &assertion)
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .finish();
        let body = Body { content_type: "application/x-www-form-urlencoded", bytes: form.as_bytes() };
        let answer = http.call(&self.client.token_url, None, Some(body))?;
        if answer.status != 200 {
            return Err(PdndError::NoVoucher { status: answer.status, detail: answer.detail() });
        }
        let given: Given = answer.json()?;
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !given.token_type.eq_ignore_ascii_case("bearer") || !is_token(given.access_token.expose_secret()) {
            return Err(answer.unreadable("it is no voucher to be used as Bearer"));
        }
        Ok((given.access_token, given.expires_in.clamp(0, LONGEST_LIFE)))
    }

    fn assertion(&self, now: Timestamp) -> Result<String, PdndError> {
        let Client { client_id, kid, audience, .. } = &self.client;
        let header = json!({ "kid": kid, "alg": "RS256", "typ": "JWT" });
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": Uuid::new_v4(),
            "iat": now.as_second(),
            "exp": now.as_second().saturating_add(ASSERTION_LIFE),
        });
        let signer = self.client.key.read()?;
        signer
            .sign(&header.to_string(), &claims.to_string())
            .map_err(|error| PdndError::Key(error.to_string()))
    }
}
