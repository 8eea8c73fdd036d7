//! What differs between two texts, line by line, as people read it.

use std::time::Duration;

use similar::TextDiff;

use crate::cli::report::printable;

/// Lines around a change that are shown with it.
const AROUND: usize = 3;

/// For texts that differ in much: a longer way from one to the other is shown then.
const LONGEST: Duration = Duration::from_secs(2);

/// Every change with its place and the lines around it, in the unified format without the names of files. Equal texts
/// give nothing.
pub(crate) fn changes(old: &str, new: &str) -> String {
    let diff = TextDiff::configure().timeout(LONGEST).diff_lines(old, new);
    printable(&diff.unified_diff().context_radius(AROUND).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_the_lines_around_them() {
        for (old, new, expected) in [
            ("a\n", "a\n", ""),
            ("", "", ""),
            ("", "a\n", "@@ -0,0 +1 @@\n+a\n"),
            ("a\n", "", "@@ -1 +0,0 @@\n-a\n"),
            ("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"),
            ("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"),
            ("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\nx\n6\n", "@@ -3,4 +3,5 @@\n 3\n 4\n 5\n+x\n 6\n"),
            (
                "a\n1\n2\n3\n4\n5\n6\n7\nb\n",
                "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
                "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n",
            ),
            ("a\r\n\n\u{1b}[2J\n", "a\r\n\u{1b}[2J\n", "@@ -1,3 +1,2 @@\n a\u{fffd}\n-\n \u{fffd}[2J\n"),
        ] {
            assert_eq!(changes(old, new), expected, "{old:?} {new:?}");
        }
    }
}
