//! Who changes something, and what the decision log is told of the change.

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::decisions::Change;
use crate::ids::{KeyId, StoreId, TenantId};
use crate::keys::Grant;
use crate::scope::StoreScope;
use crate::storage::records::{EventRecord, KeyRecord};
use crate::trace;

/// Who changes something: a key, for a request, or a part of the process of its own accord.
#[derive(Debug, Clone)]
pub struct Author {
    principal: String,
    name: Option<String>,
    request_id: Option<String>,
}

impl Author {
    /// Who has a grant, for the request that this task works on.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        let request_id = trace::current().map(|trace| trace.request_id().to_owned());
        Self { principal: grant.actor.clone(), name: grant.name.clone(), request_id }
    }

    /// A part of the process, such as `start`.
    #[must_use]
    pub fn process(name: &str) -> Self {
        Self { principal: name.to_owned(), name: None, request_id: None }
    }

    /// As revisions and releases name it.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// A change of a tenant: for its log, and for the platform's, which can be asked when the tenant is gone.
    #[must_use]
    pub fn of_tenant(&self, action: &str, tenant: &TenantId, details: &Value) -> Vec<EventRecord> {
        let logs = [*tenant, TenantId::platform()];
        let event = |log| self.event(log, action, format!("tenant:{tenant}"), None, details.clone());
        logs.into_iter().map(event).collect()
    }

    /// A tenant that was deleted for good; its log goes with it.
    #[must_use]
    pub fn of_purged_tenant(&self, tenant: TenantId) -> EventRecord {
        let event = self.event(TenantId::platform(), "tenant.purge", format!("tenant:{tenant}"), None, Value::Null);
        EventRecord { ends: Some(tenant), ..event }
    }

    /// Decisions that were taken out of a tenant's log: what the log says of it.
    #[must_use]
    pub fn of_erasure(&self, tenant: &TenantId, records: u64) -> String {
        self.event(*tenant, "log.erase", format!("tenant:{tenant}"), None, json!({"records": records})).content
    }

    /// A key that is made.
    #[must_use]
    pub fn of_new_key(&self, key: &KeyRecord) -> EventRecord {
        let KeyRecord { name, scopes, stores, expires_at, .. } = key;
        let details = json!({"name": name, "scopes": scopes, "stores": stores, "expires_at": expires_at});
        self.of_key("key.create", key.tenant.as_ref(), &key.id, details)
    }

    /// A change of a key, of the platform when there is no tenant.
    #[must_use]
    pub fn of_key(&self, action: &str, tenant: Option<&TenantId>, key: &KeyId, details: Value) -> EventRecord {
        let log = tenant.copied().unwrap_or_else(TenantId::platform);
        self.event(log, action, format!("key:{key}"), None, details)
    }

    /// A change of a store.
    #[must_use]
    pub fn of_store(&self, action: &str, tenant: &TenantId, store: &StoreId, details: Value) -> EventRecord {
        self.event(*tenant, action, format!("store:{store}"), Some((store, None)), details)
    }

    /// A change of a store that is one of its revisions.
    #[must_use]
    pub fn of_revision(
        &self,
        action: &str,
        scope: &StoreScope,
        resource: String,
        revision: u64,
        details: Value,
    ) -> EventRecord {
        self.event(*scope.tenant(), action, resource, Some((scope.store(), Some(revision))), details)
    }

    fn event(
        &self,
        log: TenantId,
        action: &str,
        resource: String,
        store: Option<(&StoreId, Option<u64>)>,
        details: Value,
    ) -> EventRecord {
        let change = Change {
            store: store.map(|(store, _)| store),
            principal: &self.principal,
            name: self.name.as_deref(),
            action,
            resource,
            revision: store.and_then(|(_, revision)| revision),
            details,
            request_id: self.request_id.as_deref(),
        };
        EventRecord { log, content: change.content(Clock.ulid()), ends: None }
    }
}
