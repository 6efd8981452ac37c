//! How the file and the environment become a [`Config`]. Nothing here judges a value.

use std::path::{Path, PathBuf};

use config::{FileFormat, FileSourceString, Value};
use serde::{Deserialize, Deserializer};

use super::Config;

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
    /// The text is not TOML, or a key is unknown, missing or of another type.
    #[error("{0}")]
    Invalid(#[from] config::ConfigError),
    /// A secret was given both as a value and as a file.
    #[error("{0} and {0}_file are both set: keep one")]
    SecretTwice(String),
}

/// Reads `file` (or [`DEFAULT_FILE`] if it is there, or nothing) and lays the environment over it.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut builder = config::Config::builder();
    let text = match file {
        Some(path) => Some(read(path)?),
        None if Path::new(DEFAULT_FILE).exists() => Some(read(Path::new(DEFAULT_FILE))?),
        None => None,
    };
    if let Some(text) = text {
        builder = builder.add_source(config::File::<FileSourceString, _>::from_str(&text, FileFormat::Toml));
    }
    for (name, value) in environment {
        if let Some(path) = name.strip_prefix(PREFIX) {
            builder = builder.set_override(key_path(path), value)?;
        }
    }
    let settings = resolve_secret_file(builder.build()?, "database.url")?;
    resolve_secret_file(settings, "sinba.pseudonym_key")?.try_deserialize().map_err(ConfigError::from)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
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
