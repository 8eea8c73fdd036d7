//! How far an import is, and what it comes to.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::Written;

/// How often the line is renewed.
const STEP: Duration = Duration::from_millis(200);

/// One line on a terminal that is renewed; nothing elsewhere.
pub(super) struct Progress {
    begun: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self { begun: Instant::now(), shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// Shows what is in, in words and as a number.
    pub(super) fn show(&mut self, what: &str, number: u64) {
        if !self.terminal || self.shown.is_some_and(|last| last.elapsed() < STEP) {
            return;
        }
        self.shown = Some(Instant::now());
        let line = format!("{what} · {}", rate(number, self.seconds()));
        let _ = write!(std::io::stderr().lock(), "\r{line}\u{1b}[K");
    }

    pub(super) fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

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

/// `1 row`, `1,000 rows`
pub(super) fn count(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

fn rate(tuples: u64, seconds: f64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    let rate = (tuples as f64 / seconds.max(0.001)) as u64;
    // Two digits say what is known.
    let step = 10_u64.pow(rate.checked_ilog10().unwrap_or_default().saturating_sub(1));
    format!("{}/s", grouped(rate / step * step))
}

/// A number with a comma before every third digit from the end.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
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
