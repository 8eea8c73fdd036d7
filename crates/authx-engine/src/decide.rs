//! The decision: a function of a snapshot, a request and limits.

use smol_str::SmolStr;

use crate::error::DecideError;
use crate::evaluate::{Evaluated, Failed, Outcome, Question, Roots, evaluate};
use crate::hierarchy::View;
use crate::index::Facet;
use crate::input::{admissible, read_input};
use crate::linking::EntityGraph;
use crate::policy::{Policy, PolicyId};
use crate::relation::Asking;
use crate::request::{AccessRequest, Limits};
use crate::snapshot::{PolicyErrors, Snapshot};

/// May it, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Deny,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    pub policy: PolicyId,
    pub message: String,
}

/// An answer with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    pub decision: Decision,
    /// For an allow the permits that matched, for a deny the forbids; sorted.
    pub determining_policies: Vec<PolicyId>,
    /// Every candidate that erred; sorted.
    pub policy_errors: Vec<PolicyError>,
    /// The `@advice` of the determining policies, in their order.
    pub advice: Vec<SmolStr>,
    /// Parameters that conditions of tuples lacked, where that left a relation untold; sorted.
    pub missing_context: Vec<String>,
    /// What the asker should know of the request, such as keys that were dropped.
    pub warnings: Vec<String>,
    pub revision: u64,
    pub release: Option<SmolStr>,
}

/// Decides `request` against one snapshot. Same inputs, same answer.
///
/// # Errors
/// When the request's data is invalid or a limit is reached; see [`DecideError`].
pub fn decide(snapshot: &Snapshot, request: &AccessRequest, limits: &Limits) -> Result<Evaluation, DecideError> {
    let told = asked(snapshot, request, limits, |candidates, question| {
        let Evaluated { outcomes, missing_context } = evaluate(candidates, question)?;
        Ok(Evaluation { missing_context, ..combine(snapshot, candidates, outcomes) })
    })?;
    let evaluation = told.of.unwrap_or_else(|| denied(snapshot));
    Ok(Evaluation { warnings: told.warnings, ..evaluation })
}

/// What came of a question.
pub(crate) struct Told<T> {
    pub(crate) warnings: Vec<String>,
    /// `None` when there was nothing to ask: no release, or a request that the schema does not admit.
    pub(crate) of: Option<T>,
}

/// Makes a request ready, and asks of the policies whose scope matches.
pub(crate) fn asked<T>(
    snapshot: &Snapshot,
    request: &AccessRequest,
    limits: &Limits,
    ask: impl for<'a> FnOnce(&[&'a Policy], &'a Question<'a>) -> Result<T, DecideError>,
) -> Result<Told<T>, DecideError> {
    let input = read_input(snapshot, request, limits)?;
    let mut warnings = input.warnings;
    let Some(release) = snapshot.release.as_deref() else {
        warnings.push("the store has no release, so nothing is permitted".to_owned());
        return Ok(Told { warnings, of: None });
    };
    if let Some(schema) = snapshot.enforced_schema()
        && let Err(warning) = admissible(schema, request)
    {
        warnings.push(warning);
        return Ok(Told { warnings, of: None });
    }
    let relations = match snapshot.relations().filter(|_| release.linking().is_some()) {
        Some(stored) => Some(stored.with(&request.tuples).map_err(|error| DecideError::limit(error.to_string()))?),
        None => None,
    };
    let asking = Asking { context: &request.context.0, now: request.now, limits: limits.graph };
    let graph = release.linking().zip(relations.as_ref());
    let graph = graph.map(|(linking, relations)| EntityGraph { linking, relations, asking });
    let view = View { data: &snapshot.data, overlay: &input.overlay, schema: release.schema(), graph: graph.as_ref() };
    let (principal, action, resource) = (&request.principal.0, &request.action.0, &request.resource.0);
    let of_principal = view.ancestors(principal, limits.ancestors)?;
    let of_action = view.ancestors(action, limits.ancestors)?;
    let of_resource = view.ancestors(resource, limits.ancestors)?;
    let mut candidates: Vec<&Policy> = Vec::new();
    for index in [&release.index, &snapshot.links.index] {
        index.candidates(
            Facet { uid: principal, ancestors: &of_principal },
            Facet { uid: action, ancestors: &of_action },
            Facet { uid: resource, ancestors: &of_resource },
            &mut |policy| candidates.push(policy),
        );
    }
    let roots = Roots { principal, action, resource, context: &input.context };
    let ancestors = [(principal, of_principal.as_slice()), (resource, of_resource.as_slice())];
    let question = Question { view: &view, roots, ancestors, limits };
    Ok(Told { warnings, of: Some(ask(&candidates, &question)?) })
}

/// Deny by default; a forbid that matched denies; else a permit that matched allows.
pub(crate) fn combine(snapshot: &Snapshot, candidates: &[&Policy], outcomes: Vec<Outcome>) -> Evaluation {
    let (mut permits, mut forbids): (Vec<&Policy>, Vec<&Policy>) = (Vec::new(), Vec::new());
    let mut policy_errors = Vec::new();
    for (policy, outcome) in candidates.iter().copied().zip(outcomes) {
        let matched = match outcome {
            Ok(matched) => matched,
            Err(Failed { message, of_fact }) => {
                policy_errors.push(PolicyError { policy: policy.id.clone(), message });
                // Its scope matched, so nobody can say that it does not forbid this. Cedar skips it all the same, but
                // Cedar knows no facts that fail.
                policy.body.forbids && (of_fact || snapshot.settings.policy_errors == PolicyErrors::Deny)
            }
        };
        if matched {
            if policy.body.forbids { forbids.push(policy) } else { permits.push(policy) }
        }
    }
    let allowed = forbids.is_empty() && !permits.is_empty();
    let mut determining = if allowed { permits } else { forbids };
    determining.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    policy_errors.sort_unstable_by(|a, b| a.policy.cmp(&b.policy));
    Evaluation {
        decision: if allowed { Decision::Allow } else { Decision::Deny },
        advice: determining.iter().filter_map(|policy| policy.body.advice.clone()).collect(),
        determining_policies: determining.into_iter().map(|policy| policy.id.clone()).collect(),
        policy_errors,
        ..denied(snapshot)
    }
}

fn denied(snapshot: &Snapshot) -> Evaluation {
    Evaluation {
        decision: Decision::Deny,
        determining_policies: Vec::new(),
        policy_errors: Vec::new(),
        advice: Vec::new(),
        missing_context: Vec::new(),
        warnings: Vec::new(),
        revision: snapshot.revision,
        release: snapshot.release.as_ref().map(|release| SmolStr::new(release.id())),
    }
}
