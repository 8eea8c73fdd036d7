//! Relation conditions: a tuple counts only when an expression over its own context and the request's is true.
//!
//! The expressions are of the Common Expression Language, with the parameter types and the semantics that OpenFGA
//! gives them. [`CompiledCondition::compile`] parses and types an expression once, when its model is written;
//! [`CompiledCondition::evaluate`] runs it within a budget. No clock, no I/O, no state: the same contexts give the same
//! outcome. Whatever the text and the contexts, neither stack nor memory nor time grows beyond fixed bounds.

use serde_json::{Map, Value as Json};
use smol_str::SmolStr;

use self::check::check;
use self::convert::{convert, shown};
use self::cost::{Fault, Meter};
use self::evaluate::Run;
use self::syntax::parse;
use self::tree::Node;
use self::value::Value;
use super::model::{ConditionDefinition, ParameterType};
use crate::problem::Problem;

mod address;
mod arithmetic;
mod ast;
mod call;
mod check;
mod convert;
mod cost;
mod evaluate;
mod function;
mod number;
mod pattern;
mod syntax;
#[cfg(test)]
mod tests;
mod time;
mod token;
mod tree;
mod types;
mod value;

/// The budget of one evaluation, in steps: one for each part of the expression each time it is computed, for each item
/// of a list or map that is read or compared, and for each ten bytes of text. What OpenFGA allows costs far less.
pub const MAX_COST: u64 = 10_000;

/// How deep the type of a parameter may nest.
const MAX_TYPE_DEPTH: usize = 8;

/// A condition that is ready to be evaluated.
#[derive(Debug, Clone)]
pub struct CompiledCondition {
    name: SmolStr,
    parameters: Vec<(SmolStr, ParameterType)>,
    expression: Node,
}

/// What an evaluation says about its tuple. Only [`Outcome::True`] lets the tuple count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    True,
    False,
    /// These parameters are in neither context, in the order of their declaration.
    Missing(Vec<SmolStr>),
    /// A parameter has the wrong type, or the expression has no value.
    Failed(String),
}

/// An outcome and what it cost, in steps of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    pub outcome: Outcome,
    pub cost: u64,
}

impl CompiledCondition {
    /// Parses the expression and checks its names and types.
    ///
    /// # Errors
    /// `condition_syntax` or `condition_type`. The message names the condition, and the place within the expression.
    pub fn compile(definition: &ConditionDefinition) -> Result<Self, Vec<Problem>> {
        let problem = |code: &'static str, message: &str, at: Option<usize>| {
            let place = at.map(|at| place(&definition.expression, at)).unwrap_or_default();
            Problem::error(code, format!("condition `{}`: {message}{place}", definition.name))
        };
        let mut problems = Vec::new();
        for (index, (name, kind)) in definition.parameters.iter().enumerate() {
            if types::depth(kind) > MAX_TYPE_DEPTH {
                let message = format!("the type of parameter `{name}` nests deeper than {MAX_TYPE_DEPTH} levels");
                problems.push(problem("condition_type", &message, None));
            }
            if definition.parameters.iter().take(index).any(|(other, _)| other == name) {
                problems.push(problem("condition_type", &format!("parameter `{name}` is declared twice"), None));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let expr = parse(&definition.expression)
            .map_err(|error| vec![problem("condition_syntax", &error.message, Some(error.at))])?;
        let expression = check(&expr, &definition.parameters).map_err(|found| {
            found.iter().map(|found| problem("condition_type", &found.message, Some(found.at))).collect::<Vec<_>>()
        })?;
        Ok(Self { name: definition.name.clone(), parameters: definition.parameters.clone(), expression })
    }

    #[must_use]
    pub fn name(&self) -> &SmolStr {
        &self.name
    }

    /// In the order of their declaration.
    #[must_use]
    pub fn parameters(&self) -> &[(SmolStr, ParameterType)] {
        &self.parameters
    }

    /// Evaluates the condition of a tuple. What the tuple stores wins over what the request says.
    ///
    /// Every declared parameter must be there and have its type, whether or not the expression comes to it: a wrong
    /// type is reported before a missing parameter. Keys that are not declared are ignored. More than `max_cost` steps
    /// are a failure; [`MAX_COST`] is the usual limit.
    #[must_use]
    pub fn evaluate(
        &self,
        request_context: &Map<String, Json>,
        tuple_context: &Map<String, Json>,
        max_cost: u64,
    ) -> Evaluated {
        let mut meter = Meter::new(max_cost);
        let (outcome, left) = match self.decide(request_context, tuple_context, &mut meter) {
            Ok(outcome) => (outcome, meter.left()),
            Err(Fault::OverBudget) => (Outcome::Failed(format!("the evaluation takes more than {max_cost} steps")), 0),
            Err(Fault::Failed(message)) => (Outcome::Failed(message), meter.left()),
        };
        Evaluated { outcome, cost: max_cost - left }
    }

    fn decide(
        &self,
        request_context: &Map<String, Json>,
        tuple_context: &Map<String, Json>,
        meter: &mut Meter,
    ) -> Result<Outcome, Fault> {
        let mut values = Vec::with_capacity(self.parameters.len());
        let mut missing = Vec::new();
        for (name, kind) in &self.parameters {
            match tuple_context.get(name.as_str()).or_else(|| request_context.get(name.as_str())) {
                Some(json) => values.push(parameter(name, json, kind, meter)?),
                None => missing.push(name.clone()),
            }
        }
        if !missing.is_empty() {
            return Ok(Outcome::Missing(missing));
        }
        let met = Run { parameters: &values, locals: Vec::new(), meter }.bool(&self.expression)?;
        Ok(if met { Outcome::True } else { Outcome::False })
    }

    /// Whether a tuple may store `context` with this condition. It need not name every parameter.
    ///
    /// # Errors
    /// Names the first key that is not declared or whose value has the wrong type.
    pub fn check_context(&self, context: &Map<String, Json>) -> Result<(), String> {
        for (key, json) in context {
            let Some((name, kind)) = self.parameters.iter().find(|(name, _)| name == key) else {
                return Err(format!("found invalid context parameter `{}`", shown(key)));
            };
            match parameter(name, json, kind, &mut Meter::new(u64::MAX)) {
                Ok(_) => {}
                Err(Fault::Failed(message)) => return Err(message),
                Err(Fault::OverBudget) => return Err(format!("context parameter `{name}` is too large")),
            }
        }
        Ok(())
    }
}

fn parameter<'a>(name: &str, json: &'a Json, kind: &'a ParameterType, meter: &mut Meter) -> Result<Value<'a>, Fault> {
    convert(json, kind, meter).map_err(|fault| match fault {
        Fault::OverBudget => Fault::OverBudget,
        Fault::Failed(message) => Fault::Failed(format!("failed to convert context parameter `{name}`: {message}")),
    })
}

/// How a message says where byte `at` of the expression is.
fn place(expression: &str, at: usize) -> String {
    let before = expression.get(..at).unwrap_or(expression);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!(" (line {line}, column {column} of the expression)")
}
