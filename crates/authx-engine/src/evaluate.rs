//! The conditions of a request's candidates: told from the rows where they are plain, else by Cedar's evaluator.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use crate::access::AccessPaths;
use crate::cedar::{
    Context, EntityUID, EntityUIDEntry, EvaluationError, Evaluator, Expr, Literal, Request, SlotEnv, Value, ValueKind,
    extensions,
};
use crate::condition::prepare;
use crate::error::DecideError;
use crate::facts::Facts;
use crate::hierarchy::View;
use crate::named::Named;
use crate::plain::Plain;
use crate::policy::Policy;
use crate::request::Limits;
use crate::slice::Slice;

/// What the conditions of one request are evaluated on.
pub(crate) struct Question<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) roots: Roots<'a>,
    /// Ancestors that the index look-up walked already: the principal's and the resource's.
    pub(crate) ancestors: [(&'a EntityUID, &'a [Named<'a>]); 2],
    pub(crate) limits: &'a Limits,
}

/// Where the paths of a condition begin in one request.
pub(crate) struct Roots<'a> {
    pub(crate) principal: &'a EntityUID,
    pub(crate) action: &'a EntityUID,
    pub(crate) resource: &'a EntityUID,
    pub(crate) context: &'a Arc<BTreeMap<SmolStr, Value>>,
}

/// What one candidate came to: its condition held, did not hold, or could not be evaluated.
pub(crate) type Outcome = Result<bool, Failed>;

/// Why a condition could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    pub(crate) message: String,
    /// It reached a fact that could not be told, so nobody knows what it would have said.
    pub(crate) of_fact: bool,
}

/// What the candidates came to, in their order.
pub(crate) struct Evaluated {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) missing_context: Vec<String>,
}

/// Evaluates the candidates' conditions; their scopes are known to match.
pub(crate) fn evaluate<'a>(candidates: &[&'a Policy], question: &'a Question<'a>) -> Result<Evaluated, DecideError> {
    let facts = Facts::of(candidates, question);
    let missing_context = facts.as_ref().map(Facts::missing_context).unwrap_or_default();
    let plain = Plain::new(question, facts.as_ref());
    let told =
        |policy: &&'a Policy| policy.body.condition.as_ref().map_or(Some(true), |condition| plain.holds(condition));
    let told: Vec<Option<bool>> = candidates.iter().map(told).collect();
    let left: Vec<&Policy> =
        candidates.iter().zip(&told).filter(|(_, told)| told.is_none()).map(|(policy, _)| *policy).collect();
    let left = if left.is_empty() { Vec::new() } else { interpret(&left, question, facts.as_ref())? };
    let mut left = left.into_iter();
    let lost = || DecideError::Engine { message: "a condition has no outcome".to_owned() };
    let outcome = |told: Option<bool>| told.map(Ok).or_else(|| left.next()).ok_or_else(lost);
    let outcomes: Result<Vec<Outcome>, DecideError> = told.into_iter().map(outcome).collect();
    Ok(Evaluated { outcomes: outcomes?, missing_context })
}

/// What Cedar's evaluator says of some policies' conditions, on no more entities than they can reach.
pub(crate) fn interpret<'a>(
    policies: &[&'a Policy],
    question: &'a Question<'a>,
    facts: Option<&Facts<'a>>,
) -> Result<Vec<Outcome>, DecideError> {
    let mut slice = Slice::new(question);
    policies.iter().try_for_each(|policy| slice.add(&policy.body.access))?;
    with_evaluator(slice, question, facts, |evaluator| {
        let outcome = |policy: &&Policy| match &policy.body.condition {
            Some(condition) => outcome(evaluator, condition, facts),
            None => Ok(Ok(true)),
        };
        policies.iter().map(outcome).collect()
    })
}

/// What an expression without facts comes to, or why it comes to nothing.
pub(crate) fn value_of(expr: &Expr, question: &Question<'_>) -> Result<Result<Value, String>, DecideError> {
    let expr = prepare(expr);
    let access = AccessPaths::of(&expr, None);
    let access = access.map_err(|_| DecideError::limit("an expression reaches too many entities".to_owned()))?;
    let mut slice = Slice::new(question);
    slice.add(&access)?;
    with_evaluator(slice, question, None, |evaluator| match evaluator.interpret(&expr, &SlotEnv::new()) {
        Ok(value) => Ok(Ok(value)),
        Err(EvaluationError::RecursionLimit(error)) => Err(DecideError::limit(error.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    })
}

fn with_evaluator<'a, T>(
    slice: Slice<'a>,
    question: &'a Question<'a>,
    facts: Option<&Facts<'a>>,
    then: impl FnOnce(&Evaluator<'_>) -> Result<T, DecideError>,
) -> Result<T, DecideError> {
    let Roots { principal, action, resource, context } = question.roots;
    let entities = slice.build(facts.map(Facts::entity))?;
    let known = |uid: &EntityUID| EntityUIDEntry::known(uid.clone(), None);
    let context = Context::Value(Arc::clone(context));
    let request = Request::new_unchecked(known(principal), known(action), known(resource), Some(context));
    then(&Evaluator::new(request, &entities, extensions()))
}

fn outcome(evaluator: &Evaluator<'_>, condition: &Expr, facts: Option<&Facts<'_>>) -> Result<Outcome, DecideError> {
    match evaluator.interpret(condition, &SlotEnv::new()) {
        Ok(Value { value: ValueKind::Lit(Literal::Bool(holds)), .. }) => Ok(Ok(holds)),
        Ok(value) => Ok(Err(Failed { message: format!("type error: expected bool, got `{value}`"), of_fact: false })),
        Err(EvaluationError::RecursionLimit(error)) => Err(DecideError::limit(error.to_string())),
        Err(error) => {
            let message = error.to_string();
            let failure = facts.and_then(|facts| facts.failure(&message));
            Ok(Err(Failed { of_fact: failure.is_some(), message: failure.unwrap_or(message) }))
        }
    }
}
