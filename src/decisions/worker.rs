//! The thread that writes every tenant's decisions: it takes what waits, in batches, and tells those who wait.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::journal::{Journal, Prepared};
use super::log::{Answer, Pending, Queue, Shared, Waiting};
use crate::ids::TenantId;

/// How long records wait for company before they are written, and between two flushes of the disk.
const LINGER: Duration = Duration::from_millis(50);
const SYNC_EVERY: Duration = Duration::from_secs(1);
const TRIM_EVERY: Duration = Duration::from_mins(1);
/// Records of one write, which no check on the same core should have to wait for.
const BATCH: usize = 256;

/// The thread's own.
pub(super) struct Worker {
    shared: Arc<Shared>,
    journals: HashMap<TenantId, Journal>,
    synced: Instant,
    trimmed: Instant,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { shared, journals: HashMap::new(), synced: now, trimmed: now }
    }

    pub(super) fn run(mut self) {
        loop {
            let (waiting, closing) = self.wait();
            for queue in waiting {
                self.write_all(&queue);
            }
            if closing || self.synced.elapsed() >= SYNC_EVERY {
                self.each_journal(|_, journal| journal.sync());
                self.synced = Instant::now();
            }
            if self.trimmed.elapsed() >= TRIM_EVERY {
                self.trim();
                self.trimmed = Instant::now();
            }
            if closing {
                return;
            }
        }
    }

    /// The queues that have work. Records wait a little for others, unless somebody waits for them.
    fn wait(&self) -> (Vec<Arc<Queue>>, bool) {
        let shared = &self.shared;
        let mut work = shared.work.lock();
        while work.waiting.is_empty() && !work.closing {
            if shared.wake.wait_for(&mut work, SYNC_EVERY).timed_out() {
                return (Vec::new(), false);
            }
        }
        let until = Instant::now() + LINGER;
        while !work.urgent && !work.closing && !shared.wake.wait_until(&mut work, until).timed_out() {}
        work.urgent = false;
        (std::mem::take(&mut work.waiting), work.closing)
    }

    /// Deletes what is too old or too much; not beside an erasure. One that begins after this look waits for this thread
    /// before it touches a file.
    fn trim(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.each_journal(|tenant, journal| if shared.is_erasing(tenant) { Ok(()) } else { journal.trim().map(drop) });
    }

    fn each_journal(&mut self, act: impl Fn(&TenantId, &mut Journal) -> std::io::Result<()>) {
        for (tenant, journal) in &mut self.journals {
            if let Err(error) = act(tenant, journal) {
                tracing::error!(%tenant, %error, "the decision log could not be kept");
            }
        }
    }

    /// Writes everything that a queue holds; what cannot be written stays there.
    fn write_all(&mut self, queue: &Arc<Queue>) {
        let Pending { mut records, shed, flushed, durably, closes, ended, .. } = {
            let mut pending = queue.pending.lock();
            std::mem::take(&mut *pending)
        };
        queue.room.notify_waiters();
        let written = if ended {
            self.remove(&queue.tenant)
        } else {
            self.write(queue, &mut records, shed, durably).and_then(|()| self.close_segment(queue, closes))
        };
        queue.failing.store(written.is_err(), Ordering::Release);
        match written {
            Ok(()) => {
                for done in flushed {
                    // Who asked may have gone.
                    let _ = done.send(());
                }
            }
            Err(error) => {
                tracing::error!(tenant = %queue.tenant, %error, "decisions could not be written; they are kept");
                metrics::counter!("authx_decision_log_errors_total").increment(1);
                let mut pending = queue.pending.lock();
                pending.bytes += records.iter().map(|(record, _)| record.weight()).sum::<usize>();
                pending.shed += shed;
                pending.closes = pending.closes.or(closes);
                pending.ended |= ended;
                records.append(&mut pending.records);
                pending.records = records;
                // The next round tries again, a little later.
                pending.listed = true;
                self.shared.work.lock().waiting.push(Arc::clone(queue));
                std::thread::sleep(LINGER);
            }
        }
    }

    /// Writes records in batches and takes those that are written out of `records`.
    fn write(
        &mut self,
        queue: &Queue,
        records: &mut VecDeque<Waiting>,
        shed: u64,
        durably: bool,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let journal = self.journal(queue)?;
        let mut answers = Vec::new();
        while !records.is_empty() {
            let count = BATCH.min(records.len());
            journal.append(records.iter().take(count).map(|(record, _)| record))?;
            // They are in the file, once, whatever fails from here on; who waits is then told nothing.
            answers.extend(records.drain(..count).filter_map(|(_, answer)| answer));
            metrics::counter!("authx_decision_log_records_total").increment(count as u64);
        }
        if durably || !answers.is_empty() {
            journal.sync()?;
        }
        for Answer { count, done } in answers {
            // They may be answered from here on, so they count from here on.
            queue.counter.add(count)?;
            let _ = done.send(());
        }
        if shed > 0 {
            journal.append([Prepared::gap("the queue was full", shed, shared.clock)].iter())?;
            metrics::counter!("authx_decision_log_gaps_total").increment(shed);
        }
        Ok(())
    }

    fn close_segment(&mut self, queue: &Queue, number: Option<u64>) -> std::io::Result<()> {
        let Some(number) = number else { return Ok(()) };
        self.journal(queue)?.close_segment(number)
    }

    /// Removes a chain; the next record of its tenant, if there ever is one, begins another.
    fn remove(&mut self, tenant: &TenantId) -> std::io::Result<()> {
        self.journals.remove(tenant);
        self.shared.forget(tenant);
        match std::fs::remove_dir_all(self.shared.dir.join(tenant.as_str())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The tenant's chain, taken up when it is needed first. Decisions that were answered before and are not in it are
    /// a gap.
    fn journal(&mut self, queue: &Queue) -> std::io::Result<&mut Journal> {
        use std::collections::hash_map::Entry;
        let shared = &self.shared;
        match self.journals.entry(queue.tenant) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(vacant) => {
                let dir = shared.dir.join(queue.tenant.as_str());
                let tokens = shared.tokens.clone();
                let mut journal = Journal::open(&dir, queue.tenant, shared.options.retention, tokens, shared.clock)?;
                match queue.counted.checked_sub(journal.decisions()) {
                    Some(0) => {}
                    Some(lost) => {
                        tracing::warn!(tenant = %queue.tenant, lost, "decisions were answered and not recorded");
                        journal.append([Prepared::gap("the process was stopped", lost, shared.clock)].iter())?;
                    }
                    // Recorded and not counted: stopped between the two.
                    None => queue.counter.add(journal.decisions() - queue.counted)?,
                }
                Ok(vacant.insert(journal))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decisions::tests::{options, start, tenant, written};
    use crate::decisions::{Mode, Retention, segment};

    #[test]
    fn no_file_is_deleted_beside_an_erasure() {
        let dir = tempfile::tempdir().unwrap();
        let folder = written(dir.path(), 100, 4_000);
        let mut options = options(Mode::Async);
        options.retention = Retention { kept: Duration::ZERO, ..options.retention };
        let log = start(dir.path(), options);
        let queue = log.shared.queue(&tenant()).unwrap();
        let mut worker = Worker::new(Arc::clone(&log.shared));
        worker.journal(&queue).unwrap();
        let files = segment::list(&folder).unwrap();
        let turn = queue.erasing.try_lock().unwrap();
        worker.trim();
        assert_eq!(segment::list(&folder).unwrap(), files);
        drop(turn);
        worker.trim();
        assert_eq!(segment::list(&folder).unwrap(), files[files.len() - 1..]);
        log.close();
    }
}
