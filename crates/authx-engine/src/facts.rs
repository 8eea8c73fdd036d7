//! The facts of one request: what its candidates ask of the relation graph, answered before they are evaluated.

use std::collections::{BTreeMap, HashSet};

use smol_str::SmolStr;

use crate::access::Root;
use crate::cedar::{Entity, EntityUID, Literal, PartialValue, Value, ValueKind};
use crate::hierarchy::View;
use crate::linking::{EntityGraph, Fact, GraphFailure, Path, Step};
use crate::relation::GraphError;
use crate::slice::Roots;

/// One question in entities, and its answer.
type Answer = (EntityUID, SmolStr, EntityUID, Result<bool, GraphFailure>);

/// The answers to a request's facts.
pub(crate) struct Facts<'a> {
    graph: &'a EntityGraph<'a>,
    view: &'a View<'a>,
    /// By the fact's name; `None` when a path leads nowhere, which the evaluator reports.
    told: BTreeMap<SmolStr, Option<Result<bool, GraphFailure>>>,
    /// Two facts may come to one question.
    asked: Vec<Answer>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(graph: &'a EntityGraph<'a>, view: &'a View<'a>) -> Self {
        Self { graph, view, told: BTreeMap::new(), asked: Vec::new() }
    }

    /// Answers the facts of one policy.
    pub(crate) fn add(&mut self, facts: &[Fact], roots: &Roots<'_>) {
        for fact in facts {
            if self.told.contains_key(&fact.name) {
                continue;
            }
            let ends = self.entity_at(&fact.subject, roots).zip(self.entity_at(&fact.object, roots));
            let answer = ends.map(|(subject, object)| self.ask(subject, &fact.relation, object));
            self.told.insert(fact.name.clone(), answer);
        }
    }

    fn ask(&mut self, subject: EntityUID, relation: &SmolStr, object: EntityUID) -> Result<bool, GraphFailure> {
        let same = |(s, r, o, _): &&Answer| *s == subject && r == relation && *o == object;
        if let Some((_, _, _, answer)) = self.asked.iter().find(same) {
            return answer.clone();
        }
        let answer = self.graph.holds(&subject, relation, &object);
        self.asked.push((subject, relation.clone(), object, answer.clone()));
        answer
    }

    /// The entity that a path leads to, if it leads to one.
    fn entity_at(&self, path: &Path, roots: &Roots<'_>) -> Option<EntityUID> {
        let root = match &path.root {
            Root::Principal => Some(roots.principal),
            Root::Action => Some(roots.action),
            Root::Resource => Some(roots.resource),
            Root::Literal(uid) => Some(uid.as_ref()),
            Root::Context => None,
        };
        let mut steps = path.steps.iter();
        let mut at = match root {
            Some(root) if path.steps.is_empty() => return Some(root.clone()),
            Some(root) => ValueKind::Lit(Literal::EntityUID(std::sync::Arc::new(root.clone()))),
            None => match steps.next()? {
                Step::Attribute(name) => roots.context.get(name)?.value.clone(),
                Step::Tag(_) => return None,
            },
        };
        for step in steps {
            at = self.step(&at, step)?;
        }
        match at {
            ValueKind::Lit(Literal::EntityUID(uid)) => Some(uid.as_ref().clone()),
            ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => None,
        }
    }

    fn step(&self, at: &ValueKind, step: &Step) -> Option<ValueKind> {
        match (at, step) {
            (ValueKind::Lit(Literal::EntityUID(uid)), Step::Attribute(name)) => {
                self.view.row(uid)?.attribute(name).cloned()
            }
            (ValueKind::Lit(Literal::EntityUID(uid)), Step::Tag(name)) => {
                self.view.row(uid)?.tags.as_ref()?.get(name).map(|tag: &Value| tag.value.clone())
            }
            (ValueKind::Record(record), Step::Attribute(name)) => record.get(name).map(|value| value.value.clone()),
            (ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_), _) => None,
        }
    }

    /// The hidden entity: an attribute for each fact that holds or does not.
    pub(crate) fn entity(&self) -> Entity {
        let told = self.told.iter().filter_map(|(name, answer)| match answer {
            Some(Ok(holds)) => Some((name.clone(), PartialValue::Value(Value::from(*holds)))),
            Some(Err(_)) | None => None,
        });
        Entity::new_with_attr_partial_value(
            self.graph.linking.hidden().clone(),
            told,
            HashSet::new(),
            HashSet::new(),
            [],
        )
    }

    /// What an error of the evaluator's says of a fact, if it is of one that failed.
    pub(crate) fn failure(&self, error: &str) -> Option<String> {
        let missing =
            error.strip_prefix(&format!("`{}` does not have the attribute `", self.graph.linking.hidden()))?;
        let name = missing.strip_suffix('`')?;
        let reason = match self.told.get(name) {
            Some(Some(Err(failure))) => failure.to_string(),
            Some(Some(Ok(_)) | None) | None => "it was not asked".to_owned(),
        };
        Some(format!("whether `{name}` cannot be told: {reason}"))
    }

    /// Parameters that conditions lacked, where the lack left a fact untold.
    pub(crate) fn missing_context(&self) -> Vec<String> {
        let mut missing: Vec<String> = Vec::new();
        for answer in self.told.values().flatten() {
            if let Err(GraphFailure::Graph(GraphError::MissingParameters { parameters, .. })) = answer {
                missing.extend(parameters.iter().cloned());
            }
        }
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}
