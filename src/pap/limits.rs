//! Whether a change leaves a store within its tenant's limits, and what a tenant has of its own as it is read from storage.

use std::sync::Arc;

use authx_engine::Release;
use serde::de::DeserializeOwned;

use crate::decisions::LogSettings;
use crate::ids::Timestamp;
use crate::limits::TenantLimits;
use crate::pap::error::PapError;
use crate::pap::writer::{Planned, Tentative, Write};
use crate::storage::StorageError;

/// Plans a write. One that adds to what is over a limit already, or leads over one, is refused; one that takes away is not.
pub(super) fn plan(
    write: &dyn Write,
    before: &Tentative,
    now: Timestamp,
    limits: &TenantLimits,
) -> Result<Planned, PapError> {
    let planned = write.plan(before, now)?;
    let (old, new) = (&before.snapshot, &planned.after.snapshot);
    let entities = (old.data().entity_count(), new.data().entity_count());
    check("entities", limits.entities.map(u64::from), entities)?;
    check("tuples", limits.tuples.map(u64::from), (old.tuples().len(), new.tuples().len()))?;
    check("bytes", limits.bytes, (old.bytes(), new.bytes()))?;
    let active = old.release().map_or(0, |release| release.policy_count());
    let made = planned.after.newest.as_ref().filter(|made| !is(before.newest.as_ref(), made));
    for release in [new.release(), made].into_iter().flatten() {
        check("policies", limits.policies.map(u64::from), (active, release.policy_count()))?;
    }
    Ok(planned)
}

fn is(old: Option<&Arc<Release>>, new: &Arc<Release>) -> bool {
    old.is_some_and(|old| Arc::ptr_eq(old, new))
}

fn check(what: &str, limit: Option<u64>, (before, after): (usize, usize)) -> Result<(), PapError> {
    let Some(limit) = limit else { return Ok(()) };
    if after <= before || u64::try_from(after).is_ok_and(|after| after <= limit) {
        return Ok(());
    }
    let message =
        format!("the store has {before} {what} and would have {after}; the tenant's limit `{what}` is {limit}");
    Err(PapError::LimitExceeded { message })
}

/// Limits as they were stored.
pub(crate) fn read(text: &str) -> Result<TenantLimits, PapError> {
    stored(text, "the limits of a tenant do not read")
}

/// How decisions are recorded, as it was stored.
pub(crate) fn read_log_settings(text: &str) -> Result<LogSettings, PapError> {
    stored(text, "the log settings of a tenant do not read")
}

fn stored<T: DeserializeOwned>(text: &str, wrong: &str) -> Result<T, PapError> {
    serde_json::from_str(text).map_err(|_| PapError::Storage(StorageError::Corrupt { what: wrong.to_owned() }))
}
