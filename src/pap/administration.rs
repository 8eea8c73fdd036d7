//! Tenants and keys.

use std::sync::Arc;

use crate::clock::Clock;
use crate::ids::{KeyId, TenantId};
use crate::keys::{KeySpec, KeyTable, NewKey, Permission, make_key};
use crate::pap::error::PapError;
use crate::storage::Storage;
use crate::storage::records::{KeyRecord, TenantRecord};

/// A tenant that was made, with its first key.
#[derive(Debug)]
pub struct NewTenant {
    pub tenant: TenantRecord,
    pub admin_key: NewKey,
}

/// The use cases about tenants and keys.
#[derive(Clone)]
pub struct Administration {
    storage: Storage,
    keys: Arc<KeyTable>,
    clock: Clock,
}

impl Administration {
    #[must_use]
    pub fn new(storage: Storage, keys: Arc<KeyTable>, clock: Clock) -> Self {
        Self { storage, keys, clock }
    }

    /// Makes a tenant and an `admin` key of it.
    ///
    /// # Errors
    /// When storage or the operating system's randomness fails.
    pub async fn create_tenant(&self, name: String) -> Result<NewTenant, PapError> {
        let tenant = TenantRecord { id: self.clock.tenant_id(), name, created_at: self.clock.now() };
        self.storage.tenants.insert(&tenant).await?;
        self.keys.admit_tenant(tenant.id);
        let spec = KeySpec {
            tenant: Some(tenant.id),
            name: "admin".to_owned(),
            permissions: vec![Permission::Admin],
            stores: None,
            expires_at: None,
        };
        let admin_key = self.create_key(spec).await?;
        Ok(NewTenant { tenant, admin_key })
    }

    /// A page of the tenants, by id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, PapError> {
        Ok(self.storage.tenants.list(after, limit).await?)
    }

    /// Makes a key; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When storage or the operating system's randomness fails.
    pub async fn create_key(&self, spec: KeySpec) -> Result<NewKey, PapError> {
        let key = make_key(spec, self.clock)?;
        self.storage.keys.insert(&key.record).await?;
        self.keys.admit(&key.record);
        Ok(key)
    }

    /// A page of a tenant's keys, by id; of the platform keys when there is no tenant.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn keys(
        &self,
        tenant: Option<&TenantId>,
        after: Option<&KeyId>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, PapError> {
        Ok(self.storage.keys.list(tenant, after, limit).await?)
    }

    /// Ends a key: durably, and at once in this process.
    ///
    /// # Errors
    /// When there is no such key or storage fails.
    pub async fn revoke_key(&self, tenant: Option<&TenantId>, id: &KeyId) -> Result<(), PapError> {
        if !self.storage.keys.revoke(tenant, id, self.clock.now()).await? {
            return Err(PapError::NotFound { what: "key", name: id.to_string() });
        }
        self.keys.expel(id);
        Ok(())
    }
}
