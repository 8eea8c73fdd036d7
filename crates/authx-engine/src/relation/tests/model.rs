//! Cases of reading, writing and judging models.

mod comments;
mod hostile;
mod json;
mod meaning;
mod modules;
mod random;
mod syntax;

use crate::problem::Problem;
use crate::relation::model::Model;
use crate::relation::{parse, validate};

/// Reads a text that must be well-formed.
fn read(text: &str) -> Model {
    parse(text, None).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

/// `code line:column` of every problem.
fn places(problems: &[Problem]) -> Vec<String> {
    let place = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    problems.iter().map(|p| format!("{} {}:{}", p.code, place(p.line), place(p.column))).collect()
}

/// The codes of what refuses the model, or of what merely warns.
fn codes(model: &Model, errors: bool) -> Vec<String> {
    validate(model).into_iter().filter(|p| p.is_error() == errors).map(|p| p.code.into_owned()).collect()
}
