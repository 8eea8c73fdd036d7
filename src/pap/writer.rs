//! One writer for each store.
//!
//! Writes wait in a queue; whoever finds the queue without a leader starts one. The leader takes what waits, plans
//! each write on the tentative result of the one before, writes them all in one transaction with a savepoint each,
//! and after the commit publishes the snapshot and answers. So a burst of writes shares one sync to the disk, a write
//! that is refused is refused alone, and an acknowledged write is durable and visible.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use authx_engine::{Release, Snapshot};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::ids::{Revision, StoreId, Timestamp};
use crate::limits::{LimitTable, TenantLimits};
use crate::pap::once::{Asked, Once};
use crate::pap::{PapError, limits};
use crate::replica::{Current, OpenStore, Replica, load_store};
use crate::storage::Storage;
use crate::storage::records::{StoreRecord, WriteRecord};
use crate::trace;

/// Writes that one transaction takes at most.
const GROUP: usize = 256;
/// Changed tuples from which on they are packed, unless they are a small part of all.
const PENDING: usize = 16_384;
/// Writes that may wait for one store.
const QUEUE: usize = 4_096;
/// How long a try to write may take before it counts as failed.
const TRY_WRITE: Duration = Duration::from_secs(1);

/// The state that a write is planned on: what the writes before it in the group would leave.
#[derive(Debug, Clone)]
pub(crate) struct Tentative {
    pub(crate) snapshot: Snapshot,
    pub(crate) newest: Option<Arc<Release>>,
}

/// A change that is checked and ready to be stored.
pub(crate) struct Planned {
    /// The rows; revision, actor and time are the writer's to fill in.
    pub(crate) record: WriteRecord,
    pub(crate) after: Tentative,
    pub(crate) warnings: Vec<String>,
}

/// A change, not yet checked.
pub(crate) trait Write: Send {
    /// Checks the change on what is there and works out its rows. Runs off the request threads and may be asked again.
    fn plan(&self, before: &Tentative, now: Timestamp) -> Result<Planned, PapError>;
}

/// What the one who asked for a write is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub revision: Revision,
    /// Without those that were left out.
    pub tuples_written: usize,
    pub tuples_deleted: usize,
    pub release: Option<String>,
    pub token: String,
    pub warnings: Vec<String>,
}

impl Committed {
    /// Of a write that had nothing to change.
    #[must_use]
    pub fn nothing(current: &Current) -> Self {
        Self {
            revision: current.revision(),
            tuples_written: 0,
            tuples_deleted: 0,
            release: current.release_id().map(str::to_owned),
            token: current.token.clone(),
            warnings: Vec::new(),
        }
    }
}

struct Job {
    write: Box<dyn Write>,
    actor: String,
    since: Instant,
    once: Once<Committed>,
    reply: oneshot::Sender<Result<Committed, PapError>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Writes that the leader has taken and not answered, and since when the oldest of them is there.
    in_work: Option<(usize, Instant)>,
    led: bool,
}

/// Writes that are not answered yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteQueues {
    pub writes: usize,
    /// Of one store.
    pub longest: usize,
    /// How long the oldest is there.
    pub oldest: Duration,
}

/// The writers of all stores.
#[derive(Clone)]
pub struct Writers {
    queues: Arc<Mutex<HashMap<StoreId, Arc<Mutex<Queue>>>>>,
    pub(crate) storage: Storage,
    pub(crate) replica: Arc<Replica>,
    pub(crate) limits: Arc<LimitTable>,
    pub(crate) clock: Clock,
    tasks: TaskTracker,
    runtime: Handle,
    /// Held by whoever changes which tenants, keys and stores there are.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The last write did not reach the database.
    failing: Arc<AtomicBool>,
}

impl Writers {
    #[must_use]
    pub fn new(
        storage: Storage,
        replica: Arc<Replica>,
        limits: Arc<LimitTable>,
        clock: Clock,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> Self {
        Self {
            queues: Arc::default(),
            storage,
            replica,
            limits,
            clock,
            tasks,
            runtime,
            turn: Arc::default(),
            failing: Arc::default(),
        }
    }

    /// What waits, and for how long.
    #[must_use]
    pub fn queues(&self) -> WriteQueues {
        let mut all = WriteQueues::default();
        for queue in self.queues.lock().values() {
            let queue = queue.lock();
            let (taken, since) = queue.in_work.map_or((0, None), |(count, since)| (count, Some(since)));
            let writes = queue.waiting.len() + taken;
            let oldest = since.or(queue.waiting.front().map(|job| job.since));
            all.writes += writes;
            all.longest = all.longest.max(writes);
            all.oldest = all.oldest.max(oldest.map_or(Duration::ZERO, |since| since.elapsed()));
        }
        all
    }

    /// Whether the database takes writes: the last one was stored, or another try is.
    pub async fn can_write(&self) -> bool {
        if !self.failing.load(Ordering::Acquire) {
            return true;
        }
        let tried = tokio::time::timeout(TRY_WRITE, self.storage.try_write()).await;
        let can = matches!(tried, Ok(Ok(())));
        if can {
            self.failing.store(false, Ordering::Release);
        }
        can
    }

    /// Drops the queue of a store that was deleted.
    pub(crate) fn forget(&self, store: &StoreId) {
        self.queues.lock().remove(store);
    }

    /// Runs `work` to its end on the runtime of the process: it goes on when its client goes away, and what it leaves
    /// behind is not cleaned up by a thread that answers checks.
    pub(crate) async fn background<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, PapError>> + Send + 'static,
    ) -> Result<T, PapError> {
        self.tasks.spawn_on(trace::taken_along(work), &self.runtime).await.unwrap_or(Err(PapError::Interrupted))
    }

    /// As [`Self::background`], one such work after the other: memory follows storage in the order of its commits, so
    /// that what was revoked or deleted does not come back. A request that was made before is not made again.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        asked: Option<Asked>,
        work: impl Future<Output = Result<T, PapError>> + Send + 'static,
    ) -> Result<T, PapError> {
        let this = self.clone();
        self.background(async move {
            let _turn = this.turn.lock().await;
            this.not_made(asked.as_ref()).await?;
            work.await
        })
        .await
    }

    /// Queues a write and waits until it is durable and visible, or refused.
    pub(crate) async fn write(
        &self,
        store: &Arc<OpenStore>,
        actor: &str,
        write: impl Write + 'static,
    ) -> Result<Committed, PapError> {
        self.write_once(store, actor, write, Once::never()).await
    }

    /// As [`Self::write`], for a request that may be sent again.
    pub(crate) async fn write_once(
        &self,
        store: &Arc<OpenStore>,
        actor: &str,
        write: impl Write + 'static,
        once: Once<Committed>,
    ) -> Result<Committed, PapError> {
        self.queue(store, actor, Box::new(write), once).await
    }

    async fn queue(
        &self,
        store: &Arc<OpenStore>,
        actor: &str,
        write: Box<dyn Write>,
        once: Once<Committed>,
    ) -> Result<Committed, PapError> {
        let (reply, answer) = oneshot::channel();
        let job = Job { write, actor: actor.to_owned(), since: Instant::now(), once, reply };
        let queue = Arc::clone(self.queues.lock().entry(*store.scope().store()).or_default());
        let lead = {
            let mut queue = queue.lock();
            if queue.waiting.len() >= QUEUE {
                return Err(PapError::Busy);
            }
            queue.waiting.push_back(job);
            !std::mem::replace(&mut queue.led, true)
        };
        if lead {
            let (writers, store) = (self.clone(), Arc::clone(store));
            // On the runtime of the process, not of the request: a write goes on when its client goes away.
            self.tasks.spawn_on(async move { writers.lead(&store, &queue).await }, &self.runtime);
        }
        answer.await.unwrap_or(Err(PapError::Interrupted))
    }

    async fn lead(&self, store: &Arc<OpenStore>, queue: &Arc<Mutex<Queue>>) {
        /// Lets the next write start a leader, also when this one is dropped in the middle of its work.
        struct Led<'a>(&'a Mutex<Queue>);
        impl Drop for Led<'_> {
            fn drop(&mut self) {
                let mut queue = self.0.lock();
                (queue.led, queue.in_work) = (false, None);
            }
        }
        loop {
            let led = Led(queue);
            loop {
                let group: Vec<Job> = {
                    let mut queue = queue.lock();
                    let n = queue.waiting.len().min(GROUP);
                    queue.in_work = queue.waiting.front().map(|job| (n, job.since));
                    queue.waiting.drain(..n).collect()
                };
                if group.is_empty() {
                    break;
                }
                let (group, again) = self.not_answered(group).await;
                queue.lock().waiting.extend(again);
                self.commit_group(store, group).await;
                self.pack(store).await;
            }
            drop(led);
            // A write may have come between the last look and the end of the lead.
            let mut queue = queue.lock();
            if queue.waiting.is_empty() || std::mem::replace(&mut queue.led, true) {
                return;
            }
        }
    }

    /// Packs the tuples when there are many changes on top of them. The writer is alone, so nothing comes in between.
    async fn pack(&self, store: &Arc<OpenStore>) {
        let snapshot = store.current().snapshot.clone();
        let tuples = snapshot.tuples();
        if tuples.pending() <= PENDING.max(tuples.len() / 8) {
            return;
        }
        let packed = tokio::task::spawn_blocking(move || {
            let merged = snapshot.tuples().merged()?;
            Some(snapshot.with_tuples(merged))
        });
        if let Ok(Some(snapshot)) = packed.await {
            store.publish(snapshot, store.newest_release(), self.replica.tokens());
        }
    }

    /// Answers what was answered before, and tells which writes are to be made now and which later: those that repeat
    /// one of now.
    async fn not_answered(&self, group: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
        let (mut now, mut later, mut keys) = (Vec::with_capacity(group.len()), Vec::new(), HashSet::new());
        for job in group {
            if job.once.asked().is_some_and(|asked| !keys.insert(asked.key)) {
                later.push(job);
                continue;
            }
            match self.not_made(job.once.asked()).await {
                Ok(()) => now.push(job),
                Err(error) => drop(job.reply.send(Err(error))),
            }
        }
        (now, later)
    }

    async fn commit_group(&self, store: &Arc<OpenStore>, group: Vec<Job>) {
        let before = Tentative { snapshot: store.current().snapshot.clone(), newest: store.newest_release() };
        let now = self.clock.now();
        let limits = self.limits.of(store.scope().tenant());
        let planned = tokio::task::spawn_blocking(move || plan_group(before, group, now, &limits)).await;
        // A plan that panics takes its group with it; the senders are dropped and every asker is told.
        let Ok(planned) = planned else { return };
        let mut accepted = Vec::with_capacity(planned.len());
        for (job, outcome) in planned {
            match outcome {
                Ok(planned) => accepted.push((job, planned)),
                Err(error) => drop(job.reply.send(Err(error))),
            }
        }
        if accepted.is_empty() {
            return;
        }
        match self.store_group(store, &mut accepted, now).await {
            Ok(()) => {
                self.failing.store(false, Ordering::Release);
                self.acknowledge(store, accepted, now);
            }
            Err(error) => {
                if matches!(error, PapError::Storage(_)) {
                    self.failing.store(true, Ordering::Release);
                }
                let message = error.to_string();
                tracing::error!(store = %store.scope().store(), error = %message, "a group of writes was not stored");
                let mut error = Some(error);
                for (job, _) in accepted {
                    drop(job.reply.send(Err(error.take().unwrap_or(PapError::OutcomeUnknown))));
                }
                self.reload(store).await;
            }
        }
    }

    async fn store_group(
        &self,
        store: &OpenStore,
        accepted: &mut [(Job, Planned)],
        at: Timestamp,
    ) -> Result<(), PapError> {
        let gone = || PapError::NotFound { what: "store", name: store.scope().store().to_string() };
        let mut transaction = self.storage.writes.begin(store.scope()).await?.ok_or_else(gone)?;
        // It may have been deleted and restored meanwhile: then memory holds another copy, which would not see this write.
        let open = self.replica.find(store.scope().tenant(), store.scope().store().as_str());
        if !open.is_some_and(|open| std::ptr::eq(Arc::as_ptr(&open), store)) {
            transaction.rollback().await;
            return Err(gone());
        }
        for (job, planned) in accepted {
            planned.record.actor.clone_from(&job.actor);
            planned.record.at = at;
            if job.once.asked().is_some() {
                planned.record.answer = job.once.record(&self.committed(store, planned), at);
            }
            let revision = transaction.write(&planned.record).await?;
            if revision.0 != planned.after.snapshot.revision() {
                return Err(PapError::Interrupted);
            }
        }
        Ok(transaction.commit().await?)
    }

    fn acknowledge(&self, store: &OpenStore, accepted: Vec<(Job, Planned)>, at: Timestamp) {
        if let Some((_, last)) = accepted.last() {
            store.publish(last.after.snapshot.clone(), last.after.newest.clone(), self.replica.tokens());
            store.set_record(StoreRecord { updated_at: at, ..StoreRecord::clone(&store.record()) });
        }
        for (job, planned) in accepted {
            // The asker may be gone; the write stands.
            let _ = job.reply.send(Ok(self.committed(store, &planned)));
        }
    }

    fn committed(&self, store: &OpenStore, planned: &Planned) -> Committed {
        let revision = Revision(planned.after.snapshot.revision());
        Committed {
            revision,
            tuples_written: planned.record.tuples_put.len(),
            tuples_deleted: planned.record.tuples_delete.len(),
            release: planned.after.snapshot.release().map(|release| release.id().to_owned()),
            token: self.replica.tokens().consistency(store.scope(), &store.current().epoch, revision),
            warnings: planned.warnings.clone(),
        }
    }

    /// After a failure the outcome in the database is unknown: what it holds is read again.
    async fn reload(&self, store: &Arc<OpenStore>) {
        match load_store(&self.storage, store.scope().clone(), self.replica.tokens()).await {
            Ok(Some(fresh)) => {
                store.publish(fresh.current().snapshot.clone(), fresh.newest_release(), self.replica.tokens());
            }
            // Who deleted it has closed it, or will.
            Ok(None) => {}
            Err(error) => tracing::error!(store = %store.scope().store(), %error, "a store could not be read again"),
        }
    }
}

/// Plans each write on what the accepted ones before it leave.
fn plan_group(
    mut tentative: Tentative,
    group: Vec<Job>,
    now: Timestamp,
    limits: &TenantLimits,
) -> Vec<(Job, Result<Planned, PapError>)> {
    let mut planned = Vec::with_capacity(group.len());
    for job in group {
        let outcome = limits::plan(&*job.write, &tentative, now, limits).map(|mut plan| {
            let expected = Revision(tentative.snapshot.revision());
            plan.record.expected_revision = expected;
            plan.after.snapshot = plan.after.snapshot.at_revision(expected.next().0);
            tentative = plan.after.clone();
            plan
        });
        planned.push((job, outcome));
    }
    planned
}
