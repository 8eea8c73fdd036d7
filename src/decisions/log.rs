//! Decisions on their way to the chain: a bounded queue for each tenant, and one thread that writes them all.
//!
//! A decision is counted before it is answered, so that a kill tells how many were lost. `sync` answers when the disk
//! has the record: many decisions wait for one flush.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot};

use super::content::Record;
use super::counter::Counter;
use super::journal::{Journal, Prepared, Retention};
use super::mask::Mask;
use crate::clock::Clock;
use crate::ids::TenantId;
use crate::tokens::Tokens;

/// When an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At once; the record is written soon after.
    Async,
    /// When the disk has the record.
    Sync,
    /// At once, and nothing is recorded.
    Off,
}

/// What happens to a decision for which the queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// It waits for room a while, and then there is no answer.
    Wait,
    /// It is answered and not recorded; the log tells how many were not.
    Shed,
}

/// How decisions are recorded.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub mode: Mode,
    pub when_full: WhenFull,
    /// Records and bytes that one tenant's queue holds.
    pub queue_records: usize,
    pub queue_bytes: usize,
    /// The most that a decision waits for room, or in `sync` for the disk.
    pub wait: Duration,
    /// Of a million allows, how many are recorded.
    pub allows_per_million: u32,
    pub masks: Vec<Mask>,
    pub retention: Retention,
}

/// Why a decision could not be recorded, so that it must not be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the decision log has no room, and none came in time")]
    Full,
    #[error("the decision log could not be written")]
    NotWritten,
}

/// How long records wait for company before they are written, and between two flushes of the disk.
const LINGER: Duration = Duration::from_millis(50);
const SYNC_EVERY: Duration = Duration::from_secs(1);
const TRIM_EVERY: Duration = Duration::from_secs(60);
/// Records of one write.
const BATCH: usize = 4_096;

/// Records decisions.
#[derive(Debug)]
pub struct DecisionLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    options: LogOptions,
    tokens: Tokens,
    clock: Clock,
    queues: ArcSwap<HashMap<TenantId, Arc<Queue>>>,
    work: Mutex<Work>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    waiting: Vec<Arc<Queue>>,
    /// Somebody waits for the disk or the file.
    urgent: bool,
    closing: bool,
}

#[derive(Debug)]
struct Queue {
    tenant: TenantId,
    counter: Counter,
    /// What the counter said before this process.
    counted: u64,
    pending: Mutex<Pending>,
    room: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    records: Vec<(Record, Option<oneshot::Sender<()>>)>,
    bytes: usize,
    shed: u64,
    /// Told when everything before is in the file.
    flushed: Vec<oneshot::Sender<()>>,
    /// It is in the list of those that have work.
    listed: bool,
}

impl DecisionLog {
    /// A log in a folder, with its thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(dir: PathBuf, options: LogOptions, tokens: Tokens, clock: Clock) -> std::io::Result<Self> {
        let (queues, work, wake) = (ArcSwap::default(), Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { dir, options, tokens, clock, queues, work, wake });
        // What a kill lost is told at the start, not with the tenant's next decision.
        for tenant in shared.known_tenants() {
            if let Err(error) = shared.queue(&tenant).map(|queue| shared.list(&queue, &mut queue.pending.lock(), false))
            {
                tracing::error!(%tenant, %error, "the decision log cannot be taken up");
            }
        }
        let worker = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("decisions".to_owned()).spawn(move || Worker::new(worker).run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The folder of one tenant's chain.
    #[must_use]
    pub fn dir(&self, tenant: &TenantId) -> PathBuf {
        self.shared.dir.join(tenant.as_str())
    }

    /// Records a decision. When this returns it may be answered.
    ///
    /// # Errors
    /// When it cannot be recorded, so that it must not be answered.
    pub async fn record(&self, record: Record) -> Result<(), LogError> {
        let options = &self.shared.options;
        if options.mode == Mode::Off || self.left_out(&record) {
            return Ok(());
        }
        let queue = self.shared.queue(&record.tenant).map_err(|error| {
            tracing::error!(tenant = %record.tenant, %error, "the decision log cannot be opened");
            LogError::NotWritten
        })?;
        match options.mode {
            Mode::Off => Ok(()),
            Mode::Async => {
                let recorded = self.push(&queue, record, None).await?;
                // Counted first would be a gap if the answer never came; counted after the push, it can at most be
                // recorded and not counted, which is no loss.
                queue.counter.add(1).map_err(|_| LogError::NotWritten)?;
                if !recorded {
                    queue.pending.lock().shed += 1;
                }
                Ok(())
            }
            Mode::Sync => {
                let (done, written) = oneshot::channel();
                self.push(&queue, record, Some(done)).await?;
                match tokio::time::timeout(options.wait, written).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) | Err(_) => Err(LogError::NotWritten),
                }
            }
        }
    }

    /// Waits until everything that was recorded before is in the files.
    pub async fn flush(&self, tenant: &TenantId) {
        let Some(queue) = self.shared.queues.load().get(tenant).cloned() else { return };
        let (done, flushed) = oneshot::channel();
        {
            let mut pending = queue.pending.lock();
            pending.flushed.push(done);
            self.shared.list(&queue, &mut pending, true);
        }
        let _ = tokio::time::timeout(self.shared.options.wait, flushed).await;
    }

    /// Writes what waits, and ends the thread. Nothing may be recorded any more.
    pub fn close(&self) {
        self.shared.work.lock().closing = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }

    /// Whether sampling leaves it out: by the id, so that nobody can choose.
    fn left_out(&self, record: &Record) -> bool {
        const MILLION: u32 = 1_000_000;
        let kept = self.shared.options.allows_per_million;
        kept < MILLION
            && record.allowed()
            && u32::try_from(record.id.random() % u128::from(MILLION)).unwrap_or(0) >= kept
    }

    /// Puts a record into the queue; `false` when there is no room and it is to be shed.
    async fn push(
        &self,
        queue: &Arc<Queue>,
        record: Record,
        done: Option<oneshot::Sender<()>>,
    ) -> Result<bool, LogError> {
        let options = &self.shared.options;
        let (weight, urgent) = (record.weight(), done.is_some());
        let mut record = Some((record, done));
        let mut try_push = || {
            let mut pending = queue.pending.lock();
            let full = pending.records.len() >= options.queue_records || pending.bytes + weight > options.queue_bytes;
            if full && !pending.records.is_empty() {
                return false;
            }
            pending.records.extend(record.take());
            pending.bytes += weight;
            self.shared.list(queue, &mut pending, urgent);
            true
        };
        if try_push() {
            return Ok(true);
        }
        metrics::counter!("authx_decision_log_full_total").increment(1);
        if options.when_full == WhenFull::Shed && !urgent {
            return Ok(false);
        }
        let waiting = async {
            loop {
                let room = queue.room.notified();
                tokio::pin!(room);
                room.as_mut().enable();
                if try_push() {
                    return;
                }
                room.await;
            }
        };
        tokio::time::timeout(options.wait, waiting).await.map_err(|_| LogError::Full)?;
        Ok(true)
    }
}

impl Shared {
    fn queue(&self, tenant: &TenantId) -> std::io::Result<Arc<Queue>> {
        if let Some(queue) = self.queues.load().get(tenant) {
            return Ok(Arc::clone(queue));
        }
        // One at a time: two counters of one file would count past each other.
        let _one = self.work.lock();
        if let Some(queue) = self.queues.load().get(tenant) {
            return Ok(Arc::clone(queue));
        }
        let dir = self.dir.join(tenant.as_str());
        std::fs::create_dir_all(&dir)?;
        let (counter, counted) = Counter::open(&dir.join("count"))?;
        let (tenant, pending, room) = (*tenant, Mutex::default(), Notify::new());
        let queue = Arc::new(Queue { tenant, counter, counted, pending, room });
        let mut queues = HashMap::clone(&self.queues.load());
        queues.insert(tenant, Arc::clone(&queue));
        self.queues.store(Arc::new(queues));
        Ok(queue)
    }

    fn known_tenants(&self) -> Vec<TenantId> {
        let names = std::fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| TenantId::parse(&name).ok()).collect()
    }

    /// Has the thread look at a queue.
    fn list(&self, queue: &Arc<Queue>, pending: &mut Pending, urgent: bool) {
        let new = !std::mem::replace(&mut pending.listed, true);
        if new || urgent {
            let mut work = self.work.lock();
            if new {
                work.waiting.push(Arc::clone(queue));
            }
            work.urgent |= urgent;
            drop(work);
            self.wake.notify_one();
        }
    }
}

/// The thread that writes.
struct Worker {
    shared: Arc<Shared>,
    journals: HashMap<TenantId, Journal>,
    synced: Instant,
    trimmed: Instant,
}

impl Worker {
    fn new(shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { shared, journals: HashMap::new(), synced: now, trimmed: now }
    }

    fn run(mut self) {
        loop {
            let (waiting, closing) = self.wait();
            for queue in waiting {
                self.write_all(&queue);
            }
            if closing || self.synced.elapsed() >= SYNC_EVERY {
                self.each_journal(|journal| journal.sync());
                self.synced = Instant::now();
            }
            if self.trimmed.elapsed() >= TRIM_EVERY {
                self.each_journal(|journal| journal.trim().map(drop));
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

    fn each_journal(&mut self, act: impl Fn(&mut Journal) -> std::io::Result<()>) {
        for (tenant, journal) in &mut self.journals {
            if let Err(error) = act(journal) {
                tracing::error!(%tenant, %error, "the decision log could not be kept");
            }
        }
    }

    /// Writes everything that a queue holds; what cannot be written stays there.
    fn write_all(&mut self, queue: &Arc<Queue>) {
        let Pending { mut records, shed, flushed, .. } = {
            let mut pending = queue.pending.lock();
            std::mem::take(&mut *pending)
        };
        queue.room.notify_waiters();
        let written = self.write(queue, &mut records, shed);
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
        records: &mut Vec<(Record, Option<oneshot::Sender<()>>)>,
        shed: u64,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let journal = self.journal(queue)?;
        while !records.is_empty() {
            let batch = records.get(..BATCH.min(records.len())).unwrap_or_default();
            let prepared = batch.iter().map(|(record, _)| {
                let (content, keys, outcome) = record.content(&shared.options.masks);
                Prepared { content, id: record.id.0, keys, outcome, decisions: 1 }
            });
            journal.append(&prepared.collect::<Vec<_>>())?;
            let waits = batch.iter().any(|(_, done)| done.is_some());
            if waits {
                journal.sync()?;
            }
            let written = records.drain(..BATCH.min(records.len()));
            metrics::counter!("authx_decision_log_records_total").increment(written.len() as u64);
            for done in written.filter_map(|(_, done)| done) {
                // It may be answered from here on, so it counts from here on.
                queue.counter.add(1)?;
                let _ = done.send(());
            }
        }
        if shed > 0 {
            journal.append(&[Prepared::gap("the queue was full", shed, shared.clock)])?;
            metrics::counter!("authx_decision_log_gaps_total").increment(shed);
        }
        Ok(())
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
                        journal.append(&[Prepared::gap("the process was stopped", lost, shared.clock)])?;
                    }
                    // Recorded and not counted: stopped between the two.
                    None => queue.counter.add(journal.decisions() - queue.counted)?,
                }
                Ok(vacant.insert(journal))
            }
        }
    }
}
