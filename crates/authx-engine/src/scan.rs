//! A look at a text before Cedar's parser sees it: size, nesting, and where each policy ends.
//!
//! Cedar's parser has no depth limit, so a hostile text is refused here by one pass that allocates nothing and
//! does not recurse. Brackets inside string literals and comments do not count.

use std::ops::Range;

use crate::problem::{Origin, Problem, Span, to_u32};

/// Bounds on an author's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// Bytes of one policy, comments included.
    pub policy_bytes: usize,
    /// Bytes of one schema.
    pub schema_bytes: usize,
    /// Nesting of brackets.
    pub nesting: usize,
    /// Nesting of operators in one condition.
    pub depth: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self { policy_bytes: 100_000, schema_bytes: 1 << 20, nesting: 64, depth: 4_000 }
    }
}

/// One policy of an author's file: its own text and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The id that the author gave beside the text; else the policy's `@id` or a hash of its text counts.
    pub id: Option<String>,
    pub file: Option<String>,
    /// Where the text begins in its file, from 1.
    pub line: u32,
    pub column: u32,
    pub text: String,
}

impl PolicySource {
    /// A policy that stands alone.
    #[must_use]
    pub fn single(id: Option<String>, text: impl Into<String>) -> Self {
        Self { id, file: None, line: 1, column: 1, text: text.into() }
    }

    /// The policy itself, without the white space around it and the comments before it.
    pub(crate) fn whole(&self) -> Span {
        let mut rest = self.text.as_str();
        let offset = loop {
            let trimmed = rest.trim_start();
            match trimmed.strip_prefix("//") {
                Some(comment) => rest = comment.split_once(['\n', '\r']).map_or("", |(_, next)| next),
                None => break self.text.len() - trimmed.len(),
            }
        };
        Span { offset, length: self.text.trim_end().len().saturating_sub(offset) }
    }

    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin { file: self.file.as_deref(), line: self.line, column: self.column, text: &self.text }
    }
}

/// Splits a file into its policies. Each piece runs from the end of the one before to the rest of the line after
/// its `;`, so that the pieces joined are the file, comments included.
#[must_use]
pub fn split_policies(file: Option<&str>, text: &str) -> Vec<PolicySource> {
    let mut pieces: Vec<PolicySource> = Vec::new();
    let (mut line, mut column) = (1, 1);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, blank) = next_piece(rest);
        let (taken, left) = rest.split_at(piece);
        match pieces.last_mut() {
            // What follows the last policy belongs to it.
            Some(last) if blank => last.text.push_str(taken),
            _ if blank => {}
            _ => pieces.push(PolicySource {
                id: None,
                file: file.map(str::to_owned),
                line,
                column,
                text: taken.to_owned(),
            }),
        }
        let newlines = taken.bytes().filter(|b| *b == b'\n').count();
        if newlines > 0 {
            line += to_u32(newlines);
            column = 1;
        }
        let tail = taken.rsplit('\n').next().unwrap_or("");
        column += to_u32(tail.chars().count());
        rest = left;
    }
    pieces
}

/// The length of the next piece, and whether it holds nothing but space and comments.
fn next_piece(text: &str) -> (usize, bool) {
    let mut blank = true;
    let tokens = Tokens::new(text);
    for (at, byte) in tokens {
        if byte == b';' {
            let end = at + 1;
            let tail = text.get(end..).unwrap_or("");
            // No further than to the next word: a text may be one long line.
            let next = tail.trim_start_matches(|c: char| c.is_whitespace() && !matches!(c, '\n' | '\r'));
            let same_line = next.is_empty() || next.starts_with(['\n', '\r']) || next.starts_with("//");
            return (if same_line { end + line_of(tail).len() } else { end }, false);
        }
        blank &= byte.is_ascii_whitespace();
    }
    (text.len(), blank)
}

/// The first line of a text with its end; a carriage return alone ends one too, as it ends a comment of Cedar's.
fn line_of(text: &str) -> &str {
    let end = match text.find(['\n', '\r']) {
        None => text.len(),
        Some(at) if text.get(at..).is_some_and(|rest| rest.starts_with("\r\n")) => at + 2,
        Some(at) => at + 1,
    };
    text.get(..end).unwrap_or(text)
}

/// The comments of a Cedar text, without the space behind them.
pub(crate) fn comments(text: &str) -> Vec<&str> {
    let mut tokens = Tokens::new(text);
    let (mut found, mut end) = (Vec::new(), 0);
    loop {
        let token = tokens.next();
        // Between two tokens, of which white space is one, lies at most one comment.
        let between = text.get(end..token.map_or(text.len(), |(at, _)| at)).unwrap_or_default();
        found.extend(Some(between.trim_end()).filter(|comment| !comment.is_empty()));
        if token.is_none() {
            return found;
        }
        end = tokens.at;
    }
}

/// Where a policy's own text is: from its first token to its `;`.
pub(crate) fn own_text(text: &str) -> Option<Range<usize>> {
    let mut begin = None;
    for (at, byte) in Tokens::new(text) {
        if byte == b';' {
            return Some(begin.unwrap_or(at)..at + 1);
        }
        if !byte.is_ascii_whitespace() {
            begin.get_or_insert(at);
        }
    }
    None
}

/// Refuses a text that is too long or too deeply nested for the parser.
pub(crate) fn check_text(origin: &Origin<'_>, what: &str, max_bytes: usize, max_nesting: usize) -> Result<(), Problem> {
    let text = origin.text;
    if text.len() > max_bytes {
        let code = if what == "schema" { "schema_too_large" } else { "policy_too_large" };
        return Err(Problem::error(code, format!("the {what} has {} bytes, more than {max_bytes}", text.len()))
            .at(origin, Span { offset: 0, length: 0 }));
    }
    let mut depth = 0_usize;
    // `!` and `-` recurse without brackets.
    let mut prefix = 0_usize;
    for (at, byte) in Tokens::new(text) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            // In a policy these compare; in a schema they nest: `Set<Set<…>>`.
            b'<' if what == "schema" => depth += 1,
            b'>' if what == "schema" => depth = depth.saturating_sub(1),
            _ => {}
        }
        prefix = match byte {
            b'!' | b'-' => prefix + 1,
            b' ' | b'\t' | b'\r' | b'\n' => prefix,
            _ => 0,
        };
        if depth > max_nesting || prefix > max_nesting {
            return Err(Problem::error(
                "nesting_too_deep",
                format!("the {what} is nested more than {max_nesting} deep"),
            )
            .at(origin, Span { offset: at, length: 1 }));
        }
    }
    Ok(())
}

/// The brackets of a text that are open at its end, with their offsets.
pub(crate) fn unclosed(text: &str) -> Vec<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    for (at, byte) in Tokens::new(text) {
        match byte {
            b'(' | b'[' | b'{' => open.push((at, char::from(byte))),
            b')' | b']' | b'}' => drop(open.pop()),
            _ => {}
        }
    }
    open
}

/// The bytes of a Cedar text outside string literals and comments, with their offsets.
struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
    }

    fn skip_comment(&mut self) {
        while self.bytes.get(self.at).is_some_and(|b| !matches!(b, b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<(usize, u8)> {
        loop {
            let at = self.at;
            let byte = *self.bytes.get(at)?;
            match byte {
                b'"' => {
                    self.skip_string();
                    return Some((at, byte));
                }
                b'/' if self.bytes.get(at + 1) == Some(&b'/') => self.skip_comment(),
                _ => {
                    self.at += 1;
                    return Some((at, byte));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split_policies(None, text).into_iter().map(|p| p.text).collect()
    }

    #[test]
    fn pieces_joined_are_the_file() {
        let file = "// head; \npermit(principal,action,resource); // why; so\n\n@id(\"a;b\")\nforbid(principal,action,resource) when { \"; \\\" ;\" == \"x\" }; permit(principal,action,resource);\n// tail\n";
        let pieces = split_policies(Some("f.cedar"), file);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.iter().map(|p| p.text.as_str()).collect::<String>(), file);
        assert_eq!(pieces.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 3, 5]);
    }

    #[test]
    fn blank_files_hold_no_policy() {
        assert!(texts("").is_empty());
        assert!(texts(" \n// only a comment\n").is_empty());
        assert_eq!(texts("permit(principal,action,resource)").len(), 1);
    }

    #[test]
    fn a_carriage_return_ends_a_comment() {
        // As for Cedar: what follows is no comment, and above all no forbid that nobody sees.
        let policy = "forbid(principal,action,resource);";
        assert_eq!(texts(&format!("// c\r{policy}")), [format!("// c\r{policy}")]);
        assert_eq!(texts(&format!("{policy} // c\r{policy}")), [format!("{policy} // c\r"), policy.to_owned()]);
        assert_eq!(texts(&format!("{policy} // c\r\n{policy}")), [format!("{policy} // c\r\n"), policy.to_owned()]);
    }

    #[test]
    fn comments_and_policies_are_told_apart() {
        let text = "// höhe; \n\n//b\r@id(\"// no ; é\") // c\npermit(principal,action,resource)//d\n; // e\n// f";
        assert_eq!(comments(text), ["// höhe;", "//b", "// c", "//d", "// e", "// f"]);
        let own = &text[own_text(text).unwrap()];
        assert!(own.starts_with("@id(") && own.ends_with("//d\n;"), "{own}");
        assert_eq!((own_text("permit // ;"), comments(""), comments("a")), (None, vec![], vec![]));
    }

    fn check(text: &str) -> Option<String> {
        let origin = Origin { file: None, line: 1, column: 1, text };
        check_text(&origin, "policy", 1000, 64).err().map(|p| p.code.into_owned())
    }

    #[test]
    fn hostile_texts_are_refused_before_parsing() {
        assert_eq!(check(&"(".repeat(65)).as_deref(), Some("nesting_too_deep"));
        assert_eq!(check(&"! ".repeat(65)).as_deref(), Some("nesting_too_deep"));
        assert_eq!(check(&"(".repeat(1001)).as_deref(), Some("policy_too_large"));
        assert_eq!(check(&format!("\"{}\"", "(".repeat(200))), None);
        assert_eq!(check(&format!("//{}\n", "(".repeat(200))), None);
    }
}
