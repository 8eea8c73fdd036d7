//! What an import comes to.

use super::Written;
use crate::cli::progress::{count, grouped, rate};

/// `imported 1,000,000 tuples (12 were there) in 17 s · 58,000/s · revision 123`
pub(super) fn summary(written: &Written, seconds: f64) -> String {
    let tuples = written.tuples();
    let mut text = format!("imported {}", count(tuples, "tuple"));
    if written.existing > 0 {
        text.push_str(&format!(
            " ({} {} there)",
            grouped(written.existing),
            if written.existing == 1 { "was" } else { "were" }
        ));
    }
    if written.skipped > 0 {
        text.push_str(&format!(", skipped {}", count(written.skipped, "row")));
    }
    let digits = usize::from(seconds < 10.0);
    text.push_str(&format!(" in {seconds:.digits$} s · {}", rate(tuples, seconds)));
    if written.revision > 0 {
        text.push_str(&format!(" · revision {}", written.revision));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_is_to_be_said() {
        let cases = [
            ((1_000_000, 0, 0, 123), 17.24, "imported 1,000,000 tuples in 17 s · 58,000/s · revision 123\n"),
            (
                (999_988, 12, 0, 7),
                1.96,
                "imported 1,000,000 tuples (12 were there) in 2.0 s · 510,000/s · revision 7\n",
            ),
            ((0, 1, 3, 7), 1.0, "imported 1 tuple (1 was there), skipped 3 rows in 1.0 s · 1/s · revision 7\n"),
            ((0, 0, 0, 0), 0.0, "imported 0 tuples in 0.0 s · 0/s\n"),
        ];
        for ((new, existing, skipped, revision), seconds, wanted) in cases {
            let written = Written { new, existing, skipped, revision };
            assert_eq!(summary(&written, seconds), wanted);
        }
    }
}
