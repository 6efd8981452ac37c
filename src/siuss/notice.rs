//! What is said of a record that is refused or doubtful: which rule, where, what is wrong, what to do.
//!
//! The one shape in which every room speaks to staff about a benefit. Texts are plain Italian.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Whether a record is refused or only doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Published, and reported.
    Avviso,
    /// Refused.
    Errore,
}

impl Severity {
    /// Its name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avviso => "avviso",
            Self::Errore => "errore",
        }
    }
}

/// A rule, with the place that it comes from.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its stable code.
    pub code: &'static str,
    /// What a breach means for the record, unless the operator made it graver or, for an `avviso`, silent.
    pub severity: Severity,
    /// What it asks for, in Italian.
    pub summary: &'static str,
    /// The document that states it.
    pub source: &'static str,
}

/// One breach of one [`Rule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The rule.
    pub rule: &'static Rule,
    /// What it means for the record: the rule's own severity until a judge weighs it.
    pub severity: Severity,
    /// The attribute or element, by its name in the XML.
    pub field: Cow<'static, str>,
    /// Its id in the layout of the mass upload, where it has one.
    pub bx: Option<&'static str>,
    /// The value that was read; empty where there is none.
    pub value: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// The line of the source, from 1, where it is narrower than the record's.
    pub line: Option<u64>,
}

/// Characters of a value that a report repeats.
const LONGEST_VALUE: usize = 200;

impl Notice {
    /// A breach of `rule` at `field`.
    #[must_use]
    pub fn new(
        rule: &'static Rule,
        field: impl Into<Cow<'static, str>>,
        value: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let field = field.into();
        Self {
            rule,
            severity: rule.severity,
            bx: super::fields::bx(&field),
            field,
            value: value.chars().take(LONGEST_VALUE).collect(),
            message: message.into(),
            remedy: remedy.into(),
            line: None,
        }
    }
}

/// Whether any of `notices` refuses the record.
#[must_use]
pub fn refuses(notices: &[Notice]) -> bool {
    notices.iter().any(|notice| notice.severity == Severity::Errore)
}
