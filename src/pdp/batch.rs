//! Many requests decided on one snapshot and at one time, off the threads that answer.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authx_engine::{AccessRequest, Snapshot, decide};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::decisions::Prepared;
use crate::ids::Timestamp;
use crate::keys::Grant;
use crate::pace::Pace;
use crate::pdp::{CheckError, Consistency, Decided, Pdp};
use crate::replica::{Current, OpenStore};

/// Steps of one turn: then other batches get theirs, and one whose client has gone ends.
const STEPS: usize = 64;
/// A turn of steps that are slow ends here.
const TURN: Duration = Duration::from_millis(5);
/// Releases that one batch may name besides the active one: as many as a store keeps compiled.
const RELEASES: usize = 4;

/// The work was cut off: the process ends, or has a fault.
#[derive(Debug, thiserror::Error)]
#[error("the work was interrupted")]
pub struct Interrupted;

/// The threads that work on batches: those of the process's runtime, which yield to the threads that answer.
#[derive(Clone)]
pub struct Turns {
    runtime: Handle,
    /// One for each core.
    free: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new(runtime: Handle) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { runtime, free: Arc::new(Semaphore::new(cores)) }
    }

    /// Does a piece of work in one turn.
    ///
    /// # Errors
    /// When the work panics or the process ends.
    pub async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Interrupted> {
        let turn = Arc::clone(&self.free).acquire_owned().await.map_err(|_| Interrupted)?;
        let work = move || {
            let _turn = turn;
            work()
        };
        self.runtime.spawn_blocking(work).await.map_err(|_| Interrupted)
    }

    /// Does asynchronous work on the process's runtime.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// Repeats `step` until it has a result, in turns with the steps of others. Whoever drops this stops it.
    ///
    /// # Errors
    /// When a step panics or the process ends.
    pub async fn repeat<W: Send + 'static, T: Send + 'static>(
        &self,
        mut work: W,
        step: fn(&mut W) -> Option<T>,
    ) -> Result<T, Interrupted> {
        loop {
            let turn = move || {
                let (begun, mut pace) = (Instant::now(), Pace::begin());
                for _ in 0..STEPS {
                    if let Some(done) = step(&mut work) {
                        return Ok(done);
                    }
                    if pace.step() && begun.elapsed() >= TURN {
                        break;
                    }
                }
                Err(work)
            };
            match self.take(turn).await? {
                Ok(done) => return Ok(done),
                Err(rest) => work = rest,
            }
        }
    }
}

/// What all requests of a batch are decided from: a store's snapshot, and the time.
pub struct Moment {
    store: Arc<OpenStore>,
    current: Arc<Current>,
    now: Timestamp,
    /// What the asker should know of the freshness.
    pub warning: Option<String>,
    /// The snapshot under releases other than the active one; `None` where there is no such release.
    under: HashMap<String, Option<Snapshot>>,
    caller: Arc<Grant>,
    /// What was decided until now.
    records: Vec<Prepared>,
}

impl Moment {
    #[must_use]
    pub fn current(&self) -> &Current {
        &self.current
    }

    /// What was decided, to be recorded.
    pub fn take_records(&mut self) -> Vec<Prepared> {
        std::mem::take(&mut self.records)
    }
}

impl Pdp {
    /// Where the work on batches is done.
    #[must_use]
    pub fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Takes the store's snapshot and the time for a batch.
    ///
    /// # Errors
    /// When the wanted freshness cannot be had.
    pub async fn moment(
        &self,
        store: &Arc<OpenStore>,
        caller: &Arc<Grant>,
        consistency: &Consistency,
    ) -> Result<Moment, CheckError> {
        let (current, warning) = self.current(store, consistency).await?;
        let (store, caller, now) = (Arc::clone(store), Arc::clone(caller), self.time_of(&current));
        Ok(Moment { store, current, now, warning, under: HashMap::new(), caller, records: Vec::new() })
    }

    /// As [`Self::check_on`], for one request of a batch. It blocks, so it belongs into a turn.
    ///
    /// # Errors
    /// As [`Self::check_on`], and when the batch names too many releases.
    pub fn check_in(
        &self,
        moment: &mut Moment,
        mut request: AccessRequest,
        release: Option<&str>,
    ) -> Result<Decided, CheckError> {
        request.now = moment.now.as_millis();
        let snapshot = match release.filter(|id| moment.current.release_id() != Some(id)) {
            None => &moment.current.snapshot,
            Some(id) => self.under(moment, id)?,
        };
        let begun = Instant::now();
        let evaluation = decide(snapshot, &request, &self.limits)?;
        let (latency, token) = (begun.elapsed(), moment.current.token.clone());
        let (decided, record) = self.decided(&moment.store, &moment.caller, &request, evaluation, token, latency);
        moment.records.extend(record);
        Ok(decided)
    }

    /// The batch's snapshot under another release, made once.
    fn under<'a>(&self, moment: &'a mut Moment, id: &str) -> Result<&'a Snapshot, CheckError> {
        if !moment.under.contains_key(id) {
            if moment.under.len() >= RELEASES {
                return Err(CheckError::TooManyReleases { limit: RELEASES });
            }
            let snapshot = match self.turns.runtime.block_on(self.release(&moment.store, id)) {
                Ok(release) => Some(moment.current.snapshot.with_release(Some(release))),
                Err(CheckError::UnknownRelease(_)) => None,
                Err(error) => return Err(error),
            };
            moment.under.insert(id.to_owned(), snapshot);
        }
        let found = moment.under.get(id).and_then(Option::as_ref);
        found.ok_or_else(|| CheckError::UnknownRelease(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn steps_go_on_until_there_is_a_result() {
        let turns = Turns::new(Handle::current());
        let count = |left: &mut usize| {
            *left -= 1;
            (*left == 0).then_some("done")
        };
        for steps in [1, STEPS, STEPS + 1, 10 * STEPS] {
            assert_eq!(turns.repeat(steps, count).await.unwrap(), "done", "{steps}");
        }
    }

    #[tokio::test]
    async fn who_drops_the_work_stops_it() {
        let turns = Turns::new(Handle::current());
        let steps = Arc::new(AtomicUsize::new(0));
        let endless = turns.repeat(Arc::clone(&steps), |steps| {
            steps.fetch_add(1, Ordering::Relaxed);
            None::<()>
        });
        let begun = async {
            while steps.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            ended = endless => panic!("{ended:?}"),
            () = begun => {}
        }
        // It ends with its turn; were it not stopped, it would hold this for ever.
        while Arc::strong_count(&steps) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
