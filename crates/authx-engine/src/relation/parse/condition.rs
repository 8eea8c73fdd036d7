//! `condition name(parameter: type, …) { expression }`. The expression is cut out, not understood.

use super::Fault;
use super::expression::is_plain_name;
use super::lexer::Kind;
use super::parser::Parser;
use crate::problem::Span;
use crate::relation::model::{ConditionDefinition, ParameterType};

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<ConditionDefinition, Fault> {
        let comments = self.take_comments();
        self.advance();
        let source = self.source();
        let name = self.plain_name("a condition")?;
        self.mark('(')?;
        let mut parameters = Vec::new();
        self.skip_line_ends();
        while !self.current.is_mark(')') {
            if names_a_type(self.current.text) {
                return Err(self.expected("a parameter"));
            }
            let parameter = self.plain_name("a parameter")?;
            self.mark(':')?;
            parameters.push((parameter, self.parameter_type()?));
            self.skip_line_ends();
            if !self.current.is_mark(',') {
                break;
            }
            self.advance();
            self.skip_line_ends();
        }
        self.mark(')')?;
        let open = self.current.span();
        if !self.current.is_mark('{') {
            return Err(self.expected("`{`"));
        }
        let rest = self.lexer.rest();
        let (expression, length) = cut_expression(rest).map_err(|fault| match fault {
            CutFault::Unclosed => Fault { span: open, message: "this `{` is never closed".to_owned() },
            CutFault::String(at) => Fault {
                span: Span { offset: open.offset + open.length + at, length: 1 },
                message: "this text is never closed".to_owned(),
            },
        })?;
        self.lexer.skip(length);
        self.advance();
        self.line_end()?;
        Ok(ConditionDefinition { name, parameters, expression, source, comments })
    }

    fn parameter_type(&mut self) -> Result<ParameterType, Fault> {
        let name = self.current.text;
        if name == "list" || name == "map" {
            self.advance();
            self.mark('<')?;
            let Some(inner) = simple_type(self.current.text) else { return Err(self.expected("a type")) };
            self.advance();
            self.mark('>')?;
            let inner = Box::new(inner);
            return Ok(if name == "list" { ParameterType::List(inner) } else { ParameterType::Map(inner) });
        }
        match simple_type(name) {
            Some(found) if self.current.kind == Kind::Word => {
                self.advance();
                Ok(found)
            }
            _ => Err(self.expected("the type of a parameter")),
        }
    }
}

/// Whether the language can write `name` for a parameter.
pub(in crate::relation) fn is_parameter_name(name: &str) -> bool {
    is_plain_name(name) && !names_a_type(name)
}

/// OpenFGA's language lets a parameter be named `any`, `list` and `map`, and after no other type.
fn names_a_type(text: &str) -> bool {
    simple_type(text).is_some() && text != "any"
}

fn simple_type(name: &str) -> Option<ParameterType> {
    Some(match name {
        "any" => ParameterType::Any,
        "bool" => ParameterType::Bool,
        "string" => ParameterType::String,
        "int" => ParameterType::Int,
        "uint" => ParameterType::Uint,
        "double" => ParameterType::Double,
        "duration" => ParameterType::Duration,
        "timestamp" => ParameterType::Timestamp,
        "ipaddress" => ParameterType::IpAddress,
        _ => return None,
    })
}

enum CutFault {
    /// No `}` to the end of the text.
    Unclosed,
    /// A string literal that begins here and does not end.
    String(usize),
}

/// The expression up to its `}`, without comments, and how many bytes it took with the `}`.
///
/// Braces in string literals and braces in pairs do not end it.
fn cut_expression(text: &str) -> Result<(String, usize), CutFault> {
    let mut kept = String::new();
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or("");
        let length = match found {
            '}' if open == 0 => return Ok((kept.trim().to_owned(), at + 1)),
            '"' | '\'' => literal_length(rest, is_raw(&kept)).ok_or(CutFault::String(at))?,
            '/' if rest.starts_with("//") => 0,
            '#' if kept.is_empty() || kept.ends_with(char::is_whitespace) => 0,
            other => other.len_utf8(),
        };
        match found {
            '{' => open += 1,
            '}' => open -= 1,
            '\n' => kept.truncate(kept.trim_end_matches([' ', '\t', '\r']).len()),
            _ => {}
        }
        if length == 0 {
            at += rest.find('\n').unwrap_or(rest.len());
        } else {
            kept.push_str(rest.get(..length).unwrap_or(""));
            at += length;
        }
    }
    Err(CutFault::Unclosed)
}

/// Whether the literal that begins after `before` is a raw one: `r"…"`, also `br"…"`.
fn is_raw(before: &str) -> bool {
    let mut backwards = before.chars().rev();
    if !matches!(backwards.next(), Some('r' | 'R')) {
        return false;
    }
    let mut previous = backwards.next();
    if matches!(previous, Some('b' | 'B')) {
        previous = backwards.next();
    }
    !previous.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The length of the string literal that `text` begins with, `None` when it does not end.
fn literal_length(text: &str, raw: bool) -> Option<usize> {
    let quote = *text.as_bytes().first()?;
    let triple = text.as_bytes().iter().take(3).filter(|b| **b == quote).count() == 3;
    let width = if triple { 3 } else { 1 };
    let bytes = text.as_bytes();
    let mut at = width;
    loop {
        match bytes.get(at)? {
            b'\\' if !raw => at += 2,
            b'\n' if !triple => return None,
            byte if *byte == quote && bytes.get(at..at + width)?.iter().all(|b| *b == quote) => {
                return Some(at + width);
            }
            _ => at += 1,
        }
    }
}
