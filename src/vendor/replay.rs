//! Requests that come twice, because an answer was lost: the second is answered as the first was.

use diesel::prelude::*;
use openssl::sha::Sha256;

use super::{Answer, ApiKey};
use crate::store::schema::api_answer;
use crate::store::{AnyConnection, StoreError, sequencer};

/// How long an answer is kept: longer than any repetition is tried.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// What makes a request the same as an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    key: String,
    digest: [u8; 32],
}

impl Idempotency {
    /// The request with the idempotency key `key` that asks for these things.
    #[must_use]
    pub fn new(key: &str, asked: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in asked {
            digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        Self { key: key.to_owned(), digest: digest.finish() }
    }
}

/// What was answered before under an idempotency key.
pub(super) enum Earlier {
    /// Nothing.
    None,
    /// The same request, with this answer.
    Same(Answer),
    /// Another request.
    Other,
}

/// What was answered before. The feed is locked first, so that of two such requests at once the second sees the
/// first's answer.
pub(super) fn find(
    connection: &mut AnyConnection,
    key: &ApiKey,
    idempotency: &Idempotency,
) -> Result<Earlier, StoreError> {
    sequencer::lock(connection, key.eservice)?;
    let row: Option<(Vec<u8>, i16, i64, String)> = api_answer::table
        .find((key.id, &idempotency.key))
        .select((api_answer::request_digest, api_answer::refused, api_answer::records, api_answer::body))
        .first(connection)
        .optional()?;
    Ok(match row {
        None => Earlier::None,
        Some((digest, refused, records, body)) if digest == idempotency.digest => {
            let records = u32::try_from(records).unwrap_or_default();
            Earlier::Same(Answer { refused: refused != 0, records, judged: (0, 0), body })
        }
        Some(_) => Earlier::Other,
    })
}

/// Keeps an answer for repetitions, and drops those that are too old.
pub(super) fn keep(
    connection: &mut AnyConnection,
    key: &ApiKey,
    idempotency: &Idempotency,
    answer: &Answer,
    now_ms: i64,
) -> Result<(), StoreError> {
    diesel::delete(api_answer::table.filter(api_answer::created_ms.lt(now_ms.saturating_sub(KEPT_MS))))
        .execute(connection)?;
    diesel::insert_into(api_answer::table)
        .values((
            api_answer::api_key_id.eq(key.id),
            api_answer::idempotency_key.eq(&idempotency.key),
            api_answer::request_digest.eq(idempotency.digest.to_vec()),
            api_answer::refused.eq(i16::from(answer.refused)),
            api_answer::records.eq(i64::from(answer.records)),
            api_answer::body.eq(&answer.body),
            api_answer::created_ms.eq(now_ms),
        ))
        .execute(connection)?;
    Ok(())
}
