//! A transaction that cannot leak: unless it ended well, its connection is closed.
//!
//! A full disk or an I/O error may end SQLite's transaction behind the back of whoever counts savepoints,
//! and a cancelled future leaves a statement half done. Closing the connection is right in every case.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnection, SqlitePool};

use super::{answers, outbox};
use crate::storage::StorageError;
use crate::storage::records::Beside;

pub(super) struct OpenTransaction {
    connection: PoolConnection<Sqlite>,
    ended: bool,
}

impl OpenTransaction {
    /// Reads, all of them at the state that the first one sees.
    pub(super) async fn read(readers: &SqlitePool) -> Result<Self, StorageError> {
        Self::begin(readers, "BEGIN").await
    }

    /// Takes the write lock of the database.
    pub(super) async fn write(writer: &SqlitePool) -> Result<Self, StorageError> {
        Self::begin(writer, "BEGIN IMMEDIATE").await
    }

    async fn begin(pool: &SqlitePool, sql: &'static str) -> Result<Self, StorageError> {
        let connection = pool.acquire().await?;
        // Guarded before the statement is sent: a caller may be cancelled while it runs.
        let mut transaction = Self { connection, ended: false };
        transaction.run(sql).await?;
        Ok(transaction)
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Runs a statement without parameters.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), StorageError> {
        sqlx::query(sql).execute(&mut *self.connection).await?;
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), StorageError> {
        self.run("COMMIT").await?;
        self.ended = true;
        Ok(())
    }

    /// Ends it: with what is stored beside the change when something changed, else as if it had not been.
    pub(super) async fn end(mut self, changed: bool, beside: Beside<'_>) -> Result<(), StorageError> {
        if !changed {
            self.rollback().await;
            return Ok(());
        }
        outbox::put(self.connection(), beside.events).await?;
        if let Some(answer) = beside.answer {
            answers::put(self.connection(), answer).await?;
        }
        self.commit().await
    }

    pub(super) async fn rollback(mut self) {
        self.ended = self.run("ROLLBACK").await.is_ok();
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}
