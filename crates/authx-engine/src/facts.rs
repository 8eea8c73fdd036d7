//! The facts of one request: what its candidates ask of the relation graph, answered before they are evaluated.

use std::collections::HashSet;

use smol_str::SmolStr;

use crate::access::Root;
use crate::cedar::{Entity, EntityUID, Literal, PartialValue, Value, ValueKind};
use crate::evaluate::{Question, Roots};
use crate::hierarchy::View;
use crate::linking::{EntityGraph, Fact, GraphFailure, Path, Step};
use crate::map::Table;
use crate::named::same;
use crate::policy::Policy;
use crate::relation::GraphError;

/// One question in entities, and its answer.
type Answer<'a> = (&'a EntityUID, &'a SmolStr, &'a EntityUID, Result<bool, GraphFailure>);

/// The answers to a request's facts.
pub(crate) struct Facts<'a> {
    graph: &'a EntityGraph<'a>,
    view: &'a View<'a>,
    /// By the fact's name; `None` when a path leads nowhere, which the evaluator reports.
    told: Table<&'a SmolStr, Option<Result<bool, GraphFailure>>>,
    /// Two facts may come to one question.
    asked: Vec<Answer<'a>>,
}

impl<'a> Facts<'a> {
    /// Answers the facts of some policies; `None` when they have none.
    pub(crate) fn of(policies: &[&'a Policy], question: &'a Question<'a>) -> Option<Self> {
        let Question { view, roots, .. } = question;
        let mut asking = policies.iter().filter(|policy| !policy.body.facts.is_empty()).peekable();
        let graph = view.graph.filter(|_| asking.peek().is_some())?;
        let mut facts = Self { graph, view, told: Table::default(), asked: Vec::new() };
        asking.for_each(|policy| facts.add(&policy.body.facts, roots));
        Some(facts)
    }

    /// Answers the facts of one policy.
    fn add(&mut self, facts: &'a [Fact], roots: &Roots<'a>) {
        for fact in facts {
            if self.told.contains_key(&fact.name) {
                continue;
            }
            let answer = self.ends(fact, roots).map(|(subject, object)| self.ask(subject, &fact.relation, object));
            self.told.insert(&fact.name, answer);
        }
    }

    fn ask(
        &mut self,
        subject: &'a EntityUID,
        relation: &'a SmolStr,
        object: &'a EntityUID,
    ) -> Result<bool, GraphFailure> {
        let known = |(s, r, o, _): &&Answer<'_>| *r == relation && same(s, subject) && same(o, object);
        if let Some((.., answer)) = self.asked.iter().find(known) {
            return answer.clone();
        }
        let answer = self.graph.holds(subject, relation, object);
        self.asked.push((subject, relation, object, answer.clone()));
        answer
    }

    /// The entities that a fact is about, if its paths lead to any.
    pub(crate) fn ends(&self, fact: &'a Fact, roots: &Roots<'a>) -> Option<(&'a EntityUID, &'a EntityUID)> {
        self.entity_at(&fact.subject, roots).zip(self.entity_at(&fact.object, roots))
    }

    pub(crate) fn graph(&self) -> &'a EntityGraph<'a> {
        self.graph
    }

    /// The entity that a path leads to, if it leads to one.
    fn entity_at(&self, path: &'a Path, roots: &Roots<'a>) -> Option<&'a EntityUID> {
        let root = match &path.root {
            Root::Principal => Some(roots.principal),
            Root::Action => Some(roots.action),
            Root::Resource => Some(roots.resource),
            Root::Literal(uid) => Some(uid.as_ref()),
            Root::Context => None,
        };
        let Some((first, rest)) = path.steps.split_first() else { return root };
        let mut at = match (root, first) {
            (Some(root), step) => self.of_entity(root, step)?,
            (None, Step::Attribute(name)) => &roots.context.get(name)?.value,
            (None, Step::Tag(_)) => return None,
        };
        for step in rest {
            at = match (at, step) {
                (ValueKind::Lit(Literal::EntityUID(uid)), step) => self.of_entity(uid, step)?,
                (ValueKind::Record(record), Step::Attribute(name)) => &record.get(name)?.value,
                (ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_), _) => {
                    return None;
                }
            };
        }
        match at {
            ValueKind::Lit(Literal::EntityUID(uid)) => Some(uid),
            ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::Record(_) | ValueKind::ExtensionValue(_) => None,
        }
    }

    fn of_entity(&self, uid: &EntityUID, step: &Step) -> Option<&'a ValueKind> {
        let row = self.view.row(uid)?;
        match step {
            Step::Attribute(name) => row.attribute(name),
            Step::Tag(name) => row.tags.as_ref()?.get(name).map(|tag: &Value| &tag.value),
        }
    }

    /// The hidden entity: an attribute for each fact that holds or does not.
    pub(crate) fn entity(&self) -> Entity {
        let told = self.told.iter().filter_map(|(name, answer)| match answer {
            Some(Ok(holds)) => Some(((*name).clone(), PartialValue::Value(Value::from(*holds)))),
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

    /// The answer to a fact; `None` when a path of it leads nowhere.
    pub(crate) fn answer(&self, name: &SmolStr) -> Option<&Result<bool, GraphFailure>> {
        self.told.get(name)?.as_ref()
    }

    /// Whether a fact holds, if that is known.
    pub(crate) fn holds(&self, name: &SmolStr) -> Option<bool> {
        self.answer(name)?.as_ref().ok().copied()
    }

    /// What an error of the evaluator's says of a fact, if it is of one that failed.
    pub(crate) fn failure(&self, error: &str) -> Option<String> {
        let missing =
            error.strip_prefix(&format!("`{}` does not have the attribute `", self.graph.linking.hidden()))?;
        let name = missing.strip_suffix('`')?;
        let reason = match self.told.get(&SmolStr::new(name)) {
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
