//! Rows of `relation_models`, read, and of `assertions`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::row;
use crate::ids::{ModelId, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::ModelRecord;
use crate::storage::repository::ModelRepository;

macro_rules! select_model {
    ($rest:literal) => {
        concat!("SELECT id, syntax, text, created_at FROM relation_models WHERE tenant = ? AND store = ? ", $rest)
    };
}

#[async_trait]
impl ModelRepository for Sqlite {
    async fn get(&self, scope: &StoreScope, id: &ModelId) -> Result<Option<ModelRecord>, StorageError> {
        let found = sqlx::query(select_model!("AND id = ?"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(id.as_str())
            .try_map(|row| model(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(
        &self,
        scope: &StoreScope,
        before: Option<&ModelId>,
        limit: u32,
    ) -> Result<Vec<ModelRecord>, StorageError> {
        // Every id is before `~`.
        let models = sqlx::query(select_model!("AND id < ? ORDER BY id DESC LIMIT ?"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(before.map_or("~", ModelId::as_str))
            .bind(limit)
            .try_map(|row| model(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(models)
    }

    async fn latest(&self, scope: &StoreScope) -> Result<Option<ModelRecord>, StorageError> {
        let found = sqlx::query(select_model!("ORDER BY id DESC LIMIT 1"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .try_map(|row| model(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn assertions(&self, scope: &StoreScope, model: &ModelId) -> Result<Option<String>, StorageError> {
        let text = sqlx::query_scalar("SELECT text FROM assertions WHERE tenant = ? AND store = ? AND model = ?")
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(model.as_str())
            .fetch_optional(&self.readers)
            .await?;
        Ok(text)
    }

    async fn put_assertions(
        &self,
        scope: &StoreScope,
        model: &ModelId,
        text: &str,
        at: Timestamp,
    ) -> Result<bool, StorageError> {
        let put = sqlx::query(
            "INSERT INTO assertions (tenant, store, model, text, updated_at) \
             SELECT tenant, store, id, ?, ? FROM relation_models WHERE tenant = ? AND store = ? AND id = ? \
             ON CONFLICT (tenant, store, model) DO UPDATE SET \
             text = excluded.text, updated_at = excluded.updated_at",
        )
        .bind(text)
        .bind(at.as_millis())
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(model.as_str())
        .execute(&self.writer)
        .await?;
        Ok(put.rows_affected() > 0)
    }
}

fn model(row: &SqliteRow) -> Result<ModelRecord, sqlx::Error> {
    Ok(ModelRecord {
        id: row::id(row, "id")?,
        syntax: row::text(row, "syntax")?,
        text: row::text(row, "text")?,
        created_at: row::time(row, "created_at")?,
    })
}
