//! The keys with which vendors' software identifies itself.
//!
//! A key is 256 random bits, so its plain SHA-256 cannot be turned back, and a slow hash would only slow the calls. It
//! is shown when it is made, and kept nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use openssl::sha::sha256;
use secrecy::SecretString;

use crate::store::schema::{api_key, eservice};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// What every key begins with, so that one found in the wrong place is recognised.
const PREFIX: &str = "waas_";

/// A key that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The tables' number of it.
    pub(crate) id: i64,
    /// Its name.
    pub name: String,
    /// The e-service into whose feed it publishes.
    pub eservice: EserviceId,
    enti: String,
}

impl ApiKey {
    /// Whether it may act for the ente with this code.
    #[must_use]
    pub fn may_act_for(&self, codice: &str) -> bool {
        self.enti.is_empty() || self.enti.split(' ').any(|one| one == codice)
    }
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The e-service into whose feed it publishes.
    pub eservice: String,
    /// Codes of the enti that it may act for; none: all of the e-service.
    pub enti: Vec<String>,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<i64>,
}

/// A fresh key, which nobody knows yet.
pub fn generate() -> Result<SecretString, ErrorStack> {
    let mut secret = [0; 32];
    rand_bytes(&mut secret)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)).into())
}

/// Lets in whoever presents `key`, for the enti with these codes (all of the e-service if there are none). False when
/// the name is taken, be it by a key that was revoked: the call log tells keys apart by name.
pub fn add(
    connection: &mut AnyConnection,
    name: &str,
    eservice: EserviceId,
    enti: &[String],
    key: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let taken = api_key::table.filter(api_key::name.eq(name)).select(api_key::id);
    if taken.first::<i64>(connection).optional()?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(api_key::table)
        .values((
            api_key::name.eq(name),
            api_key::eservice_id.eq(eservice.get()),
            api_key::secret_hash.eq(sha256(key.as_bytes()).to_vec()),
            api_key::enti.eq(enti.join(" ")),
            api_key::created_ms.eq(now_ms),
        ))
        .execute(connection)?;
    Ok(true)
}

/// The key that was presented, if it is one and was not revoked.
pub fn find(connection: &mut AnyConnection, presented: &str) -> Result<Option<ApiKey>, StoreError> {
    let row: Option<(i64, String, i64, String)> = api_key::table
        .filter(api_key::secret_hash.eq(sha256(presented.as_bytes()).to_vec()))
        .filter(api_key::revoked_ms.is_null())
        .select((api_key::id, api_key::name, api_key::eservice_id, api_key::enti))
        .first(connection)
        .optional()?;
    Ok(row.map(|(id, name, eservice, enti)| ApiKey {
        id,
        name,
        eservice: EserviceId::referred(eservice),
        enti,
    }))
}

/// All keys, by name.
pub fn list(connection: &mut AnyConnection) -> Result<Vec<Listed>, StoreError> {
    type Row = (String, String, String, i64, Option<i64>);
    let rows: Vec<Row> = api_key::table
        .inner_join(eservice::table.on(eservice::id.eq(api_key::eservice_id)))
        .order(api_key::name)
        .select((api_key::name, eservice::name, api_key::enti, api_key::created_ms, api_key::revoked_ms))
        .load(connection)?;
    let listed = |(name, eservice, enti, created_ms, revoked_ms): Row| Listed {
        name,
        eservice,
        enti: enti.split(' ').filter(|codice| !codice.is_empty()).map(str::to_owned).collect(),
        created_ms,
        revoked_ms,
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// Lets the key with this name in no longer. False when there is none, or it was revoked already.
pub fn revoke(connection: &mut AnyConnection, name: &str, now_ms: i64) -> Result<bool, StoreError> {
    let in_force = api_key::table.filter(api_key::name.eq(name)).filter(api_key::revoked_ms.is_null());
    Ok(diesel::update(in_force).set(api_key::revoked_ms.eq(now_ms)).execute(connection)? > 0)
}
