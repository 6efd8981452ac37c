//! The documents of the flows that a batch publishes. What is in them is decided by the plan, where they stand in the
//! feed by the sequencer.

use std::collections::HashMap;

use diesel::prelude::*;

use super::cancellation;
use super::plan::{Content, Flow, Plan, PlannedFlow};
use super::publish::inconsistent;
use crate::payload;
use crate::siuss::record::{EnteErogatore, NomeFlusso};
use crate::siuss::values::Value;
use crate::siuss::xml;
use crate::store::schema::flusso;
use crate::store::{AnyConnection, EserviceId, StoreError};

/// A flow that is ready but for its timestamp.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) ente_id: i64,
    pub(super) xml: Vec<u8>,
}

/// The same, as it is stored.
pub(super) struct Packed {
    pub(super) name: String,
    pub(super) ente_id: i64,
    pub(super) format: i16,
    pub(super) payload: Vec<u8>,
}

impl From<Written> for Packed {
    fn from(Written { name, ente_id, xml }: Written) -> Self {
        let packed = payload::pack(&xml);
        Self { name, ente_id, format: packed.format, payload: packed.bytes.into_owned() }
    }
}

/// The flows of `plan`, some of which cancel or repeat those in `sent`.
pub(super) fn write(
    plan: &Plan<'_>,
    sent: &HashMap<i64, Written>,
    erogatore: &EnteErogatore,
    ente_id: i64,
    names: &[String],
) -> Result<Vec<Written>, StoreError> {
    let mut written: Vec<Written> = Vec::with_capacity(names.len());
    for (flow, name) in plan.flows.iter().zip(names) {
        let earlier = |flow: &Flow| match flow {
            Flow::Sent(ts) => sent.get(ts),
            Flow::Planned(place) => written.get(*place),
        };
        let one = match &flow.content {
            Content::Insertion(record) => insertion(record.text(), ente_id, erogatore, name)?,
            Content::Repetition(of) => {
                let of = earlier(of).ok_or_else(inconsistent)?;
                let record = xml::read(&of.xml).map_err(|_| unreadable(&of.name))?.record;
                insertion(&record.content(), ente_id, erogatore, name)?
            }
            Content::Cancellation(of) => {
                let of = earlier(of).ok_or_else(inconsistent)?;
                let xml = cancellation::cancellation(&of.xml, &of.name, name)?;
                Written { name: name.clone(), ente_id: of.ente_id, xml }
            }
        };
        written.push(one);
    }
    Ok(written)
}

/// The flow that inserts what a record says, which the ente transmits as it is configured now.
fn insertion(
    content: &str,
    ente_id: i64,
    erogatore: &EnteErogatore,
    name: &str,
) -> Result<Written, StoreError> {
    let flusso = NomeFlusso::read(name).ok_or_else(|| {
        StoreError::Unreadable(format!("an ente whose code is too long to name a flow: {name}"))
    })?;
    Ok(Written { name: name.to_owned(), ente_id, xml: xml::write_around(content, &flusso, erogatore) })
}

fn unreadable(name: &str) -> StoreError {
    StoreError::Unreadable(format!("the flow {name} cannot be read again"))
}

/// The flows in the feed that `flows` cancel or repeat, by timestamp.
pub(super) fn sent(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    flows: &[PlannedFlow<'_>],
) -> Result<HashMap<i64, Written>, StoreError> {
    let timestamps: Vec<i64> = flows
        .iter()
        .filter_map(|flow| match flow.content {
            Content::Cancellation(Flow::Sent(ts)) | Content::Repetition(Flow::Sent(ts)) => Some(ts),
            _ => None,
        })
        .collect();
    let mut sent = HashMap::with_capacity(timestamps.len());
    for ts in timestamps {
        let (name, ente_id, format, bytes): (String, i64, i16, Vec<u8>) = flusso::table
            .find((eservice.get(), ts))
            .select((flusso::id_flusso, flusso::ente_id, flusso::payload_format, flusso::payload))
            .get_result(connection)?;
        sent.insert(ts, Written { name, ente_id, xml: payload::unpack(format, bytes)? });
    }
    Ok(sent)
}
