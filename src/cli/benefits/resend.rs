//! `benefits resend`: makes INPS hold what the registry has.

use std::process::ExitCode;

use clap::Parser;

use super::{CliError, Globals, Which};
use crate::call_log::action::Kind;

/// Publish again what INPS refused of a benefit: an insertion as it stands, or a cancellation.
///
/// An insertion carries the ente as the configuration describes it. Nothing is published when INPS refused nothing.
///
/// Exit code 0: it is done, or there was nothing to do; 1: there is no such benefit; 2: there are several, of which
/// --id names one; 3: it cannot be done.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let held = args.which.find(globals)?;
    let (place, found) = (&held.place, held.only()?);
    let ente = place.ente(&found.codice_ente)?;
    let published = place
        .registry
        .resend(place.id, &ente, found.id)?
        .ok_or_else(|| CliError::Failed("the registry holds no such benefit".to_owned()))?;
    place.log(Kind::BenefitResent, found.id, &published.verdict)?;
    Ok(super::answer(found.id, &published.verdict, args.json))
}
