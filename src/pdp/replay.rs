//! Recorded decisions made again on another release: which come out otherwise.
//!
//! The log is read from its end in steps, so that whoever asks sees how far it is, and whoever goes stops it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use authx_engine::{Decision, Limits, Release, Snapshot, decide};
use serde_json::Value;

use crate::decisions::{Filter, Found, Position, Recorded, find};
use crate::ids::Revision;
use crate::pdp::{CheckError, Pdp};
use crate::replica::{LoadError, OpenStore};

/// Records of one step.
const STEP: usize = 1_000;
/// Flips that are told one by one.
const MAX_EXAMPLES: usize = 100;
/// Names that are counted apart; what comes behind is counted together.
const MAX_NAMES: usize = 10_000;

/// On which data decisions are made again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnData {
    /// That of their revision: what flips flips by the release alone.
    #[default]
    Then,
    /// Today's.
    Now,
}

/// What is replayed, and on what.
#[derive(Debug, Clone)]
pub struct ReplayAsked {
    pub release: Arc<Release>,
    pub filter: Filter,
    pub data: OnData,
    /// Records at most, the newest first.
    pub limit: usize,
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone)]
pub struct Flip {
    /// Of the record.
    pub id: String,
    pub at: String,
    pub principal: String,
    pub action: String,
    pub resource: String,
    /// Whether it was allowed; now it is not, or the other way round.
    pub was_allowed: bool,
    pub was_by: Vec<String>,
    pub is_by: Vec<String>,
}

/// How many flips there are, each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub to_allow: u64,
    pub to_deny: u64,
}

/// What came of a replay until now.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Decisions that were made again.
    pub replayed: u64,
    pub flips: Changes,
    /// The same decision by other policies.
    pub other_reasons: u64,
    /// Not made again: parts of their requests were masked.
    pub masked: u64,
    /// Not made again: what was stored then is not kept any more.
    pub forgotten: u64,
    /// Asked again and not decided: the request is refused, or a limit is met.
    pub undecided: u64,
    /// Flips by the policies that made the difference: those that determined the decision before or after, and not both.
    pub policies: BTreeMap<String, Changes>,
    pub principals: BTreeMap<String, Changes>,
    pub actions: BTreeMap<String, Changes>,
    /// The newest flips.
    pub examples: Vec<Flip>,
    /// Whether the log has more than was asked for.
    pub more: bool,
}

/// A replay that goes on step by step.
pub struct Replay {
    asked: ReplayAsked,
    behind: Option<Position>,
    left: usize,
    report: Report,
    /// The snapshot of the last record.
    last: Option<(Revision, Snapshot)>,
}

/// A record, and its names.
struct Again {
    content: Value,
    recorded: Recorded,
}

/// What came of one record.
enum Outcome {
    Same,
    OtherReasons,
    Flipped(Box<Flip>),
    Undecided,
}

impl Replay {
    #[must_use]
    pub fn new(asked: ReplayAsked) -> Self {
        Self { behind: None, left: asked.limit, report: Report::default(), last: None, asked }
    }

    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Makes some more decisions again; false when all are.
    ///
    /// # Errors
    /// When the log or what was stored cannot be read.
    pub async fn step(&mut self, pdp: &Pdp, store: &OpenStore) -> Result<bool, CheckError> {
        let limit = STEP.min(self.left);
        if limit == 0 {
            self.report.more = self.read(pdp, store, 1).await?.0.is_some();
            return Ok(false);
        }
        let (last, found) = self.read(pdp, store, limit).await?;
        let Some((last, count)) = last else { return Ok(false) };
        self.behind = Some(last);
        self.left -= count;
        let mut group: Vec<Again> = Vec::new();
        for Again { content, recorded } in found {
            if recorded.masked {
                self.report.masked += 1;
                continue;
            }
            let differs = |first: &Again| first.recorded.revision != recorded.revision;
            if self.asked.data == OnData::Then && group.first().is_some_and(differs) {
                self.decide(pdp, store, std::mem::take(&mut group)).await?;
            }
            group.push(Again { content, recorded });
        }
        self.decide(pdp, store, group).await?;
        Ok(true)
    }

    /// Records that can be made again, behind those before; and the place of the last that was read, with how many were.
    async fn read(
        &self,
        pdp: &Pdp,
        store: &OpenStore,
        limit: usize,
    ) -> Result<(Option<(Position, usize)>, Vec<Again>), CheckError> {
        let dir = pdp.decisions.dir(store.scope().tenant());
        let (filter, behind) = (self.asked.filter.clone(), self.behind);
        // What is in the log and is no decision about policies is not asked again.
        let again = |found: Found| {
            let recorded = Recorded::read(&found.content)?;
            Some(Again { content: found.content, recorded })
        };
        let work = move || {
            let found = find(&dir, &filter, behind, limit)?.records;
            let last = found.last().map(|last| (last.position, found.len()));
            Ok((last, found.into_iter().filter_map(again).collect()))
        };
        let read = pdp.turns.take(work).await.map_err(|_| LoadError::Interrupted)?;
        read.map_err(|source| CheckError::LogUnreadable { source })
    }

    /// Decides records of one revision, or of any on today's data.
    async fn decide(&mut self, pdp: &Pdp, store: &OpenStore, group: Vec<Again>) -> Result<(), CheckError> {
        let Some(first) = group.first() else { return Ok(()) };
        let Some(snapshot) = self.snapshot(pdp, store, first.recorded.revision).await? else {
            self.report.forgotten += u64::try_from(group.len()).unwrap_or(u64::MAX);
            return Ok(());
        };
        let report = std::mem::take(&mut self.report);
        let work = Group { left: group.into_iter(), snapshot, limits: pdp.limits, report };
        self.report = pdp.turns.repeat(work, Group::step).await.map_err(|_| LoadError::Interrupted)?;
        Ok(())
    }

    /// What decisions of a revision are made on; `None` when that is not kept any more.
    async fn snapshot(
        &mut self,
        pdp: &Pdp,
        store: &OpenStore,
        revision: Revision,
    ) -> Result<Option<Snapshot>, CheckError> {
        if let Some((of, snapshot)) = &self.last
            && (*of == revision || self.asked.data == OnData::Now)
        {
            return Ok(Some(snapshot.clone()));
        }
        let current = match self.asked.data {
            OnData::Now => store.current(),
            OnData::Then => match pdp.at_revision(store, revision).await {
                Ok(current) => current,
                Err(CheckError::RevisionExpired { .. } | CheckError::UnknownRevision { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        let snapshot = current.snapshot.with_release(Some(Arc::clone(&self.asked.release)));
        self.last = Some((revision, snapshot.clone()));
        Ok(Some(snapshot))
    }
}

/// Records that are decided on one snapshot, one after the other.
struct Group {
    left: std::vec::IntoIter<Again>,
    snapshot: Snapshot,
    limits: Limits,
    report: Report,
}

impl Group {
    fn step(&mut self) -> Option<Report> {
        let Some(again) = self.left.next() else { return Some(std::mem::take(&mut self.report)) };
        self.report.count(again.decide(&self.snapshot, &self.limits));
        None
    }
}

impl Again {
    fn decide(self, snapshot: &Snapshot, limits: &Limits) -> Outcome {
        let Self { content, recorded } = self;
        let Ok(evaluation) = decide(snapshot, &recorded.request, limits) else { return Outcome::Undecided };
        let is_by: Vec<String> = evaluation.determining_policies.iter().map(ToString::to_string).collect();
        match ((evaluation.decision == Decision::Allow) == recorded.allowed, is_by == recorded.policies) {
            (true, true) => Outcome::Same,
            (true, false) => Outcome::OtherReasons,
            (false, _) => {
                let text = |name: &str| content.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                Outcome::Flipped(Box::new(Flip {
                    id: text("id"),
                    at: text("at"),
                    principal: text("principal"),
                    action: text("action"),
                    resource: text("resource"),
                    was_allowed: recorded.allowed,
                    was_by: recorded.policies,
                    is_by,
                }))
            }
        }
    }
}

impl Report {
    fn count(&mut self, outcome: Outcome) {
        if matches!(outcome, Outcome::Undecided) {
            self.undecided += 1;
            return;
        }
        self.replayed += 1;
        match outcome {
            Outcome::Same | Outcome::Undecided => {}
            Outcome::OtherReasons => self.other_reasons += 1,
            Outcome::Flipped(flip) => self.flipped(*flip),
        }
    }

    fn flipped(&mut self, flip: Flip) {
        let Flip { was_allowed, was_by, is_by, .. } = &flip;
        self.flips.add(*was_allowed);
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) = (was_by.iter().collect(), is_by.iter().collect());
        for id in before.symmetric_difference(&after) {
            add(&mut self.policies, id, *was_allowed);
        }
        add(&mut self.principals, &flip.principal, *was_allowed);
        add(&mut self.actions, &flip.action, *was_allowed);
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(flip);
        }
    }
}

impl Changes {
    fn add(&mut self, was_allowed: bool) {
        let count = if was_allowed { &mut self.to_deny } else { &mut self.to_allow };
        *count += 1;
    }

    #[must_use]
    pub fn all(&self) -> u64 {
        self.to_allow + self.to_deny
    }
}

fn add(counts: &mut BTreeMap<String, Changes>, name: &str, was_allowed: bool) {
    let room = counts.len() < MAX_NAMES;
    match counts.get_mut(name) {
        Some(count) => count.add(was_allowed),
        None if room => counts.entry(name.to_owned()).or_default().add(was_allowed),
        // No id and no name of an entity is empty.
        None => counts.entry(String::new()).or_default().add(was_allowed),
    }
}
