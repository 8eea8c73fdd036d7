//! Rows of `outbox`: events that wait for the decision log.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::row;
use crate::ids::TenantId;
use crate::storage::StorageError;
use crate::storage::records::{EventRecord, OutboxRecord};
use crate::storage::repository::OutboxRepository;

#[async_trait]
impl OutboxRepository for Sqlite {
    async fn next(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<OutboxRecord>, StorageError> {
        let rows = sqlx::query(
            "SELECT number, log, content, ends FROM outbox \
             WHERE log = (SELECT MIN(log) FROM outbox WHERE log > ?) ORDER BY number LIMIT ?",
        )
        .bind(after.map_or("", TenantId::as_str))
        .bind(limit)
        .try_map(|row| record(&row))
        .fetch_all(&self.readers)
        .await?;
        Ok(rows)
    }

    async fn forget(&self, log: &TenantId, through: u64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM outbox WHERE log = ? AND number <= ?")
            .bind(log.as_str())
            .bind(row::bound(through))
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}

/// Adds events inside the transaction of what they tell of.
pub(super) async fn put(connection: &mut SqliteConnection, events: &[EventRecord]) -> Result<(), sqlx::Error> {
    for event in events {
        sqlx::query("INSERT INTO outbox (log, content, ends) VALUES (?, ?, ?)")
            .bind(event.log.as_str())
            .bind(&event.content)
            .bind(event.ends.as_ref().map(TenantId::as_str))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn record(row: &SqliteRow) -> Result<OutboxRecord, sqlx::Error> {
    let event = EventRecord {
        log: row::id(row, "log")?,
        content: row::text(row, "content")?,
        ends: row::optional_id(row, "ends")?,
    };
    Ok(OutboxRecord { number: row::unsigned(row, "number")?, event })
}
