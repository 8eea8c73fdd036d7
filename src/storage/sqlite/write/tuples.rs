//! Tuples: every change goes into the log first, and from there into the live table.
//!
//! So the values of a write travel to the database once. A write's rows have odd ordinals in the log; the
//! even one before is for the tuple that it replaces. The joins are `CROSS` as for entities.

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;

use crate::ids::Timestamp;
use crate::scope::StoreScope;
use crate::storage::records::{NewTuple, TupleKey, WriteRecord};
use crate::storage::sqlite::bulk::{Bulk, bind_all};
use crate::storage::sqlite::tuples::key_columns;
use crate::storage::{StorageError, WriteError};

const LOG_DELETES: Bulk = Bulk {
    head: "INSERT INTO tuple_changes (store_number, revision, ordinal, op, object_type, object_id, relation, \
           subject_type, subject_id, subject_relation, condition, context, expires_at, created_revision, \
           created_at, at) \
           SELECT t.store_number, ?, v.column1, 0, t.object_type, t.object_id, t.relation, t.subject_type, \
           t.subject_id, t.subject_relation, t.condition, t.context, t.expires_at, t.created_revision, \
           t.created_at, ? FROM (VALUES ",
    row: "(?,?,?,?,?,?,?)",
    tail: ") AS v CROSS JOIN tuples AS t \
           WHERE t.store_number = ? AND t.object_type = v.column2 AND t.object_id = v.column3 \
           AND t.relation = v.column4 AND t.subject_type = v.column5 AND t.subject_id = v.column6 \
           AND t.subject_relation = v.column7",
};

const DELETE: &str = "DELETE FROM tuples WHERE store_number = ?1 \
     AND (object_type, object_id, relation, subject_type, subject_id, subject_relation) IN \
     (SELECT object_type, object_id, relation, subject_type, subject_id, subject_relation \
     FROM tuple_changes WHERE store_number = ?1 AND revision = ?2 AND op = 0)";

const LOG_PUTS: Bulk = Bulk {
    head: "INSERT INTO tuple_changes (store_number, revision, created_revision, created_at, at, op, ordinal, \
           object_type, object_id, relation, subject_type, subject_id, subject_relation, condition, context, \
           expires_at) \
           SELECT ?, ?, ?, ?, ?, 1, v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, \
           v.column7, v.column8, v.column9, v.column10 FROM (VALUES ",
    row: "(?,?,?,?,?,?,?,?,?,?)",
    tail: ") AS v",
};

/// Logs the tuples that those just logged replace, then puts these. In the order of the key, because
/// neighbours share a page of the table.
const PUT_LOGGED: &str = "INSERT INTO tuple_changes (store_number, revision, ordinal, op, object_type, \
     object_id, relation, subject_type, subject_id, subject_relation, condition, context, expires_at, \
     created_revision, created_at, at) \
     SELECT t.store_number, c.revision, c.ordinal - 1, 0, t.object_type, t.object_id, t.relation, \
     t.subject_type, t.subject_id, t.subject_relation, t.condition, t.context, t.expires_at, \
     t.created_revision, t.created_at, c.at FROM tuple_changes AS c CROSS JOIN tuples AS t \
     WHERE c.store_number = ? AND c.revision = ? AND c.op = 1 AND t.store_number = c.store_number \
     AND t.object_type = c.object_type AND t.object_id = c.object_id AND t.relation = c.relation \
     AND t.subject_type = c.subject_type AND t.subject_id = c.subject_id \
     AND t.subject_relation = c.subject_relation; \
     INSERT INTO tuples (store_number, object_type, object_id, relation, subject_type, subject_id, \
     subject_relation, condition, context, expires_at, created_revision, created_at) \
     SELECT store_number, object_type, object_id, relation, subject_type, subject_id, subject_relation, \
     condition, context, expires_at, created_revision, created_at FROM tuple_changes \
     WHERE store_number = ? AND revision = ? AND op = 1 \
     ORDER BY object_type, object_id, relation, subject_type, subject_id, subject_relation \
     ON CONFLICT (store_number, object_type, object_id, relation, subject_type, subject_id, subject_relation) \
     DO UPDATE SET condition = excluded.condition, context = excluded.context, expires_at = excluded.expires_at, \
     created_revision = excluded.created_revision, created_at = excluded.created_at";

#[cfg(test)]
pub(super) fn statements() -> Vec<String> {
    let bulk = [LOG_DELETES, LOG_PUTS].into_iter().map(|bulk| bulk.sql(3));
    bulk.chain([DELETE].into_iter().chain(PUT_LOGGED.split("; ")).map(str::to_owned)).collect()
}

/// Does the deletes, then the puts of one write.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    write: &WriteRecord,
) -> Result<(), WriteError> {
    if write.tuples_delete.is_empty() && write.tuples_put.is_empty() {
        return Ok(());
    }
    // The empty text stands for no relation in the tables.
    let mut keys = write.tuples_delete.iter().chain(write.tuples_put.iter().map(|tuple| &tuple.key));
    if keys.any(|key| key.subject_relation.as_deref() == Some("")) {
        let what = "the relation of a tuple's subject is empty".to_owned();
        return Err(StorageError::Refused { what }.into());
    }
    let store_number = store_number(connection, scope).await?;
    let first = delete(connection, store_number, revision, write).await?;
    put(connection, store_number, revision, write, first).await
}

/// The number of the store, given now if it has none.
async fn store_number(connection: &mut SqliteConnection, scope: &StoreScope) -> Result<i64, WriteError> {
    let number = sqlx::query_scalar("SELECT number FROM store_numbers WHERE tenant = ? AND store = ?")
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(number) = number {
        return Ok(number);
    }
    let number = sqlx::query_scalar("INSERT INTO store_numbers (tenant, store) VALUES (?, ?) RETURNING number")
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .fetch_one(connection)
        .await?;
    Ok(number)
}

/// Returns the first ordinal that is free for puts.
async fn delete(
    connection: &mut SqliteConnection,
    store_number: i64,
    revision: i64,
    write: &WriteRecord,
) -> Result<i64, WriteError> {
    let mut seen = HashSet::with_capacity(write.tuples_delete.len());
    let keys: Vec<(i64, &TupleKey)> = (0..).zip(write.tuples_delete.iter().filter(|key| seen.insert(*key))).collect();
    let deleted = LOG_DELETES
        .execute(
            connection,
            &keys,
            |query| query.bind(revision).bind(write.at.as_millis()),
            |query, (ordinal, key)| bind_all(query.bind(*ordinal), key_columns(key)),
            |query| query.bind(store_number),
        )
        .await?;
    if deleted > 0 {
        sqlx::query(DELETE).bind(store_number).bind(revision).execute(connection).await?;
    }
    Ok(keys.last().map_or(0, |(ordinal, _)| ordinal + 1))
}

async fn put(
    connection: &mut SqliteConnection,
    store_number: i64,
    revision: i64,
    write: &WriteRecord,
    first: i64,
) -> Result<(), WriteError> {
    // The last of two puts of one tuple, in the place that it has.
    let mut seen = HashSet::with_capacity(write.tuples_put.len());
    let mut last: Vec<&NewTuple> = write.tuples_put.iter().rev().filter(|tuple| seen.insert(&tuple.key)).collect();
    last.reverse();
    let ordinals = (first..).skip(1).step_by(2);
    let tuples: Vec<(i64, &NewTuple)> = ordinals.zip(last).collect();
    if tuples.is_empty() {
        return Ok(());
    }
    let at = write.at.as_millis();
    LOG_PUTS
        .execute(
            connection,
            &tuples,
            |query| query.bind(store_number).bind(revision).bind(revision).bind(at).bind(at),
            |query, (ordinal, tuple)| {
                let query = bind_all(query.bind(*ordinal), key_columns(&tuple.key));
                let condition = tuple.condition.as_ref();
                query
                    .bind(condition.map(|condition| condition.name.clone()))
                    .bind(condition.map(|condition| condition.context.clone()))
                    .bind(tuple.expires_at.map(Timestamp::as_millis))
            },
            |query| query,
        )
        .await?;
    sqlx::query(PUT_LOGGED)
        .bind(store_number)
        .bind(revision)
        .bind(store_number)
        .bind(revision)
        .execute(connection)
        .await?;
    Ok(())
}
