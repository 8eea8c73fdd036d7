//! Rows of `entities`, `links`, their histories and `revisions`, read; tuples have a module of their own.
//!
//! A page has a text of its own when it is the first: ids may be empty, and nothing comes before those.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use super::Sqlite;
use super::changes;
use super::load;
use super::row;
use super::stores;
use super::transaction::OpenTransaction;
use super::tuples;
use crate::ids::{Revision, Timestamp};
use crate::scope::StoreScope;
use crate::storage::StorageError;
use crate::storage::records::{
    EntityKey, EntityRecord, LinkRecord, LoadChunk, RevisionRecord, StateRecord, StoreRecord, TrimmedRecord,
    TupleChange, TupleFilter, TupleKey, TupleRecord,
};
use crate::storage::repository::DataRepository;

macro_rules! select_entity {
    ($rest:literal) => {
        concat!(
            "SELECT type_name, id, attrs, tags, parents, created_revision FROM entities \
             WHERE tenant = ?1 AND store = ?2 ",
            $rest
        )
    };
}

/// A page of the live rows that existed by revision ?3, or of history rows.
fn entities_of(table: &str, which: &str, within: &str) -> String {
    format!(
        "SELECT type_name, id, attrs, tags, parents, created_revision FROM {table} \
         WHERE tenant = ?1 AND store = ?2 AND created_revision <= ?3 {which} {within} ORDER BY type_name, id LIMIT ?4"
    )
}

/// Live rows that existed by revision ?3, and history rows that span it.
macro_rules! select_entity_at {
    ($which:literal, $rest:literal) => {
        concat!(
            "SELECT type_name, id, attrs, tags, parents, created_revision FROM entities \
             WHERE tenant = ?1 AND store = ?2 AND created_revision <= ?3 ",
            $which,
            " UNION ALL \
             SELECT type_name, id, attrs, tags, parents, created_revision FROM entities_history \
             WHERE tenant = ?1 AND store = ?2 AND created_revision <= ?3 AND deleted_revision > ?3 ",
            $which,
            $rest
        )
    };
}

macro_rules! select_link {
    ($rest:literal) => {
        concat!(
            "SELECT id, template, principal_type, principal_id, resource_type, resource_id, \
             created_revision FROM links WHERE tenant = ?1 AND store = ?2 ",
            $rest
        )
    };
}

/// As for entities.
macro_rules! select_link_at {
    ($after:literal) => {
        concat!(
            "SELECT id, template, principal_type, principal_id, resource_type, resource_id, \
             created_revision FROM links \
             WHERE tenant = ?1 AND store = ?2 AND created_revision <= ?3 ",
            $after,
            " UNION ALL \
             SELECT id, template, principal_type, principal_id, resource_type, resource_id, \
             created_revision FROM links_history \
             WHERE tenant = ?1 AND store = ?2 AND created_revision <= ?3 AND deleted_revision > ?3 ",
            $after,
            " ORDER BY id LIMIT ?4"
        )
    };
}

#[async_trait]
impl DataRepository for Sqlite {
    async fn entity(
        &self,
        scope: &StoreScope,
        type_name: &str,
        id: &str,
    ) -> Result<Option<EntityRecord>, StorageError> {
        let found = sqlx::query(select_entity!("AND type_name = ?3 AND id = ?4"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(type_name)
            .bind(id)
            .try_map(|row| entity(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn entities(
        &self,
        scope: &StoreScope,
        type_name: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<EntityRecord>, StorageError> {
        let sql = match (type_name, after) {
            (None, None) => select_entity!("ORDER BY type_name, id LIMIT ?3"),
            (None, Some(_)) => {
                select_entity!("AND (type_name, id) > (?4, ?5) ORDER BY type_name, id LIMIT ?3")
            }
            (Some(wanted), Some((behind, _))) if behind == wanted => {
                select_entity!("AND type_name = ?6 AND id > ?5 ORDER BY id LIMIT ?3")
            }
            (Some(wanted), Some((behind, _))) if behind > wanted => return Ok(Vec::new()),
            (Some(_), _) => select_entity!("AND type_name = ?6 ORDER BY id LIMIT ?3"),
        };
        let entities = sqlx::query(sql)
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(limit)
            .bind(after.map(|(type_name, _)| type_name))
            .bind(after.map(|(_, id)| id))
            .bind(type_name)
            .try_map(|row| entity(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(entities)
    }

    async fn entity_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        type_name: &str,
        id: &str,
    ) -> Result<Option<EntityRecord>, StorageError> {
        let found = sqlx::query(select_entity_at!("AND type_name = ?4 AND id = ?5", ""))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(row::bound(revision.0))
            .bind(type_name)
            .bind(id)
            .try_map(|row| entity(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn entities_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        type_name: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<EntityRecord>, StorageError> {
        let which = match (type_name, after) {
            (None, None) => "",
            (None, Some(_)) => "AND (type_name, id) > (?5, ?6)",
            (Some(wanted), Some((behind, _))) if behind == wanted => "AND type_name = ?7 AND id > ?6",
            (Some(wanted), Some((behind, _))) if behind > wanted => return Ok(Vec::new()),
            (Some(_), _) => "AND type_name = ?7",
        };
        let page = async |sql: &str, last: Option<(String, String)>| {
            let (last_type, last_id) = last.unzip();
            let rows = sqlx::query(AssertSqlSafe(sql))
                .bind(scope.tenant().as_str())
                .bind(scope.store().as_str())
                .bind(row::bound(revision.0))
                .bind(limit)
                .bind(after.map(|(type_name, _)| type_name))
                .bind(after.map(|(_, id)| id))
                .bind(type_name)
                .bind(last_type)
                .bind(last_id)
                .try_map(|row| entity(&row));
            rows.fetch_all(&self.readers).await
        };
        // The live rows first: what is deleted between is found in both, not in none.
        let mut entities = page(&entities_of("entities", which, ""), None).await?;
        // The past of a page lies within it. Looked for up to the end it would be gone through again for every page.
        let last = entities.get((limit as usize).saturating_sub(1));
        let last = last.map(|last| (last.type_name.clone(), last.id.clone()));
        let within = if last.is_some() {
            "AND deleted_revision > ?3 AND (type_name, id) <= (?8, ?9)"
        } else {
            "AND deleted_revision > ?3"
        };
        entities.extend(page(&entities_of("entities_history", which, within), last).await?);
        let key = |row: &EntityRecord| (row.type_name.clone(), row.id.clone());
        entities.sort_by_cached_key(key);
        entities.dedup_by(|a, b| (&a.type_name, &a.id) == (&b.type_name, &b.id));
        entities.truncate(limit as usize);
        Ok(entities)
    }

    async fn link(&self, scope: &StoreScope, id: &str) -> Result<Option<LinkRecord>, StorageError> {
        let found = sqlx::query(select_link!("AND id = ?3"))
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(id)
            .try_map(|row| link(&row))
            .fetch_optional(&self.readers)
            .await?;
        Ok(found)
    }

    async fn links(
        &self,
        scope: &StoreScope,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LinkRecord>, StorageError> {
        let sql = match after {
            None => select_link!("ORDER BY id LIMIT ?3"),
            Some(_) => select_link!("AND id > ?4 ORDER BY id LIMIT ?3"),
        };
        let links = sqlx::query(sql)
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(limit)
            .bind(after)
            .try_map(|row| link(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(links)
    }

    async fn links_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LinkRecord>, StorageError> {
        let sql = match after {
            None => select_link_at!(""),
            Some(_) => select_link_at!("AND id > ?5"),
        };
        let links = sqlx::query(sql)
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(row::bound(revision.0))
            .bind(limit)
            .bind(after)
            .try_map(|row| link(&row))
            .fetch_all(&self.readers)
            .await?;
        Ok(links)
    }

    async fn tuples(
        &self,
        scope: &StoreScope,
        filter: &TupleFilter,
        after: Option<&TupleKey>,
        limit: u32,
    ) -> Result<Vec<TupleRecord>, StorageError> {
        tuples::page(&self.readers, scope, filter, after, limit).await
    }

    async fn tuples_at(
        &self,
        scope: &StoreScope,
        revision: Revision,
        filter: &TupleFilter,
        after: Option<&TupleKey>,
        limit: u32,
    ) -> Result<Vec<TupleRecord>, StorageError> {
        tuples::page_at(&self.readers, scope, revision, filter, after, limit).await
    }

    async fn tuple_changes(
        &self,
        scope: &StoreScope,
        object_type: Option<&str>,
        after: Option<(Revision, u32)>,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<TupleChange>, StorageError> {
        changes::page(&self.readers, scope, object_type, after, since, limit).await
    }

    async fn trimmed_changes(
        &self,
        scope: &StoreScope,
        object_type: Option<&str>,
    ) -> Result<Option<TrimmedRecord>, StorageError> {
        changes::trimmed(&self.readers, scope, object_type).await
    }

    async fn load(
        &self,
        scope: &StoreScope,
        sink: &mut (dyn FnMut(LoadChunk) -> Result<(), StorageError> + Send),
    ) -> Result<Option<StoreRecord>, StorageError> {
        // One transaction, so that head, entities, links and tuples are of one revision.
        let mut transaction = OpenTransaction::read(&self.readers).await?;
        let head = stores::head(transaction.connection(), scope).await?;
        if head.is_some() {
            load::entities(transaction.connection(), scope, sink).await?;
            load::links(transaction.connection(), scope, sink).await?;
            load::tuples(transaction.connection(), scope, sink).await?;
        }
        transaction.rollback().await;
        Ok(head)
    }

    async fn state_at(&self, scope: &StoreScope, revision: Revision) -> Result<Option<StateRecord>, StorageError> {
        let state = sqlx::query(STATE_AT)
            .bind(scope.tenant().as_str())
            .bind(scope.store().as_str())
            .bind(row::bound(revision.0))
            .try_map(|row| {
                Ok(StateRecord {
                    release: row::optional_id(&row, "release")?,
                    settings: row::text(&row, "settings")?,
                    at: row::time(&row, "at")?,
                    ended_at: row::optional_time(&row, "ended_at")?,
                    forgotten: row.try_get("forgotten")?,
                })
            })
            .fetch_optional(&self.readers)
            .await?;
        Ok(state)
    }

    async fn revisions(
        &self,
        scope: &StoreScope,
        after: Option<Revision>,
        limit: u32,
    ) -> Result<Vec<RevisionRecord>, StorageError> {
        let revisions = sqlx::query(
            "SELECT revision, epoch, release, actor, at, summary FROM revisions \
             WHERE tenant = ? AND store = ? AND revision > ? ORDER BY revision LIMIT ?",
        )
        .bind(scope.tenant().as_str())
        .bind(scope.store().as_str())
        .bind(after.map_or(0, |after| row::bound(after.0)))
        .bind(limit)
        .try_map(|row| revision(&row))
        .fetch_all(&self.readers)
        .await?;
        Ok(revisions)
    }
}

/// The settings of a revision are what the first change of them behind it found.
const STATE_AT: &str = "SELECT r.release, r.at, s.forgotten_revision > r.revision AS forgotten, \
     (SELECT n.at FROM revisions n WHERE n.tenant = ?1 AND n.store = ?2 AND n.revision = ?3 + 1) AS ended_at, \
     COALESCE((SELECT n.settings_before FROM revisions n WHERE n.tenant = ?1 AND n.store = ?2 AND n.revision > ?3 \
     AND n.settings_before IS NOT NULL ORDER BY n.revision LIMIT 1), s.settings) AS settings \
     FROM revisions r JOIN stores s ON s.tenant = r.tenant AND s.id = r.store \
     WHERE r.tenant = ?1 AND r.store = ?2 AND r.revision = ?3";

// By position, in the order of the macros above.

fn entity(row: &SqliteRow) -> Result<EntityRecord, sqlx::Error> {
    Ok(EntityRecord {
        type_name: row.try_get(0)?,
        id: row.try_get(1)?,
        attrs: row.try_get(2)?,
        tags: row.try_get(3)?,
        parents: row.try_get(4)?,
        created_revision: row::created_revision(row.try_get(5)?)?,
    })
}

fn link(row: &SqliteRow) -> Result<LinkRecord, sqlx::Error> {
    let principal_type: Option<String> = row.try_get(2)?;
    let resource_type: Option<String> = row.try_get(4)?;
    Ok(LinkRecord {
        id: row.try_get(0)?,
        template: row.try_get(1)?,
        principal: key(principal_type, row.try_get(3)?),
        resource: key(resource_type, row.try_get(5)?),
        created_revision: row::created_revision(row.try_get(6)?)?,
    })
}

/// The tables hold that both are there or none.
fn key(type_name: Option<String>, id: Option<String>) -> Option<EntityKey> {
    type_name.zip(id)
}

fn revision(row: &SqliteRow) -> Result<RevisionRecord, sqlx::Error> {
    Ok(RevisionRecord {
        revision: row::revision(row, "revision")?,
        epoch: row::text(row, "epoch")?,
        release: row::optional_id(row, "release")?,
        actor: row::text(row, "actor")?,
        at: row::time(row, "at")?,
        summary: row::text(row, "summary")?,
    })
}
