//! One HTTP call to PDND, bounded in time and size. Redirects are not followed: credentials are for one address.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::error::PdndError;

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a call may take, answer included.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// The longest that is told of what an answer says, in characters.
const LONGEST_DETAIL: usize = 200;

/// Sends calls.
pub(super) struct Http(Agent);

/// What came back.
pub(super) struct Answer {
    address: String,
    pub(super) status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// What is sent.
#[derive(Clone, Copy)]
pub(super) struct Body<'a> {
    pub(super) content_type: &'a str,
    pub(super) bytes: &'a [u8],
}

impl Http {
    pub(super) fn new() -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .user_agent(concat!("waas-comuni/", env!("CARGO_PKG_VERSION")))
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .tls_config(tls)
            .build();
        Self(config.new_agent())
    }

    /// GETs `url`, or POSTs `body` to it. 429 and 5xx are errors.
    pub(super) fn call(
        &self,
        url: &str,
        bearer: Option<&SecretString>,
        body: Option<Body<'_>>,
    ) -> Result<Answer, PdndError> {
        let authorization = bearer.map(|token| format!("Bearer {}", token.expose_secret()));
        let sent = match body {
            None => {
                let request = self.0.get(url).header("Accept", "application/json");
                match authorization {
                    Some(value) => request.header("Authorization", value),
                    None => request,
                }
                .call()
            }
            Some(body) => {
                let request =
                    self.0.post(url).header("Accept", "application/json").content_type(body.content_type);
                match authorization {
                    Some(value) => request.header("Authorization", value),
                    None => request,
                }
                .send(body.bytes)
            }
        };
        let address = url.split('?').next().unwrap_or(url);
        let answer =
            sent.and_then(|response| Answer::read(address, response)).map_err(|source| match source {
                ureq::Error::BodyExceedsLimit(_) => {
                    PdndError::Unreadable { address: address.to_owned(), what: "it is too large".to_owned() }
                }
                source => PdndError::Unreachable { address: address.to_owned(), source: Box::new(source) },
            })?;
        if answer.status == 429 || answer.status >= 500 {
            let Answer { address, status, retry_after, .. } = answer;
            return Err(PdndError::Busy { address, status, retry_after });
        }
        Ok(answer)
    }
}

impl Answer {
    fn read(address: &str, mut response: Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| value.trim().parse().ok()).map(Duration::from_secs);
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec()?;
        Ok(Self { address: address.to_owned(), status: response.status().as_u16(), retry_after, body })
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON. It is not told: it may be a credential.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, PdndError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unreadable(&format!("line {}", error.line())))
    }

    pub(super) fn unreadable(&self, what: &str) -> PdndError {
        PdndError::Unreadable { address: self.address.clone(), what: what.to_owned() }
    }

    /// Whether the body names this code of an error. Where in the body it stands is not agreed.
    pub(super) fn names(&self, code: &str) -> bool {
        self.body.windows(code.len()).any(|window| window == code.as_bytes())
    }

    /// What a refusal says, for people: after a colon, or nothing.
    pub(super) fn detail(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let places = ["/errors/0/detail", "/detail", "/error_description", "/title", "/error"];
        let text = places.iter().find_map(|place| body.pointer(place)?.as_str());
        text.map_or_else(String::new, |text| format!(": {}", told(text)))
    }
}

/// The beginning of `text` on one line.
pub(super) fn told(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_DETAIL).collect()
}
