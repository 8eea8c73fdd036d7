//! Questions to the relation graph in the words of entities, for one request.

use crate::cedar::{Eid, EntityUID};
use crate::linking::ids::{decode, encode};
use crate::linking::{LinkedType, Linking};
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

impl EntityGraph<'_> {
    /// Whether an entity has a relation to another.
    pub(crate) fn holds(&self, subject: &EntityUID, relation: &str, object: &EntityUID) -> Result<bool, GraphFailure> {
        let unlinked = || GraphFailure::Unlinked(object.entity_type().to_string());
        let object = self.object(object).ok_or_else(unlinked)?;
        let Some(subject) = self.object(subject) else {
            // A relation that the object cannot have is an error, whoever asks for it.
            self.relations.relation(&object.type_name, relation)?;
            return Ok(false);
        };
        let key =
            TupleKey { object, relation: relation.into(), subject: SubjectRef { object: subject, relation: None } };
        Ok(self.relations.check(&key, &self.asking, false)?.allowed)
    }

    /// Calls `push` with what an entity is in by tuples: its containers, and the groups whose member it is. `push` says
    /// whether to go on. Who knows the entity's number among the names of tuples says so.
    pub(crate) fn parents(
        &self,
        linked: &LinkedType,
        of: &EntityUID,
        node: Option<Node>,
        push: &mut dyn FnMut(EntityUID, Node) -> bool,
    ) -> Result<(), GraphError> {
        if !linked.joins && linked.containers.is_none() {
            return Ok(());
        }
        let subject = match node {
            Some(node) => self.relations.named(node),
            // Tuples may name everyone of its type without naming it.
            None => self.relations.subject(linked.object(of)),
        };
        let mut go_on = true;
        let mut found = |node| {
            go_on = go_on && self.entity(node).is_none_or(|uid| push(uid, node));
            go_on
        };
        if let Some((relation, node)) = linked.containers.zip(subject.stored()) {
            self.relations.each_direct_subject(node, relation, &self.asking, &mut found)?;
        }
        if linked.joins {
            self.relations.each_target(&self.linking.members, subject, &self.asking, &mut found)?;
        }
        Ok(())
    }

    fn object(&self, uid: &EntityUID) -> Option<ObjectRef> {
        Some(self.linking.linked(uid.entity_type())?.object(uid))
    }

    /// The entity that an object stands for, if its type is linked and its id is one.
    fn entity(&self, node: Node) -> Option<EntityUID> {
        let (type_id, id) = self.relations.name(node);
        let ty = self.linking.by_model.get(usize::from(type_id?))?.as_ref()?;
        let id = decode(id)?;
        Some(EntityUID::from_components(ty.clone(), Eid::new(id.as_ref()), None))
    }
}

impl LinkedType {
    /// The object that stands for an entity of this type.
    fn object(&self, uid: &EntityUID) -> ObjectRef {
        ObjectRef { type_name: self.model_type.clone(), id: encode(uid.eid().as_ref()).into() }
    }
}
