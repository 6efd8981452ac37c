//! What is wrong with a configuration, and what is risky: `config check`, and the first thing that `serve` does.
//!
//! Findings about the configuration and the files of keys and secrets that it names. What only a running deployment can
//! tell (is the database there, are the keys fresh) is not judged here.

mod checkpoints;
pub(crate) mod database;
mod enti;
mod listeners;
mod tracing;

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use super::{AuditPolicy, Config, DpopPolicy, EService, Environment};
use crate::siuss::pseudonym;
use crate::siuss::rules::Severities;
use listeners::is_loopback;

pub use listeners::Network;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `serve` refuses to start.
    Wrong,
    /// It works, and should not stay so in production.
    Risky,
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The key that it is about.
    pub key: String,
    /// The e-service behind an index in the key, and its file, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What it means.
    pub message: String,
    /// How to mend it.
    pub remedy: String,
}

impl Finding {
    fn wrong(key: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Wrong, key.into(), message.into(), remedy.into())
    }

    fn risky(key: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Risky, key.into(), message.into(), remedy.into())
    }

    fn new(severity: Severity, key: String, message: String, remedy: String) -> Self {
        Self { severity, key, place: None, message, remedy }
    }

    /// The key, and the place where it stands.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.place {
            Some(place) => format!("{} ({place})", self.key),
            None => self.key.clone(),
        }
    }
}

/// Everything that is wrong with or risky about `config`, the e-services in their order.
#[must_use]
pub fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    database::check(config, &mut findings);
    listeners::check(config, &mut findings);
    check_files(config, &mut findings);
    checkpoints::check(config, &mut findings);
    if config.call_log.retention_days < 30 {
        findings.push(Finding::risky(
            "call_log.retention_days",
            "entries of the call log would be dropped within a month",
            "set at least 30 days; 365 is the default",
        ));
    }
    check_retention(config, &mut findings);
    check_records(config, &mut findings);
    let collector = config.telemetry.otlp_traces_url.as_deref();
    if collector.is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        findings.push(Finding::wrong(
            "telemetry.otlp_traces_url",
            "traces are not sent there",
            "write for example http://127.0.0.1:4318/v1/traces",
        ));
    }
    if config.eservice.is_empty() {
        findings.push(Finding::wrong(
            "eservice",
            "no e-service is configured: there is nothing to serve",
            "add an [[eservice]] section",
        ));
    }
    let mut names = HashSet::new();
    let mut base_paths = HashSet::new();
    for (index, eservice) in config.eservice.iter().enumerate() {
        let section = format!("eservice[{index}]");
        if !names.insert(eservice.name.as_str()) {
            findings.push(Finding::wrong(
                format!("{section}.name"),
                format!("the name {:?} is used by two e-services", eservice.name),
                "give each e-service a name of its own",
            ));
        }
        if !base_paths.insert(eservice.base_path.as_str()) {
            findings.push(Finding::wrong(
                format!("{section}.base_path"),
                format!("the base path {:?} is used by two e-services", eservice.base_path),
                "give each e-service a base path of its own",
            ));
        }
        check_eservice(&section, eservice, config, &mut findings);
    }
    enti::check_together(config, &mut findings);
    tracing::check(config, &mut findings);
    for finding in &mut findings {
        finding.place = place(config, &finding.key);
    }
    findings
}

/// Which of several e-services `key` is about.
fn place(config: &Config, key: &str) -> Option<String> {
    let (index, _) = key.strip_prefix("eservice[")?.split_once(']')?;
    let EService { name, file, .. } = config.eservice.get(index.parse::<usize>().ok()?)?;
    match file {
        Some(file) => Some(format!("{name:?} in {}", file.display())),
        None => (config.eservice.len() > 1).then(|| format!("{name:?}")),
    }
}

fn check_retention(config: &Config, findings: &mut Vec<Finding>) {
    let retention = &config.retention;
    match retention.payload_days {
        Some(days) if days < 30 => findings.push(Finding::risky(
            "retention.payload_days",
            "the payload of a flow would be dropped within a month, while INPS may still change its mind about it",
            "set at least 30 days, or leave it out to keep payloads for ever",
        )),
        None if !retention.keep_for_cancellation => findings.push(Finding::risky(
            "retention.keep_for_cancellation",
            "it says nothing as long as payloads are kept for ever",
            "set retention.payload_days, or leave both out",
        )),
        _ => {}
    }
}

fn check_records(config: &Config, findings: &mut Vec<Finding>) {
    for (code, error) in Severities::new(&config.rules).err().unwrap_or_default() {
        findings.push(Finding::wrong(
            format!("rules.{code}"),
            error.to_string(),
            "see `check --rules` for the codes, and which of them can be changed",
        ));
    }
    let key = config.sinba.pseudonym_key.clone();
    if key.is_some_and(|key| pseudonym::Key::new(key).is_none()) {
        findings.push(Finding::wrong(
            "sinba.pseudonym_key",
            format!("the key is shorter than {} characters", pseudonym::SHORTEST_KEY),
            "make one with `openssl rand -hex 32`, and keep a copy: with another key, children get other codes",
        ));
    }
}

/// Finds certificates and keys that cannot be read, and keys and secrets that other users of the machine can read.
fn check_files(config: &Config, findings: &mut Vec<Finding>) {
    let (api, back_office) = (config.api.tls.as_ref(), config.back_office.tls.as_ref());
    let keys = [
        ("api.tls.key", api.map(|tls| &tls.key)),
        ("back_office.tls.key", back_office.map(|tls| &tls.key)),
        ("call_log.checkpoint_key", config.call_log.checkpoint_key.as_ref()),
    ];
    let certificates = [
        ("api.tls.certificate", api.map(|tls| &tls.certificate)),
        ("back_office.tls.certificate", back_office.map(|tls| &tls.certificate)),
    ];
    let secrets = [
        ("database.url_file", config.database.url_file.as_ref()),
        ("database.replica_url_file", config.database.replica_url_file.as_ref()),
        ("sinba.pseudonym_key_file", config.sinba.pseudonym_key_file.as_ref()),
    ];
    findings
        .extend(certificates.iter().chain(&keys).filter_map(|(key, path)| unreadable(key, path.as_ref()?)));
    findings.extend(keys.iter().chain(&secrets).filter_map(|(key, path)| exposed(key, path.as_ref()?)));
}

/// The finding of a file that is not there, or not for this user.
fn unreadable(key: &str, path: &Path) -> Option<Finding> {
    let error = File::open(path).err()?;
    let remedy = if key == "call_log.checkpoint_key" {
        "make it with `waas-comuni calls keygen`, or write where it is"
    } else {
        "write where it is, and let the user that the service runs as read it"
    };
    Some(Finding::wrong(key, format!("{} cannot be read: {error}", path.display()), remedy))
}

/// The finding of a file that other users of the machine can read.
fn exposed(key: &str, path: &Path) -> Option<Finding> {
    let mode = path.metadata().ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        Finding::risky(
            key,
            format!("others on this machine can read {}", path.display()),
            format!("chmod 600 {}", path.display()),
        )
    })
}

fn check_eservice(section: &str, eservice: &EService, config: &Config, findings: &mut Vec<Finding>) {
    let key = |name: &str| format!("{section}.{name}");
    if eservice.name.is_empty() {
        findings.push(Finding::wrong(
            key("name"),
            "the e-service has no name",
            "give it one, for example \"produzione\"",
        ));
    }
    if !is_base_path(&eservice.base_path) {
        findings.push(Finding::wrong(
            key("base_path"),
            format!("{:?} is not a path such as /waas/v1", eservice.base_path),
            "begin with a slash, end without one, and use letters, digits, '-', '.', '_' and '/' only",
        ));
    }
    if eservice.audience.is_empty() {
        findings.push(Finding::wrong(
            key("audience"),
            "no audience is named, so no voucher could be for this e-service",
            "copy the audience from the e-service's card on PDND",
        ));
    }
    if regex::Regex::new(&eservice.codice_ente_pattern).is_err() {
        findings.push(Finding::wrong(
            key("codice_ente_pattern"),
            "it is not a regular expression",
            "leave it out for Belfiore codes",
        ));
    }
    if eservice.daily_calls_per_consumer == 0 || eservice.daily_calls_total == 0 {
        findings.push(Finding::risky(
            key("daily_calls_total"),
            "a threshold of zero refuses every call",
            "set the thresholds that the e-service declares on PDND",
        ));
    }
    check_keys(section, eservice, config, findings);
    check_ids(section, eservice, findings);
    enti::check(section, eservice, findings);
}

fn check_keys(section: &str, eservice: &EService, config: &Config, findings: &mut Vec<Finding>) {
    let key = |name: &str| format!("{section}.{name}");
    if eservice.issuer().is_none() {
        findings.push(Finding::wrong(
            key("issuer"),
            "a local e-service has no issuer of its own",
            "name the issuer that `voucher issue` uses",
        ));
    }
    match eservice.jwks_url() {
        None => findings.push(Finding::wrong(
            key("jwks_url"),
            "a local e-service has no keys of its own",
            "give the file that `voucher keygen` wrote, as file:PATH",
        )),
        Some(url) if url.starts_with("file:") => {
            if eservice.environment != Environment::Locale {
                findings.push(Finding::risky(
                    key("jwks_url"),
                    "keys from a file do not follow the rotation of PDND's",
                    "leave jwks_url out, or use https",
                ));
            }
        }
        Some(url) if url.starts_with("https://") => {}
        Some(url) => findings.push(Finding::wrong(
            key("jwks_url"),
            format!("keys are not read from {url:?}"),
            "use an https: or a file: address",
        )),
    }
    match eservice.audit_jwks_url.as_deref() {
        None if eservice.audit == AuditPolicy::Verify => findings.push(Finding::wrong(
            key("audit_jwks_url"),
            "the signature of evidence cannot be verified without keys",
            "name the keys with which the consumer signs, or set audit to \"match\"",
        )),
        Some(url) if !url.starts_with("https://") && !url.starts_with("file:") => {
            findings.push(Finding::wrong(
                key("audit_jwks_url"),
                format!("keys are not read from {url:?}"),
                "use an https: or a file: address",
            ));
        }
        _ => {}
    }
    if eservice.dpop == DpopPolicy::Require && config.api.public_url.is_none() {
        findings.push(Finding::wrong(
            key("dpop"),
            "the proofs that it requires name the service's public address, and none is configured",
            "set api.public_url",
        ));
    }
    if eservice.environment == Environment::Locale && !is_loopback(&config.api.bind) {
        findings.push(Finding::wrong(
            key("environment"),
            "a local issuer's vouchers would be accepted on an address that others can reach",
            "bind api.bind to 127.0.0.1, or use PDND's collaudo",
        ));
    }
}

fn check_ids(section: &str, eservice: &EService, findings: &mut Vec<Finding>) {
    let ids = [
        ("producer_id", eservice.producer_id.as_slice()),
        ("eservice_id", eservice.eservice_id.as_slice()),
        ("descriptor_ids", eservice.descriptor_ids.as_slice()),
        ("consumer_ids", eservice.consumer_ids.as_slice()),
    ];
    for (name, values) in ids {
        for value in values.iter().filter(|value| Uuid::try_parse(value).is_err()) {
            findings.push(Finding::wrong(
                format!("{section}.{name}"),
                format!("{value:?} is not a UUID, as all ids of PDND are"),
                "copy it from the e-service's card on PDND",
            ));
        }
    }
    if eservice.environment == Environment::Locale {
        return;
    }
    let key = |name: &str| format!("{section}.{name}");
    let bound = eservice.producer_id.is_some()
        || (eservice.eservice_id.is_some() && !eservice.descriptor_ids.is_empty());
    if !bound {
        let message = "any member of PDND could obtain a voucher that passes, with an e-service of its own and the \
                       same audience";
        let remedy = "set producer_id, or eservice_id and descriptor_ids, from the e-service's card on PDND";
        findings.push(if eservice.accept_vouchers_of_any_eservice {
            Finding::risky(key("accept_vouchers_of_any_eservice"), message, remedy)
        } else {
            Finding::wrong(key("producer_id"), message, remedy)
        });
    }
    if eservice.consumer_ids.is_empty() {
        let message = "every consumer of the e-service could pull, not INPS alone";
        let remedy = "set consumer_ids to INPS's id on PDND";
        findings.push(if eservice.accept_any_consumer {
            Finding::risky(key("accept_any_consumer"), message, remedy)
        } else {
            Finding::wrong(key("consumer_ids"), message, remedy)
        });
    }
}

fn is_base_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.ends_with('/')
        && !path.contains("//")
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte))
}
