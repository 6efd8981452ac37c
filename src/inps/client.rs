//! One HTTP call, bounded in time and size. Redirects are not followed: INPS's voucher is for one address.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use url::Url;

use super::InpsError;

/// The largest page that is read, in bytes. A hundred flows of the contract's largest size would be four times as
/// much, but a flow of one benefit has some thousands.
const LARGEST_PAGE: u64 = 256 * 1024 * 1024;
/// The largest answer that is not a page, in bytes.
const LARGEST_OTHER: u64 = 1024 * 1024;
/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a call may take, answer included.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the e-service is: what comes before `/status`, `/flussi` and `/esiti`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("write an http: or https: address".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err("write the base path only, such as https://waas.comune.example.it/waas/v1".to_owned());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

/// What a service answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `Content-Type` in lower case, without parameters; empty where there is none.
    pub(super) media_type: String,
    pub(super) retry_after: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Whether the caller is asked to come again later.
    pub(super) fn defers(&self) -> bool {
        matches!(self.status, 429 | 503)
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

pub(super) struct Client {
    agent: Agent,
    base: Base,
}

impl Client {
    /// A client that trusts the certificate authorities in `ca`, otherwise those of the machine.
    pub(super) fn new(base: &Base, ca: Option<&PathBuf>) -> Result<Self, InpsError> {
        let roots = match ca {
            Some(path) => {
                let pem =
                    std::fs::read(path).map_err(|source| InpsError::File { path: path.clone(), source })?;
                let certificates: Vec<_> = parse_pem(&pem)
                    .filter_map(|item| match item {
                        Ok(PemItem::Certificate(certificate)) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                if certificates.is_empty() {
                    return Err(InpsError::NoCertificate(path.clone()));
                }
                RootCerts::from(certificates)
            }
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent = Agent::config_builder()
            .user_agent(concat!("waas-comuni-inps/", env!("CARGO_PKG_VERSION")))
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self { agent, base: base.clone() })
    }

    /// GETs `path`, or POSTs `body` to it as JSON.
    pub(super) fn call(
        &self,
        path: &str,
        voucher: Option<&str>,
        body: Option<&str>,
    ) -> Result<Answer, ureq::Error> {
        let url = format!("{}{path}", self.base.0);
        let authorization = voucher.map(|voucher| format!("Bearer {voucher}"));
        let mut response = match body {
            None => {
                let request =
                    self.agent.get(url).header("Accept", "application/json, application/problem+json");
                match authorization {
                    Some(value) => request.header("Authorization", value),
                    None => request,
                }
                .call()?
            }
            Some(body) => {
                let request = self.agent.post(url).content_type("application/json");
                match authorization {
                    Some(value) => request.header("Authorization", value),
                    None => request,
                }
                .send(body)?
            }
        };
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let media_type = header("content-type").and_then(|value| value.split(';').next()).unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        let retry_after = header("retry-after").map(str::to_owned);
        let status = response.status().as_u16();
        let limit = if status == 200 { LARGEST_PAGE } else { LARGEST_OTHER };
        let body = response.body_mut().with_config().limit(limit).read_to_vec()?;
        Ok(Answer { status, media_type, retry_after, body })
    }
}
