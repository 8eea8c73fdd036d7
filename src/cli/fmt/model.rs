//! The usual layout of a relation model: its printed form, unless that has no place for a comment.

use authx_engine::Problem;
use authx_engine::relation::{parse, parse_module, print, print_module};

/// The text of one file of a model as the printer gives it.
pub(super) fn printed(text: &str, name: &str) -> Result<String, Vec<Problem>> {
    if is_module(text) {
        return parse_module(text, name).map(|module| print_module(&module));
    }
    parse(text, Some(name)).map(|model| print(&model))
}

/// Whether a text is a model or a part of one, and no policies.
pub(super) fn is_model(text: &str) -> bool {
    is_module(text) || first_word(text) == Some("model")
}

fn is_module(text: &str) -> bool {
    first_word(text) == Some("module")
}

fn first_word(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next()?.split_whitespace().next()
}

/// The lines of `before` with a comment that `after` lacks.
pub(super) fn lost_comments(before: &str, after: &str) -> Vec<usize> {
    let mut kept: Vec<&str> = after.lines().filter_map(comment).collect();
    let mut lost = Vec::new();
    for (at, line) in before.lines().enumerate() {
        let Some(comment) = comment(line) else { continue };
        match kept.iter().position(|known| *known == comment) {
            Some(place) => drop(kept.swap_remove(place)),
            None => lost.push(at + 1),
        }
    }
    lost
}

/// What may be a comment of the line: from a `#` with nothing or a blank before it, or from a `//`. In an expression
/// either may be part of a text; then the printer keeps it as it stands.
fn comment(line: &str) -> Option<&str> {
    let begins = |(at, _): &(usize, &str)| {
        let before = line.get(..*at).unwrap_or_default();
        before.is_empty() || before.ends_with([' ', '\t'])
    };
    let hash = line.match_indices('#').find(begins).map(|(at, _)| at);
    let slashes = line.find("//");
    let at = hash.into_iter().chain(slashes).min()?;
    line.get(at..).map(|rest| rest.trim_start_matches(['#', '/', ' ', '\t']).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_without_a_place_are_found() {
        for (before, after, expected) in [
            ("# a\ntype user\n", "# a\ntype user\n", &[][..]),
            ("#a\n  #   b\n", "# a\n# b\n", &[]),
            ("type user # why\n", "type user\n", &[1]),
            ("# same\n# same\n", "# same\n", &[2]),
            ("define a: [group#member]\n", "define a:[group#member]\n", &[]),
            ("  x == 1 // why\n", "  x == 1\n", &[1]),
            ("x == \"http://a # b\"\n", "  x == \"http://a # b\"\n", &[]),
            ("type user\n# end", "type user\n", &[2]),
        ] {
            assert_eq!(lost_comments(before, after), expected, "{before}");
        }
    }
}
