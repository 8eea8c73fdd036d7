//! Rows of `keys`. The tenant is compared with `IS`, so that NULL names the platform and nothing else.

mod change;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::row;
use super::transaction::OpenTransaction;
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
use crate::storage::records::{Beside, KeyChange, KeyRecord, KeySecret};
use crate::storage::repository::KeyRepository;
use crate::storage::{KeyError, StorageError};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, name, hash, prefix, scopes, stores, created_at, expires_at, revoked_at, last_used_at ",
            "FROM keys ",
            $rest
        )
    };
}

#[async_trait]
impl KeyRepository for Sqlite {
    async fn insert(&self, key: &KeyRecord, beside: Beside<'_>) -> Result<(), StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        insert(transaction.connection(), key).await?;
        transaction.end(true, beside).await
    }

    async fn get(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<Option<KeyRecord>, StorageError> {
        let found = sqlx::query(select!("WHERE tenant IS ? AND id = ?"))
            .bind(tenant.map(TenantId::as_str))
            .bind(id.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(
        &self,
        tenant: Option<&TenantId>,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, StorageError> {
        let keys = sqlx::query(select!("WHERE tenant IS ? AND id > ? ORDER BY id LIMIT ?"))
            .bind(tenant.map(TenantId::as_str))
            .bind(after.map_or("", KeyId::as_str))
            .bind(limit)
            .try_map(|row| record(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(keys)
    }

    async fn update(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        change: &KeyChange,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<KeyRecord>, KeyError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let changed = change::update(transaction.connection(), tenant, id, change, at).await;
        change::end(transaction, changed, beside).await
    }

    async fn rotate(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        secret: &KeySecret,
        ends_at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<(KeyRecord, KeyRecord)>, KeyError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let rotated = change::rotate(transaction.connection(), tenant, id, secret, ends_at).await;
        change::end(transaction, rotated, beside).await
    }

    async fn revoke(
        &self,
        tenant: Option<&TenantId>,
        id: &KeyId,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<bool, KeyError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let revoked = change::revoke(transaction.connection(), tenant, id, at).await;
        Ok(change::end(transaction, revoked, beside).await?.is_some())
    }

    async fn note_uses(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StorageError> {
        // In steps, so that the writes of others do not wait long.
        for step in uses.chunks(500) {
            let mut transaction = OpenTransaction::write(&self.writer).await?;
            for (id, at) in step {
                sqlx::query("UPDATE keys SET last_used_at = ?1 WHERE id = ?2 AND COALESCE(last_used_at, 0) < ?1")
                    .bind(at.as_millis())
                    .bind(id.as_str())
                    .execute(transaction.connection())
                    .await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    async fn all_known(&self) -> Result<Vec<KeyRecord>, StorageError> {
        let keys = sqlx::query(select!(
            "WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE id = keys.tenant AND deleted_at IS NOT NULL) ORDER BY id"
        ))
        .try_map(|row| record(&row))
        .fetch_all(&self.readers)
        .await?;
        Ok(keys)
    }
}

/// Adds a key inside the caller's transaction.
pub(super) async fn insert(connection: &mut SqliteConnection, key: &KeyRecord) -> Result<(), StorageError> {
    let stores = key.stores.as_ref().map(|stores| json(stores)).transpose()?;
    sqlx::query(
        "INSERT INTO keys (id, tenant, name, hash, prefix, scopes, stores, created_at, expires_at, \
         revoked_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(key.id.as_str())
    .bind(key.tenant.as_ref().map(TenantId::as_str))
    .bind(&key.name)
    .bind(key.hash.as_slice())
    .bind(&key.prefix)
    .bind(json(&key.scopes)?)
    .bind(stores)
    .bind(key.created_at.as_millis())
    .bind(key.expires_at.map(Timestamp::as_millis))
    .bind(key.revoked_at.map(Timestamp::as_millis))
    .bind(key.last_used_at.map(Timestamp::as_millis))
    .execute(connection)
    .await?;
    Ok(())
}

/// A key inside the caller's transaction.
async fn one(
    connection: &mut SqliteConnection,
    tenant: Option<&TenantId>,
    id: &KeyId,
) -> Result<Option<KeyRecord>, sqlx::Error> {
    sqlx::query(select!("WHERE tenant IS ? AND id = ?"))
        .bind(tenant.map(TenantId::as_str))
        .bind(id.as_str())
        .try_map(|row| record(&row))
        .fetch_optional(connection)
        .await
}

fn json<T: serde::Serialize>(list: &[T]) -> Result<String, StorageError> {
    serde_json::to_string(list).map_err(|error| StorageError::Refused { what: error.to_string() })
}

fn record(row: &SqliteRow) -> Result<KeyRecord, sqlx::Error> {
    let hash: &[u8] = row.try_get("hash")?;
    let stores: Option<&str> = row.try_get("stores")?;
    let stores = stores
        .map(serde_json::from_str::<Vec<StoreId>>)
        .transpose()
        .map_err(|error| row::unreadable("stores", error))?;
    Ok(KeyRecord {
        id: row::id(row, "id")?,
        tenant: row::optional_id(row, "tenant")?,
        name: row::text(row, "name")?,
        hash: hash.try_into().map_err(|error| row::unreadable("hash", error))?,
        prefix: row::text(row, "prefix")?,
        scopes: serde_json::from_str(row.try_get("scopes")?).map_err(|error| row::unreadable("scopes", error))?,
        stores,
        created_at: row::time(row, "created_at")?,
        expires_at: row::optional_time(row, "expires_at")?,
        revoked_at: row::optional_time(row, "revoked_at")?,
        last_used_at: row::optional_time(row, "last_used_at")?,
    })
}
