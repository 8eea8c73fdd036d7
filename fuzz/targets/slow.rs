//! Inputs that take long. libFuzzer counts in seconds; a decision point that thinks for a tenth of one is at a stand.
//!
//! `AUTHX_FUZZ_SLOW_MS` is the CPU time that one input may take; without it nothing is measured.

use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

static LIMIT: LazyLock<Option<Duration>> = LazyLock::new(|| {
    let text = std::env::var("AUTHX_FUZZ_SLOW_MS").ok()?;
    Some(Duration::from_millis(text.parse().expect("AUTHX_FUZZ_SLOW_MS is a number of milliseconds")))
});

/// Runs `work`, and panics when it takes longer than the limit twice: what is made once may take its time.
pub fn watch(work: impl Fn() -> bool) {
    let Some(limit) = *LIMIT else {
        work();
        return;
    };
    let taken = cpu_time(&work);
    if taken > limit {
        let again = cpu_time(&work);
        assert!(again <= limit, "slow: {taken:?} and {again:?} of CPU time, at most {limit:?} are allowed");
    }
}

/// Of all threads: the engine compiles on threads of its own.
fn cpu_time(work: impl Fn() -> bool) -> Duration {
    let begun = now();
    work();
    now().saturating_sub(begun)
}

fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("the clock began at zero")
}
