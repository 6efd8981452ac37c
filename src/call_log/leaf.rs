//! What an entry says, as bytes: the line of the export, which is also what its leaf of the tree is the hash of.
//!
//! The text of an entry may never change, or its log no longer verifies. So the members that stand here are always
//! written, in this order, null where they do not apply; and a member that comes later stands after them and is left
//! out where it does not apply (`skip_serializing_if`): entries from before it keep their text. Numbers are integers
//! or have a fixed number of decimals.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Number;

use super::entry::{EsitiTaken, Evidence};
use super::rows::Row;
use super::tree::{self, Hash};
use crate::store::StoreError;

/// The members that are left out where they do not apply.
pub(super) const LATER: [&str; 2] = ["benefit", "esiti"];

/// An entry under the names of the interface.
#[derive(Serialize)]
pub(super) struct Leaf<'a> {
    index: i64,
    instant: String,
    request_id: &'a str,
    eservice: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    status: i16,
    outcome: &'a str,
    voucher_check: Option<&'a str>,
    client_ip: Option<&'a str>,
    client_id: Option<&'a str>,
    consumer_id: Option<&'a str>,
    purpose_id: Option<&'a str>,
    token_id: Option<&'a str>,
    kid: Option<&'a str>,
    producer_id: Option<&'a str>,
    eservice_id: Option<&'a str>,
    descriptor_id: Option<&'a str>,
    user_id: Option<String>,
    user_location: Option<String>,
    loa: Option<String>,
    since: Option<Number>,
    limit: Option<i64>,
    first_ts: Option<i64>,
    last_ts: Option<i64>,
    count: Option<i64>,
    flows_digest: Option<String>,
    duration_ms: Number,
    bytes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    benefit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    esiti: Option<EsitiTaken>,
}

impl<'a> Leaf<'a> {
    /// What `row` says, in the log of the e-service of this name. Fails for a row that no entry can have become.
    pub(super) fn new(row: &'a Row, eservice: Option<&'a str>) -> Result<Self, StoreError> {
        let unreadable = |what: &str| {
            StoreError::Unreadable(format!("{what} of entry {} of log {}", row.entry_index, row.log_id))
        };
        let instant = Timestamp::from_millisecond(row.instant_ms).map_err(|_| unreadable("the instant"))?;
        let evidence: Option<Evidence> = row
            .evidence
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| unreadable("the evidence"))?;
        let evidence = evidence.unwrap_or_default();
        let esiti = row
            .esiti
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| unreadable("the kinds of outcomes"))?;
        let since = row.since.as_deref().map(str::parse).transpose().map_err(|_| unreadable("the cursor"))?;
        let duration_ms = format!("{}.{:03}", row.duration_us / 1000, row.duration_us % 1000);
        Ok(Self {
            index: row.entry_index,
            instant: format!("{instant:.3}"),
            request_id: &row.request_id,
            eservice,
            method: &row.method,
            path: &row.path,
            query: row.query.as_deref(),
            status: row.status,
            outcome: &row.outcome,
            voucher_check: row.voucher_check.as_deref(),
            client_ip: row.client_ip.as_deref(),
            client_id: row.client_id.as_deref(),
            consumer_id: row.consumer_id.as_deref(),
            purpose_id: row.purpose_id.as_deref(),
            token_id: row.token_id.as_deref(),
            kid: row.kid.as_deref(),
            producer_id: row.producer_id.as_deref(),
            eservice_id: row.pdnd_eservice_id.as_deref(),
            descriptor_id: row.descriptor_id.as_deref(),
            user_id: evidence.user_id,
            user_location: evidence.user_location,
            loa: evidence.loa,
            since,
            limit: row.page_limit,
            first_ts: row.first_ts,
            last_ts: row.last_ts,
            count: row.item_count,
            flows_digest: row.flows_digest.as_deref().map(hex),
            duration_ms: duration_ms.parse().map_err(|_| unreadable("the duration"))?,
            bytes: row.bytes,
            benefit: row.benefit,
            esiti,
        })
    }

    /// The line of the export, without its line feed.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| StoreError::Unreadable(error.to_string()))
    }

    /// Its hash in the tree.
    pub(super) fn hash(&self) -> Result<Hash, StoreError> {
        Ok(tree::leaf(self.text()?.as_bytes()))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
