//! Changes of keys, inside a transaction: what is looked at first is still so when it is written.

use sqlx::sqlite::SqliteConnection;

use super::super::transaction::OpenTransaction;
use super::{json, one};
use crate::ids::{KeyId, TenantId, Timestamp};
use crate::storage::KeyError;
use crate::storage::records::{Beside, Change, KeyChange, KeyRecord, KeySecret};

/// Ends a transaction as its outcome says. After a failure of storage its connection is closed.
pub(super) async fn end<T>(
    transaction: OpenTransaction,
    outcome: Result<Option<T>, KeyError>,
    beside: Beside<'_>,
) -> Result<Option<T>, KeyError> {
    match &outcome {
        Ok(Some(_)) => transaction.end(true, beside).await?,
        Ok(None) | Err(KeyError::Ended | KeyError::LastPlatformKey) => transaction.rollback().await,
        Err(KeyError::Storage(_)) => {}
    }
    outcome
}

pub(super) async fn update(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &KeyId,
    change: &KeyChange,
    at: Timestamp,
) -> Result<Option<KeyRecord>, KeyError> {
    let Some(key) = usable(connection, tenant, id, at).await? else { return Ok(None) };
    if matches!(change.expires_at, Change::Set(_)) {
        another_platform_key(connection, &key, at).await?;
    }
    let key = key.with(change);
    sqlx::query("UPDATE keys SET name = ?, scopes = ?, stores = ?, expires_at = ? WHERE tenant IS ? AND id = ?")
        .bind(&key.name)
        .bind(json(&key.scopes)?)
        .bind(key.stores.as_ref().map(|stores| json(stores)).transpose()?)
        .bind(key.expires_at.map(Timestamp::as_millis))
        .bind(tenant.map(TenantId::as_str))
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(Some(key))
}

pub(super) async fn rotate(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &KeyId,
    secret: &KeySecret,
    ends_at: Timestamp,
) -> Result<Option<(KeyRecord, KeyRecord)>, KeyError> {
    let Some(mut old) = usable(connection, tenant, id, secret.created_at).await? else { return Ok(None) };
    sqlx::query(
        "INSERT INTO keys (id, tenant, name, hash, prefix, scopes, stores, created_at, expires_at) \
         SELECT ?, tenant, name, ?, ?, scopes, stores, ?, expires_at FROM keys WHERE tenant IS ? AND id = ?",
    )
    .bind(secret.id.as_str())
    .bind(secret.hash.as_slice())
    .bind(&secret.prefix)
    .bind(secret.created_at.as_millis())
    .bind(tenant.map(TenantId::as_str))
    .bind(id.as_str())
    .execute(&mut *connection)
    .await?;
    if ends_at <= secret.created_at {
        old.revoked_at = Some(secret.created_at);
    } else {
        old.expires_at = Some(old.expires_at.map_or(ends_at, |at| at.min(ends_at)));
    }
    sqlx::query("UPDATE keys SET expires_at = ?, revoked_at = ? WHERE tenant IS ? AND id = ?")
        .bind(old.expires_at.map(Timestamp::as_millis))
        .bind(old.revoked_at.map(Timestamp::as_millis))
        .bind(tenant.map(TenantId::as_str))
        .bind(id.as_str())
        .execute(&mut *connection)
        .await?;
    Ok(one(connection, tenant, &secret.id).await?.map(|new| (old, new)))
}

pub(super) async fn revoke(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &KeyId,
    at: Timestamp,
) -> Result<Option<()>, KeyError> {
    let found = one(connection, tenant, id).await?.filter(|key| key.revoked_at.is_none());
    let Some(key) = found else { return Ok(None) };
    if !has_ended(&key, at) {
        another_platform_key(connection, &key, at).await?;
    }
    sqlx::query("UPDATE keys SET revoked_at = ? WHERE tenant IS ? AND id = ?")
        .bind(at.as_millis())
        .bind(tenant.map(TenantId::as_str))
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(Some(()))
}

/// Whether a key does not open anything any more.
fn has_ended(key: &KeyRecord, now: Timestamp) -> bool {
    key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now)
}

/// A key that has not ended.
async fn usable(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &KeyId,
    at: Timestamp,
) -> Result<Option<KeyRecord>, KeyError> {
    match one(connection, tenant, id).await? {
        Some(key) if has_ended(&key, at) => Err(KeyError::Ended),
        found => Ok(found),
    }
}

/// Refuses to go on when a key is the last of the platform's that can be used.
async fn another_platform_key(
    connection: &mut SqliteConnection,
    key: &KeyRecord,
    at: Timestamp,
) -> Result<(), KeyError> {
    if key.tenant.is_some() {
        return Ok(());
    }
    let other = sqlx::query(
        "SELECT 1 FROM keys WHERE tenant IS NULL AND id <> ? AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > ?) LIMIT 1",
    )
    .bind(key.id.as_str())
    .bind(at.as_millis())
    .fetch_optional(connection)
    .await?;
    if other.is_some() { Ok(()) } else { Err(KeyError::LastPlatformKey) }
}
