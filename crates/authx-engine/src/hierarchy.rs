//! The entity hierarchy, walked from an entity upwards: nothing is stored, so moving a folder costs nothing here.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::cedar::{EntityType, EntityUID};
use crate::data::Data;
use crate::entity::{EntityRow, RowName};
use crate::linking::EntityGraph;
use crate::named::Named;
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
    pub(crate) fn row(&self, uid: &dyn RowName) -> Option<&'a Arc<EntityRow>> {
        self.sent(uid).or_else(|| self.data.row(uid))
    }

    fn sent(&self, uid: &dyn RowName) -> Option<&'a Arc<EntityRow>> {
        let sent = self.overlay.iter().find(|(sent, _)| {
            let sent: &dyn RowName = sent;
            sent == uid
        });
        sent.map(|(_, row)| row)
    }

    /// Every entity that `uid` is a descendant of, itself apart.
    pub(crate) fn ancestors(&self, uid: &'a EntityUID, limit: usize) -> Result<Vec<Named<'a>>, HierarchyError> {
        let from = Named::from(uid);
        let mut climb = Climb { view: self, from: &from, limit, found: Vec::new(), large: None, leaf: None };
        climb.push_parents(&from)?;
        let mut next = 0;
        while let Some(ancestor) = climb.found.get(next).cloned() {
            climb.push_parents(&ancestor)?;
            next += 1;
        }
        Ok(climb.found)
    }
}

/// From this many ancestors on a set tells which are known.
const LARGE: usize = 32;
/// Room for as many as most entities have.
const FEW: usize = 8;

/// One walk upwards, breadth first.
struct Climb<'a, 'v> {
    view: &'v View<'a>,
    from: &'v Named<'a>,
    limit: usize,
    found: Vec<Named<'a>>,
    large: Option<HashSet<Named<'a>, RandomState>>,
    /// The type that was found last of which nothing that is stored has parents.
    leaf: Option<&'a EntityType>,
}

impl<'a> Climb<'a, '_> {
    fn push_parents(&mut self, of: &Named<'a>) -> Result<(), HierarchyError> {
        let View { schema, graph, .. } = self.view;
        if of.ty.is_action() {
            let ancestors = schema.and_then(|schema| schema.actions.get(&of.to_uid())).map(|action| &action.ancestors);
            return ancestors.into_iter().flatten().try_for_each(|parent| self.push(parent.into()));
        }
        let row = self.view.sent(of).or_else(|| self.stored(of));
        let mut parents = row.into_iter().flat_map(|row| &row.parents).map(Named::from);
        let Some((graph, linked)) = graph.and_then(|graph| Some((graph, graph.linked(of)?))) else {
            return parents.try_for_each(|parent| self.push(parent));
        };
        // Between linked types only tuples count.
        let mut unlinked = parents.filter(|parent| !graph.linking.has(parent.ty));
        unlinked.try_for_each(|parent| self.push(parent))?;
        let mut pushed = Ok(());
        let asked = graph.parents(linked, of, &mut |parent| {
            pushed = self.push(parent);
            pushed.is_ok()
        });
        pushed?;
        asked.map_err(|reason| HierarchyError::Undetermined { uid: of.to_uid().to_string(), reason })
    }

    /// An entity that may have stored parents. What is found together is mostly of one type, which is kept once.
    fn stored(&mut self, of: &Named<'a>) -> Option<&'a Arc<EntityRow>> {
        if self.leaf.is_some_and(|leaf| std::ptr::eq(leaf, of.ty)) {
            return None;
        }
        if self.view.data.may_have_parents(of.ty) {
            return self.view.data.row(of);
        }
        self.leaf = Some(of.ty);
        None
    }

    fn push(&mut self, parent: Named<'a>) -> Result<(), HierarchyError> {
        let uid = || self.from.to_uid().to_string();
        if parent == *self.from {
            // What tuples say may lead back; what is stored as parents must not.
            return if self.view.graph.is_some() { Ok(()) } else { Err(HierarchyError::Cycle { uid: uid() }) };
        }
        let known = match &self.large {
            Some(large) => large.contains(&parent),
            None => self.found.contains(&parent),
        };
        if known {
            return Ok(());
        }
        if self.found.len() == self.limit {
            return Err(HierarchyError::TooManyAncestors { uid: uid(), limit: self.limit });
        }
        if let Some(large) = &mut self.large {
            large.insert(parent.clone());
        }
        if self.found.is_empty() {
            self.found.reserve(FEW);
        }
        self.found.push(parent);
        if self.found.len() == LARGE {
            self.large = Some(self.found.iter().cloned().collect());
        }
        Ok(())
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
