//! What a breach of a rule means where the operator decided otherwise than the product.
//!
//! A rule that refuses cannot be lowered: nothing leaves that INPS's schemas or a rule of theirs forbid. A rule that
//! warns can be raised, so that the ente refuses what it never wants to send, or silenced.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::notice::{Notice, Severity};
use super::RULES;

/// What the operator can make of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Its breach refuses the record.
    Errore,
    /// Its breach is reported.
    Avviso,
    /// Its breach is not even reported.
    Off,
}

/// Why a rule cannot have a [`Level`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeverityError {
    /// There is none of that code.
    #[error("no rule of records has this code")]
    Unknown,
    /// INPS would refuse what it refuses.
    #[error("this rule refuses what INPS would refuse: it cannot be lowered")]
    Lowered,
}

/// The rules whose severity is not the product's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Severities(BTreeMap<&'static str, Level>);

impl Severities {
    /// These levels, by the codes of the rules in capitals or not; or all that is wrong with them, by code.
    pub fn new(levels: &BTreeMap<String, Level>) -> Result<Self, Vec<(String, SeverityError)>> {
        let mut severities = BTreeMap::new();
        let mut wrong = Vec::new();
        for (code, level) in levels {
            match RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code)) {
                None => wrong.push((code.clone(), SeverityError::Unknown)),
                Some(rule) if rule.severity == Severity::Errore && *level != Level::Errore => {
                    wrong.push((code.clone(), SeverityError::Lowered));
                }
                Some(rule) => {
                    severities.insert(rule.code, *level);
                }
            }
        }
        if wrong.is_empty() { Ok(Self(severities)) } else { Err(wrong) }
    }

    /// What is made of the rule with this code.
    #[must_use]
    pub fn of(&self, code: &str) -> Option<Level> {
        self.0.get(code).copied()
    }

    /// Gives each of `notices` the severity in force, and drops those that are not wanted.
    pub fn weigh(&self, notices: &mut Vec<Notice>) {
        if self.0.is_empty() {
            return;
        }
        notices.retain_mut(|notice| match self.of(notice.rule.code) {
            Some(Level::Off) => false,
            Some(Level::Errore) => {
                notice.severity = Severity::Errore;
                true
            }
            Some(Level::Avviso) | None => true,
        });
    }
}
