//! Rows of `tenants`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::keys;
use super::row;
use super::transaction::OpenTransaction;
use crate::ids::{TenantId, Timestamp};
use crate::storage::StorageError;
use crate::storage::records::{Beside, KeyRecord, TenantChange, TenantRecord};
use crate::storage::repository::TenantRepository;

macro_rules! columns {
    () => {
        "id, name, limits, decisions, created_at, deleted_at"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM tenants ", $rest)
    };
}

#[async_trait]
impl TenantRepository for Sqlite {
    async fn insert(
        &self,
        tenant: &TenantRecord,
        key: Option<&KeyRecord>,
        beside: Beside<'_>,
    ) -> Result<(), StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        sqlx::query(
            "INSERT INTO tenants (id, name, limits, decisions, created_at, deleted_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant.id.as_str())
        .bind(&tenant.name)
        .bind(&tenant.limits)
        .bind(&tenant.decisions)
        .bind(tenant.created_at.as_millis())
        .bind(tenant.deleted_at.map(Timestamp::as_millis))
        .execute(transaction.connection())
        .await?;
        if let Some(key) = key {
            keys::insert(transaction.connection(), key).await?;
        }
        transaction.end(true, beside).await
    }

    async fn get(&self, id: &TenantId) -> Result<Option<TenantRecord>, StorageError> {
        let found = sqlx::query(select!("WHERE id = ? AND deleted_at IS NULL"))
            .bind(id.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, StorageError> {
        self.page(select!("WHERE id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?"), after, limit).await
    }

    async fn list_deleted(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, StorageError> {
        self.page(select!("WHERE id > ? AND deleted_at IS NOT NULL ORDER BY id LIMIT ?"), after, limit).await
    }

    async fn update(
        &self,
        id: &TenantId,
        change: &TenantChange,
        beside: Beside<'_>,
    ) -> Result<Option<TenantRecord>, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let updated = sqlx::query(concat!(
            "UPDATE tenants SET name = COALESCE(?, name), limits = COALESCE(?, limits), \
             decisions = COALESCE(?, decisions) \
             WHERE id = ? AND deleted_at IS NULL RETURNING ",
            columns!()
        ))
        .bind(&change.name)
        .bind(&change.limits)
        .bind(&change.decisions)
        .bind(id.as_str())
        .try_map(|row| record(&row))
        .fetch_optional(transaction.connection())
        .await?;
        transaction.end(updated.is_some(), beside).await?;
        Ok(updated)
    }

    async fn soft_delete(&self, id: &TenantId, at: Timestamp, beside: Beside<'_>) -> Result<bool, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let deleted = sqlx::query("UPDATE tenants SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL")
            .bind(at.as_millis())
            .bind(id.as_str())
            .execute(transaction.connection())
            .await?
            .rows_affected()
            > 0;
        transaction.end(deleted, beside).await?;
        Ok(deleted)
    }

    async fn restore(
        &self,
        id: &TenantId,
        since: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<TenantRecord>, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let restored = sqlx::query(concat!(
            "UPDATE tenants SET deleted_at = NULL WHERE id = ? AND deleted_at > ? AND purged_at IS NULL RETURNING ",
            columns!()
        ))
        .bind(id.as_str())
        .bind(since.as_millis())
        .try_map(|row| record(&row))
        .fetch_optional(transaction.connection())
        .await?;
        transaction.end(restored.is_some(), beside).await?;
        Ok(restored)
    }
}

impl Sqlite {
    /// A page of tenants; every id is behind the empty text.
    async fn page(
        &self,
        sql: &'static str,
        after: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<TenantRecord>, StorageError> {
        let tenants = sqlx::query(sql)
            .bind(after.map_or("", TenantId::as_str))
            .bind(limit)
            .try_map(|row| record(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(tenants)
    }
}

fn record(row: &SqliteRow) -> Result<TenantRecord, sqlx::Error> {
    Ok(TenantRecord {
        id: row::id(row, "id")?,
        name: row::text(row, "name")?,
        limits: row::text(row, "limits")?,
        decisions: row::text(row, "decisions")?,
        created_at: row::time(row, "created_at")?,
        deleted_at: row::optional_time(row, "deleted_at")?,
    })
}
