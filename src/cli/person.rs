//! A person named at the command line, without leaving the code in the shell's history.

use std::io::{IsTerminal, stdin};

use crate::call_log::search::About;
use crate::cli::CliError;
use crate::config::Config;
use crate::siuss::pseudonym::Key;
use crate::siuss::values::{CodiceFiscale, Value as _};

/// What stands for a code that is read from standard input.
const ASK: &str = "-";
/// The longest code that is read, in characters.
const LONGEST: usize = 64;

/// The person whose code is `given`, or comes from standard input. A child in care is found by the fiscal code too,
/// where the configuration has the key that makes the child's code of it.
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
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(CliError::Usage("a fiscal code or the code of a child in care is expected".to_owned()));
    }
    // A fiscal code is kept in capitals; a child's code as it was given.
    let Some(code) = CodiceFiscale::read(text) else { return Ok(About::Person(vec![text.to_owned()])) };
    let key = config.sinba.pseudonym_key.clone().and_then(Key::new);
    let pseudonym = key.and_then(|key| key.pseudonym(&code));
    Ok(About::Person(std::iter::once(code.as_str().to_owned()).chain(pseudonym).collect()))
}
