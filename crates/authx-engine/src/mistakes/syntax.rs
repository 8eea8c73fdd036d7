//! Hints about text that is no policy.

use crate::cedar::{ParseError, ToAstErrorKind};
use crate::problem::Span;
use crate::scan::unclosed;

/// What to write instead of what the parser stumbled over; `span` is where it did.
pub(crate) fn hint(error: &ParseError, text: &str, span: Span) -> Option<String> {
    let own = match error {
        ParseError::ToAST(error) => of_meaning(error.kind()),
        ParseError::ToCST(_) => of_token(text, span),
    };
    own.or_else(|| miette::Diagnostic::help(error).map(|help| help.to_string())).or_else(|| expected(error))
}

/// What a clear grammar and no meaning has.
#[expect(clippy::wildcard_enum_match_arm, reason = "for the others Cedar's own help is good")]
fn of_meaning(kind: &ToAstErrorKind) -> Option<String> {
    match kind {
        ToAstErrorKind::SlotsInConditionClause(_) => Some(
            "a slot stands in the head alone, as in `permit (principal == ?principal, action, resource)`; conditions say `principal` and `resource`"
                .to_owned(),
        ),
        ToAstErrorKind::InvalidCondition(_) => Some(
            "a condition begins with `when`, or with `unless` for what must not be: `when { … }`, `unless { … }`".to_owned(),
        ),
        ToAstErrorKind::EmptyClause(_) => Some("write a condition between the braces, or leave the clause out".to_owned()),
        ToAstErrorKind::UnknownMethod { id, .. } => method(id.as_ref()),
        ToAstErrorKind::UnsupportedDivision => Some("multiply the other side instead: `a > 2 * b` for `a / 2 > b`".to_owned()),
        _ => None,
    }
}

/// What stands in other languages for what Cedar has.
fn method(name: &str) -> Option<String> {
    let instead = match name.to_lowercase().as_str() {
        "startswith" | "starts_with" | "hasprefix" => "write `like \"text*\"`: `*` stands for any characters",
        "endswith" | "ends_with" | "hassuffix" => "write `like \"*text\"`: `*` stands for any characters",
        "matches" | "regex" | "match" | "test" => {
            "write `like \"a*b\"`: `*` stands for any characters; there are no regular expressions"
        }
        "includes" | "has" | "includesany" => {
            "write `set.contains(element)`, or `text like \"*part*\"` for a part of a text"
        }
        "equals" | "eq" => "write `==`",
        "length" | "size" | "count" | "len" => "Cedar counts nothing; `isEmpty()` tells whether a set is empty",
        "tolowercase" | "lower" | "touppercase" | "upper" | "trim" => {
            "Cedar changes no text: store it in the form that policies compare"
        }
        "get" => "write `record[\"key\"]`, or `entity.getTag(\"key\")`",
        _ => return None,
    };
    Some(instead.to_owned())
}

/// What the parser could not go on with.
fn of_token(text: &str, span: Span) -> Option<String> {
    let before = text.get(..span.offset)?.trim_end();
    let rest = text.get(span.offset..)?;
    let token = text.get(span.offset..span.offset + span.length).unwrap_or_default();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let last_word: String = before.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let last_word: String = last_word.chars().rev().collect();
    if ["when", "unless"].contains(&last_word.as_str()) && !rest.starts_with('{') {
        return Some(format!("a condition stands in braces: `{last_word} {{ … }}`"));
    }
    let said = match (word.to_lowercase().as_str(), rest.chars().next()) {
        ("and", _) => "write `&&` for and".to_owned(),
        ("or", _) => "write `||` for or".to_owned(),
        ("not", _) => "write `!` for not".to_owned(),
        ("permit" | "forbid", _) => "the policy before it is not ended: put `;` behind it".to_owned(),
        (_, Some('@')) if !before.is_empty() => "the policy before it is not ended: put `;` behind it".to_owned(),
        (_, Some('&')) => "write `&&` for and".to_owned(),
        (_, Some('|')) => "write `||` for or".to_owned(),
        (_, Some('}' | ')' | ']' | ';') | None) => return bracket(text, span, token, before),
        _ => return None,
    };
    Some(said)
}

/// A bracket that is not closed, or none that this one closes.
fn bracket(text: &str, span: Span, token: &str, before: &str) -> Option<String> {
    let open = unclosed(text.get(..span.offset)?);
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count();
    let (last, here) = (open.last(), line(span.offset));
    match last {
        Some((at, bracket)) if !closes(*bracket, token) => {
            let place = match here.saturating_sub(line(*at)) {
                0 => "in this line".to_owned(),
                1 => "in the line before".to_owned(),
                lines => format!("{lines} lines above"),
            };
            Some(format!("the `{bracket}` {place} is not closed"))
        }
        None if ["}", ")", "]"].contains(&token) => Some(format!("there is no bracket that this `{token}` closes")),
        None if token.is_empty() && !before.ends_with(';') => Some("end the policy with `;`".to_owned()),
        Some(_) | None => None,
    }
}

fn closes(bracket: char, token: &str) -> bool {
    matches!((bracket, token), ('{', "}") | ('(', ")") | ('[', "]"))
}

/// What the parser would have gone on with.
fn expected(error: &ParseError) -> Option<String> {
    let label = miette::Diagnostic::labels(error)?.next()?;
    label.label().map(str::to_owned)
}
