//! Tenants.

use std::sync::Arc;

use crate::ids::TenantId;
use crate::keys::{KeySpec, KeyTable, NewKey, Permission};
use crate::pap::error::PapError;
use crate::pap::writer::Writers;
use crate::storage::records::TenantRecord;

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
}

impl Administration {
    #[must_use]
    pub fn new(writers: Writers, keys: Arc<KeyTable>) -> Self {
        Self { writers, keys }
    }

    /// Makes a tenant and an `admin` key of it.
    ///
    /// # Errors
    /// When storage or the operating system's randomness fails.
    pub async fn create_tenant(&self, name: String) -> Result<NewTenant, PapError> {
        let clock = self.writers.clock;
        let tenant = TenantRecord { id: clock.tenant_id(), name, created_at: clock.now() };
        self.writers.storage.tenants.insert(&tenant).await?;
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

    /// A tenant.
    ///
    /// # Errors
    /// When there is none or storage fails.
    pub async fn tenant(&self, id: &TenantId) -> Result<TenantRecord, PapError> {
        let found = self.writers.storage.tenants.get(id).await?;
        found.ok_or_else(|| PapError::NotFound { what: "tenant", name: id.to_string() })
    }

    /// A page of the tenants, by id.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn tenants(&self, after: Option<&TenantId>, limit: u32) -> Result<Vec<TenantRecord>, PapError> {
        Ok(self.writers.storage.tenants.list(after, limit).await?)
    }
}
