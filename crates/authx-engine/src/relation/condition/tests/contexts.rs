//! Which context wins, what a tuple may store, and what the messages say.

use serde_json::{Map, json};

use super::{compile, object, outcome};
use crate::relation::condition::{MAX_COST, Outcome};

#[test]
fn what_the_tuple_stores_wins() {
    let condition = compile("x < 100 && y == \"a\"", "x: int, y: string").unwrap();
    let check = |request, tuple| condition.evaluate(&object(request), &object(tuple), MAX_COST).outcome;
    assert_eq!(check(json!({"x": 1, "y": "a"}), json!({})), Outcome::True);
    assert_eq!(check(json!({"x": 1}), json!({"y": "a"})), Outcome::True);
    assert_eq!(check(json!({"x": 1, "y": "a"}), json!({"x": 500})), Outcome::False);
    assert_eq!(check(json!({"x": 500, "y": "a"}), json!({"x": 1})), Outcome::True);
    assert_eq!(check(json!({"x": "bad"}), json!({"x": 1})), Outcome::Missing(vec!["y".into()]));
    assert_eq!(check(json!({"other": 1}), json!({})), Outcome::Missing(vec!["x".into(), "y".into()]));
}

#[test]
fn a_tuple_stores_only_what_is_declared() {
    let condition = compile("x < 100", "x: int, l: list<string>, t: timestamp").unwrap();
    let check = |context| condition.check_context(&object(context)).err();
    assert_eq!(check(json!({})), None);
    assert_eq!(check(json!({"x": 1})), None);
    assert_eq!(check(json!({"x": "1", "l": ["a"], "t": "2023-01-01T00:00:00Z"})), None);
    assert_eq!(check(json!({"z": 1})).as_deref(), Some("found invalid context parameter `z`"));
    assert_eq!(
        check(json!({"x": true})).as_deref(),
        Some("failed to convert context parameter `x`: expected int, found a bool")
    );
    assert_eq!(
        check(json!({"l": ["a", 1]})).as_deref(),
        Some("failed to convert context parameter `l`: item 1: expected string, found the number `1`")
    );
    assert_eq!(
        check(json!({"t": "now"})).as_deref(),
        Some(
            "failed to convert context parameter `t`: expected timestamp (a string of RFC 3339), found the string `now`"
        )
    );
}

#[test]
fn failures_say_why() {
    let cases = [
        ("x / 0 == 1", "x: int", json!({"x": 1}), "division by zero"),
        ("x + 9223372036854775807 > 0", "x: int", json!({"x": 1}), "the result is out of range"),
        ("m.b == 1", "m: map<int>", json!({"m": {"a": 1}}), "the map has no key `b`"),
        ("l[3] == 1", "l: list<int>", json!({"l": [1]}), "the index is outside of the list, which has 1 items"),
        ("ipaddress(s) == ipaddress(s)", "s: string", json!({"s": "x"}), "malformed IP address `x`"),
        ("a", "a: any", json!({"a": 5}), "expected a bool, found double"),
        (
            "m == m",
            "m: map<int>",
            json!({"m": {"a": 1.5}}),
            "failed to convert context parameter `m`: key `a`: expected int, found the number `1.5`",
        ),
    ];
    for (expression, parameters, context, message) in cases {
        assert_eq!(outcome(expression, parameters, context), Outcome::Failed(message.to_owned()), "{expression}");
    }
}

#[test]
fn long_input_is_not_repeated_in_messages() {
    let long = "x".repeat(100_000);
    let condition = compile("x == 1", "x: int").unwrap();
    let Outcome::Failed(message) = condition.evaluate(&object(json!({ "x": long })), &Map::new(), u64::MAX).outcome
    else {
        unreachable!("a string of letters is no int")
    };
    assert!(message.len() < 300, "{}", message.len());
}
