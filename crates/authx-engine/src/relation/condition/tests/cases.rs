//! The table of cases.txt: one line is an expression, its parameters, a context and what comes of it.

use serde_json::{Map, Value as Json};

use super::{compile, object};
use crate::relation::condition::{MAX_COST, Outcome};

fn actual(expression: &str, parameters: &str, context: &str) -> String {
    let condition = match compile(expression, parameters) {
        Ok(condition) => condition,
        Err(problems) => {
            let code = problems.first().map_or("", |problem| &problem.code);
            return code.trim_start_matches("condition_").to_owned();
        }
    };
    let context: Json = serde_json::from_str(if context.is_empty() { "{}" } else { context }).unwrap_or_default();
    match condition.evaluate(&object(context), &Map::new(), MAX_COST).outcome {
        Outcome::True => "true".to_owned(),
        Outcome::False => "false".to_owned(),
        Outcome::Missing(names) => format!("missing {}", names.join(" ")),
        Outcome::Failed(_) => "failed".to_owned(),
    }
}

#[test]
fn every_expression_has_its_outcome() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("cases.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut parts = line.split(" ;; ").map(str::trim);
        let mut next = || parts.next().unwrap_or("");
        let (expected, expression, parameters, context) = (next(), next(), next(), next());
        let found = actual(expression, parameters, context);
        if found != expected {
            wrong.push(format!("expected {expected}, found {found}: {line}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 300, "{count} cases");
}
