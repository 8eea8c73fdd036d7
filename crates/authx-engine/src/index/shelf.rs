//! Policies of one principal key: a few are looked through, many are looked up.

use std::sync::Arc;

use super::Key;
use crate::map::SharedMap;
use crate::policy::Policy;

/// What a head says of the action and of the resource.
type Head = (Key, Key);

type Bucket = Arc<Vec<Arc<Policy>>>;

/// From this many on they are looked up.
const MANY: usize = 9;

/// The policies, each under its head.
#[derive(Debug, Clone)]
pub(super) enum Shelf {
    Few(Arc<[(Head, Arc<Policy>)]>),
    Many(SharedMap<Head, Bucket>),
}

impl Default for Shelf {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

impl Shelf {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    pub(super) fn insert(&mut self, head: Head, policy: &Arc<Policy>) {
        match self {
            Self::Few(few) if few.len() + 1 < MANY => {
                *few = few.iter().cloned().chain([(head, Arc::clone(policy))]).collect();
            }
            Self::Few(few) => {
                let mut many = Self::Many(SharedMap::default());
                few.iter().for_each(|(head, policy)| many.insert(*head, policy));
                many.insert(head, policy);
                *self = many;
            }
            Self::Many(many) => Arc::make_mut(many.entry(head).or_default()).push(Arc::clone(policy)),
        }
    }

    /// Takes a policy out; tells whether it was there.
    pub(super) fn remove(&mut self, head: Head, policy: &Arc<Policy>) -> bool {
        match self {
            Self::Few(few) => {
                let stays = |(at, filed): &&(Head, Arc<Policy>)| *at != head || !Arc::ptr_eq(filed, policy);
                let kept: Arc<[_]> = few.iter().filter(stays).cloned().collect();
                let found = kept.len() < few.len();
                *few = kept;
                found
            }
            Self::Many(many) => {
                let Some(bucket) = many.get_mut(&head) else { return false };
                let policies = Arc::make_mut(bucket);
                let before = policies.len();
                policies.retain(|other| !Arc::ptr_eq(other, policy));
                let found = policies.len() < before;
                if policies.is_empty() {
                    many.remove(&head);
                }
                found
            }
        }
    }

    /// Calls `visit` with every policy of these actions and resources, once for each way to it.
    pub(super) fn visit<'s>(&'s self, actions: &[Key], resources: &[Key], visit: &mut dyn FnMut(&'s Arc<Policy>)) {
        match self {
            Self::Few(few) => {
                let admits = |(action, resource): &Head| actions.contains(action) && resources.contains(resource);
                few.iter().filter(|(head, _)| admits(head)).for_each(|(_, policy)| visit(policy));
            }
            Self::Many(many) => {
                for action in actions {
                    let buckets = resources.iter().filter_map(|resource| many.get(&(*action, *resource)));
                    buckets.flat_map(|bucket| bucket.iter()).for_each(&mut *visit);
                }
            }
        }
    }
}
