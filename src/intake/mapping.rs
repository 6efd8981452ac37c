//! Which field a column of another name contains.
//!
//! In a file: TOML, one line for each column: `"Cod. fiscale" = "CodiceFiscale"`. The right side is the name of an
//! attribute or its BX id; an empty one says to ignore the column.

use std::collections::BTreeMap;
use std::path::Path;

/// Names of columns, in lower case, and the fields that they contain.
#[derive(Clone, Debug, Default)]
pub struct Mapping(BTreeMap<String, String>);

/// Why a mapping file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It cannot be read.
    #[error("cannot read the mapping file: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is not a table of texts.
    #[error("the mapping file is not a list of lines like \"Cod. fiscale\" = \"CodiceFiscale\": {0}")]
    Invalid(#[from] toml::de::Error),
}

impl Mapping {
    /// Reads the mapping file at `path`.
    pub fn load(path: &Path) -> Result<Self, MappingError> {
        let table: BTreeMap<String, String> = toml::from_str(&std::fs::read_to_string(path)?)?;
        Ok(Self::new(table))
    }

    /// The mapping that says which field each column contains.
    pub fn new(columns: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(columns.into_iter().map(|(column, field)| (column.trim().to_lowercase(), field)).collect())
    }

    /// Whether it says something of the column called `name`.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// The field that the column called `name` contains, if the mapping says so.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_lowercase()).map(|field| field.trim())
    }
}
