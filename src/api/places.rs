//! How many requests of one kind each tenant may have in work at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ids::TenantId;

/// The places of all tenants.
pub struct Places {
    /// Of one tenant.
    limit: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

/// One place; it is taken until it is dropped.
pub struct Place {
    among: Arc<Places>,
    tenant: TenantId,
}

impl Places {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, taken: Mutex::default() }
    }

    /// How many one tenant has.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes one, if one is free.
    #[must_use]
    pub fn take(self: &Arc<Self>, tenant: TenantId) -> Option<Place> {
        let mut taken = self.taken.lock();
        let count = taken.entry(tenant).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place { among: Arc::clone(self), tenant })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.among.taken.lock();
        if let Some(count) = taken.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own() {
        let places = Arc::new(Places::new(2));
        let take = |tenant| places.take(TenantId::from_parts(1, tenant));
        let (first, _second, _other) = (take(1).unwrap(), take(1).unwrap(), take(2).unwrap());
        assert!(take(1).is_none());
        drop(first);
        drop(take(1).unwrap());
        let _again = take(1).unwrap();
        assert!(take(1).is_none());
    }
}
