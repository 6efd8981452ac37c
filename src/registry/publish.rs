//! One batch of records into a feed, within one transaction that holds the feed.

use std::collections::HashMap;
use std::num::NonZeroU32;

use diesel::prelude::*;
use jiff::Timestamp;

use super::documents::{self, Packed};
use super::forecast::Forecast;
use super::held::{self, Key};
use super::meanwhile::meanwhile;
use super::plan::{Benefit, Content, Flow, Outcome, Plan, PlannedFlow, Stato};
use super::preview::Foreseen;
use super::riepilogo::{self, Part};
use super::rows::{ACTIVE, FlussoRow, PrestazioneRow, WITHDRAWN, insert_all};
use super::{Feed, Published, Verdict, gap, refusals, tipo_number};
use crate::siuss::described::Fingerprint;
use crate::siuss::record::{EnteErogatore, TipoFlusso};
use crate::store::schema::{ente, flusso, prestazione, progressivo};
use crate::store::{AnyConnection, Day, EserviceId, StoreError, each_backend, sequencer};

/// Flows of a batch from which on a thread of its own is worth its start.
const MANY: usize = 64;

/// Publishes what `decide` plans on top of the benefits with these keys.
pub(super) fn publish<'a>(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    keys: &[Key<'_>],
    decide: impl FnOnce(&mut Plan<'a>) -> Vec<(Fingerprint, Outcome)>,
) -> Result<Vec<Published>, StoreError> {
    let Feed { eservice, erogatore, clock, following, .. } = *feed;
    let sequence = sequencer::lock(connection, eservice)?;
    let mut plan = Plan::new(known(connection, feed, keys, &Forecast::default())?);
    let outcomes = decide(&mut plan);
    if plan.is_empty() {
        return published(outcomes, &plan, &[], &HashMap::new());
    }
    let now = clock.now();
    let names = names(connection, eservice, erogatore, now, &plan.flows)?;
    let ente_id = ente_id(connection, eservice, erogatore)?;
    let sent = documents::sent(connection, eservice, &plan.flows)?;
    // What INPS refused is withdrawn without a flow.
    let timestamps: Vec<i64> = match u32::try_from(plan.flows.len()).ok().and_then(NonZeroU32::new) {
        Some(count) => sequence.reserve(connection, count, following, now.as_millisecond())?.collect(),
        None => Vec::new(),
    };
    let plan = &plan;
    let ids = ids(plan, &timestamps);
    let (flows, done) = meanwhile(
        matches!(connection, AnyConnection::Postgres(_)) && names.len() >= MANY,
        || {
            let written = documents::write(plan, &sent, erogatore, ente_id, &names)?;
            Ok(written.into_iter().map(Packed::from).collect::<Vec<_>>())
        },
        || {
            riepilogo::published(connection, eservice, erogatore.codice.as_str(), plan, &timestamps)?;
            write_benefits(connection, eservice, erogatore, plan, &ids, &timestamps, now.as_millisecond())
        },
    );
    let flows = flows?;
    done?;
    write_flows(connection, eservice, plan, &ids, &flows, &timestamps)?;
    let changed: Vec<i64> =
        plan.benefits.values().filter(|one| one.changed).filter_map(|one| one.id).collect();
    refusals::published(connection, eservice, &changed)?;
    published(outcomes, plan, &names, &ids)
}

/// What [`publish`] would give, which writes nothing here: flows are called by their places in the plan. What `earlier`
/// foresees counts as done, and gains what this would do.
pub(super) fn foresee<'a>(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    keys: &[Key<'_>],
    earlier: &mut Forecast,
    decide: impl FnOnce(&mut Plan<'a>) -> Vec<(Fingerprint, Outcome)>,
) -> Result<Vec<Published>, StoreError> {
    let mut plan = Plan::new(known(connection, feed, keys, earlier)?);
    let outcomes = decide(&mut plan);
    let names: Vec<String> = (0..plan.flows.len()).map(|place| place.to_string()).collect();
    let foreseen = published(outcomes, &plan, &names, &HashMap::new())?;
    earlier.add(plan);
    Ok(foreseen)
}

/// What [`publish`] would give, and the flows as it would write them, which bear their places for names; nothing is
/// written. The connection may be one that only reads.
pub(super) fn draft<'a>(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    keys: &[Key<'_>],
    decide: impl FnOnce(&mut Plan<'a>) -> Vec<(Fingerprint, Outcome)>,
) -> Result<(Vec<Published>, Vec<Foreseen>), StoreError> {
    /// No row has it.
    const NO_ENTE: i64 = 0;
    let Feed { eservice, erogatore, .. } = *feed;
    let mut plan = Plan::new(known(connection, feed, keys, &Forecast::default())?);
    let outcomes = decide(&mut plan);
    let names: Vec<String> = (1..=plan.flows.len()).map(|place| place.to_string()).collect();
    let sent = documents::sent(connection, eservice, &plan.flows)?;
    let written = documents::write(&plan, &sent, erogatore, NO_ENTE, &names)?;
    let flows = plan.flows.iter().zip(written).map(|(flow, written)| Foreseen {
        cancels: matches!(flow.content, Content::Cancellation(_)),
        xml: written.xml,
    });
    let flows = flows.collect();
    Ok((published(outcomes, &plan, &names, &HashMap::new())?, flows))
}

/// The benefits with these keys and the rests of rows that were shortened, as what `earlier` foresees leaves them.
fn known<'a>(
    connection: &mut AnyConnection,
    feed: &Feed<'_>,
    keys: &[Key<'_>],
    earlier: &Forecast,
) -> Result<HashMap<Fingerprint, Benefit<'a>>, StoreError> {
    let mut find = |keys: &[Key<'_>]| {
        let mut held = held::held(connection, feed.eservice, feed.erogatore, keys, feed.refused)?;
        held.extend(keys.iter().filter_map(|key| earlier.get(key.identity)));
        Ok(held)
    };
    let mut held = find(keys)?;
    held::rests(keys, &mut held, find)?;
    Ok(held)
}

fn published(
    outcomes: Vec<(Fingerprint, Outcome)>,
    plan: &Plan<'_>,
    names: &[String],
    ids: &HashMap<Fingerprint, i64>,
) -> Result<Vec<Published>, StoreError> {
    let name = |place: usize| names.get(place).cloned().ok_or_else(inconsistent);
    let names_of = |places: Vec<usize>| places.into_iter().map(name).collect::<Result<Vec<_>, _>>();
    outcomes
        .into_iter()
        .map(|(identity, outcome)| {
            let held = plan.benefits.get(&identity).and_then(|benefit| benefit.id);
            let verdict = match outcome {
                Outcome::New(flow) => Verdict::New { id_flusso: name(flow)? },
                Outcome::Unchanged => Verdict::Unchanged,
                Outcome::Unsettled(notice) => Verdict::Unsettled(notice),
                Outcome::Changed { cancellations, insertion } => {
                    Verdict::Changed { cancellations: names_of(cancellations)?, insertion: name(insertion)? }
                }
                Outcome::Withdrawn { cancellations } => {
                    Verdict::Withdrawn { cancellations: names_of(cancellations)? }
                }
                Outcome::Refused(notice) => Verdict::Refused(notice),
            };
            Ok(Published { prestazione: held.or_else(|| ids.get(&identity).copied()), verdict })
        })
        .collect()
}

pub(super) fn inconsistent() -> StoreError {
    StoreError::Unreadable("a benefit whose flow is not in the feed".to_owned())
}

/// A name for each flow: the day's next numbers, which no other flow was or will be given.
fn names(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
    now: Timestamp,
    flows: &[PlannedFlow<'_>],
) -> Result<Vec<String>, StoreError> {
    let codice = erogatore.codice.as_str();
    let day = Day::of(now);
    let above = gap::numbers_above(connection, eservice, now)?;
    let mut next = HashMap::new();
    for tipo in [TipoFlusso::PsPsaSina, TipoFlusso::Sinba] {
        let count = i64::try_from(flows.iter().filter(|flow| flow.tipo == tipo).count()).unwrap_or(i64::MAX);
        if count > 0 {
            let row = (
                progressivo::eservice_id.eq(eservice.get()),
                progressivo::codice_ente.eq(codice),
                progressivo::tipo.eq(tipo_number(tipo)),
                progressivo::giorno.eq(day.number()),
                progressivo::ultimo.eq(count),
            );
            let mut last: i64 = each_backend!(connection, |inner| diesel::insert_into(progressivo::table)
                .values(row)
                .on_conflict((
                    progressivo::eservice_id,
                    progressivo::codice_ente,
                    progressivo::tipo,
                    progressivo::giorno,
                ))
                .do_update()
                .set(progressivo::ultimo.eq(progressivo::ultimo + count))
                .returning(progressivo::ultimo)
                .get_result(inner))?;
            if last - count < above {
                last = above + count;
                diesel::update(progressivo::table.find((
                    eservice.get(),
                    codice,
                    tipo_number(tipo),
                    day.number(),
                )))
                .set(progressivo::ultimo.eq(last))
                .execute(connection)?;
            }
            next.insert(tipo, last - count);
        }
    }
    Ok(flows
        .iter()
        .map(|flow| {
            let number = next.entry(flow.tipo).or_default();
            *number += 1;
            format!("{codice}.{}.{}.{number:07}", flow.tipo.sigla(), day.number())
        })
        .collect())
}

impl Flow {
    /// Its timestamp, when the plan's flows have these.
    fn timestamp(self, timestamps: &[i64]) -> Option<i64> {
        match self {
            Self::Sent(ts) => Some(ts),
            Self::Planned(place) => timestamps.get(place).copied(),
        }
    }
}

/// The row of the ente under its present name.
fn ente_id(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
) -> Result<i64, StoreError> {
    let denominazione = erogatore.denominazione.as_ref().map_or("", |name| name.as_str());
    let key = (
        ente::eservice_id.eq(eservice.get()),
        ente::codice.eq(erogatore.codice.as_str()),
        ente::denominazione.eq(denominazione),
    );
    let known = ente::table.filter(key.0).filter(key.1).filter(key.2).select(ente::id);
    match known.first(connection).optional()? {
        Some(id) => Ok(id),
        None => Ok(each_backend!(connection, |inner| diesel::insert_into(ente::table)
            .values(key)
            .returning(ente::id)
            .get_result(inner))?),
    }
}

/// The ids of the benefits that have flows. One that was not held is named after its first flow.
fn ids(plan: &Plan<'_>, timestamps: &[i64]) -> HashMap<Fingerprint, i64> {
    let mut ids: HashMap<Fingerprint, i64> = HashMap::with_capacity(plan.flows.len());
    for (flow, ts) in plan.flows.iter().zip(timestamps) {
        let held = plan.benefits.get(&flow.identity).and_then(|benefit| benefit.id);
        ids.entry(flow.identity).or_insert(held.unwrap_or(*ts));
    }
    ids
}

/// Writes the benefits as the plan leaves them.
fn write_benefits(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    erogatore: &EnteErogatore,
    plan: &Plan<'_>,
    ids: &HashMap<Fingerprint, i64>,
    timestamps: &[i64],
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut benefits = Vec::new();
    for (identity, benefit) in &plan.benefits {
        let seguito = i16::from(benefit.is_rest);
        if let (Some(id), true, false) = (benefit.id, benefit.relinked, benefit.changed) {
            diesel::update(prestazione::table.find((eservice.get(), id)))
                .set(prestazione::seguito.eq(seguito))
                .execute(connection)?;
        }
        if !benefit.changed {
            continue;
        }
        let flusso_ts = benefit.in_force.timestamp(timestamps).ok_or_else(inconsistent)?;
        let stato = match benefit.stato {
            Stato::Active => ACTIVE,
            Stato::Withdrawn => WITHDRAWN,
        };
        if let Some(id) = benefit.id {
            diesel::update(prestazione::table.find((eservice.get(), id)))
                .set((
                    prestazione::content_hash.eq(benefit.content.as_bytes()),
                    prestazione::stato.eq(stato),
                    prestazione::flusso_ts.eq(flusso_ts),
                    prestazione::updated_ms.eq(now_ms),
                    prestazione::eliminato_ms.eq(None::<i64>),
                    prestazione::seguito.eq(seguito),
                ))
                .execute(connection)?;
        } else {
            let record = benefit.record.ok_or_else(inconsistent)?;
            let part = Part::left(benefit).unwrap_or_default();
            benefits.push(PrestazioneRow {
                eservice_id: eservice.get(),
                id: *ids.get(identity).ok_or_else(inconsistent)?,
                codice_ente: erogatore.codice.as_str(),
                tipo: tipo_number(record.tipo()),
                identity_hash: identity.as_bytes(),
                content_hash: benefit.content.as_bytes(),
                person: record.person(),
                label: record.label(),
                stato,
                flusso_ts,
                created_ms: now_ms,
                updated_ms: now_ms,
                codice: record.codice(),
                primo_mese: part.primo_mese,
                mesi: part.mesi,
                importo: part.importo,
                seguito,
            });
        }
    }
    // In the order of the key: a tree is built faster at its end than all over.
    benefits.sort_unstable_by_key(|row| row.id);
    insert_all!(connection, prestazione::table, &benefits)?;
    Ok(())
}

/// Writes the flows.
fn write_flows(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    plan: &Plan<'_>,
    ids: &HashMap<Fingerprint, i64>,
    packed: &[Packed],
    timestamps: &[i64],
) -> Result<(), StoreError> {
    let mut flows = Vec::with_capacity(packed.len());
    for ((flow, packed), ts) in plan.flows.iter().zip(packed).zip(timestamps) {
        flows.push(FlussoRow {
            eservice_id: eservice.get(),
            ts: *ts,
            id_flusso: &packed.name,
            ente_id: packed.ente_id,
            tipo: tipo_number(flow.tipo),
            operazione: match (flow.tipo, &flow.content) {
                (TipoFlusso::Sinba, _) => None,
                (TipoFlusso::PsPsaSina, Content::Insertion(..) | Content::Repetition(_)) => Some("I"),
                (TipoFlusso::PsPsaSina, Content::Cancellation(_)) => Some("C"),
            },
            prestazione_id: *ids.get(&flow.identity).ok_or_else(inconsistent)?,
            payload_format: packed.format,
            payload: &packed.payload,
            annulla_ts: match flow.content {
                Content::Cancellation(of) => Some(of.timestamp(timestamps).ok_or_else(inconsistent)?),
                Content::Insertion(..) | Content::Repetition(_) => None,
            },
        });
    }
    insert_all!(connection, flusso::table, &flows)?;
    Ok(())
}
