//! Erasing from a log that is being written: the writer closes the file that it writes to, if something in it is to go, and
//! deletes none meanwhile. Closed files are then rewritten beside it, so nobody waits for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::OwnedMutexGuard;

use super::{EraseError, Erasure, take_out, verified};
use crate::decisions::journal::Prepared;
use crate::decisions::log::{DecisionLog, Queue};
use crate::decisions::segment::{self, Step};
use crate::decisions::summary::Summary;
use crate::ids::TenantId;

/// The turn to take decisions out of a tenant's log.
#[derive(Debug)]
pub struct Erasing<'a> {
    log: &'a DecisionLog,
    queue: Arc<Queue>,
    dir: PathBuf,
    _turn: OwnedMutexGuard<()>,
}

impl DecisionLog {
    /// Waits until nobody else takes something out of a tenant's log.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub async fn erasing(&self, tenant: &TenantId) -> Result<Erasing<'_>, EraseError> {
        let queue = self.shared.queue(tenant)?;
        let turn = Arc::clone(&queue.erasing).lock_owned().await;
        Ok(Erasing { log: self, queue, dir: self.dir(tenant), _turn: turn })
    }
}

impl Erasing<'_> {
    /// Takes out decisions that were recorded before, and tells how many they were. As [`super::erase`] does, it notes so in the
    /// chain.
    ///
    /// # Errors
    /// When the chain is not whole, files cannot be written or the server is being stopped. What was taken out until then is
    /// out.
    pub async fn erase(&self, which: Erasure, note: impl FnOnce(u64) -> String) -> Result<u64, EraseError> {
        let (tenant, which) = (self.queue.tenant, Arc::new(which));
        // What waits is then in the files.
        self.log.keep(&tenant, Vec::new()).await?;
        let (dir, wanted) = (self.dir.clone(), Arc::clone(&which));
        if let Some(last) = blocking(move || last_with(&dir, &wanted)).await? {
            self.log.close_segment(&self.queue, last).await?;
        }
        let (dir, shared) = (self.dir.clone(), Arc::clone(&self.log.shared));
        let work = move || {
            verified(&dir, tenant, &shared.tokens)?;
            let mut count = 0;
            let stopped = || shared.ending.load(Ordering::Acquire);
            let taken = take_out(&dir, &closed(&dir)?, &which, &stopped, &mut count);
            Ok((count, taken))
        };
        let (count, taken) = blocking(work).await?;
        if count > 0 {
            self.log.keep(&tenant, vec![Prepared::of_content(note(count).into_bytes())]).await?;
        }
        taken.map(|()| count)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EraseError> + Send + 'static,
) -> Result<T, EraseError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(EraseError::Stopped))
}

/// The last segment, if something in it is to go.
fn last_with(dir: &Path, which: &Erasure) -> Result<Option<u64>, EraseError> {
    let Some(last) = segment::list(dir)?.last().copied() else { return Ok(None) };
    let mut found = false;
    segment::walk(&segment::path(dir, last), None, &mut |_, step, _| {
        found |= matches!(step, Step::Good(line) if which.is(&Summary::of(&line)));
    })?;
    Ok(found.then_some(last))
}

/// The segments that nobody writes to any more.
fn closed(dir: &Path) -> Result<Vec<u64>, EraseError> {
    let mut numbers = segment::list(dir)?;
    numbers.pop();
    Ok(numbers)
}
