//! The copy of every open store in memory, from which every decision is made.
//!
//! It is filled from storage at the start and moved on by the writer after each commit. Readers take a snapshot and
//! never wait. Nothing here decides or changes anything by itself.

mod load;

use std::ops::Bound;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use authx_engine::relation::RelationModel;
use authx_engine::{Release, Snapshot};
use tokio::sync::watch;

use crate::ids::{Revision, StoreId, TenantId, Timestamp};
use crate::scope::StoreScope;
use crate::storage::records::StoreRecord;
use crate::tokens::Tokens;

pub use load::{LoadError, Past, entity_row, link_input, load_at, load_model, load_release, load_store};

/// A snapshot as it was published, with its consistency token.
#[derive(Debug, Clone)]
pub struct Current {
    pub snapshot: Snapshot,
    pub epoch: String,
    pub token: String,
    /// The time at which questions to an earlier revision are asked: that of its commit.
    pub as_of: Option<Timestamp>,
}

impl Current {
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision(self.snapshot.revision())
    }

    /// The active release's id.
    #[must_use]
    pub fn release_id(&self) -> Option<&str> {
        self.snapshot.release().map(|release| release.id())
    }
}

/// One open store.
#[derive(Debug)]
pub struct OpenStore {
    scope: StoreScope,
    record: ArcSwap<StoreRecord>,
    current: ArcSwap<Current>,
    /// The revision of `current`, for those who wait for one.
    revision: watch::Sender<Revision>,
    /// The release that was made last, active or not: storage keeps the next one as its difference.
    newest: ArcSwapOption<Release>,
    /// Releases that were asked for by name, most recent first.
    named: parking_lot::Mutex<Vec<Arc<Release>>>,
    /// Relation models other than the active one that were asked for lately.
    models: parking_lot::Mutex<Vec<Arc<RelationModel>>>,
}

/// How many releases that are not active a store keeps compiled.
const NAMED_RELEASES: usize = 4;
/// The same for relation models.
const NAMED_MODELS: usize = 16;

impl OpenStore {
    #[must_use]
    pub fn new(
        scope: StoreScope,
        record: StoreRecord,
        snapshot: Snapshot,
        newest: Option<Arc<Release>>,
        tokens: &Tokens,
    ) -> Self {
        let current = published(&scope, &record.epoch, snapshot, tokens);
        Self {
            scope,
            record: ArcSwap::from_pointee(record),
            revision: watch::Sender::new(current.revision()),
            current: ArcSwap::from_pointee(current),
            newest: ArcSwapOption::new(newest),
            named: parking_lot::Mutex::new(Vec::new()),
            models: parking_lot::Mutex::new(Vec::new()),
        }
    }

    #[must_use]
    pub fn scope(&self) -> &StoreScope {
        &self.scope
    }

    /// The store's row; its revision and releases may be behind [`Self::current`].
    #[must_use]
    pub fn record(&self) -> Arc<StoreRecord> {
        self.record.load_full()
    }

    /// What a request is answered from: take it once and hold it.
    #[must_use]
    pub fn current(&self) -> Arc<Current> {
        self.current.load_full()
    }

    /// As [`Self::current`] for a use that ends before the next await.
    #[must_use]
    pub fn peek(&self) -> arc_swap::Guard<Arc<Current>> {
        self.current.load()
    }

    /// Waits until what is published has this revision, or the store is closed.
    pub async fn reached(&self, revision: Revision) -> Arc<Current> {
        // The sender is the store's own, so the wait cannot fail.
        let _ = self.revision.subscribe().wait_for(|now| *now >= revision).await;
        self.current()
    }

    /// Ends every wait: the store is there no more.
    fn close(&self) {
        self.revision.send_replace(Revision(u64::MAX));
    }

    #[must_use]
    pub fn newest_release(&self) -> Option<Arc<Release>> {
        self.newest.load_full()
    }

    /// A compiled release that is kept, active or not.
    #[must_use]
    pub fn kept_release(&self, id: &str) -> Option<Arc<Release>> {
        let active = self.current().snapshot.release().filter(|release| release.id() == id).cloned();
        let newest = || self.newest_release().filter(|release| release.id() == id);
        active.or_else(newest).or_else(|| self.named.lock().iter().find(|release| release.id() == id).cloned())
    }

    pub fn keep_release(&self, release: Arc<Release>) {
        let mut named = self.named.lock();
        named.retain(|kept| kept.id() != release.id());
        named.insert(0, release);
        named.truncate(NAMED_RELEASES);
    }

    /// A compiled relation model that is kept, active or not.
    #[must_use]
    pub fn kept_model(&self, id: &str) -> Option<Arc<RelationModel>> {
        let current = self.current();
        let active = current.snapshot.release().and_then(|release| release.model()).filter(|model| model.id() == id);
        active.cloned().or_else(|| self.models.lock().iter().find(|model| model.id() == id).cloned())
    }

    pub fn keep_model(&self, model: Arc<RelationModel>) {
        let mut models = self.models.lock();
        models.retain(|kept| kept.id() != model.id());
        models.insert(0, model);
        models.truncate(NAMED_MODELS);
    }

    /// Shows a committed state to readers.
    pub fn publish(&self, snapshot: Snapshot, newest: Option<Arc<Release>>, tokens: &Tokens) {
        let epoch = self.current.load().epoch.clone();
        let current = published(&self.scope, &epoch, snapshot, tokens);
        let revision = current.revision();
        self.current.store(Arc::new(current));
        self.newest.store(newest);
        self.revision.send_replace(revision);
    }

    pub fn set_record(&self, record: StoreRecord) {
        self.record.store(Arc::new(record));
    }
}

fn published(scope: &StoreScope, epoch: &str, snapshot: Snapshot, tokens: &Tokens) -> Current {
    let token = tokens.consistency(scope, epoch, Revision(snapshot.revision()));
    Current { snapshot, epoch: epoch.to_owned(), token, as_of: None }
}

/// The stores of one tenant, by id and by alias.
#[derive(Debug, Clone, Default)]
struct TenantStores {
    by_id: imbl::OrdMap<StoreId, Arc<OpenStore>>,
    by_alias: imbl::HashMap<String, Arc<OpenStore>>,
}

/// Every open store.
#[derive(Debug)]
pub struct Replica {
    tenants: ArcSwap<imbl::HashMap<TenantId, TenantStores>>,
    tokens: Tokens,
}

impl Replica {
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self { tenants: ArcSwap::default(), tokens }
    }

    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Finds a store of a tenant by id or alias.
    #[must_use]
    pub fn find(&self, tenant: &TenantId, name: &str) -> Option<Arc<OpenStore>> {
        let tenants = self.tenants.load();
        let stores = tenants.get(tenant)?;
        let by_id = StoreId::parse(name).ok().and_then(|id| stores.by_id.get(&id));
        by_id.or_else(|| stores.by_alias.get(name)).cloned()
    }

    /// A tenant's stores behind `after`, by id; `reaches` says which of them the caller may see.
    #[must_use]
    pub fn list(
        &self,
        tenant: &TenantId,
        after: Option<&StoreId>,
        limit: usize,
        reaches: &dyn Fn(&StoreId) -> bool,
    ) -> Vec<Arc<OpenStore>> {
        let start = after.map_or(Bound::Unbounded, |id| Bound::Excluded(*id));
        let tenants = self.tenants.load();
        let stores = tenants.get(tenant).into_iter().flat_map(|stores| stores.by_id.range((start, Bound::Unbounded)));
        stores.filter(|(id, _)| reaches(id)).map(|(_, store)| Arc::clone(store)).take(limit).collect()
    }

    /// Every open store of every tenant.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<OpenStore>> {
        self.tenants.load().values().flat_map(|stores| stores.by_id.values().cloned()).collect()
    }

    /// How many stores are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tenants.load().values().map(|stores| stores.by_id.len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a store, or files it under its new alias.
    pub fn open(&self, store: &Arc<OpenStore>) {
        let (tenant, id) = (*store.scope.tenant(), *store.scope.store());
        let alias = store.record().alias.as_ref().map(ToString::to_string);
        self.tenants.rcu(|tenants| {
            let mut tenants = imbl::HashMap::clone(tenants);
            let stores = tenants.entry(tenant).or_default();
            stores.by_alias.retain(|_, other| other.scope.store() != &id);
            stores.by_id.insert(id, Arc::clone(store));
            if let Some(alias) = &alias {
                stores.by_alias.insert(alias.clone(), Arc::clone(store));
            }
            tenants
        });
    }

    /// Forgets a deleted store.
    pub fn close(&self, scope: &StoreScope) {
        let closed = self.find(scope.tenant(), scope.store().as_str());
        self.tenants.rcu(|tenants| {
            let mut tenants = imbl::HashMap::clone(tenants);
            if let Some(stores) = tenants.get_mut(scope.tenant()) {
                stores.by_id.remove(scope.store());
                stores.by_alias.retain(|_, other| other.scope != *scope);
            }
            tenants
        });
        if let Some(store) = closed {
            store.close();
        }
    }
}
