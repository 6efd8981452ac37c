//! `calls prune`: entries whose time is over.

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use super::operator::operator;
use super::{CliError, Globals};
use crate::call_log::prune::{Pruning, prunable, prune};
use crate::clock::Clock;

/// Remove the entries of days that `call_log.retention_days` no longer covers, as `serve` does daily.
///
/// Their hashes are kept, so that what remains still verifies, and the removal is itself in the log. With a
/// `call_log.checkpoint_key`, only entries that a checkpoint vouches for are removed.
#[derive(Debug, Parser)]
pub(super) struct Prune {
    /// Only tell how many would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Prune {
    pub(super) fn run(&self, globals: &Globals) -> Result<ExitCode, CliError> {
        let config = globals.config()?;
        let store = super::ready(&config)?;
        let pruning = Pruning::new(&config.call_log, Clock::System.now());
        let logs = if self.dry_run {
            prunable(&store, pruning)?
        } else {
            prune(&store, &Clock::System, &operator(), pruning, &|| false)?
        };
        if self.json {
            let logs: Vec<_> =
                logs.iter().map(|log| json!({ "eservice": log.eservice, "entries": log.entries })).collect();
            let before = format!("{:.3}", pruning.before);
            say!("{}", json!({ "before": before, "dry_run": self.dry_run, "logs": logs }));
            return Ok(ExitCode::SUCCESS);
        }
        let done = if self.dry_run { "would be removed" } else { "removed" };
        for log in &logs {
            let name = log.eservice.as_deref().unwrap_or("-");
            say!("{name}: {} entries from before {:.0} {done}", log.entries, pruning.before);
        }
        Ok(ExitCode::SUCCESS)
    }
}
