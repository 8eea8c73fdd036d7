//! Durable truth: what AuthX must still know after the power failed.
//!
//! Callers see plain [`records`] and the traits of [`repository`]; which database is behind them is
//! known to the composition root alone. Nothing here decides, validates policies, reads a clock or
//! draws randomness: it keeps what it is given, for the tenant it is given, at the next revision.

pub mod error;
pub mod records;
pub mod repository;
pub mod sqlite;

#[cfg(test)]
pub(crate) mod conformance;

use std::sync::Arc;

pub use error::{KeyError, StorageError, StoreError, WriteError};
use repository::{
    AnswerRepository, Backend, DataRepository, KeyRepository, ModelRepository, OutboxRepository, PurgeRepository,
    ReleaseRepository, StoreRepository, TenantRepository, WriteRepository,
};

/// One open database, by concern. Clones share it.
#[derive(Clone)]
pub struct Storage {
    pub tenants: Arc<dyn TenantRepository>,
    pub keys: Arc<dyn KeyRepository>,
    pub stores: Arc<dyn StoreRepository>,
    pub releases: Arc<dyn ReleaseRepository>,
    pub models: Arc<dyn ModelRepository>,
    pub data: Arc<dyn DataRepository>,
    pub writes: Arc<dyn WriteRepository>,
    pub purge: Arc<dyn PurgeRepository>,
    pub outbox: Arc<dyn OutboxRepository>,
    pub answers: Arc<dyn AnswerRepository>,
    backend: Arc<dyn Backend>,
}

impl Storage {
    /// Groups the repositories that one database implements.
    fn of<B>(database: &Arc<B>) -> Self
    where
        B: TenantRepository
            + KeyRepository
            + StoreRepository
            + ReleaseRepository
            + ModelRepository
            + DataRepository
            + WriteRepository
            + PurgeRepository
            + OutboxRepository
            + AnswerRepository
            + Backend
            + 'static,
    {
        Self {
            tenants: database.clone(),
            keys: database.clone(),
            stores: database.clone(),
            releases: database.clone(),
            models: database.clone(),
            data: database.clone(),
            writes: database.clone(),
            purge: database.clone(),
            outbox: database.clone(),
            answers: database.clone(),
            backend: database.clone(),
        }
    }

    /// Asks the database for a sign of life, for readiness.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when it does not answer.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.backend.ping().await
    }

    /// Has the database write something that means nothing.
    ///
    /// # Errors
    /// When it is not on the disk, or not soon.
    pub async fn try_write(&self) -> Result<(), StorageError> {
        self.backend.try_write().await
    }

    /// Waits for what runs, closes every connection and lets go of the data directory.
    ///
    /// Other clones get [`StorageError::Unavailable`] from then on. Dropping the last clone closes
    /// as well, but does not wait.
    pub async fn close(self) {
        self.backend.close().await;
    }
}
