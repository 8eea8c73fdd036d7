//! Tenants: made, changed, deleted and restored.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::decisions::{DecisionLog, LogSettings, LogSettingsChange, Rules};
use crate::ids::TenantId;
use crate::keys::{KeySpec, KeyTable, NewKey, Permission};
use crate::limits::{LimitsChange, TenantLimits};
use crate::pap::author::Author;
use crate::pap::error::PapError;
use crate::pap::limits;
use crate::pap::purge::Kept;
use crate::pap::writer::Writers;
use crate::replica::load_store;
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{TenantChange, TenantRecord};

/// Rows that are read at once.
const PAGE: u32 = 1_000;

/// A change of a tenant; what is absent stays.
#[derive(Debug, Default)]
pub struct TenantUpdate {
    pub name: Option<String>,
    pub limits: LimitsChange,
    pub decisions: LogSettingsChange,
}

/// A tenant that was made, with its first key.
#[derive(Debug)]
pub struct NewTenant {
    pub tenant: TenantRecord,
    pub admin_key: NewKey,
}

/// The use cases about tenants and keys.
#[derive(Clone)]
pub struct Administration {
    pub(super) writers: Writers,
    pub(super) keys: Arc<KeyTable>,
    log: Arc<DecisionLog>,
    kept: Kept,
}

impl Administration {
    #[must_use]
    pub fn new(writers: Writers, keys: Arc<KeyTable>, log: Arc<DecisionLog>, kept: Kept) -> Self {
        Self { writers, keys, log, kept }
    }

    /// Makes a tenant and an `admin` key of it.
    ///
    /// # Errors
    /// When storage or the operating system's randomness fails.
    pub async fn create_tenant(&self, author: &Author, name: String) -> Result<NewTenant, PapError> {
        let (this, author) = (self.clone(), author.clone());
        let work = async move {
            let clock = this.writers.clock;
            let (limits, decisions) = (TenantLimits::default().text(), LogSettings::default().text());
            let tenant = TenantRecord {
                id: clock.tenant_id(),
                name,
                limits,
                decisions,
                created_at: clock.now(),
                deleted_at: None,
            };
            let events = author.of_tenant("tenant.create", &tenant.id, &json!({"name": tenant.name}));
            this.writers.storage.tenants.insert(&tenant, &events).await?;
            this.writers.limits.set(tenant.id, TenantLimits::default());
            this.keys.admit_tenant(tenant.id);
            let spec = KeySpec {
                tenant: Some(tenant.id),
                name: "admin".to_owned(),
                permissions: vec![Permission::Admin],
                stores: None,
                expires_at: None,
            };
            let admin_key = this.create_key(&author, spec).await?;
            Ok(NewTenant { tenant, admin_key })
        };
        self.writers.background(work).await
    }

    /// A tenant.
    ///
    /// # Errors
    /// When there is none or storage fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<TenantRecord, PapError> {
        self.writers.storage.tenants.get(id).await?.ok_or_else(|| absent(id))
    }

    /// A page of the tenants, by id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, PapError> {
        Ok(self.writers.storage.tenants.list(after, limit).await?)
    }

    /// As [`Self::tenants`], of those that are deleted and not yet for good.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn deleted_tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, PapError> {
        Ok(self.writers.storage.tenants.list_deleted(after, limit).await?)
    }

    /// Renames a tenant, or changes what it may have or how its decisions are recorded.
    ///
    /// # Errors
    /// When there is none or storage fails.
    pub async fn update_tenant(
        &self,
        author: &Author,
        id: TenantId,
        update: TenantUpdate,
    ) -> Result<TenantRecord, PapError> {
        let (this, author) = (self.clone(), author.clone());
        let work = async move {
            let before = this.tenant(&id).await?;
            let limits = limits::read(&before.limits)?.with(update.limits);
            let decisions = limits::read_log_settings(&before.decisions)?.with(update.decisions);
            let details = json!({"name": update.name, "limits": limits, "decisions": decisions});
            let events = author.of_tenant("tenant.update", &id, &details);
            let (limits_text, decisions_text) = (Some(limits.text()), Some(decisions.text()));
            let change = TenantChange { name: update.name, limits: limits_text, decisions: decisions_text };
            let tenant =
                this.writers.storage.tenants.update(&id, &change, &events).await?.ok_or_else(|| absent(&id))?;
            this.writers.limits.set(id, limits);
            this.log.set(id, decisions);
            Ok(tenant)
        };
        self.writers.in_turn(work).await
    }

    /// What a tenant may have, defaults included.
    ///
    /// # Errors
    /// When what is stored does not read.
    pub fn limits_of(&self, tenant: &TenantRecord) -> Result<TenantLimits, PapError> {
        Ok(self.writers.limits.effective(limits::read(&tenant.limits)?))
    }

    /// How a tenant's decisions are recorded, and what it has of its own.
    ///
    /// # Errors
    /// When what is stored does not read.
    pub fn log_settings_of(&self, tenant: &TenantRecord) -> Result<(Rules, LogSettings), PapError> {
        let own = limits::read_log_settings(&tenant.decisions)?;
        Ok((self.log.effective(own.clone()), own))
    }

    /// Closes a tenant: its keys open nothing any more, and its stores leave the memory. Its rows stay for a while.
    ///
    /// # Errors
    /// When it is gone already or storage fails.
    pub async fn delete_tenant(&self, author: &Author, id: TenantId) -> Result<(), PapError> {
        let this = self.clone();
        let events = author.of_tenant("tenant.delete", &id, &Value::Null);
        let work = async move {
            if !this.writers.storage.tenants.soft_delete(&id, this.writers.clock.now(), &events).await? {
                return Err(absent(&id));
            }
            this.close(&id);
            Ok(())
        };
        self.writers.in_turn(work).await
    }

    fn close(&self, id: &TenantId) {
        self.keys.expel_tenant(id);
        self.writers.limits.forget(id);
        self.log.forget(id);
        for store in self.writers.replica.list(id, None, usize::MAX, &|_| true) {
            self.writers.replica.close(store.scope());
            self.writers.forget(store.scope().store());
        }
    }

    /// Opens a deleted tenant as it was: its stores, and the keys that were not revoked.
    ///
    /// # Errors
    /// When there is none, it was deleted too long ago, or storage fails.
    pub async fn restore_tenant(&self, author: &Author, scope: TenantScope) -> Result<TenantRecord, PapError> {
        let (this, author) = (self.clone(), author.clone());
        let work = async move {
            let (id, now) = (*scope.tenant(), this.writers.clock.now());
            let tenants = &this.writers.storage.tenants;
            let events = author.of_tenant("tenant.restore", &id, &Value::Null);
            let restored = tenants.restore(&id, this.kept.since(now), &events).await?;
            let tenant = restored.ok_or_else(|| absent(&id))?;
            if let Err(error) = this.open(&scope, &tenant).await {
                // Half a tenant is none: it stays deleted, in storage as in memory.
                this.close(&id);
                let events = author.of_tenant("tenant.delete", &id, &Value::Null);
                tenants.soft_delete(&id, now, &events).await?;
                return Err(error);
            }
            Ok(tenant)
        };
        self.writers.in_turn(work).await
    }

    async fn open(&self, scope: &TenantScope, tenant: &TenantRecord) -> Result<(), PapError> {
        let (storage, replica) = (&self.writers.storage, &self.writers.replica);
        let mut last = None;
        loop {
            let stores = storage.stores.list(scope, last.as_ref(), PAGE).await?;
            let Some(end) = stores.last() else { break };
            last = Some(end.id);
            for record in &stores {
                let store = load_store(storage, StoreScope::of(scope, record.id), replica.tokens()).await?;
                if let Some(store) = store {
                    replica.open(&Arc::new(store));
                }
            }
        }
        self.writers.limits.set(tenant.id, limits::read(&tenant.limits)?);
        self.log.set(tenant.id, limits::read_log_settings(&tenant.decisions)?);
        // The keys come last: nobody sees a part.
        let mut last = None;
        loop {
            let keys = storage.keys.list(Some(scope.tenant()), last.as_ref(), PAGE).await?;
            let Some(end) = keys.last() else { break };
            last = Some(end.id);
            for key in &keys {
                self.keys.admit(key);
            }
        }
        self.keys.admit_tenant(*scope.tenant());
        Ok(())
    }
}

fn absent(id: &TenantId) -> PapError {
    PapError::NotFound { what: "tenant", name: id.to_string() }
}
