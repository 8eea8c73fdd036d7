//! YAML of files that people write, with the place of every value, so that a finding names its line.
//!
//! The text may be hostile: depth, and what anchors multiply, are bounded. What a file means is not known here;
//! [`fields`] takes a tree apart and says what is wrong with it.

pub(crate) mod fields;
mod tree;

use authx_engine::Problem;
use serde_json::Number;

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// How many values a text has at most, those that aliases repeat included. A long text counts as several.
const MAX_VALUES: usize = 500_000;

/// Bytes of a text that count as one more value.
const BYTES: usize = 32;

/// Where something begins: line and column from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    /// `block`: written below a `|`, so that its lines are lines of the file.
    Text {
        text: String,
        block: bool,
    },
    List(Vec<Node>),
    /// In the order of the text; no two keys are the same.
    Map(Vec<(Key, Node)>),
}

/// The name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// Reads a text that holds one document; an empty text is null.
///
/// # Errors
/// The first thing that is wrong, with its place and `code`.
pub(crate) fn parse(text: &str, code: &'static str) -> Result<Node, Problem> {
    tree::read(text).map_err(|fault| fault.place.problem(code, fault.message))
}

impl Place {
    pub(crate) fn problem(self, code: &'static str, message: impl Into<String>) -> Problem {
        let mut problem = Problem::error(code, message);
        (problem.line, problem.column) = (Some(self.line), Some(self.column));
        problem
    }
}

impl Node {
    /// The value as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text { text, .. } => serde_json::Value::String(text.clone()),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Map(fields) => fields.iter().map(|(key, value)| (key.name.clone(), value.json())).collect(),
        }
    }

    /// What the value is, for messages.
    pub(crate) fn kind(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(number) => format!("the number `{number}`"),
            Value::Text { text, .. } => match text.char_indices().nth(60) {
                Some((end, _)) => format!("the text `{}…`", text.get(..end).unwrap_or_default()),
                None => format!("the text `{text}`"),
            },
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
