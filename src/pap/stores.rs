//! Making, reading, changing and deleting stores.

use std::sync::Arc;

use authx_engine::{Data, Settings, Snapshot};
use serde_json::json;

use crate::ids::{Revision, StoreAlias, Timestamp};
use crate::pap::data::blank;
use crate::pap::error::PapError;
use crate::pap::writer::{Planned, Tentative, Write, Writers};
use crate::replica::OpenStore;
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{AliasChange, StoreRecord, StoreUpdate};

/// Open stores that a tenant may have.
const MAX_STORES: u64 = 100_000;

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
}

impl Stores {
    #[must_use]
    pub fn new(writers: Writers) -> Self {
        Self { writers }
    }

    /// Makes an empty store.
    ///
    /// # Errors
    /// When the alias is taken, the tenant has too many stores, or storage fails.
    pub async fn create(&self, scope: &TenantScope, new: NewStore) -> Result<Arc<OpenStore>, PapError> {
        if self.writers.storage.stores.count(scope).await? >= MAX_STORES {
            return Err(PapError::LimitExceeded {
                message: format!("the tenant has {MAX_STORES} stores, the most it may have"),
            });
        }
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
        self.writers.storage.stores.insert(scope, &record).await?;
        let snapshot = Snapshot::new(None, Arc::new(Data::default()), new.settings, 0);
        let scope = StoreScope::of(scope, id);
        let store = Arc::new(OpenStore::new(scope, record, snapshot, None, self.writers.replica.tokens()));
        self.writers.replica.open(&store);
        Ok(store)
    }

    /// Renames a store, moves its alias, or changes how it decides; a change of settings is a commit of its own.
    ///
    /// # Errors
    /// When the alias is taken, the store is gone, or storage fails.
    pub async fn update(
        &self,
        tenant: &TenantScope,
        store: &Arc<OpenStore>,
        actor: &str,
        change: StoreChange,
    ) -> Result<(), PapError> {
        if let Some(settings) = change.settings.filter(|settings| *settings != store.current().snapshot.settings()) {
            self.writers.write(store, actor, SettingsWrite { settings }).await?;
        }
        let id = *store.scope().store();
        let update = StoreUpdate { name: change.name, alias: change.alias, updated_at: self.writers.clock.now() };
        let gone = || PapError::NotFound { what: "store", name: id.to_string() };
        if !self.writers.storage.stores.update(tenant, &id, &update).await? {
            return Err(gone());
        }
        let record = self.writers.storage.stores.get(tenant, &id).await?.ok_or_else(gone)?;
        store.set_record(record);
        self.writers.replica.open(store);
        Ok(())
    }

    /// Closes a store. Its rows stay for a while.
    ///
    /// # Errors
    /// When it is gone already or storage fails.
    pub async fn delete(&self, tenant: &TenantScope, store: &OpenStore) -> Result<(), PapError> {
        let id = *store.scope().store();
        if !self.writers.storage.stores.soft_delete(tenant, &id, self.writers.clock.now()).await? {
            return Err(PapError::NotFound { what: "store", name: id.to_string() });
        }
        self.writers.replica.close(store.scope());
        self.writers.forget(&id);
        Ok(())
    }
}

fn settings_text(settings: Settings) -> String {
    json!(settings).to_string()
}

struct SettingsWrite {
    settings: Settings,
}

impl Write for SettingsWrite {
    fn plan(&self, before: &Tentative, _now: Timestamp) -> Result<Planned, PapError> {
        let mut record = blank("settings");
        record.summary = json!({"op": "settings", "settings": self.settings}).to_string();
        record.settings = Some(settings_text(self.settings));
        let snapshot = before.snapshot.with_settings(self.settings);
        Ok(Planned { record, after: Tentative { snapshot, newest: before.newest.clone() }, warnings: Vec::new() })
    }
}
