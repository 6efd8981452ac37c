//! The DPoP proofs that were used, shared by all instances. What a proof is, is the voucher room's matter.

use diesel::prelude::*;
use jiff::Timestamp;

use super::schema::dpop_proof;
use super::{AnyConnection, StoreError, each_backend};

/// Remembers `proof` until `until`, and says whether it was unknown. Those whose time is over are forgotten.
pub fn remember(
    connection: &mut AnyConnection,
    proof: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    diesel::delete(dpop_proof::table.filter(dpop_proof::until_ms.lt(now.as_millisecond())))
        .execute(connection)?;
    let row = (dpop_proof::proof.eq(proof), dpop_proof::until_ms.eq(until.as_millisecond()));
    let added = each_backend!(connection, |inner| diesel::insert_into(dpop_proof::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(inner))?;
    Ok(added == 1)
}
