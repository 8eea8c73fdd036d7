//! The entity hierarchy, walked from an entity upwards: nothing is stored, so moving a folder costs nothing here.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cedar::EntityUID;
use crate::data::Data;
use crate::entity::EntityRow;
use crate::linking::EntityGraph;
use crate::relation::{GraphError, Node};
use crate::schema::Schema;

/// The entities that one request sees: its own laid over the stored ones.
pub(crate) struct View<'a> {
    pub(crate) data: &'a Data,
    pub(crate) overlay: &'a [(EntityUID, Arc<EntityRow>)],
    pub(crate) schema: Option<&'a Schema>,
    /// The relations that types are linked to; `None` when none is.
    pub(crate) graph: Option<&'a EntityGraph<'a>>,
}

/// Why a walk was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyError {
    #[error("`{uid}` has more than {limit} ancestors")]
    TooManyAncestors { uid: String, limit: usize },
    #[error("`{uid}` is its own ancestor")]
    Cycle { uid: String },
    #[error("what `{uid}` is in cannot be told: {reason}")]
    Undetermined { uid: String, reason: GraphError },
}

impl<'a> View<'a> {
    pub(crate) fn row(&self, uid: &EntityUID) -> Option<&'a Arc<EntityRow>> {
        self.sent(uid).or_else(|| self.data.row(uid))
    }

    fn sent(&self, uid: &EntityUID) -> Option<&'a Arc<EntityRow>> {
        self.overlay.iter().find(|(sent, _)| sent == uid).map(|(_, row)| row)
    }

    /// Every entity that `uid` is a descendant of, itself apart.
    pub(crate) fn ancestors(&self, uid: &EntityUID, limit: usize) -> Result<Vec<EntityUID>, HierarchyError> {
        let mut climb = Climb { view: self, from: uid, limit, found: Vec::new(), nodes: Vec::new(), large: None };
        climb.push_parents(uid, None)?;
        let mut next = 0;
        while let Some((ancestor, node)) = climb.found.get(next).cloned().zip(climb.nodes.get(next).copied()) {
            climb.push_parents(&ancestor, node)?;
            next += 1;
        }
        Ok(climb.found)
    }
}

/// From this many ancestors on a set tells which are known.
const LARGE: usize = 32;

/// One walk upwards, breadth first.
struct Climb<'v> {
    view: &'v View<'v>,
    from: &'v EntityUID,
    limit: usize,
    found: Vec<EntityUID>,
    /// Of each that was found through a tuple, its number there.
    nodes: Vec<Option<Node>>,
    large: Option<HashSet<EntityUID>>,
}

impl Climb<'_> {
    fn push_parents(&mut self, of: &EntityUID, node: Option<Node>) -> Result<(), HierarchyError> {
        let View { data, schema, graph, .. } = self.view;
        if of.is_action() {
            let ancestors = schema.and_then(|schema| schema.actions.get(of)).map(|action| &action.ancestors);
            return ancestors.into_iter().flatten().try_for_each(|parent| self.push(parent.clone(), None));
        }
        let sent = self.view.sent(of);
        let stored = sent.is_none().then(|| data.parents(of));
        let mut parents = sent.into_iter().flat_map(|row| row.parent_uids()).chain(stored.into_iter().flatten());
        let Some((graph, linked)) = graph.and_then(|graph| Some((graph, graph.linking.linked(of.entity_type())?)))
        else {
            return parents.try_for_each(|parent| self.push(parent, None));
        };
        // Between linked types only tuples count.
        let mut unlinked = parents.filter(|parent| graph.linking.linked(parent.entity_type()).is_none());
        unlinked.try_for_each(|parent| self.push(parent, None))?;
        let mut pushed = Ok(());
        let asked = graph.parents(linked, of, node, &mut |parent, node| {
            pushed = self.push(parent, Some(node));
            pushed.is_ok()
        });
        pushed?;
        asked.map_err(|reason| HierarchyError::Undetermined { uid: of.to_string(), reason })
    }

    fn push(&mut self, parent: EntityUID, node: Option<Node>) -> Result<(), HierarchyError> {
        if same(&parent, self.from) {
            // What tuples say may lead back; what is stored as parents must not.
            let cycle = || HierarchyError::Cycle { uid: self.from.to_string() };
            return if self.view.graph.is_some() { Ok(()) } else { Err(cycle()) };
        }
        let known = match &self.large {
            Some(large) => large.contains(&parent),
            None => self.found.iter().any(|found| same(found, &parent)),
        };
        if known {
            return Ok(());
        }
        if self.found.len() == self.limit {
            return Err(HierarchyError::TooManyAncestors { uid: self.from.to_string(), limit: self.limit });
        }
        if let Some(large) = &mut self.large {
            large.insert(parent.clone());
        }
        self.found.push(parent);
        self.nodes.push(node);
        if self.found.len() == LARGE {
            self.large = Some(self.found.iter().cloned().collect());
        }
        Ok(())
    }
}

/// Whether two names are of one entity: ids differ more often than types.
fn same(a: &EntityUID, b: &EntityUID) -> bool {
    a.eid() == b.eid() && a.entity_type() == b.entity_type()
}

/// Checks that an entity's ancestors, as they will be stored, are no cycle and not too many.
///
/// # Errors
/// When they are.
pub fn check_hierarchy(data: &Data, row: &EntityRow, limit: usize) -> Result<(), HierarchyError> {
    let view = View { data, overlay: &[], schema: None, graph: None };
    view.ancestors(&row.uid().0, limit).map(|_| ())
}
