//! What texts read as, where their values stand, and what is refused.

use serde_json::json;

use super::fields::Fields;
use super::{Node, Value, parse};

fn read(text: &str) -> Node {
    parse(text, "yaml").unwrap()
}

/// The message of what is wrong, after its place.
fn refused(text: &str) -> String {
    let problem = parse(text, "yaml").unwrap_err();
    format!("{}:{} {}", problem.line.unwrap(), problem.column.unwrap(), problem.message)
}

#[test]
fn values_are_what_they_look_like() {
    for (text, expected) in [
        ("", json!(null)),
        ("# nothing\n", json!(null)),
        ("a: ~\nb: null\nc:\n", json!({"a": null, "b": null, "c": null})),
        ("[true, False, yes, 'true', \"null\"]", json!([true, false, "yes", "true", "null"])),
        ("[1, -2, +3, 0x1f, 0o17, 18446744073709551615]", json!([1, -2, 3, 31, 15, 18_446_744_073_709_551_615_u64])),
        (
            "[1.5, -1e3, .5, 1.2.3, 1-2, 2023-05-03, 10m, +, .]",
            json!([1.5, -1e3, 0.5, "1.2.3", "1-2", "2023-05-03", "10m", "+", "."]),
        ),
        ("- user:ann\n- !!str 7\n- 10.0.0.1\n", json!(["user:ann", "7", "10.0.0.1"])),
        ("a: |\n  x\n   y\nb: >\n  x\n  y\n", json!({"a": "x\n y\n", "b": "x y\n"})),
        (
            "a: &x {k: 1}\nb: *x\nc: {<<: *x, d: 2}\ne: {<<: [*x], k: 3}\n",
            json!({"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 1, "d": 2}, "e": {"k": 3}}),
        ),
        ("? a\n: 1\n", json!({"a": 1})),
    ] {
        assert_eq!(read(text).json(), expected, "{text}");
    }
}

#[test]
fn values_know_their_place() {
    let node = read("# head\nname: x\nlist:\n  - höhe: 1\n    model: |\n      text\n");
    let Value::Map(fields) = &node.value else { panic!("{node:?}") };
    let Value::List(items) = &fields[1].1.value else { panic!("{node:?}") };
    let Value::Map(inner) = &items[0].value else { panic!("{node:?}") };
    let places =
        [fields[0].0.place, fields[0].1.place, items[0].place, inner[0].1.place, inner[1].0.place, inner[1].1.place];
    assert_eq!(places.map(|place| (place.line, place.column)), [(2, 1), (2, 7), (4, 5), (4, 11), (5, 5), (6, 7)]);
    assert_eq!(inner[1].1.value, Value::Text { text: "text\n".to_owned(), block: true });
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        ("a: 1\nb: 2\na: 3\n", "3:1 `a` is given twice"),
        ("a: !custom 1\n", "1:4 the tag `!custom` is not supported"),
        ("a\n---\nb\n", "2:1 a second document begins, expected one in a file"),
        ("? [a]\n: 1\n", "1:3 a list or a map is no name of a field"),
        ("a: &x 1\nb: {<<: *x}\n", "2:9 `<<` takes a map"),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    for text in ["a: 'x", "a: [1", "a: *nobody", "a: b: c"] {
        assert!(refused(text).starts_with("1:") || refused(text).starts_with("2:"), "{text}: {}", refused(text));
    }
}

#[test]
fn hostile_texts_end() {
    assert!(parse(&"[".repeat(60_000), "yaml").is_err());
    assert!(parse(&"- ".repeat(60_000), "yaml").is_err());
    assert!(parse(&"{a: ".repeat(60_000), "yaml").is_err());
    // Every line names the one before it ten times.
    let many = (1..20).fold("b0: &b0 [1]\n".to_owned(), |text, n| {
        text + &format!("b{n}: &b{n} [{}]\n", vec![format!("*b{}", n - 1); 10].join(", "))
    });
    assert!(refused(&many).contains("the text has more than 500000 values"));
    // What is repeated counts by its bytes too, names of fields among them.
    let long = "x".repeat(1 << 20);
    for what in [format!("'{long}'"), format!("{{'{long}': 1}}")] {
        let repeated = format!("a: &a {what}\nb: [{}]\n", vec!["*a"; 100_000].join(","));
        assert!(refused(&repeated).contains("the text has more than 500000 values"));
    }
    // Every line puts the one before it three lists deeper.
    let deep =
        (1..2_000).fold("b0: &b0 [1]\n".to_owned(), |text, n| text + &format!("b{n}: &b{n} [[[*b{}]]]\n", n - 1));
    assert!(refused(&deep).contains("nested more than 64 deep"), "{}", refused(&deep));
    // Many fields are no more work each than few are.
    let wide: Vec<String> = (0..200_000).map(|n| format!("f{n}: 1\n")).collect();
    assert!(parse(&wide.concat(), "yaml").is_ok());
}

#[test]
fn fields_are_known_and_of_their_kind() {
    for (text, expected) in [
        ("name: x\ncheck: [1]\n", &[][..]),
        ("name: x\nassertion: 1\n", &["2:1 a test has no field `assertion`; did you mean `assertions`?"]),
        ("colour: 1\n", &["1:1 a test has no field `colour`; expected `name`, `check` or `assertions`"]),
        (
            "name: 7\ncheck: x\n",
            &[
                "1:7 `name` is the number `7`, expected a text; put it into quotes",
                "2:8 `check` is the text `x`, expected a list",
            ],
        ),
        (
            "name: [x]\nassertions: y\n",
            &["1:7 `name` is a list, expected a text", "2:13 `assertions` is the text `y`, expected `true` or `false`"],
        ),
        ("- name\n", &["1:1 a test is a list, expected a map"]),
        ("name:\ncheck: ~\n", &[]),
    ] {
        let mut fields = Fields::new("yaml", "x.yaml");
        let node = read(text);
        let [name, check, assertions] = fields.map(&node, "a test", ["name", "check", "assertions"]);
        fields.optional_text(name, "`name`");
        fields.items(check, "`check`");
        assertions.map(|node| fields.bool(node, "`assertions`"));
        let told = |problem: &authx_engine::Problem| {
            assert_eq!(problem.file.as_deref(), Some("x.yaml"));
            let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            format!("{}:{} {}{hint}", problem.line.unwrap(), problem.column.unwrap(), problem.message)
        };
        assert_eq!(fields.problems.iter().map(told).collect::<Vec<_>>(), expected, "{text}");
    }
}
