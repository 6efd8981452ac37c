//! Which of a batch's benefits the registry holds already.

use std::collections::HashMap;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, SmallInt, Text};

use super::esiti::CodiceEsito;
use super::plan::{Benefit, Flow, Refusal, Stato};
use super::refusals::ever_refused;
use super::rows::ACTIVE;
use super::standing::live;
use super::told::{Told, told};
use super::{RefusedInsertions, fingerprint};
use crate::siuss::described::{Described, Fingerprint};
use crate::siuss::record::EnteErogatore;
use crate::store::schema::prestazione;
use crate::store::{AnyConnection, EserviceId, StoreError};

#[derive(Queryable)]
struct Row {
    identity_hash: Vec<u8>,
    id: i64,
    content_hash: Vec<u8>,
    stato: i16,
    flusso_ts: i64,
    eliminato_ms: Option<i64>,
    seguito: i16,
}

/// One lookup by the unique key for each identity, in one round trip and one statement that is prepared once. `= ANY`
/// would say the same, but as long as the table has no statistics (the first import of all) the planner takes it for
/// everything and reads the whole table; the limit keeps the lookups apart.
struct Lookups<'a> {
    people: Vec<&'a str>,
    identities: Vec<&'a [u8]>,
    eservice: i64,
    codice: &'a str,
}

impl QueryFragment<Pg> for Lookups<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT held.* FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.people)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.identities)?;
        out.push_sql(
            ") AS key (person, hash) CROSS JOIN LATERAL (\
             SELECT identity_hash, id, content_hash, stato, flusso_ts, eliminato_ms, seguito FROM prestazione \
             WHERE eservice_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.eservice)?;
        out.push_sql(" AND codice_ente = ");
        out.push_bind_param::<Text, _>(&self.codice)?;
        out.push_sql(" AND person = key.person AND identity_hash = key.hash LIMIT 1) AS held");
        Ok(())
    }
}

impl QueryId for Lookups<'_> {
    type QueryId = Lookups<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Lookups<'_> {
    type SqlType = (Binary, BigInt, Binary, SmallInt, BigInt, Nullable<BigInt>, SmallInt);
}

impl RunQueryDsl<PgConnection> for Lookups<'_> {}

/// What a benefit is found by.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    /// The fingerprint of what identifies it.
    pub(super) identity: Fingerprint,
    /// Whose it is, which what identifies it says too.
    pub(super) person: &'a str,
    /// The record that speaks of it, if one does.
    pub(super) record: Option<&'a Described>,
}

impl<'a> From<&'a Described> for Key<'a> {
    fn from(record: &'a Described) -> Self {
        Self { identity: record.key(), person: record.person(), record: Some(record) }
    }
}

/// Adds to `held`, the benefits with `keys`, what a source said of later years in a row that it has shortened since, and
/// of which no record speaks: `find` gives the benefits with other keys.
pub(super) fn rests<'a>(
    keys: &[Key<'_>],
    held: &mut HashMap<Fingerprint, Benefit<'a>>,
    mut find: impl FnMut(&[Key<'_>]) -> Result<HashMap<Fingerprint, Benefit<'a>>, StoreError>,
) -> Result<(), StoreError> {
    let changes = |record: &Described| {
        held.get(&record.key()).is_some_and(|benefit| benefit.content != record.digest())
    };
    // The last benefit that was found of each, and the record that began it.
    let mut ends: Vec<(Fingerprint, &Described)> = keys
        .iter()
        .filter_map(|key| key.record)
        .filter(|record| changes(record))
        .map(|record| (record.key(), record))
        .collect();
    let spoken_of = |identity: &Fingerprint| keys.iter().any(|key| key.identity == *identity);
    for years in 1.. {
        let nexts: Vec<(Fingerprint, Key<'_>)> = ends
            .drain(..)
            .filter_map(|(before, record)| {
                let identity = Fingerprint::of(&record.identity_after(years)?);
                Some((before, Key { identity, person: record.person(), record: Some(record) }))
            })
            .collect();
        if nexts.is_empty() {
            break;
        }
        let wanted: Vec<Key<'_>> = nexts.iter().map(|(_, next)| *next).collect();
        let mut found = find(&wanted)?;
        found.retain(|identity, benefit| benefit.is_rest && !spoken_of(identity));
        for (before, next) in nexts {
            if found.contains_key(&next.identity)
                && let Some(before) = held.get_mut(&before)
            {
                before.next = Some(next.identity);
                ends.extend(next.record.map(|record| (next.identity, record)));
            }
        }
        held.extend(found);
    }
    Ok(())
}

/// The benefits with these keys that the registry holds.
pub(super) fn held<'a>(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
    keys: &[Key<'_>],
    policy: RefusedInsertions,
) -> Result<HashMap<Fingerprint, Benefit<'a>>, StoreError> {
    let codice = erogatore.codice.as_str();
    let rows: Vec<Row> = match connection {
        AnyConnection::Postgres(inner) => {
            let people = keys.iter().map(|key| key.person).collect();
            let identities = keys.iter().map(|key| key.identity.as_bytes().as_slice()).collect();
            Lookups { people, identities, eservice: eservice.get(), codice }.load(inner)?
        }
        AnyConnection::Sqlite(inner) => {
            let mut rows = Vec::new();
            for key in keys {
                // Without a LIMIT: SQLite would plan the statement anew each time that its parameter is bound.
                let found = prestazione::table
                    .filter(prestazione::eservice_id.eq(eservice.get()))
                    .filter(prestazione::codice_ente.eq(codice))
                    .filter(prestazione::person.eq(key.person))
                    .filter(prestazione::identity_hash.eq(key.identity.as_bytes().as_slice()))
                    .select((
                        prestazione::identity_hash,
                        prestazione::id,
                        prestazione::content_hash,
                        prestazione::stato,
                        prestazione::flusso_ts,
                        prestazione::eliminato_ms,
                        prestazione::seguito,
                    ))
                    .get_result::<Row>(inner)
                    .optional()?;
                rows.extend(found);
            }
            rows
        }
    };
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let refused = ever_refused(connection, eservice, &ids)?;
    rows.into_iter()
        .map(|row| {
            let mut benefit = Benefit {
                id: Some(row.id),
                content: fingerprint(&row.content_hash)?,
                stato: if row.stato == ACTIVE { Stato::Active } else { Stato::Withdrawn },
                in_force: Flow::Sent(row.flusso_ts),
                gone_ms: row.eliminato_ms,
                live: Vec::new(),
                refusal: None,
                record: None,
                changed: false,
                is_rest: row.seguito != 0,
                next: None,
                relinked: false,
            };
            if refused.contains(&row.id) {
                let told = told(connection, eservice, row.id)?;
                let flows: Vec<_> = told.iter().map(|flow| flow.sent.clone()).collect();
                benefit.live = live(&flows, policy).into_iter().map(Flow::Sent).collect();
                let needed = |flow: &&Told| {
                    flow.sent.ts == row.flusso_ts || benefit.live.contains(&Flow::Sent(flow.sent.ts))
                };
                benefit.gone_ms = told.iter().filter(needed).filter_map(|flow| flow.dropped_ms).max();
                benefit.refusal =
                    told.into_iter().find(|flow| flow.sent.ts == row.flusso_ts).and_then(refusal);
            } else if benefit.stato == Stato::Active {
                benefit.live.push(benefit.in_force);
            }
            Ok((fingerprint(&row.identity_hash)?, benefit))
        })
        .collect()
}

/// INPS's refusal of an insertion, if that is its last word.
fn refusal(flow: Told) -> Option<Refusal> {
    let (_, codice) = flow.sent.esiti.last().filter(|_| flow.sent.cancels.is_none())?;
    let refusal = Refusal { id_flusso: flow.id_flusso, codice: *codice, descrizione: flow.descrizione };
    Some(refusal).filter(|refusal| refusal.codice != CodiceEsito::Ok)
}
