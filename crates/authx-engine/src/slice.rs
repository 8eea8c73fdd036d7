//! The part of the entities that the candidate policies can reach, built for the evaluator.

use std::collections::HashSet;

use smol_str::SmolStr;
use std::sync::Arc;

use crate::access::{AccessPaths, Node, Root};
use crate::cedar::{
    Entities, Entity, EntityUID, Literal, NoEntitiesSchema, PartialValue, TCComputation, ValueKind, extensions,
};
use crate::entity::{EntityRow, partial};
use crate::error::DecideError;
use crate::evaluate::Question;
use crate::named::{Named, same};

/// What is wanted of one entity.
struct Wanted<'a> {
    uid: &'a EntityUID,
    row: Option<&'a Arc<EntityRow>>,
    attributes: Vec<&'a SmolStr>,
    tags: bool,
    ancestors: bool,
}

/// Collects what a set of candidate policies can reach from a request.
pub(crate) struct Slice<'a> {
    question: &'a Question<'a>,
    wanted: Vec<Wanted<'a>>,
}

impl<'a> Slice<'a> {
    pub(crate) fn new(question: &'a Question<'a>) -> Self {
        Self { question, wanted: Vec::new() }
    }

    /// The entities that were added.
    pub(crate) fn uids(&self) -> impl Iterator<Item = &'a EntityUID> {
        self.wanted.iter().map(|wanted| wanted.uid)
    }

    /// Adds what one policy can reach.
    pub(crate) fn add(&mut self, paths: &'a AccessPaths) -> Result<(), DecideError> {
        let roots = &self.question.roots;
        for (root, node) in &paths.roots {
            match root {
                Root::Principal => self.visit_entity(roots.principal, node)?,
                Root::Action => self.visit_entity(roots.action, node)?,
                Root::Resource => self.visit_entity(roots.resource, node)?,
                Root::Literal(uid) => self.visit_entity(uid, node)?,
                Root::Context => {
                    for (name, child) in &node.attributes {
                        if let Some(value) = roots.context.get(name) {
                            self.visit_value(&value.value, child)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn visit_value(&mut self, value: &'a ValueKind, node: &'a Node) -> Result<(), DecideError> {
        match value {
            ValueKind::Lit(Literal::EntityUID(uid)) => self.visit_entity(uid, node),
            ValueKind::Record(record) => {
                for (name, child) in &node.attributes {
                    if let Some(value) = record.get(name) {
                        self.visit_value(&value.value, child)?;
                    }
                }
                Ok(())
            }
            ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::ExtensionValue(_) => Ok(()),
        }
    }

    fn visit_entity(&mut self, uid: &'a EntityUID, node: &'a Node) -> Result<(), DecideError> {
        if !node.loaded && !node.ancestors {
            return Ok(());
        }
        // What was stored under the name of the facts before types were linked is not read.
        if self.question.view.graph.is_some_and(|graph| same(graph.linking.hidden(), uid)) {
            return Ok(());
        }
        let at = if let Some(at) = self.wanted.iter().position(|wanted| same(wanted.uid, uid)) {
            at
        } else {
            if self.wanted.len() == self.question.limits.reached_entities {
                return Err(DecideError::limit(format!(
                    "the policies reach more than {} entities",
                    self.question.limits.reached_entities
                )));
            }
            let row = self.question.view.row(uid);
            self.wanted.push(Wanted { uid, row, attributes: Vec::new(), tags: false, ancestors: false });
            self.wanted.len() - 1
        };
        let Some(wanted) = self.wanted.get_mut(at) else { return Ok(()) };
        wanted.ancestors |= node.ancestors;
        wanted.tags |= node.tags.is_some();
        for (name, _) in &node.attributes {
            if !wanted.attributes.contains(&name) {
                wanted.attributes.push(name);
            }
        }
        let Some(row) = wanted.row else { return Ok(()) };
        for (name, child) in &node.attributes {
            if let Some(value) = row.attribute(name) {
                self.visit_value(value, child)?;
            }
        }
        if let (Some(child), Some(tags)) = (&node.tags, &row.tags) {
            for value in tags.values() {
                self.visit_value(&value.value, child)?;
            }
        }
        Ok(())
    }

    /// Builds the entities, and adds the one that holds the facts of the request.
    pub(crate) fn build(self, facts: Option<Entity>) -> Result<Entities, DecideError> {
        let mut built: Vec<Entity> = Vec::with_capacity(self.wanted.len() + 1);
        built.extend(facts);
        for wanted in &self.wanted {
            if wanted.uid.is_action() {
                let action = self.question.view.schema.and_then(|schema| schema.actions.get(wanted.uid));
                built.extend(action.map(|action| action.entity.clone()));
            } else {
                built.extend(self.entity(wanted)?);
            }
        }
        Entities::from_entities(built, None::<&NoEntitiesSchema>, TCComputation::AssumeAlreadyComputed, extensions())
            .map_err(|error| DecideError::Engine { message: error.to_string() })
    }

    fn entity(&self, wanted: &Wanted<'a>) -> Result<Option<Entity>, DecideError> {
        let mut ancestors = HashSet::new();
        if wanted.ancestors {
            let known = self.question.ancestors.iter().find(|(uid, _)| same(uid, wanted.uid));
            if let Some((_, known)) = known {
                ancestors.extend(known.iter().map(Named::to_uid));
            } else {
                let walked = self.question.view.ancestors(wanted.uid, self.question.limits.ancestors)?;
                ancestors.extend(walked.iter().map(Named::to_uid));
            }
        }
        let Some(row) = wanted.row else {
            // Tuples alone can make an entity a member; it still has no attributes.
            let known = self.question.view.graph.is_some() && !ancestors.is_empty();
            let bare = Entity::new_with_attr_partial_value(wanted.uid.clone(), [], HashSet::new(), ancestors, []);
            return Ok(known.then_some(bare));
        };
        let attributes =
            wanted.attributes.iter().filter_map(|name| Some(((*name).clone(), partial(row.attribute(name)?))));
        let tags = row.tags.iter().filter(|_| wanted.tags).flat_map(|tags| tags.iter());
        let tags = tags.map(|(name, value)| (name.clone(), PartialValue::Value(value.clone())));
        Ok(Some(Entity::new_with_attr_partial_value(wanted.uid.clone(), attributes, HashSet::new(), ancestors, tags)))
    }
}
