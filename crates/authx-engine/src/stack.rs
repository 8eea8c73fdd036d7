//! A large stack for Cedar's parser and validator, which recurse over a text whose nesting is bounded before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::problem::Problem;

/// The stack of a thread that compiles; address space, only the part that is used takes memory.
pub const COMPILE_STACK_BYTES: usize = 512 << 20;
/// What must be left of the caller's own stack to compile on it: all but a few frames.
const LEFT_BYTES: usize = COMPILE_STACK_BYTES - (8 << 20);

/// Runs `work` to its end: here when this thread has such a stack, else on a thread of its own.
pub(crate) fn on_large_stack<T: Send, E: Send + From<Problem>>(
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    if stacker::remaining_stack().is_some_and(|left| left >= LEFT_BYTES) {
        // Nothing that the work holds outlives its panic: it is given whole and only its result comes back.
        return catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(compiler_failed().into()));
    }
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
