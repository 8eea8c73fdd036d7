//! The name of an entity, borrowed from wherever it is kept: most that a walk meets are looked at and forgotten.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use smol_str::SmolStr;

use crate::cedar::{EntityType, EntityUID};
use crate::entity::{Parent, RowName, uid_of};
use crate::relation::Node;

/// A type and an id.
#[derive(Debug, Clone)]
pub(crate) struct Named<'a> {
    pub(crate) ty: &'a EntityType,
    pub(crate) id: Cow<'a, str>,
    /// Its number among the names of tuples, when it was found there.
    pub(crate) node: Option<Node>,
}

impl Named<'_> {
    /// The name as one that can be kept.
    pub(crate) fn to_uid(&self) -> EntityUID {
        uid_of(self.ty, &SmolStr::new(&self.id))
    }
}

impl<'a> From<&'a EntityUID> for Named<'a> {
    fn from(uid: &'a EntityUID) -> Self {
        Self { ty: uid.entity_type(), id: Cow::Borrowed(uid.eid().as_ref()), node: None }
    }
}

impl<'a> From<&'a Parent> for Named<'a> {
    fn from(parent: &'a Parent) -> Self {
        Self { ty: &parent.ty, id: Cow::Borrowed(&parent.id), node: None }
    }
}

impl RowName for Named<'_> {
    fn name(&self) -> (&EntityType, &str) {
        (self.ty, &self.id)
    }
}

/// Whether two names are of one entity: ids differ more often than types.
pub(crate) fn same(a: &EntityUID, b: &EntityUID) -> bool {
    std::ptr::eq(a, b) || (a.eid() == b.eid() && a.entity_type() == b.entity_type())
}

impl PartialEq for Named<'_> {
    /// Ids differ more often than types, and a type is mostly kept once.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && (std::ptr::eq(self.ty, other.ty) || self.ty == other.ty)
    }
}

impl Eq for Named<'_> {}

impl Hash for Named<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let name: &dyn RowName = self;
        name.hash(state);
    }
}
