//! The policy index: from a request's action, principal and resource to the policies whose scope admits them.
//!
//! A policy is filed under exactly what its head says (a literal, a literal's descendants, a type, a type's
//! descendants, anything) on each of the three sides, and looked up under everything that the request's principal,
//! action and resource are. Its principal key names the shelf on which it stands, so that
//! a request meets the shelves of its own roles and groups alone. A scope cannot err, so the look-up finds the same
//! policies that a scan would, and the decision, its reasons and its errors are the same. Every map is persistent: a
//! change costs what it changes.

mod names;
mod shelf;

use std::collections::HashSet;
use std::sync::Arc;

use crate::cedar::EntityUID;
use crate::map::SharedMap;
use crate::named::Named;
use crate::policy::Policy;
use crate::scope::{ActionSide, Scope, Side, Target};
use names::{Names, OfType};
use shelf::Shelf;

/// One side of a policy's head. Names are numbers, so that a request hashes each of its own names once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Any,
    Is(u32),
    Eq(u32),
    In(u32),
    IsIn(u32, u32),
}

/// Policies by scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeIndex {
    names: Names,
    /// By what heads say of the principal.
    shelves: SharedMap<Key, Shelf>,
    len: usize,
}

/// What one side of a request is: itself, and what it is a descendant of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facet<'a> {
    pub(crate) uid: &'a EntityUID,
    pub(crate) ancestors: &'a [Named<'a>],
}

/// The keys of a policy's head.
struct Filed {
    principal: Key,
    /// More than one when it lists groups.
    actions: Vec<Key>,
    resource: Key,
}

impl ScopeIndex {
    pub(crate) fn insert(&mut self, policy: &Arc<Policy>) {
        policy.scope.types().for_each(|ty| self.names.add_type(ty));
        policy.scope.uids().for_each(|uid| self.names.add(uid));
        let Some(Filed { principal, actions, resource }) = self.filed(&policy.scope) else { return };
        let place = self.shelves.entry(principal).or_default();
        for action in actions {
            place.insert((action, resource), policy);
        }
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, policy: &Arc<Policy>) {
        let Some(Filed { principal, actions, resource }) = self.filed(&policy.scope) else { return };
        let Some(place) = self.shelves.get_mut(&principal) else { return };
        let mut found = false;
        for action in actions {
            found |= place.remove((action, resource), policy);
        }
        if place.is_empty() {
            self.shelves.remove(&principal);
        }
        if found {
            policy.scope.types().for_each(|ty| self.names.remove_type(ty));
            policy.scope.uids().for_each(|uid| self.names.remove(uid));
            self.len -= 1;
        }
    }

    /// Calls `visit` with every policy whose scope admits the request, each once.
    pub(crate) fn candidates<'s>(
        &'s self,
        principal: Facet<'_>,
        action: Facet<'_>,
        resource: Facet<'_>,
        visit: &mut dyn FnMut(&'s Arc<Policy>),
    ) {
        if self.len == 0 {
            return;
        }
        let (actions, resources) = (self.keys_for(action), self.keys_for(resource));
        // A policy that lists several groups of which the action is in more than one is filed under each.
        let several = actions.len() > 2;
        let mut seen: HashSet<*const Policy> = HashSet::new();
        let mut visit = |policy: &'s Arc<Policy>| {
            if !several || !policy.several_actions || seen.insert(Arc::as_ptr(policy)) {
                visit(policy);
            }
        };
        let shelves = self.keys_for(principal);
        for shelf in shelves.iter().filter_map(|principal| self.shelves.get(principal)) {
            shelf.visit(&actions, &resources, &mut visit);
        }
    }

    /// Every key under which a policy that admits this side may be filed.
    fn keys_for(&self, facet: Facet<'_>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(8);
        keys.push(Key::Any);
        let of_type = self.names.of_type(facet.uid.entity_type());
        let ty = of_type.and_then(OfType::number);
        keys.extend(ty.map(Key::Is));
        let itself = of_type.and_then(|of_type| of_type.entity(facet.uid.eid().as_ref()));
        keys.extend(itself.map(Key::Eq));
        let mut within = |number| {
            keys.push(Key::In(number));
            keys.extend(ty.map(|ty| Key::IsIn(ty, number)));
        };
        itself.into_iter().for_each(&mut within);
        // What is found together is mostly of one type, which is kept once.
        for ancestors in facet.ancestors.chunk_by(|a, b| std::ptr::eq(a.ty, b.ty)) {
            if let Some(of_type) = ancestors.first().and_then(|first| self.names.of_type(first.ty)) {
                ancestors.iter().filter_map(|ancestor| of_type.entity(&ancestor.id)).for_each(&mut within);
            }
        }
        keys
    }

    /// Where the policies of a scope are filed; `None` when it mentions what no policy here does.
    fn filed(&self, scope: &Scope) -> Option<Filed> {
        let mut actions = match &scope.action {
            ActionSide::Any => vec![Key::Any],
            ActionSide::Eq(uid) => vec![Key::Eq(self.names.of(uid)?)],
            ActionSide::In(uids) => {
                uids.iter().map(|uid| self.names.of(uid).map(Key::In)).collect::<Option<Vec<_>>>()?
            }
        };
        let mut seen = HashSet::new();
        actions.retain(|action| seen.insert(*action));
        Some(Filed { principal: self.key(&scope.principal)?, actions, resource: self.key(&scope.resource)? })
    }

    fn key(&self, side: &Side) -> Option<Key> {
        Some(match side {
            // A template decides nothing; only its links are filed.
            Side::Any | Side::Eq(Target::Slot) | Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) => Key::Any,
            Side::Is(ty) => Key::Is(self.names.number_of(ty)?),
            Side::Eq(Target::Literal(uid)) => Key::Eq(self.names.of(uid)?),
            Side::In(Target::Literal(uid)) => Key::In(self.names.of(uid)?),
            Side::IsIn(ty, Target::Literal(uid)) => Key::IsIn(self.names.number_of(ty)?, self.names.of(uid)?),
        })
    }
}
