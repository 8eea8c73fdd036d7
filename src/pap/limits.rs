//! What a tenant may have. What is not said has its default.

use serde::{Deserialize, Serialize};

use crate::pap::error::PapError;
use crate::storage::StorageError;
use crate::storage::records::Change;

/// Open stores that a tenant may have, when nothing is said.
const STORES: u32 = 100_000;

/// The limits of one tenant, as they are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    stores: Option<u32>,
}

impl TenantLimits {
    /// Open stores, deleted ones not counted.
    #[must_use]
    pub fn stores(self) -> u32 {
        self.stores.unwrap_or(STORES)
    }

    /// Cleared, a limit has its default.
    #[must_use]
    pub fn with_stores(self, stores: Change<u32>) -> Self {
        match stores {
            Change::Keep => self,
            Change::Clear => Self { stores: None },
            Change::Set(stores) => Self { stores: Some(stores) },
        }
    }

    /// # Errors
    /// When the text is none that this version wrote.
    pub fn read(text: &str) -> Result<Self, PapError> {
        serde_json::from_str(text).map_err(|_| {
            PapError::Storage(StorageError::Corrupt { what: "the limits of a tenant do not read".to_owned() })
        })
    }

    #[must_use]
    pub fn text(self) -> String {
        serde_json::json!(self).to_string()
    }
}
