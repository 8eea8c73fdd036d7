//! The policy index: from a request's action, principal and resource to the policies whose scope admits them.
//!
//! A policy is filed under exactly what its head says (a literal, a literal's descendants, a type, a type's
//! descendants, anything) on each of the three sides, and looked up under everything that the request's principal,
//! action and resource are. A scope cannot err, so the look-up finds the same policies that a scan would, and the
//! decision, its reasons and its errors are the same. Every map is persistent: a change costs what it changes.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cedar::{EntityType, EntityUID};
use crate::map::SharedMap;
use crate::policy::Policy;
use crate::scope::{ActionSide, Scope, Side, Target};

/// One side of a policy's head. Names are numbers, so that a request hashes each of its own names once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Any,
    Is(u32),
    Eq(u32),
    In(u32),
    IsIn(u32, u32),
}

/// A name that some scope mentions.
#[derive(Debug, Clone, Copy)]
struct Named {
    number: u32,
    uses: u32,
}

type Bucket = Arc<Vec<Arc<Policy>>>;

/// Policies by scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScopeIndex {
    uids: SharedMap<EntityUID, Named>,
    types: SharedMap<EntityType, Named>,
    next: u32,
    by_action_and_principal: SharedMap<(Key, Key), SharedMap<Key, Bucket>>,
    len: usize,
}

/// What one side of a request is: itself, and what it is a descendant of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facet<'a> {
    pub(crate) uid: &'a EntityUID,
    pub(crate) ancestors: &'a [EntityUID],
}

impl ScopeIndex {
    pub(crate) fn insert(&mut self, policy: &Arc<Policy>) {
        let Scope { principal, action, resource } = &policy.scope;
        let principal = self.key_of(principal);
        let resource = self.key_of(resource);
        for action in self.action_keys(action) {
            let by_resource = self.by_action_and_principal.entry((action, principal)).or_default();
            Arc::make_mut(by_resource.entry(resource).or_default()).push(Arc::clone(policy));
        }
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, policy: &Arc<Policy>) {
        let Scope { principal, action, resource } = &policy.scope;
        let (Some(principal_key), Some(resource_key)) = (self.known_key(principal), self.known_key(resource)) else {
            return;
        };
        let mut found = false;
        for action in self.known_action_keys(action) {
            let place = (action, principal_key);
            let Some(by_resource) = self.by_action_and_principal.get_mut(&place) else { continue };
            if let Some(bucket) = by_resource.get_mut(&resource_key) {
                let policies = Arc::make_mut(bucket);
                let before = policies.len();
                policies.retain(|other| !Arc::ptr_eq(other, policy));
                found |= policies.len() < before;
                if policies.is_empty() {
                    by_resource.remove(&resource_key);
                }
            }
            if by_resource.is_empty() {
                self.by_action_and_principal.remove(&place);
            }
        }
        if found {
            self.release(principal);
            self.release(resource);
            self.release_action(action);
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
        let principals = self.keys_for(principal);
        let resources = self.keys_for(resource);
        let actions = self.keys_for(action);
        // A policy that lists several groups of which the action is in more than one is filed under each.
        let several = actions.len() > 2;
        let mut seen: HashSet<*const Policy> = HashSet::new();
        for action in &actions {
            for principal in &principals {
                let Some(by_resource) = self.by_action_and_principal.get(&(*action, *principal)) else { continue };
                for resource in &resources {
                    for policy in by_resource.get(resource).into_iter().flat_map(|bucket| bucket.iter()) {
                        if several
                            && matches!(&policy.scope.action, ActionSide::In(groups) if groups.len() > 1)
                            && !seen.insert(Arc::as_ptr(policy))
                        {
                            continue;
                        }
                        visit(policy);
                    }
                }
            }
        }
    }

    /// Every key under which a policy that admits this side may be filed.
    fn keys_for(&self, facet: Facet<'_>) -> Vec<Key> {
        let mut keys = Vec::with_capacity(8);
        keys.push(Key::Any);
        let ty = self.types.get(facet.uid.entity_type()).map(|named| named.number);
        keys.extend(ty.map(Key::Is));
        if let Some(named) = self.uids.get(facet.uid) {
            keys.push(Key::Eq(named.number));
        }
        for uid in std::iter::once(facet.uid).chain(facet.ancestors) {
            if let Some(named) = self.uids.get(uid) {
                keys.push(Key::In(named.number));
                keys.extend(ty.map(|ty| Key::IsIn(ty, named.number)));
            }
        }
        keys
    }

    fn key_of(&mut self, side: &Side) -> Key {
        match side {
            // A template decides nothing; only its links are filed.
            Side::Any | Side::Eq(Target::Slot) | Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) => Key::Any,
            Side::Is(ty) => Key::Is(number_of(&mut self.types, &mut self.next, ty)),
            Side::Eq(Target::Literal(uid)) => Key::Eq(number_of(&mut self.uids, &mut self.next, uid)),
            Side::In(Target::Literal(uid)) => Key::In(number_of(&mut self.uids, &mut self.next, uid)),
            Side::IsIn(ty, Target::Literal(uid)) => Key::IsIn(
                number_of(&mut self.types, &mut self.next, ty),
                number_of(&mut self.uids, &mut self.next, uid),
            ),
        }
    }

    fn action_keys(&mut self, side: &ActionSide) -> Vec<Key> {
        match side {
            ActionSide::Any => vec![Key::Any],
            ActionSide::Eq(uid) => vec![Key::Eq(number_of(&mut self.uids, &mut self.next, uid))],
            ActionSide::In(uids) => {
                let mut keys: Vec<Key> = Vec::with_capacity(uids.len());
                for uid in uids {
                    let key = Key::In(number_of(&mut self.uids, &mut self.next, uid));
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                keys
            }
        }
    }

    fn known_key(&self, side: &Side) -> Option<Key> {
        let uid = |uid| self.uids.get(uid).map(|named| named.number);
        let ty = |ty| self.types.get(ty).map(|named| named.number);
        Some(match side {
            Side::Any | Side::Eq(Target::Slot) | Side::In(Target::Slot) | Side::IsIn(_, Target::Slot) => Key::Any,
            Side::Is(name) => Key::Is(ty(name)?),
            Side::Eq(Target::Literal(target)) => Key::Eq(uid(target)?),
            Side::In(Target::Literal(target)) => Key::In(uid(target)?),
            Side::IsIn(name, Target::Literal(target)) => Key::IsIn(ty(name)?, uid(target)?),
        })
    }

    fn known_action_keys(&self, side: &ActionSide) -> Vec<Key> {
        let number = |uid| self.uids.get(uid).map(|named: &Named| named.number);
        match side {
            ActionSide::Any => vec![Key::Any],
            ActionSide::Eq(uid) => number(uid).map(Key::Eq).into_iter().collect(),
            ActionSide::In(uids) => uids.iter().filter_map(|uid| number(uid).map(Key::In)).collect(),
        }
    }

    fn release(&mut self, side: &Side) {
        if let Side::Is(ty) | Side::IsIn(ty, _) = side {
            release_name(&mut self.types, ty);
        }
        if let Some(Target::Literal(uid)) = side.target() {
            release_name(&mut self.uids, uid);
        }
    }

    fn release_action(&mut self, side: &ActionSide) {
        match side {
            ActionSide::Any => {}
            ActionSide::Eq(uid) => release_name(&mut self.uids, uid),
            ActionSide::In(uids) => uids.iter().for_each(|uid| release_name(&mut self.uids, uid)),
        }
    }
}

fn number_of<N: Clone + Eq + std::hash::Hash>(names: &mut SharedMap<N, Named>, next: &mut u32, name: &N) -> u32 {
    if let Some(named) = names.get_mut(name) {
        named.uses += 1;
        return named.number;
    }
    let number = *next;
    *next += 1;
    names.insert(name.clone(), Named { number, uses: 1 });
    number
}

fn release_name<N: Clone + Eq + std::hash::Hash>(names: &mut SharedMap<N, Named>, name: &N) {
    let Some(entry) = names.get_mut(name) else { return };
    entry.uses -= 1;
    if entry.uses == 0 {
        names.remove(name);
    }
}
