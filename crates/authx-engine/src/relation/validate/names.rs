//! The schema version, how much there is, and names: their form, reserved ones, and ones that are used twice.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Rules, of_relation, of_type, source_of};
use crate::problem::Problem;
use crate::relation::codes;
use crate::relation::model::{ConditionDefinition, Model, Source};
use crate::relation::place::{placed, shown};

const MAX_TYPE_NAME: usize = 254;
const MAX_RELATION_NAME: usize = 50;
const MAX_CONDITION_NAME: usize = 50;

pub(super) fn check(model: &Model, rules: Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    match model.schema_version.as_str() {
        "1.1" | "1.2" => {}
        "" => problems.push(Problem::error(codes::SCHEMA_VERSION, "the schema version is missing")),
        other => {
            let message = format!("schema version `{}` is not supported, expected `1.1` or `1.2`", shown(other));
            problems.push(Problem::error(codes::SCHEMA_VERSION, message));
        }
    }
    if model.types.len() > rules.max_types {
        let message = format!("the model has {} types, at most {} are allowed", model.types.len(), rules.max_types);
        problems.push(Problem::error(codes::TOO_MANY_TYPES, message));
    }
    check_types(model, &mut problems);
    let mut conditions = HashSet::new();
    for condition in &model.conditions {
        if !conditions.insert(condition.name.as_str()) {
            let message = format!("condition `{}` is defined more than once", shown(&condition.name));
            problems.push(of_condition(condition, Problem::error(codes::DUPLICATE_CONDITION, message)));
        }
        check_condition(condition, &mut problems);
    }
    check_modules(model, &mut problems);
    problems
}

fn check_types(model: &Model, problems: &mut Vec<Problem>) {
    let mut types = HashSet::new();
    for definition in &model.types {
        let name = shown(&definition.name);
        if !types.insert(definition.name.as_str()) {
            let message = format!("type `{name}` is defined more than once");
            problems.push(of_type(definition, Problem::error(codes::DUPLICATE_TYPE, message)));
        }
        if let Some(problem) = name_problem("type", &definition.name, MAX_TYPE_NAME) {
            problems.push(of_type(definition, problem));
        }
        let mut relations = HashSet::new();
        for relation in &definition.relations {
            if !relations.insert(relation.name.as_str()) {
                let message = format!("type `{name}` defines relation `{}` more than once", shown(&relation.name));
                problems.push(of_relation(definition, relation, Problem::error(codes::DUPLICATE_RELATION, message)));
            }
            if let Some(problem) = name_problem("relation", &relation.name, MAX_RELATION_NAME) {
                problems.push(of_relation(definition, relation, problem));
            }
        }
    }
}

fn check_condition(condition: &ConditionDefinition, problems: &mut Vec<Problem>) {
    let name = condition.name.as_str();
    let length = name.chars().count();
    if length == 0 || length > MAX_CONDITION_NAME || name.contains(|c| c == '*' || is_space(c)) {
        let message = format!(
            "condition name `{}` is not allowed: 1 to {MAX_CONDITION_NAME} characters, none of them `*` or blank",
            shown(name)
        );
        problems.push(of_condition(condition, Problem::error(codes::INVALID_NAME, message)));
    }
    let mut parameters = HashSet::new();
    for (parameter, _) in &condition.parameters {
        if !parameters.insert(parameter) {
            let message = format!("condition `{}` declares `{}` more than once", shown(name), shown(parameter));
            problems.push(of_condition(condition, Problem::error(codes::DUPLICATE_PARAMETER, message)));
        }
        if parameter.is_empty() {
            let message = format!("condition `{}` has a parameter without a name", shown(name));
            problems.push(of_condition(condition, Problem::error(codes::INVALID_NAME, message)));
        }
    }
}

fn name_problem(what: &str, name: &str, longest: usize) -> Option<Problem> {
    if name == "self" || name == "this" {
        return Some(Problem::error(codes::RESERVED_NAME, format!("a {what} cannot be named `{name}`")));
    }
    let length = name.chars().count();
    if length > 0 && length <= longest && !name.contains(|c| matches!(c, ':' | '#' | '@' | '*') || is_space(c)) {
        return None;
    }
    let rule = format!("it has 1 to {longest} characters, none of them `:`, `#`, `@`, `*` or blank");
    Some(Problem::error(codes::INVALID_NAME, format!("{what} name `{}` is not allowed: {rule}", shown(name))))
}

/// `\s` of the pattern that OpenFGA checks names with.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// One file is one module, or the model could not be written down again.
fn check_modules(model: &Model, problems: &mut Vec<Problem>) {
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut note = |source: &Source| {
        if let (Some(file), Some(module)) = (&source.file, &source.module) {
            modules.entry(file.clone()).or_default().insert(shown(module));
        }
    };
    for definition in &model.types {
        note(&definition.source);
        definition.relations.iter().for_each(|relation| note(&source_of(definition, relation)));
    }
    model.conditions.iter().for_each(|condition| note(&condition.source));
    for (file, modules) in modules.into_iter().filter(|(_, modules)| modules.len() > 1) {
        let names: Vec<String> = modules.into_iter().collect();
        let message = format!("a file has one module, `{}` has several: `{}`", shown(&file), names.join("`, `"));
        let mut problem = Problem::error(codes::SEVERAL_MODULES, message);
        problem.file = Some(file);
        problems.push(problem);
    }
}

fn of_condition(condition: &ConditionDefinition, problem: Problem) -> Problem {
    placed(problem, &condition.source, &condition.name)
}
