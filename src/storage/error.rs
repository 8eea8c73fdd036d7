//! What can go wrong in storage, split by what the caller does about it.
//!
//! No variant carries a row's content, and none names a database's own types.

use std::path::PathBuf;

use crate::ids::{ReleaseId, Revision, StoreAlias};

/// The database's own account of a failure, for the log.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why storage could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Disk full, I/O error, timeout, closed: the same call may succeed later.
    #[error("the storage is unavailable")]
    Unavailable(#[source] Cause),
    /// A row or a page does not read as what was written: a person must look.
    #[error("the storage is corrupt: {what}")]
    Corrupt { what: String },
    /// The row contradicts another one, as a second row with the same id does: a mistake of the caller.
    #[error("the storage refuses the row: {what}")]
    Refused { what: String },
    /// Another process works on the same directory.
    #[error("the data directory `{}` is in use by another process", directory.display())]
    Locked { directory: PathBuf },
    /// The directory or a file in it cannot be made, opened or locked.
    #[error("the data directory `{}` cannot be used", directory.display())]
    Directory {
        directory: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Written by a newer version, whose tables this one would misread.
    #[error(
        "the database is at migration {found} and this version knows {known}: run the version that wrote it, or a newer one"
    )]
    MigrationNewer { found: i64, known: i64 },
    /// An applied migration has another text than this version ships.
    #[error("migration {version} differs from the one that was applied to the database")]
    MigrationChanged { version: i64 },
    #[error("a migration of the database failed")]
    MigrationFailed(#[source] Cause),
}

/// Why a store was not inserted or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the alias `{alias}` belongs to another store of the tenant")]
    AliasTaken { alias: StoreAlias },
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It was revoked or has expired.
    #[error("the key was revoked or has expired")]
    Ended,
    /// Nobody could administer the installation any more.
    #[error("it is the last platform key that can be used")]
    LastPlatformKey,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why one write of a transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Somebody wrote since the caller validated. This write alone failed.
    #[error("expected revision {expected}, the store is at {actual}")]
    Stale { expected: Revision, actual: Revision },
    /// The release to activate is none of this store. This write alone failed.
    #[error("the store has no release `{id}`")]
    UnknownRelease { id: ReleaseId },
    /// After [`StorageError::Refused`] this write alone failed; after any other, the transaction.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOTADB: i32 = 26;

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        if let Some(database) = error.as_database_error() {
            // The low byte of SQLite's code is its class, the rest says where in SQLite it arose.
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            let what = || database.message().to_owned();
            match code.map(|code| code & 0xff) {
                Some(SQLITE_CONSTRAINT) => return Self::Refused { what: what() },
                Some(SQLITE_CORRUPT | SQLITE_NOTADB) => return Self::Corrupt { what: what() },
                Some(_) | None => {}
            }
        }
        let unreadable = matches!(
            error,
            E::ColumnDecode { .. }
                | E::Decode(_)
                | E::ColumnNotFound(_)
                | E::ColumnIndexOutOfBounds { .. }
                | E::TypeNotFound { .. }
        );
        if unreadable {
            return Self::Corrupt { what: error.to_string() };
        }
        Self::Unavailable(Box::new(error))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}
