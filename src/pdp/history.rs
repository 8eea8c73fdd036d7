//! Stores as they were: whether a revision may be asked, and a snapshot of it, made from what storage keeps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::ids::{Revision, StoreId};
use crate::pdp::{CheckError, Pdp};
use crate::replica::{Current, LoadError, OpenStore, Past, load_at};
use crate::storage::records::StateRecord;

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

/// The revision that an answer is made from, and what is told of it.
#[derive(Debug, Clone)]
pub struct Head {
    pub revision: Revision,
    /// The release that was active.
    pub release: Option<String>,
    pub token: String,
}

impl From<&Current> for Head {
    fn from(current: &Current) -> Self {
        let release = current.release_id().map(str::to_owned);
        Self { revision: current.revision(), release, token: current.token.clone() }
    }
}

impl Pdp {
    /// The store as it was at a revision.
    pub(super) async fn at_revision(&self, store: &OpenStore, revision: Revision) -> Result<Arc<Current>, CheckError> {
        let current = store.current();
        if revision == current.revision() {
            return Ok(current);
        }
        let state = self.state_at(store, &current, revision).await?;
        let (scope, history) = (store.scope(), &self.history);
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
        self.not_forgotten(store, revision).await?;
        history.keep(*store.scope().store(), Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What is told of a revision that may be asked, or without one of the current one. Who reads rows as of a revision calls
    /// this behind the reading: then none of them was missing.
    ///
    /// # Errors
    /// When there is no such revision or it is too old.
    pub async fn head(&self, store: &OpenStore, at: Option<Revision>) -> Result<Head, CheckError> {
        let current = store.current();
        let Some(revision) = at.filter(|revision| *revision != current.revision()) else {
            return Ok(Head::from(&*current));
        };
        let state = self.state_at(store, &current, revision).await?;
        let token = self.replica.tokens().consistency(store.scope(), &current.epoch, revision);
        Ok(Head { revision, release: state.release.map(|id| id.to_string()), token })
    }

    /// Fails when rows that a revision needs may have been deleted: for whoever has read them for a while.
    ///
    /// # Errors
    /// That, or that storage fails.
    pub async fn not_forgotten(&self, store: &OpenStore, revision: Revision) -> Result<(), CheckError> {
        let state = self.storage.data.state_at(store.scope(), revision).await.map_err(LoadError::from)?;
        if state.is_some_and(|state| state.forgotten) {
            return Err(CheckError::RevisionExpired { wanted: revision.0 });
        }
        Ok(())
    }

    /// A revision before the current one, while it may be asked.
    async fn state_at(
        &self,
        store: &OpenStore,
        current: &Current,
        revision: Revision,
    ) -> Result<StateRecord, CheckError> {
        let unknown = || CheckError::UnknownRevision { wanted: revision.0, head: current.revision().0 };
        if revision > current.revision() {
            return Err(unknown());
        }
        let state = self.storage.data.state_at(store.scope(), revision).await.map_err(LoadError::from)?;
        let state = state.ok_or_else(unknown)?;
        let since = self.clock.now().before(self.history.limits.kept);
        if state.forgotten || state.ended_at.is_some_and(|ended| ended <= since) {
            return Err(CheckError::RevisionExpired { wanted: revision.0 });
        }
        Ok(state)
    }
}
