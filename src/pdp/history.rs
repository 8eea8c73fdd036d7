//! Stores as they were: a snapshot of an earlier revision, made from what storage keeps of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::ids::{Revision, StoreId};
use crate::pdp::{CheckError, Pdp};
use crate::replica::{Current, LoadError, OpenStore, Past, load_at};

/// Snapshots of earlier revisions that are kept, of all stores.
const KEPT: usize = 8;
/// Snapshots that are made at once.
const AT_ONCE: usize = 2;

/// How far back questions may go, and how much is read for one.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// A revision is answered for as long as this after the next one took its place.
    pub kept: Duration,
    /// Entities, links and tuples of one snapshot.
    pub rows: usize,
}

/// The snapshots that were asked for lately.
pub(super) struct History {
    limits: HistoryLimits,
    turns: Semaphore,
    kept: Mutex<VecDeque<(StoreId, Arc<Current>)>>,
}

impl History {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self { limits, turns: Semaphore::new(AT_ONCE), kept: Mutex::default() }
    }

    fn find(&self, store: &StoreId, revision: Revision) -> Option<Arc<Current>> {
        let kept = self.kept.lock();
        kept.iter().find(|(of, current)| of == store && current.revision() == revision).map(|(_, c)| Arc::clone(c))
    }

    fn keep(&self, store: StoreId, current: Arc<Current>) {
        let mut kept = self.kept.lock();
        kept.push_front((store, current));
        kept.truncate(KEPT);
    }
}

impl Pdp {
    /// The store as it was at a revision.
    pub(super) async fn at_revision(&self, store: &OpenStore, revision: Revision) -> Result<Arc<Current>, CheckError> {
        let current = store.current();
        if revision == current.revision() {
            return Ok(current);
        }
        let unknown = || CheckError::UnknownRevision { wanted: revision.0, head: current.revision().0 };
        if revision > current.revision() {
            return Err(unknown());
        }
        let (scope, history) = (store.scope(), &self.history);
        let state = self.storage.data.state_at(scope, revision).await.map_err(LoadError::from)?.ok_or_else(unknown)?;
        let since = self.clock.now().before(history.limits.kept);
        if state.ended_at.is_some_and(|ended| ended <= since) {
            return Err(CheckError::RevisionExpired { wanted: revision.0 });
        }
        if let Some(kept) = history.find(scope.store(), revision) {
            return Ok(kept);
        }
        let _turn = history.turns.acquire().await.map_err(|_| LoadError::Interrupted)?;
        // Who waited may find what the one before made.
        if let Some(kept) = history.find(scope.store(), revision) {
            return Ok(kept);
        }
        let (storage, scope, tokens) = (self.storage.clone(), scope.clone(), self.replica.tokens().clone());
        let limit = history.limits.rows;
        let past = Past { revision, state, epoch: current.epoch.clone(), limit };
        let loading = async move { load_at(&storage, &scope, past, &tokens).await };
        let loaded = self.turns.spawn(loading).await.map_err(|_| LoadError::Interrupted)??;
        let loaded = Arc::new(loaded.ok_or(CheckError::HistoryTooLarge { limit })?);
        history.keep(*store.scope().store(), Arc::clone(&loaded));
        Ok(loaded)
    }
}
