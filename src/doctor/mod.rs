//! What is wrong with a deployment, seen from inside: configuration, database, keys, clock, certificate, disk, how
//! long INPS needs for what waits, and what PDND is owed.
//!
//! Each check gives findings that say what was found and how to mend it. Nothing is mended here, and nothing is
//! written but keys that were fetched.

mod backlog;
mod certificate;
mod database;
mod keys;
mod tracing;

use serde::Serialize;
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::check::{self, Severity as ConfigSeverity};

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// It does not work, or will not for long.
    Error,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was checked: a part of the deployment, or a key of the configuration.
    pub subject: String,
    /// What was found, and what it means.
    pub meaning: String,
    /// How to mend it; none where there is nothing to mend.
    pub remedy: Option<String>,
}

impl Finding {
    fn ok(subject: impl Into<String>, meaning: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject: subject.into(), meaning: meaning.into(), remedy: None }
    }

    fn bad(severity: Severity, subject: &str, meaning: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity, subject: subject.to_owned(), meaning: meaning.into(), remedy: Some(remedy.into()) }
    }
}

/// Everything that the checks find, in a fixed order. Blocks, and waits for the network.
#[must_use]
pub fn examine(config: &Config, clock: &Clock, runtime: &Runtime) -> Vec<Finding> {
    let mut findings = configuration(config);
    let store = database::examine(config, &mut findings);
    keys::examine(config, store.as_ref(), clock, runtime, &mut findings);
    certificate::examine(config, clock, &mut findings);
    if let Some(store) = &store {
        backlog::examine(config, store, clock, &mut findings);
        backlog::missing(store, clock, &mut findings);
    }
    tracing::examine(config, store.as_ref(), clock, &mut findings);
    findings
}

/// What the check of the public listener's certificate finds; nothing where it has none. Reads its files.
#[must_use]
pub fn certificate(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut findings = Vec::new();
    certificate::examine(config, clock, &mut findings);
    findings
}

fn configuration(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<_> = check::check(config)
        .into_iter()
        .map(|finding| {
            let severity = match finding.severity {
                ConfigSeverity::Wrong => Severity::Error,
                ConfigSeverity::Risky => Severity::Warning,
            };
            Finding::bad(severity, &finding.key, finding.message, finding.remedy)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", "nothing is wrong or risky"));
    }
    findings
}
