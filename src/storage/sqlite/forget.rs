//! Rows of the past that no revision needs any more which can be asked, deleted in small steps.
//!
//! What is gone leaves a mark in the transaction that deletes it: without it a clock that went back could let a revision be
//! asked whose rows are not there.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::purge::some_of;
use super::row;
use super::tuples::of_store;
use crate::ids::Timestamp;
use crate::scope::StoreScope;

/// The revision that was in force at ?3. No revision before it can be asked.
const IN_FORCE: &str = "SELECT revision FROM revisions INDEXED BY revisions_by_time \
     WHERE tenant = ?1 AND store = ?2 AND at <= ?3 ORDER BY at DESC, revision DESC LIMIT 1";

/// At most ?3 rows that ended with the revision ?4 or before.
const ENDED: [&str; 2] = [
    some_of!("entities_history", "tenant, store, type_name, id, created_revision", "AND deleted_revision <= ?4 "),
    some_of!("links_history", "tenant, store, id, created_revision", "AND deleted_revision <= ?4 "),
];

/// At most ?3 changes of tuples of the revision ?4 or before, the oldest: the deleted tuples among them had ended by then.
const CHANGES: &str = concat!(
    "DELETE FROM tuple_changes WHERE (store_number, revision, ordinal) IN \
     (SELECT store_number, revision, ordinal FROM tuple_changes WHERE ",
    of_store!(),
    " AND revision <= ?4 ORDER BY revision, ordinal LIMIT ?3) RETURNING object_type, revision, ordinal, at"
);

const MARK_CHANGES: &str = "INSERT INTO tuple_changes_trimmed (store_number, object_type, revision, ordinal, at) \
     SELECT number, ?3, ?4, ?5, ?6 FROM store_numbers WHERE tenant = ?1 AND store = ?2 \
     ON CONFLICT (store_number, object_type) DO UPDATE SET \
     revision = excluded.revision, ordinal = excluded.ordinal, at = max(at, excluded.at)";

const MARK: &str = "UPDATE stores SET forgotten_revision = max(forgotten_revision, ?3) WHERE tenant = ?1 AND id = ?2";

/// Deletes at most `limit` rows that no revision needs which was in force after `by`, and returns their number.
pub(super) async fn step(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    by: Timestamp,
    limit: u64,
) -> Result<u64, sqlx::Error> {
    let (tenant, store) = (scope.tenant().as_str(), scope.store().as_str());
    let in_force = sqlx::query_scalar(IN_FORCE).bind(tenant).bind(store).bind(by.as_millis());
    let through: Option<i64> = in_force.fetch_optional(&mut *connection).await?;
    let Some(through) = through else { return Ok(0) };
    let mut deleted = 0;
    for sql in ENDED {
        let left = limit - deleted;
        let rows = sqlx::query(sql).bind(tenant).bind(store).bind(row::bound(left)).bind(through);
        deleted += rows.execute(&mut *connection).await?.rows_affected().min(left);
    }
    deleted += changes(connection, scope, through, limit - deleted).await?;
    if deleted > 0 {
        sqlx::query(MARK).bind(tenant).bind(store).bind(through).execute(connection).await?;
    }
    Ok(deleted)
}

/// Deletes changes of tuples, and notes how far they went by type.
async fn changes(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    through: i64,
    limit: u64,
) -> Result<u64, sqlx::Error> {
    let (tenant, store) = (scope.tenant().as_str(), scope.store().as_str());
    let gone: Vec<Gone> = sqlx::query(CHANGES)
        .bind(tenant)
        .bind(store)
        .bind(row::bound(limit))
        .bind(through)
        .try_map(|row| Gone::read(&row))
        .fetch_all(&mut *connection)
        .await?;
    let mut marks: BTreeMap<&str, ((i64, i64), i64)> = BTreeMap::new();
    for Gone { object_type, place, at } in &gone {
        let (last, latest) = marks.entry(object_type.as_str()).or_insert((*place, *at));
        (*last, *latest) = ((*last).max(*place), (*latest).max(*at));
    }
    for (object_type, ((revision, ordinal), at)) in marks {
        let mark = sqlx::query(MARK_CHANGES).bind(tenant).bind(store).bind(object_type);
        mark.bind(revision).bind(ordinal).bind(at).execute(&mut *connection).await?;
    }
    Ok(gone.len() as u64)
}

/// A change that was deleted.
struct Gone {
    object_type: String,
    /// Revision and ordinal.
    place: (i64, i64),
    at: i64,
}

impl Gone {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let place = (row.try_get("revision")?, row.try_get("ordinal")?);
        Ok(Self { object_type: row.try_get("object_type")?, place, at: row.try_get("at")? })
    }
}

/// The statements that delete and mark, for a look at their plans.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 6] = [IN_FORCE, ENDED[0], ENDED[1], CHANGES, MARK_CHANGES, MARK];
