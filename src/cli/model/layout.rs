//! What printing a model again would change: the lines, and the comments for which the printed form has no place.

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

/// The first and the last line of `before` that are not the same in `after`, from 1.
pub(super) fn changed_lines(before: &str, after: &str) -> (usize, usize) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = old.len().min(new.len()) - same;
    let behind = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    (same + 1, (old.len() - behind).max(same + 1))
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

    #[test]
    fn changed_lines_are_told() {
        for (before, after, expected) in [
            ("a\nb\nc\n", "a\nx\nc\n", (2, 2)),
            ("a\nb\nc\n", "a\nc\n", (2, 2)),
            ("a\nc\n", "a\nb\nc\n", (2, 2)),
            ("a\nb", "a\nb\n", (3, 3)),
            ("a\na\na\n", "a\na\n", (3, 3)),
            ("a\nb\nc\n", "x\nb\ny\n", (1, 3)),
        ] {
            assert_eq!(changed_lines(before, after), expected, "{before:?}");
        }
    }
}
