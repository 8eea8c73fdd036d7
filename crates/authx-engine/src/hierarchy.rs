//! The entity hierarchy, walked from an entity upwards: nothing is stored, so moving a folder costs nothing here.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cedar::EntityUID;
use crate::data::Data;
use crate::entity::EntityRow;
use crate::linking::EntityGraph;
use crate::relation::GraphError;
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
        let sent = self.overlay.iter().find(|(sent, _)| sent == uid);
        sent.map(|(_, row)| row).or_else(|| self.data.row(uid))
    }

    /// Every entity that `uid` is a descendant of, itself apart.
    pub(crate) fn ancestors(&self, uid: &EntityUID, limit: usize) -> Result<Vec<EntityUID>, HierarchyError> {
        let mut found: Vec<EntityUID> = Vec::new();
        // A set is made only for hierarchies that are large enough to need one.
        let mut large: HashSet<EntityUID> = HashSet::new();
        self.push_parents(uid, uid, &mut found, &mut large, limit)?;
        let mut next = 0;
        while let Some(ancestor) = found.get(next).cloned() {
            self.push_parents(&ancestor, uid, &mut found, &mut large, limit)?;
            next += 1;
        }
        Ok(found)
    }

    fn push_parents(
        &self,
        of: &EntityUID,
        from: &EntityUID,
        found: &mut Vec<EntityUID>,
        large: &mut HashSet<EntityUID>,
        limit: usize,
    ) -> Result<(), HierarchyError> {
        let mut push = |parent: EntityUID| {
            if parent == *from {
                // What tuples say may lead back; what is stored as parents must not.
                let cycle = || HierarchyError::Cycle { uid: from.to_string() };
                return if self.graph.is_some() { Ok(()) } else { Err(cycle()) };
            }
            let known = if found.len() < 32 { found.contains(&parent) } else { large.contains(&parent) };
            if known {
                return Ok(());
            }
            if found.len() == limit {
                return Err(HierarchyError::TooManyAncestors { uid: from.to_string(), limit });
            }
            found.push(parent);
            match found.len() {
                32 => large.extend(found.iter().cloned()),
                n if n > 32 => {
                    large.extend(found.last().cloned());
                }
                _ => {}
            }
            Ok(())
        };
        if of.is_action() {
            let action = self.schema.and_then(|schema| schema.actions.get(of));
            return action.into_iter().flat_map(|action| &action.ancestors).cloned().try_for_each(push);
        }
        let sent = self.overlay.iter().find(|(sent, _)| sent == of);
        let stored = sent.is_none().then(|| self.data.parents(of));
        let mut parents = sent.into_iter().flat_map(|(_, row)| row.parent_uids()).chain(stored.into_iter().flatten());
        let Some(graph) = self.graph.filter(|graph| graph.linking.has(of.entity_type())) else {
            return parents.try_for_each(&mut push);
        };
        // Between linked types only tuples count.
        parents.filter(|parent| !graph.linking.has(parent.entity_type())).try_for_each(&mut push)?;
        let mut pushed = Ok(());
        let asked = graph.parents(of, &mut |parent| {
            if pushed.is_ok() {
                pushed = push(parent);
            }
            pushed.is_ok()
        });
        pushed?;
        asked.map_err(|reason| HierarchyError::Undetermined { uid: of.to_string(), reason })
    }
}

/// Checks that an entity's ancestors, as they will be stored, are no cycle and not too many.
///
/// # Errors
/// When they are.
pub fn check_hierarchy(data: &Data, row: &EntityRow, limit: usize) -> Result<(), HierarchyError> {
    let view = View { data, overlay: &[], schema: None, graph: None };
    view.ancestors(&row.uid().0, limit).map(|_| ())
}
