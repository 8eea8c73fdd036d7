//! Puts a problem where the definition stands that it is about, and names into its message.

use super::model::Source;
use crate::problem::{Problem, to_u32};

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

/// As much of a name as fits into a message: what an author wrote is not bounded before it is checked.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or("")),
        None => name.to_owned(),
    }
}
