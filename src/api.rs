//! The HTTP API. Handlers parse, call one use case and answer; nothing is decided here.

pub mod admission;
pub mod error;
pub mod evolution;
pub mod extract;
pub mod followers;
pub mod lines;
pub mod listing;
pub mod middleware;
pub mod once;
pub mod openapi;
pub mod openfga;
pub mod paging;
pub mod pieces;
pub mod places;
pub mod routes;
pub mod service;
pub mod v1;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::api::error::{ApiError, Code};
use crate::api::places::Place;
use crate::clock::Clock;
use crate::decisions::{DecisionLog, Outbox};
use crate::identity::Identity;
use crate::ids::TenantId;
use crate::limits::LimitTable;
use crate::pap::{Administration, Releases, Stores, Writers};
use crate::pdp::Pdp;
use crate::replica::Replica;
use crate::storage::Storage;

pub use followers::Followers;
pub use middleware::track;
pub use openapi::document;
pub use places::Places;
pub use routes::configure;

/// What the handlers call.
pub struct Services {
    pub identity: Arc<Identity>,
    pub replica: Arc<Replica>,
    pub pdp: Pdp,
    pub writers: Writers,
    pub decisions: Arc<DecisionLog>,
    pub outbox: Arc<Outbox>,
    pub stores: Stores,
    pub releases: Releases,
    pub administration: Administration,
    pub storage: Storage,
    pub followers: Arc<Followers>,
    /// Of batches of checks.
    pub batches: Arc<Places>,
    /// Of imports, exports and lists as lines.
    pub transfers: Arc<Places>,
    /// Of logs that are verified.
    pub verifications: Arc<Places>,
    pub limits: Arc<LimitTable>,
    pub clock: Clock,
    /// The process was told to end.
    pub draining: CancellationToken,
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
}

impl Services {
    /// A place among what a tenant may have in transfer at once.
    ///
    /// # Errors
    /// When it has as much as it may.
    pub fn transfer(&self, tenant: TenantId) -> Result<Place, ApiError> {
        self.transfers.take(tenant).ok_or_else(|| {
            let limit = self.transfers.limit();
            let detail = format!("{limit} imports, exports and lists of the tenant are in work, as many as may be");
            ApiError::new(Code::TooManyTransfers, detail)
        })
    }
}
