//! Why a request was decided as it was: the same question, asked again in parts.
//!
//! It is no part of a decision: what is explained is decided by the same code as ever, and who does not ask pays
//! nothing. What is told is bounded, however large the store is.

mod conjuncts;
mod near;
mod relations;
mod scope;

use crate::decide::{Decision, Evaluation, asked, decide};
use crate::error::DecideError;
use crate::evaluate::{Failed, Outcome, Question, interpret, value_of};
use crate::facts::Facts;
use crate::policy::{Policy, PolicyId};
use crate::problem::SourcePlace;
use crate::request::{AccessRequest, Limits};
use crate::snapshot::Snapshot;
pub(crate) use conjuncts::{Conjunct, cut};
use near::{Lack, Trial};
pub use near::{NearMiss, Supply};
pub use relations::{RelationExplanation, RelationTold, Tried};
pub use scope::ScopePart;
use scope::{Ends, failing, parts};

/// Policies that are told of.
const MAX_POLICIES: usize = 100;
/// Conjuncts of all of them.
const MAX_CONJUNCTS: usize = 1_000;
/// Near misses that are told of.
const MAX_MISSES: usize = 20;
/// Characters of a value.
const MAX_VALUE: usize = 200;
/// Paths whose values are told.
const MAX_PATHS: usize = 500;
/// Branches of relations that are told.
const MAX_BRANCHES: usize = 500;

/// How much more is told beside conjuncts.
struct Room {
    branches: usize,
    paths: usize,
}

/// A decision, and how each policy that had a say came to what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub evaluation: Evaluation,
    /// Policies whose scope matched, then permits whose scope fails in one part; each by id.
    pub policies: Vec<PolicyExplanation>,
    /// Such policies that are not told of, because there are too many.
    pub omitted: usize,
    /// Of a deny: what would have made it an allow.
    pub near_misses: Vec<NearMiss>,
}

/// What one policy came to.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyExplanation {
    pub policy: PolicyId,
    pub forbids: bool,
    pub place: SourcePlace,
    pub outcome: PolicyOutcome,
    /// The parts of its scope that say anything.
    pub scope: Vec<ScopePart>,
    /// Of its condition, in their order.
    pub conjuncts: Vec<ConjunctExplanation>,
}

/// Whether a policy applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOutcome {
    Matched,
    /// A part of its scope or its condition does not hold.
    NotMatched,
    /// Its condition could not be evaluated.
    Failed,
}

/// What one conjunct of a condition came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ConjunctExplanation {
    /// As the author wrote it; what stands in `unless` is told negated.
    pub text: String,
    pub place: SourcePlace,
    pub outcome: ConjunctOutcome,
    /// What the paths in it lead to, where it does not hold.
    pub values: Vec<PathValue>,
    /// What it asks of relations.
    pub relations: Vec<RelationExplanation>,
}

/// Whether a conjunct holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConjunctOutcome {
    True,
    False,
    Failed {
        message: String,
    },
    /// One before it does not hold, so that it is not asked.
    NotReached,
}

/// A path and its value, both as Cedar text; long values are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathValue {
    pub path: String,
    pub value: Result<String, String>,
}

/// Decides a request and tells why it is decided so. Same inputs, same answer.
///
/// # Errors
/// As [`decide`].
pub fn explain(snapshot: &Snapshot, request: &AccessRequest, limits: &Limits) -> Result<Explanation, DecideError> {
    let evaluation = decide(snapshot, request, limits)?;
    let denied = evaluation.decision == Decision::Deny;
    let told = asked(snapshot, request, limits, |candidates, question| {
        let ends = Ends::of(question)?;
        let (policies, mut omitted) = worth_telling(snapshot, candidates, &ends);
        let trial = Trial { snapshot, request, limits };
        let (mut told, mut misses) = (Vec::new(), Vec::new());
        let (mut room, mut rest) = (MAX_CONJUNCTS, Room { branches: MAX_BRANCHES, paths: MAX_PATHS });
        for policy in policies {
            let (scope, conjuncts) = (parts(policy, &ends), cut(policy, snapshot.linking())?);
            if conjuncts.len() > room {
                omitted += 1;
                continue;
            }
            room -= conjuncts.len();
            let asking: Vec<&Policy> = conjuncts.iter().map(|conjunct| &conjunct.policy).collect();
            let facts = Facts::of(&asking, question);
            let facts = facts.as_ref();
            let near = denied && !policy.forbids() && misses.len() < MAX_MISSES;
            let held = held(&conjuncts, near, question, facts)?;
            if near && let Some(lack) = lack(policy, &scope, &conjuncts, &held, &ends) {
                misses.extend(trial.misses(policy, &lack, question, facts)?);
            }
            told.push(of_policy(policy, scope, (&conjuncts, held), question, facts, &mut rest)?);
        }
        misses.truncate(MAX_MISSES);
        Ok(Explanation { evaluation: evaluation.clone(), policies: told, omitted, near_misses: misses })
    })?;
    let nothing = Explanation { evaluation, policies: Vec::new(), omitted: 0, near_misses: Vec::new() };
    Ok(told.of.unwrap_or(nothing))
}

/// The policies whose scope matches, then permits whose scope fails in one part, and how many there are beyond the
/// bound.
fn worth_telling<'a>(snapshot: &'a Snapshot, candidates: &[&'a Policy], ends: &Ends<'_>) -> (Vec<&'a Policy>, usize) {
    let mut policies = candidates.to_vec();
    policies.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let permits = snapshot.policies().filter(|policy| !policy.forbids() && !policy.is_template());
    let mut near: Vec<&Policy> = permits.filter(|policy| failing(policy, ends) == 1).collect();
    near.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    policies.extend(near);
    let omitted = policies.len().saturating_sub(MAX_POLICIES);
    policies.truncate(MAX_POLICIES);
    (policies, omitted)
}

/// What conjuncts come to, one after the other: up to the first that does not hold, or `beyond` it, up to one that fails.
pub(crate) fn held(
    conjuncts: &[Conjunct],
    beyond: bool,
    question: &Question<'_>,
    facts: Option<&Facts<'_>>,
) -> Result<Vec<Outcome>, DecideError> {
    let mut held = Vec::with_capacity(conjuncts.len());
    for conjunct in conjuncts {
        let lost = || DecideError::Engine { message: "a conjunct has no outcome".to_owned() };
        let outcome = interpret(&[&conjunct.policy], question, facts)?.pop().ok_or_else(lost)?;
        let goes_on = match outcome {
            Ok(holds) => holds || beyond,
            Err(_) => false,
        };
        held.push(outcome);
        if !goes_on {
            break;
        }
    }
    Ok(held)
}

/// The one part that a policy lacks, if it is one.
fn lack<'a>(
    policy: &'a Policy,
    scope: &[ScopePart],
    conjuncts: &'a [Conjunct],
    held: &[Outcome],
    ends: &Ends<'a>,
) -> Option<Lack<'a>> {
    if held.iter().any(Outcome::is_err) {
        return None;
    }
    let lacking: Vec<&Conjunct> =
        conjuncts.iter().zip(held).filter(|(_, held)| **held == Ok(false)).map(|(conjunct, _)| conjunct).collect();
    match (scope.iter().filter(|part| !part.holds).count(), lacking.as_slice()) {
        (1, []) => scope::lacking(policy, ends).map(Lack::Scope),
        (0, [one]) => Some(Lack::Conjunct(one)),
        _ => None,
    }
}

/// What is told of a policy; `held` are its conjuncts in their order, as far as they were asked, and `room` is for
/// what is told beside them.
fn of_policy(
    policy: &Policy,
    scope: Vec<ScopePart>,
    (conjuncts, held): (&[Conjunct], Vec<Outcome>),
    question: &Question<'_>,
    facts: Option<&Facts<'_>>,
    room: &mut Room,
) -> Result<PolicyExplanation, DecideError> {
    let in_scope = scope.iter().all(|part| part.holds);
    let (mut outcome, mut told) = (PolicyOutcome::Matched, Vec::with_capacity(conjuncts.len()));
    let mut held = held.into_iter();
    for conjunct in conjuncts {
        let reached = outcome == PolicyOutcome::Matched;
        let (of, next) = match held.next().filter(|_| reached) {
            None => (ConjunctOutcome::NotReached, outcome),
            Some(Ok(true)) => (ConjunctOutcome::True, outcome),
            Some(Ok(false)) => (ConjunctOutcome::False, PolicyOutcome::NotMatched),
            Some(Err(Failed { message, .. })) => (ConjunctOutcome::Failed { message }, PolicyOutcome::Failed),
        };
        outcome = next;
        let stopped = reached && outcome != PolicyOutcome::Matched;
        told.push(ConjunctExplanation {
            text: conjunct.text.clone(),
            place: conjunct.place.clone(),
            values: if stopped { values(conjunct, question, &mut room.paths)? } else { Vec::new() },
            relations: match facts {
                Some(facts) if reached => {
                    relations::told(&conjunct.policy.body.facts, facts, question, &mut room.branches)
                }
                Some(_) | None => Vec::new(),
            },
            outcome: of,
        });
    }
    Ok(PolicyExplanation {
        policy: policy.id.clone(),
        forbids: policy.forbids(),
        place: policy.source.origin().place(policy.source.whole()),
        outcome: if in_scope { outcome } else { PolicyOutcome::NotMatched },
        scope,
        conjuncts: told,
    })
}

fn values(conjunct: &Conjunct, question: &Question<'_>, room: &mut usize) -> Result<Vec<PathValue>, DecideError> {
    let value = |(path, expr): &(String, _)| {
        let value = value_of(expr, question)?;
        Ok::<_, DecideError>(PathValue { path: path.clone(), value: value.map(|value| cut_short(value.to_string())) })
    };
    let told: Vec<_> = conjunct.paths.iter().take(*room).map(value).collect::<Result<_, _>>()?;
    *room -= told.len();
    Ok(told)
}

fn cut_short(text: String) -> String {
    match text.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
