//! `benefits expire`: payloads whose time is over.

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use super::operator::operator;
use super::{CliError, Globals};
use crate::clock::Clock;
use crate::registry::Registry;
use crate::registry::retention::{Dropped, Retention};
use crate::retention;

/// Drop the payloads of flows that INPS accepted more than `retention.payload_days` days ago, as `serve` does daily.
///
/// A payload goes when every flow of its benefit is accepted. The flow in force of an active benefit stays, because a
/// cancellation repeats it, unless `retention.keep_for_cancellation` is false. A flow without payload is served no more;
/// its name, place and outcomes stay. Exit code 0: done, or nothing was to do; 1: the database cannot be used; 2:
/// `retention.payload_days` is not set.
#[derive(Debug, Parser)]
pub(super) struct Expire {
    /// Only tell how many would be dropped.
    #[arg(long)]
    dry_run: bool,
    /// Of this e-service alone.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Expire, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let eservices = match &args.eservice {
        Some(name) => vec![super::select(&config, Some(name))?],
        None => config.eservice.iter().collect(),
    };
    let clock = Clock::System;
    let retention = Retention::new(&config.retention, clock.now()).ok_or_else(|| {
        CliError::Usage("payloads are kept for ever: retention.payload_days is not set".to_owned())
    })?;
    let store = super::ready(&config)?;
    let mut told = Vec::new();
    for eservice in eservices {
        let id = store.register_eservice(&eservice.name)?;
        let dropped = if args.dry_run {
            let flussi = Registry::new(store.clone(), clock.clone()).droppable_payloads(id, retention)?;
            Dropped { flussi, elsewhere: false }
        } else {
            retention::drop_payloads(&store, &clock, &operator(), id, retention, &|| false)?
        };
        if args.json {
            told.push(json!({
                "eservice": eservice.name,
                "accepted_before": format!("{:.3}", retention.accepted_before),
                "dropped": dropped.flussi,
                "dry_run": args.dry_run,
                "elsewhere": dropped.elsewhere,
            }));
            continue;
        }
        let done = if args.dry_run { "Contenuti da eliminare" } else { "Contenuti eliminati" };
        say!(
            "{}: {done}: {} (accettati da INPS prima del {:.0}).",
            eservice.name,
            dropped.flussi,
            retention.accepted_before
        );
        if dropped.elsewhere {
            say!("  Un'altra istanza li sta già eliminando: il resto è suo.");
        }
    }
    if args.json {
        say!("{}", json!(told));
    }
    Ok(ExitCode::SUCCESS)
}
