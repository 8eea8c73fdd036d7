//! Which parts of a release some requests have tried: each policy, and each conjunct of its condition.
//!
//! A conjunct counts where a decision reaches it, which is when all before it hold. It is no part of a decision.

use std::collections::BTreeMap;

use crate::decide::asked;
use crate::error::DecideError;
use crate::explain::{Conjunct, cut, held};
use crate::facts::Facts;
use crate::policy::{Policy, PolicyId};
use crate::problem::SourcePlace;
use crate::release::Release;
use crate::request::{AccessRequest, Limits};
use crate::snapshot::Snapshot;

/// A release's conditions, cut into conjuncts once for many requests.
#[derive(Default)]
pub struct Conditions {
    policies: BTreeMap<PolicyId, Cut>,
}

struct Cut {
    forbids: bool,
    place: SourcePlace,
    conjuncts: Vec<Conjunct>,
}

/// What requests have tried of one release.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    requests: usize,
    /// Those that were in the scope of some request.
    tried: BTreeMap<PolicyId, Tried>,
}

#[derive(Debug, Clone, Default)]
struct Tried {
    applied: usize,
    /// Of each conjunct: whether it was false, whether it was true.
    conjuncts: Vec<[bool; 2]>,
}

/// What requests have tried of one policy or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyCoverage {
    pub policy: PolicyId,
    pub forbids: bool,
    pub place: SourcePlace,
    /// Whether it applied to some request, and whether there was one that it did not apply to.
    pub applied: bool,
    pub not_applied: bool,
    pub conjuncts: Vec<ConjunctCoverage>,
}

/// Whether a conjunct was true for some request, and false for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConjunctCoverage {
    pub text: String,
    pub place: SourcePlace,
    pub was_true: bool,
    pub was_false: bool,
}

impl Conditions {
    /// Cuts all policies and templates of a release.
    ///
    /// # Errors
    /// When a text that was compiled does not compile.
    pub fn of(release: &Release) -> Result<Self, DecideError> {
        let mut conditions = Self::default();
        release.policies().try_for_each(|policy| conditions.cut(release, policy.id()))?;
        Ok(conditions)
    }

    /// Cuts one policy or template.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn cut(&mut self, release: &Release, id: &str) -> Result<(), DecideError> {
        if let Some(policy) = release.policy(id) {
            let place = policy.source.origin().place(policy.source.whole());
            let conjuncts = cut(policy, release.linking())?;
            self.policies.insert(policy.id.clone(), Cut { forbids: policy.forbids(), place, conjuncts });
        }
        Ok(())
    }
}

impl Coverage {
    /// Notes what one request tries; `snapshot` has the release that `conditions` are of. What a link tries is its
    /// template's.
    ///
    /// # Errors
    /// As [`decide`](crate::decide()).
    pub fn note(
        &mut self,
        conditions: &Conditions,
        snapshot: &Snapshot,
        request: &AccessRequest,
        limits: &Limits,
    ) -> Result<(), DecideError> {
        self.requests += 1;
        let tried = &mut self.tried;
        asked(snapshot, request, limits, |candidates, question| {
            for policy in candidates {
                let template = snapshot.data().link(&policy.id).map(|link| link.template.as_str());
                let id = template.unwrap_or(&policy.id);
                let Some(Cut { conjuncts, .. }) = conditions.policies.get(id) else { continue };
                let asking: Vec<&Policy> = conjuncts.iter().map(|conjunct| &conjunct.policy).collect();
                let outcomes = held(conjuncts, false, question, Facts::of(&asking, question).as_ref())?;
                let tried = tried.entry(PolicyId::new(id)).or_default();
                tried.conjuncts.resize(conjuncts.len(), [false; 2]);
                for ([was_false, was_true], outcome) in tried.conjuncts.iter_mut().zip(&outcomes) {
                    *was_false |= *outcome == Ok(false);
                    *was_true |= *outcome == Ok(true);
                }
                let applied = outcomes.len() == conjuncts.len() && outcomes.iter().all(|outcome| *outcome == Ok(true));
                tried.applied += usize::from(applied);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Adds what other requests have tried of the same release.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        for (id, more) in other.tried {
            let tried = self.tried.entry(id).or_default();
            tried.applied += more.applied;
            tried.conjuncts.resize(more.conjuncts.len().max(tried.conjuncts.len()), [false; 2]);
            for (into, from) in tried.conjuncts.iter_mut().zip(more.conjuncts) {
                *into = [into[0] | from[0], into[1] | from[1]];
            }
        }
    }

    /// What was tried of each policy and template, by id.
    #[must_use]
    pub fn of(&self, conditions: &Conditions) -> Vec<PolicyCoverage> {
        let nothing = Tried::default();
        let policies = conditions.policies.iter().map(|(id, Cut { forbids, place, conjuncts })| {
            let tried = self.tried.get(id).unwrap_or(&nothing);
            let seen = |at: usize| tried.conjuncts.get(at).copied().unwrap_or_default();
            PolicyCoverage {
                policy: id.clone(),
                forbids: *forbids,
                place: place.clone(),
                applied: tried.applied > 0,
                not_applied: tried.applied < self.requests,
                conjuncts: conjuncts.iter().enumerate().map(|(at, conjunct)| conjunct.covered(seen(at))).collect(),
            }
        });
        policies.collect()
    }
}

impl Conjunct {
    fn covered(&self, [was_false, was_true]: [bool; 2]) -> ConjunctCoverage {
        ConjunctCoverage { text: self.text.clone(), place: self.place.clone(), was_true, was_false }
    }
}
