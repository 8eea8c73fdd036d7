//! What an author reads about a wrong expression.

use super::{compile, definition};
use crate::relation::condition::CompiledCondition;

fn problems(expression: &str, parameters: &str) -> Vec<String> {
    match compile(expression, parameters) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect(),
    }
}

#[test]
fn name_the_condition_and_the_place() {
    let cases = [
        ("y < 1", "condition_type: condition `c`: undeclared name `y` (line 1, column 1 of the expression)"),
        (
            "x < 1 &&\n  x == 'a'",
            "condition_type: condition `c`: `==` does not take int and string (line 2, column 5 of the expression)",
        ),
        (
            "x <",
            "condition_syntax: condition `c`: expected a value, found the end of the expression (line 1, column 4 of the expression)",
        ),
        (
            "x",
            "condition_type: condition `c`: the condition must be a bool, found int (line 1, column 1 of the expression)",
        ),
        (
            "'é' == 'é' && size(x) == 1",
            "condition_type: condition `c`: `size` does not take (int) (line 1, column 15 of the expression)",
        ),
        (
            "timestamp(x).getHours('Europe/Vienna') == 1",
            "condition_type: condition `c`: unknown time zone `Europe/Vienna`: only `UTC` and offsets such as `+02:00` are known (line 1, column 13 of the expression)",
        ),
    ];
    for (expression, expected) in cases {
        assert_eq!(problems(expression, "x: int"), [expected], "{expression}");
    }
}

#[test]
fn come_all_at_once() {
    assert_eq!(problems("a == 1 && b == 2 || c", "x: int").len(), 3);
    assert_eq!(problems(&vec!["a"; 50].join(" && "), "").len(), 10);
}

#[test]
fn parameters_are_declared_once_and_nest_little() {
    assert!(problems("true", "x: int, x: string").concat().contains("parameter `x` is declared twice"));
    let nested = format!("x: {}int{}", "list<".repeat(9), ">".repeat(9));
    assert!(problems("true", &nested).concat().contains("nests deeper than 8 levels"));
}

#[test]
fn a_condition_may_take_nothing() {
    assert!(CompiledCondition::compile(&definition("1 < 2", "")).is_ok());
}
