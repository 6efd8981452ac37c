//! A configuration file for people: the example, its explanations included, with a deployment's own values in it.
//!
//! What the values are is asked elsewhere (`config init`); whether they are right is judged by [`check`](super::check)
//! once the file is read back.

use toml_edit::{Array, DocumentMut, Item, Table, TomlError, Value, value};

use super::Environment;

const EXAMPLE: &str = include_str!("../../config/waas-comuni.example.toml");

/// Stands for a value that is not known: [`finish`] turns its line into a comment.
const UNKNOWN: &str = "?";

/// What a deployment is, whatever its e-services.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The address of the database; the example's SQLite file unless given.
    pub database_url: Option<String>,
    /// The file in which that address stands, instead.
    pub database_url_file: Option<String>,
    /// Address and port of the public listener; the example's unless given.
    pub bind: Option<String>,
    /// How INPS reaches the public listener, without a path.
    pub public_url: String,
    /// Certificate and key in PEM; none: plain HTTP, for a proxy in front.
    pub tls: Option<(String, String)>,
    /// The proxies in front.
    pub trusted_proxies: Vec<String>,
    /// The key that signs checkpoints of the call log.
    pub checkpoint_key: Option<String>,
}

/// One e-service and the enti that transmit through it.
#[derive(Clone, Debug)]
pub struct EService {
    /// How commands and logs call it.
    pub name: String,
    /// Where its operations live.
    pub base_path: String,
    /// PDND's environment.
    pub environment: Environment,
    /// PDND's id of the provider.
    pub producer_id: Option<String>,
    /// PDND's id of the e-service.
    pub eservice_id: Option<String>,
    /// PDND's ids of its live versions.
    pub descriptor_ids: Vec<String>,
    /// Who may pull.
    pub consumer_ids: Vec<String>,
    /// Whom INPS and PDND write to.
    pub contact_email: Option<String>,
    /// The terms of service.
    pub terms_url: Option<String>,
    /// Issuer and address of the keys, where the environment implies none.
    pub local_issuer: Option<(String, String)>,
    /// What an ente's code must look like, where it is no Belfiore code.
    pub codice_ente_pattern: Option<String>,
    /// The ente.
    pub ente: super::Ente,
    /// The Comuni that delegate it to transmit their own benefits.
    pub deleganti: Vec<super::Ente>,
}

/// A whole file.
pub fn file(deployment: &Deployment, eservice: &EService) -> Result<String, TomlError> {
    let [issuer, jwks_url] = local_issuer(eservice);
    let mut document = example(&[
        ("url_file", deployment.database_url_file.as_ref().map(Value::from)),
        ("trusted_proxies", list(&deployment.trusted_proxies)),
        ("checkpoint_key", deployment.checkpoint_key.as_ref().map(Value::from)),
        ("issuer", issuer),
        ("jwks_url", jwks_url),
        ("codice_ente_pattern", eservice.codice_ente_pattern.as_ref().map(Value::from)),
    ])?;
    edit(&mut document, "database", |database| {
        if deployment.database_url_file.is_some() {
            // `url_file` takes the place of `url`: both at once are refused.
            set(database, "url", None);
        } else if let Some(url) = &deployment.database_url {
            set(database, "url", Some(url));
        }
    });
    edit(&mut document, "api", |api| {
        if let Some(bind) = &deployment.bind {
            set(api, "bind", Some(bind));
        }
        set(api, "public_url", Some(&deployment.public_url));
        edit(api, "tls", |tls| {
            set(tls, "certificate", deployment.tls.as_ref().map(|(certificate, _)| certificate.as_str()));
            set(tls, "key", deployment.tls.as_ref().map(|(_, key)| key.as_str()));
        });
    });
    edit_first(&mut document, "tracing", |tracing| {
        set(tracing, "name", Some(&eservice.name));
        set_all(tracing, "eservices", std::slice::from_ref(&eservice.name));
    });
    fill(&mut document, eservice);
    Ok(finish(&document))
}

/// The section of one more e-service, to stand at the end of a file.
pub fn section_of(eservice: &EService) -> Result<String, TomlError> {
    let [issuer, jwks_url] = local_issuer(eservice);
    let mut document = example(&[
        ("issuer", issuer),
        ("jwks_url", jwks_url),
        ("codice_ente_pattern", eservice.codice_ente_pattern.as_ref().map(Value::from)),
    ])?;
    document.retain(|key, _| key == "eservice");
    fill(&mut document, eservice);
    let text = finish(&document);
    // Above its own explanation stands what trails the section before it.
    let header = text.find("[[eservice]]").unwrap_or_default();
    let own = text.get(..header).and_then(|above| above.rfind("\n\n\n")).unwrap_or_default();
    Ok(text.get(own..).unwrap_or(&text).trim_start().to_owned())
}

/// The example, with those of its optional settings set that have a value here.
fn example(optional: &[(&str, Option<Value>)]) -> Result<DocumentMut, TomlError> {
    let mut text = String::with_capacity(EXAMPLE.len());
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix('#').and_then(|line| line.split_once(" = "));
        let given = setting.and_then(|(key, _)| optional.iter().find(|(name, _)| *name == key));
        match given {
            Some((key, Some(value))) => text.extend([key, " = ", &value.to_string(), "\n"]),
            _ => text.extend([line, "\n"]),
        }
    }
    text.parse()
}

fn local_issuer(eservice: &EService) -> [Option<Value>; 2] {
    let local = eservice.local_issuer.as_ref();
    [local.map(|(issuer, _)| issuer.into()), local.map(|(_, jwks_url)| jwks_url.into())]
}

fn fill(document: &mut DocumentMut, eservice: &EService) {
    edit_first(document, "eservice", |table| {
        set(table, "name", Some(&eservice.name));
        set(table, "base_path", Some(&eservice.base_path));
        set(table, "environment", Some(eservice.environment.as_str()));
        set(table, "producer_id", eservice.producer_id.as_deref());
        set(table, "eservice_id", eservice.eservice_id.as_deref());
        set_all(table, "descriptor_ids", &eservice.descriptor_ids);
        set_all(table, "consumer_ids", &eservice.consumer_ids);
        set(table, "contact_email", eservice.contact_email.as_deref());
        set(table, "terms_url", eservice.terms_url.as_deref());
        edit_first(table, "ente", |ente| fill_ente(ente, &eservice.ente));
        if let Some(enti) = table.get_mut("ente").and_then(Item::as_array_of_tables_mut) {
            for delegante in &eservice.deleganti {
                let mut ente = Table::new();
                for key in ENTE {
                    ente.insert(key, value(UNKNOWN));
                }
                fill_ente(&mut ente, delegante);
                enti.push(ente);
            }
        }
    });
}

/// The keys of an ente.
const ENTE: [&str; 4] = ["codice", "denominazione", "sede", "cf_operatore"];

fn fill_ente(table: &mut Table, ente: &super::Ente) {
    for (key, text) in
        ENTE.into_iter().zip([&ente.codice, &ente.denominazione, &ente.sede, &ente.cf_operatore])
    {
        set(table, key, Some(text));
    }
}

fn list(texts: &[String]) -> Option<Value> {
    (!texts.is_empty()).then(|| texts.iter().collect::<Array>().into())
}

fn edit(parent: &mut Table, section: &str, change: impl FnOnce(&mut Table)) {
    if let Some(table) = parent.get_mut(section).and_then(Item::as_table_mut) {
        change(table);
    }
}

fn edit_first(parent: &mut Table, sections: &str, change: impl FnOnce(&mut Table)) {
    let tables = parent.get_mut(sections).and_then(Item::as_array_of_tables_mut);
    if let Some(table) = tables.and_then(|tables| tables.get_mut(0)) {
        change(table);
    }
}

/// Gives a key another value; what explains it stays above it.
fn set(table: &mut Table, key: &str, text: Option<&str>) {
    if let Some(item) = table.get_mut(key) {
        *item = value(text.unwrap_or(UNKNOWN));
    }
}

fn set_all(table: &mut Table, key: &str, texts: &[String]) {
    if let Some(item) = table.get_mut(key) {
        *item = value(list(texts).unwrap_or_else(|| UNKNOWN.into()));
    }
}

/// The text, with what is not known as comments, and the header of TLS where nothing stands below it.
fn finish(document: &DocumentMut) -> String {
    let text = document.to_string();
    let unknown = format!(" = \"{UNKNOWN}\"");
    let no_certificate = text.lines().any(|line| line == format!("certificate{unknown}"));
    let mut finished = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_suffix(&unknown) {
            Some(key) => finished.extend(["#", key, " = \"\"\n"]),
            None if no_certificate && line == "[api.tls]" => finished.push_str("#[api.tls]\n"),
            None => finished.extend([line, "\n"]),
        }
    }
    finished
}
