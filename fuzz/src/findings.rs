//! What must hold of every finding about a text.

use authx_engine::Problem;

/// There is at least one, it says something, and its place is in `text`.
pub(crate) fn stand_in(problems: &[Problem], text: &str) {
    assert!(!problems.is_empty(), "refused without a reason");
    let lines = text.split('\n').count();
    for problem in problems {
        // The engine turns a panic of Cedar's parser into this one.
        assert!(problem.code != "compiler_failed", "{problem:?}");
        assert!(!problem.message.is_empty(), "{problem:?}");
        let Some(line) = problem.line else { continue };
        let line = usize::try_from(line).unwrap();
        assert!((1..=lines).contains(&line), "line {line} of {lines}: {problem:?}");
        let column = usize::try_from(problem.column.unwrap_or(1)).unwrap();
        let characters = text.split('\n').nth(line - 1).map_or(0, |line| line.chars().count());
        assert!((1..=characters + 1).contains(&column), "column {column} of {characters}: {problem:?}");
    }
}
