//! One call, as it is logged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use openssl::sha::Sha256;
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Uuid};

use super::leaf::hex;
use super::rows::Row;
use crate::store::{EserviceId, storable};

/// The longest path or query that is kept, in characters.
const LONG: usize = 2048;
/// The longest of everything else that the caller chooses, in characters.
const SHORT: usize = 128;

/// One call, and how it is about to be answered.
///
/// What the caller chooses (path, query, method, claims) is kept up to a length, without NUL characters: no call can
/// make its own entry impossible to write.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The e-service called; none for a path outside all of them.
    pub eservice: Option<EserviceId>,
    /// When the call arrived.
    pub instant: Timestamp,
    /// The id in the answer's `X-Request-Id`.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path of the URI, without the query.
    pub path: String,
    /// Query of the URI, if any.
    pub query: Option<String>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Stable code of what happened.
    pub outcome: &'static str,
    /// Where the call came from.
    pub client_ip: Option<IpAddr>,
    /// What the voucher said of the caller, as far as it was read; verified only if `voucher_check` is none.
    pub caller: Caller,
    /// Stable code of the check that the voucher failed.
    pub voucher_check: Option<&'static str>,
    /// The cursor asked, in milliseconds since the epoch.
    pub since: Option<u128>,
    /// The page size in force.
    pub limit: Option<u32>,
    /// How many flows were given, or outcomes taken.
    pub count: Option<u32>,
    /// Which flows were given; none when there were none.
    pub disclosed: Option<Disclosed>,
    /// The benefit that was asked for or changed, by the registry's own number, where it was one.
    pub benefit: Option<i64>,
    /// Of what kind the outcomes were that were taken.
    pub esiti: Option<EsitiTaken>,
    /// How long the answer took to prepare.
    pub duration: Duration,
    /// Length of the answer's body, before any compression.
    pub bytes: Option<u64>,
}

/// A new id for a call that arrived at `instant`. It begins with the instant (UUID version 7), so that the entry is found
/// among those of one millisecond, without an index of its own.
#[must_use]
pub fn request_id(instant: Timestamp) -> Uuid {
    let seconds = u64::try_from(instant.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(instant.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds))
}

/// What is known of the caller: a voucher's claims and the `kid` of its header, and what evidence came with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `consumerId`.
    pub consumer_id: Option<String>,
    /// `purposeId`.
    pub purpose_id: Option<String>,
    /// `jti`.
    pub token_id: Option<String>,
    /// The key that signed it.
    pub kid: Option<String>,
    /// `producerId`.
    pub producer_id: Option<String>,
    /// `eserviceId`.
    pub eservice_id: Option<String>,
    /// `descriptorId`.
    pub descriptor_id: Option<String>,
    /// `userID` of the tracking evidence: for whom the consumer called, in its own terms. Of a call to the back office,
    /// the name of the vendor's key.
    pub user_id: Option<String>,
    /// `userLocation` of the tracking evidence.
    pub user_location: Option<String>,
    /// `LoA` of the tracking evidence.
    pub loa: Option<String>,
}

/// The members of the column `evidence`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evidence {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) loa: Option<String>,
}

/// Of what kind the outcomes of a call were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EsitiTaken {
    /// How many there were, by `codice_esito`.
    pub by_code: BTreeMap<String, usize>,
    /// How many were known already, from an earlier delivery.
    pub repeated: usize,
    /// How many were about flows that the e-service never published.
    pub unknown_flows: usize,
}

/// Which flows a page held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    first_ts: i64,
    last_ts: i64,
    digest: [u8; 32],
}

impl Disclosed {
    /// The flows from `first_ts` to `last_ts` (milliseconds since the epoch), with these names in this order. Their
    /// digest is the SHA-256 of the names, each followed by a line feed.
    pub fn new<'a>(first_ts: i64, last_ts: i64, names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for name in names {
            hash.update(name.as_bytes());
            hash.update(b"\n");
        }
        Self { first_ts, last_ts, digest: hash.finish() }
    }

    /// A name for these flows that no others of the same feed have: timestamps and names are never used again.
    pub(crate) fn tag(&self) -> String {
        let [start @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &self.digest;
        format!("{:x}-{:x}-{}", self.first_ts, self.last_ts, hex(start))
    }

    /// Whether this is its digest.
    pub(super) fn has(&self, digest: &[u8]) -> bool {
        self.digest == digest
    }
}

impl Entry {
    /// The log that it belongs to; 0 is that of the calls outside any e-service.
    pub(super) fn log_id(&self) -> i64 {
        self.eservice.map_or(0, EserviceId::get)
    }

    /// The same call, refused with 429: nothing was disclosed.
    pub(super) fn refused(&self, outcome: &'static str) -> Self {
        Self { status: 429, outcome, count: None, disclosed: None, esiti: None, bytes: None, ..self.clone() }
    }

    pub(super) fn row(&self, entry_index: i64) -> Row {
        let caller = &self.caller;
        let claim = |value: &Option<String>| value.as_deref().map(|value| bounded(value, SHORT));
        // Whatever the caller of this room says: only a page that was given discloses anything.
        let disclosed = self.disclosed.as_ref().filter(|_| self.status == 200);
        Row {
            log_id: self.log_id(),
            entry_index,
            instant_ms: self.instant.as_millisecond(),
            request_id: bounded(&self.request_id, SHORT),
            method: bounded(&self.method, SHORT),
            path: bounded(&self.path, LONG),
            query: self.query.as_deref().map(|query| bounded(query, LONG)),
            status: i16::try_from(self.status).unwrap_or(i16::MAX),
            outcome: self.outcome.to_owned(),
            client_ip: self.client_ip.map(|ip| ip.to_string()),
            client_id: claim(&caller.client_id),
            consumer_id: claim(&caller.consumer_id),
            purpose_id: claim(&caller.purpose_id),
            token_id: claim(&caller.token_id),
            kid: claim(&caller.kid),
            producer_id: claim(&caller.producer_id),
            pdnd_eservice_id: claim(&caller.eservice_id),
            descriptor_id: claim(&caller.descriptor_id),
            voucher_check: self.voucher_check.map(str::to_owned),
            since: self.since.map(|since| since.to_string()),
            page_limit: self.limit.map(i64::from),
            first_ts: disclosed.map(|disclosed| disclosed.first_ts),
            last_ts: disclosed.map(|disclosed| disclosed.last_ts),
            item_count: self.count.map(i64::from),
            flows_digest: disclosed.map(|disclosed| disclosed.digest.to_vec()),
            duration_us: i64::try_from(self.duration.as_micros()).unwrap_or(i64::MAX),
            bytes: self.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            evidence: caller.evidence(),
            leaf_hash: None,
            benefit: self.benefit,
            // Strings and numbers always serialise.
            esiti: self.esiti.as_ref().and_then(|esiti| serde_json::to_string(esiti).ok()),
        }
    }
}

impl Caller {
    fn evidence(&self) -> Option<String> {
        let claim = |value: &Option<String>| value.as_deref().map(|value| bounded(value, SHORT));
        let Self { user_id, user_location, loa, .. } = self;
        if user_id.is_none() && user_location.is_none() && loa.is_none() {
            return None;
        }
        let evidence =
            Evidence { user_id: claim(user_id), user_location: claim(user_location), loa: claim(loa) };
        // Strings always serialise.
        serde_json::to_string(&evidence).ok()
    }
}

/// The first `longest` characters of `text`, as the database can hold them.
fn bounded(text: &str, longest: usize) -> String {
    storable(text.char_indices().nth(longest).and_then(|(end, _)| text.get(..end)).unwrap_or(text))
}
