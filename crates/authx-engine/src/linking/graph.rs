//! Questions to the relation graph in the words of entities, for one request.

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::cedar::EntityUID;
use crate::linking::ids::{decode, encode};
use crate::linking::{LinkedType, Linking};
use crate::named::Named;
use crate::relation::{Asking, GraphError, Node, ObjectRef, Relations, SubjectRef, TupleKey};

/// The relations that one request sees, and how entities are linked to them.
pub(crate) struct EntityGraph<'a> {
    pub(crate) linking: &'a Linking,
    pub(crate) relations: &'a Relations<'a>,
    pub(crate) asking: Asking<'a>,
}

/// Why a fact is neither true nor false.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GraphFailure {
    #[error("type `{0}` is not linked to the relation model")]
    Unlinked(String),
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl<'a> EntityGraph<'a> {
    /// Whether an entity has a relation to another.
    pub(crate) fn holds(&self, subject: &EntityUID, relation: &str, object: &EntityUID) -> Result<bool, GraphFailure> {
        let of = self.linking.linked(object.entity_type());
        let of = of.ok_or_else(|| GraphFailure::Unlinked(object.entity_type().to_string()))?;
        // A relation that the object cannot have is an error, whoever asks for it.
        let relation = self.relations.relation_of(of.type_id, relation)?;
        let Some(subject_type) = self.linking.linked(subject.entity_type()) else { return Ok(false) };
        let subject = self.relations.subject(subject_type.type_id, &encode(subject.eid().as_ref()));
        let object = self.relations.node(of.type_id, &encode(object.eid().as_ref()));
        Ok(self.relations.holds(subject, relation, object, &self.asking)?)
    }

    /// The tuple that would give an entity a relation to another; `None` where a type is not linked.
    pub(crate) fn key(&self, subject: &EntityUID, relation: &SmolStr, object: &EntityUID) -> Option<TupleKey> {
        let of = |uid: &EntityUID| {
            let model_type = self.linking.model_type(uid.entity_type())?;
            Some(ObjectRef::new(model_type, &encode(uid.eid().as_ref())))
        };
        let subject = SubjectRef { object: of(subject)?, relation: None };
        Some(TupleKey { object: of(object)?, relation: relation.clone(), subject })
    }

    /// What the type of an entity is to the model.
    pub(crate) fn linked(&self, of: &Named<'_>) -> Option<&'a LinkedType> {
        match of.node {
            Some(node) => self.linking.by_model(self.relations.type_of(node)?),
            None => self.linking.linked(of.ty),
        }
    }

    /// Calls `push` with what an entity is in by tuples: its containers, and the groups whose member it is. `push` says
    /// whether to go on.
    pub(crate) fn parents(
        &self,
        linked: &LinkedType,
        of: &Named<'_>,
        push: &mut dyn FnMut(Named<'a>) -> bool,
    ) -> Result<(), GraphError> {
        if !linked.joins && linked.containers.is_none() {
            return Ok(());
        }
        let subject = match of.node {
            Some(node) => self.relations.named(node),
            // Tuples may name everyone of its type without naming it.
            None => self.relations.subject(linked.type_id, &encode(&of.id)),
        };
        let mut go_on = true;
        let mut found = |node| {
            go_on = go_on && self.entity(node).is_none_or(&mut *push);
            go_on
        };
        if let Some((containers, node)) = linked.containers.as_ref().zip(subject.stored()) {
            self.relations.each_direct_subject(node, containers, &self.asking, &mut found)?;
        }
        if linked.joins {
            self.relations.each_target(&self.linking.members, subject, &self.asking, &mut found)?;
        }
        Ok(())
    }

    /// The entity that an object stands for, if its type is linked and its id is one.
    fn entity(&self, node: Node) -> Option<Named<'a>> {
        let ty = &self.linking.by_model(self.relations.type_of(node)?)?.ty;
        let id: Cow<'a, str> = decode(self.relations.id(node))?;
        Some(Named { ty, id, node: Some(node) })
    }
}
