//! A model of several files: every module brings types, extends those of others, and adds conditions.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::codes;
use super::model::{ConditionDefinition, Model, TypeDefinition};
use super::place::placed;
use crate::problem::Problem;

/// One file of a model, read by [`super::parse_module`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    pub name: SmolStr,
    pub types: Vec<TypeDefinition>,
    /// Relations for types of any file.
    pub extensions: Vec<TypeDefinition>,
    pub conditions: Vec<ConditionDefinition>,
    /// Comment lines before everything else.
    pub comments: Vec<String>,
}

/// Makes one model of `modules`, in their order. `schema_version` is what `fga.mod` says.
///
/// # Errors
/// A type or condition that two files define, a relation that an extension defines again, and an extension of a
/// type that no file defines.
pub fn combine(schema_version: &str, modules: Vec<Module>) -> Result<Model, Vec<Problem>> {
    let mut model = Model { schema_version: SmolStr::new(schema_version), ..Model::default() };
    let mut problems = Vec::new();
    let mut extensions = Vec::new();
    let mut places: HashMap<SmolStr, usize> = HashMap::new();
    let mut conditions = std::collections::HashSet::new();
    for module in modules {
        model.comments.extend(module.comments);
        for definition in module.types {
            if places.contains_key(&definition.name) {
                let message = format!("type `{}` is defined more than once", definition.name);
                let problem = Problem::error(codes::DUPLICATE_TYPE, message);
                problems.push(placed(problem, &definition.source, &definition.name));
            } else {
                places.insert(definition.name.clone(), model.types.len());
                model.types.push(definition);
            }
        }
        for condition in module.conditions {
            if conditions.insert(condition.name.clone()) {
                model.conditions.push(condition);
            } else {
                let message = format!("condition `{}` is defined more than once", condition.name);
                let problem = Problem::error(codes::DUPLICATE_CONDITION, message);
                problems.push(placed(problem, &condition.source, &condition.name));
            }
        }
        extensions.extend(module.extensions);
    }
    for extension in extensions {
        if let Some(definition) = places.get(&extension.name).and_then(|place| model.types.get_mut(*place)) {
            extend(definition, extension, &mut problems);
        } else {
            let message = format!("type `{}` is extended but no file defines it", extension.name);
            let problem = Problem::error(codes::UNDEFINED_TYPE, message);
            problems.push(placed(problem, &extension.source, &extension.name));
        }
    }
    if problems.is_empty() { Ok(model) } else { Err(problems) }
}

fn extend(definition: &mut TypeDefinition, extension: TypeDefinition, problems: &mut Vec<Problem>) {
    let mut names: std::collections::HashSet<_> = definition.relations.iter().map(|r| r.name.clone()).collect();
    for relation in extension.relations {
        if names.insert(relation.name.clone()) {
            definition.relations.push(relation);
        } else {
            let message = format!("type `{}` has relation `{}` already", definition.name, relation.name);
            let problem = Problem::error(codes::DUPLICATE_RELATION, message);
            problems.push(placed(problem, &relation.source, &relation.name));
        }
    }
}
