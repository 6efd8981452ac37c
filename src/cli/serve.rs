//! `serve`: the public API and the back office, until the process is told to stop.

use std::pin::pin;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use super::{CliError, Globals};
use crate::api::server::{self, StartError};
use crate::clock::Clock;

/// Serve the e-services of the configuration to INPS, and the health checks to the ente's own people.
///
/// SIGTERM and SIGINT stop it: calls in flight finish first. SIGHUP makes it read the configuration again, files and
/// secrets, and take it over without losing a call; one that is wrong, or that changes what needs a restart (addresses,
/// database), is refused whole, and said so in the log. Exit code 1: it could not start, for instance because the database
/// did not come within `database.startup_seconds`; 2: the configuration is wrong.
#[derive(Debug, Parser)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let runtime = super::runtime()?;
    let done = runtime.block_on(async {
        let mut told = pin!(interrupted()?);
        // Before the configuration is read: what changes after that is asked for again.
        let mut hangup = signal(SignalKind::hangup())?;
        let config = globals.config()?;
        let mut running = tokio::select! {
            running = server::start(&config, Clock::System) => running?,
            () = &mut told => return Ok(ExitCode::SUCCESS),
        };
        loop {
            tokio::select! {
                () = &mut told => break,
                _ = hangup.recv() => {
                    tracing::info!("reading the configuration again");
                    // What becomes of it is told there.
                    let _ = running.reload(globals.read_config()).await;
                }
            }
        }
        tracing::info!("stopping: calls in flight finish first");
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    });
    // What still waits for a silent database would keep the process for as long.
    runtime.shutdown_background();
    done
}

/// Waits until the process is told to stop: from this moment on, not only when it is awaited. Needs a tokio runtime.
pub(super) fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Wrong(findings) => Self::WrongConfig(findings),
            StartError::Store(error) => error.into(),
            other => Self::Failed(other.to_string()),
        }
    }
}
