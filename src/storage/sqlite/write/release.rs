//! A new release: its row, its schema by content, and the policies that differ from the one before.

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;

use crate::ids::ReleaseId;
use crate::scope::StoreScope;
use crate::storage::records::{ModelRecord, NewRelease, PolicyRecord, SchemaRecord, WriteRecord};
use crate::storage::sqlite::bulk::{Bulk, bind_all};
use crate::storage::sqlite::row;
use crate::storage::{StorageError, WriteError};

/// Ends the newest text of policies with the release before.
const CLOSE: Bulk = Bulk {
    head: "UPDATE policies SET last_number = ? \
           WHERE tenant = ? AND store = ? AND last_number IS NULL AND policy_id IN (VALUES ",
    row: "(?)",
    tail: ")",
};

const OPEN: Bulk = Bulk {
    head: "INSERT INTO policies (tenant, store, first_number, policy_id, named, file, line, line_column, text) \
           SELECT ?, ?, ?, v.column1, v.column2, v.column3, v.column4, v.column5, v.column6 FROM (VALUES ",
    row: "(?,?,?,?,?,?)",
    tail: ") AS v",
};

/// How many releases a rollback after another comes to are looked at.
const FURTHEST: usize = 100_000;

#[cfg(test)]
pub(super) const BULK: &[Bulk] = &[CLOSE, OPEN];

/// Writes the release with the number after the store's newest.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    write: &WriteRecord,
    new: &NewRelease,
    previous: Option<ReleaseId>,
) -> Result<(), WriteError> {
    let (before, policies_before) = newest(connection, scope).await?;
    let number = before + 1;
    let hash = match &new.schema {
        Some(schema) => Some(insert_schema(connection, scope, schema).await?),
        None => None,
    };
    if let Some(model) = &new.model {
        insert_model(connection, scope, model).await?;
    }
    let removed: Vec<&str> = new.removed.iter().map(String::as_str).collect();
    let replaced: Vec<&str> = new.upserts.iter().map(|policy| policy.id.as_str()).collect();
    let mut ended = close(connection, scope, before, &removed).await?;
    ended += close(connection, scope, before, &replaced).await?;
    let policies = (policies_before + new.upserts.len() as u64).checked_sub(ended).ok_or_else(|| {
        let what = "a release has fewer policies than it ends".to_owned();
        StorageError::Corrupt { what }
    })?;

    // Before its policies, which refer to it.
    sqlx::query(
        "INSERT INTO releases (tenant, store, number, id, schema_hash, schema_file, model, model_file, previous, \
         policy_count, created_at, actor, summary) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .bind(number)
    .bind(new.id.as_str())
    .bind(hash)
    .bind(&new.schema_file)
    .bind(new.model.as_ref().map(|model| model.id.as_str()))
    .bind(&new.model_file)
    .bind(previous.as_ref().map(ReleaseId::as_str))
    .bind(row::signed(policies)?)
    .bind(write.at.as_millis())
    .bind(&write.actor)
    .bind(&write.summary)
    .execute(&mut *connection)
    .await?;
    open(connection, scope, number, &new.upserts).await
}

/// Notes that an earlier release, or a draft, follows on the one that is active; unless it is one of those that
/// rollbacks from that one come to, which keeps what it has.
pub(super) async fn follow(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    active: Option<ReleaseId>,
    id: ReleaseId,
) -> Result<(), WriteError> {
    let mut earlier = active.map(|active| active.to_string());
    for _ in 0..FURTHEST {
        let Some(one) = earlier else { break };
        if one == id.as_str() {
            return Ok(());
        }
        let previous = sqlx::query_scalar("SELECT previous FROM releases WHERE tenant = ? AND store = ? AND id = ?");
        let previous = previous.bind(scope.tenant().as_str()).bind(scope.store().as_str()).bind(one);
        earlier = previous.fetch_optional(&mut *connection).await?.flatten();
    }
    sqlx::query("UPDATE releases SET previous = ? WHERE tenant = ? AND store = ? AND id = ?")
        .bind(active.as_ref().map(ReleaseId::as_str))
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) async fn exists(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    id: ReleaseId,
) -> Result<bool, WriteError> {
    let found = sqlx::query("SELECT 1 FROM releases WHERE tenant = ? AND store = ? AND id = ?")
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some())
}

/// Number and policy count of the newest release; zeros for a store without one.
async fn newest(connection: &mut SqliteConnection, scope: &StoreScope) -> Result<(i64, u64), WriteError> {
    let newest = sqlx::query(
        "SELECT number, policy_count FROM releases WHERE tenant = ? AND store = ? \
         ORDER BY number DESC LIMIT 1",
    )
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .try_map(|row| Ok((row::unsigned(&row, "number")?, row::unsigned(&row, "policy_count")?)))
    .fetch_optional(connection)
    .await?;
    Ok(newest.unwrap_or((0, 0)))
}

/// Keeps the schema's text unless the store has it already, and returns what it is found by.
async fn insert_schema(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    schema: &SchemaRecord,
) -> Result<Vec<u8>, WriteError> {
    // The syntax has no zero byte, so that no two schemas are hashed as the same bytes.
    let hash =
        Sha256::new().chain_update(&schema.syntax).chain_update([0]).chain_update(&schema.text).finalize().to_vec();
    sqlx::query(
        "INSERT INTO schemas (tenant, store, hash, syntax, text) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (tenant, store, hash) DO NOTHING",
    )
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .bind(hash.as_slice())
    .bind(&schema.syntax)
    .bind(&schema.text)
    .execute(connection)
    .await?;
    Ok(hash)
}

/// Keeps the model unless the store has it already; another one under the same id is refused.
async fn insert_model(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    model: &ModelRecord,
) -> Result<(), WriteError> {
    // What would change nothing changes a row, what would change something changes none.
    let kept = sqlx::query(
        "INSERT INTO relation_models (tenant, store, id, syntax, text, created_at) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (tenant, store, id) DO UPDATE SET text = text \
         WHERE syntax = excluded.syntax AND text = excluded.text",
    )
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .bind(model.id.as_str())
    .bind(&model.syntax)
    .bind(&model.text)
    .bind(model.created_at.as_millis())
    .execute(connection)
    .await?;
    if kept.rows_affected() == 1 {
        Ok(())
    } else {
        let what = format!("the relation model `{}` is stored with another text", model.id);
        Err(StorageError::Refused { what }.into())
    }
}

/// Returns how many policies of the release before are not in the new one as they were.
async fn close(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    last_number: i64,
    ids: &[&str],
) -> Result<u64, WriteError> {
    let ended = CLOSE
        .execute(
            connection,
            ids,
            |query| {
                let query = query.bind(last_number);
                bind_all(query, [scope.tenant().as_str(), scope.store().as_str()])
            },
            |query, id| bind_all(query, [id]),
            |query| query,
        )
        .await?;
    Ok(ended)
}

async fn open(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    first_number: i64,
    policies: &[PolicyRecord],
) -> Result<(), WriteError> {
    OPEN.execute(
        connection,
        policies,
        |query| bind_all(query, [scope.tenant().as_str(), scope.store().as_str()]).bind(first_number),
        |query, policy| {
            let query = bind_all(query, [&policy.id]).bind(policy.named).bind(policy.file.clone());
            bind_all(query.bind(policy.line).bind(policy.column), [&policy.text])
        },
        |query| query,
    )
    .await?;
    Ok(())
}
