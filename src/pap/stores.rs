//! Making, changing, deleting and restoring stores.

use std::sync::Arc;

use authx_engine::{Data, Settings, Snapshot};
use serde_json::{Value, json};

use crate::ids::{Revision, StoreAlias, StoreId, Timestamp};
use crate::pap::author::Author;
use crate::pap::data::blank;
use crate::pap::error::PapError;
use crate::pap::limits;
use crate::pap::purge::Kept;
use crate::pap::writer::{Planned, Tentative, Write, Writers};
use crate::replica::{OpenStore, load_store};
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{AliasChange, StoreRecord, StoreUpdate};

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
    ) -> Result<Arc<OpenStore>, PapError> {
        let (this, author, scope) = (self.clone(), author.clone(), scope.clone());
        self.writers.in_turn(async move { this.make(&author, &scope, new).await }).await
    }

    async fn make(&self, author: &Author, scope: &TenantScope, new: NewStore) -> Result<Arc<OpenStore>, PapError> {
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
        self.writers.storage.stores.insert(scope, &record, &[event]).await?;
        let snapshot = Snapshot::new(None, Arc::new(Data::default()), new.settings, 0);
        let scope = StoreScope::of(scope, id);
        let store = Arc::new(OpenStore::new(scope, record, snapshot, None, self.writers.replica.tokens()));
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
    ) -> Result<(), PapError> {
        if let Some(settings) = change.settings.filter(|settings| *settings != store.current().snapshot.settings()) {
            let write = SettingsWrite { settings, author: author.clone(), scope: store.scope().clone() };
            self.writers.write(store, author.principal(), write).await?;
        }
        if change.name.is_none() && change.alias == AliasChange::Keep {
            return Ok(());
        }
        let (this, author, tenant, store) = (self.clone(), author.clone(), tenant.clone(), Arc::clone(store));
        let work = async move {
            let (writers, id) = (&this.writers, store.scope().store());
            let update = StoreUpdate { name: change.name, alias: change.alias, updated_at: writers.clock.now() };
            let event = author.of_store("store.update", tenant.tenant(), id, told(&update));
            if !writers.storage.stores.update(&tenant, id, &update, &[event]).await? {
                return Err(absent(id));
            }
            let record = writers.storage.stores.get(&tenant, id).await?.ok_or_else(|| absent(id))?;
            store.set_record(record);
            writers.replica.open(&store);
            Ok(())
        };
        self.writers.in_turn(work).await
    }

    /// Closes a store. Its rows stay for a while.
    ///
    /// # Errors
    /// When it is gone already or storage fails.
    pub async fn delete(&self, author: &Author, tenant: &TenantScope, store: &OpenStore) -> Result<(), PapError> {
        let (this, tenant, scope) = (self.clone(), tenant.clone(), store.scope().clone());
        let event = author.of_store("store.delete", tenant.tenant(), scope.store(), Value::Null);
        let work = async move {
            let (writers, id) = (&this.writers, scope.store());
            if !writers.storage.stores.soft_delete(&tenant, id, writers.clock.now(), &[event]).await? {
                return Err(absent(id));
            }
            writers.replica.close(&scope);
            writers.forget(id);
            Ok(())
        };
        self.writers.in_turn(work).await
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
    ) -> Result<Arc<OpenStore>, PapError> {
        let (this, author, tenant) = (self.clone(), author.clone(), tenant.clone());
        let work = async move {
            this.room_for_one(&tenant).await?;
            let Writers { storage, replica, clock, .. } = &this.writers;
            let now = clock.now();
            let event = author.of_store("store.restore", tenant.tenant(), &id, Value::Null);
            let restored = storage.stores.restore(&tenant, &id, this.kept.since(now), now, &[event]).await?;
            let record = restored.ok_or_else(|| absent(&id))?;
            let loaded = load_store(storage, StoreScope::of(&tenant, record.id), replica.tokens()).await;
            let store = match loaded {
                Ok(store) => Arc::new(store.ok_or_else(|| absent(&id))?),
                Err(error) => {
                    // It stays deleted, in storage as in memory.
                    let event = author.of_store("store.delete", tenant.tenant(), &id, Value::Null);
                    storage.stores.soft_delete(&tenant, &id, now, &[event]).await?;
                    return Err(error.into());
                }
            };
            replica.open(&store);
            Ok(store)
        };
        self.writers.in_turn(work).await
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
