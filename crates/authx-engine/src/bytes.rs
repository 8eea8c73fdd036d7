//! How many bytes the entities and links of a store come to: those of the names, ids and values that were written, whatever
//! it takes to keep them. So the number is the same on every machine, in every version and after every start. Tuples
//! are counted alike, in `relation`.

use crate::cedar::{EntityType, EntityUID, Literal, ValueKind};
use crate::data::LinkInput;
use crate::entity::EntityRow;
use crate::policy::PolicyId;

/// An integer.
const LONG: usize = 8;
/// A decimal, an IP address, a date or a duration.
const EXTENSION: usize = 16;

/// An entity with its attributes, tags and direct parents.
pub(crate) fn of_entity(row: &EntityRow) -> usize {
    let attributes: usize = row.attributes().map(|(name, kind)| name.len() + of_value(kind)).sum();
    let parents: usize = row.parents.iter().map(|parent| of_name(&parent.ty, &parent.id)).sum();
    let tags = row.tags.iter().flat_map(|tags| tags.iter());
    let tags: usize = tags.map(|(name, value)| name.len() + of_value(&value.value)).sum();
    of_name(&row.shape.ty, &row.id) + attributes + parents + tags
}

/// A link with its id.
pub(crate) fn of_link(id: &PolicyId, link: &LinkInput) -> usize {
    let slots: usize = [&link.principal, &link.resource].into_iter().flatten().map(|uid| of_uid(&uid.0)).sum();
    id.as_str().len() + link.template.len() + slots
}

fn of_value(kind: &ValueKind) -> usize {
    match kind {
        ValueKind::Lit(Literal::Bool(_)) => 1,
        ValueKind::Lit(Literal::Long(_)) => LONG,
        ValueKind::Lit(Literal::String(text)) => text.len(),
        ValueKind::Lit(Literal::EntityUID(uid)) => of_uid(uid),
        ValueKind::Set(set) => set.iter().map(|value| of_value(&value.value)).sum(),
        ValueKind::Record(map) => map.iter().map(|(name, value)| name.len() + of_value(&value.value)).sum(),
        ValueKind::ExtensionValue(_) => EXTENSION,
    }
}

fn of_uid(uid: &EntityUID) -> usize {
    of_name(uid.entity_type(), uid.eid().as_ref())
}

/// Type and id; a type in a namespace is `App::User`.
fn of_name(ty: &EntityType, id: &str) -> usize {
    let name = ty.name().as_ref();
    let namespace: usize = name.namespace_components().map(|part| AsRef::<str>::as_ref(part).len() + 2).sum();
    namespace + AsRef::<str>::as_ref(name.basename()).len() + id.len()
}
