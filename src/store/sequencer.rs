//! The e-services, as the tables know them.

use diesel::prelude::*;

use super::schema::{call_log_head, eservice};
use super::{AnyConnection, StoreError, each_backend};

/// An e-service, as the tables know it: the owner of a feed of flows and of a call log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EserviceId(i64);

impl EserviceId {
    pub(crate) fn get(self) -> i64 {
        self.0
    }
}

/// The e-service of that name, which is given its rows the first time.
pub(super) fn register(connection: &mut AnyConnection, name: &str) -> Result<EserviceId, StoreError> {
    each_backend!(connection, |inner| {
        diesel::insert_into(eservice::table)
            .values(eservice::name.eq(name))
            .on_conflict(eservice::name)
            .do_nothing()
            .execute(inner)?;
        let id = eservice::table.filter(eservice::name.eq(name)).select(eservice::id).first(inner)?;
        diesel::insert_into(call_log_head::table)
            .values((call_log_head::log_id.eq(id), call_log_head::size.eq(0)))
            .on_conflict(call_log_head::log_id)
            .do_nothing()
            .execute(inner)?;
        Ok(EserviceId(id))
    })
}

/// The e-service of that name, if it was ever registered.
pub(super) fn find(connection: &mut AnyConnection, name: &str) -> Result<Option<EserviceId>, StoreError> {
    let id =
        eservice::table.filter(eservice::name.eq(name)).select(eservice::id).first(connection).optional()?;
    Ok(id.map(EserviceId))
}
