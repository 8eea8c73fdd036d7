//! The objects that tuples name as subjects of a relation that is direct or computed: one step, no userset.

use super::walk::{Truth, Walk};
use super::{Asking, GraphError, Relations};
use crate::relation::edge::{NONE, Node};
use crate::relation::rules::{Kind, RelationId, RelationModel, Way};

/// A relation that is direct or computed: those whose own tuples tell its subjects.
#[derive(Debug)]
pub(crate) struct Direct {
    told_by: Vec<RelationId>,
}

impl Direct {
    pub(crate) fn new(model: &RelationModel, relation: RelationId) -> Self {
        let (mut open, mut told_by) = (vec![relation], Vec::new());
        while let Some(relation) = open.pop() {
            let Some(rules) = model.rules(relation).filter(|_| !told_by.contains(&relation)) else { continue };
            told_by.push(relation);
            open.extend(rules.sources.iter().filter_map(|source| match source.way {
                Way::Computed(other) => Some(other),
                Way::This | Way::From(_) => None,
            }));
        }
        Self { told_by }
    }
}

/// Tells each to `found`, which says whether to go on.
pub(super) fn subjects(
    relations: &Relations<'_>,
    node: Node,
    relation: &Direct,
    asking: &Asking<'_>,
    found: &mut dyn FnMut(Node) -> bool,
) -> Result<(), GraphError> {
    let mut walk = Walk::new(relations, asking);
    for relation in &relation.told_by {
        let Some(rules) = walk.rules(*relation) else { continue };
        for edge in walk.tuples.forward.range(node, walk.bound.relation(*relation), Some(NONE)) {
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
