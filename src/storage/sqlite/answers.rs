//! Rows of `answers`: what requests were answered that may be sent again.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::row;
use super::transaction::OpenTransaction;
use crate::ids::{StoreId, Timestamp};
use crate::storage::StorageError;
use crate::storage::records::{AnswerOwner, AnswerRecord};
use crate::storage::repository::AnswerRepository;

const OLD_ANSWERS: &str = "DELETE FROM answers WHERE (tenant, store, key) IN \
     (SELECT tenant, store, key FROM answers WHERE at <= ? ORDER BY at LIMIT ?)";

#[async_trait]
impl AnswerRepository for Sqlite {
    async fn find(&self, owner: &AnswerOwner, key: &[u8; 32]) -> Result<Option<AnswerRecord>, StorageError> {
        let sql = "SELECT request, status, etag, answer, at FROM answers WHERE tenant = ? AND store = ? AND key = ?";
        let found = sqlx::query(sql)
            .bind(owner.tenant.as_str())
            .bind(owner.store.as_ref().map_or("", StoreId::as_str))
            .bind(key.as_slice())
            .try_map(|row| {
                let request: &[u8] = row.try_get("request")?;
                Ok(AnswerRecord {
                    owner: *owner,
                    key: *key,
                    request: request.try_into().map_err(|error| row::unreadable("request", error))?,
                    status: row::unsigned(&row, "status")?,
                    etag: row.try_get("etag")?,
                    body: row.try_get("answer")?,
                    at: row::time(&row, "at")?,
                })
            })
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn put(&self, answer: &AnswerRecord) -> Result<(), StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        put(transaction.connection(), answer).await?;
        transaction.commit().await
    }

    async fn forget(&self, by: Timestamp, limit: u32) -> Result<u64, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let deleted = sqlx::query(OLD_ANSWERS)
            .bind(by.as_millis())
            .bind(limit)
            .execute(transaction.connection())
            .await?
            .rows_affected();
        transaction.commit().await?;
        Ok(deleted)
    }
}

/// Adds an answer inside the transaction of what it answers to.
pub(super) async fn put(connection: &mut SqliteConnection, answer: &AnswerRecord) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT OR REPLACE INTO answers (tenant, store, key, request, status, etag, answer, at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(answer.owner.tenant.as_str())
    .bind(answer.owner.store.as_ref().map_or("", StoreId::as_str))
    .bind(answer.key.as_slice())
    .bind(answer.request.as_slice())
    .bind(answer.status)
    .bind(&answer.etag)
    .bind(answer.body.as_slice())
    .bind(answer.at.as_millis())
    .execute(connection)
    .await?;
    Ok(())
}
