//! The SQLite backend: one file in one directory for one process.
//!
//! One connection writes and a few read; WAL keeps them out of each other's way, and a commit returns
//! when its bytes are on disk. It must not be shared with another process, so the directory is locked.

mod answers;
mod bulk;
mod changes;
mod data;
mod forget;
mod keys;
mod load;
mod lock;
mod models;
mod outbox;
mod purge;
mod releases;
mod row;
mod stores;
mod tenants;
mod transaction;
mod tuples;
mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr};

use self::lock::DirectoryLock;
use super::repository::Backend;
use super::{Storage, StorageError};

const FILE: &str = "authx.db";
const READERS: u32 = 4;
/// Pages that the writer keeps in memory, in KiB below zero: a write of many rows touches many pages of an index.
const WRITER_CACHE: &str = "-65536";
/// Pages of the WAL before they go into the database: a page that is written again and again goes there once.
const CHECKPOINT: &str = "8000";
/// How long a caller waits for a connection before it is told that storage is unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Forward only, in order; a text never changes once it was released.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/sqlite/0001_initial.sql")),
    (2, "relations", include_str!("../../migrations/sqlite/0002_relations.sql")),
    (3, "administration", include_str!("../../migrations/sqlite/0003_administration.sql")),
    (4, "answers", include_str!("../../migrations/sqlite/0004_answers.sql")),
    (5, "history", include_str!("../../migrations/sqlite/0005_history.sql")),
    (6, "outbox", include_str!("../../migrations/sqlite/0006_outbox.sql")),
    (7, "log settings", include_str!("../../migrations/sqlite/0007_log_settings.sql")),
    (8, "answers of tenants", include_str!("../../migrations/sqlite/0008_answers_of_tenants.sql")),
    (9, "reads of the past", include_str!("../../migrations/sqlite/0009_reads_of_the_past.sql")),
    (10, "files and rollback", include_str!("../../migrations/sqlite/0010_files_and_rollback.sql")),
];

/// The open database. It owns the lock of its directory.
struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    lock: Arc<DirectoryLock>,
}

/// Opens the database of a data directory and brings it to this version's tables.
///
/// # Errors
/// [`StorageError::Locked`] when another process has it, [`StorageError::MigrationNewer`] when a newer
/// version wrote it, and the other variants as they say.
pub async fn open(data_dir: &Path) -> Result<Storage, StorageError> {
    let (storage, _) = open_with(data_dir, |options| options).await?;
    Ok(storage)
}

/// Holds a data directory until it is dropped, so that no process works in it, and does not open its database.
///
/// # Errors
/// [`StorageError::Locked`] when another process has it.
pub fn hold(data_dir: &Path) -> Result<impl Sized, StorageError> {
    DirectoryLock::take(data_dir)
}

/// Opens with the writer's options changed; tests make its disk small.
async fn open_with(
    data_dir: &Path,
    change: impl FnOnce(SqliteConnectOptions) -> SqliteConnectOptions,
) -> Result<(Storage, SqlitePool), StorageError> {
    let lock = Arc::new(DirectoryLock::take(data_dir)?);
    let file = lock::private_file(data_dir, FILE)?;
    let options = options(file);
    let of_writer = options.clone().pragma("cache_size", WRITER_CACHE).pragma("wal_autocheckpoint", CHECKPOINT);
    let writer = pool(1).connect_with(change(of_writer)).await?;
    migrate(&writer, MIGRATIONS).await?;
    let readers = pool(READERS).connect_with(options.pragma("query_only", "on")).await?;
    let database = Sqlite { writer: writer.clone(), readers, lock };
    Ok((Storage::of(&Arc::new(database)), writer))
}

fn options(file: PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    // The connections are threads of this process: they neither age nor break while idle.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
}

async fn migrate(writer: &SqlitePool, migrations: &[(i64, &'static str, &'static str)]) -> Result<(), StorageError> {
    let known = migrations.iter().map(|(version, _, _)| *version).max();
    let steps = migrations.iter().map(|(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let result = Migrator::with_migrations(steps.collect()).run(writer).await;
    result.map_err(|error| {
        if let MigrateError::VersionMissing(found) = error {
            let known = known.unwrap_or_default();
            return StorageError::MigrationNewer { found, known };
        }
        if let MigrateError::VersionMismatch(version) = error {
            return StorageError::MigrationChanged { version };
        }
        StorageError::MigrationFailed(Box::new(error))
    })
}

#[async_trait]
impl Backend for Sqlite {
    async fn ping(&self) -> Result<(), StorageError> {
        let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&self.readers).await?;
        if one == 1 { Ok(()) } else { Err(StorageError::Corrupt { what: "the ping came back wrong".to_owned() }) }
    }

    async fn try_write(&self) -> Result<(), StorageError> {
        // A number that SQLite keeps for its users and nobody here reads; it is a commit like any other.
        sqlx::query("PRAGMA user_version = 0").execute(&self.writer).await?;
        Ok(())
    }

    async fn close(&self) {
        // The writer last: the last connection to close folds the WAL into the database.
        self.readers.close().await;
        self.writer.close().await;
    }
}
