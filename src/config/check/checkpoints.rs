//! What is wrong with or risky about the checkpoints of the call log.

use std::path::Path;

use rustix::fs::{Access, access};

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) {
    let log = &config.call_log;
    if log.checkpoint_key.is_none() {
        findings.push(Finding::risky(
            "call_log.checkpoint_key",
            "without a key the call log cannot be signed: whoever owns the database could write it again",
            "make one with `waas-comuni calls keygen`, and name its file here",
        ));
    } else if log.checkpoint_file.is_none() {
        findings.push(Finding::risky(
            "call_log.checkpoint_file",
            "checkpoints are kept in the database alone, whose owner could cut the log and them",
            "name a file outside the database, best on a machine of somebody else",
        ));
    }
    if let Some(file) = log.checkpoint_file.as_ref().filter(|file| !is_writable(file)) {
        findings.push(Finding::risky(
            "call_log.checkpoint_file",
            format!(
                "{} cannot be written by this account: checkpoints would be in the database alone",
                file.display()
            ),
            "make its folder, and let the service's account write there",
        ));
    }
    if !(1..=60).contains(&log.checkpoint_minutes) {
        findings.push(Finding::wrong(
            "call_log.checkpoint_minutes",
            format!("{} minutes are not between 1 and 60", log.checkpoint_minutes),
            "leave it out for a checkpoint every hour",
        ));
    }
    if log.witness_url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://"))
    {
        findings.push(Finding::wrong(
            "call_log.witness_url",
            "checkpoints are not sent there",
            "use an https: address",
        ));
    }
    if log.origin.as_ref().is_some_and(|origin| {
        origin.is_empty()
            || origin.contains(|char: char| char.is_whitespace() || char.is_control() || char == '+')
    }) {
        findings.push(Finding::wrong(
            "call_log.origin",
            "the name of a log is not empty, and has neither spaces nor '+'",
            "write for example waas.comune.example.it",
        ));
    }
}

/// Whether a line can be added to the file, or the file be made. Nothing is made to find out.
fn is_writable(file: &Path) -> bool {
    if file.exists() {
        return access(file, Access::WRITE_OK).is_ok();
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}
