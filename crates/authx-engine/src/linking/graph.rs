//! Questions to the relation graph in the words of entities, for one request.

use crate::cedar::{Eid, EntityUID};
use crate::linking::ids::{decode, encode};
use crate::linking::{LinkedType, Linking};
use crate::relation::{Asking, GraphError, ObjectRef, Relations, SubjectRef, TupleKey, TypeId};

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
    /// whether to go on.
    pub(crate) fn parents(&self, of: &EntityUID, push: &mut dyn FnMut(EntityUID) -> bool) -> Result<(), GraphError> {
        let linked = self.linking.types.get(of.entity_type());
        let Some(linked) = linked.filter(|linked| linked.joins || linked.containers.is_some()) else { return Ok(()) };
        let object = linked.object(of);
        let mut go_on = true;
        let mut found = |type_id: Option<TypeId>, id: &str| {
            go_on = go_on && self.entity(type_id, id).is_none_or(&mut *push);
            go_on
        };
        if let Some(relation) = linked.containers {
            self.relations.each_direct_subject(&object, relation, &self.asking, &mut found)?;
        }
        if linked.joins {
            self.relations.each_target(&self.linking.members, object, &self.asking, &mut found)?;
        }
        Ok(())
    }

    fn object(&self, uid: &EntityUID) -> Option<ObjectRef> {
        Some(self.linking.types.get(uid.entity_type())?.object(uid))
    }

    /// The entity that an object stands for, if its type is linked and its id is one.
    fn entity(&self, type_id: Option<TypeId>, id: &str) -> Option<EntityUID> {
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
