//! Reads the OpenFGA modelling language, schema 1.1 and 1.2, written by hand because the text is hostile:
//! bounded in size and nesting, linear in time. It judges the form; [`super::validate`] judges the meaning.

mod condition;
mod expression;
mod lexer;
mod parser;

pub(super) use condition::is_parameter_name;
pub(super) use expression::MAX_NESTING;
pub(super) use expression::{is_name, is_plain_name};

use super::codes;
use super::model::{Model, Source, TypeDefinition};
use super::modules::Module;
use super::place::placed;
use crate::problem::{Origin, Problem, Span};
use parser::Parser;

/// How many bytes a text has at most.
pub const MAX_TEXT: usize = 256 * 1024;

/// What is wrong at a place of the text.
struct Fault {
    span: Span,
    message: String,
}

/// Reads a model of one file. `file` names it in the problems; the model does not keep it.
///
/// # Errors
/// Every declaration that does not have the form of the language, with its place.
pub fn parse(text: &str, file: Option<&str>) -> Result<Model, Vec<Problem>> {
    check_size(text, file)?;
    let mut parser = Parser::new(text);
    let (schema_version, comments) = parser.model_header().map_err(|fault| problems(text, file, vec![fault]))?;
    let body = parser.body(false);
    let faults = parser.finish();
    if !faults.is_empty() {
        return Err(problems(text, file, faults));
    }
    Ok(Model { schema_version, types: body.types, conditions: body.conditions, comments })
}

/// Reads one file of a model of several: it begins with `module name` and may `extend type`.
///
/// # Errors
/// Every declaration that does not have the form of the language, and a type that is extended twice.
pub fn parse_module(text: &str, file: &str) -> Result<Module, Vec<Problem>> {
    check_size(text, Some(file))?;
    let mut parser = Parser::new(text);
    let (name, comments) = parser.module_header().map_err(|fault| problems(text, Some(file), vec![fault]))?;
    let mut body = parser.body(true);
    let faults = parser.finish();
    if !faults.is_empty() {
        return Err(problems(text, Some(file), faults));
    }
    let mark = |source: &mut Source| {
        source.module = Some(name.clone());
        source.file = Some(file.to_owned());
    };
    body.types.iter_mut().for_each(|definition| mark(&mut definition.source));
    body.conditions.iter_mut().for_each(|definition| mark(&mut definition.source));
    for extension in &mut body.extensions {
        mark(&mut extension.source);
        extension.relations.iter_mut().for_each(|relation| mark(&mut relation.source));
    }
    let twice = extended_twice(&body.extensions);
    if !twice.is_empty() {
        return Err(twice);
    }
    Ok(Module { name, types: body.types, extensions: body.extensions, conditions: body.conditions, comments })
}

fn extended_twice(extensions: &[TypeDefinition]) -> Vec<Problem> {
    let mut seen = std::collections::HashSet::new();
    let again = extensions.iter().filter(|extension| !seen.insert(&extension.name));
    again
        .map(|extension| {
            let message = format!("type `{}` is extended twice in one file", extension.name);
            placed(Problem::error(codes::DUPLICATE_EXTENSION, message), &extension.source, &extension.name)
        })
        .collect()
}

fn check_size(text: &str, file: Option<&str>) -> Result<(), Vec<Problem>> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    let message = format!("the text has {} bytes, at most {MAX_TEXT} are allowed", text.len());
    let mut problem = Problem::error(codes::TOO_LARGE, message);
    problem.file = file.map(str::to_owned);
    Err(vec![problem])
}

fn problems(text: &str, file: Option<&str>, faults: Vec<Fault>) -> Vec<Problem> {
    let origin = Origin { file, line: 1, column: 1, text };
    faults.into_iter().map(|fault| Problem::error(codes::SYNTAX, fault.message).at(&origin, fault.span)).collect()
}
