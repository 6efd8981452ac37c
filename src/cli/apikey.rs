//! `apikey`: the keys with which vendors' software registers benefits.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;

use super::operator::operator;
use super::{CliError, Globals};
use crate::call_log::action::{self, Action, Kind};
use crate::clock::Clock;
use crate::vendor::keys::{self, Listed};

/// Manage the keys with which vendors' software registers benefits on the back-office listener.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Make a key and print it: it is shown this once, and kept only as a hash.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni apikey add gestionale-mensa --ente H501
  waas-comuni apikey revoke gestionale-mensa")]
struct Add {
    /// Its name: under it the register of calls tells who called.
    #[arg(value_parser = name)]
    name: String,
    /// The e-service into whose feed it publishes; needed when there are several.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// An ente that it may act for, may be repeated; all of the e-service otherwise.
    #[arg(long = "ente", value_name = "CODE")]
    enti: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// List the keys, revoked ones too. The keys themselves are kept nowhere.
#[derive(Debug, Parser)]
struct List {
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Let a key in no longer, from the next call on.
#[derive(Debug, Parser)]
struct Revoke {
    /// Its name.
    name: String,
}

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("1 to 64 ASCII characters without spaces".to_owned()) }
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let store = match args.command {
        Command::Add(_) => super::prepared(&config)?,
        _ => super::ready(&config)?,
    };
    let now_ms = Clock::System.now_ms();
    let mut out = std::io::stdout().lock();
    match &args.command {
        Command::Add(args) => {
            let eservice = super::select(&config, args.eservice.as_deref())?;
            if let Some(unknown) =
                args.enti.iter().find(|codice| eservice.ente.iter().all(|ente| ente.codice != **codice))
            {
                let message = format!("the e-service {:?} has no ente {unknown:?}", eservice.name);
                return Err(CliError::Usage(message));
            }
            let id = store.register_eservice(&eservice.name)?;
            let key =
                keys::generate().map_err(|error| CliError::Failed(format!("cannot make a key: {error}")))?;
            let added = store.write(|connection| {
                keys::add(connection, &args.name, id, &args.enti, key.expose_secret(), now_ms)
            })?;
            if !added {
                return Err(CliError::Usage(format!(
                    "there is a key {:?} already: revoked keys keep their names",
                    args.name
                )));
            }
            let made =
                Action::new(&operator(), Kind::ApiKeyAdded).of(id).saying(format!("chiave={}", args.name));
            action::record(&store, &Clock::System, [made])?;
            if args.json {
                let key = key.expose_secret();
                writeln!(
                    out,
                    "{}",
                    json!({ "name": args.name, "eservice": eservice.name, "enti": args.enti, "key": key })
                )?;
            } else {
                writeln!(out, "{}", key.expose_secret())?;
                eprintln!("Keep it safe: it will not be shown again. Send it as X-API-Key.");
            }
        }
        Command::List(args) => {
            let listed = store.read(keys::list)?;
            if args.json {
                let keys: Vec<_> = listed
                    .iter()
                    .map(|key| {
                        json!({
                            "name": key.name, "eservice": key.eservice, "enti": key.enti,
                            "created": instant(key.created_ms), "revoked": key.revoked_ms.map(instant),
                        })
                    })
                    .collect();
                writeln!(out, "{}", json!(keys))?;
            } else {
                for key in &listed {
                    writeln!(out, "{}", line(key))?;
                }
            }
        }
        Command::Revoke(args) => {
            if !store.write(|connection| keys::revoke(connection, &args.name, now_ms))? {
                return Err(CliError::Usage(format!("there is no key {:?} in force", args.name)));
            }
            let revoked =
                Action::new(&operator(), Kind::ApiKeyRevoked).saying(format!("chiave={}", args.name));
            action::record(&store, &Clock::System, [revoked])?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(key: &Listed) -> String {
    let enti = if key.enti.is_empty() { "all".to_owned() } else { key.enti.join(",") };
    let state = match key.revoked_ms {
        Some(revoked_ms) => format!("revoked {}", instant(revoked_ms)),
        None => "in force".to_owned(),
    };
    format!("{} eservice={} enti={enti} made {} {state}", key.name, key.eservice, instant(key.created_ms))
}

fn instant(ms: i64) -> String {
    format!("{:.0}", Timestamp::from_millisecond(ms).unwrap_or_default())
}
