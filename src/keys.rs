//! API keys: what one may do, how one is made, and the table of those that may be used.
//!
//! A key's secret is 256 random bits; only its SHA-256 is kept. Every key that may be used is in memory, so that a
//! request asks no database. Who a key stands for is for authentication to say.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::{Clock, fill_random};
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
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

/// What a caller may do: made once for a key, so that a request makes nothing.
#[derive(Debug)]
pub struct Grant {
    pub permissions: Vec<Permission>,
    /// `None` is every store of the tenant.
    pub stores: Option<Vec<StoreId>>,
    /// The operator's.
    pub platform: bool,
    /// Who it was, for the record of a change: `key:ID` or `dev`.
    pub actor: String,
}

/// A key that may be used.
#[derive(Debug, Clone)]
pub struct UsableKey {
    id: KeyId,
    hash: [u8; 32],
    /// `None` for a platform key.
    pub tenant: Option<TenantId>,
    pub expires_at: Option<Timestamp>,
    pub grant: Arc<Grant>,
}

impl UsableKey {
    fn new(record: &KeyRecord) -> Self {
        let permissions = match record.tenant {
            Some(_) => record.scopes.iter().filter_map(|name| Permission::parse(name)).collect(),
            None => vec![Permission::Admin],
        };
        let actor = format!("key:{}", record.id);
        let platform = record.tenant.is_none();
        let grant = Grant { permissions, stores: record.stores.clone(), platform, actor };
        Self {
            id: record.id,
            hash: record.hash,
            tenant: record.tenant,
            expires_at: record.expires_at,
            grant: Arc::new(grant),
        }
    }
}

/// The keys that may be used, and the tenants that a platform key may name.
#[derive(Debug)]
pub struct KeyTable {
    keys: ArcSwap<HashMap<[u8; 32], UsableKey>>,
    tenants: ArcSwap<Vec<TenantId>>,
}

impl KeyTable {
    #[must_use]
    pub fn new(keys: &[KeyRecord], tenants: Vec<TenantId>) -> Self {
        let keys = keys.iter().map(|key| (key.hash, UsableKey::new(key))).collect();
        Self { keys: ArcSwap::from_pointee(keys), tenants: ArcSwap::from_pointee(tenants) }
    }

    /// The key that has this secret.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<UsableKey> {
        let hash = hash_secret(secret);
        let keys = self.keys.load();
        keys.get(&hash).filter(|key| bool::from(key.hash.ct_eq(&hash))).cloned()
    }

    #[must_use]
    pub fn has_tenant(&self, id: &TenantId) -> bool {
        self.tenants.load().contains(id)
    }

    /// Lets a key be used from now on.
    pub fn admit(&self, record: &KeyRecord) {
        let key = UsableKey::new(record);
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.insert(key.hash, key.clone());
            keys
        });
    }

    /// Ends a key at once.
    pub fn expel(&self, id: &KeyId) {
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.retain(|_, key| key.id != *id);
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
