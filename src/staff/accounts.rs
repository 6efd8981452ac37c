//! Accounts in the database.

use diesel::prelude::*;

use super::{Account, Role, Roles, Scope};
use crate::store::schema::{staff_account, staff_scope, staff_session};
use crate::store::{AnyConnection, EserviceId, StoreError};

/// An account as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The account.
    pub account: Account,
    /// Whether it has a password; without one, only the identity proxy lets its owner in.
    pub has_password: bool,
    /// When it was made, in milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was disabled, if it was.
    pub disabled_ms: Option<i64>,
}

/// What an account is made of, but for its password.
#[derive(Clone, Debug)]
pub struct Edit {
    /// What they are called.
    pub full_name: String,
    /// What they may do.
    pub roles: Roles,
    /// What they are limited to.
    pub scope: Scope,
}

type Row = (i64, String, String, String, Option<String>, i16, i64, Option<i64>);

/// Makes an account that signs in as `name`, with this hash of a provisional password or without any. False when the
/// name is taken, be it by an account that was disabled: the log of calls tells people apart by name.
pub fn add(
    connection: &mut AnyConnection,
    name: &str,
    edit: &Edit,
    password_hash: Option<&str>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    if row(connection, name)?.is_some() {
        return Ok(false);
    }
    diesel::insert_into(staff_account::table)
        .values((
            staff_account::name.eq(name),
            staff_account::full_name.eq(&edit.full_name),
            staff_account::roles.eq(spelled(&edit.roles)),
            staff_account::password_hash.eq(password_hash),
            staff_account::provisional.eq(i16::from(password_hash.is_some())),
            staff_account::created_ms.eq(now_ms),
        ))
        .execute(connection)?;
    if let Some((id, ..)) = row(connection, name)? {
        limit(connection, id, &edit.scope)?;
    }
    Ok(true)
}

/// Gives the account `name` other particulars; it is signed out everywhere. False when there is none.
pub fn edit(connection: &mut AnyConnection, name: &str, edit: &Edit) -> Result<bool, StoreError> {
    let Some((id, ..)) = row(connection, name)? else { return Ok(false) };
    diesel::update(staff_account::table.find(id))
        .set((staff_account::full_name.eq(&edit.full_name), staff_account::roles.eq(spelled(&edit.roles))))
        .execute(connection)?;
    diesel::delete(staff_scope::table.filter(staff_scope::account_id.eq(id))).execute(connection)?;
    limit(connection, id, &edit.scope)?;
    sign_out(connection, id)?;
    Ok(true)
}

fn limit(connection: &mut AnyConnection, id: i64, scope: &Scope) -> Result<(), StoreError> {
    for (eservice, ente) in scope.limits() {
        diesel::insert_into(staff_scope::table)
            .values((
                staff_scope::account_id.eq(id),
                staff_scope::eservice_id.eq(eservice.get()),
                staff_scope::codice_ente.eq(ente.as_deref().unwrap_or_default()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Gives the account `name` another password, `provisional` if somebody else knows it, and lets it in again if it was
/// disabled; it is signed out everywhere. False when there is none.
pub fn set_password(
    connection: &mut AnyConnection,
    name: &str,
    password_hash: &str,
    provisional: bool,
) -> Result<bool, StoreError> {
    let Some((id, ..)) = row(connection, name)? else { return Ok(false) };
    diesel::update(staff_account::table.find(id))
        .set((
            staff_account::password_hash.eq(Some(password_hash)),
            staff_account::provisional.eq(i16::from(provisional)),
            staff_account::disabled_ms.eq(None::<i64>),
        ))
        .execute(connection)?;
    sign_out(connection, id)?;
    Ok(true)
}

/// Lets the account `name` in no longer, and signs it out everywhere. False when there is none in force.
pub fn disable(connection: &mut AnyConnection, name: &str, now_ms: i64) -> Result<bool, StoreError> {
    let Some((id, .., None)) = row(connection, name)? else { return Ok(false) };
    diesel::update(staff_account::table.find(id))
        .set(staff_account::disabled_ms.eq(Some(now_ms)))
        .execute(connection)?;
    sign_out(connection, id)?;
    Ok(true)
}

fn sign_out(connection: &mut AnyConnection, id: i64) -> Result<(), StoreError> {
    diesel::delete(staff_session::table.filter(staff_session::account_id.eq(id))).execute(connection)?;
    Ok(())
}

/// The account `name`, disabled or not.
pub fn find(connection: &mut AnyConnection, name: &str) -> Result<Option<Listed>, StoreError> {
    match row(connection, name)? {
        Some(row) => listed(connection, row).map(Some),
        None => Ok(None),
    }
}

/// All accounts, by name.
pub fn list(connection: &mut AnyConnection) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<Row> = staff_account::table
        .order(staff_account::name)
        .select(staff_account::all_columns)
        .load(connection)?;
    rows.into_iter().map(|row| listed(connection, row)).collect()
}

/// The account in force with this id, and the hash of its password.
pub(super) fn in_force(connection: &mut AnyConnection, id: i64) -> Result<Option<Account>, StoreError> {
    let row: Option<Row> =
        staff_account::table.find(id).select(staff_account::all_columns).first(connection).optional()?;
    match row {
        Some(row @ (.., None)) => listed(connection, row).map(|listed| Some(listed.account)),
        _ => Ok(None),
    }
}

/// The account in force that signs in as `name`, and the hash of its password.
pub(super) fn with_hash(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Option<(Account, Option<String>)>, StoreError> {
    match row(connection, name)? {
        Some(row @ (.., None)) => {
            let hash = row.4.clone();
            Ok(Some((listed(connection, row)?.account, hash)))
        }
        _ => Ok(None),
    }
}

fn row(connection: &mut AnyConnection, name: &str) -> Result<Option<Row>, StoreError> {
    let named = staff_account::table.filter(staff_account::name.eq(name));
    Ok(named.select(staff_account::all_columns).first(connection).optional()?)
}

fn listed(connection: &mut AnyConnection, row: Row) -> Result<Listed, StoreError> {
    let (id, name, full_name, roles, password_hash, provisional, created_ms, disabled_ms) = row;
    let scope: Vec<(i64, String)> = staff_scope::table
        .filter(staff_scope::account_id.eq(id))
        .order((staff_scope::eservice_id, staff_scope::codice_ente))
        .select((staff_scope::eservice_id, staff_scope::codice_ente))
        .load(connection)?;
    let scope = scope
        .into_iter()
        .map(|(eservice, ente)| (EserviceId::referred(eservice), (!ente.is_empty()).then_some(ente)));
    let roles = roles.split(' ').map(str::parse::<Role>).collect::<Result<Vec<_>, ()>>();
    let roles = roles
        .ok()
        .and_then(Roles::new)
        .ok_or_else(|| StoreError::Unreadable(format!("the roles of the account {name:?}")))?;
    let account =
        Account { id, name, full_name, roles, provisional: provisional != 0, scope: Scope(scope.collect()) };
    Ok(Listed { account, has_password: password_hash.is_some(), created_ms, disabled_ms })
}

fn spelled(roles: &Roles) -> String {
    roles.as_slice().iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
}
