//! Rows of `tuple_changes`, read in the order of the writes, and how far they were trimmed.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::row;
use super::tuples::{bind_scope, of_store, record, tuple_columns};
use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{TrimmedRecord, TupleChange};

/// The statement over the log, its parameters numbered: ?3 type, ?4 and ?5 position, ?6 time, ?7 limit.
fn statement(of_type: bool, after: bool, since: bool) -> String {
    let mut sql =
        concat!("SELECT ", tuple_columns!(), ", revision, ordinal, op, at FROM tuple_changes WHERE ", of_store!())
            .to_owned();
    if of_type {
        sql.push_str(" AND object_type = ?3");
    }
    if after {
        sql.push_str(" AND (revision, ordinal) > (?4, ?5)");
    }
    if since {
        sql.push_str(" AND at >= ?6");
    }
    if since && !after {
        // Where to begin. A clock may have gone back, so that times do not rise with revisions.
        sql.push_str(
            " AND revision >= (SELECT min(revision) FROM revisions INDEXED BY revisions_by_time \
             WHERE tenant = ?1 AND store = ?2 AND at >= ?6)",
        );
    }
    sql.push_str(" ORDER BY revision, ordinal LIMIT ?7");
    sql
}

pub(super) async fn page(
    readers: &SqlitePool,
    scope: &StoreScope,
    object_type: Option<&str>,
    after: Option<(Revision, u32)>,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<TupleChange>, StorageError> {
    let sql = statement(object_type.is_some(), after.is_some(), since.is_some());
    let changes = bind_scope(sqlx::query(AssertSqlSafe(sql)), scope)
        .bind(object_type)
        .bind(after.map(|(revision, _)| row::bound(revision.0)))
        .bind(after.map(|(_, ordinal)| ordinal))
        .bind(since.map(Timestamp::as_millis))
        .bind(limit)
        .try_map(|row| change(&row))
        .fetch_all(readers)
        .await?;
    Ok(changes)
}

/// Of one type of objects ?3, or the last of all types; a store has few.
const TRIMMED: &str = concat!(
    "SELECT revision, ordinal, max(at) OVER () AS at FROM tuple_changes_trimmed WHERE ",
    of_store!(),
    " AND (?3 IS NULL OR object_type = ?3) ORDER BY revision DESC, ordinal DESC LIMIT 1"
);

pub(super) async fn trimmed(
    readers: &SqlitePool,
    scope: &StoreScope,
    object_type: Option<&str>,
) -> Result<Option<TrimmedRecord>, StorageError> {
    let found = bind_scope(sqlx::query(TRIMMED), scope)
        .bind(object_type)
        .try_map(|row| {
            let last = (row::revision(&row, "revision")?, row::unsigned(&row, "ordinal")?);
            Ok(TrimmedRecord { last, at: row::time(&row, "at")? })
        })
        .fetch_optional(readers)
        .await?;
    Ok(found)
}

fn change(row: &SqliteRow) -> Result<TupleChange, sqlx::Error> {
    Ok(TupleChange {
        revision: row::revision(row, "revision")?,
        ordinal: row::unsigned(row, "ordinal")?,
        written: row.try_get("op")?,
        tuple: record(row)?,
        at: row::time(row, "at")?,
    })
}

/// The text of every statement that is put together here, for a look at its plan.
#[cfg(test)]
pub(super) fn statements() -> Vec<String> {
    let given = |shape: u32, bit: u32| shape & (1 << bit) != 0;
    (0..8).map(|shape| statement(given(shape, 0), given(shape, 1), given(shape, 2))).collect()
}
