//! A person named at the command line, without leaving the code in the shell's history.

use std::io::{IsTerminal, stdin};

use crate::call_log::search::About;
use crate::cli::CliError;
use crate::config::Config;

/// What stands for a code that is read from standard input.
const ASK: &str = "-";

/// The person whose code is `given`, or comes from standard input.
pub(super) fn person(given: &str, config: &Config) -> Result<About, CliError> {
    let mut line = String::new();
    let text = if given == ASK {
        if stdin().is_terminal() {
            eprint!("Fiscal code, or code of a child in care: ");
        }
        stdin().read_line(&mut line)?;
        line.trim()
    } else {
        given
    };
    About::person(text, config)
        .ok_or_else(|| CliError::Usage("a fiscal code or the code of a child in care is expected".to_owned()))
}
