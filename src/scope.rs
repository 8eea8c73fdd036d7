//! Whose data an operation may touch. A scope is the proof that somebody checked.
//!
//! Only authentication and the composition root make a scope; a test of the house holds this. It is
//! never read from a body, a path or a header alone.

use crate::ids::{StoreId, TenantId};

/// Everything of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantScope {
    tenant: TenantId,
}

impl TenantScope {
    /// Only authentication and the composition root call this.
    pub(crate) fn new(tenant: TenantId) -> Self {
        Self { tenant }
    }

    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

/// One store of one tenant. That the store exists is for the storage to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreScope {
    tenant: TenantId,
    store: StoreId,
}

impl StoreScope {
    /// Only authentication and the composition root call this.
    pub(crate) fn new(tenant: TenantId, store: StoreId) -> Self {
        Self { tenant, store }
    }

    /// A store of a tenant that the caller already holds.
    #[must_use]
    pub fn of(tenant: &TenantScope, store: StoreId) -> Self {
        Self { tenant: tenant.tenant, store }
    }

    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    #[must_use]
    pub fn store(&self) -> &StoreId {
        &self.store
    }
}
