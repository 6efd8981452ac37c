//! `openapi`: the contract to publish on PDND.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use super::{CliError, Globals, select};
use crate::api::openapi::document;

/// Print the OpenAPI file of an e-service, to be published on PDND: the same bytes that the server gives at openapi.yaml.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// The e-service; needed when there are several.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let eservice = select(&config, args.eservice.as_deref())?;
    write!(std::io::stdout(), "{}", document(eservice, config.api.public_url.as_deref()))?;
    Ok(ExitCode::SUCCESS)
}
