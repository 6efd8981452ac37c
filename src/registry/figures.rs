//! How far every feed has come, without counting flows.

use std::collections::BTreeMap;

use diesel::prelude::*;

use crate::store::schema::eservice;
use crate::store::{AnyConnection, EserviceId, StoreError};

/// The last timestamp of each feed, in milliseconds since the epoch; 0 before the first flow.
pub(crate) fn heads(connection: &mut AnyConnection) -> Result<BTreeMap<EserviceId, i64>, StoreError> {
    let heads: Vec<(i64, i64)> =
        eservice::table.select((eservice::id, eservice::last_ts)).load(connection)?;
    Ok(heads.into_iter().map(|(id, last_ts)| (EserviceId::referred(id), last_ts)).collect())
}
