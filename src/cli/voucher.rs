//! `voucher keygen|issue|inspect`: a local issuer for tests, and the explanation of a refusal.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use serde_json::{Map, Value, json};

use super::{CliError, Globals};
use crate::clock::Clock;
use crate::config::{Config, EService};
use crate::voucher::forge::{self, Algorithm, Holder};
use crate::voucher::issuer::{self, Draft, Profile, Signer};
use crate::voucher::keys::{HttpsOrFile, KeySet, KeysStatus};
use crate::voucher::verify::{Finding, Inspection, SetupError};
use crate::voucher::{Dpop, Verifier};

/// Issue vouchers for tests, and explain why one is refused.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(Keygen),
    Issue(Box<Issue>),
    Inspect(Inspect),
}

/// Create a local issuer: a key pair, its JWKS, and the profile of its vouchers.
///
/// Nothing is overwritten. The keys are accepted only by an e-service whose environment is "locale".
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni voucher keygen --dir keys/local
  waas-comuni voucher keygen --dir keys/local --issuer test.example.it --audience SIUSS")]
struct Keygen {
    /// Where to write private.pem, jwks.json and issuer.toml; made where it is missing.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The issuer (iss) of its vouchers.
    #[arg(long, value_name = "ISSUER", default_value = "locale.example.it")]
    issuer: String,
    /// An audience (aud) of its vouchers; may be repeated.
    #[arg(long, value_name = "AUDIENCE", default_value = "SIUSS")]
    audience: Vec<String>,
}

/// Mint a voucher and print it: an honest one, or any other.
///
/// What it says comes from the issuer's profile, then from the e-service, then from the options; ids that none of them
/// gives are made up.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni voucher issue --key keys/local/private.pem --issuer-config keys/local/issuer.toml
  waas-comuni voucher issue --key keys/local/private.pem --config waas-comuni.toml --eservice prova
  waas-comuni voucher issue --key keys/local/private.pem --issuer test.example.it --audience SIUSS \\
      --claim 'aud=[\"ALTRO\"]' --claim exp=0 --header typ=JWT --without purposeId
  waas-comuni voucher issue --key keys/local/private.pem --issuer-config keys/local/issuer.toml --alg none
  waas-comuni voucher issue --key keys/local/private.pem --issuer-config keys/local/issuer.toml \\
      --dpop 'GET https://waas.comune.example.it/waas/v1/flussi' --evidence userID=1")]
struct Issue {
    /// PEM file of the issuer's private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The issuer's profile, which `voucher keygen` wrote as issuer.toml.
    #[arg(long, value_name = "FILE")]
    issuer_config: Option<PathBuf>,
    /// Take issuer, audience and ids from this e-service of the configuration.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// The issuer (iss).
    #[arg(long, value_name = "ISSUER", required_unless_present_any = ["issuer_config", "eservice"])]
    issuer: Option<String>,
    /// An audience (aud); may be repeated.
    #[arg(long, value_name = "AUDIENCE", required_unless_present_any = ["issuer_config", "eservice"])]
    audience: Vec<String>,
    /// Seconds that the voucher lives; 600 unless the profile says otherwise.
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u32>,
    /// Set a claim to a JSON value (a text that is not JSON is a string); may be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = member)]
    claim: Vec<(String, Value)>,
    /// Set a member of the header, likewise; may be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = member)]
    header: Vec<(String, Value)>,
    /// Leave a claim out; may be repeated.
    #[arg(long, value_name = "CLAIM")]
    without: Vec<String>,
    /// Sign with this algorithm, and say so in the header unless --header says otherwise.
    #[arg(long, value_enum, default_value = "RS256")]
    alg: Algorithm,
    /// Sign this text as the header, whatever it is.
    #[arg(long, value_name = "TEXT")]
    raw_header: Option<String>,
    /// Sign this text as the payload, whatever it is.
    #[arg(long, value_name = "TEXT")]
    raw_claims: Option<String>,
    /// Put this in place of the signature.
    #[arg(long, value_name = "TEXT")]
    signature: Option<String>,
    /// Bind the voucher to a key (DPoP), and print after it a proof for one call.
    #[arg(long, value_name = "METHOD URL", value_parser = method_and_url)]
    dpop: Option<(String, String)>,
    /// PEM file of that private key, of the curve P-256; a new one otherwise.
    #[arg(long, value_name = "FILE", requires = "dpop")]
    dpop_key: Option<PathBuf>,
    /// Set a claim of the proof, likewise; may be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = member, requires = "dpop")]
    proof_claim: Vec<(String, Value)>,
    /// Set a member of the proof's header, likewise; may be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = member, requires = "dpop")]
    proof_header: Vec<(String, Value)>,
    /// Leave a claim of the proof out; may be repeated.
    #[arg(long, value_name = "CLAIM", requires = "dpop")]
    proof_without: Vec<String>,
    /// Tie the voucher to evidence with this claim (pattern AUDIT REST 02), and print the evidence last; may be repeated.
    #[arg(long, value_name = "NAME=JSON", value_parser = member)]
    evidence: Vec<(String, Value)>,
    /// Print the token with its header and claims as JSON.
    #[arg(long)]
    json: bool,
}

/// Judge a token check by check, as the e-service would, and say what passes and what does not.
///
/// Exit code 0 when the token would be let in, 1 when not.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni voucher inspect --config waas-comuni.toml --eservice produzione < token.txt
  waas-comuni voucher inspect eyJ0eXAiOi… --eservice produzione --json")]
struct Inspect {
    /// The token; `-` or nothing reads it from standard input, where it does not stay in the shell's history.
    #[arg(default_value = "-", hide_default_value = true)]
    token: String,
    /// The e-service that the token is for; needed when the configuration has several.
    #[arg(long, value_name = "NAME")]
    eservice: Option<String>,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

fn member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=JSON")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value))))
}

fn method_and_url(text: &str) -> Result<(String, String), &'static str> {
    let (method, url) = text.split_once(' ').ok_or("write METHOD URL")?;
    Ok((method.to_owned(), url.to_owned()))
}

pub(crate) fn run(args: Args, globals: &Globals) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Keygen(keygen) => keygen.run(),
        Command::Issue(issue) => issue.run(globals),
        Command::Inspect(inspect) => inspect.run(globals),
    }
}

impl Keygen {
    fn run(self) -> Result<ExitCode, CliError> {
        let profile = Profile::invented(self.issuer, self.audience);
        issuer::keygen(&self.dir, &profile).map_err(failed)?;
        let directory = self.dir.canonicalize().unwrap_or(self.dir);
        let path = |name| directory.join(name).display().to_string();
        let mut out = std::io::stdout().lock();
        writeln!(out, "Private key  {}", path(issuer::KEY_FILE))?;
        writeln!(out, "Public keys  {}", path(issuer::JWKS_FILE))?;
        writeln!(out, "Profile      {}", path(issuer::PROFILE_FILE))?;
        writeln!(out, "\nFor an e-service that accepts these vouchers:\n")?;
        writeln!(out, "  environment = \"locale\"")?;
        writeln!(out, "  issuer = {}", json!(profile.issuer))?;
        writeln!(out, "  jwks_url = {}", json!(format!("file:{}", path(issuer::JWKS_FILE))))?;
        writeln!(out, "  audience = {}", json!(profile.audience))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Issue {
    fn run(self, globals: &Globals) -> Result<ExitCode, CliError> {
        let signer = Signer::read(&self.key).map_err(failed)?;
        let mut draft = signer.draft(&self.profile(globals)?, &Clock::System);
        let holder = match (&self.dpop, &self.dpop_key) {
            (None, _) => None,
            (Some(_), Some(path)) => Some(Holder::read(path).map_err(failed)?),
            (Some(_), None) => Some(Holder::generate().map_err(failed)?),
        };
        if let Some(holder) = &holder {
            draft.claims.insert("cnf".to_owned(), holder.confirmation());
        }
        let mut evidence = None;
        if !self.evidence.is_empty() {
            let claims = Value::Object(self.evidence.iter().cloned().collect());
            let (text, digest) = forge::evidence(&signer, &claims).map_err(failed)?;
            draft.claims.insert("digest".to_owned(), digest);
            evidence = Some(text);
        }
        draft.header.insert("alg".to_owned(), json!(self.alg.name()));
        draft.header.extend(self.header.clone());
        draft.claims.extend(self.claim.clone());
        draft.claims.retain(|name, _| !self.without.contains(name));
        let token = self.sign(&signer, &draft)?;
        let proof = match (&holder, &self.dpop) {
            (Some(holder), Some((method, url))) => Some(self.prove(holder, method, url, &token)?),
            _ => None,
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            let Draft { header, claims } = draft;
            let made = json!({
                "token": token, "header": header, "claims": claims, "dpop": proof, "evidence": evidence,
            });
            writeln!(out, "{made}")?;
        } else {
            for line in [Some(token), proof, evidence].into_iter().flatten() {
                writeln!(out, "{line}")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn sign(&self, signer: &Signer, draft: &Draft) -> Result<String, CliError> {
        let text = |raw: &Option<String>, members: &Map<String, Value>| {
            raw.clone().unwrap_or_else(|| Value::Object(members.clone()).to_string())
        };
        let (header, claims) = (text(&self.raw_header, &draft.header), text(&self.raw_claims, &draft.claims));
        let token = self.alg.sign(signer.key(), &header, &claims).map_err(failed)?;
        Ok(match (&self.signature, token.rsplit_once('.')) {
            (Some(signature), Some((rest, _))) => format!("{rest}.{signature}"),
            _ => token,
        })
    }

    fn prove(&self, holder: &Holder, method: &str, url: &str, token: &str) -> Result<String, CliError> {
        let mut proof = holder.draft(method, url, token, &Clock::System);
        proof.header.extend(self.proof_header.clone());
        proof.claims.extend(self.proof_claim.clone());
        proof.claims.retain(|name, _| !self.proof_without.contains(name));
        holder.sign(proof).map_err(failed)
    }

    fn profile(&self, globals: &Globals) -> Result<Profile, CliError> {
        let mut profile = match &self.issuer_config {
            Some(path) => Profile::read(path).map_err(failed)?,
            None => Profile::invented(String::new(), Vec::new()),
        };
        if let Some(name) = &self.eservice {
            profile = profile.for_eservice(super::select(&globals.config()?, Some(name))?);
        }
        if let Some(issuer) = &self.issuer {
            profile.issuer.clone_from(issuer);
        }
        if !self.audience.is_empty() {
            profile.audience.clone_from(&self.audience);
        }
        if let Some(seconds) = self.expires_in {
            profile.expires_in = seconds;
        }
        Ok(profile)
    }
}

impl Inspect {
    fn run(self, globals: &Globals) -> Result<ExitCode, CliError> {
        let config = globals.config()?;
        let eservice = super::select(&config, self.eservice.as_deref())?;
        let token = self.token()?;
        let (inspection, keys) = inspect(&config, eservice, &token)?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", as_json(&inspection, &keys))?;
        } else {
            print(&mut out, &inspection, &keys, eservice)?;
        }
        Ok(if inspection.passes() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The token without what commonly surrounds it where it is copied from.
    fn token(&self) -> Result<String, CliError> {
        let mut text = self.token.clone();
        if text == "-" {
            text.clear();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| CliError::Failed(format!("cannot read the token: {error}")))?;
        }
        let text = text.trim();
        Ok(text.strip_prefix("Bearer ").unwrap_or(text).trim_start().to_owned())
    }
}

fn inspect(config: &Config, eservice: &EService, token: &str) -> Result<(Inspection, KeysStatus), CliError> {
    let usage = |error: SetupError| CliError::Usage(error.to_string());
    let url = eservice.jwks_url().ok_or_else(|| usage(SetupError::NoKeys(eservice.name.clone())))?;
    let keys = KeySet::open(url, Arc::new(HttpsOrFile::default()), Arc::new(()), Clock::System);
    let mut verifier = Verifier::new(eservice, keys, Clock::System).map_err(usage)?;
    if let Some(url) = &config.api.public_url {
        verifier = verifier.with_dpop(Dpop::new(eservice.dpop, url, Arc::new(())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let inspection = runtime.block_on(verifier.inspect(token));
    Ok((inspection, verifier.keys().status()))
}

fn print(
    out: &mut impl Write,
    inspection: &Inspection,
    keys: &KeysStatus,
    eservice: &EService,
) -> std::io::Result<()> {
    for (name, members) in [("Header", &inspection.header), ("Claims", &inspection.claims)] {
        if let Some(members) = members {
            writeln!(out, "{name}")?;
            for (member, value) in members {
                writeln!(out, "  {member} = {value}")?;
            }
        }
    }
    writeln!(out, "Keys\n  {} from {}", keys.keys, keys.url)?;
    if let Some(failure) = &keys.failure {
        writeln!(out, "  {failure}")?;
    }
    writeln!(out, "Checks")?;
    for (check, finding) in &inspection.findings {
        let (mark, what) = match finding {
            Finding::Passed => ("ok  ", check.demand()),
            Finding::NotAsked => ("-   ", "the configuration does not ask for it"),
            Finding::Failed(detail) => ("FAIL", detail.as_str()),
            Finding::NotReached => ("?   ", "not made: an earlier check failed"),
        };
        writeln!(out, "  {mark} {:<17} {what}", check.code())?;
    }
    let verdict = if inspection.passes() { "would let it in" } else { "would refuse it" };
    writeln!(out, "E-service {:?} {verdict}.", eservice.name)
}

fn as_json(inspection: &Inspection, keys: &KeysStatus) -> Value {
    let findings: Vec<_> = inspection
        .findings
        .iter()
        .map(|(check, finding)| {
            let (outcome, detail) = match finding {
                Finding::Passed => ("passed", None),
                Finding::NotAsked => ("not_asked", None),
                Finding::Failed(detail) => ("failed", Some(detail)),
                Finding::NotReached => ("not_reached", None),
            };
            json!({ "check": check.code(), "outcome": outcome, "demand": check.demand(), "detail": detail })
        })
        .collect();
    json!({
        "passes": inspection.passes(),
        "findings": findings,
        "keys": { "url": keys.url, "usable": keys.keys, "failure": keys.failure },
        "header": inspection.header,
        "claims": inspection.claims,
    })
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}
