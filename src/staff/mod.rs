//! The ente's own people: their accounts, what each may do, and who is signed in.
//!
//! Here: accounts and roles ([`Account`], [`Role`]), passwords ([`password`]), sessions ([`session`]), and the way in
//! ([`door`]). Which page asks for which role is the console's matter.

mod accounts;
pub mod door;
pub mod password;
pub mod session;
mod throttle;

use std::fmt;
use std::str::FromStr;

use crate::store::EserviceId;

pub use accounts::{Edit, Listed, add, disable, edit, find, list, set_password};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Role {
    /// Loads, corrects and withdraws benefits, and reads their outcomes.
    Operatore,
    /// Reads the log of calls and its integrity; no payload.
    Revisore,
    /// Manages users, keys and the deployment; no payload.
    Amministratore,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Operatore, Self::Revisore, Self::Amministratore];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operatore => "operatore",
            Self::Revisore => "revisore",
            Self::Amministratore => "amministratore",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(())
    }
}

/// One role or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// These roles, each once, in a fixed order; none without any.
    #[must_use]
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Option<Self> {
        let mut roles: Vec<Role> = roles.into_iter().collect();
        roles.sort_unstable();
        roles.dedup();
        (!roles.is_empty()).then_some(Self(roles))
    }

    /// Every role.
    #[must_use]
    pub fn all() -> Self {
        Self(Role::ALL.to_vec())
    }

    /// The roles.
    #[must_use]
    pub fn as_slice(&self) -> &[Role] {
        &self.0
    }

    /// Whether `role` is among them.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether one of `any` is among them.
    #[must_use]
    pub fn has_any(&self, any: &[Role]) -> bool {
        any.iter().any(|role| self.has(*role))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, role) in self.0.iter().enumerate() {
            write!(formatter, "{}{role}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// What an account is limited to: e-services, and enti of them. Empty: not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<(EserviceId, Option<String>)>);

impl Scope {
    /// Limited to these e-services, or to the ente with this code of each.
    #[must_use]
    pub fn new(limits: Vec<(EserviceId, Option<String>)>) -> Self {
        Self(limits)
    }

    /// Whether anything of `eservice` may be seen.
    #[must_use]
    pub fn includes(&self, eservice: EserviceId) -> bool {
        self.0.is_empty() || self.0.iter().any(|(one, _)| *one == eservice)
    }

    /// Whether what `codice_ente` has in `eservice` may be seen.
    #[must_use]
    pub fn includes_ente(&self, eservice: EserviceId, codice_ente: &str) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|(one, ente)| {
                *one == eservice && ente.as_deref().is_none_or(|codice| codice == codice_ente)
            })
    }

    /// The enti of `eservice` that may be seen; none: all of them.
    #[must_use]
    pub fn enti(&self, eservice: EserviceId) -> Option<Vec<&str>> {
        let of = self.0.iter().filter(|(one, _)| *one == eservice);
        of.map(|(_, ente)| ente.as_deref()).collect::<Option<Vec<_>>>().filter(|enti| !enti.is_empty())
    }

    /// Whether whoever is limited so sees all that somebody limited to `other` does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |(eservice, ente): &(EserviceId, Option<String>)| {
            self.0.iter().any(|(one, own)| one == eservice && (own.is_none() || own == ente))
        };
        self.0.is_empty() || (!other.0.is_empty() && other.0.iter().all(covers))
    }

    /// Whether it limits at all.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        !self.0.is_empty()
    }

    /// The e-services, and enti of them, to which it limits.
    #[must_use]
    pub fn limits(&self) -> &[(EserviceId, Option<String>)] {
        &self.0
    }
}

/// Somebody who may use the back office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The tables' number of it.
    pub id: i64,
    /// What they sign in with; the log of calls names them so.
    pub name: String,
    /// What they are called.
    pub full_name: String,
    /// What they may do.
    pub roles: Roles,
    /// Whether their password is one that somebody else knows, to be changed before anything else.
    pub provisional: bool,
    /// What they are limited to.
    pub scope: Scope,
}

/// The longest name to sign in with, and the longest name of a person, in characters.
pub const LONGEST_NAME: usize = 64;

/// `text` as a name to sign in with: 1 to 64 of a–z, 0–9, `.`, `-`, `_` and `@`, in lower case whatever was typed.
#[must_use]
pub fn login_name(text: &str) -> Option<String> {
    let name = text.trim().to_lowercase();
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_@".contains(&byte));
    (fits && (1..=LONGEST_NAME).contains(&name.len())).then_some(name)
}
