//! Rows of `stores`. Open are those that are not deleted, of a tenant that is not.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};

use super::Sqlite;
use super::row;
use super::transaction::OpenTransaction;
use crate::ids::{ReleaseId, StoreAlias, StoreId, Timestamp};
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{AliasChange, Beside, StoreRecord, StoreUpdate};
use crate::storage::repository::StoreRepository;
use crate::storage::{StorageError, StoreError};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT tenant, id, name, alias, settings, epoch, revision, active_release, latest_release, \
             created_at, updated_at, deleted_at FROM stores ",
            $rest
        )
    };
}

macro_rules! select_open {
    ($rest:literal) => {
        concat!(
            select!(
                "WHERE deleted_at IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM tenants WHERE tenants.id = stores.tenant AND tenants.deleted_at IS NOT NULL) "
            ),
            $rest
        )
    };
}

#[async_trait]
impl StoreRepository for Sqlite {
    async fn insert(&self, scope: &TenantScope, store: &StoreRecord, beside: Beside<'_>) -> Result<(), StoreError> {
        if store.tenant != *scope.tenant() {
            let what = "the store names another tenant".to_owned();
            return Err(StorageError::Refused { what }.into());
        }
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let inserted = sqlx::query(
            "INSERT INTO stores (tenant, id, name, alias, settings, epoch, revision, active_release, \
             latest_release, created_at, updated_at, deleted_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (tenant, alias) WHERE deleted_at IS NULL DO NOTHING",
        )
        .bind(scope.tenant().as_str())
        .bind(store.id.as_str())
        .bind(&store.name)
        .bind(store.alias.as_ref().map(StoreAlias::as_str))
        .bind(&store.settings)
        .bind(&store.epoch)
        .bind(row::signed(store.revision.0)?)
        .bind(store.active_release.as_ref().map(ReleaseId::as_str))
        .bind(store.latest_release.as_ref().map(ReleaseId::as_str))
        .bind(store.created_at.as_millis())
        .bind(store.updated_at.as_millis())
        .bind(store.deleted_at.map(Timestamp::as_millis))
        .execute(transaction.connection())
        .await?
        .rows_affected()
            > 0;
        transaction.end(inserted, beside).await?;
        match &store.alias {
            Some(alias) if !inserted => Err(StoreError::AliasTaken { alias: alias.clone() }),
            Some(_) | None => Ok(()),
        }
    }

    async fn get(&self, scope: &TenantScope, id: &StoreId) -> Result<Option<StoreRecord>, StorageError> {
        let found = sqlx::query(select_open!("AND tenant = ? AND id = ?"))
            .bind(scope.tenant().as_str())
            .bind(id.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn find_by_alias(
        &self,
        scope: &TenantScope,
        alias: &StoreAlias,
    ) -> Result<Option<StoreRecord>, StorageError> {
        let found = sqlx::query(select_open!("AND tenant = ? AND alias = ?"))
            .bind(scope.tenant().as_str())
            .bind(alias.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn list(
        &self,
        scope: &TenantScope,
        after: Option<&StoreId>,
        limit: u32,
    ) -> Result<Vec<StoreRecord>, StorageError> {
        let sql = select_open!("AND tenant = ? AND id > ? ORDER BY id LIMIT ?");
        page(&self.readers, sql, scope, after, limit).await
    }

    async fn update(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        update: &StoreUpdate,
        beside: Beside<'_>,
    ) -> Result<bool, StoreError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let (change_alias, alias) = match &update.alias {
            AliasChange::Keep => (false, None),
            AliasChange::Clear => (true, None),
            AliasChange::Set(alias) => (true, Some(alias)),
        };
        let updated = sqlx::query(
            "UPDATE stores SET name = COALESCE(?, name), \
             alias = CASE WHEN ? THEN ? ELSE alias END, updated_at = ? \
             WHERE tenant = ? AND id = ? AND deleted_at IS NULL",
        )
        .bind(&update.name)
        .bind(change_alias)
        .bind(alias.map(StoreAlias::as_str))
        .bind(update.updated_at.as_millis())
        .bind(scope.tenant().as_str())
        .bind(id.as_str())
        .execute(transaction.connection())
        .await;
        let changed = updated.as_ref().is_ok_and(|updated| updated.rows_affected() > 0);
        transaction.end(changed, beside).await?;
        match (updated, alias) {
            (Ok(_), _) => Ok(changed),
            // The alias is the only unique column that the statement changes.
            (Err(sqlx::Error::Database(error)), Some(alias)) if error.is_unique_violation() => {
                Err(StoreError::AliasTaken { alias: alias.clone() })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn soft_delete(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<bool, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let deleted = sqlx::query(
            "UPDATE stores SET deleted_at = ?, updated_at = ? \
             WHERE tenant = ? AND id = ? AND deleted_at IS NULL",
        )
        .bind(at.as_millis())
        .bind(at.as_millis())
        .bind(scope.tenant().as_str())
        .bind(id.as_str())
        .execute(transaction.connection())
        .await?
        .rows_affected()
            > 0;
        transaction.end(deleted, beside).await?;
        Ok(deleted)
    }

    async fn list_deleted(
        &self,
        scope: &TenantScope,
        after: Option<&StoreId>,
        limit: u32,
    ) -> Result<Vec<StoreRecord>, StorageError> {
        let sql = select!("WHERE tenant = ? AND id > ? AND deleted_at IS NOT NULL ORDER BY id LIMIT ?");
        page(&self.readers, sql, scope, after, limit).await
    }

    async fn restore(
        &self,
        scope: &TenantScope,
        id: &StoreId,
        since: Timestamp,
        at: Timestamp,
        beside: Beside<'_>,
    ) -> Result<Option<StoreRecord>, StoreError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let restored = sqlx::query(
            "UPDATE stores SET deleted_at = NULL, updated_at = ? \
             WHERE tenant = ? AND id = ? AND deleted_at > ? AND purged_at IS NULL",
        )
        .bind(at.as_millis())
        .bind(scope.tenant().as_str())
        .bind(id.as_str())
        .bind(since.as_millis())
        .execute(transaction.connection())
        .await;
        let found = sqlx::query(select!("WHERE tenant = ? AND id = ?"))
            .bind(scope.tenant().as_str())
            .bind(id.as_str())
            .try_map(|row| record(&row))
            .fetch_optional(transaction.connection())
            .await?;
        let changed = restored.as_ref().is_ok_and(|restored| restored.rows_affected() > 0);
        transaction.end(changed, beside).await?;
        match (restored, found) {
            (Ok(_), found) => Ok(found.filter(|_| changed)),
            // The alias is the only unique column that an open store has and a deleted one has not.
            (Err(sqlx::Error::Database(error)), Some(StoreRecord { alias: Some(alias), .. }))
                if error.is_unique_violation() =>
            {
                Err(StoreError::AliasTaken { alias })
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn count(&self, scope: &TenantScope) -> Result<u64, StorageError> {
        let count = sqlx::query("SELECT count(*) AS stores FROM stores WHERE tenant = ? AND deleted_at IS NULL")
            .bind(scope.tenant().as_str())
            .try_map(|row| row::unsigned(&row, "stores"))
            .fetch_one(&self.readers)
            .await?;
        Ok(count)
    }

    async fn all_open(&self) -> Result<Vec<StoreRecord>, StorageError> {
        let stores = sqlx::query(select_open!("ORDER BY tenant, id"))
            .try_map(|row| record(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(stores)
    }
}

/// The row of an open store, inside the caller's transaction.
pub(super) async fn head(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
) -> Result<Option<StoreRecord>, sqlx::Error> {
    sqlx::query(select_open!("AND tenant = ? AND id = ?"))
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .try_map(|row| record(&row))
        .fetch_optional(connection)
        .await
}

/// A page of the stores of one tenant, by id.
async fn page(
    readers: &SqlitePool,
    sql: &'static str,
    scope: &TenantScope,
    after: Option<&StoreId>,
    limit: u32,
) -> Result<Vec<StoreRecord>, StorageError> {
    let stores = sqlx::query(sql)
        .bind(scope.tenant().as_str())
        .bind(after.map_or("", StoreId::as_str))
        .bind(limit)
        .try_map(|row| record(&row))
        .fetch_all(readers)
        .await?;
    Ok(stores)
}

fn record(row: &SqliteRow) -> Result<StoreRecord, sqlx::Error> {
    Ok(StoreRecord {
        tenant: row::id(row, "tenant")?,
        id: row::id(row, "id")?,
        name: row::text(row, "name")?,
        alias: row::optional_id(row, "alias")?,
        settings: row::text(row, "settings")?,
        epoch: row::text(row, "epoch")?,
        revision: row::revision(row, "revision")?,
        active_release: row::optional_id(row, "active_release")?,
        latest_release: row::optional_id(row, "latest_release")?,
        created_at: row::time(row, "created_at")?,
        updated_at: row::time(row, "updated_at")?,
        deleted_at: row::optional_time(row, "deleted_at")?,
    })
}
