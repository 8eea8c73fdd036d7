//! Long work beside the threads that answer checks: it lets them go first, often.

use std::time::{Duration, Instant};

/// What a check may wait for at most when it and long work share a core.
const STRETCH: Duration = Duration::from_micros(100);

/// Keeps long work in short stretches.
#[derive(Debug)]
pub struct Pace {
    begun: Instant,
}

impl Pace {
    #[must_use]
    pub fn begin() -> Self {
        Self { begun: Instant::now() }
    }

    /// Lets other threads run when a stretch is over, and says whether one was. To be called between steps that are
    /// shorter than one.
    pub fn step(&mut self) -> bool {
        let over = self.begun.elapsed() >= STRETCH;
        if over {
            std::thread::yield_now();
            self.begun = Instant::now();
        }
        over
    }
}
