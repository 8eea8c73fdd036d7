//! What a tenant may have and ask for: as it is stored, and a table in memory, so that a request asks no database.
//!
//! Nothing here knows who asks or how a refusal is told.

mod meter;

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::ids::TenantId;
use crate::storage::records::Change;

pub use meter::{Admission, Meter, Refusal, Usage};

/// The limits of one tenant. What is not said has its default; without a default there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    /// Open stores, deleted ones not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stores: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests that may come at once after a pause; as many as in a second when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// Requests in work at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU32>,
    /// Of one store, as `tuples`, `policies` and `bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuples: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<u32>,
    /// Of the names, ids and values of entities, tuples and links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A change of limits; one that is cleared has its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitsChange {
    pub stores: Change<u32>,
    pub requests_per_second: Change<NonZeroU32>,
    pub burst: Change<NonZeroU32>,
    pub concurrency: Change<NonZeroU32>,
    pub entities: Change<u32>,
    pub tuples: Change<u32>,
    pub policies: Change<u32>,
    pub bytes: Change<u64>,
}

impl TenantLimits {
    #[must_use]
    pub fn with(self, change: LimitsChange) -> Self {
        Self {
            stores: changed(self.stores, change.stores),
            requests_per_second: changed(self.requests_per_second, change.requests_per_second),
            burst: changed(self.burst, change.burst),
            concurrency: changed(self.concurrency, change.concurrency),
            entities: changed(self.entities, change.entities),
            tuples: changed(self.tuples, change.tuples),
            policies: changed(self.policies, change.policies),
            bytes: changed(self.bytes, change.bytes),
        }
    }

    /// As it is stored.
    #[must_use]
    pub fn text(self) -> String {
        serde_json::json!(self).to_string()
    }

    fn over(self, defaults: Self) -> Self {
        // A default burst belongs to the default rate.
        let default_burst = if self.requests_per_second.is_some() { None } else { defaults.burst };
        Self {
            stores: self.stores.or(defaults.stores),
            requests_per_second: self.requests_per_second.or(defaults.requests_per_second),
            burst: self.burst.or(default_burst),
            concurrency: self.concurrency.or(defaults.concurrency),
            entities: self.entities.or(defaults.entities),
            tuples: self.tuples.or(defaults.tuples),
            policies: self.policies.or(defaults.policies),
            bytes: self.bytes.or(defaults.bytes),
        }
    }
}

/// A value after a change.
pub(crate) fn changed<T>(value: Option<T>, change: Change<T>) -> Option<T> {
    match change {
        Change::Keep => value,
        Change::Clear => None,
        Change::Set(value) => Some(value),
    }
}

/// A tenant with limits of its own, or with something to count.
#[derive(Debug, Clone)]
struct Entry {
    limits: TenantLimits,
    meter: Option<Arc<Meter>>,
}

/// The limits of all tenants. Readers wait for nobody, so a tenant at its limit holds up no other.
#[derive(Debug)]
pub struct LimitTable {
    defaults: TenantLimits,
    /// Who is missing has the defaults, and nothing to count.
    entries: ArcSwap<imbl::HashMap<TenantId, Entry>>,
}

impl LimitTable {
    #[must_use]
    pub fn new(defaults: TenantLimits, tenants: impl IntoIterator<Item = (TenantId, TenantLimits)>) -> Self {
        let entry = |(tenant, stored): (TenantId, TenantLimits)| Some((tenant, entry(stored, defaults, None)?));
        let entries = tenants.into_iter().filter_map(entry).collect();
        Self { defaults, entries: ArcSwap::from_pointee(entries) }
    }

    /// What stored limits come to.
    #[must_use]
    pub fn effective(&self, stored: TenantLimits) -> TenantLimits {
        stored.over(self.defaults)
    }

    /// The limits of a tenant.
    #[must_use]
    pub fn of(&self, tenant: &TenantId) -> TenantLimits {
        self.entries.load().get(tenant).map_or(self.defaults, |entry| entry.limits)
    }

    /// What counts the tenant's requests; `None` when nothing limits them.
    #[must_use]
    pub fn meter(&self, tenant: &TenantId) -> Option<Arc<Meter>> {
        self.entries.load().get(tenant)?.meter.clone()
    }

    /// Lets these limits hold from now on. What the tenant has used of a rate that stays is not forgotten.
    pub fn set(&self, tenant: TenantId, stored: TenantLimits) {
        self.entries.rcu(|entries| {
            let mut entries = imbl::HashMap::clone(entries);
            let before = entries.get(&tenant).and_then(|entry| entry.meter.clone());
            match entry(stored, self.defaults, before.as_deref()) {
                Some(entry) => drop(entries.insert(tenant, entry)),
                None => drop(entries.remove(&tenant)),
            }
            entries
        });
    }

    /// Forgets a tenant that was deleted.
    pub fn forget(&self, tenant: &TenantId) {
        self.entries.rcu(|entries| entries.without(tenant));
    }
}

fn entry(stored: TenantLimits, defaults: TenantLimits, before: Option<&Meter>) -> Option<Entry> {
    let limits = stored.over(defaults);
    let meter = Meter::new(&limits, before).map(Arc::new);
    (limits != defaults || meter.is_some()).then_some(Entry { limits, meter })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> TenantLimits {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        for (stored, defaults, effective) in [
            ("{}", r#"{"stores":5}"#, r#"{"stores":5}"#),
            (r#"{"stores":9}"#, r#"{"stores":5,"tuples":1}"#, r#"{"stores":9,"tuples":1}"#),
            (r#"{"entities":0}"#, "{}", r#"{"entities":0}"#),
            (r#"{"bytes":5000000000}"#, r#"{"bytes":7}"#, r#"{"bytes":5000000000}"#),
            (r#"{"requests_per_second":9}"#, r#"{"requests_per_second":5,"burst":50}"#, r#"{"requests_per_second":9}"#),
            (r#"{"burst":9}"#, r#"{"requests_per_second":5,"burst":50}"#, r#"{"requests_per_second":5,"burst":9}"#),
        ] {
            let table = LimitTable::new(limits(defaults), []);
            let tenant = TenantId::from_parts(1, 1);
            table.set(tenant, limits(stored));
            assert_eq!(table.of(&tenant).text(), effective);
            assert_eq!(limits(&limits(stored).text()), limits(stored));
        }
    }

    #[test]
    fn who_has_nothing_to_count_takes_no_room() {
        let table = LimitTable::new(TenantLimits::default(), []);
        let tenant = TenantId::from_parts(1, 1);
        table.set(tenant, limits(r#"{"concurrency":1}"#));
        assert!(table.meter(&tenant).is_some() && table.meter(&TenantId::from_parts(1, 2)).is_none());
        table.set(tenant, TenantLimits::default());
        assert!(table.meter(&tenant).is_none() && table.entries.load().is_empty());
    }
}
