//! Rows of what was deleted a while ago, deleted for good in small transactions.
//!
//! A store goes table by table, its own row last, so that a step that was cut off is gone on with by the next one.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::forget;
use super::outbox;
use super::row;
use super::transaction::OpenTransaction;
use super::tuples::of_store;
use crate::ids::{StoreId, TenantId, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{EventRecord, Purged};
use crate::storage::repository::PurgeRepository;

/// At most ?3 rows of a table, of the store ?2 of the tenant ?1; by the primary key, which `WITHOUT ROWID` has alone.
macro_rules! some_of {
    ($table:literal, $key:literal) => {
        some_of!($table, $key, "")
    };
    ($table:literal, $key:literal, $and:expr) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE tenant = ?1 AND store = ?2 ",
            $and,
            "LIMIT ?3)"
        )
    };
}
pub(super) use some_of;

macro_rules! tuple_key {
    () => {
        "object_type, object_id, relation, subject_type, subject_id, subject_relation"
    };
}

/// The number stands outside of the key: SQLite takes the way by the whole key only so.
const SOME_TUPLES: &str = concat!(
    "DELETE FROM tuples WHERE ",
    of_store!(),
    " AND (",
    tuple_key!(),
    ") IN (SELECT ",
    tuple_key!(),
    " FROM tuples WHERE ",
    of_store!(),
    " LIMIT ?3)"
);

/// The same of the changes of tuples.
const SOME_CHANGES: &str = concat!(
    "DELETE FROM tuple_changes WHERE (store_number, revision, ordinal) IN \
     (SELECT store_number, revision, ordinal FROM tuple_changes WHERE ",
    of_store!(),
    " LIMIT ?3)"
);

/// And of how far they were trimmed.
const SOME_TRIMMED: &str = concat!(
    "DELETE FROM tuple_changes_trimmed WHERE ",
    of_store!(),
    " AND object_type IN (SELECT object_type FROM tuple_changes_trimmed WHERE ",
    of_store!(),
    " LIMIT ?3)"
);

/// What refers to another table stands before it.
pub(super) const OF_A_STORE: [&str; 15] = [
    SOME_TUPLES,
    SOME_CHANGES,
    SOME_TRIMMED,
    some_of!("store_numbers", "tenant, store"),
    some_of!("answers", "tenant, store, key"),
    some_of!("assertions", "tenant, store, model"),
    some_of!("relation_models", "tenant, store, id"),
    some_of!("links", "tenant, store, id"),
    some_of!("links_history", "tenant, store, id, created_revision"),
    some_of!("entities", "tenant, store, type_name, id"),
    some_of!("entities_history", "tenant, store, type_name, id, created_revision"),
    some_of!("policies", "tenant, store, policy_id, first_number"),
    some_of!("releases", "tenant, store, number"),
    some_of!("schemas", "tenant, store, hash"),
    some_of!("revisions", "tenant, store, revision"),
];

#[async_trait]
impl PurgeRepository for Sqlite {
    async fn purge(
        &self,
        by: Timestamp,
        limit: u32,
        tell: &(dyn Fn(Purged) -> EventRecord + Send + Sync),
    ) -> Result<u64, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let deleted = step(transaction.connection(), by, u64::from(limit), tell).await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    async fn forget_history(&self, scope: &StoreScope, by: Timestamp, limit: u32) -> Result<u64, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let deleted = forget::step(transaction.connection(), scope, by, u64::from(limit)).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}

async fn step(
    connection: &mut SqliteConnection,
    by: Timestamp,
    limit: u64,
    tell: &(dyn Fn(Purged) -> EventRecord + Send + Sync),
) -> Result<u64, sqlx::Error> {
    let store = "SELECT tenant, id FROM stores WHERE deleted_at <= ? ORDER BY deleted_at LIMIT 1";
    if let Some(row) = sqlx::query(store).bind(by.as_millis()).fetch_optional(&mut *connection).await? {
        let (tenant, store) = (row::id(&row, "tenant")?, row::id(&row, "id")?);
        let (deleted, whole) = of_store(connection, &tenant, &store, by, limit).await?;
        if whole {
            outbox::put(connection, &[tell(Purged::Store(tenant, store))]).await?;
        }
        return Ok(deleted);
    }
    let tenant = "SELECT id FROM tenants WHERE deleted_at <= ? ORDER BY deleted_at LIMIT 1";
    let Some(row) = sqlx::query(tenant).bind(by.as_millis()).fetch_optional(&mut *connection).await? else {
        return Ok(0);
    };
    let tenant: TenantId = row::id(&row, "id")?;
    sqlx::query("UPDATE tenants SET purged_at = COALESCE(purged_at, ?) WHERE id = ?")
        .bind(by.as_millis())
        .bind(tenant.as_str())
        .execute(&mut *connection)
        .await?;
    let store = "SELECT id FROM stores WHERE tenant = ? LIMIT 1";
    if let Some(row) = sqlx::query(store).bind(tenant.as_str()).fetch_optional(&mut *connection).await? {
        return of_store(connection, &tenant, &row::id(&row, "id")?, by, limit).await.map(|(deleted, _)| deleted);
    }
    let keys = sqlx::query("DELETE FROM keys WHERE id IN (SELECT id FROM keys WHERE tenant = ? LIMIT ?)")
        .bind(tenant.as_str())
        .bind(signed(limit))
        .execute(&mut *connection)
        .await?
        .rows_affected();
    if keys >= limit {
        return Ok(keys);
    }
    // What its log was still to be told is of no use: the log goes, too. And nobody sends its requests again.
    sqlx::query("DELETE FROM outbox WHERE log = ?").bind(tenant.as_str()).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM answers WHERE tenant = ?").bind(tenant.as_str()).execute(&mut *connection).await?;
    let own = sqlx::query("DELETE FROM tenants WHERE id = ?").bind(tenant.as_str()).execute(&mut *connection).await?;
    outbox::put(connection, &[tell(Purged::Tenant(tenant))]).await?;
    Ok(keys + own.rows_affected())
}

/// Deletes rows of a store, and tells how many and whether they were its last.
async fn of_store(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    store: &StoreId,
    by: Timestamp,
    limit: u64,
) -> Result<(u64, bool), sqlx::Error> {
    sqlx::query("UPDATE stores SET purged_at = COALESCE(purged_at, ?) WHERE tenant = ? AND id = ?")
        .bind(by.as_millis())
        .bind(tenant.as_str())
        .bind(store.as_str())
        .execute(&mut *connection)
        .await?;
    let mut deleted = 0;
    for sql in OF_A_STORE {
        let left = limit - deleted;
        let rows = sqlx::query(sql).bind(tenant.as_str()).bind(store.as_str()).bind(signed(left));
        deleted += rows.execute(&mut *connection).await?.rows_affected().min(left);
        if deleted == limit {
            return Ok((deleted, false));
        }
    }
    let own = sqlx::query("DELETE FROM stores WHERE tenant = ? AND id = ?");
    let own = own.bind(tenant.as_str()).bind(store.as_str()).execute(&mut *connection).await?;
    Ok((deleted + own.rows_affected(), true))
}

fn signed(limit: u64) -> i64 {
    row::bound(limit)
}
