//! How a tenant's decisions are recorded where it is not as configured: as it is stored, and a table in memory, so that a
//! decision asks no database.

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::log::Mode;
use super::mask::Mask;
use crate::ids::TenantId;
use crate::limits::changed;
use crate::storage::records::Change;

/// What one tenant has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Of a million allows, how many are recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allows_per_million: Option<u32>,
    /// Beside those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masks: Option<Vec<Mask>>,
}

/// A change of settings; one that is cleared is as configured.
#[derive(Debug, Default)]
pub struct LogSettingsChange {
    pub mode: Change<Mode>,
    pub allows_per_million: Change<u32>,
    pub masks: Change<Vec<Mask>>,
}

impl LogSettings {
    #[must_use]
    pub fn with(self, change: LogSettingsChange) -> Self {
        Self {
            mode: changed(self.mode, change.mode),
            allows_per_million: changed(self.allows_per_million, change.allows_per_million),
            masks: changed(self.masks, change.masks),
        }
    }

    /// As it is stored.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }
}

/// How decisions are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub mode: Mode,
    /// Of a million allows, how many are recorded.
    pub allows_per_million: u32,
    pub masks: Vec<Mask>,
}

/// The rules of all tenants. Readers wait for nobody.
#[derive(Debug)]
pub(super) struct RuleTable {
    defaults: Rules,
    /// Who is missing has the defaults.
    tenants: ArcSwap<imbl::HashMap<TenantId, Rules>>,
}

impl RuleTable {
    pub(super) fn new(defaults: Rules) -> Self {
        Self { defaults, tenants: ArcSwap::default() }
    }

    /// What stored settings come to.
    pub(super) fn effective(&self, stored: LogSettings) -> Rules {
        let LogSettings { mode, allows_per_million, masks } = stored;
        Rules {
            mode: mode.unwrap_or(self.defaults.mode),
            allows_per_million: allows_per_million.unwrap_or(self.defaults.allows_per_million),
            masks: [self.defaults.masks.clone(), masks.unwrap_or_default()].concat(),
        }
    }

    /// Reads the rules of a tenant.
    pub(super) fn of<T>(&self, tenant: &TenantId, read: impl FnOnce(&Rules) -> T) -> T {
        read(self.tenants.load().get(tenant).unwrap_or(&self.defaults))
    }

    /// Lets these settings hold from now on.
    pub(super) fn set(&self, tenant: TenantId, stored: LogSettings) {
        let rules = self.effective(stored);
        self.tenants.rcu(|tenants| {
            if rules == self.defaults { tenants.without(&tenant) } else { tenants.update(tenant, rules.clone()) }
        });
    }

    /// Forgets a tenant that was deleted.
    pub(super) fn forget(&self, tenant: &TenantId) {
        self.tenants.rcu(|tenants| tenants.without(tenant));
    }
}
