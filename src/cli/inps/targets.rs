//! Several e-services in one run: a file that names them, and one report for all.

use std::path::{Path, PathBuf};

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::inps::{Base, InpsError, Report};

/// One e-service of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) name: String,
    url: String,
    pub(super) ca: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) issuer_key: Option<PathBuf>,
    pub(super) issuer_config: Option<PathBuf>,
    pub(super) since: Option<u64>,
    pub(super) cursor_file: Option<PathBuf>,
    codice_ente_pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    target: Vec<Target>,
}

/// The e-services in the file at `path`; or what is wrong with it.
pub(super) fn load(path: &Path) -> Result<Vec<Target>, String> {
    let wrong = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let Targets { target } = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    for one in &target {
        let of = |reason: String| wrong(format!("{}: {reason}", one.name));
        one.base().map_err(of)?;
        one.pattern().map_err(of)?;
        if one.issuer_key.is_some() != one.issuer_config.is_some() {
            return Err(of("issuer_key and issuer_config go together".to_owned()));
        }
        if one.token_file.is_some() && one.issuer_key.is_some() {
            return Err(of("it has a token_file and an issuer_key: one is enough".to_owned()));
        }
        if one.since.is_some() && one.cursor_file.is_some() {
            return Err(of("it has since and a cursor_file: one is enough".to_owned()));
        }
    }
    if target.is_empty() {
        return Err(wrong("there is no [[target]]".to_owned()));
    }
    Ok(target)
}

impl Target {
    pub(super) fn base(&self) -> Result<Base, String> {
        self.url.parse().map_err(|reason| format!("url: {reason}"))
    }

    pub(super) fn pattern(&self) -> Result<Option<Regex>, String> {
        let pattern = self.codice_ente_pattern.as_deref().map(Regex::new).transpose();
        pattern.map_err(|error| format!("codice_ente_pattern: {error}"))
    }
}

/// What was found of one of several e-services.
#[derive(Serialize)]
pub(super) struct TargetReport {
    name: String,
    /// None where it could not be reached.
    pub(super) report: Option<Report>,
    pub(super) error: Option<String>,
}

/// What was found of all of them.
#[derive(Serialize)]
pub(super) struct Reports {
    /// Whether every one was reached and every check holds.
    pub(super) passed: bool,
    pub(super) targets: Vec<TargetReport>,
}

impl TargetReport {
    pub(super) fn new(name: String, report: Result<Report, InpsError>) -> Self {
        match report {
            Ok(report) => Self { name, report: Some(report), error: None },
            Err(error) => Self { name, report: None, error: Some(error.to_string()) },
        }
    }

    fn passed(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.passed)
    }
}

impl Reports {
    pub(super) fn of(targets: Vec<TargetReport>) -> Self {
        Self { passed: targets.iter().all(TargetReport::passed), targets }
    }
}

impl std::fmt::Display for Reports {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for TargetReport { name, report, error } in &self.targets {
            writeln!(out, "== {name}")?;
            if let Some(report) = report {
                writeln!(out, "{report}")?;
            }
            if let Some(error) = error {
                writeln!(out, "{error}\n")?;
            }
        }
        writeln!(out, "In all")?;
        for target in &self.targets {
            let mark = if target.passed() { "ok  " } else { "FAIL" };
            let what = match (&target.report, &target.error) {
                (Some(report), _) => {
                    format!("{} flows, next --since {}", report.flows.total, report.next_since)
                }
                (None, Some(error)) => error.clone(),
                (None, None) => String::new(),
            };
            writeln!(out, "  {mark} {:<17} {what}", target.name)?;
        }
        Ok(())
    }
}
