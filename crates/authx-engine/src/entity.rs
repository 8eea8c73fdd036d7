//! Entities as a store keeps them: compact rows that share the names of their attributes.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use crate::cedar::{Eid, Entity, EntityType, EntityUID, PartialValue, Value, ValueKind};
use crate::uid::EntityUid;
use crate::value::to_json;

/// What entities of one type with the same attribute names share.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) ty: Arc<EntityType>,
    /// Sorted.
    pub(crate) attributes: Box<[SmolStr]>,
}

/// The type and id of a parent; the type is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) ty: Arc<EntityType>,
    pub(crate) id: SmolStr,
}

/// One entity: its id, attribute values, direct parents and tags. Ancestors are walked, not stored.
#[derive(Debug)]
pub struct EntityRow {
    pub(crate) shape: Arc<Shape>,
    pub(crate) id: SmolStr,
    /// In the order of the shape's names.
    pub(crate) values: Box<[ValueKind]>,
    pub(crate) parents: Box<[Parent]>,
    #[expect(clippy::box_collection, reason = "few entities have tags; a row without pays one word")]
    pub(crate) tags: Option<Box<BTreeMap<SmolStr, Value>>>,
}

impl EntityRow {
    #[must_use]
    pub fn uid(&self) -> EntityUid {
        EntityUid(uid_of(&self.shape.ty, &self.id))
    }

    #[must_use]
    pub fn type_name(&self) -> String {
        self.shape.ty.to_string()
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&ValueKind> {
        let at = self.shape.attributes.binary_search_by(|probe| probe.as_str().cmp(name)).ok()?;
        self.values.get(at)
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&SmolStr, &ValueKind)> {
        self.shape.attributes.iter().zip(&self.values)
    }

    pub(crate) fn parent_uids(&self) -> impl Iterator<Item = EntityUID> {
        self.parents.iter().map(|parent| uid_of(&parent.ty, &parent.id))
    }

    /// The attributes in Cedar's JSON.
    #[must_use]
    pub fn attributes_json(&self) -> Map<String, Json> {
        self.attributes().map(|(name, kind)| (name.to_string(), to_json(&Value::new(kind.clone(), None)))).collect()
    }

    /// The tags in Cedar's JSON.
    #[must_use]
    pub fn tags_json(&self) -> Map<String, Json> {
        let tags = self.tags.iter().flat_map(|tags| tags.iter());
        tags.map(|(name, value)| (name.to_string(), to_json(value))).collect()
    }

    /// The direct parents.
    pub fn parents(&self) -> impl Iterator<Item = EntityUid> {
        self.parent_uids().map(EntityUid)
    }

    /// The entity as Cedar's conformance check reads it, with direct parents only.
    pub(crate) fn to_cedar(&self) -> Entity {
        let attributes = self.attributes().map(|(name, kind)| (name.clone(), partial(kind)));
        let tags = self.tags.iter().flat_map(|tags| tags.iter());
        Entity::new_with_attr_partial_value(
            uid_of(&self.shape.ty, &self.id),
            attributes,
            HashSet::new(),
            self.parent_uids().collect(),
            tags.map(|(name, value)| (name.clone(), PartialValue::Value(value.clone()))),
        )
    }
}

pub(crate) fn partial(kind: &ValueKind) -> PartialValue {
    PartialValue::Value(Value { value: kind.clone(), loc: None })
}

pub(crate) fn uid_of(ty: &EntityType, id: &SmolStr) -> EntityUID {
    EntityUID::from_components(ty.clone(), Eid::new(id.clone()), None)
}

/// A row in a set that is keyed by the row's own name.
#[derive(Debug, Clone)]
pub(crate) struct RowEntry(pub(crate) Arc<EntityRow>);

/// The name of a row, however it is held.
pub(crate) trait RowName {
    fn name(&self) -> (&EntityType, &str);
}

impl RowName for RowEntry {
    fn name(&self) -> (&EntityType, &str) {
        (&self.0.shape.ty, &self.0.id)
    }
}

impl RowName for EntityUID {
    fn name(&self) -> (&EntityType, &str) {
        (self.entity_type(), self.eid().as_ref())
    }
}

impl<'a> Borrow<dyn RowName + 'a> for RowEntry {
    fn borrow(&self) -> &(dyn RowName + 'a) {
        self
    }
}

impl PartialEq for dyn RowName + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.name(), other.name());
        ours.1 == theirs.1 && ours.0 == theirs.0
    }
}

impl Eq for dyn RowName + '_ {}

impl Hash for dyn RowName + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (ty, id) = self.name();
        ty.name().as_ref().basename().as_ref().hash(state);
        id.hash(state);
    }
}

impl PartialEq for RowEntry {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs): (&dyn RowName, &dyn RowName) = (self, other);
        ours == theirs
    }
}

impl Eq for RowEntry {}

impl Hash for RowEntry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let name: &dyn RowName = self;
        name.hash(state);
    }
}
