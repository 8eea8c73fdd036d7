//! How far long work is: one line on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often the line is renewed.
const STEP: Duration = Duration::from_millis(200);

/// One line on a terminal that is renewed; nothing elsewhere.
pub(crate) struct Progress {
    begun: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now(), shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// Shows what is in, in words and as a number.
    pub(crate) fn show(&mut self, what: &str, number: u64) {
        if !self.terminal || self.shown.is_some_and(|last| last.elapsed() < STEP) {
            return;
        }
        self.shown = Some(Instant::now());
        let line = format!("{what} · {}", rate(number, self.seconds()));
        let _ = write!(std::io::stderr().lock(), "\r{line}\u{1b}[K");
    }

    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

/// `1 row`, `1,000 rows`
pub(crate) fn count(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

pub(crate) fn rate(tuples: u64, seconds: f64) -> String {
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
pub(crate) fn grouped(n: u64) -> String {
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
