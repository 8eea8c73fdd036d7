//! Threads with a stack for Cedar's parser and validator, which recurse over a text whose nesting is bounded before.

use std::thread;

use crate::problem::Problem;

/// Address space; only the part that is used takes memory.
pub(crate) const COMPILE_STACK_BYTES: usize = 512 << 20;

/// Runs `work` to its end on a thread of its own.
pub(crate) fn on_large_stack<T: Send, E: Send + From<Problem>>(
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(COMPILE_STACK_BYTES).spawn_scoped(scope, work);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(_)) | Err(_) => Err(compiler_failed().into()),
        }
    })
}

/// A thread that could not start or that died: nothing it was given is accepted.
pub(crate) fn compiler_failed() -> Problem {
    Problem::error("compiler_failed", "the policy compiler could not finish this text")
}

impl From<Problem> for Vec<Problem> {
    fn from(problem: Problem) -> Self {
        vec![problem]
    }
}
