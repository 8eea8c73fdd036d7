//! Deleting tuples whose time is over.
//!
//! An expired tuple does not count from that moment on, whoever asks. What is left is its row and its memory: they are
//! given back a while later, in small writes that go the way of every write, so that who follows the changes sees them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::ids::Timestamp;
use crate::pap::PapError;
use crate::pap::data::blank;
use crate::pap::tuples::TupleChanges;
use crate::pap::writer::{Planned, Tentative, Write, Writers};
use crate::replica::OpenStore;

/// Tuples that one write deletes, so that the writes of others do not wait long.
const STEP: usize = 1_000;
/// Who deletes, in the list of revisions.
const ACTOR: &str = "authx";

/// Deletes what has expired, of every open store, again and again.
pub struct Expiry {
    writers: Writers,
    /// How long an expired tuple stays.
    kept: Duration,
    /// The pause between two looks.
    pause: Duration,
}

impl Expiry {
    #[must_use]
    pub fn new(writers: Writers, kept: Duration, pause: Duration) -> Self {
        Self { writers, kept, pause }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        loop {
            tokio::time::sleep(self.pause).await;
            for store in self.writers.replica.all() {
                match self.collect(&store).await {
                    Ok(0) => {}
                    Ok(deleted) => {
                        tracing::info!(store = %store.scope().store(), deleted, "expired tuples were deleted");
                    }
                    // The next look finds them again.
                    Err(error) => {
                        tracing::warn!(store = %store.scope().store(), %error, "expired tuples could not be deleted");
                    }
                }
            }
        }
    }

    async fn collect(&self, store: &Arc<OpenStore>) -> Result<usize, PapError> {
        let kept = i64::try_from(self.kept.as_millis()).unwrap_or(i64::MAX);
        let mut deleted = 0;
        loop {
            let by = Timestamp::from_millis(self.writers.clock.now().as_millis().saturating_sub(kept));
            if store.peek().snapshot.tuples().expired(by.as_millis()).next().is_none() {
                return Ok(deleted);
            }
            deleted += self.writers.write(store, ACTOR, Collect { by }).await?.tuples_deleted;
        }
    }
}

/// Deletes the first tuples that have expired by a time.
struct Collect {
    by: Timestamp,
}

impl Write for Collect {
    fn plan(&self, before: &Tentative, now: Timestamp) -> Result<Planned, PapError> {
        let delete = before.snapshot.tuples().expired(self.by.as_millis()).take(STEP).collect();
        let changes = TupleChanges { delete, ..TupleChanges::default() };
        let tuples = changes.plan(&before.snapshot, now)?;
        let mut record = blank("expire");
        record.summary = json!({"op": "expire", "tuples_deleted": tuples.delete.len()}).to_string();
        record.tuples_delete = tuples.delete;
        let after = Tentative { snapshot: tuples.snapshot, newest: before.newest.clone() };
        Ok(Planned { record, after, warnings: Vec::new() })
    }
}
