//! `user`: the accounts of the back office.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use console::Term;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::operator::operator;
use super::{CliError, Globals};
use crate::call_log::action::{self, Action, Kind};
use crate::clock::Clock;
use crate::config::Config;
use crate::staff::{self, Edit, Listed, Role, Roles, Scope, password};
use crate::store::{AnyConnection, Store};

/// Manage the accounts of the back office.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    Passwd(Passwd),
    List(List),
    Disable(Disable),
}

/// Make an account, with a provisional password that its owner must change at the first sign-in.
///
/// Unless told otherwise the password is made up, and printed this once.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni user add anna.neri --full-name 'Anna Neri' --role operatore
  waas-comuni user add revisione --full-name 'Ufficio revisione' --role revisore --ask-password
  waas-comuni user add ambito --full-name 'Ambito N1' --role operatore --eservice produzione --ente H501")]
struct Add {
    /// What they sign in with: letters, digits, '.', '-', '_' and '@'.
    #[arg(value_parser = name)]
    name: String,
    /// What they are called; the name to sign in with otherwise.
    #[arg(long, value_name = "NAME")]
    full_name: Option<String>,
    /// What they may do; may be repeated.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<Role>,
    /// Limit them to this e-service; may be repeated. All of them otherwise.
    #[arg(long = "eservice", value_name = "NAME")]
    eservices: Vec<String>,
    /// Limit them to this ente of the e-service; may be repeated. Needs exactly one --eservice.
    #[arg(long = "ente", value_name = "CODE")]
    enti: Vec<String>,
    #[command(flatten)]
    password: Password,
    /// No password: only the ente's identity proxy lets them in.
    #[arg(long, conflicts_with_all = ["ask_password", "password_file"])]
    no_password: bool,
}

/// Give an account another provisional password; it is signed out everywhere, and let in again if it was disabled.
#[derive(Debug, Parser)]
struct Passwd {
    /// What they sign in with.
    name: String,
    #[command(flatten)]
    password: Password,
}

/// Where a password comes from; made up and printed once unless told otherwise.
#[derive(Debug, clap::Args)]
struct Password {
    /// Ask for the password on the terminal, without echo.
    #[arg(long, conflicts_with = "password_file")]
    ask_password: bool,
    /// Read the password from this file, without its last line break.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// List the accounts, disabled ones too.
#[derive(Debug, Parser)]
struct List {
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

/// Let an account in no longer; it is signed out everywhere at once.
#[derive(Debug, Parser)]
struct Disable {
    /// What they sign in with.
    name: String,
}

fn name(text: &str) -> Result<String, String> {
    staff::login_name(text)
        .ok_or_else(|| "1 to 64 letters without accents, digits, '.', '-', '_' and '@'".to_owned())
}

impl Password {
    /// The password for the account `name`, and whether it was made up here.
    fn get(&self, name: &str) -> Result<(SecretString, bool), CliError> {
        let given = if self.ask_password {
            Some(ask()?)
        } else if let Some(path) = &self.password_file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| CliError::Usage(format!("cannot read {}: {error}", path.display())))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned().into())
        } else {
            None
        };
        match given {
            Some(password) => {
                password::judge(name, &password)
                    .map_err(|weakness| CliError::Usage(format!("the password is {weakness}")))?;
                Ok((password, false))
            }
            None => Ok((password::generate().map_err(failed)?, true)),
        }
    }
}

fn ask() -> Result<SecretString, CliError> {
    let terminal = Term::stderr();
    if !terminal.is_term() {
        return Err(CliError::Usage("there is no terminal to ask on: use --password-file".to_owned()));
    }
    terminal.write_str("Password: ")?;
    let first = terminal.read_secure_line()?;
    terminal.write_str("Again: ")?;
    if terminal.read_secure_line()? == first {
        Ok(first.into())
    } else {
        Err(CliError::Usage("the two passwords differ".to_owned()))
    }
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let config = globals.config()?;
    let store = match args.command {
        Command::Add(_) => super::prepared(&config)?,
        _ => super::ready(&config)?,
    };
    let now_ms = Clock::System.now_ms();
    match &args.command {
        Command::Add(args) => add(args, &config, &store, now_ms)?,
        Command::Passwd(args) => {
            let name = known(&args.name)?;
            let (password, made_up) = args.password.get(&name)?;
            let hash = password::hash(&password).map_err(failed)?;
            if !store.write(|connection| staff::set_password(connection, &name, &hash, true))? {
                return Err(no_account(&name));
            }
            log(&store, Kind::UserChanged)?;
            tell(&password, made_up)?;
        }
        Command::List(args) => list(args, &config, &store)?,
        Command::Disable(args) => {
            let name = known(&args.name)?;
            if !store.write(|connection| staff::disable(connection, &name, now_ms))? {
                return Err(no_account(&name));
            }
            log(&store, Kind::UserDisabled)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn add(args: &Add, config: &Config, store: &Store, now_ms: i64) -> Result<(), CliError> {
    let roles = Roles::new(args.roles.iter().copied())
        .ok_or_else(|| CliError::Usage("say at least one --role".to_owned()))?;
    let full_name = args.full_name.clone().unwrap_or_else(|| args.name.clone());
    let edit = Edit { full_name, roles, scope: scope(args, config, store)? };
    let password = if args.no_password { None } else { Some(args.password.get(&args.name)?) };
    let hash = password.as_ref().map(|(password, _)| password::hash(password)).transpose().map_err(failed)?;
    let add =
        |connection: &mut AnyConnection| staff::add(connection, &args.name, &edit, hash.as_deref(), now_ms);
    if !store.write(add)? {
        return Err(CliError::Usage(format!(
            "there is an account {:?} already: disabled ones keep their names, and `user passwd` lets them in again",
            args.name
        )));
    }
    log(store, Kind::UserAdded)?;
    match password {
        Some((password, made_up)) => tell(&password, made_up),
        None => Ok(()),
    }
}

fn scope(args: &Add, config: &Config, store: &Store) -> Result<Scope, CliError> {
    let mut limits = Vec::new();
    if !args.enti.is_empty() && args.eservices.len() != 1 {
        return Err(CliError::Usage("--ente needs exactly one --eservice".to_owned()));
    }
    for name in &args.eservices {
        let eservice = super::select(config, Some(name))?;
        if let Some(unknown) =
            args.enti.iter().find(|codice| eservice.ente.iter().all(|ente| ente.codice != **codice))
        {
            return Err(CliError::Usage(format!("the e-service {name:?} has no ente {unknown:?}")));
        }
        let id = store.register_eservice(name)?;
        if args.enti.is_empty() {
            limits.push((id, None));
        }
        limits.extend(args.enti.iter().map(|codice| (id, Some(codice.clone()))));
    }
    Ok(Scope::new(limits))
}

fn log(store: &Store, kind: Kind) -> Result<(), CliError> {
    Ok(action::record(store, &Clock::System, [Action::new(&operator(), kind)])?)
}

fn known(text: &str) -> Result<String, CliError> {
    staff::login_name(text).ok_or_else(|| no_account(text))
}

fn no_account(name: &str) -> CliError {
    CliError::Usage(format!("there is no account {name:?} in force"))
}

/// Prints a password that was made up.
fn tell(password: &SecretString, made_up: bool) -> Result<(), CliError> {
    if made_up {
        writeln!(std::io::stdout(), "{}", password.expose_secret())?;
        eprintln!("It will not be shown again. Its owner must change it at the first sign-in.");
    }
    Ok(())
}

fn list(args: &List, config: &Config, store: &Store) -> Result<(), CliError> {
    let listed = store.read(staff::list)?;
    let mut out = std::io::stdout().lock();
    let scopes = |listed: &Listed| scopes(listed, config, store);
    if args.json {
        let mut users = Vec::with_capacity(listed.len());
        for user in &listed {
            let roles: Vec<&str> = user.account.roles.as_slice().iter().map(|role| role.as_str()).collect();
            users.push(json!({
                "name": user.account.name, "full_name": user.account.full_name, "roles": roles,
                "scope": scopes(user)?, "password": user.has_password, "provisional": user.account.provisional,
                "created": instant(user.created_ms), "disabled": user.disabled_ms.map(instant),
            }));
        }
        writeln!(out, "{}", json!(users))?;
    } else {
        for user in &listed {
            let scope = scopes(user)?;
            let scope = if scope.is_empty() { "all".to_owned() } else { scope.join(",") };
            let state = match user.disabled_ms {
                Some(disabled_ms) => format!("disabled {}", instant(disabled_ms)),
                None => "in force".to_owned(),
            };
            writeln!(
                out,
                "{} {:?} roles={} scope={scope} made {} {state}",
                user.account.name,
                user.account.full_name,
                user.account.roles.to_string().replace(", ", ","),
                instant(user.created_ms)
            )?;
        }
    }
    Ok(())
}

/// What an account is limited to: the names of e-services, with the code of an ente after a colon.
fn scopes(user: &Listed, config: &Config, store: &Store) -> Result<Vec<String>, CliError> {
    let mut scopes = Vec::new();
    if !user.account.scope.is_limited() {
        return Ok(scopes);
    }
    for eservice in &config.eservice {
        let Some(id) = store.find_eservice(&eservice.name)? else { continue };
        match user.account.scope.enti(id) {
            Some(enti) => scopes.extend(enti.iter().map(|codice| format!("{}:{codice}", eservice.name))),
            None if user.account.scope.includes(id) => scopes.push(eservice.name.clone()),
            None => {}
        }
    }
    Ok(scopes)
}

fn instant(ms: i64) -> String {
    format!("{:.0}", Timestamp::from_millisecond(ms).unwrap_or_default())
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(format!("cannot make a password: {error}"))
}
