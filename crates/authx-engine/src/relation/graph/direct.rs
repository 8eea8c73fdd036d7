//! The objects that tuples name as subjects of a relation that is direct or computed: one step, no userset.

use super::walk::{Truth, Walk};
use super::{Asking, GraphError, Relations};
use crate::relation::edge::NONE;
use crate::relation::rules::{Kind, RelationId, Way};
use crate::relation::tuple::ObjectRef;

pub(super) fn subjects(
    relations: &Relations<'_>,
    object: &ObjectRef,
    relation: RelationId,
    asking: &Asking<'_>,
) -> Result<Vec<ObjectRef>, GraphError> {
    let mut found = Vec::new();
    let Some(node) = relations.tuples.node(object) else { return Ok(found) };
    let mut walk = Walk::new(relations, asking);
    let (mut open, mut seen) = (vec![relation], Vec::new());
    while let Some(relation) = open.pop() {
        let Some(rules) = walk.rules(relation).filter(|_| !seen.contains(&relation)) else { continue };
        seen.push(relation);
        open.extend(rules.sources.iter().filter_map(|source| match source.way {
            Way::Computed(other) => Some(other),
            Way::This | Way::From(_) => None,
        }));
        for edge in walk.tuples.forward.range(node, walk.bound.relation(relation), Some(NONE)) {
            if !walk.step() {
                return Err(walk.out_of_work());
            }
            let Some(type_id) = walk.type_of(edge.node()) else { continue };
            match walk.counts(rules, node, edge, type_id, Kind::Object) {
                Truth::True => found.push(walk.tuples.object(edge.node())),
                Truth::False => {}
                Truth::Unknown => {
                    if let Some(failure) = walk.take_failure() {
                        return Err(failure);
                    }
                }
            }
        }
    }
    Ok(found)
}
