//! Requests that wait for changes: how many of a tenant, and when they have to end.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::api::error::{ApiError, Code};
use crate::ids::TenantId;

/// All that wait.
pub struct Followers {
    /// Of one tenant.
    limit: usize,
    waiting: Mutex<HashMap<TenantId, usize>>,
    closing: CancellationToken,
}

/// One that waits; it counts until it is dropped.
pub struct Follower {
    among: Arc<Followers>,
    tenant: TenantId,
}

impl Followers {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default(), closing: CancellationToken::new() }
    }

    /// Lets one more wait.
    pub fn enter(self: &Arc<Self>, tenant: TenantId) -> Result<Follower, ApiError> {
        let mut waiting = self.waiting.lock();
        let count = waiting.entry(tenant).or_default();
        if *count >= self.limit {
            let detail = format!("{} requests of the tenant wait for changes, as many as may", self.limit);
            return Err(ApiError::new(Code::TooManyFollowers, detail));
        }
        *count += 1;
        Ok(Follower { among: Arc::clone(self), tenant })
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

impl Drop for Follower {
    fn drop(&mut self) {
        let mut waiting = self.among.waiting.lock();
        if let Some(count) = waiting.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_its_own_places() {
        let followers = Arc::new(Followers::new(2));
        let enter = |tenant| followers.enter(TenantId::from_parts(1, tenant));
        let (first, _second, _other) = (enter(1).unwrap(), enter(1).unwrap(), enter(2).unwrap());
        assert_eq!(enter(1).err().map(|error| error.code), Some(Code::TooManyFollowers));
        drop(first);
        drop(enter(1).unwrap());
        let _again = enter(1).unwrap();
        assert!(enter(1).is_err());
    }
}
