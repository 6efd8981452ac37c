//! From a `[[tracing]]` section to what sends its files.

use uuid::Uuid;

use super::service::Service;
use super::settle::Settler;
use super::token::{Client, KeySource};
use crate::clock::Clock;
use crate::config::{Config, Tracing};
use crate::store::Store;

/// A section does not say what is needed to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the [[tracing]] section {section:?} lacks {key}: without it a file can be written (`tracing export`), not sent"
)]
pub struct Incomplete {
    /// Name of the section.
    pub section: String,
    /// The key that is missing or wrong.
    pub key: &'static str,
}

/// The key of the section's client, where it has one.
#[must_use]
pub fn key_source(section: &Tracing) -> Option<KeySource> {
    let pem = section.key.clone().map(KeySource::Pem);
    pem.or_else(|| section.key_file.clone().map(KeySource::File))
}

/// What sends the files of `section`, as `holder`. Nothing is read or sent yet.
pub fn settler(
    config: &Config,
    section: &Tracing,
    store: Store,
    clock: Clock,
    holder: String,
) -> Result<Settler, Incomplete> {
    let incomplete = |key| Incomplete { section: section.name.clone(), key };
    let environment = section.environment(config).ok_or_else(|| incomplete("eservices"))?;
    let given = |own: &Option<String>, implied: Option<&str>, key| {
        own.clone().or_else(|| implied.map(str::to_owned)).ok_or_else(|| incomplete(key))
    };
    let id = section.client_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
    let client = Client {
        client_id: id.ok_or_else(|| incomplete("client_id"))?,
        kid: section.kid.clone().ok_or_else(|| incomplete("kid"))?,
        key: key_source(section).ok_or_else(|| incomplete("key_file"))?,
        token_url: given(&section.token_url, environment.token_url(), "token_url")?,
        audience: given(&section.assertion_audience, environment.assertion_audience(), "assertion_audience")?,
    };
    let url = given(&section.url, environment.tracing_url(), "url")?;
    Ok(Settler {
        name: section.name.clone(),
        eservices: section.eservices.clone(),
        retention_days: config.call_log.retention_days,
        holder,
        store,
        clock: clock.clone(),
        service: Service::new(&url, client, clock),
    })
}
