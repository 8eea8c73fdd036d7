//! Warns of what JSON can say but the modelling language cannot, so that the printed text would not be read back.

use super::{of_relation, of_type};
use crate::problem::Problem;
use crate::relation::codes;
use crate::relation::model::{Model, ParameterType, Rewrite};
use crate::relation::parse::{MAX_NESTING, is_name, is_parameter_name, is_plain_name};
use crate::relation::place::placed;

pub(super) fn check(model: &Model, problems: &mut Vec<Problem>) {
    let warning = |message: String| Problem::warning(codes::NOT_EXPRESSIBLE, message);
    for definition in &model.types {
        if !is_name(&definition.name) {
            let message = format!("the modelling language cannot write a type named `{}`", definition.name);
            problems.push(of_type(definition, warning(message)));
        }
        for relation in &definition.relations {
            let name = &relation.name;
            if !is_name(name) {
                let message = format!("the modelling language cannot write a relation named `{name}`");
                problems.push(of_relation(definition, relation, warning(message)));
            }
            if !stands_first(&relation.rewrite) {
                let message = format!("the modelling language wants the types of `{name}` first, and only once");
                problems.push(of_relation(definition, relation, warning(message)));
            }
            if depth(&relation.rewrite) > MAX_NESTING {
                let message = format!("relation `{name}` nests deeper than the modelling language does");
                problems.push(of_relation(definition, relation, warning(message)));
            }
        }
    }
    for condition in &model.conditions {
        let nested = condition.parameters.iter().any(|(_, kind)| is_nested(kind));
        let named = condition.parameters.iter().all(|(name, _)| is_parameter_name(name));
        if nested || !named || !is_plain_name(&condition.name) {
            let message = format!("the modelling language cannot write condition `{}`", condition.name);
            problems.push(placed(warning(message), &condition.source, &condition.name));
        }
    }
}

/// Whether `[…]` is written where printing puts it: first, before any operator, or not at all.
fn stands_first(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::This | Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => true,
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => {
            let first = operands.iter().position(|operand| *operand == Rewrite::This).unwrap_or(0);
            operands.iter().enumerate().all(
                |(place, operand)| {
                    if place == first { stands_first(operand) } else { !has_direct(operand) }
                },
            )
        }
        Rewrite::Difference(base, subtract) => stands_first(base) && !has_direct(subtract),
    }
}

fn has_direct(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::This => true,
        Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => false,
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => operands.iter().any(has_direct),
        Rewrite::Difference(base, subtract) => has_direct(base) || has_direct(subtract),
    }
}

/// How many parentheses printing puts around the innermost operand.
fn depth(rewrite: &Rewrite) -> usize {
    let inner = |operand: &Rewrite| match operand {
        Rewrite::This | Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => 0,
        Rewrite::Union(_) | Rewrite::Intersection(_) | Rewrite::Difference(..) => depth(operand) + 1,
    };
    match rewrite {
        Rewrite::This | Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => 0,
        Rewrite::Union(operands) | Rewrite::Intersection(operands) => operands.iter().map(inner).max().unwrap_or(0),
        Rewrite::Difference(base, subtract) => inner(base).max(inner(subtract)),
    }
}

fn is_nested(kind: &ParameterType) -> bool {
    match kind {
        ParameterType::List(inner) | ParameterType::Map(inner) => {
            matches!(**inner, ParameterType::List(_) | ParameterType::Map(_))
        }
        ParameterType::Any
        | ParameterType::Bool
        | ParameterType::String
        | ParameterType::Int
        | ParameterType::Uint
        | ParameterType::Double
        | ParameterType::Duration
        | ParameterType::Timestamp
        | ParameterType::IpAddress => false,
    }
}
