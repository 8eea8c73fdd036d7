//! Rows of `tenants`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::row;
use crate::ids::TenantId;
use crate::storage::StorageError;
use crate::storage::records::TenantRecord;
use crate::storage::repository::TenantRepository;

#[async_trait]
impl TenantRepository for Sqlite {
    async fn insert(&self, tenant: &TenantRecord) -> Result<(), StorageError> {
        sqlx::query("INSERT INTO tenants (id, name, created_at) VALUES (?, ?, ?)")
            .bind(tenant.id.as_str())
            .bind(&tenant.name)
            .bind(tenant.created_at.as_millis())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn get(&self, id: &TenantId) -> Result<Option<TenantRecord>, StorageError> {
        let found = sqlx::query("SELECT id, name, created_at FROM tenants WHERE id = ?")
            .bind(id.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, StorageError> {
        // Every id is behind the empty text.
        let tenants = sqlx::query("SELECT id, name, created_at FROM tenants WHERE id > ? ORDER BY id LIMIT ?")
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
        created_at: row::time(row, "created_at")?,
    })
}
