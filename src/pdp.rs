//! Use cases that answer. They take a store and a parsed request and know nothing of HTTP.

mod batch;
mod history;
mod policy_tests;
mod relations;
mod replay;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use authx_engine::relation::GraphLimits;
use authx_engine::{AccessRequest, DecideError, Evaluation, Explanation, Limits, Release, Snapshot, decide, explain};

use crate::clock::Clock;
use crate::decisions::{Asked, DecisionLog, LogError, Prepared, Record, Recorded, Told};
use crate::ids::{ReleaseId, Revision, Timestamp};
use crate::keys::Grant;
use crate::policy_tests::{Example, NoExample};
use crate::replica::{Current, LoadError, OpenStore, Replica, load_release};
use crate::storage::Storage;

use history::History;

pub use batch::{Interrupted, Moment, Turns};
pub use history::{Head, HistoryLimits};
pub use policy_tests::{SuiteRun, SuiteSent, TestsAsked, TestsRun};
pub(crate) use relations::question_problems;
pub use relations::{Answer, RelationError, RelationQuestion};
pub use replay::{Changes, Flip, OnData, Replay, ReplayAsked, Report};

/// How fresh the data of an answer must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Consistency {
    /// What this node has.
    #[default]
    MinimizeLatency,
    /// At least the revision that the token tells of.
    AtLeastAsFresh(String),
    /// As it was at a revision, asked at the time of its commit.
    AtRevision(Revision),
    /// The head of the log. One process holds the data directory, so what it published is the head.
    FullyConsistent,
}

/// A decision as it is told.
#[derive(Debug)]
pub struct Decided {
    pub evaluation: Evaluation,
    pub decision_id: ulid::Ulid,
    pub token: String,
}

/// A past decision, made again on what it was made on.
#[derive(Debug)]
pub struct Again {
    pub explanation: Explanation,
    pub token: String,
    snapshot: Snapshot,
    request: AccessRequest,
}

/// Why there is no decision. Never an allow.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Decide(#[from] DecideError),
    #[error("the consistency token is not one of this store")]
    ForeignToken,
    #[error("revision {wanted} did not arrive in time")]
    NotFreshEnough { wanted: u64 },
    #[error("there is no revision {wanted}: the store is at {head}")]
    UnknownRevision { wanted: u64, head: u64 },
    #[error("revision {wanted} is older than what is kept of the past")]
    RevisionExpired { wanted: u64 },
    #[error("the store had more than {limit} entities, links and tuples: it is too large to be asked about its past")]
    HistoryTooLarge { limit: usize },
    #[error("there is no release `{0}`")]
    UnknownRelease(String),
    #[error("a batch names at most {limit} releases besides the active one")]
    TooManyReleases { limit: usize },
    #[error("tests ask at most {limit} questions in one request")]
    TooManyQuestions { limit: usize },
    #[error("the release could not be loaded")]
    Load(#[from] LoadError),
    #[error("the decision log cannot be read")]
    LogUnreadable {
        #[source]
        source: std::io::Error,
    },
    /// What cannot be recorded is not answered.
    #[error(transparent)]
    NotRecorded(#[from] LogError),
}

/// How much one question may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub limits: Limits,
    /// What a question waits for the revision that it wants.
    pub freshness_deadline: Duration,
    pub history: HistoryLimits,
}

/// The decision point.
#[derive(Clone)]
pub struct Pdp {
    pub(crate) replica: Arc<Replica>,
    storage: Storage,
    decisions: Arc<DecisionLog>,
    limits: Limits,
    clock: Clock,
    freshness_deadline: Duration,
    turns: Turns,
    history: Arc<History>,
}

impl Pdp {
    #[must_use]
    pub fn new(
        replica: Arc<Replica>,
        storage: Storage,
        decisions: Arc<DecisionLog>,
        bounds: Bounds,
        clock: Clock,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        let Bounds { limits, freshness_deadline, history } = bounds;
        let (turns, history) = (Turns::new(runtime), Arc::new(History::new(history)));
        Self { replica, storage, decisions, limits, clock, freshness_deadline, turns, history }
    }

    /// How far one question to the relation graph may go.
    #[must_use]
    pub fn graph_limits(&self) -> GraphLimits {
        self.limits.graph
    }

    /// Decides on the store's current snapshot; the whole request is answered from it.
    ///
    /// # Errors
    /// When the request's data is invalid, a limit is reached or the decision cannot be recorded.
    pub async fn check(
        &self,
        store: &OpenStore,
        caller: &Grant,
        mut request: AccessRequest,
    ) -> Result<Decided, CheckError> {
        let begun = Instant::now();
        request.now = self.clock.now().as_millis();
        let (evaluation, token) = {
            let current = store.peek();
            (decide(&current.snapshot, &request, &self.limits)?, current.token.clone())
        };
        let (decided, record) = self.decided(store, caller, &request, evaluation, token, begun.elapsed());
        self.record(store, record).await?;
        Ok(decided)
    }

    /// A decision, and what is recorded of it before it is told.
    fn decided(
        &self,
        store: &OpenStore,
        caller: &Grant,
        request: &AccessRequest,
        evaluation: Evaluation,
        token: String,
        latency: Duration,
    ) -> (Decided, Option<Prepared>) {
        let decision_id = self.clock.ulid();
        let record = self.decisions.prepare(
            store.scope().tenant(),
            &Record {
                id: decision_id,
                store: store.scope().store(),
                asked: Asked::Access(request),
                told: Told::Evaluated(&evaluation),
                latency,
                caller: &caller.actor,
            },
        );
        (Decided { evaluation, decision_id, token }, record)
    }

    /// Records what was decided; then it may be told.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn record(
        &self,
        store: &OpenStore,
        records: impl IntoIterator<Item = Prepared>,
    ) -> Result<(), CheckError> {
        Ok(self.decisions.record(store.scope().tenant(), records).await?)
    }

    /// As [`Self::check`], with the freshness and the release that the asker wants.
    ///
    /// # Errors
    /// As [`Self::check`], and when freshness or release cannot be had.
    pub async fn check_on(
        &self,
        store: &OpenStore,
        caller: &Grant,
        mut request: AccessRequest,
        consistency: &Consistency,
        release: Option<&str>,
    ) -> Result<Decided, CheckError> {
        let (current, warning) = self.current(store, consistency).await?;
        let begun = Instant::now();
        request.now = self.time_of(&current).as_millis();
        let snapshot = self.snapshot_under(store, &current, release).await?;
        let mut evaluation = decide(&snapshot, &request, &self.limits)?;
        evaluation.warnings.extend(warning);
        let token = current.token.clone();
        let (decided, record) = self.decided(store, caller, &request, evaluation, token, begun.elapsed());
        self.record(store, record).await?;
        Ok(decided)
    }

    /// As [`Self::check_on`], and tells why, off the threads that answer.
    ///
    /// # Errors
    /// As [`Self::check_on`].
    pub async fn explain(
        &self,
        store: &OpenStore,
        caller: &Grant,
        mut request: AccessRequest,
        consistency: &Consistency,
        release: Option<&str>,
    ) -> Result<(Decided, Explanation), CheckError> {
        let (current, warning) = self.current(store, consistency).await?;
        let begun = Instant::now();
        request.now = self.time_of(&current).as_millis();
        let snapshot = self.snapshot_under(store, &current, release).await?.into_owned();
        let (request, explanation) = self.explained(snapshot, request).await?;
        let mut evaluation = explanation.evaluation.clone();
        evaluation.warnings.extend(warning);
        let token = current.token.clone();
        let (decided, record) = self.decided(store, caller, &request, evaluation, token, begun.elapsed());
        self.record(store, record).await?;
        Ok((decided, explanation))
    }

    /// Makes a past decision again, on the release and the revision of then, and tells why. Nothing is recorded.
    ///
    /// # Errors
    /// When the past is not kept.
    pub async fn explain_again(&self, store: &OpenStore, recorded: Recorded) -> Result<Again, CheckError> {
        let current = self.at_revision(store, recorded.revision).await?;
        let snapshot = self.snapshot_under(store, &current, recorded.release.as_deref()).await?.into_owned();
        let (request, explanation) = self.explained(snapshot.clone(), recorded.request).await?;
        Ok(Again { explanation, token: current.token.clone(), snapshot, request })
    }

    /// A past decision as a file of tests, with the facts that it read.
    ///
    /// # Errors
    /// When it cannot be told on some facts alone.
    pub async fn as_test(&self, again: &Again, name: String) -> Result<Result<String, NoExample>, CheckError> {
        let (snapshot, request, limits) = (again.snapshot.clone(), again.request.clone(), self.limits);
        let begin = move || Example::new(snapshot, &request, limits, name);
        let example = match self.turns.take(begin).await.map_err(|_| LoadError::Interrupted)? {
            Ok(example) => example,
            Err(why) => return Ok(Err(why)),
        };
        let file = self.turns.repeat(example, Example::step).await;
        Ok(Ok(file.map_err(|_| LoadError::Interrupted)?))
    }

    /// The data of a snapshot under the release that was asked for, or its own.
    async fn snapshot_under<'a>(
        &self,
        store: &OpenStore,
        current: &'a Current,
        release: Option<&str>,
    ) -> Result<Cow<'a, Snapshot>, CheckError> {
        Ok(match release.filter(|id| current.release_id() != Some(id)) {
            None => Cow::Borrowed(&current.snapshot),
            Some(id) => Cow::Owned(current.snapshot.with_release(Some(self.release(store, id).await?))),
        })
    }

    async fn explained(
        &self,
        snapshot: Snapshot,
        request: AccessRequest,
    ) -> Result<(AccessRequest, Explanation), CheckError> {
        let limits = self.limits;
        let work = move || explain(&snapshot, &request, &limits).map(|explanation| (request, explanation));
        Ok(self.turns.take(work).await.map_err(|_| LoadError::Interrupted)??)
    }

    /// When a question to a snapshot is asked.
    fn time_of(&self, current: &Current) -> Timestamp {
        current.as_of.unwrap_or_else(|| self.clock.now())
    }

    async fn current(
        &self,
        store: &OpenStore,
        consistency: &Consistency,
    ) -> Result<(Arc<Current>, Option<String>), CheckError> {
        let token = match consistency {
            Consistency::AtLeastAsFresh(token) => token,
            Consistency::AtRevision(revision) => return Ok((self.at_revision(store, *revision).await?, None)),
            Consistency::MinimizeLatency | Consistency::FullyConsistent => return Ok((store.current(), None)),
        };
        let current = store.current();
        let fresh = self.replica.tokens().read_consistency(store.scope(), &current.epoch, token);
        let fresh = fresh.ok_or(CheckError::ForeignToken)?;
        if fresh.other_epoch {
            let warning = "the consistency token is from before the store was restored; the answer is fully consistent";
            return Ok((current, Some(warning.to_owned())));
        }
        match tokio::time::timeout(self.freshness_deadline, store.reached(fresh.revision)).await {
            Ok(current) => Ok((current, None)),
            Err(_) => Err(CheckError::NotFreshEnough { wanted: fresh.revision.0 }),
        }
    }

    /// A release of the store by its id, compiled; active or not.
    ///
    /// # Errors
    /// When there is none, or it cannot be loaded.
    pub async fn release(&self, store: &OpenStore, id: &str) -> Result<Arc<Release>, CheckError> {
        if let Some(kept) = store.kept_release(id) {
            return Ok(kept);
        }
        let unknown = || CheckError::UnknownRelease(id.to_owned());
        let parsed = ReleaseId::parse(id).map_err(|_| unknown())?;
        let release = load_release(&self.storage, store.scope(), &parsed).await?.ok_or_else(unknown)?;
        store.keep_release(Arc::clone(&release));
        Ok(release)
    }
}
