//! The command line: see [`waas_comuni::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    waas_comuni::cli::main()
}
