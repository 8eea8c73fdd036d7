//! Changes of parts of entities: each becomes the whole entity that it leaves.

use std::collections::HashSet;

use crate::data::EntityInput;
use crate::entity::EntityRow;
use crate::json::JsonObject;
use crate::uid::EntityUid;

/// Changes a stored entity and keeps the rest of it.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityPatch {
    pub uid: EntityUid,
    pub set: JsonObject,
    pub unset: Vec<String>,
    pub set_tags: JsonObject,
    pub unset_tags: Vec<String>,
    pub add_parents: Vec<EntityUid>,
    pub remove_parents: Vec<EntityUid>,
}

impl EntityPatch {
    /// A change of nothing.
    #[must_use]
    pub fn of(uid: EntityUid) -> Self {
        let (set, set_tags) = (JsonObject::default(), JsonObject::default());
        let (unset, unset_tags, add_parents, remove_parents) = Default::default();
        Self { uid, set, unset, set_tags, unset_tags, add_parents, remove_parents }
    }

    /// The entity as it is to be. What is removed and not there changes nothing, as does a parent that is there already.
    #[must_use]
    pub fn applied(&self, row: &EntityRow) -> EntityInput {
        let (mut attrs, mut tags) = (row.attributes_json(), row.tags_json());
        for (fields, unset, set) in
            [(&mut attrs, &self.unset, &self.set), (&mut tags, &self.unset_tags, &self.set_tags)]
        {
            let unset: HashSet<&String> = unset.iter().collect();
            fields.retain(|name, _| !unset.contains(name));
            fields.extend(set.0.clone());
        }
        let removed: HashSet<&EntityUid> = self.remove_parents.iter().collect();
        let stored: Vec<EntityUid> = row.parents().filter(|parent| !removed.contains(parent)).collect();
        let mut seen: HashSet<&EntityUid> = stored.iter().collect();
        let added: Vec<EntityUid> = self.add_parents.iter().filter(|parent| seen.insert(parent)).cloned().collect();
        let parents = [stored, added].concat();
        EntityInput { uid: self.uid.clone(), attrs: JsonObject(attrs), parents, tags: JsonObject(tags) }
    }
}
