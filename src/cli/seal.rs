//! `calls checkpoint`, `verify`, `prove`, `keygen`: what makes the log of calls provable.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;

use super::{CliError, Globals};
use crate::call_log::seal::checkpoint::{base, suffix};
use crate::call_log::seal::exported::{self, ExportReadError};
use crate::call_log::seal::note::{KeyError, PublicKey, SigningKey};
use crate::call_log::seal::proof::{Proof, ProofError};
use crate::call_log::seal::schedule::Witness;
use crate::call_log::seal::stored;
use crate::call_log::seal::verify::{LogReport, Report};
use crate::call_log::seal::writer::{CheckpointError, Checkpointer};
use crate::clock::Clock;
use crate::config::Config;

/// Sign what each log holds at this moment, if it has grown since its last checkpoint.
///
/// The service does so by itself every hour and when it stops.
#[derive(Debug, Parser)]
pub(super) struct Checkpoint {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Checkpoint {
    pub(super) fn run(&self, globals: &Globals) -> Result<ExitCode, CliError> {
        let config = globals.config()?;
        let store = super::ready(&config)?;
        let checkpointer = Checkpointer::open(&config, store, Clock::System)?.ok_or_else(|| {
            let message =
                "the configuration has no call_log.checkpoint_key: `waas-comuni calls keygen` makes one";
            CliError::Usage(message.to_owned())
        })?;
        let round = checkpointer.round()?;
        if self.json {
            let notes: Vec<&str> = round.written.iter().map(|written| written.note.as_str()).collect();
            say!("{}", json!({ "checkpoints": notes }));
        } else {
            for written in &round.written {
                say!("{}", written.note);
            }
        }
        if round.written.is_empty() && round.shorter.is_empty() {
            eprintln!("no log has grown since its last checkpoint");
        }
        for log in &round.shorter {
            eprintln!("{log}");
        }
        if let Some(witness) = Witness::open(&config) {
            for written in &round.written {
                witness.send(&written.note).map_err(|error| {
                    CliError::Failed(format!("written, but the witness did not take it: {error}"))
                })?;
            }
        }
        Ok(if round.shorter.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What is read of a log that is not in a database.
#[derive(Debug, clap::Args)]
struct Offline {
    /// Read this export in JSON lines instead of the database.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    export: Vec<PathBuf>,
    /// Files of checkpoints, besides `call_log.checkpoint_file`.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    checkpoints: Vec<PathBuf>,
}

/// Check that nobody changed, dropped or inserted an entry.
///
/// Every entry is compared with the hash that was kept when it was written, and the tree of the entries with every
/// signed checkpoint, those in the database and those outside it. What was wrong is named: the first wrong entry or
/// checkpoint, or between which two checkpoints the change must be.
///
/// With --export nothing else is needed than the files and the public key: neither a configuration nor a database.
/// Exit code 0: all of it holds; 1: it does not.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni calls verify
  waas-comuni calls verify --export calls.jsonl --checkpoints checkpoints.txt --key checkpoint.pub
  waas-comuni calls verify --proof call.tlog-proof --key checkpoint.pub")]
pub(super) struct Verify {
    #[command(flatten)]
    offline: Offline,
    /// A key that signed checkpoints: a PEM file, or a verifier key; besides that of the configuration.
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,
    /// Check a proof that `calls prove` gave, instead of a log.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["export", "checkpoints", "eservice"])]
    proof: Option<PathBuf>,
    /// Of this e-service only.
    #[arg(long, value_name = "NAME", conflicts_with = "export")]
    eservice: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, globals: &Globals) -> Result<ExitCode, CliError> {
        if let Some(path) = &self.proof {
            return self.check_proof(path, globals);
        }
        let report = if self.offline.export.is_empty() {
            let config = globals.config()?;
            let store = super::ready(&config)?;
            let files = [config.call_log.checkpoint_file.as_slice(), &self.offline.checkpoints].concat();
            stored::verify(&store, &files, &self.keys(&config)?, self.eservice.as_deref())?
        } else {
            exported::verify(&self.offline.export, &self.offline.checkpoints, &self.key)?
        };
        if self.json {
            say!("{}", json!({ "holds": report.holds(), "report": report }));
        } else {
            print(&report);
        }
        Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn keys(&self, config: &Config) -> Result<Vec<PublicKey>, CliError> {
        let own = config.call_log.checkpoint_key.as_deref().map(PublicKey::read).transpose()?;
        Ok(own.into_iter().chain(self.key.iter().cloned()).collect())
    }

    fn check_proof(&self, path: &PathBuf, globals: &Globals) -> Result<ExitCode, CliError> {
        let keys = if self.key.is_empty() { self.keys(&globals.config()?)? } else { self.key.clone() };
        if keys.is_empty() {
            return Err(CliError::Usage("say with --key which key signed the checkpoint".to_owned()));
        }
        let proof = Proof::read(&std::fs::read_to_string(path)?)?;
        let checkpoint = proof.check(&keys)?;
        if self.json {
            let (origin, size, index) = (checkpoint.origin, checkpoint.size, proof.index);
            say!(
                "{}",
                json!({ "holds": true, "origin": origin, "size": size, "index": index, "entry": proof.line })
            );
        } else {
            say!("{}", proof.line);
            eprintln!("It is entry {} of the {} of {}.", proof.index, checkpoint.size, checkpoint.origin);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(report: &Report) {
    if !report.signatures {
        say!("No key: nothing but the agreement of the log with itself was checked.");
    }
    for log in &report.logs {
        let name = log.eservice.as_deref().unwrap_or("calls outside any e-service");
        say!("{name}: {} entries, {}", log.entries, signed(log));
        for fault in &log.faults {
            say!("  WRONG: {fault}");
        }
        if log.changed > 1 {
            say!("  {} entries were changed in all", log.changed);
        }
        if log.removed > 0 {
            say!("  {} of them are there as hashes alone", log.removed);
        }
        if log.not_compared > 0 {
            say!("  {} checkpoints could not be compared", log.not_compared);
        }
    }
    for origin in &report.not_exported {
        say!("{origin}: signed, and not in the export");
    }
    for fault in &report.faults {
        say!("WRONG: {fault}");
    }
    say!("{}", if report.holds() { "All of it holds." } else { "It does not hold." });
}

fn signed(log: &LogReport) -> String {
    let after = log.entries.saturating_sub(log.signed);
    match (log.checkpoints, after) {
        (0, _) => "no checkpoint that agrees with them".to_owned(),
        (count, 0) => format!("{count} checkpoints agree, the last with all of them"),
        (count, after) => {
            format!("{count} checkpoints agree, the last with {}: {after} follow it", log.signed)
        }
    }
}

/// Prove that an entry is among those that a checkpoint signed: the first of its log that covers it.
///
/// The proof is a text that holds the entry, the checkpoint and what is between them. With it and the public key
/// anybody checks the entry without seeing any other: `calls verify --proof`.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni calls prove 5e0c6f1a-7d0b-4b8e-9a53-0f5c1b7f3a11 > call.tlog-proof
  waas-comuni calls prove 4711 --eservice produzione
  waas-comuni calls prove 4711 --eservice produzione --export calls.jsonl --checkpoints checkpoints.txt")]
pub(super) struct Prove {
    /// The X-Request-Id of the call, or the index of its entry.
    #[arg(value_name = "ENTRY")]
    entry: String,
    /// The e-service whose log the index is of.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    #[command(flatten)]
    offline: Offline,
    /// Print the proof as a member of a JSON object.
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub(super) fn run(&self, globals: &Globals) -> Result<ExitCode, CliError> {
        let proof = if self.offline.export.is_empty() {
            self.of_database(&globals.config()?)?
        } else {
            self.of_export()?
        }?;
        if self.json {
            say!("{}", json!({ "index": proof.index, "entry": proof.line, "proof": proof.text() }));
        } else {
            use std::io::Write;
            std::io::stdout().write_all(proof.text().as_bytes())?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn of_database(&self, config: &Config) -> Result<Result<Proof, ProofError>, CliError> {
        let store = super::ready(config)?;
        let (log_id, index) = match self.index()? {
            Some((eservice, index)) => {
                let id = store.find_eservice(eservice)?.ok_or_else(|| {
                    CliError::Usage(format!("the database knows no e-service {eservice:?}"))
                })?;
                (id.get(), index)
            }
            None => match stored::find(&store, &self.entry)? {
                Some(found) => found,
                None => return Ok(Err(ProofError::Missing)),
            },
        };
        Ok(stored::prove(&store, log_id, index, u64::MAX)?)
    }

    fn of_export(&self) -> Result<Result<Proof, ProofError>, CliError> {
        let (export, files) = (&self.offline.export, &self.offline.checkpoints);
        let (eservice, index) = match self.index()? {
            Some((eservice, index)) => (Some(eservice.to_owned()), index.unsigned_abs()),
            None => match exported::find(export, &self.entry)? {
                Some(found) => found,
                None => return Ok(Err(ProofError::Missing)),
            },
        };
        Ok(exported::prove(export, files, eservice.as_deref(), index)?)
    }

    /// The log and the index, if an index was given.
    fn index(&self) -> Result<Option<(&str, i64)>, CliError> {
        match (self.entry.parse(), &self.eservice) {
            (Ok(index), Some(eservice)) if index >= 0 => Ok(Some((eservice, index))),
            (Ok(_), _) => {
                Err(CliError::Usage("say with --eservice of which log this is the index".to_owned()))
            }
            (Err(_), _) => Ok(None),
        }
    }
}

/// Make the key that signs checkpoints, and print what checks them.
///
/// The private key goes to FILE, for the owner's eyes alone, and the public key to FILE.pub, for the auditor. The
/// auditor needs the public key from the beginning: whoever can change it later can sign another log.
#[derive(Debug, Parser)]
pub(super) struct Keygen {
    /// Where the private key goes; a file is never overwritten.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Keygen {
    pub(super) fn run(&self, globals: &Globals) -> Result<ExitCode, CliError> {
        // Without a configuration the key is good as well; what the logs are called is known later.
        let config = globals.config()?;
        let key = SigningKey::generate(&self.file)?.public()?;
        let mut public = self.file.clone().into_os_string();
        public.push(".pub");
        std::fs::write(&public, key.pem()?)?;
        let names = config.eservice.iter().map(|eservice| Some(eservice.name.as_str())).chain([None]);
        let keys: Vec<String> =
            names.map(|name| key.verifier_key(&format!("{}/{}", base(&config), suffix(name)))).collect();
        if self.json {
            say!("{}", json!({ "public_key": key.pem()?, "verifier_keys": keys }));
            return Ok(ExitCode::SUCCESS);
        }
        say!("{}", key.pem()?);
        for key in keys {
            say!("{key}");
        }
        eprintln!(
            "Name {} as call_log.checkpoint_key, and give {} to whoever checks the log.",
            self.file.display(),
            PathBuf::from(public).display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ProofError> for CliError {
    fn from(error: ProofError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<CheckpointError> for CliError {
    fn from(error: CheckpointError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ExportReadError> for CliError {
    fn from(error: ExportReadError) -> Self {
        Self::Failed(error.to_string())
    }
}
