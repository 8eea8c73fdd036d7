//! Requests that wait for changes: how many of a tenant, and when they have to end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::api::error::{ApiError, Code};
use crate::api::places::{Place, Places};
use crate::ids::TenantId;

/// All that wait.
pub struct Followers {
    places: Arc<Places>,
    closing: CancellationToken,
}

impl Followers {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { places: Arc::new(Places::new(limit)), closing: CancellationToken::new() }
    }

    /// Lets one more wait; it counts until its place is dropped.
    pub fn enter(&self, tenant: TenantId) -> Result<Place, ApiError> {
        self.places.take(tenant).ok_or_else(|| {
            let limit = self.places.limit();
            let detail = format!("{limit} requests of the tenant wait for changes, as many as may");
            ApiError::new(Code::TooManyFollowers, detail)
        })
    }

    /// Ends all of them.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Waits until all have to end.
    pub async fn closed(&self) {
        self.closing.cancelled().await;
    }
}
