//! Puts a problem where the definition stands that it is about, and names into its message.

use super::model::Source;
use super::rules::RelationModel;
use crate::problem::{Problem, Related, to_u32};

/// `problem` at `name`, which stands at `source`; without a place when it did not come from text.
pub(super) fn placed(mut problem: Problem, source: &Source, name: &str) -> Problem {
    problem.file.clone_from(&source.file);
    if source.line > 0 {
        problem.line = Some(source.line);
        problem.column = Some(source.column);
        problem.length = Some(to_u32(name.chars().count()).max(1));
    }
    problem
}

/// A note at a type of a model, or at one of its relations; without a place when it did not come from text.
pub(crate) fn place_in(model: &RelationModel, type_name: &str, relation: Option<&str>, message: String) -> Related {
    let ty = model.model().types.iter().find(|ty| ty.name == type_name);
    let relation = relation.and_then(|name| ty?.relations.iter().find(|relation| relation.name == name));
    let source = relation.map(|relation| &relation.source).or(ty.map(|ty| &ty.source));
    let Some(source) = source.filter(|source| source.line > 0) else { return Related::unplaced(message) };
    Related {
        message,
        file: source.file.clone().or_else(|| model.source().file.clone()),
        line: Some(source.line),
        column: Some(source.column),
    }
}

/// As much of a name as fits into a message: what an author wrote is not bounded before it is checked.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or("")),
        None => name.to_owned(),
    }
}
