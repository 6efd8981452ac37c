//! Logs: where they go and in which form. What they say is decided where it happens; never a personal datum, never a
//! token. Traces are in [`span`].

pub mod span;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The form of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object in each line.
    Json,
    /// For people.
    Text,
}

/// Sends logs to standard error, in `format`; `verbosity` 0 is warnings and, unless `quiet`, what the service does;
/// 1 is more, 2 all.
///
/// `RUST_LOG` overrides the verbosity.
pub fn start(format: LogFormat, verbosity: u8, quiet: bool) {
    let level = match verbosity {
        0 if quiet => "error",
        0 => "warn,waas_comuni=info",
        1 => "info,waas_comuni=debug",
        _ => "debug,waas_comuni=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (as tests do) keeps the first one's form.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
