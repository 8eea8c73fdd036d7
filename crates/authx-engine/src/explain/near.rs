//! Near misses: permits that lack one part, each with the write that supplies it.
//!
//! None is a guess: every write is made on the snapshot, and the request decided again, before it is told.

use std::sync::Arc;

use serde_json::Value as Json;

use super::conjuncts::Conjunct;
use super::scope::Lacking;
use crate::cedar::{BinaryOp, EntityUID, Expr, ExprKind, Literal, UnaryOp, Value, ValueKind};
use crate::conform::check_entities;
use crate::data::{Change, read_entity};
use crate::decide::{Decision, asked, combine};
use crate::error::DecideError;
use crate::evaluate::{Evaluated, Question, evaluate, value_of};
use crate::facts::Facts;
use crate::hierarchy::check_hierarchy;
use crate::input::tuple_problems;
use crate::json::JsonObject;
use crate::linking::{EntityGraph, asks};
use crate::patch::EntityPatch;
use crate::policy::{Policy, PolicyId};
use crate::relation::{Tuple, TupleKey};
use crate::request::{AccessRequest, Limits};
use crate::snapshot::Snapshot;
use crate::uid::EntityUid;
use crate::value::to_json;

/// Writes that are tried for one policy.
const MAX_TRIED: usize = 16;

/// Expressions that are looked at for writes of one policy: each may be evaluated.
const MAX_LOOKED_AT: usize = 64;

/// Bytes of a value that a write sets.
const MAX_BYTES: usize = 64 << 10;

/// A permit that lacks one part.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss {
    pub policy: PolicyId,
    /// The part, as the policy says it.
    pub lacks: String,
    pub write: Supply,
    /// Forbids that decide once the permit matches; without one it is an allow.
    pub forbids: Vec<PolicyId>,
}

/// A write that supplies what a policy lacks.
#[derive(Debug, Clone, PartialEq)]
pub enum Supply {
    Tuple(Tuple),
    Entity(EntityPatch),
}

/// The one part that a policy lacks.
pub(super) enum Lack<'a> {
    Scope(Lacking<'a>),
    Conjunct(&'a Conjunct),
}

/// Where writes are made up and tried.
pub(super) struct Trial<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) request: &'a AccessRequest,
    pub(super) limits: &'a Limits,
}

impl Trial<'_> {
    /// The writes that make a permit match, each alone.
    pub(super) fn misses(
        &self,
        policy: &Policy,
        lack: &Lack<'_>,
        question: &Question<'_>,
        facts: Option<&Facts<'_>>,
    ) -> Result<Vec<NearMiss>, DecideError> {
        let mut finder = Finder { question, facts, found: Vec::new(), looked_at: 0 };
        let lacks = match lack {
            Lack::Scope(Lacking { text, entity, target }) => {
                finder.member(entity, target);
                text
            }
            Lack::Conjunct(conjunct) => {
                finder.holds(&conjunct.expr, conjunct)?;
                &conjunct.text
            }
        };
        let mut found = finder.found;
        found.truncate(MAX_TRIED);
        let mut told = Vec::new();
        for write in found {
            let after = self.after(&write);
            if let Some(forbids) = after.and_then(|after| self.matches(&after, policy)) {
                told.push(NearMiss { policy: policy.id.clone(), lacks: lacks.clone(), write, forbids });
            }
        }
        Ok(told)
    }

    /// The snapshot behind a write, if the store takes it.
    fn after(&self, write: &Supply) -> Option<Snapshot> {
        let snapshot = self.snapshot;
        match write {
            Supply::Tuple(tuple) => {
                let model = snapshot.release.as_ref()?.model().map(AsRef::as_ref);
                let refused = !tuple_problems(model, std::slice::from_ref(tuple), 1).is_empty();
                let known = snapshot.tuples().get(&tuple.key).is_some();
                let changed = snapshot.tuples().changed(&[], std::slice::from_ref(tuple)).ok()?;
                (!refused && !known).then(|| snapshot.with_tuples(changed))
            }
            Supply::Entity(patch) => {
                let input = patch.applied(snapshot.data().entity(&patch.uid)?);
                let row = Arc::new(read_entity(&input, snapshot.data_rules(), "").ok()?);
                let conforms = |schema| check_entities(schema, std::iter::once(("", &*row))).is_empty();
                let after = snapshot.with_changes(&[Change::PutEntity(Arc::clone(&row))]);
                let sound = check_hierarchy(after.data(), &row, self.limits.ancestors).is_ok();
                (sound && snapshot.enforced_schema().is_none_or(conforms)).then_some(after)
            }
        }
    }

    /// The forbids that decide there, when the permit matches and nothing but they deny; `None` else.
    fn matches(&self, after: &Snapshot, policy: &Policy) -> Option<Vec<PolicyId>> {
        let told = asked(after, self.request, self.limits, |candidates, question| {
            let Evaluated { outcomes, .. } = evaluate(candidates, question)?;
            let matched =
                candidates.iter().zip(&outcomes).any(|(one, outcome)| one.id == policy.id && *outcome == Ok(true));
            let evaluation = combine(after, candidates, outcomes);
            Ok(match evaluation.decision {
                Decision::Allow => matched.then(Vec::new),
                Decision::Deny => matched.then_some(evaluation.determining_policies),
            })
        });
        // What cannot be decided is no near miss.
        told.ok()?.of.flatten()
    }
}

/// Makes up writes for what does not hold.
struct Finder<'a> {
    question: &'a Question<'a>,
    facts: Option<&'a Facts<'a>>,
    found: Vec<Supply>,
    looked_at: usize,
}

impl<'a> Finder<'a> {
    /// Whether more would not be told, or takes too long to find.
    fn has_enough(&mut self) -> bool {
        self.looked_at += 1;
        self.found.len() >= MAX_TRIED || self.looked_at > MAX_LOOKED_AT
    }

    /// Writes that make an expression true.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no write is made up for any other expression")]
    fn holds(&mut self, expr: &Expr, of: &'a Conjunct) -> Result<(), DecideError> {
        if self.has_enough() {
            return Ok(());
        }
        match expr.expr_kind() {
            ExprKind::Or { left, right } => {
                self.holds(left, of)?;
                self.holds(right, of)
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg2, .. } if asks(arg2) => {
                self.related(of);
                Ok(())
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } => {
                if let (Some(ValueKind::Lit(Literal::EntityUID(entity))), Some(target)) =
                    (self.value(arg1)?, self.value(arg2)?)
                {
                    for target in entities(&target).into_iter().take(MAX_TRIED) {
                        self.member(&entity, target);
                    }
                }
                Ok(())
            }
            ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } => {
                self.set(arg1, arg2, Some)?;
                self.set(arg2, arg1, Some)
            }
            ExprKind::BinaryApp { op: op @ (BinaryOp::Less | BinaryOp::LessEq), arg1, arg2 } => {
                let step = i64::from(*op == BinaryOp::Less);
                self.set(arg1, arg2, |value| number(&value)?.checked_sub(step).map(long))?;
                self.set(arg2, arg1, |value| number(&value)?.checked_add(step).map(long))
            }
            ExprKind::BinaryApp { op: BinaryOp::Contains, arg1, arg2 } => {
                let Some(ValueKind::Set(members)) = self.value(arg1)? else { return Ok(()) };
                self.set(arg1, arg2, |value| {
                    let all = members.iter().cloned().chain([Value::new(value, None)]);
                    Some(ValueKind::Set(crate::cedar::Set::new(all)))
                })
            }
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => self.fails(arg, of),
            _ => self.put(expr, &Json::Bool(true)),
        }
    }

    /// Writes that make an expression false. `>=` and `>` are `<` and `<=` that fail.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no write is made up for any other expression")]
    fn fails(&mut self, expr: &Expr, of: &'a Conjunct) -> Result<(), DecideError> {
        if self.has_enough() {
            return Ok(());
        }
        match expr.expr_kind() {
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => self.holds(arg, of),
            ExprKind::BinaryApp { op: op @ (BinaryOp::Less | BinaryOp::LessEq), arg1, arg2 } => {
                let step = i64::from(*op == BinaryOp::LessEq);
                self.set(arg1, arg2, |value| number(&value)?.checked_add(step).map(long))?;
                self.set(arg2, arg1, |value| number(&value)?.checked_sub(step).map(long))
            }
            _ => self.put(expr, &Json::Bool(false)),
        }
    }

    /// Tuples that give the relations which a conjunct asks for in vain.
    fn related(&mut self, of: &'a Conjunct) {
        let Some(facts) = self.facts else { return };
        for fact in &of.policy.body.facts {
            if facts.holds(&fact.name) == Some(false)
                && let Some((subject, object)) = facts.ends(fact, &self.question.roots)
                && let Some(key) = facts.graph().key(subject, &fact.relation, object)
            {
                self.grants(facts.graph(), &key);
            }
        }
    }

    /// Writes that put one entity into another.
    fn member(&mut self, entity: &EntityUID, target: &EntityUID) {
        let graph = self.question.view.graph;
        let linking = graph.map(|graph| graph.linking);
        let linked = |uid: &EntityUID| linking.is_some_and(|linking| linking.has(uid.entity_type()));
        if let Some((graph, linking)) = graph.zip(linking)
            && linked(entity)
            && linked(target)
        {
            // Between linked types only tuples count.
            if let Some(relation) = linking.members_of(target.entity_type()) {
                graph.key(entity, relation, target).into_iter().for_each(|key| self.grants(graph, &key));
            }
            if let Some(relation) = linking.containers_of(entity.entity_type()) {
                graph.key(target, relation, entity).into_iter().for_each(|key| self.grants(graph, &key));
            }
            return;
        }
        let patch =
            EntityPatch { add_parents: vec![EntityUid(target.clone())], ..EntityPatch::of(EntityUid(entity.clone())) };
        self.found.push(Supply::Entity(patch));
    }

    /// The tuples, each of which gives a relation at once.
    fn grants(&mut self, graph: &EntityGraph<'_>, key: &TupleKey) {
        for relation in graph.relations.given_by(&key.object.type_name, &key.relation) {
            let key = TupleKey { relation, ..key.clone() };
            self.found.push(Supply::Tuple(Tuple { key, condition: None, expires_at: None }));
        }
    }

    /// Sets what one side names to what the other comes to.
    fn set(
        &mut self,
        to: &Expr,
        from: &Expr,
        made: impl Fn(ValueKind) -> Option<ValueKind>,
    ) -> Result<(), DecideError> {
        let value = self.value(from)?.and_then(made);
        value.map_or(Ok(()), |value| self.put(to, &to_json(&Value::new(value, None))))
    }

    /// Puts a value where an expression leads, if that is an attribute or a tag of a stored entity.
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else can be set")]
    fn put(&mut self, to: &Expr, value: &Json) -> Result<(), DecideError> {
        let (of, name, tag) = match to.expr_kind() {
            ExprKind::GetAttr { expr, attr } => (expr, attr, false),
            ExprKind::BinaryApp { op: BinaryOp::GetTag, arg1, arg2 } => match arg2.expr_kind() {
                ExprKind::Lit(Literal::String(name)) => (arg1, name, true),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(ValueKind::Lit(Literal::EntityUID(uid))) = self.value(of)? else { return Ok(()) };
        if value.to_string().len() > MAX_BYTES {
            return Ok(());
        }
        let mut patch = EntityPatch::of(EntityUid(uid.as_ref().clone()));
        let fields: &mut JsonObject = if tag { &mut patch.set_tags } else { &mut patch.set };
        fields.0.insert(name.to_string(), value.clone());
        self.found.push(Supply::Entity(patch));
        Ok(())
    }

    fn value(&self, expr: &Expr) -> Result<Option<ValueKind>, DecideError> {
        Ok(value_of(expr, self.question)?.ok().map(|value| value.value))
    }
}

fn number(value: &ValueKind) -> Option<i64> {
    match value {
        ValueKind::Lit(Literal::Long(number)) => Some(*number),
        ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => None,
    }
}

fn long(number: i64) -> ValueKind {
    ValueKind::Lit(Literal::Long(number))
}

/// An entity, or the entities of a set.
fn entities(value: &ValueKind) -> Vec<&EntityUID> {
    match value {
        ValueKind::Lit(Literal::EntityUID(uid)) => vec![uid],
        ValueKind::Set(members) => members.iter().flat_map(|member| entities(&member.value)).collect(),
        ValueKind::Lit(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => Vec::new(),
    }
}
