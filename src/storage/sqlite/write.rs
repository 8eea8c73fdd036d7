//! The one way data and releases change: a transaction on one store, a savepoint for each write.
//!
//! It checks revisions, not meaning: what a write may contain was decided by the caller.

mod release;
mod rows;
mod tuples;

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::answers;
use super::lock::DirectoryLock;
use super::outbox;
use super::row;
use super::stores;
use super::transaction::OpenTransaction;
use crate::ids::{ReleaseId, Revision};
use crate::scope::StoreScope;
use crate::storage::records::{StoreRecord, WriteRecord};
use crate::storage::repository::{StoreWrite, WriteRepository};
use crate::storage::{StorageError, WriteError};

#[async_trait]
impl WriteRepository for Sqlite {
    async fn begin(&self, scope: &StoreScope) -> Result<Option<Box<dyn StoreWrite>>, StorageError> {
        let mut transaction = OpenTransaction::write(&self.writer).await?;
        let Some(head) = stores::head(transaction.connection(), scope).await? else {
            transaction.rollback().await;
            return Ok(None);
        };
        Ok(Some(Box::new(SqliteWrite {
            transaction,
            scope: scope.clone(),
            head,
            open: false,
            lost: false,
            _lock: self.lock.clone(),
        })))
    }
}

struct SqliteWrite {
    transaction: OpenTransaction,
    scope: StoreScope,
    head: StoreRecord,
    /// A savepoint is open.
    open: bool,
    /// The savepoints no longer say what the database did: nothing may be committed.
    lost: bool,
    /// Keeps the directory locked for as long as something can still be written.
    _lock: Arc<DirectoryLock>,
}

#[async_trait]
impl StoreWrite for SqliteWrite {
    fn head(&self) -> &StoreRecord {
        &self.head
    }

    async fn write(&mut self, write: &WriteRecord) -> Result<Revision, WriteError> {
        if self.lost {
            return Err(lost().into());
        }
        let actual = self.head.revision;
        if write.expected_revision != actual {
            return Err(WriteError::Stale { expected: write.expected_revision, actual });
        }
        // Lost until the savepoint has ended one way or the other: a future cancelled in between
        // leaves half a write in the transaction.
        self.lost = true;
        // The savepoint of the write before is kept until here, and the last one until the commit, which ends it.
        let begin = if self.open { "RELEASE one_write; SAVEPOINT one_write" } else { "SAVEPOINT one_write" };
        self.transaction.run(begin).await?;
        self.open = true;
        let mut next = self.head.clone();
        let outcome = apply(self.transaction.connection(), &self.scope, &mut next, write).await;
        match outcome {
            Ok(()) => {
                self.head = next;
                self.lost = false;
                Ok(self.head.revision)
            }
            Err(error) => {
                if leaves_the_transaction(&error) {
                    self.transaction.run("ROLLBACK TO one_write").await?;
                    self.lost = false;
                }
                Err(error)
            }
        }
    }

    async fn commit(self: Box<Self>) -> Result<(), StorageError> {
        if self.lost {
            return Err(lost());
        }
        self.transaction.commit().await
    }

    async fn rollback(self: Box<Self>) {
        self.transaction.rollback().await;
    }
}

fn lost() -> StorageError {
    StorageError::Unavailable("an earlier write lost the transaction".into())
}

/// SQLite undoes the statement alone when a row is refused; after anything worse it may have undone
/// the whole transaction.
fn leaves_the_transaction(error: &WriteError) -> bool {
    match error {
        WriteError::Stale { .. }
        | WriteError::UnknownRelease { .. }
        | WriteError::Storage(StorageError::Refused { .. }) => true,
        WriteError::Storage(
            StorageError::Unavailable(_)
            | StorageError::Corrupt { .. }
            | StorageError::Locked { .. }
            | StorageError::Directory { .. }
            | StorageError::MigrationNewer { .. }
            | StorageError::MigrationChanged { .. }
            | StorageError::MigrationFailed(_),
        ) => false,
    }
}

/// Does the statements of one write; `store` becomes the store's row after it.
async fn apply(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    store: &mut StoreRecord,
    write: &WriteRecord,
) -> Result<(), WriteError> {
    store.revision = store.revision.next();
    store.updated_at = write.at;
    let revision = row::signed(store.revision.0)?;

    rows::delete_entities(connection, scope, revision, &write.entities_delete).await?;
    rows::delete_links(connection, scope, revision, &write.links_delete).await?;
    rows::put_entities(connection, scope, revision, &write.entities_put).await?;
    rows::put_links(connection, scope, revision, &write.links_put).await?;
    tuples::write(connection, scope, revision, write).await?;
    if let Some(new) = &write.new_release {
        let previous = store.active_release.filter(|_| write.activate == Some(new.id));
        release::insert(connection, scope, write, new, previous).await?;
        store.latest_release = Some(new.id);
    }
    if let Some(id) = write.activate {
        let new = write.new_release.as_ref().is_some_and(|new| new.id == id);
        if !new && !release::exists(connection, scope, id).await? {
            return Err(WriteError::UnknownRelease { id });
        }
        if !new {
            release::follow(connection, scope, store.active_release, id).await?;
        }
        store.active_release = Some(id);
    }
    let settings_before = write.settings.as_ref().map(|new| std::mem::replace(&mut store.settings, new.clone()));
    if let Some(answer) = &write.answer {
        answers::put(connection, answer).await?;
    }
    outbox::put(connection, write.event.as_slice()).await?;
    finish(connection, scope, store, write, settings_before, revision).await
}

/// Adds the revision and moves the store's row to it, in one message to the database.
async fn finish(
    connection: &mut SqliteConnection,
    scope: &StoreScope,
    store: &StoreRecord,
    write: &WriteRecord,
    settings_before: Option<String>,
    revision: i64,
) -> Result<(), WriteError> {
    let active_release = store.active_release.as_ref().map(ReleaseId::as_str);
    let written = sqlx::query(
        "INSERT INTO revisions (tenant, store, revision, epoch, release, actor, at, summary, settings_before) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?); \
         UPDATE stores SET revision = ?, active_release = ?, latest_release = ?, settings = ?, \
         updated_at = ? WHERE tenant = ? AND id = ? AND revision = ? AND deleted_at IS NULL",
    )
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .bind(revision)
    .bind(&store.epoch)
    .bind(active_release)
    .bind(&write.actor)
    .bind(write.at.as_millis())
    .bind(&write.summary)
    .bind(settings_before)
    .bind(revision)
    .bind(active_release)
    .bind(store.latest_release.as_ref().map(ReleaseId::as_str))
    .bind(&store.settings)
    .bind(store.updated_at.as_millis())
    .bind(scope.tenant().as_str())
    .bind(scope.store().as_str())
    .bind(revision - 1)
    .execute(connection)
    .await?;
    if written.rows_affected() == 2 {
        Ok(())
    } else {
        let what = "the store's row changed under its write lock".to_owned();
        Err(StorageError::Corrupt { what }.into())
    }
}

/// The text of every statement over many rows, for a look at its plan.
#[cfg(test)]
pub(super) fn statements() -> Vec<String> {
    let bulk = release::BULK.iter().chain(rows::BULK).map(|bulk| bulk.sql(3));
    bulk.chain(tuples::statements()).collect()
}
