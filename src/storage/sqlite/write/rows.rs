//! Entities and links: a row that changes or goes leaves its old self in the history first.
//!
//! A row that this same revision wrote has no past to keep, hence `created_revision < ?`. The joins
//! are `CROSS`, SQLite's word for "in this order", so that a statement costs its own rows, not the table.

use sqlx::sqlite::SqliteConnection;

use crate::scope::StoreScope;
use crate::storage::WriteError;
use crate::storage::records::{EntityKey, NewEntity, NewLink};
use crate::storage::sqlite::bulk::{Bound, Bulk, bind_all};

const KEEP_ENTITIES: Bulk = Bulk {
    head: "INSERT INTO entities_history (tenant, store, type_name, id, attrs, tags, parents, \
           created_revision, deleted_revision) \
           SELECT e.tenant, e.store, e.type_name, e.id, e.attrs, e.tags, e.parents, \
           e.created_revision, ? FROM (VALUES ",
    row: "(?,?)",
    tail: ") AS v CROSS JOIN entities AS e \
           WHERE e.tenant = ? AND e.store = ? AND e.type_name = v.column1 AND e.id = v.column2 \
           AND e.created_revision < ? \
           ON CONFLICT (tenant, store, type_name, id, created_revision) DO NOTHING",
};

const DELETE_ENTITIES: Bulk = Bulk {
    head: "DELETE FROM entities WHERE tenant = ? AND store = ? AND (type_name, id) IN (VALUES ",
    row: "(?,?)",
    tail: ")",
};

const PUT_ENTITIES: Bulk = Bulk {
    head: "INSERT INTO entities (tenant, store, created_revision, type_name, id, attrs, tags, parents) \
           SELECT ?, ?, ?, v.column1, v.column2, v.column3, v.column4, v.column5 FROM (VALUES ",
    row: "(?,?,?,?,?)",
    tail: ") AS v WHERE true ON CONFLICT (tenant, store, type_name, id) DO UPDATE SET \
           attrs = excluded.attrs, tags = excluded.tags, parents = excluded.parents, \
           created_revision = excluded.created_revision",
};

const KEEP_LINKS: Bulk = Bulk {
    head: "INSERT INTO links_history (tenant, store, id, template, principal_type, principal_id, \
           resource_type, resource_id, created_revision, deleted_revision) \
           SELECT l.tenant, l.store, l.id, l.template, l.principal_type, l.principal_id, \
           l.resource_type, l.resource_id, l.created_revision, ? FROM (VALUES ",
    row: "(?)",
    tail: ") AS v CROSS JOIN links AS l \
           WHERE l.tenant = ? AND l.store = ? AND l.id = v.column1 AND l.created_revision < ? \
           ON CONFLICT (tenant, store, id, created_revision) DO NOTHING",
};

const DELETE_LINKS: Bulk =
    Bulk { head: "DELETE FROM links WHERE tenant = ? AND store = ? AND id IN (VALUES ", row: "(?)", tail: ")" };

const PUT_LINKS: Bulk = Bulk {
    head: "INSERT INTO links (tenant, store, created_revision, id, template, principal_type, \
           principal_id, resource_type, resource_id) \
           SELECT ?, ?, ?, v.column1, v.column2, v.column3, v.column4, v.column5, v.column6 \
           FROM (VALUES ",
    row: "(?,?,?,?,?,?)",
    tail: ") AS v WHERE true ON CONFLICT (tenant, store, id) DO UPDATE SET \
           template = excluded.template, principal_type = excluded.principal_type, \
           principal_id = excluded.principal_id, resource_type = excluded.resource_type, \
           resource_id = excluded.resource_id, created_revision = excluded.created_revision",
};

#[cfg(test)]
pub(super) const BULK: &[Bulk] = &[KEEP_ENTITIES, DELETE_ENTITIES, PUT_ENTITIES, KEEP_LINKS, DELETE_LINKS, PUT_LINKS];

pub(super) async fn delete_entities(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    keys: &[EntityKey],
) -> Result<(), WriteError> {
    let keys: Vec<_> = keys.iter().map(|(t, id)| (t.as_str(), id.as_str())).collect();
    keep_entities(connection, scope, revision, &keys).await?;
    DELETE_ENTITIES
        .execute(
            connection,
            &keys,
            |query| bind_scope(query, scope),
            |query, (type_name, id)| bind_all(query, [type_name, id]),
            |query| query,
        )
        .await?;
    Ok(())
}

pub(super) async fn put_entities(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    entities: &[NewEntity],
) -> Result<(), WriteError> {
    let keys: Vec<_> = entities.iter().map(|e| (e.type_name.as_str(), e.id.as_str())).collect();
    keep_entities(connection, scope, revision, &keys).await?;
    PUT_ENTITIES
        .execute(
            connection,
            entities,
            |query| bind_scope(query, scope).bind(revision),
            |query, e| bind_all(query, [&e.type_name, &e.id, &e.attrs, &e.tags, &e.parents]),
            |query| query,
        )
        .await?;
    Ok(())
}

async fn keep_entities(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    keys: &[(&str, &str)],
) -> Result<(), WriteError> {
    KEEP_ENTITIES
        .execute(
            connection,
            keys,
            |query| query.bind(revision),
            |query, (type_name, id)| bind_all(query, [type_name, id]),
            |query| bind_scope(query, scope).bind(revision),
        )
        .await?;
    Ok(())
}

pub(super) async fn delete_links(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    ids: &[String],
) -> Result<(), WriteError> {
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    keep_links(connection, scope, revision, &ids).await?;
    DELETE_LINKS
        .execute(connection, &ids, |query| bind_scope(query, scope), |query, id| bind_all(query, [id]), |query| query)
        .await?;
    Ok(())
}

pub(super) async fn put_links(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    links: &[NewLink],
) -> Result<(), WriteError> {
    let ids: Vec<_> = links.iter().map(|link| link.id.as_str()).collect();
    keep_links(connection, scope, revision, &ids).await?;
    PUT_LINKS
        .execute(
            connection,
            links,
            |query| bind_scope(query, scope).bind(revision),
            |query, link| {
                let query = bind_all(query, [&link.id, &link.template]);
                bind_key(bind_key(query, link.principal.as_ref()), link.resource.as_ref())
            },
            |query| query,
        )
        .await?;
    Ok(())
}

async fn keep_links(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    revision: i64,
    ids: &[&str],
) -> Result<(), WriteError> {
    KEEP_LINKS
        .execute(
            connection,
            ids,
            |query| query.bind(revision),
            |query, id| bind_all(query, [id]),
            |query| bind_scope(query, scope).bind(revision),
        )
        .await?;
    Ok(())
}

fn bind_scope(query: Bound, scope: &StoreScope) -> Bound {
    bind_all(query, [scope.tenant().as_str(), scope.store().as_str()])
}

fn bind_key(query: Bound, key: Option<&EntityKey>) -> Bound {
    query.bind(key.map(|(type_name, _)| type_name.clone())).bind(key.map(|(_, id)| id.clone()))
}
