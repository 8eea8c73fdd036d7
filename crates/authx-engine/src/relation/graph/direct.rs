//! The objects that tuples name as subjects of a relation that is direct or computed: one step, no userset. Each is told
//! to `found`, which says whether to go on.

use super::walk::{Truth, Walk};
use super::{Asking, GraphError, Relations};
use crate::relation::edge::{NONE, Node};
use crate::relation::rules::{Kind, RelationId, Way};

pub(super) fn subjects(
    relations: &Relations<'_>,
    node: Node,
    relation: RelationId,
    asking: &Asking<'_>,
    found: &mut dyn FnMut(Node) -> bool,
) -> Result<(), GraphError> {
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
                Truth::True if !found(edge.node()) => return Ok(()),
                Truth::True | Truth::False => {}
                Truth::Unknown => {
                    if let Some(failure) = walk.take_failure() {
                        return Err(failure);
                    }
                }
            }
        }
    }
    Ok(())
}
