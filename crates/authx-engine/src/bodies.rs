//! Policies that differ only in their heads share one body: generated sets repeat a few conditions for thousands of
//! roles, and what all of them share stays in the processor's cache.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::cedar::Expr;
use crate::map::SharedMap;
use crate::policy::{Body, Policy};

/// The bodies of a release.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bodies {
    /// By digest; of two with one digest the first is shared.
    bodies: SharedMap<u64, Shared>,
}

#[derive(Debug, Clone)]
struct Shared {
    body: Arc<Body>,
    uses: usize,
}

impl Bodies {
    /// The policy with the body that an equal one has already.
    pub(crate) fn add(&mut self, policy: &Arc<Policy>) -> Arc<Policy> {
        let new = || Shared { body: Arc::clone(&policy.body), uses: 0 };
        let shared = self.bodies.entry(policy.body.digest).or_insert_with(new);
        let same = Arc::ptr_eq(&shared.body, &policy.body);
        if !same && *shared.body != *policy.body {
            return Arc::clone(policy);
        }
        shared.uses += 1;
        if same { Arc::clone(policy) } else { Arc::new(policy.with_body(&shared.body)) }
    }

    pub(crate) fn remove(&mut self, policy: &Policy) {
        let digest = policy.body.digest;
        let Some(shared) = self.bodies.get_mut(&digest).filter(|shared| Arc::ptr_eq(&shared.body, &policy.body)) else {
            return;
        };
        shared.uses -= 1;
        if shared.uses == 0 {
            self.bodies.remove(&digest);
        }
    }
}

impl Body {
    /// Tells bodies apart, but for rare accidents.
    pub(crate) fn digest(forbids: bool, condition: Option<&Expr>, advice: Option<&str>) -> u64 {
        let mut hasher = DefaultHasher::new();
        (forbids, condition, advice).hash(&mut hasher);
        hasher.finish()
    }
}

/// What of the entities and facts a body reaches follows from its condition.
impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        (self.forbids, &self.condition, &self.advice) == (other.forbids, &other.condition, &other.advice)
    }
}
