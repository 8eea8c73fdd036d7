//! Credentials that were refused: counted in memory and told to the decision log once a minute, so that a flood of them is
//! one record for each reason and key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::decisions::{self, DecisionLog, Prepared};
use crate::ids::{TenantId, Timestamp};
use crate::keys::Refusal;

const MINUTE: Duration = Duration::from_mins(1);

/// The refusals since the last time that they were told.
#[derive(Debug)]
pub struct Refusals {
    counts: Mutex<(Timestamp, HashMap<Refusal, u64>)>,
    clock: Clock,
}

impl Refusals {
    pub(super) fn new(clock: Clock) -> Self {
        Self { counts: Mutex::new((clock.now(), HashMap::new())), clock }
    }

    pub(super) fn note(&self, refusal: Refusal) {
        *self.counts.lock().1.entry(refusal).or_default() += 1;
    }

    /// Tells the log every minute, until it is dropped.
    pub async fn run(self: Arc<Self>, log: Arc<DecisionLog>) {
        loop {
            tokio::time::sleep(MINUTE).await;
            self.tell(&log).await;
        }
    }

    /// Tells the log what was refused since the last time: a tenant's log of its keys, the platform's of the rest.
    pub async fn tell(&self, log: &DecisionLog) {
        let (since, counts) = std::mem::replace(&mut *self.counts.lock(), (self.clock.now(), HashMap::new()));
        let mut records: HashMap<TenantId, Vec<Prepared>> = HashMap::new();
        for (refusal, count) in counts {
            let tenant = refusal.key.and_then(|(tenant, _)| tenant).unwrap_or_else(TenantId::platform);
            let principal = refusal.key.map_or_else(|| "unknown".to_owned(), |(_, key)| format!("key:{key}"));
            let refused =
                decisions::Refusals { principal, action: "login", reason: refusal.reason.name(), since, count };
            records.entry(tenant).or_default().push(refused.prepare(self.clock.ulid()));
        }
        for (tenant, records) in records {
            // What could not be written waits in the log.
            if let Err(error) = log.keep(&tenant, records).await {
                tracing::error!(%tenant, %error, "refused credentials are not recorded yet");
            }
        }
    }
}
