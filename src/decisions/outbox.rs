//! From the outbox of storage to the log: a change is stored with what is told of it, and this tells it, once.
//!
//! An event leaves storage when the disk has its record. After a kill or a failure it is not known which events were
//! recorded: then the log is read for their ids first.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use ulid::Ulid;

use super::journal::Prepared;
use super::log::{DecisionLog, LogError};
use super::query::SLACK;
use super::segment::{self, Opening, Step};
use super::summary::Summary;
use crate::ids::TenantId;
use crate::storage::records::OutboxRecord;
use crate::storage::{Storage, StorageError};

/// Events that are recorded by one flush of the disk.
const PAGE: u32 = 256;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Why events are still in storage. They are told later.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutboxError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the decision log could not be read")]
    Unreadable(#[from] std::io::Error),
    #[error("the work was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Tells the log what storage holds for it.
pub struct Outbox {
    storage: Storage,
    log: Arc<DecisionLog>,
    /// Held by who tells. Whether everything in storage is known not to be in the log.
    sure: Mutex<bool>,
}

impl Outbox {
    #[must_use]
    pub fn new(storage: Storage, log: Arc<DecisionLog>) -> Self {
        Self { storage, log, sure: Mutex::new(false) }
    }

    /// Tells again and again, until it is dropped.
    pub async fn run(self: Arc<Self>) {
        loop {
            self.drain().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells everything that was stored before. What fails is tried again with the next call.
    pub async fn drain(&self) {
        let mut sure = self.sure.lock().await;
        // Until it is through: a caller may be gone in the middle.
        let known = std::mem::replace(&mut *sure, false);
        match self.tell_all(known).await {
            Ok(told) => *sure = told,
            Err(error) => tracing::error!(%error, "changes wait for the decision log and cannot be read"),
        }
    }

    /// Tells every log its events; `false` when one of them could not be told all.
    async fn tell_all(&self, sure: bool) -> Result<bool, StorageError> {
        let (mut behind, mut all): (Option<TenantId>, bool) = (None, true);
        loop {
            let events = self.storage.outbox.next(behind.as_ref(), PAGE).await?;
            let Some(log) = events.first().map(|first| first.event.log) else { return Ok(all) };
            let more = events.len() == PAGE as usize;
            let told = self.tell(log, events, sure).await;
            if let Err(error) = &told {
                tracing::error!(tenant = %log, %error, "changes could not be recorded; they are kept");
                all = false;
            }
            // One log that fails holds up no other.
            if told.is_err() || !more {
                behind = Some(log);
            }
        }
    }

    async fn tell(&self, log: TenantId, events: Vec<OutboxRecord>, sure: bool) -> Result<(), OutboxError> {
        let Some(through) = events.last().map(|last| last.number) else { return Ok(()) };
        for ended in events.iter().filter_map(|event| event.event.ends) {
            self.log.remove(&ended).await?;
        }
        let records = events.into_iter().map(|event| Prepared::of_content(event.event.content.into_bytes()));
        let mut records: Vec<Prepared> = records.collect();
        if !sure {
            // What still waits to be written from an earlier try is then in the files.
            self.log.keep(&log, Vec::new()).await?;
            let (dir, ids) = (self.log.dir(&log), records.iter().map(|record| record.id).collect::<HashSet<_>>());
            let recorded = tokio::task::spawn_blocking(move || recorded(&dir, &ids)).await??;
            records.retain(|record| !recorded.contains(&record.id));
        }
        self.log.keep(&log, records).await?;
        Ok(self.storage.outbox.forget(&log, through).await?)
    }
}

/// Which of these ids are in a tenant's files. Reads from the newest segment back to the first that was begun before any
/// of them was made.
fn recorded(dir: &Path, wanted: &HashSet<u128>) -> std::io::Result<HashSet<u128>> {
    let oldest = wanted.iter().map(|id| Ulid(*id).timestamp_ms()).min().unwrap_or(u64::MAX).saturating_sub(SLACK);
    let mut found = HashSet::new();
    for number in segment::list(dir)?.into_iter().rev() {
        let mut older = false;
        segment::walk(&segment::path(dir, number), None, &mut |at, step, _| {
            let Step::Good(line) = step else { return };
            let Some(content) = line.content() else { return };
            if at.line == 1 {
                older = Opening::read(content).is_some_and(|opening| opening.began_before(oldest));
            }
            let id = Summary::read(content).entry(0, 0).id;
            if wanted.contains(&id) {
                found.insert(id);
            }
        })?;
        if older {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
