//! Making, changing, deleting and restoring stores.

use std::sync::Arc;

use authx_engine::{Data, Settings, Snapshot};
use serde_json::{Value, json};

use crate::ids::{Revision, StoreAlias, StoreId, Timestamp};
use crate::pap::author::Author;
use crate::pap::data::blank;
use crate::pap::error::PapError;
use crate::pap::limits;
use crate::pap::once::Once;
use crate::pap::purge::Kept;
use crate::pap::writer::{Committed, Planned, Tentative, Write, Writers};
use crate::replica::{OpenStore, load_store};
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{AliasChange, Beside, StoreRecord, StoreUpdate};

/// A store to make.
#[derive(Debug, Clone)]
pub struct NewStore {
    pub name: String,
    pub alias: Option<StoreAlias>,
    pub settings: Settings,
}

/// A change of a store; what is absent stays.
#[derive(Debug, Clone)]
pub struct StoreChange {
    pub name: Option<String>,
    pub alias: AliasChange,
    pub settings: Option<Settings>,
}

/// A store as a change leaves it.
#[derive(Debug, Clone)]
pub struct ChangedStore {
    pub store: Arc<OpenStore>,
    pub record: Arc<StoreRecord>,
    /// New settings, and their commit.
    pub committed: Option<(Settings, Committed)>,
}

/// The use cases about stores.
#[derive(Clone)]
pub struct Stores {
    writers: Writers,
    kept: Kept,
}

impl Stores {
    #[must_use]
    pub fn new(writers: Writers, kept: Kept) -> Self {
        Self { writers, kept }
    }

    /// Makes an empty store.
    ///
    /// # Errors
    /// When the alias is taken, the tenant has too many stores, or storage fails.
    pub async fn create(
        &self,
        author: &Author,
        scope: &TenantScope,
        new: NewStore,
        once: &Once<Arc<OpenStore>>,
    ) -> Result<Arc<OpenStore>, PapError> {
        let (this, author, scope, once) = (self.clone(), author.clone(), scope.clone(), once.clone());
        let asked = once.asked().copied();
        self.writers.in_turn(asked, async move { this.make(&author, &scope, new, &once).await }).await
    }

    async fn make(
        &self,
        author: &Author,
        scope: &TenantScope,
        new: NewStore,
        once: &Once<Arc<OpenStore>>,
    ) -> Result<Arc<OpenStore>, PapError> {
        self.room_for_one(scope).await?;
        let clock = self.writers.clock;
        let (id, now) = (clock.store_id(), clock.now());
        let record = StoreRecord {
            id,
            tenant: *scope.tenant(),
            name: new.name,
            alias: new.alias,
            settings: settings_text(new.settings),
            epoch: clock.ulid().to_string(),
            revision: Revision(0),
            active_release: None,
            latest_release: None,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        let details = json!({"name": record.name, "alias": record.alias, "settings": new.settings});
        let event = author.of_store("store.create", scope.tenant(), &id, details);
        let snapshot = Snapshot::new(None, Arc::new(Data::default()), new.settings, 0);
        let tokens = self.writers.replica.tokens();
        let store = Arc::new(OpenStore::new(StoreScope::of(scope, id), record.clone(), snapshot, None, tokens));
        let answer = once.record(&store, now);
        let beside = Beside { events: &[event], answer: answer.as_ref() };
        self.writers.storage.stores.insert(scope, &record, beside).await?;
        self.writers.replica.open(&store);
        Ok(store)
    }

    /// Refuses to go on when the tenant has as many stores as it may.
    async fn room_for_one(&self, scope: &TenantScope) -> Result<(), PapError> {
        let gone = || PapError::NotFound { what: "tenant", name: scope.tenant().to_string() };
        let tenant = self.writers.storage.tenants.get(scope.tenant()).await?.ok_or_else(gone)?;
        let limits = self.writers.limits.effective(limits::read(&tenant.limits)?);
        let Some(most) = limits.stores else { return Ok(()) };
        let count = self.writers.storage.stores.count(scope).await?;
        if count < u64::from(most) {
            return Ok(());
        }
        let message = format!("the tenant has {count} stores; its limit `stores` is {most}");
        Err(PapError::LimitExceeded { message })
    }

    /// Renames a store, moves its alias, or changes how it decides; a change of settings is a commit of its own.
    ///
    /// # Errors
    /// When the alias is taken, the store is gone, or storage fails.
    pub async fn update(
        &self,
        tenant: &TenantScope,
        store: &Arc<OpenStore>,
        author: &Author,
        change: StoreChange,
        once: &Once<ChangedStore>,
    ) -> Result<ChangedStore, PapError> {
        let (this, author, tenant, once) = (self.clone(), author.clone(), tenant.clone(), once.clone());
        let (store, asked) = (Arc::clone(store), once.asked().copied());
        let work = async move { this.change(&author, &tenant, store, change, &once).await };
        self.writers.in_turn(asked, work).await
    }

    /// The answer is stored with the last commit of the two that there may be; the first changes nothing when it is made
    /// again.
    async fn change(
        &self,
        author: &Author,
        tenant: &TenantScope,
        store: Arc<OpenStore>,
        change: StoreChange,
        once: &Once<ChangedStore>,
    ) -> Result<ChangedStore, PapError> {
        let (writers, id) = (&self.writers, *store.scope().store());
        let named = change.name.is_some() || change.alias != AliasChange::Keep;
        let settings = change.settings.filter(|settings| *settings != store.current().snapshot.settings());
        let mut changed = ChangedStore { record: store.record(), committed: None, store: Arc::clone(&store) };
        if let Some(settings) = settings {
            let write = SettingsWrite { settings, author: author.clone(), scope: store.scope().clone() };
            let before = changed.clone();
            let with = move |made: &Committed| {
                let committed = Some((settings, made.clone()));
                ChangedStore { committed, ..before.clone() }
            };
            let part = if named { Once::never() } else { once.of(with.clone()) };
            changed = with(&writers.write_once(&store, author.principal(), write, part).await?);
        }
        if !named {
            if changed.committed.is_none() {
                writers.put_answer(once, &changed).await?;
            }
            return Ok(changed);
        }
        let now = writers.clock.now();
        let update = StoreUpdate { name: change.name, alias: change.alias, updated_at: now };
        let event = author.of_store("store.update", tenant.tenant(), &id, told(&update));
        let record = StoreRecord::clone(&store.record());
        let name = update.name.clone().unwrap_or(record.name);
        let alias = update.alias.clone().over(record.alias);
        changed.record = Arc::new(StoreRecord { name, alias, updated_at: now, ..record });
        let answer = once.record(&changed, now);
        let beside = Beside { events: &[event], answer: answer.as_ref() };
        if !writers.storage.stores.update(tenant, &id, &update, beside).await? {
            return Err(absent(&id));
        }
        let record = writers.storage.stores.get(tenant, &id).await?.ok_or_else(|| absent(&id))?;
        store.set_record(record);
        writers.replica.open(&store);
        Ok(changed)
    }

    /// Closes a store. Its rows stay for a while.
    ///
    /// # Errors
    /// When it is gone already or storage fails.
    pub async fn delete(
        &self,
        author: &Author,
        tenant: &TenantScope,
        store: &OpenStore,
        once: &Once<()>,
    ) -> Result<(), PapError> {
        let (this, tenant, scope, once) = (self.clone(), tenant.clone(), store.scope().clone(), once.clone());
        let asked = once.asked().copied();
        let event = author.of_store("store.delete", tenant.tenant(), scope.store(), Value::Null);
        let work = async move {
            let (writers, id) = (&this.writers, scope.store());
            let now = writers.clock.now();
            let answer = once.record(&(), now);
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            if !writers.storage.stores.soft_delete(&tenant, id, now, beside).await? {
                return Err(absent(id));
            }
            writers.replica.close(&scope);
            writers.forget(id);
            Ok(())
        };
        self.writers.in_turn(asked, work).await
    }

    /// A page of the tenant's stores that are deleted and not yet for good, by id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn deleted(
        &self,
        tenant: &TenantScope,
        after: Option<&StoreId>,
        limit: u32,
    ) -> Result<Vec<StoreRecord>, PapError> {
        Ok(self.writers.storage.stores.list_deleted(tenant, after, limit).await?)
    }

    /// Opens a deleted store as it was.
    ///
    /// # Errors
    /// When there is none, it was deleted too long ago, its alias is taken, the tenant has too many stores, or storage
    /// fails.
    pub async fn restore(
        &self,
        author: &Author,
        tenant: &TenantScope,
        id: StoreId,
        once: &Once<StoreId>,
    ) -> Result<Arc<OpenStore>, PapError> {
        let (this, author, tenant, once) = (self.clone(), author.clone(), tenant.clone(), once.clone());
        let asked = once.asked().copied();
        let work = async move {
            this.room_for_one(&tenant).await?;
            let Writers { storage, replica, clock, .. } = &this.writers;
            let now = clock.now();
            let event = author.of_store("store.restore", tenant.tenant(), &id, Value::Null);
            let answer = once.record(&id, now);
            let beside = Beside { events: &[event], answer: answer.as_ref() };
            let restored = storage.stores.restore(&tenant, &id, this.kept.since(now), now, beside).await?;
            let record = restored.ok_or_else(|| absent(&id))?;
            let loaded = load_store(storage, StoreScope::of(&tenant, record.id), replica.tokens()).await;
            let store = match loaded {
                Ok(store) => Arc::new(store.ok_or_else(|| absent(&id))?),
                Err(error) => {
                    // It stays deleted, in storage as in memory.
                    let event = author.of_store("store.delete", tenant.tenant(), &id, Value::Null);
                    storage.stores.soft_delete(&tenant, &id, now, Beside::events(&[event])).await?;
                    return Err(error.into());
                }
            };
            replica.open(&store);
            Ok(store)
        };
        self.writers.in_turn(asked, work).await
    }
}

fn absent(id: &StoreId) -> PapError {
    PapError::NotFound { what: "store", name: id.to_string() }
}

fn settings_text(settings: Settings) -> String {
    json!(settings).to_string()
}

/// What is recorded of a change of a store's own row: what it changes.
fn told(update: &StoreUpdate) -> Value {
    match &update.alias {
        AliasChange::Keep => json!({"name": update.name}),
        AliasChange::Clear => json!({"name": update.name, "alias": null}),
        AliasChange::Set(alias) => json!({"name": update.name, "alias": alias}),
    }
}

struct SettingsWrite {
    settings: Settings,
    author: Author,
    scope: StoreScope,
}

impl Write for SettingsWrite {
    fn plan(&self, before: &Tentative, _now: Timestamp) -> Result<Planned, PapError> {
        let mut record = blank("settings");
        record.summary = json!({"op": "settings", "settings": self.settings}).to_string();
        record.settings = Some(settings_text(self.settings));
        record.event = Some(self.author.of_revision(
            "store.update",
            &self.scope,
            format!("store:{}", self.scope.store()),
            before.snapshot.revision() + 1,
            json!({"settings": self.settings}),
        ));
        let snapshot = before.snapshot.with_settings(self.settings);
        Ok(Planned { record, after: Tentative { snapshot, newest: before.newest.clone() }, warnings: Vec::new() })
    }
}
