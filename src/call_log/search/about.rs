//! From a flow, a benefit or a person to the entries that speak of them: the pages that held a flow of theirs, and the
//! entries that name a benefit of theirs.
//!
//! The log itself holds neither names nor fiscal codes. The registry says which benefits a person has, and which flows
//! were published of them.

use diesel::prelude::*;

use super::logs;
use crate::call_log::pulls::Window;
use crate::config::Config;
use crate::siuss::pseudonym::Key;
use crate::siuss::values::{CodiceFiscale, Value as _};
use crate::store::schema::{ente, flusso, prestazione};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// Of what data was given, looked at or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A flow, by its name.
    Flow(String),
    /// A benefit, by the registry's own number.
    Benefit(i64),
    /// These benefits of an e-service.
    Benefits(EserviceId, Vec<i64>),
    /// A person, under any of these codes: the fiscal code, the code of a child in care.
    Person(Vec<String>),
}

/// The longest code of a person that is looked for, in characters.
const LONGEST: usize = 64;

impl About {
    /// The person whose code somebody gave; none if it can be none. A child in care is found by the fiscal code too,
    /// where the configuration has the key that makes the child's code of it.
    #[must_use]
    pub fn person(text: &str, config: &Config) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST {
            return None;
        }
        // A fiscal code is kept in capitals; a child's code as it was given.
        let Some(code) = CodiceFiscale::read(text) else { return Some(Self::Person(vec![text.to_owned()])) };
        let key = config.sinba.pseudonym_key.clone().and_then(Key::new);
        let pseudonym = key.and_then(|key| key.pseudonym(&code));
        Some(Self::Person(std::iter::once(code.as_str().to_owned()).chain(pseudonym).collect()))
    }
}

/// A benefit that a search is about.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Held {
    /// The registry's number.
    pub id: i64,
    /// The ente that grants it.
    pub codice_ente: String,
    /// `ProtocolloDomanda` or `IDBeneficiario`.
    pub label: String,
}

/// At most `limit` benefits of an e-service that a search is about, of these enti or of any.
pub fn held(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    about: &About,
    enti: Option<&[String]>,
    limit: u32,
) -> Result<Vec<Held>, StoreError> {
    let mut query = prestazione::table
        .filter(prestazione::eservice_id.eq(eservice.get()))
        .select((prestazione::id, prestazione::codice_ente, prestazione::label))
        .order(prestazione::id)
        .limit(i64::from(limit))
        .into_boxed();
    query = match about {
        About::Flow(name) => match flow(connection, eservice, name)? {
            Some((_, id)) => query.filter(prestazione::id.eq(id)),
            None => return Ok(Vec::new()),
        },
        About::Benefit(id) => query.filter(prestazione::id.eq(*id)),
        About::Benefits(of, ids) if *of == eservice => query.filter(prestazione::id.eq_any(ids)),
        About::Benefits(..) => return Ok(Vec::new()),
        About::Person(codes) => query.filter(prestazione::person.eq_any(codes)),
    };
    if let Some(enti) = enti {
        query = query.filter(prestazione::codice_ente.eq_any(enti));
    }
    Ok(query.load(connection)?)
}

/// Where to look.
pub(super) enum Scope {
    /// In every log.
    Everything,
    /// Among the pages that held the flow with this timestamp.
    Pages {
        /// Whose feed it is in.
        log_id: i64,
        /// Where and when such a page begins.
        window: Window,
        /// The flow's own.
        ts: i64,
    },
    /// Among the entries that name this benefit.
    Benefit {
        /// Whose benefit it is.
        log_id: i64,
        /// The registry's number.
        id: i64,
    },
    /// Among the pages with a flow of one of these rows of enti.
    Enti(Vec<i64>),
}

/// The benefits that a search is about, by their e-services; none for a search about nothing in particular.
pub fn benefits(connection: &mut AnyConnection, about: &About) -> Result<Vec<(EserviceId, i64)>, StoreError> {
    let mut found = Vec::new();
    for eservice in logs(connection, None)? {
        let ids = match about {
            About::Flow(name) => {
                flow(connection, eservice, name)?.map(|(_, benefit)| benefit).into_iter().collect()
            }
            About::Benefit(id) => {
                prestazione::table.find((eservice.get(), *id)).select(prestazione::id).load(connection)?
            }
            About::Benefits(of, ids) if *of == eservice => ids.clone(),
            About::Benefits(..) => Vec::new(),
            About::Person(codes) => of_person(connection, eservice, codes)?,
        };
        found.extend(ids.into_iter().map(|id| (eservice, id)));
    }
    Ok(found)
}

/// Where the entries about something are, in one log or in all.
pub(super) fn scopes(
    connection: &mut AnyConnection,
    about: &About,
    log_id: Option<i64>,
) -> Result<Vec<Scope>, StoreError> {
    let mut scopes = Vec::new();
    for eservice in logs(connection, log_id)? {
        let benefits = match about {
            About::Flow(name) => {
                if let Some((ts, _)) = flow(connection, eservice, name)? {
                    scopes.push(pages(connection, eservice, ts)?);
                }
                continue;
            }
            About::Benefit(id) => vec![*id],
            About::Benefits(of, ids) if *of == eservice => ids.clone(),
            About::Benefits(..) => continue,
            About::Person(codes) => of_person(connection, eservice, codes)?,
        };
        for id in benefits {
            let flows: Vec<i64> = flusso::table
                .filter(flusso::eservice_id.eq(eservice.get()))
                .filter(flusso::prestazione_id.eq(id))
                .select(flusso::ts)
                .load(connection)?;
            for ts in flows {
                scopes.push(pages(connection, eservice, ts)?);
            }
            scopes.push(Scope::Benefit { log_id: eservice.get(), id });
        }
    }
    Ok(scopes)
}

/// The rows of the ente with this code.
pub(super) fn enti(
    connection: &mut AnyConnection,
    codice: &str,
    log_id: Option<i64>,
) -> Result<Vec<i64>, StoreError> {
    let logs: Vec<i64> = logs(connection, log_id)?.into_iter().map(EserviceId::get).collect();
    let ids = ente::table
        .filter(ente::eservice_id.eq_any(logs))
        .filter(ente::codice.eq(codice))
        .select(ente::id)
        .load(connection)?;
    Ok(ids)
}

fn pages(connection: &mut AnyConnection, eservice: EserviceId, ts: i64) -> Result<Scope, StoreError> {
    let window = Window::of(connection, eservice, ts)?;
    Ok(Scope::Pages { log_id: eservice.get(), window, ts })
}

/// The timestamp of the flow of this name, and the benefit that it is about.
fn flow(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    name: &str,
) -> Result<Option<(i64, i64)>, StoreError> {
    let flow = flusso::table
        .filter(flusso::eservice_id.eq(eservice.get()))
        .filter(flusso::id_flusso.eq(name))
        .select((flusso::ts, flusso::prestazione_id))
        .first(connection)
        .optional()?;
    Ok(flow)
}

fn of_person(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    codes: &[String],
) -> Result<Vec<i64>, StoreError> {
    let ids = prestazione::table
        .filter(prestazione::eservice_id.eq(eservice.get()))
        .filter(prestazione::person.eq_any(codes))
        .order(prestazione::id)
        .select(prestazione::id)
        .load(connection)?;
    Ok(ids)
}
