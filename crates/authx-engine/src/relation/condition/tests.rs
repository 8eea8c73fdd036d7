//! Conditions from text to outcome.

use serde_json::{Map, Value as Json, json};

use super::{CompiledCondition, MAX_COST, Outcome};
use crate::problem::Problem;
use crate::relation::model::{ConditionDefinition, ParameterType, Source};

mod bounds;
mod cases;
mod contexts;
mod problems;

fn parameter_type(text: &str) -> ParameterType {
    let inner = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = inner("list<") {
        return ParameterType::List(Box::new(parameter_type(inner)));
    }
    if let Some(inner) = inner("map<") {
        return ParameterType::Map(Box::new(parameter_type(inner)));
    }
    match text {
        "any" => ParameterType::Any,
        "bool" => ParameterType::Bool,
        "string" => ParameterType::String,
        "int" => ParameterType::Int,
        "uint" => ParameterType::Uint,
        "double" => ParameterType::Double,
        "duration" => ParameterType::Duration,
        "timestamp" => ParameterType::Timestamp,
        "ipaddress" => ParameterType::IpAddress,
        other => unreachable!("unknown type {other}"),
    }
}

/// `parameters` as in `x: int, l: list<string>`.
fn definition(expression: &str, parameters: &str) -> ConditionDefinition {
    let parameters = parameters.split(',').filter_map(|parameter| parameter.split_once(':'));
    ConditionDefinition {
        name: "c".into(),
        parameters: parameters.map(|(name, kind)| (name.trim().into(), parameter_type(kind.trim()))).collect(),
        expression: expression.to_owned(),
        source: Source::default(),
        comments: Vec::new(),
    }
}

fn compile(expression: &str, parameters: &str) -> Result<CompiledCondition, Vec<Problem>> {
    CompiledCondition::compile(&definition(expression, parameters))
}

fn object(json: Json) -> Map<String, Json> {
    let Json::Object(fields) = json else { unreachable!("not an object: {json}") };
    fields
}

/// The outcome with everything in the request's context.
fn outcome(expression: &str, parameters: &str, context: Json) -> Outcome {
    let condition = compile(expression, parameters).unwrap_or_else(|problems| unreachable!("{problems:?}"));
    condition.evaluate(&object(context), &Map::new(), MAX_COST).outcome
}

#[test]
fn is_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    shared(&compile("true", "").unwrap_or_else(|problems| unreachable!("{problems:?}")));
    assert_eq!(outcome("true", "", json!({})), Outcome::True);
}
