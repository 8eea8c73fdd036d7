//! An explanation as text.

use serde_json::Value;

use crate::cli::values::{list, number, word};

/// The deepest indent of what was tried.
const DEEPEST: u64 = 32;

/// What an explanation says, a paragraph for each policy.
pub(crate) fn text(explanation: &Value) -> String {
    let mut text = String::new();
    for policy in list(explanation, "policies") {
        text.push('\n');
        of_policy(&mut text, policy);
    }
    match explanation.get("omitted").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(omitted) => text.push_str(&format!("\n{omitted} more policies are not told of\n")),
    }
    for miss in list(explanation, "near_misses") {
        let forbids: Vec<String> =
            list(miss, "forbids").map(|id| format!("`{}`", id.as_str().unwrap_or_default())).collect();
        let then = match forbids.as_slice() {
            [] => "it would be allowed".to_owned(),
            ids => format!("{} would forbid it", ids.join(", ")),
        };
        let write = miss.get("write").map(Value::to_string).unwrap_or_default();
        let (policy, lacks) = (word(miss, "policy"), word(miss, "lacks"));
        text.push_str(&format!("\nnear miss: `{policy}` lacks only `{lacks}`\n   = write {write}\n   = then {then}\n"));
    }
    text
}

fn of_policy(text: &mut String, policy: &Value) {
    let outcome = match word(policy, "outcome") {
        "matched" => "applies",
        "failed" => "failed",
        _ => "does not apply",
    };
    text.push_str(&format!("{} `{}` {outcome}\n", word(policy, "effect"), word(policy, "policy")));
    text.push_str(&format!("  --> {}\n", place(policy)));
    for part in list(policy, "scope").filter(|part| part.get("holds") == Some(&Value::Bool(false))) {
        text.push_str(&format!("   = `{}` does not hold\n", word(part, "text")));
    }
    for conjunct in list(policy, "conjuncts") {
        of_conjunct(text, conjunct);
    }
}

fn of_conjunct(text: &mut String, conjunct: &Value) {
    let outcome = match word(conjunct, "outcome") {
        "not_reached" => return,
        "failed" => format!("failed: {}", word(conjunct, "message")),
        outcome => outcome.to_owned(),
    };
    let line = number(conjunct, "line").to_string();
    let written = word(conjunct, "text").lines().next().unwrap_or_default();
    let (gutter, marks) = (" ".repeat(line.len()), "^".repeat(written.chars().count().max(1)));
    text.push_str(&format!("{gutter} |\n{line} | {written}\n{gutter} | {marks} {outcome}\n"));
    for value in list(conjunct, "values") {
        let what = match value.get("value").and_then(Value::as_str) {
            Some(value) => format!("is {value}"),
            None => format!("has no value: {}", word(value, "error")),
        };
        text.push_str(&format!("{gutter} = `{}` {what}\n", word(value, "path")));
    }
    for relation in list(conjunct, "relations") {
        of_relation(text, &gutter, relation);
    }
}

fn of_relation(text: &mut String, gutter: &str, relation: &Value) {
    let tuple = match word(relation, "tuple") {
        "" => String::new(),
        tuple => format!(", which is {tuple},"),
    };
    let holds = match relation.get("holds").and_then(Value::as_bool) {
        Some(true) => "holds".to_owned(),
        Some(false) => "does not hold".to_owned(),
        None => format!("cannot be told: {}", word(relation, "message")),
    };
    text.push_str(&format!("{gutter} = `{}`{tuple} {holds}\n", word(relation, "text")));
    for tuple in list(relation, "path").filter_map(Value::as_str) {
        text.push_str(&format!("{gutter}     by {tuple}\n"));
    }
    for tried in list(relation, "tried") {
        let indent = "  ".repeat(usize::try_from(number(tried, "depth").min(DEEPEST)).unwrap_or_default());
        let holds = if tried.get("holds") == Some(&Value::Bool(true)) { " (holds)" } else { "" };
        text.push_str(&format!("{gutter}     {indent}tried {}{holds}\n", word(tried, "what")));
    }
    if relation.get("more") == Some(&Value::Bool(true)) {
        text.push_str(&format!("{gutter}     and more\n"));
    }
}

fn place(of: &Value) -> String {
    let file = match word(of, "file") {
        "" => "policy",
        file => file,
    };
    format!("{file}:{}:{}", number(of, "line"), number(of, "column"))
}
