//! Rows of `keys`. The tenant is compared with `IS`, so that NULL names the platform and nothing else.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::row;
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
use crate::storage::StorageError;
use crate::storage::records::KeyRecord;
use crate::storage::repository::KeyRepository;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, name, hash, prefix, scopes, stores, created_at, expires_at, revoked_at ",
            "FROM keys ",
            $rest
        )
    };
}

#[async_trait]
impl KeyRepository for Sqlite {
    async fn insert(&self, key: &KeyRecord) -> Result<(), StorageError> {
        let stores = key.stores.as_ref().map(|stores| json(stores)).transpose()?;
        sqlx::query(
            "INSERT INTO keys (id, tenant, name, hash, prefix, scopes, stores, created_at, expires_at, \
             revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        .execute(&self.writer)
        .await?;
        Ok(())
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

    async fn revoke(&self, tenant: Option<&TenantId>, id: &KeyId, at: Timestamp) -> Result<bool, StorageError> {
        let revoked = sqlx::query("UPDATE keys SET revoked_at = ? WHERE tenant IS ? AND id = ? AND revoked_at IS NULL")
            .bind(at.as_millis())
            .bind(tenant.map(TenantId::as_str))
            .bind(id.as_str())
            .execute(&self.writer)
            .await?;
        Ok(revoked.rows_affected() > 0)
    }

    async fn all_usable(&self) -> Result<Vec<KeyRecord>, StorageError> {
        let keys = sqlx::query(select!("WHERE revoked_at IS NULL ORDER BY id"))
            .try_map(|row| record(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(keys)
    }
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
    })
}
