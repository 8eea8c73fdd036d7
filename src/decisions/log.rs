//! Decisions on their way to the chain: a bounded queue for each tenant, and one thread that writes them all.
//!
//! A decision is counted before it is answered, so that a kill tells how many were lost. `sync` answers when the disk
//! has the record: many decisions wait for one flush.

use std::collections::{HashMap, VecDeque};
use std::iter::Peekable;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot};

use super::content::Record;
use super::counter::Counter;
use super::journal::{Prepared, Retention};
use super::segment;
use super::settings::{LogSettings, RuleTable, Rules};
use super::worker::Worker;
use crate::clock::Clock;
use crate::ids::TenantId;
use crate::tokens::Tokens;

/// How long what is no decision may take to the disk before its fate counts as unknown.
const KEEP: Duration = Duration::from_secs(5);
/// Records that are put into a queue before others have their turn.
const STEP: usize = 256;

/// When an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
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
    /// Of a tenant that has nothing of its own.
    pub rules: Rules,
    pub when_full: WhenFull,
    /// Records and bytes that one tenant's queue holds.
    pub queue_records: usize,
    pub queue_bytes: usize,
    /// The most that a decision waits for room, or in `sync` for the disk.
    pub wait: Duration,
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

/// What is not in a file yet, of all tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    pub records: usize,
    pub bytes: usize,
    /// Tenants whose records could not be written at the last try.
    pub failing: usize,
}

/// Records decisions.
#[derive(Debug)]
pub struct DecisionLog {
    pub(super) shared: Arc<Shared>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// What the log and its thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: LogOptions,
    rules: RuleTable,
    pub(super) tokens: Tokens,
    pub(super) clock: Clock,
    queues: ArcSwap<HashMap<TenantId, Arc<Queue>>>,
    pub(super) work: Mutex<Work>,
    pub(super) wake: Condvar,
    /// What can be done another time is not begun any more.
    pub(super) ending: AtomicBool,
}

/// What the thread has to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) waiting: Vec<Arc<Queue>>,
    /// Somebody waits for the disk or the file.
    pub(super) urgent: bool,
    pub(super) closing: bool,
}

/// One tenant's decisions that are not written yet.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) tenant: TenantId,
    pub(super) counter: Counter,
    /// What the counter said before this process.
    pub(super) counted: u64,
    pub(super) pending: Mutex<Pending>,
    pub(super) room: Notify,
    /// The last try to write failed.
    pub(super) failing: AtomicBool,
    /// Held by who rewrites files, so that nothing is deleted beside it.
    pub(super) erasing: Arc<tokio::sync::Mutex<()>>,
}

/// A record, and who waits until it and those before it are on the disk.
pub(super) type Waiting = (Prepared, Option<Answer>);

/// Decisions that are answered when the disk has them.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) count: u64,
    pub(super) done: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) records: VecDeque<Waiting>,
    pub(super) bytes: usize,
    pub(super) shed: u64,
    /// Told when everything before is in the file, and, if one of them needs it, on the disk.
    pub(super) flushed: Vec<oneshot::Sender<()>>,
    pub(super) durably: bool,
    /// The segment that nobody is to write to any more, when the records are written.
    pub(super) closes: Option<u64>,
    /// The chain is to go, with all that waits.
    pub(super) ended: bool,
    /// It is in the list of those that have work.
    pub(super) listed: bool,
}

impl DecisionLog {
    /// A log in a folder, with its thread.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(dir: PathBuf, options: LogOptions, tokens: Tokens, clock: Clock) -> std::io::Result<Self> {
        let (queues, work, wake) = (ArcSwap::default(), Mutex::default(), Condvar::new());
        let rules = RuleTable::new(options.rules.clone());
        let ending = AtomicBool::new(false);
        let shared = Arc::new(Shared { dir, options, rules, tokens, clock, queues, work, wake, ending });
        // What a kill lost is told at the start, not with the tenant's next decision.
        for tenant in segment::tenants(&shared.dir).unwrap_or_default() {
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

    /// Lets a tenant's settings hold from the next decision on.
    pub fn set(&self, tenant: TenantId, stored: LogSettings) {
        self.shared.rules.set(tenant, stored);
    }

    /// Forgets the settings of a tenant that was deleted; its records stay.
    pub fn forget(&self, tenant: &TenantId) {
        self.shared.rules.forget(tenant);
    }

    /// What stored settings come to.
    #[must_use]
    pub fn effective(&self, stored: LogSettings) -> Rules {
        self.shared.rules.effective(stored)
    }

    /// Makes a decision ready to be recorded; `None` when it is not to be.
    #[must_use]
    pub fn prepare(&self, tenant: &TenantId, record: &Record<'_>) -> Option<Prepared> {
        self.shared.rules.of(tenant, |Rules { mode, allows_per_million, masks }| {
            // Sampled by the id, so that nobody can choose.
            let sampled = || !record.allowed() || record.id.random() % 1_000_000 < u128::from(*allows_per_million);
            (*mode != Mode::Off && sampled()).then(|| record.prepare(masks))
        })
    }

    /// Records decisions that are answered together. When this returns they may be answered; in `sync` they have waited
    /// for the disk once.
    ///
    /// # Errors
    /// When one cannot be recorded, so that none may be answered.
    pub async fn record(&self, tenant: &TenantId, records: impl IntoIterator<Item = Prepared>) -> Result<(), LogError> {
        let mut records = records.into_iter().peekable();
        if records.peek().is_none() {
            return Ok(());
        }
        let queue = self.shared.queue(tenant).map_err(|error| {
            tracing::error!(%tenant, %error, "the decision log cannot be opened");
            LogError::NotWritten
        })?;
        let (mode, mut unwritten) = (self.shared.rules.of(tenant, |rules| rules.mode), Vec::new());
        self.fill(&queue, mode, &mut records, &mut unwritten).await?;
        if records.peek().is_some() {
            metrics::counter!("authx_decision_log_full_total").increment(1);
            let LogOptions { when_full, wait, .. } = &self.shared.options;
            if *when_full == WhenFull::Shed && mode != Mode::Sync {
                let shed = records.count() as u64;
                queue.counter.add(shed).map_err(|_| LogError::NotWritten)?;
                queue.pending.lock().shed += shed;
            } else {
                let room = self.wait_for_room(&queue, mode, &mut records, &mut unwritten);
                tokio::time::timeout(*wait, room).await.map_err(|_| LogError::Full)??;
            }
        }
        for written in unwritten {
            match tokio::time::timeout(self.shared.options.wait, written).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(LogError::NotWritten),
            }
        }
        Ok(())
    }

    /// Puts as many records into the queue as there is room for.
    async fn fill(
        &self,
        queue: &Arc<Queue>,
        mode: Mode,
        records: &mut Peekable<impl Iterator<Item = Prepared>>,
        unwritten: &mut Vec<oneshot::Receiver<()>>,
    ) -> Result<(), LogError> {
        while self.enqueue(queue, mode, records, unwritten)? == STEP && records.peek().is_some() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Puts records into the queue, at most a step's, and says how many.
    fn enqueue(
        &self,
        queue: &Arc<Queue>,
        mode: Mode,
        records: &mut Peekable<impl Iterator<Item = Prepared>>,
        unwritten: &mut Vec<oneshot::Receiver<()>>,
    ) -> Result<usize, LogError> {
        let options = &self.shared.options;
        let sync = mode == Mode::Sync;
        let mut pending = queue.pending.lock();
        let mut taken = 0;
        while taken < STEP
            && let Some(record) = records.next_if(|record| pending.has_room(record, options))
        {
            pending.bytes += record.weight();
            pending.records.push_back((record, None));
            taken += 1;
        }
        if taken == 0 {
            return Ok(0);
        }
        let count = taken as u64;
        if sync && let Some((_, answer)) = pending.records.back_mut() {
            let (done, written) = oneshot::channel();
            *answer = Some(Answer { count, done });
            unwritten.push(written);
        }
        self.shared.list(queue, &mut pending, sync);
        drop(pending);
        // Counted first would be a gap if the answer never came; counted now, it can at most be recorded and not counted,
        // which is no loss.
        if !sync {
            queue.counter.add(count).map_err(|_| LogError::NotWritten)?;
        }
        Ok(taken)
    }

    async fn wait_for_room(
        &self,
        queue: &Arc<Queue>,
        mode: Mode,
        records: &mut Peekable<impl Iterator<Item = Prepared>>,
        unwritten: &mut Vec<oneshot::Receiver<()>>,
    ) -> Result<(), LogError> {
        loop {
            let room = queue.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            self.fill(queue, mode, records, unwritten).await?;
            if records.peek().is_none() {
                return Ok(());
            }
            room.await;
        }
    }

    /// Records what is no decision, whatever the mode, in its order; when this returns, the disk has it and everything
    /// that was recorded before. There is always room: who calls this waits for one part before the next.
    ///
    /// # Errors
    /// When it is not known whether the disk has it. It may still be written: call this with nothing until it returns,
    /// and look.
    pub async fn keep(&self, tenant: &TenantId, records: Vec<Prepared>) -> Result<(), LogError> {
        let queue = self.shared.queue(tenant).map_err(|_| LogError::NotWritten)?;
        self.settle(&queue, KEEP, |pending| {
            pending.bytes += records.iter().map(Prepared::weight).sum::<usize>();
            pending.records.extend(records.into_iter().map(|record| (record, None)));
            pending.durably = true;
        })
        .await
    }

    /// Waits until everything that was recorded before is in the files, but not for ever.
    pub async fn flush(&self, tenant: &TenantId) {
        let Some(queue) = self.shared.queues.load().get(tenant).cloned() else { return };
        let _ = self.settle(&queue, self.shared.options.wait, |_| {}).await;
    }

    /// Removes a tenant's chain from the disk. Nobody may record in it any more.
    ///
    /// # Errors
    /// When it is not known whether it is gone; it may be said again.
    pub async fn remove(&self, tenant: &TenantId) -> Result<(), LogError> {
        let queue = self.shared.queue(tenant).map_err(|_| LogError::NotWritten)?;
        self.settle(&queue, KEEP, |pending| pending.ended = true).await
    }

    /// Has a segment closed, if it is the last one.
    ///
    /// # Errors
    /// When it is not known whether it is.
    pub(super) async fn close_segment(&self, queue: &Arc<Queue>, number: u64) -> Result<(), LogError> {
        self.settle(queue, KEEP, |pending| pending.closes = Some(number)).await
    }

    async fn settle(&self, queue: &Arc<Queue>, wait: Duration, add: impl FnOnce(&mut Pending)) -> Result<(), LogError> {
        let (done, settled) = oneshot::channel();
        {
            let mut pending = queue.pending.lock();
            add(&mut pending);
            pending.flushed.push(done);
            self.shared.list(queue, &mut pending, true);
        }
        match tokio::time::timeout(wait, settled).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(LogError::NotWritten),
        }
    }

    /// What waits to be written.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        let mut backlog = Backlog::default();
        for queue in self.shared.queues.load().values() {
            let pending = queue.pending.lock();
            backlog.records += pending.records.len();
            backlog.bytes += pending.bytes;
            backlog.failing += usize::from(queue.failing.load(Ordering::Acquire));
        }
        backlog
    }

    /// Writes what waits, and ends the thread. Nothing may be recorded any more.
    pub fn close(&self) {
        self.shared.ending.store(true, Ordering::Release);
        // Who is in the middle of a file notes what was taken out.
        let begun = Instant::now();
        let erasing = || self.shared.queues.load().keys().any(|tenant| self.shared.is_erasing(tenant));
        while erasing() && begun.elapsed() < KEEP {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.shared.work.lock().closing = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Pending {
    /// A queue takes one record, however large.
    fn has_room(&self, record: &Prepared, options: &LogOptions) -> bool {
        let room = self.records.len() < options.queue_records && self.bytes + record.weight() <= options.queue_bytes;
        room || self.records.is_empty()
    }
}

impl Shared {
    pub(super) fn queue(&self, tenant: &TenantId) -> std::io::Result<Arc<Queue>> {
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
        let (counter, before) = Counter::open(&dir.join("count"))?;
        let (tenant, pending, room, failing) = (*tenant, Mutex::default(), Notify::new(), AtomicBool::new(false));
        let erasing = Arc::default();
        let queue = Arc::new(Queue { tenant, counter, counted: before, pending, room, failing, erasing });
        let mut queues = HashMap::clone(&self.queues.load());
        queues.insert(tenant, Arc::clone(&queue));
        self.queues.store(Arc::new(queues));
        Ok(queue)
    }

    /// Whether a tenant's files are being rewritten.
    pub(super) fn is_erasing(&self, tenant: &TenantId) -> bool {
        self.queues.load().get(tenant).is_some_and(|queue| queue.erasing.try_lock().is_err())
    }

    /// Forgets the queue of a chain that is gone.
    pub(super) fn forget(&self, tenant: &TenantId) {
        let _one = self.work.lock();
        let mut queues = HashMap::clone(&self.queues.load());
        queues.remove(tenant);
        self.queues.store(Arc::new(queues));
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
