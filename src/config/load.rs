//! How the files and the environment become a [`Config`]. Nothing here judges a value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{FileFormat, FileSourceString, Map, Source, Value, ValueKind};
use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer};

use super::{Config, faults};

/// The configuration file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "waas-comuni.toml";

const PREFIX: &str = "WAAS__";

/// Why a configuration cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not TOML.
    #[error("{path}: {source}", path = path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where, and why.
        source: config::ConfigError,
    },
    /// A value cannot be laid over another.
    #[error("{0}")]
    Overlay(#[from] config::ConfigError),
    /// Keys are unknown, or one is missing or of another type.
    #[error("{}", lines(.0, .1))]
    Invalid(Vec<config::ConfigError>, Files),
    /// A section stands in two files of a folder.
    #[error("{path}: {key} stands in another file of this folder already", path = path.display())]
    Twice {
        /// The second of them.
        path: PathBuf,
        /// The section.
        key: String,
    },
    /// A folder has no file for a configuration.
    #[error("{path} holds no file whose name ends in .toml", path = .0.display())]
    Empty(PathBuf),
    /// A secret was given both as a value and as a file.
    #[error("{0} and {0}_file are both set: keep one")]
    SecretTwice(String),
}

/// The file of each e-service, in their order, where a folder of files describes them.
type Files = Vec<PathBuf>;

/// Reads `path` (or [`DEFAULT_FILE`] if it is there, or nothing) and lays the environment over it.
///
/// A folder is read as the files in it whose names end in `.toml`, in the order of their names: each may add e-services,
/// and any other section stands in one of them.
pub fn load(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut sections = Map::new();
    let mut described = Files::new();
    match path {
        Some(folder) if folder.is_dir() => {
            for file in files(folder)? {
                add(&mut sections, &file)?;
                described.resize(eservices(&sections), file);
            }
        }
        Some(file) => add(&mut sections, file)?,
        None if Path::new(DEFAULT_FILE).exists() => add(&mut sections, Path::new(DEFAULT_FILE))?,
        None => {}
    }
    let mut builder = config::Config::builder();
    for (name, value) in sections {
        builder = builder.set_default(name, value)?;
    }
    for (name, value) in environment {
        if let Some(path) = name.strip_prefix(PREFIX) {
            builder = builder.set_override(key_path(path), value)?;
        }
    }
    let settings = resolve_secret_file(builder.build()?, "database.url")?;
    let settings = resolve_secret_file(settings, "database.replica_url")?;
    let settings = resolve_secret_file(settings, "sinba.pseudonym_key")?;
    match faults::read(settings.cache) {
        Ok(mut config) => {
            for (eservice, file) in config.eservice.iter_mut().zip(described) {
                eservice.file = Some(file);
            }
            Ok(config)
        }
        Err(faults) => Err(ConfigError::Invalid(faults, described)),
    }
}

/// How many e-services these sections describe.
fn eservices(sections: &Map<String, Value>) -> usize {
    match sections.get("eservice").map(|section| &section.kind) {
        Some(ValueKind::Array(all)) => all.len(),
        _ => 0,
    }
}

/// What is said of all `faults`; keys as other findings write them: `eservice[0].name`, and the file behind it.
fn lines(faults: &[config::ConfigError], described: &[PathBuf]) -> String {
    let mut text = String::new();
    for fault in faults {
        if !text.is_empty() {
            text.push('\n');
        }
        let fault = fault.to_string();
        // The key comes last; what stands before it may be anything.
        let file = fault.rsplit_once("eservice[").and_then(|(_, key)| {
            let index: usize = key.split_once(']')?.0.parse().ok()?;
            described.get(index)
        });
        if let Some(file) = file {
            text.push_str(&file.display().to_string());
            text.push_str(": ");
        }
        for character in fault.chars() {
            if text.ends_with(']') && character.is_ascii_alphabetic() {
                text.push('.');
            }
            text.push(character);
        }
    }
    text
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> ConfigError {
    move |source| ConfigError::Unreadable { path: path.to_owned(), source }
}

/// The files of a folder that hold configuration, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ConfigError::Empty(folder.to_owned()));
    }
    files.sort();
    Ok(files)
}

/// Adds the sections of one file: what is a list grows.
fn add(sections: &mut Map<String, Value>, path: &Path) -> Result<(), ConfigError> {
    let source = config::File::<FileSourceString, _>::from_str(&read(path)?, FileFormat::Toml);
    let found = source.collect().map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
    for (key, value) in found {
        match (sections.get_mut(&key).map(|section| &mut section.kind), value.kind) {
            (None, kind) => {
                sections.insert(key, Value::new(None, kind));
            }
            (Some(ValueKind::Array(all)), ValueKind::Array(mut more)) => all.append(&mut more),
            (Some(_), _) => return Err(ConfigError::Twice { path: path.to_owned(), key }),
        }
    }
    Ok(())
}

/// `ESERVICE__0__BASE_PATH` names `eservice[0].base_path`.
fn key_path(variable: &str) -> String {
    let mut path = String::new();
    for segment in variable.split("__") {
        if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push('[');
            path.push_str(segment);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&segment.to_lowercase());
        }
    }
    path
}

/// Gives `KEY` the content of the file that `KEY_file` names, without its last line break.
fn resolve_secret_file(settings: config::Config, key: &str) -> Result<config::Config, ConfigError> {
    let file_key = format!("{key}_file");
    let Ok(path) = settings.get_string(&file_key) else {
        return Ok(settings);
    };
    if settings.get_string(key).is_ok() {
        return Err(ConfigError::SecretTwice(key.to_owned()));
    }
    let secret = read(Path::new(&path))?;
    let mut root = settings.cache.into_table()?;
    if let Some((section, name)) = key.split_once('.')
        && let Some(value) = root.remove(section)
    {
        let mut table = value.into_table()?;
        table.insert(name.to_owned(), Value::from(secret.trim_end_matches(['\r', '\n'])));
        root.insert(section.to_owned(), Value::from(table));
    }
    let mut builder = config::Config::builder();
    for (name, value) in root {
        builder = builder.set_override(name, value)?;
    }
    Ok(builder.build()?)
}

/// A list of strings, or one string with commas between the values (as an environment variable gives it).
pub(super) fn strings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::Many(values) => values,
        OneOrMany::One(text) => {
            text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
        }
    })
}

/// A value of a closed list by its name, whose error tells all names.
pub(super) fn named<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(String::deserialize(deserializer)?.into_deserializer())
}

/// Values of a closed list by their names, by key.
pub(super) fn all_named<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(bound = "T: Deserialize<'de>")]
    struct Named<T>(#[serde(deserialize_with = "named")] T);

    let named = BTreeMap::<String, Named<T>>::deserialize(deserializer)?;
    Ok(named.into_iter().map(|(key, Named(value))| (key, value)).collect())
}
