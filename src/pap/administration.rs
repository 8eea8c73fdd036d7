//! Tenants: made, changed, deleted and restored.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::decisions::{DecisionLog, Erasure, LogSettings, LogSettingsChange, Rules};
use crate::ids::TenantId;
use crate::keys::{KeySpec, KeyTable, NewKey, Permission, make_key};
use crate::limits::{LimitsChange, TenantLimits};
use crate::pap::author::Author;
use crate::pap::error::PapError;
use crate::pap::limits;
use crate::pap::once::Once;
use crate::pap::purge::Kept;
use crate::pap::writer::Writers;
use crate::replica::load_store;
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::{Beside, TenantChange, TenantRecord};

/// Rows that are read at once.
const PAGE: u32 = 1_000;

/// A change of a tenant; what is absent stays.
#[derive(Debug, Default)]
pub struct TenantUpdate {
    pub name: Option<String>,
    pub limits: LimitsChange,
    pub decisions: LogSettingsChange,
}

/// A tenant, what it may have with the defaults, and how its decisions are recorded.
#[derive(Debug, Clone)]
pub struct TenantView {
    pub tenant: TenantRecord,
    pub limits: TenantLimits,
    pub rules: Rules,
    /// What of the rules is its own.
    pub own: LogSettings,
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
    pub async fn create_tenant(
        &self,
        author: &Author,
        name: String,
        once: &Once<NewTenant>,
    ) -> Result<NewTenant, PapError> {
        let (this, author, once) = (self.clone(), author.clone(), once.clone());
        let asked = once.asked().copied();
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
            let spec = KeySpec {
                tenant: Some(tenant.id),
                name: "admin".to_owned(),
                permissions: vec![Permission::Admin],
                stores: None,
                expires_at: None,
            };
            let new = NewTenant { admin_key: make_key(spec, clock)?, tenant };
            let NewTenant { tenant, admin_key } = &new;
            let mut events = author.of_tenant("tenant.create", &tenant.id, &json!({"name": tenant.name}));
            events.push(author.of_new_key(&admin_key.record));
            let answer = once.record(&new, clock.now());
            let beside = Beside { events: &events, answer: answer.as_ref() };
            this.writers.storage.tenants.insert(tenant, Some(&admin_key.record), beside).await?;
            this.writers.limits.set(tenant.id, TenantLimits::default());
            this.keys.admit_tenant(tenant.id);
            this.keys.admit(&admin_key.record);
            Ok(new)
        };
        self.writers.in_turn(asked, work).await
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
        once: &Once<TenantView>,
    ) -> Result<TenantView, PapError> {
        let (this, author, once) = (self.clone(), author.clone(), once.clone());
        let asked = once.asked().copied();
        let work = async move {
            let before = this.tenant(&id).await?;
            let limits = limits::read(&before.limits)?.with(update.limits);
            let decisions = limits::read_log_settings(&before.decisions)?.with(update.decisions);
            let details = json!({"name": update.name, "limits": limits, "decisions": decisions});
            let events = author.of_tenant("tenant.update", &id, &details);
            let name = update.name.unwrap_or(before.name);
            let after = TenantRecord { name, limits: limits.text(), decisions: decisions.text(), ..before };
            let view = this.view(after.clone())?;
            let answer = once.record(&view, this.writers.clock.now());
            let beside = Beside { events: &events, answer: answer.as_ref() };
            let (name, limits_text) = (Some(after.name), Some(after.limits));
            let change = TenantChange { name, limits: limits_text, decisions: Some(after.decisions) };
            this.writers.storage.tenants.update(&id, &change, beside).await?.ok_or_else(|| absent(&id))?;
            this.writers.limits.set(id, limits);
            this.log.set(id, decisions);
            Ok(view)
        };
        self.writers.in_turn(asked, work).await
    }

    /// Takes decisions out of a tenant's log, and tells how many they were. Asked again after a kill in the middle, it takes out
    /// what was left.
    ///
    /// # Errors
    /// When the log was altered or cannot be rewritten, or storage fails.
    pub async fn erase(
        &self,
        author: &Author,
        tenant: &TenantScope,
        which: Erasure,
        once: &Once<u64>,
    ) -> Result<u64, PapError> {
        let (this, author, once, tenant) = (self.clone(), author.clone(), once.clone(), *tenant.tenant());
        let work = async move {
            let erasing = this.log.erasing(&tenant).await?;
            // Only one who has the log's turn knows whether the same request was made meanwhile.
            this.writers.not_made(once.asked()).await?;
            let erased = erasing.erase(which, |records| author.of_erasure(&tenant, records)).await?;
            this.writers.put_answer(&once, &erased).await?;
            Ok(erased)
        };
        self.writers.background(work).await
    }

    /// A tenant with what holds for it.
    ///
    /// # Errors
    /// When what is stored does not read.
    pub fn view(&self, tenant: TenantRecord) -> Result<TenantView, PapError> {
        let limits = self.writers.limits.effective(limits::read(&tenant.limits)?);
        let own = limits::read_log_settings(&tenant.decisions)?;
        Ok(TenantView { rules: self.log.effective(own.clone()), own, limits, tenant })
    }

    /// Closes a tenant: its keys open nothing any more, and its stores leave the memory. Its rows stay for a while.
    ///
    /// # Errors
    /// When it is gone already or storage fails.
    pub async fn delete_tenant(&self, author: &Author, id: TenantId, once: &Once<()>) -> Result<(), PapError> {
        let (this, once) = (self.clone(), once.clone());
        let asked = once.asked().copied();
        let events = author.of_tenant("tenant.delete", &id, &Value::Null);
        let work = async move {
            let now = this.writers.clock.now();
            let answer = once.record(&(), now);
            let beside = Beside { events: &events, answer: answer.as_ref() };
            if !this.writers.storage.tenants.soft_delete(&id, now, beside).await? {
                return Err(absent(&id));
            }
            this.close(&id);
            Ok(())
        };
        self.writers.in_turn(asked, work).await
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
    pub async fn restore_tenant(
        &self,
        author: &Author,
        scope: TenantScope,
        once: &Once<TenantId>,
    ) -> Result<TenantRecord, PapError> {
        let (this, author, once) = (self.clone(), author.clone(), once.clone());
        let asked = once.asked().copied();
        let work = async move {
            let (id, now) = (*scope.tenant(), this.writers.clock.now());
            let tenants = &this.writers.storage.tenants;
            let events = author.of_tenant("tenant.restore", &id, &Value::Null);
            let answer = once.record(&id, now);
            let beside = Beside { events: &events, answer: answer.as_ref() };
            let restored = tenants.restore(&id, this.kept.since(now), beside).await?;
            let tenant = restored.ok_or_else(|| absent(&id))?;
            if let Err(error) = this.open(&scope, &tenant).await {
                // Half a tenant is none: it stays deleted, in storage as in memory.
                this.close(&id);
                let events = author.of_tenant("tenant.delete", &id, &Value::Null);
                tenants.soft_delete(&id, now, Beside::events(&events)).await?;
                return Err(error);
            }
            Ok(tenant)
        };
        self.writers.in_turn(asked, work).await
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
