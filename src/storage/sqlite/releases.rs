//! Rows of `releases`, `schemas` and `policies`, read. A release is what its number lies between.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::row;
use crate::ids::ReleaseId;
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{PolicyRecord, ReleaseRecord, SchemaRecord};
use crate::storage::repository::ReleaseRepository;

macro_rules! select_release {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.number, s.syntax, s.text AS schema_text, r.schema_file, r.model, r.model_file, \
             r.previous, r.policy_count, r.created_at, r.actor, r.summary FROM releases r LEFT JOIN schemas s \
             ON s.tenant = r.tenant AND s.store = r.store AND s.hash = r.schema_hash \
             WHERE r.tenant = ? AND r.store = ? ",
            $rest
        )
    };
}

macro_rules! select_policy {
    ($rest:literal) => {
        concat!(
            "SELECT policy_id, named, file, line, line_column, text FROM policies \
             WHERE tenant = ?1 AND store = ?2 \
             AND first_number <= ?3 AND (last_number IS NULL OR last_number >= ?3) \
             AND EXISTS (SELECT 1 FROM releases r \
             WHERE r.tenant = ?1 AND r.store = ?2 AND r.number = ?3) ",
            $rest
        )
    };
}

#[async_trait]
impl ReleaseRepository for Sqlite {
    async fn get(&self, scope: &StoreScope, id: &ReleaseId) -> Result<Option<ReleaseRecord>, StorageError> {
        let found = sqlx::query(select_release!("AND r.id = ?"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(id.as_str())
            .try_map(|row| release(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(
        &self,
        scope: &StoreScope,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ReleaseRecord>, StorageError> {
        let releases = sqlx::query(select_release!("AND r.number < ? ORDER BY r.number DESC LIMIT ?"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(before.map_or(i64::MAX, row::bound))
            .bind(limit)
            .try_map(|row| release(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(releases)
    }

    async fn policies(
        &self,
        scope: &StoreScope,
        number: u64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyRecord>, StorageError> {
        // Two texts, because a policy's id may be the empty text, which nothing comes before.
        let policies = match after {
            None => sqlx::query(select_policy!("ORDER BY policy_id LIMIT ?4")),
            Some(_) => sqlx::query(select_policy!("AND policy_id > ?5 ORDER BY policy_id LIMIT ?4")),
        }
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(row::bound(number))
        .bind(limit)
        .bind(after)
        .try_map(|row| policy(&row))
        .fetch_all(&self.readers)
        .await?;
        Ok(policies)
    }

    async fn all_policies(&self, scope: &StoreScope, number: u64) -> Result<Vec<PolicyRecord>, StorageError> {
        let policies = sqlx::query(select_policy!("ORDER BY policy_id"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(row::bound(number))
            .try_map(|row| policy(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(policies)
    }
}

fn release(row: &SqliteRow) -> Result<ReleaseRecord, sqlx::Error> {
    let syntax: Option<String> = row.try_get("syntax")?;
    let text: Option<String> = row.try_get("schema_text")?;
    Ok(ReleaseRecord {
        id: row::id(row, "id")?,
        number: row::unsigned(row, "number")?,
        schema: syntax.zip(text).map(|(syntax, text)| SchemaRecord { syntax, text }),
        schema_file: row.try_get("schema_file")?,
        model: row::optional_id(row, "model")?,
        model_file: row.try_get("model_file")?,
        previous: row::optional_id(row, "previous")?,
        policy_count: row::unsigned(row, "policy_count")?,
        created_at: row::time(row, "created_at")?,
        actor: row::text(row, "actor")?,
        summary: row::text(row, "summary")?,
    })
}

fn policy(row: &SqliteRow) -> Result<PolicyRecord, sqlx::Error> {
    Ok(PolicyRecord {
        id: row::text(row, "policy_id")?,
        named: row.try_get("named")?,
        file: row.try_get("file")?,
        line: row::unsigned(row, "line")?,
        column: row::unsigned(row, "line_column")?,
        text: row::text(row, "text")?,
    })
}
