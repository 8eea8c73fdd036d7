//! The names that scopes mention, as numbers.

use smol_str::SmolStr;

use crate::cedar::{EntityType, EntityUID};
use crate::map::SharedMap;

/// Entities by type, since a request names many whose type no scope mentions.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    types: SharedMap<EntityType, OfType>,
    next: u32,
}

/// What scopes mention of one type.
#[derive(Debug, Clone)]
pub(super) struct OfType {
    itself: Named,
    entities: SharedMap<SmolStr, Named>,
}

#[derive(Debug, Clone, Copy)]
struct Named {
    number: u32,
    /// How many scopes mention it.
    uses: u32,
}

impl Names {
    pub(super) fn of_type(&self, ty: &EntityType) -> Option<&OfType> {
        self.types.get(ty)
    }

    /// The number of a type that some scope mentions by itself.
    pub(super) fn number_of(&self, ty: &EntityType) -> Option<u32> {
        self.of_type(ty)?.number()
    }

    /// The number of an entity that some scope mentions.
    pub(super) fn of(&self, uid: &EntityUID) -> Option<u32> {
        self.of_type(uid.entity_type())?.entity(uid.eid().as_ref())
    }

    /// Counts one more scope that names a type.
    pub(super) fn add_type(&mut self, ty: &EntityType) {
        self.entry(ty).itself.uses += 1;
    }

    /// Counts one more scope that names an entity.
    pub(super) fn add(&mut self, uid: &EntityUID) {
        let number = self.number();
        let entities = &mut self.entry(uid.entity_type()).entities;
        let id = SmolStr::new(AsRef::<str>::as_ref(uid.eid()));
        entities.entry(id).or_insert(Named { number, uses: 0 }).uses += 1;
    }

    pub(super) fn remove_type(&mut self, ty: &EntityType) {
        if let Some(of_type) = self.types.get_mut(ty) {
            of_type.itself.uses -= 1;
        }
        self.tidy(ty);
    }

    pub(super) fn remove(&mut self, uid: &EntityUID) {
        let id: &str = uid.eid().as_ref();
        if let Some(of_type) = self.types.get_mut(uid.entity_type())
            && let Some(named) = of_type.entities.get_mut(id)
        {
            named.uses -= 1;
            if named.uses == 0 {
                of_type.entities.remove(id);
            }
        }
        self.tidy(uid.entity_type());
    }

    /// A type is forgotten with the last scope that needs it.
    fn tidy(&mut self, ty: &EntityType) {
        if self.types.get(ty).is_some_and(|of_type| of_type.itself.uses == 0 && of_type.entities.is_empty()) {
            self.types.remove(ty);
        }
    }

    fn entry(&mut self, ty: &EntityType) -> &mut OfType {
        let number = self.number();
        let new = || OfType { itself: Named { number, uses: 0 }, entities: SharedMap::default() };
        self.types.entry(ty.clone()).or_insert_with(new)
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

impl OfType {
    /// The number of the type, if some scope mentions it by itself.
    pub(super) fn number(&self) -> Option<u32> {
        (self.itself.uses > 0).then_some(self.itself.number)
    }

    /// The number of an entity of the type that some scope mentions.
    pub(super) fn entity(&self, id: &str) -> Option<u32> {
        self.entities.get(id).map(|named| named.number)
    }
}
