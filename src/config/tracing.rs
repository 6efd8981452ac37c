//! `[[tracing]]`: for whom the daily count of calls is made that PDND asks of its members, and how it is sent.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::{Config, Environment, load};

/// `[[tracing]]`: one member of PDND in one environment, which owes one file a day for all its e-services.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracing {
    /// The name by which commands, logs and metrics call it.
    pub name: String,
    /// Names of the e-services of this member, all of one environment.
    #[serde(deserialize_with = "load::strings")]
    pub eservices: Vec<String>,
    /// PDND's id of the member's client for interfaces of PDND (`interop API`).
    #[serde(default)]
    pub client_id: Option<String>,
    /// PDND's id of the public key that was loaded into the client.
    #[serde(default)]
    pub kid: Option<String>,
    /// The client's private RSA key, in PEM.
    #[serde(default)]
    pub key: Option<SecretString>,
    /// Instead of `key`, the file that holds it; read when it is needed, so that it can be changed under a running
    /// service.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Whether `serve` sends the file of each day by itself.
    #[serde(default)]
    pub daily: bool,
    /// Overrides the address of the tracing service that the environment implies.
    #[serde(default)]
    pub url: Option<String>,
    /// Overrides the address at which the environment gives M2M vouchers.
    #[serde(default)]
    pub token_url: Option<String>,
    /// Overrides the audience of the assertion with which an M2M voucher is asked for.
    #[serde(default)]
    pub assertion_audience: Option<String>,
}

impl Tracing {
    /// The environment of its e-services; none as long as they have not one and the same.
    #[must_use]
    pub fn environment(&self, config: &Config) -> Option<Environment> {
        let mut environments = config
            .eservice
            .iter()
            .filter(|one| self.eservices.contains(&one.name))
            .map(|one| one.environment);
        let first = environments.next()?;
        environments.all(|other| other == first).then_some(first)
    }
}

impl Environment {
    /// The address of the tracing service, where PDND defines it (facts of PDND, "Tracing").
    #[must_use]
    pub fn tracing_url(self) -> Option<&'static str> {
        match self {
            Self::Produzione => Some("https://api.tracing.interop.pagopa.it"),
            Self::Collaudo => Some("https://api.uat.tracing.interop.pagopa.it"),
            Self::Attestazione | Self::Locale => None,
        }
    }

    /// Where M2M vouchers are given (facts of PDND, "The M2M voucher").
    #[must_use]
    pub fn token_url(self) -> Option<&'static str> {
        match self {
            Self::Produzione => Some("https://auth.interop.pagopa.it/token.oauth2"),
            Self::Collaudo => Some("https://auth.uat.interop.pagopa.it/token.oauth2"),
            Self::Attestazione => Some("https://auth.att.interop.pagopa.it/token.oauth2"),
            Self::Locale => None,
        }
    }

    /// The audience of the assertion with which an M2M voucher is asked for.
    #[must_use]
    pub fn assertion_audience(self) -> Option<&'static str> {
        match self {
            Self::Produzione => Some("auth.interop.pagopa.it/client-assertion"),
            Self::Collaudo => Some("auth.uat.interop.pagopa.it/client-assertion"),
            Self::Attestazione => Some("auth.att.interop.pagopa.it/client-assertion"),
            Self::Locale => None,
        }
    }
}

/// Whether a credential may be sent to `url`: over `https:`, or over `http:` to this very machine by a local
/// e-service.
#[must_use]
pub fn is_safe_address(url: &str, environment: Environment) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        // What a name stands for is decided elsewhere.
        Some(url::Host::Domain(_)) | None => false,
    };
    plain
        && match url.scheme() {
            "https" => url.has_host(),
            "http" => loopback && environment == Environment::Locale,
            _ => false,
        }
}
