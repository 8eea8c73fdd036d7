//! Deleting for good what was deleted a while ago.
//!
//! Until then a store or a tenant can be restored. Rows go in small transactions, so that the writes of others do not
//! wait long.

use std::time::Duration;

use serde_json::Value;

use crate::ids::Timestamp;
use crate::pap::author::Author;
use crate::pap::once::ANSWERS_KEPT_MILLIS;
use crate::pap::writer::Writers;
use crate::storage::StorageError;
use crate::storage::records::{EventRecord, Purged};

/// Rows that one transaction deletes.
const STEP: u32 = 1_000;

/// How long what was deleted is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept(pub Duration);

impl Kept {
    /// What was deleted at this time or before cannot be restored.
    #[must_use]
    pub fn since(self, now: Timestamp) -> Timestamp {
        now.before(self.0)
    }
}

/// Deletes for good, again and again.
pub struct Purge {
    writers: Writers,
    kept: Kept,
    /// For how long earlier revisions can be asked.
    history: Duration,
    /// The pause between two looks.
    pause: Duration,
}

impl Purge {
    #[must_use]
    pub fn new(writers: Writers, kept: Kept, history: Duration, pause: Duration) -> Self {
        Self { writers, kept, history, pause }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(self.pause).await;
            match self.all().await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "deleted stores and tenants were deleted for good"),
                // The next look goes on.
                Err(error) => tracing::warn!(%error, "deleted stores and tenants could not be deleted for good"),
            }
        }
    }

    async fn all(&self) -> Result<u64, StorageError> {
        let mut rows = 0;
        let answers = Timestamp::from_millis(self.writers.clock.now().as_millis().saturating_sub(ANSWERS_KEPT_MILLIS));
        while self.writers.storage.answers.forget(answers, STEP).await? > 0 {}
        for store in self.writers.replica.all() {
            let by = self.writers.clock.now().before(self.history);
            while self.writers.storage.purge.forget_history(store.scope(), by, STEP).await? > 0 {}
        }
        loop {
            let by = self.kept.since(self.writers.clock.now());
            let deleted = self.writers.storage.purge.purge(by, STEP, &told).await?;
            if deleted == 0 {
                return Ok(rows);
            }
            rows += deleted;
        }
    }
}

/// What the log is told of what is gone. A tenant's own log goes with it, so the platform's has it.
fn told(purged: Purged) -> EventRecord {
    let author = Author::process("purge");
    match purged {
        Purged::Store(tenant, store) => author.of_store("store.purge", &tenant, &store, Value::Null),
        Purged::Tenant(tenant) => author.of_purged_tenant(tenant),
    }
}
