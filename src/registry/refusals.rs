//! Which flows INPS ever refused, and about which of them something may be left to do: kept beside the outcomes, in the
//! transactions that change it, because nearly all refusals are settled after some years and few are looked for.
//!
//! What is left to do is told by [`standing`](super::standing) whenever it is shown. Here, a flow is open unless nothing
//! but another outcome could leave something to do about it: whatever is published afterwards, and however insertions
//! that INPS refused are dealt with.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::RefusedInsertions;
use super::esiti;
use super::refused::{Benefit, benefits};
use super::rows::{RifiutoRow, insert_all};
use super::standing::{Sent, case};
use super::told::CHUNK;
use crate::siuss::record::TipoFlusso;
use crate::store::schema::rifiuto;
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend};

/// The condition of the index on open refusals, in the words of the index.
pub(super) const OPEN: &str = "rifiuto.aperto = 1";

/// Takes note of what these benefits were told, in the transaction that stored it.
pub(super) fn judged(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazioni: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    let prestazioni: Vec<i64> = prestazioni.iter().copied().collect();
    for chunk in prestazioni.chunks(CHUNK) {
        let mut rows = Vec::new();
        for benefit in benefits(connection, eservice, chunk)?.values() {
            let sent: Vec<Sent> = benefit.flows.iter().map(|flow| flow.sent.clone()).collect();
            rows.extend(sent.iter().filter(|flow| flow.was_refused()).map(|flow| RifiutoRow {
                eservice_id: eservice.get(),
                flusso_ts: flow.ts,
                prestazione_id: benefit.id,
                aperto: i16::from(is_open(benefit, &sent, flow)),
            }));
        }
        each_backend!(connection, |inner| diesel::delete(
            rifiuto::table
                .filter(rifiuto::eservice_id.eq(eservice.get()))
                .filter(rifiuto::prestazione_id.eq_any(chunk))
        )
        .execute(inner))?;
        insert_all!(connection, rifiuto::table, &rows)?;
    }
    Ok(())
}

/// Takes note of what was published of these benefits, in the same transaction.
pub(super) fn published(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazioni: &[i64],
) -> Result<(), StoreError> {
    let refused = ever_refused(connection, eservice, prestazioni)?;
    if refused.is_empty() {
        return Ok(());
    }
    // Whoever stores outcomes meanwhile knows nothing of the flows that are not committed yet.
    esiti::lock(connection, eservice)?;
    judged(connection, eservice, &refused)
}

/// Which of these benefits have a flow that INPS ever refused.
pub(super) fn ever_refused(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    prestazioni: &[i64],
) -> Result<BTreeSet<i64>, StoreError> {
    let mut refused = BTreeSet::new();
    // Almost every e-service, almost always, has no refusal at all, and every import asks.
    let any: Option<i64> = rifiuto::table
        .filter(rifiuto::eservice_id.eq(eservice.get()))
        .select(rifiuto::flusso_ts)
        .first(connection)
        .optional()?;
    if any.is_none() {
        return Ok(refused);
    }
    for chunk in prestazioni.chunks(CHUNK) {
        let found: Vec<i64> = each_backend!(connection, |inner| rifiuto::table
            .filter(rifiuto::eservice_id.eq(eservice.get()))
            .filter(rifiuto::prestazione_id.eq_any(chunk))
            .select(rifiuto::prestazione_id)
            .load(inner))?;
        refused.extend(found);
    }
    Ok(refused)
}

fn is_open(benefit: &Benefit, sent: &[Sent], flow: &Sent) -> bool {
    let cancellable = benefit.tipo == TipoFlusso::PsPsaSina;
    let stands_refused = flow.ts == benefit.in_force && flow.is_refused();
    stands_refused
        || [RefusedInsertions::Left, RefusedInsertions::Cancelled].into_iter().any(|policy| {
            [benefit.wanted(), None]
                .into_iter()
                .any(|wanted| case(sent, flow.ts, wanted, cancellable, policy).is_some())
        })
}
