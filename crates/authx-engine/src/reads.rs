//! What a decision read: the entities, tuples and links that it may depend on, so that it can be made again without the
//! rest of the store.
//!
//! It is found out apart from the decision, and is no proof: who needs one decides again on what was found.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cedar::EntityUID;
use crate::decide::asked;
use crate::error::DecideError;
use crate::evaluate::Question;
use crate::facts::Facts;
use crate::linking::EntityGraph;
use crate::named::Named;
use crate::policy::{Policy, PolicyId};
use crate::relation::{Asking, GraphLimits, ObjectRef, Tuple, TupleKey};
use crate::request::{AccessRequest, Limits};
use crate::slice::Slice;
use crate::snapshot::Snapshot;
use crate::uid::EntityUid;

/// Ancestors whose every membership is looked for.
const FEW: usize = 40;
/// Tuples that are collected widely.
const MANY: usize = 500;
/// Relations that are asked for, and the steps of each.
const MAX_CHECKS: usize = 1_000;
const CHECK_STEPS: u64 = 50_000;

/// What a decision may depend on, as it is stored.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    pub entities: Vec<EntityUid>,
    pub tuples: Vec<Tuple>,
    pub links: Vec<PolicyId>,
}

/// How tuples are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those that answers which hold follow from. What does not hold needs none, unless it was subtracted or failed.
    Paths,
    /// All around the entities, up to a bound.
    Around,
}

/// Collects what a decision on a snapshot reads.
///
/// # Errors
/// As [`decide`](crate::decide()), and when there is too much around.
pub fn reads(
    snapshot: &Snapshot,
    request: &AccessRequest,
    limits: &Limits,
    reach: Reach,
) -> Result<Reads, DecideError> {
    let told = asked(snapshot, request, limits, |candidates, question| {
        let mut slice = Slice::new(question);
        candidates.iter().try_for_each(|policy| slice.add(&policy.body.access))?;
        let mut uids: BTreeSet<EntityUID> = slice.uids().cloned().collect();
        uids.extend([question.roots.principal.clone(), question.roots.resource.clone()]);
        let mut tuples = Collected { snapshot, found: BTreeMap::new(), checks: MAX_CHECKS };
        let mut entities = uids.clone();
        for uid in &uids {
            let above: Vec<EntityUID> =
                question.view.ancestors(uid, limits.ancestors)?.iter().map(Named::to_uid).collect();
            if let Some(graph) = question.view.graph {
                tuples.memberships(graph, uid, &above);
            }
            entities.extend(above);
        }
        match reach {
            Reach::Paths => tuples.facts(candidates, question),
            Reach::Around => tuples.around(question, &entities)?,
        }
        let stored = entities.into_iter().filter(|uid| snapshot.data().row(uid).is_some());
        let is_link = |policy: &&&Policy| snapshot.data().link(&policy.id).is_some();
        Ok(Reads {
            entities: stored.map(EntityUid).collect(),
            tuples: tuples.found.into_values().collect(),
            links: candidates.iter().filter(is_link).map(|policy| policy.id.clone()).collect(),
        })
    })?;
    Ok(told.of.unwrap_or_default())
}

/// Stored tuples, each once.
struct Collected<'a> {
    snapshot: &'a Snapshot,
    found: BTreeMap<TupleKey, Tuple>,
    /// How many relations may still be asked for.
    checks: usize,
}

impl Collected<'_> {
    /// Those that make an entity a member of what is above it, or contained in it.
    fn memberships(&mut self, graph: &EntityGraph<'_>, uid: &EntityUID, above: &[EntityUID]) {
        let below = std::iter::once(uid).chain(above).take(FEW);
        for entity in below {
            for target in above.iter().take(FEW) {
                if let Some(relation) = graph.linking.members_of(target.entity_type()) {
                    self.path(graph, graph.key(entity, relation, target));
                }
                if let Some(relation) = graph.linking.containers_of(entity.entity_type()) {
                    let key = graph.key(target, relation, entity);
                    let tuple = key.and_then(|key| self.snapshot.tuples().get(&key));
                    self.found.extend(tuple.map(|tuple| (tuple.key.clone(), tuple)));
                }
            }
        }
    }

    /// Those that a tuple's being so follows from.
    fn path(&mut self, graph: &EntityGraph<'_>, key: Option<TupleKey>) {
        let Some(left) = self.checks.checked_sub(1) else { return };
        self.checks = left;
        let Asking { context, now, limits } = graph.asking;
        let asking = Asking { context, now, limits: GraphLimits { steps: limits.steps.min(CHECK_STEPS), ..limits } };
        let checked = key.and_then(|key| graph.relations.check(&key, &asking, true).ok());
        for tuple in checked.filter(|checked| checked.allowed).into_iter().flat_map(|checked| checked.path) {
            // What the request brought is not stored.
            let stored = self.snapshot.tuples().get(&tuple.key);
            self.found.extend(stored.map(|tuple| (tuple.key.clone(), tuple)));
        }
    }

    fn facts(&mut self, candidates: &[&Policy], question: &Question<'_>) {
        let Some(facts) = Facts::of(candidates, question) else { return };
        for fact in candidates.iter().flat_map(|policy| &policy.body.facts) {
            if let Some((subject, object)) = facts.ends(fact, &question.roots) {
                self.path(facts.graph(), facts.graph().key(subject, &fact.relation, object));
            }
        }
    }

    /// Those of all objects that tuples lead to from some entities.
    fn around(&mut self, question: &Question<'_>, entities: &BTreeSet<EntityUID>) -> Result<(), DecideError> {
        let Some(graph) = question.view.graph else { return Ok(()) };
        let any = crate::linking::REL.into();
        let objects = entities.iter().filter_map(|uid| Some(graph.key(uid, &any, uid)?.object));
        let mut open: VecDeque<ObjectRef> = objects.collect();
        let mut seen: BTreeSet<ObjectRef> = open.iter().cloned().collect();
        let tuples = self.snapshot.tuples();
        while let Some(object) = open.pop_front() {
            for tuple in tuples.of_object(&object).chain(tuples.of_subject(&object)) {
                for next in [&tuple.key.object, &tuple.key.subject.object] {
                    if seen.insert(next.clone()) {
                        open.push_back(next.clone());
                    }
                }
                self.found.insert(tuple.key.clone(), tuple);
                if self.found.len() > MANY {
                    return Err(DecideError::limit(format!("more than {MANY} tuples are around the request")));
                }
            }
        }
        Ok(())
    }
}
