//! API keys: what one may do, how one is made, and the table of those that may be used.
//!
//! A key's secret is 256 random bits; only its SHA-256 is kept. Every key that may be used is in memory, so that a
//! request asks no database. Who a key stands for is for authentication to say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::{Clock, fill_random};
use crate::ids::{KeyId, StoreId, TenantId, Timestamp};
use crate::storage::records::{KeyRecord, KeySecret};

/// A use that is this much younger than the one before is not noted: threads that answer share the place.
const USE_STEP_MILLIS: i64 = 1_000;

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
    /// `None` for who needs none, in `--dev`.
    pub key: Option<KeyId>,
    /// The key's name.
    pub name: Option<String>,
    pub permissions: Vec<Permission>,
    /// `None` is every store of the tenant.
    pub stores: Option<Vec<StoreId>>,
    /// The operator's.
    pub platform: bool,
    /// Who it was, for the record of a change: `key:ID` or `dev`.
    pub actor: String,
}

/// A key that may be used, or might be until it was revoked.
#[derive(Debug)]
struct KnownKey {
    id: KeyId,
    hash: [u8; 32],
    /// `None` for a platform key.
    tenant: Option<TenantId>,
    expires_at: Option<Timestamp>,
    revoked: AtomicBool,
    grant: Arc<Grant>,
    /// Milliseconds of the last use, 0 before the first; and what storage has of it.
    used: AtomicI64,
    saved: AtomicI64,
}

impl KnownKey {
    fn new(record: &KeyRecord) -> Self {
        let permissions = match record.tenant {
            Some(_) => record.scopes.iter().filter_map(|name| Permission::parse(name)).collect(),
            None => vec![Permission::Admin],
        };
        let actor = format!("key:{}", record.id);
        let platform = record.tenant.is_none();
        let (key, name, stores) = (Some(record.id), Some(record.name.clone()), record.stores.clone());
        let grant = Grant { key, name, permissions, stores, platform, actor };
        let used = record.last_used_at.map_or(0, Timestamp::as_millis);
        Self {
            id: record.id,
            hash: record.hash,
            tenant: record.tenant,
            expires_at: record.expires_at,
            revoked: AtomicBool::new(record.revoked_at.is_some()),
            grant: Arc::new(grant),
            used: AtomicI64::new(used),
            saved: AtomicI64::new(used),
        }
    }

    /// The same key as another one that it takes the place of: what was noted of its use stays.
    fn after(self, before: &Self) -> Self {
        self.used.fetch_max(before.used.load(Ordering::Relaxed), Ordering::Relaxed);
        self.saved.fetch_max(before.saved.load(Ordering::Relaxed), Ordering::Relaxed);
        self
    }

    fn note_use(&self, now: Timestamp) {
        if now.as_millis() - self.used.load(Ordering::Relaxed) >= USE_STEP_MILLIS {
            self.used.store(now.as_millis(), Ordering::Relaxed);
        }
    }
}

/// Whom a secret stands for.
#[derive(Debug)]
pub struct Holder {
    /// `None` for a platform key.
    pub tenant: Option<TenantId>,
    pub grant: Arc<Grant>,
}

/// Why a secret opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is no key, or one of a tenant that was deleted.
    Unknown,
    Revoked,
    Expired,
}

impl Reason {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// A secret that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal {
    pub reason: Reason,
    /// The key and whose it is, when it is one.
    pub key: Option<(Option<TenantId>, KeyId)>,
}

/// The keys that may be used or were revoked, and the tenants that a platform key may name.
#[derive(Debug)]
pub struct KeyTable {
    keys: ArcSwap<HashMap<[u8; 32], Arc<KnownKey>>>,
    tenants: ArcSwap<HashSet<TenantId>>,
}

impl KeyTable {
    #[must_use]
    pub fn new(keys: &[KeyRecord], tenants: Vec<TenantId>) -> Self {
        let keys = keys.iter().map(|key| (key.hash, Arc::new(KnownKey::new(key)))).collect();
        Self { keys: ArcSwap::from_pointee(keys), tenants: ArcSwap::from_pointee(tenants.into_iter().collect()) }
    }

    /// Who has this secret, unless the key was revoked or its time is over; notes that it was used.
    ///
    /// # Errors
    /// When it opens nothing.
    pub fn find(&self, secret: &str, now: Timestamp) -> Result<Holder, Refusal> {
        let hash = hash_secret(secret);
        let keys = self.keys.load();
        let known = keys.get(&hash).filter(|key| bool::from(key.hash.ct_eq(&hash)));
        let key = known.ok_or(Refusal { reason: Reason::Unknown, key: None })?;
        let refusal = |reason| Refusal { reason, key: Some((key.tenant, key.id)) };
        if key.revoked.load(Ordering::Acquire) {
            return Err(refusal(Reason::Revoked));
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(refusal(Reason::Expired));
        }
        key.note_use(now);
        Ok(Holder { tenant: key.tenant, grant: Arc::clone(&key.grant) })
    }

    #[must_use]
    pub fn has_tenant(&self, id: &TenantId) -> bool {
        self.tenants.load().contains(id)
    }

    /// Lets a key be used from now on, as the record says, or not any more; one that was there is replaced.
    pub fn admit(&self, record: &KeyRecord) {
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            let key = KnownKey::new(record);
            let key = match keys.get(&record.hash) {
                Some(before) => key.after(before),
                None => key,
            };
            keys.insert(record.hash, Arc::new(key));
            keys
        });
    }

    /// Revokes a key at once.
    pub fn revoke(&self, id: &KeyId) {
        for key in self.keys.load().values().filter(|key| key.id == *id) {
            key.revoked.store(true, Ordering::Release);
        }
    }

    /// Lets a tenant be named by a platform key.
    pub fn admit_tenant(&self, id: TenantId) {
        self.tenants.rcu(|tenants| {
            let mut tenants = HashSet::clone(tenants);
            tenants.insert(id);
            tenants
        });
    }

    /// Ends every key of a tenant at once, and its being named.
    pub fn expel_tenant(&self, id: &TenantId) {
        self.tenants.rcu(|tenants| {
            let mut tenants = HashSet::clone(tenants);
            tenants.remove(id);
            tenants
        });
        self.keys.rcu(|keys| {
            let mut keys = HashMap::clone(keys);
            keys.retain(|_, key| key.tenant != Some(*id));
            keys
        });
    }

    /// When each key was used last, of those that ever were.
    #[must_use]
    pub fn uses(&self) -> HashMap<KeyId, Timestamp> {
        let keys = self.keys.load();
        let used = keys.values().map(|key| (key.id, Timestamp::from_millis(key.used.load(Ordering::Relaxed))));
        used.filter(|(_, at)| at.as_millis() > 0).collect()
    }

    /// The last uses that storage does not have yet.
    #[must_use]
    pub fn unsaved_uses(&self) -> Vec<(KeyId, Timestamp)> {
        let of = |key: &Arc<KnownKey>| {
            let (used, saved) = (key.used.load(Ordering::Relaxed), key.saved.load(Ordering::Relaxed));
            (used > saved).then(|| (key.id, Timestamp::from_millis(used)))
        };
        self.keys.load().values().filter_map(of).collect()
    }

    /// Notes what storage has now.
    pub fn saved_uses(&self, saved: &[(KeyId, Timestamp)]) {
        let saved: HashMap<&KeyId, &Timestamp> = saved.iter().map(|(id, at)| (id, at)).collect();
        for key in self.keys.load().values() {
            if let Some(at) = saved.get(&key.id) {
                key.saved.fetch_max(at.as_millis(), Ordering::Relaxed);
            }
        }
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
    let (KeySecret { id, hash, prefix, created_at }, secret) = make_secret(clock)?;
    let record = KeyRecord {
        id,
        tenant: spec.tenant,
        name: spec.name,
        hash,
        prefix,
        scopes: spec.permissions.into_iter().map(|p| p.name().to_owned()).collect(),
        stores: spec.stores,
        created_at,
        expires_at: spec.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Ok(NewKey { record, secret })
}

/// Makes what is secret in a key: what is kept of it, and what is shown once.
///
/// # Errors
/// When the operating system has no randomness.
pub fn make_secret(clock: Clock) -> Result<(KeySecret, String), getrandom::Error> {
    let mut bytes = [0; 32];
    fill_random(&mut bytes)?;
    let secret = format!("axk_{}", URL_SAFE_NO_PAD.encode(bytes));
    let (hash, prefix) = (hash_secret(&secret), secret.chars().take(12).collect());
    Ok((KeySecret { id: clock.key_id(), hash, prefix, created_at: clock.now() }, secret))
}

fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
