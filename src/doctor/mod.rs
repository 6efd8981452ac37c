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

/// What a [`Finding`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// The configuration.
    Configuration,
    /// The database, and the disk on which it is.
    Database,
    /// The keys of the issuers, and the clock by which vouchers are judged.
    Keys,
    /// The certificate of the public listener.
    Certificate,
    /// What waits for INPS, and what a restore may have lost.
    Backlog,
    /// The daily count for PDND.
    Tracing,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub topic: Topic,
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
        let topic = Topic::Configuration;
        Self { topic, severity: Severity::Ok, subject: subject.into(), meaning: meaning.into(), remedy: None }
    }

    fn bad(severity: Severity, subject: &str, meaning: impl Into<String>, remedy: impl Into<String>) -> Self {
        let topic = Topic::Configuration;
        let (subject, meaning, remedy) = (subject.to_owned(), meaning.into(), Some(remedy.into()));
        Self { topic, severity, subject, meaning, remedy }
    }
}

/// Adds what `check` finds, as findings about `topic`.
fn about<T>(topic: Topic, findings: &mut Vec<Finding>, check: impl FnOnce(&mut Vec<Finding>) -> T) -> T {
    let mut found = Vec::new();
    let result = check(&mut found);
    findings.extend(found.into_iter().map(|finding| Finding { topic, ..finding }));
    result
}

/// Everything that the checks find, in a fixed order. Blocks, and waits for the network.
#[must_use]
pub fn examine(config: &Config, clock: &Clock, runtime: &Runtime) -> Vec<Finding> {
    let mut findings = configuration(config);
    let all = &mut findings;
    let store = about(Topic::Database, all, |found| database::examine(config, found));
    about(Topic::Keys, all, |found| keys::examine(config, store.as_ref(), clock, runtime, found));
    about(Topic::Certificate, all, |found| certificate::examine(config, clock, found));
    if let Some(store) = &store {
        about(Topic::Backlog, all, |found| {
            backlog::examine(config, store, clock, found);
            backlog::missing(config, store, clock, found);
        });
    }
    about(Topic::Tracing, all, |found| tracing::examine(config, store.as_ref(), clock, found));
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
            Finding::bad(severity, &finding.subject(), finding.message, finding.remedy)
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", "nothing is wrong or risky"));
    }
    findings
}
