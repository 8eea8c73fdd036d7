//! Who is calling, and what they may do.
//!
//! The tenant comes from the credential alone; a scope of a tenant is made only here and at the start.

mod refusals;

use std::sync::Arc;

use crate::clock::Clock;
use crate::ids::{StoreId, TenantId};
use crate::keys::{Grant, KeyTable, Permission};
use crate::pap::Author;
use crate::scope::{StoreScope, TenantScope};

pub use refusals::Refusals;

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Absent for a platform key that named no tenant.
    tenant: Option<TenantScope>,
    grant: Arc<Grant>,
}

/// Why a caller may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("no credential, or one that is not valid")]
    Unauthenticated,
    #[error("the key lacks the scope `{}`", .0.name())]
    Lacks(Permission),
    #[error("only a platform key may do this")]
    NotPlatform,
    #[error("a platform key names a tenant with the header AuthX-Tenant")]
    NoTenant,
}

impl Caller {
    /// The caller's tenant, when it may do this there.
    ///
    /// # Errors
    /// When the key lacks the scope or is of no tenant.
    pub fn tenant(&self, permission: Permission) -> Result<&TenantScope, Refused> {
        let tenant = self.tenant.as_ref().ok_or(Refused::NoTenant)?;
        if self.grant.permissions.contains(&permission) || self.grant.permissions.contains(&Permission::Admin) {
            Ok(tenant)
        } else {
            Err(Refused::Lacks(permission))
        }
    }

    /// Whether the caller is the operator.
    ///
    /// # Errors
    /// When it is not.
    pub fn platform(&self) -> Result<(), Refused> {
        if self.grant.platform { Ok(()) } else { Err(Refused::NotPlatform) }
    }

    /// The scope of any tenant, for the operator. That the tenant exists is for the storage to say.
    ///
    /// # Errors
    /// When the caller is not the operator.
    pub fn over(&self, tenant: TenantId) -> Result<TenantScope, Refused> {
        self.platform().map(|()| TenantScope::new(tenant))
    }

    /// The scope of one of the tenant's stores; `None` when the key does not reach it, which looks like absent.
    #[must_use]
    pub fn store(&self, tenant: &TenantScope, store: &StoreId) -> Option<StoreScope> {
        let reaches = self.grant.stores.as_ref().is_none_or(|stores| stores.contains(store));
        reaches.then(|| StoreScope::new(*tenant.tenant(), *store))
    }

    /// Whether the key is limited to some stores.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.grant.stores.is_some()
    }

    /// The stores to which the key is limited; `None` is every store of the tenant.
    #[must_use]
    pub fn stores(&self) -> Option<&[StoreId]> {
        self.grant.stores.as_deref()
    }

    /// What the caller was given, and who it is for the record.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// The tenant that the caller acts in; a platform key that named none acts in none.
    #[must_use]
    pub fn acts_in(&self) -> Option<&TenantScope> {
        self.tenant.as_ref()
    }

    #[must_use]
    pub fn actor(&self) -> &str {
        &self.grant.actor
    }

    /// The caller as the author of changes, for the request that this task works on.
    #[must_use]
    pub fn author(&self) -> Author {
        Author::of(&self.grant)
    }
}

/// Tells who sends a request.
#[derive(Debug)]
pub struct Identity {
    keys: Arc<KeyTable>,
    /// Who callers without a credential are, in `--dev` on a loopback address.
    open: Option<Caller>,
    refusals: Arc<Refusals>,
    clock: Clock,
}

impl Identity {
    #[must_use]
    pub fn new(keys: Arc<KeyTable>, open_tenant: Option<TenantId>, clock: Clock) -> Self {
        let grant = || Grant {
            key: None,
            name: None,
            permissions: vec![Permission::Admin],
            stores: None,
            platform: true,
            actor: "dev".to_owned(),
        };
        let open =
            open_tenant.map(|tenant| Caller { tenant: Some(TenantScope::new(tenant)), grant: Arc::new(grant()) });
        Self { keys, open, refusals: Arc::new(Refusals::new(clock)), clock }
    }

    /// Finds out who sends a credential: the value of `Authorization`, with or without `Bearer`.
    ///
    /// # Errors
    /// When there is none or it is not valid.
    pub fn authenticate(&self, authorization: Option<&str>, tenant: Option<&str>) -> Result<Caller, Refused> {
        let Some(authorization) = authorization else { return self.open().ok_or(Refused::Unauthenticated) };
        let secret = match authorization.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            _ => authorization.trim(),
        };
        let key = self.keys.find(secret, self.clock.now()).map_err(|refusal| {
            self.refusals.note(refusal);
            Refused::Unauthenticated
        })?;
        let tenant = match tenant.filter(|_| key.grant.platform) {
            None => key.tenant,
            Some(named) => {
                let id = TenantId::parse(named).ok().filter(|id| self.keys.has_tenant(id));
                Some(id.ok_or(Refused::NoTenant)?)
            }
        };
        Ok(Caller { tenant: tenant.map(TenantScope::new), grant: key.grant })
    }

    /// The credentials that were refused.
    #[must_use]
    pub fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Who needs no credential, as long as the tenant is there.
    fn open(&self) -> Option<Caller> {
        let there = |caller: &&Caller| caller.tenant.as_ref().is_some_and(|scope| self.keys.has_tenant(scope.tenant()));
        self.open.as_ref().filter(there).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Timestamp;
    use crate::keys::{KeySpec, make_key};
    use crate::storage::records::KeyRecord;

    fn identity(keys: &[KeyRecord], tenants: Vec<TenantId>) -> (Identity, Arc<KeyTable>) {
        let table = Arc::new(KeyTable::new(keys, tenants));
        (Identity::new(Arc::clone(&table), None, Clock), table)
    }

    fn spec(tenant: Option<TenantId>, permissions: &[Permission]) -> KeySpec {
        KeySpec { tenant, name: "k".to_owned(), permissions: permissions.to_vec(), stores: None, expires_at: None }
    }

    #[test]
    fn a_key_opens_its_own_tenant_and_nothing_else() {
        let (tenant, other) = (TenantId::from_parts(1, 1), TenantId::from_parts(1, 2));
        let key = make_key(spec(Some(tenant), &[Permission::Check]), Clock).unwrap();
        let (identity, table) = identity(std::slice::from_ref(&key.record), vec![tenant, other]);
        let header = format!("Bearer {}", key.secret);
        let caller = identity.authenticate(Some(&header), Some(other.as_str())).unwrap();
        assert_eq!(caller.tenant(Permission::Check).unwrap().tenant(), &tenant);
        assert_eq!(caller.tenant(Permission::Write), Err(Refused::Lacks(Permission::Write)));
        assert_eq!(caller.platform(), Err(Refused::NotPlatform));
        assert!(identity.authenticate(Some(&key.secret), None).is_ok());
        assert!(identity.authenticate(Some("Bearer axk_wrong"), None).is_err());
        assert!(identity.authenticate(None, None).is_err());
        table.revoke(&key.record.id);
        assert!(identity.authenticate(Some(&header), None).is_err());
    }

    #[test]
    fn an_expired_key_is_refused() {
        let expired = KeySpec { expires_at: Some(Timestamp::from_millis(1)), ..spec(None, &[]) };
        let key = make_key(expired, Clock).unwrap();
        let (identity, _) = identity(&[key.record], vec![]);
        assert_eq!(identity.authenticate(Some(&key.secret), None).unwrap_err(), Refused::Unauthenticated);
    }

    #[test]
    fn a_platform_key_selects_a_tenant_that_exists() {
        let tenant = TenantId::from_parts(1, 1);
        let key = make_key(spec(None, &[]), Clock).unwrap();
        let (identity, _) = identity(&[key.record], vec![tenant]);
        let none = identity.authenticate(Some(&key.secret), None).unwrap();
        assert_eq!(none.tenant(Permission::Read), Err(Refused::NoTenant));
        assert!(
            identity.authenticate(Some(&key.secret), Some(tenant.as_str())).unwrap().tenant(Permission::Admin).is_ok()
        );
        assert!(identity.authenticate(Some(&key.secret), Some("01JD0000000000000000000000")).is_err());
    }
}
