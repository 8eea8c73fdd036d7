//! Questions to the relation graph in the words of entities, for one request.

use crate::cedar::{Eid, EntityUID};
use crate::linking::Linking;
use crate::linking::ids::{decode, encode};
use crate::relation::{Asking, GraphError, ObjectRef, Relations, SubjectRef, TupleKey};

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
        let Some(linked) = self.linking.types.get(of.entity_type()) else { return Ok(()) };
        let Some(object) = self.object(of) else { return Ok(()) };
        let mut found = |parent: &ObjectRef| self.entity(parent).is_none_or(&mut *push);
        if let Some(relation) = linked.containers {
            for container in self.relations.direct_subjects(&object, relation, &self.asking)? {
                if !found(&container) {
                    return Ok(());
                }
            }
        }
        if !self.linking.members.is_empty() {
            let subject = SubjectRef { object, relation: None };
            self.relations.each_target(&self.linking.members, &subject, &self.asking, &mut |group| found(&group))?;
        }
        Ok(())
    }

    fn object(&self, uid: &EntityUID) -> Option<ObjectRef> {
        let linked = self.linking.types.get(uid.entity_type())?;
        let id = encode(uid.eid().as_ref());
        Some(ObjectRef { type_name: linked.model_type.clone(), id: id.into() })
    }

    /// The entity that an object stands for, if its type is linked and its id is one.
    fn entity(&self, object: &ObjectRef) -> Option<EntityUID> {
        let ty = self.linking.by_model.get(&object.type_name)?;
        let id = decode(&object.id)?;
        Some(EntityUID::from_components(ty.clone(), Eid::new(id.as_ref()), None))
    }
}
