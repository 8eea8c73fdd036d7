//! Patterns of `matches`, in the syntax of RE2 and in linear time.
//!
//! The regex crate reads a few forms otherwise than RE2: there `\d`, `\w`, `\s` and `\b` know ASCII alone, and sets have
//! no operators. A pattern must not decide otherwise than it did elsewhere, so these forms are rewritten.

use regex::{Regex, RegexBuilder};

use super::cost::{Fault, Meter};

/// In bytes, of a pattern.
pub(super) const MAX_PATTERN: usize = 1024;

/// How large a pattern may become when it is compiled, in bytes, and how much dearer each size is to run: the slowest
/// run looks at every state for every character.
const SIZES: [(usize, usize); 4] = [(8 * 1024, 1), (24 * 1024, 8), (64 * 1024, 64), (128 * 1024, 128)];

/// The sizes that a pattern may have that is compiled during an evaluation, and what trying each of them costs.
const SMALL_SIZE_COSTS: [usize; 2] = [500, 2500];

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    weight: usize,
}

impl Pattern {
    /// # Errors
    /// Says what is wrong with the pattern.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        match Self::within(pattern, &SIZES) {
            Ok(Some(compiled)) => Ok(compiled),
            Ok(None) => Err(too_large()),
            Err(reason) => Err(reason),
        }
    }

    /// For a pattern that is not known before the evaluation.
    pub(super) fn compile_small(pattern: &str, meter: &mut Meter) -> Result<Self, Fault> {
        for (cost, size) in SMALL_SIZE_COSTS.iter().zip(SIZES.chunks(1)) {
            meter.spend(*cost)?;
            if let Some(compiled) = Self::within(pattern, size).map_err(Fault::Failed)? {
                return Ok(compiled);
            }
        }
        Err(Fault::Failed(too_large()))
    }

    /// `None` when it is larger than all `sizes`.
    fn within(pattern: &str, sizes: &[(usize, usize)]) -> Result<Option<Self>, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("the pattern has more than {MAX_PATTERN} bytes"));
        }
        let rewritten = rewrite(pattern);
        for (size, weight) in sizes {
            match RegexBuilder::new(&rewritten).size_limit(*size).dfa_size_limit(*size * 4).build() {
                Ok(regex) => return Ok(Some(Self { regex, weight: *weight })),
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(other) => {
                    let text = other.to_string();
                    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    return Err(format!("malformed pattern: {reason}"));
                }
            }
        }
        Ok(None)
    }

    /// Of searching a text of `length` bytes.
    pub(super) fn cost(&self, length: usize) -> usize {
        (1 + length / 10).saturating_mul(self.weight)
    }
}

fn too_large() -> String {
    "the pattern is too large when it is compiled".to_owned()
}

fn rewrite(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    let mut in_set = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped) => push_escape(&mut out, escaped, in_set),
                None => out.push('\\'),
            },
            '[' if !in_set => {
                in_set = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket in first place is one of the set.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                // `[:alpha:]`: through its own bracket.
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_set => {
                in_set = false;
                out.push(']');
            }
            '&' | '~' if in_set => {
                out.push('\\');
                out.push(c);
            }
            // Two in a row are an operator here, and the end of a range there.
            '-' if in_set && chars.peek() == Some(&'-') => out.push_str("\\-"),
            _ => out.push(c),
        }
    }
    out
}

fn push_escape(out: &mut String, escaped: char, in_set: bool) {
    let set = match escaped {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\f\\r ]",
        'S' => "[^\\t\\n\\f\\r ]",
        'b' if !in_set => "(?-u:\\b)",
        // Word boundaries here, plain characters there.
        '<' => "[<]",
        '>' => "[>]",
        _ => {
            out.push('\\');
            out.push(escaped);
            return;
        }
    };
    out.push_str(set);
}
