//! `config init`: a commented configuration with a deployment's own values, asked one by one or taken from options.

use std::fs::OpenOptions;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use super::{CliError, config_check};
use crate::config::template::{self, Deployment, EService};
use crate::config::{self, DEFAULT_FILE, Ente, Environment, check, is_belfiore};

/// Write a commented configuration.
///
/// On a terminal it asks for what the options do not say; elsewhere it names the options that are missing. Ids that
/// PDND has not given yet can be left out: they stay in the file as comments, and `config check` says which they are.
#[derive(Debug, Parser)]
#[command(after_long_help = "Examples:
  waas-comuni config init
  waas-comuni config init --environment collaudo --codice H501 --denominazione 'Comune di Roma' \\
      --cf-operatore RSSMRA80A01H501U --public-url https://waas.comune.example.it --trusted-proxy 127.0.0.1
  waas-comuni config init --environment collaudo --codice AMB12 --denominazione 'ATS Alta Valle' --sede H501 \\
      --delegante 'A944=Comune di Bologna' --cf-operatore RSSMRA80A01H501U --public-url https://waas.ats.example.it
  waas-comuni config init --add --environment produzione --producer-id 6a…")]
pub(super) struct Init {
    /// Where to write it.
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    file: PathBuf,
    /// Add an e-service to the file, such as produzione beside collaudo, instead of beginning a new one.
    #[arg(long, conflicts_with_all = ["public_url", "database_url", "database_url_file", "bind", "tls_certificate", "trusted_proxy", "checkpoint_key"])]
    add: bool,
    /// PDND's environment, or `locale` for vouchers of `waas-comuni voucher`.
    #[arg(long, value_enum)]
    environment: Option<Environment>,
    /// How commands and logs call the e-service; as its environment unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the e-service's operations live; /waas/v1 in produzione, /collaudo/waas/v1 in collaudo unless given.
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Code of the ente: Belfiore for a Comune.
    #[arg(long, value_name = "CODE")]
    codice: Option<String>,
    /// Name of the ente, as INPS reads it in every flow.
    #[arg(long, value_name = "NAME")]
    denominazione: Option<String>,
    /// Belfiore code of its legal seat; as the code unless given, which is needed where the code is another.
    #[arg(long, value_name = "CODE")]
    sede: Option<String>,
    /// A Comune that delegates the ente, an ATS or a consortium, to transmit its own benefits: Belfiore code and name.
    /// May be repeated.
    #[arg(long = "delegante", value_name = "CODE=NAME", value_parser = delegante)]
    deleganti: Vec<(String, String)>,
    /// Fiscal code of the operator who answers for what is sent.
    #[arg(long, value_name = "CODE")]
    cf_operatore: Option<String>,
    /// PDND's id of the ente as provider.
    #[arg(long, value_name = "UUID")]
    producer_id: Option<String>,
    /// PDND's id of the e-service.
    #[arg(long, value_name = "UUID")]
    eservice_id: Option<String>,
    /// PDND's id of a live version of the e-service; may be repeated.
    #[arg(long = "descriptor-id", value_name = "UUID")]
    descriptor_ids: Vec<String>,
    /// Who may pull: INPS's id on PDND; may be repeated.
    #[arg(long = "consumer-id", value_name = "UUID")]
    consumer_ids: Vec<String>,
    /// Whom INPS and PDND write to.
    #[arg(long, value_name = "ADDRESS")]
    contact_email: Option<String>,
    /// The terms of service.
    #[arg(long, value_name = "URL")]
    terms_url: Option<String>,
    /// Where the keys are, in `locale`: the jwks.json of `voucher keygen`.
    #[arg(long, value_name = "URL", default_value = "file:keys/local/jwks.json")]
    jwks_url: String,
    /// The issuer of vouchers, in `locale`.
    #[arg(long, value_name = "ISSUER", default_value = "locale.example.it")]
    issuer: String,
    /// How INPS reaches the service: scheme, name and port, without a path.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Address and port of the public listener; 0.0.0.0:8443 unless given, 127.0.0.1:8080 in `locale`.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Certificate in PEM; without it the listener speaks plain HTTP, for a proxy in front.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<String>,
    /// Its private key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<String>,
    /// Address or network of a proxy in front; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    trusted_proxy: Vec<String>,
    /// The database; a SQLite file below the present folder unless given.
    #[arg(long, value_name = "URL", conflicts_with = "database_url_file")]
    database_url: Option<String>,
    /// A file with the database's address in it, which keeps its password out of the configuration.
    #[arg(long, value_name = "FILE")]
    database_url_file: Option<String>,
    /// Ed25519 key in PEM with which checkpoints of the call log are signed.
    #[arg(long, value_name = "FILE")]
    checkpoint_key: Option<String>,
    /// Write over a file that is there.
    #[arg(long, conflicts_with = "add")]
    force: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let exists = self.file.exists();
        if exists && !self.add && !self.force {
            return Err(CliError::Usage(format!(
                "{} is there already: --add adds an e-service to it, --force writes over it",
                self.file.display()
            )));
        }
        let questions = Questions { terminal: std::io::stdin().is_terminal() };
        let missing = self.missing();
        if !questions.terminal && !missing.is_empty() {
            return Err(CliError::Usage(format!(
                "nobody can be asked here; missing: {}",
                missing.join(", ")
            )));
        }
        let (file, force) = (self.file.clone(), self.force || self.add);
        let text = if self.add {
            // What cannot be read as a configuration is not written to.
            let existing = config::load(Some(&file), [])?;
            let before = std::fs::read_to_string(&file)?;
            let enti = existing.eservice.first().map(|eservice| eservice.ente.as_slice());
            let eservice = self.eservice(&questions, enti.unwrap_or_default())?;
            format!("{}\n\n\n{}", before.trim_end(), template::section_of(&eservice)?)
        } else {
            let public_url = self.public_url.clone();
            let eservice = self.eservice(&questions, &[])?;
            let deployment = self.deployment(&questions, public_url, eservice.environment)?;
            template::file(&deployment, &eservice)?
        };
        write(&file, &text, force)?;
        say!("{} is written.", file.display());
        let findings = check::check(&config::load(Some(&file), [])?);
        if !findings.is_empty() {
            say!("\nStill to do, as `waas-comuni config check` says:\n\n{}", config_check::lines(&findings));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The options without which there is no file, as far as they are not given.
    fn missing(&self) -> Vec<&'static str> {
        let of_ente = [
            ("--codice", &self.codice),
            ("--denominazione", &self.denominazione),
            ("--cf-operatore", &self.cf_operatore),
        ];
        let of_ente = of_ente.into_iter().filter(|(_, given)| given.is_none() && !self.add);
        let public_url =
            self.public_url.is_none() && !self.add && self.environment != Some(Environment::Locale);
        let sede = self.sede.is_none() && self.codice.as_deref().is_some_and(|code| !is_belfiore(code));
        (self.environment.is_none().then_some("--environment").into_iter())
            .chain(of_ente.map(|(option, _)| option))
            .chain(sede.then_some("--sede"))
            .chain(public_url.then_some("--public-url"))
            .collect()
    }

    /// The e-service; `known` are the enti that the file has already.
    fn eservice(&self, questions: &Questions, known: &[Ente]) -> Result<EService, CliError> {
        let first = known.first();
        let environment = match self.environment {
            Some(environment) => environment,
            None => questions.environment()?,
        };
        let of_first = |part: fn(&Ente) -> &String| first.map(part).cloned();
        let codice = questions.needed(
            "--codice",
            self.codice.clone().or_else(|| of_first(|ente| &ente.codice)),
            "Code of the ente (Belfiore for a Comune, such as H501; for an ATS or a consortium what INPS gave it)",
        )?;
        let implied = is_belfiore(&codice).then(|| codice.clone());
        let sede = self.sede.clone().or_else(|| of_first(|ente| &ente.sede)).or(implied);
        let ente = Ente {
            denominazione: questions.needed(
                "--denominazione",
                self.denominazione.clone().or_else(|| of_first(|ente| &ente.denominazione)),
                "Its name, as INPS reads it (such as Comune di Roma)",
            )?,
            sede: questions.needed("--sede", sede, "Belfiore code of its legal seat")?,
            cf_operatore: questions.needed(
                "--cf-operatore",
                self.cf_operatore.clone().or_else(|| of_first(|ente| &ente.cf_operatore)),
                "Fiscal code of the operator who answers for what is sent",
            )?,
            codice,
        };
        let comune = |(codice, denominazione): &(String, String)| Ente {
            codice: codice.clone(),
            denominazione: denominazione.clone(),
            sede: codice.clone(),
            cf_operatore: ente.cf_operatore.clone(),
        };
        let deleganti = match self.deleganti.as_slice() {
            [] if first.is_some_and(|first| first.codice == ente.codice) => {
                known.iter().skip(1).cloned().collect()
            }
            given => given.iter().map(comune).collect(),
        };
        let local = environment == Environment::Locale;
        let id = |given: &Option<String>, question: &str| {
            if local { Ok(given.clone()) } else { questions.optional(given.clone(), question) }
        };
        let producer_id = id(&self.producer_id, "PDND's id of the ente as provider (producerId)")?;
        let eservice_id = id(&self.eservice_id, "PDND's id of the e-service (eserviceId)")?;
        let descriptor =
            id(&self.descriptor_ids.first().cloned(), "PDND's id of its version (descriptorId)")?;
        let consumer = id(&self.consumer_ids.first().cloned(), "INPS's id on PDND (consumerId)")?;
        let one_or_more = |given: &[String], asked: Option<String>| {
            if given.is_empty() { asked.into_iter().collect() } else { given.to_vec() }
        };
        let name = environment.as_str();
        Ok(EService {
            name: self.name.clone().unwrap_or_else(|| name.to_owned()),
            base_path: self.base_path.clone().unwrap_or_else(|| match environment {
                Environment::Produzione | Environment::Locale => "/waas/v1".to_owned(),
                Environment::Collaudo | Environment::Attestazione => format!("/{name}/waas/v1"),
            }),
            environment,
            producer_id,
            eservice_id,
            descriptor_ids: one_or_more(&self.descriptor_ids, descriptor),
            consumer_ids: one_or_more(&self.consumer_ids, consumer),
            contact_email: self.contact_email.clone(),
            terms_url: self.terms_url.clone(),
            codice_ente_pattern: (!is_belfiore(&ente.codice))
                .then(|| format!("^({}|[A-Z][0-9]{{3}})$", regex::escape(&ente.codice))),
            deleganti,
            local_issuer: local.then(|| (self.issuer.clone(), self.jwks_url.clone())),
            ente,
        })
    }

    fn deployment(
        self,
        questions: &Questions,
        public_url: Option<String>,
        environment: Environment,
    ) -> Result<Deployment, CliError> {
        let local = environment == Environment::Locale;
        let bind = self.bind.or_else(|| local.then(|| "127.0.0.1:8080".to_owned()));
        let public_url = public_url.or_else(|| local.then(|| "http://127.0.0.1:8080".to_owned()));
        Ok(Deployment {
            public_url: questions.needed(
                "--public-url",
                public_url,
                "How INPS reaches the service (such as https://waas.comune.example.it)",
            )?,
            bind,
            tls: self.tls_certificate.zip(self.tls_key),
            trusted_proxies: self.trusted_proxy,
            database_url: self.database_url,
            database_url_file: self.database_url_file,
            checkpoint_key: self.checkpoint_key,
        })
    }
}

impl From<toml_edit::TomlError> for CliError {
    fn from(error: toml_edit::TomlError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A Comune, as `--delegante` names it.
fn delegante(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((code, name)) if is_belfiore(code) && !name.trim().is_empty() => {
            Ok((code.to_owned(), name.trim().to_owned()))
        }
        _ => Err("write the Belfiore code and the name, for example \"H501=Comune di Roma\"".to_owned()),
    }
}

/// Writes for the service's own user alone: the file may hold the database's password.
fn write(file: &Path, text: &str, over: bool) -> Result<(), CliError> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if over {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let write = || options.open(file)?.write_all(text.as_bytes());
    write().map_err(|error| CliError::Failed(format!("cannot write {}: {error}", file.display())))
}

/// What is asked on a terminal. Elsewhere nobody would answer.
struct Questions {
    terminal: bool,
}

impl Questions {
    fn ask(&self, question: &str) -> Result<Option<String>, CliError> {
        if !self.terminal {
            return Ok(None);
        }
        let mut out = std::io::stderr();
        write!(out, "{question}: ")?;
        out.flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        let answer = line.trim();
        Ok((!answer.is_empty()).then(|| answer.to_owned()))
    }

    fn needed(&self, option: &str, given: Option<String>, question: &str) -> Result<String, CliError> {
        match given {
            Some(given) => Ok(given),
            None => self.ask(question)?.ok_or_else(|| CliError::Usage(format!("{option} is missing"))),
        }
    }

    fn optional(&self, given: Option<String>, question: &str) -> Result<Option<String>, CliError> {
        match given {
            Some(given) => Ok(Some(given)),
            None => self.ask(&format!("{question}; nothing if not known yet")),
        }
    }

    fn environment(&self) -> Result<Environment, CliError> {
        let answer = self.needed("--environment", None, "PDND's environment (collaudo or produzione)")?;
        <Environment as clap::ValueEnum>::from_str(&answer, true)
            .map_err(|_| CliError::Usage(format!("{answer:?} is not an environment of PDND")))
    }
}
