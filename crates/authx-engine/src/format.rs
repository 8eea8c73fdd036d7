//! The usual layout of policies.
//!
//! Cedar's formatter lays out what a policy says; comments around it and the lines between are laid out here. What the
//! formatter makes of a policy is read again: whatever would lose a comment or change a word is refused.

use cedar_policy_formatter::{Config, policies_str_to_pretty};

use crate::cedar::Template;
use crate::compare::{Differs, parsed as compared};
use crate::parse::{Parsed, parse_all};
use crate::problem::{Problem, Span};
use crate::scan::{PolicySource, TextLimits, comments, own_text, split_policies};
use crate::stack::on_large_stack;

/// The columns that a line has at most, where it can be broken.
pub const FORMAT_WIDTH: usize = 100;

/// How often a layout is laid out again until it stays.
const ROUNDS: usize = 5;

/// Lays out the text of a file of policies. Laid out again, it stays as it is.
///
/// # Errors
/// Every syntax error, or the first policy that cannot be laid out without changing it: `cannot_format`.
pub fn format_policies(file: Option<&str>, text: &str, width: usize) -> Result<String, Vec<Problem>> {
    on_large_stack(|| format_all(file, text, width))
}

fn format_all(file: Option<&str>, text: &str, width: usize) -> Result<String, Vec<Problem>> {
    let (pieces, before) = parse(file, text)?;
    if pieces.is_empty() {
        return Ok(Around::of(text).text);
    }
    let config = Config { line_width: width, indent_width: 2 };
    let mut formatted = String::with_capacity(text.len());
    for piece in &pieces {
        if !formatted.is_empty() {
            formatted.push('\n');
        }
        formatted.push_str(&laid_out(piece, &config).map_err(|reason| vec![refused(piece, &reason)])?);
    }
    let (written, after) =
        parse(file, &formatted).map_err(|_| vec![changed(pieces.first(), "it could not be read")])?;
    for (at, piece) in pieces.iter().enumerate() {
        let same = before.get(at).zip(after.get(at)).is_some_and(|(before, after)| {
            let (before, after): (&Template, &Template) = (&before.template, &after.template);
            compared(before, after) == Differs::Text
        });
        if !same {
            return Err(vec![changed(Some(piece), "it would say something else")]);
        }
    }
    if written.len() != pieces.len() || comments(text) != comments(&formatted) {
        return Err(vec![changed(pieces.first(), "comments would change")]);
    }
    Ok(formatted)
}

/// The policies of a text, each with what the parser makes of it.
fn parse(file: Option<&str>, text: &str) -> Result<(Vec<PolicySource>, Vec<Parsed>), Vec<Problem>> {
    let pieces = split_policies(file, text);
    let (mut parsed, mut problems) = (Vec::with_capacity(pieces.len()), Vec::new());
    for outcome in parse_all(&pieces.iter().collect::<Vec<_>>(), &TextLimits::default()) {
        match outcome {
            Ok(policy) => parsed.push(policy),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok((pieces, parsed)) } else { Err(problems) }
}

/// One policy with the comments before and behind it.
fn laid_out(piece: &PolicySource, config: &Config) -> Result<String, String> {
    let parts = || {
        let own = own_text(&piece.text)?;
        Some((piece.text.get(..own.start)?, piece.text.get(own.clone())?, piece.text.get(own.end..)?))
    };
    let (before, own, behind) = parts().ok_or("its end was not found")?;
    let policy = settled(own, config)?;
    if comments(&policy) != comments(own) {
        return Err("a comment within it would be lost or moved; put it above the policy".to_owned());
    }
    let before = Around::of(before);
    let mut text = before.text;
    if before.blank_behind {
        text.push('\n');
    }
    text.push_str(&policy);
    // A comment on the policy's last line stays there.
    let (beside, below) = behind.split_once(['\n', '\r']).unwrap_or((behind, ""));
    let beside = beside.trim();
    if !beside.is_empty() {
        text.push(' ');
        text.push_str(beside);
    }
    text.push('\n');
    let below = Around::of(below).text;
    if !below.is_empty() {
        text.push('\n');
        text.push_str(&below);
    }
    Ok(text)
}

/// What Cedar's formatter makes of a policy, and of that, until it stays.
fn settled(policy: &str, config: &Config) -> Result<String, String> {
    let mut text = policy.to_owned();
    for _ in 0..ROUNDS {
        let next = policies_str_to_pretty(&text, config).map_err(|error| error.to_string())?;
        let next = next.trim_end();
        if next == text {
            return Ok(text);
        }
        next.clone_into(&mut text);
    }
    Err("its layout changes every time".to_owned())
}

/// Comments around policies: one a line, in paragraphs that one blank line divides.
struct Around {
    text: String,
    /// Whether a blank line follows the last comment.
    blank_behind: bool,
}

impl Around {
    fn of(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let mut lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).collect();
        // Behind the last line's end the policy begins.
        lines.pop_if(|last| last.is_empty());
        let mut laid = Self { text: String::new(), blank_behind: false };
        for line in lines {
            if line.is_empty() {
                laid.blank_behind = !laid.text.is_empty();
                continue;
            }
            if std::mem::take(&mut laid.blank_behind) {
                laid.text.push('\n');
            }
            laid.text.push_str(line);
            laid.text.push('\n');
        }
        laid
    }
}

fn refused(piece: &PolicySource, reason: &str) -> Problem {
    Problem::error("cannot_format", format!("the policy is left as it is: {reason}")).at(&piece.origin(), piece.whole())
}

fn changed(piece: Option<&PolicySource>, reason: &str) -> Problem {
    let message = format!("the file is left as it is: laid out, {reason}");
    let problem = Problem::error("cannot_format", message);
    match piece {
        Some(piece) => problem.at(&piece.origin(), Span { offset: 0, length: 0 }),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: &str = "permit (principal, action, resource);\n";

    fn laid(text: &str) -> String {
        let once = format_policies(None, text, 80).unwrap();
        assert_eq!(format_policies(None, &once, 80).unwrap(), once, "{text:?}");
        once
    }

    #[test]
    fn comments_stay_where_they_are() {
        for (text, expected) in [
            ("permit(principal,action,resource);".to_owned(), P.to_owned()),
            ("\r\n\r\npermit(principal,action,resource);\r\n\r\n".to_owned(), P.to_owned()),
            (format!("// head\n\n\n  // of this\n{P}"), format!("// head\n\n// of this\n{P}")),
            (format!("//a\r\n\r\n{P}"), format!("//a\n\n{P}")),
            (
                "permit(principal,action,resource);permit(principal,action,resource); // why\n//end".to_owned(),
                format!("{P}\n{} // why\n\n//end\n", P.trim_end()),
            ),
            (" // only\n\n\n// comments ".to_owned(), "// only\n\n// comments\n".to_owned()),
            (String::new(), String::new()),
            (
                "permit(principal,action,resource)when{ // why\nprincipal.a};".to_owned(),
                "permit (principal, action, resource)\nwhen\n{ // why\n  principal.a\n};\n".to_owned(),
            ),
            (
                "@id(\"t\")permit(principal==?principal,action,resource);".to_owned(),
                "@id(\"t\")\npermit (\n  principal == ?principal,\n  action,\n  resource\n);\n".to_owned(),
            ),
        ] {
            assert_eq!(laid(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_policy_is_told_with_its_place() {
        let problems = format_policies(Some("a.cedar"), &format!("{P}permit(;\n{P}forbid(];\n"), 80).unwrap_err();
        let places: Vec<_> = problems.iter().map(|p| (p.file.as_deref(), p.line, &*p.code)).collect();
        assert_eq!(places, [(Some("a.cedar"), Some(2), "policy_syntax"), (Some("a.cedar"), Some(4), "policy_syntax")]);
        let deep = format!("permit(principal,action,resource) when {{ {}1{} }};", "(".repeat(70), ")".repeat(70));
        assert_eq!(format_policies(None, &deep, 80).unwrap_err()[0].code, "nesting_too_deep");
    }

    #[test]
    fn deep_and_long_texts_end() {
        let nested = format!("permit(principal,action,resource) when {{ {}true{} }};", "(".repeat(60), ")".repeat(60));
        let long = format!("permit(principal,action,resource) when {{ {}true }};", "principal.a && ".repeat(900));
        let negated = format!("permit(principal,action,resource) when {{ {}true }};", "!".repeat(4));
        for text in [nested, long, negated] {
            laid(&text);
        }
    }
}
