//! Who is calling: API keys, and what each may do.
//!
//! A key's secret is 256 random bits; only its SHA-256 is kept. Every key that may be used is in memory, so that a
//! request asks no database. The tenant comes from the credential alone; a scope of a tenant is made only here.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::{Clock, fill_random};
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
use crate::scope::{StoreScope, TenantScope};
use crate::storage::records::KeyRecord;

/// What a key may do in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Everything in the tenant: keys, stores, releases.
    Admin,
    /// Entities and links.
    Write,
    /// Stores, releases and data.
    Read,
    /// Ask for decisions.
    Check,
    /// Ask why.
    Explain,
}

impl Permission {
    pub const ALL: [Self; 5] = [Self::Admin, Self::Write, Self::Read, Self::Check, Self::Explain];

    /// The scope's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Read => "read",
            Self::Check => "check",
            Self::Explain => "explain",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Absent for a platform key that named no tenant.
    tenant: Option<TenantScope>,
    permissions: Vec<Permission>,
    stores: Option<Vec<StoreId>>,
    platform: bool,
    /// Who it was, for the record of a change: `key:ID` or `dev`.
    actor: String,
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
        if self.permissions.contains(&permission) || self.permissions.contains(&Permission::Admin) {
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
        if self.platform { Ok(()) } else { Err(Refused::NotPlatform) }
    }

    /// The scope of one of the tenant's stores; `None` when the key does not reach it, which looks like absent.
    #[must_use]
    pub fn store(&self, tenant: &TenantScope, store: &StoreId) -> Option<StoreScope> {
        let reaches = self.stores.as_ref().is_none_or(|stores| stores.contains(store));
        reaches.then(|| StoreScope::new(*tenant.tenant(), *store))
    }

    /// Whether the key is limited to some stores.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.stores.is_some()
    }

    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }
}

/// A key that may be used, and whom it stands for: made once, so that a request makes nothing.
#[derive(Debug, Clone)]
struct Known {
    record: Arc<KeyRecord>,
    caller: Arc<Caller>,
}

impl Known {
    fn new(record: KeyRecord) -> Self {
        let caller = Caller {
            tenant: record.tenant.map(TenantScope::new),
            permissions: match record.tenant {
                Some(_) => record.scopes.iter().filter_map(|name| Permission::parse(name)).collect(),
                None => vec![Permission::Admin],
            },
            stores: record.stores.clone(),
            platform: record.tenant.is_none(),
            actor: format!("key:{}", record.id),
        };
        Self { record: Arc::new(record), caller: Arc::new(caller) }
    }
}

/// The table of keys.
#[derive(Debug)]
pub struct Identity {
    keys: ArcSwap<HashMap<[u8; 32], Known>>,
    /// Who callers without a credential are, in `--dev` on a loopback address.
    open: Option<Arc<Caller>>,
    /// Tells whether a tenant exists, for the header of a platform key.
    tenants: ArcSwap<Vec<TenantId>>,
    clock: Clock,
}

impl Identity {
    #[must_use]
    pub fn new(keys: Vec<KeyRecord>, tenants: Vec<TenantId>, open_tenant: Option<TenantId>, clock: Clock) -> Self {
        let keys = keys.into_iter().map(|key| (key.hash, Known::new(key))).collect();
        let open = open_tenant.map(|tenant| Caller {
            tenant: Some(TenantScope::new(tenant)),
            permissions: vec![Permission::Admin],
            stores: None,
            platform: true,
            actor: "dev".to_owned(),
        });
        Self {
            keys: ArcSwap::from_pointee(keys),
            open: open.map(Arc::new),
            tenants: ArcSwap::from_pointee(tenants),
            clock,
        }
    }

    /// Finds out who sends a credential: the value of `Authorization`, with or without `Bearer`.
    ///
    /// # Errors
    /// When there is none or it is not valid.
    pub fn authenticate(&self, authorization: Option<&str>, tenant: Option<&str>) -> Result<Arc<Caller>, Refused> {
        let Some(authorization) = authorization else { return self.open.clone().ok_or(Refused::Unauthenticated) };
        let secret = match authorization.split_once(' ') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            _ => authorization.trim(),
        };
        let hash = hash_secret(secret);
        let keys = self.keys.load();
        let known = keys.get(&hash).filter(|known| bool::from(known.record.hash.ct_eq(&hash)));
        let Known { record, caller } = known.ok_or(Refused::Unauthenticated)?;
        if record.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(Refused::Unauthenticated);
        }
        match tenant.filter(|_| caller.platform) {
            None => Ok(Arc::clone(caller)),
            Some(named) => {
                let id = TenantId::parse(named).map_err(|_| Refused::NoTenant)?;
                if !self.tenants.load().contains(&id) {
                    return Err(Refused::NoTenant);
                }
                Ok(Arc::new(Caller { tenant: Some(TenantScope::new(id)), ..Caller::clone(caller) }))
            }
        }
    }

    /// Lets a key be used from now on.
    pub fn admit(&self, key: &KeyRecord) {
        let known = Known::new(key.clone());
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.insert(known.record.hash, known.clone());
            keys
        });
    }

    /// Ends a key at once.
    pub fn expel(&self, id: &KeyId) {
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.retain(|_, known| known.record.id != *id);
            keys
        });
    }

    /// Lets a tenant be named by a platform key.
    pub fn admit_tenant(&self, id: TenantId) {
        self.tenants.rcu(|tenants| {
            let mut tenants = Vec::clone(tenants);
            tenants.push(id);
            tenants
        });
    }
}

/// A new key: the record to keep and the secret to show once.
#[derive(Debug)]
pub struct NewKey {
    pub record: KeyRecord,
    pub secret: String,
}

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct KeySpec {
    /// `None` makes a platform key.
    pub tenant: Option<TenantId>,
    pub name: String,
    pub permissions: Vec<Permission>,
    pub stores: Option<Vec<StoreId>>,
    pub expires_at: Option<Timestamp>,
}

/// Makes a key of 256 random bits.
///
/// # Errors
/// When the operating system has no randomness.
pub fn make_key(spec: KeySpec, clock: Clock) -> Result<NewKey, getrandom::Error> {
    let mut bytes = [0; 32];
    fill_random(&mut bytes)?;
    let secret = format!("axk_{}", URL_SAFE_NO_PAD.encode(bytes));
    let record = KeyRecord {
        id: clock.key_id(),
        tenant: spec.tenant,
        name: spec.name,
        hash: hash_secret(&secret),
        prefix: secret.chars().take(12).collect(),
        scopes: spec.permissions.into_iter().map(|p| p.name().to_owned()).collect(),
        stores: spec.stores,
        created_at: clock.now(),
        expires_at: spec.expires_at,
        revoked_at: None,
    };
    Ok(NewKey { record, secret })
}

fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(tenant: Option<TenantId>, permissions: &[Permission]) -> KeySpec {
        KeySpec { tenant, name: "k".to_owned(), permissions: permissions.to_vec(), stores: None, expires_at: None }
    }

    #[test]
    fn a_key_opens_its_own_tenant_and_nothing_else() {
        let (tenant, other) = (TenantId::from_parts(1, 1), TenantId::from_parts(1, 2));
        let key = make_key(spec(Some(tenant), &[Permission::Check]), Clock).unwrap();
        let identity = Identity::new(vec![key.record.clone()], vec![tenant, other], None, Clock);
        let header = format!("Bearer {}", key.secret);
        let caller = identity.authenticate(Some(&header), Some(other.as_str())).unwrap();
        assert_eq!(caller.tenant(Permission::Check).unwrap().tenant(), &tenant);
        assert_eq!(caller.tenant(Permission::Write), Err(Refused::Lacks(Permission::Write)));
        assert_eq!(caller.platform(), Err(Refused::NotPlatform));
        assert!(identity.authenticate(Some(&key.secret), None).is_ok());
        assert!(identity.authenticate(Some("Bearer axk_wrong"), None).is_err());
        assert!(identity.authenticate(None, None).is_err());
        identity.expel(&key.record.id);
        assert!(identity.authenticate(Some(&header), None).is_err());
    }

    #[test]
    fn an_expired_key_is_refused() {
        let expired = KeySpec { expires_at: Some(Timestamp::from_millis(1)), ..spec(None, &[]) };
        let key = make_key(expired, Clock).unwrap();
        let identity = Identity::new(vec![key.record], vec![], None, Clock);
        assert_eq!(identity.authenticate(Some(&key.secret), None).unwrap_err(), Refused::Unauthenticated);
    }

    #[test]
    fn a_platform_key_selects_a_tenant_that_exists() {
        let tenant = TenantId::from_parts(1, 1);
        let key = make_key(spec(None, &[]), Clock).unwrap();
        let identity = Identity::new(vec![key.record], vec![tenant], None, Clock);
        let none = identity.authenticate(Some(&key.secret), None).unwrap();
        assert_eq!(none.tenant(Permission::Read), Err(Refused::NoTenant));
        assert!(
            identity.authenticate(Some(&key.secret), Some(tenant.as_str())).unwrap().tenant(Permission::Admin).is_ok()
        );
        assert!(identity.authenticate(Some(&key.secret), Some("01JD0000000000000000000000")).is_err());
    }
}
