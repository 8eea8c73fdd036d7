//! A whole store, read once at the start.
//!
//! Every row that the driver hands over is a message between threads with a copy of each column, which
//! would be most of the cost of a million of them. So SQLite packs a page of rows into one JSON text.

use serde::de::DeserializeOwned;
use sqlx::query::QueryScalar;
use sqlx::sqlite::SqliteConnection;

use super::tuples::{condition, key_columns, of_store, relation, tuple_columns};
use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{EntityKey, EntityRecord, LinkRecord, LoadChunk, TupleKey, TupleRecord};

/// Rows that the sink gets at once.
const CHUNK: usize = 10_000;
/// Rows of one text. It may have 10^9 bytes, which leaves each row 4 MB.
const PAGE: usize = 250;

pub(super) type Sink<'a> = dyn FnMut(LoadChunk) -> Result<(), StorageError> + Send + 'a;

macro_rules! entity_page {
    ($after:literal) => {
        concat!(
            "SELECT json_group_array(json_array(type_name, id, attrs, tags, parents, created_revision)) \
             FROM (SELECT type_name, id, attrs, tags, parents, created_revision FROM entities \
             WHERE tenant = ?1 AND store = ?2 ",
            $after,
            " ORDER BY type_name, id LIMIT ?3)"
        )
    };
}

macro_rules! link_page {
    ($after:literal) => {
        concat!(
            "SELECT json_group_array(json_array(id, template, principal_type, principal_id, \
             resource_type, resource_id, created_revision)) \
             FROM (SELECT id, template, principal_type, principal_id, resource_type, resource_id, \
             created_revision FROM links WHERE tenant = ?1 AND store = ?2 ",
            $after,
            " ORDER BY id LIMIT ?3)"
        )
    };
}

macro_rules! tuple_page {
    ($after:literal) => {
        concat!(
            "SELECT json_group_array(json_array(object_type, object_id, relation, subject_type, subject_id, \
             subject_relation, condition, context, expires_at, created_revision, created_at)) \
             FROM (SELECT ",
            tuple_columns!(),
            " FROM tuples WHERE ",
            of_store!(),
            $after,
            " ORDER BY object_type, object_id, relation, subject_type, subject_id, subject_relation LIMIT ?3)"
        )
    };
}

type EntityRow = (String, String, String, String, String, u64);
type Slot = Option<String>;
type LinkRow = (String, String, Slot, Slot, Slot, Slot, u64);
type TupleRow = (String, String, String, String, String, String, Slot, Slot, Option<i64>, u64, i64);

pub(super) async fn entities(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    sink: &mut Sink<'_>,
) -> Result<(), StorageError> {
    let mut chunk: Vec<EntityRecord> = Vec::new();
    let mut after: Option<EntityKey> = None;
    loop {
        let sql = match after {
            None => entity_page!(""),
            Some(_) => entity_page!("AND (type_name, id) > (?4, ?5)"),
        };
        let (type_name, id) = after.unzip();
        let rows: Vec<EntityRow> = page(connection, scope, sql, [type_name, id]).await?;
        let last = rows.len() < PAGE;
        chunk.extend(rows.into_iter().map(entity));
        after = chunk.last().map(|e| (e.type_name.clone(), e.id.clone()));
        if chunk.len() >= CHUNK || (last && !chunk.is_empty()) {
            sink(LoadChunk::Entities(std::mem::take(&mut chunk)))?;
        }
        if last {
            return Ok(());
        }
    }
}

pub(super) async fn links(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    sink: &mut Sink<'_>,
) -> Result<(), StorageError> {
    let mut chunk: Vec<LinkRecord> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let sql = match after {
            None => link_page!(""),
            Some(_) => link_page!("AND id > ?4"),
        };
        let rows: Vec<LinkRow> = page(connection, scope, sql, [after]).await?;
        let last = rows.len() < PAGE;
        chunk.extend(rows.into_iter().map(link));
        after = chunk.last().map(|link| link.id.clone());
        if chunk.len() >= CHUNK || (last && !chunk.is_empty()) {
            sink(LoadChunk::Links(std::mem::take(&mut chunk)))?;
        }
        if last {
            return Ok(());
        }
    }
}

pub(super) async fn tuples(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    sink: &mut Sink<'_>,
) -> Result<(), StorageError> {
    let mut chunk: Vec<TupleRecord> = Vec::new();
    let mut after: Option<TupleKey> = None;
    loop {
        let sql = match after {
            None => tuple_page!(""),
            Some(_) => tuple_page!(
                " AND (object_type, object_id, relation, subject_type, subject_id, subject_relation) \
                 > (?4, ?5, ?6, ?7, ?8, ?9)"
            ),
        };
        let rows: Vec<TupleRow> = match &after {
            None => page(connection, scope, sql, []).await?,
            Some(key) => page(connection, scope, sql, key_columns(key).map(|text| Some(text.to_owned()))).await?,
        };
        let last = rows.len() < PAGE;
        chunk.extend(rows.into_iter().map(tuple));
        after = chunk.last().map(|tuple| tuple.key.clone());
        if chunk.len() >= CHUNK || (last && !chunk.is_empty()) {
            sink(LoadChunk::Tuples(std::mem::take(&mut chunk)))?;
        }
        if last {
            return Ok(());
        }
    }
}

async fn page<R: DeserializeOwned, const N: usize>(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    sql: &'static str,
    after: [Option<String>; N],
) -> Result<Vec<R>, StorageError> {
    let query = sqlx::query_scalar(sql)
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(i64::try_from(PAGE).unwrap_or(i64::MAX));
    let query = after.into_iter().fold(query, QueryScalar::bind);
    let text: String = query.fetch_one(connection).await?;
    serde_json::from_str(&text).map_err(|error| {
        // The position only: the error's own text may repeat a value.
        let (line, column) = (error.line(), error.column());
        let what = format!("a page of rows does not read at {line}:{column}");
        StorageError::Corrupt { what }
    })
}

fn entity((type_name, id, attrs, tags, parents, revision): EntityRow) -> EntityRecord {
    let created_revision = Revision(revision);
    EntityRecord { type_name, id, attrs, tags, parents, created_revision }
}

fn link(row: LinkRow) -> LinkRecord {
    let (id, template, principal_type, principal_id, resource_type, resource_id, revision) = row;
    LinkRecord {
        id,
        template,
        principal: principal_type.zip(principal_id),
        resource: resource_type.zip(resource_id),
        created_revision: Revision(revision),
    }
}

fn tuple(row: TupleRow) -> TupleRecord {
    let (object_type, object_id, relation_name, subject_type, subject_id, subject_relation, ..) = row;
    let (.., condition_name, context, expires_at, revision, created_at) = row;
    TupleRecord {
        key: TupleKey {
            object_type,
            object_id,
            relation: relation_name,
            subject_type,
            subject_id,
            subject_relation: relation(subject_relation),
        },
        condition: condition(condition_name, context),
        expires_at: expires_at.map(Timestamp::from_millis),
        created_revision: Revision(revision),
        created_at: Timestamp::from_millis(created_at),
    }
}
