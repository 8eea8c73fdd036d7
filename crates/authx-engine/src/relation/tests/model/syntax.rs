//! What the language takes and what it refuses, and where it says so.

use super::{places, read};
use crate::relation::model::{ParameterType, Rewrite};
use crate::relation::{parse, print};

/// The printed form of `define a: {expression}`.
fn printed(expression: &str) -> Result<String, Vec<String>> {
    let text = format!("model\n  schema 1.1\ntype t\n  relations\n    define a: {expression}\n");
    let model = parse(&text, None).map_err(|problems| places(&problems))?;
    let printed = print(&model);
    assert_eq!(read(&printed), model);
    Ok(printed.split_once("define a: ").unwrap().1.trim_end().to_owned())
}

#[test]
fn expressions_that_read() {
    for (written, expected) in [
        ("[user]", "[user]"),
        (
            "[ user ,  user:* , group#member with c,user:* with c ]",
            "[user, user:*, group#member with c, user:* with c]",
        ),
        ("[\n      user,\n      group#member\n    ]", "[user, group#member]"),
        ("b", "b"),
        ("(b)", "b"),
        ("(((b)))", "b"),
        ("b   or   c", "b or c"),
        ("[user] or b or c from d", "[user] or b or c from d"),
        ("[user] and b", "[user] and b"),
        ("[user] but not b", "[user] but not b"),
        ("([user] or b) but not c", "([user] or b) but not c"),
        ("(([user] and b) or c) and d", "(([user] and b) or c) and d"),
        (
            "(b or c or d) but not ((e and f) but not (g but not h))",
            "(b or c or d) but not ((e and f) but not (g but not h))",
        ),
        ("((b or c))", "b or c"),
        ("( b or c )", "b or c"),
        ("b or (c or d)", "b or (c or d)"),
        ("but or model from type", "but or model from type"),
        ("relation and extend and module and schema", "relation and extend and module and schema"),
        ("team/viewer.x from a-b", "team/viewer.x from a-b"),
        ("not or with_ or from_", "not or with_ or from_"),
    ] {
        assert_eq!(printed(written).as_deref(), Ok(expected), "{written}");
    }
}

#[test]
fn expressions_that_do_not() {
    // The expression begins at column 15.
    for (written, column) in [
        ("", 15),
        ("or b", 15),
        ("and b", 15),
        ("but not b", 15),
        ("[]", 16),
        ("[ ]", 17),
        ("[user,]", 21),
        ("[user:*:*]", 22),
        ("[user:x]", 21),
        ("[group#member:*]", 28),
        ("[user] or [user]", 25),
        ("b or [user]", 20),
        ("b but not [user]", 25),
        ("b or ((c and d) but not [user])", 39),
        ("b or c and d", 22),
        ("b and c or d", 23),
        ("b or c but not d", 22),
        ("b but not c but not d", 27),
        ("b and (c or d) or e", 30),
        ("b or (c and d but not e)", 29),
        ("b or", 19),
        ("b c", 17),
        ("b from", 21),
        ("b from c from d", 24),
        ("(b", 17),
        ("b)", 16),
        ("()", 16),
        ("[user]or b", 21),
        ("b or(c)", 19),
        ("from", 15),
        ("define", 15),
        ("[user with]", 25),
        ("[user with c d]", 28),
        ("b or\n      c", 19),
        ("user@x", 19),
        ("1", 15),
    ] {
        assert_eq!(printed(written), Err(vec![format!("model_syntax 5:{column}")]), "{written}");
    }
}

#[test]
fn whole_texts_that_do_not() {
    for (text, expected) in [
        ("", "model_syntax 1:1"),
        ("type user\n", "model_syntax 1:1"),
        ("model\ntype user\n", "model_syntax 2:1"),
        ("model schema 1.1\n", "model_syntax 1:7"),
        ("model\n  schema1.1\n", "model_syntax 2:3"),
        ("model\n  schema 11\n", "model_syntax 2:10"),
        ("model\n  schema a.b\n", "model_syntax 2:10"),
        ("model\n  schema 0.9\n", "model_syntax 2:10"),
        ("model\n  schema 1.3\n", "model_syntax 2:10"),
        ("module core\ntype user\n", "model_syntax 1:1"),
        ("model\n  schema 1.1\nextend type user\n", "model_syntax 3:1"),
        ("model\n  schema 1.1\ntype\n", "model_syntax 3:5"),
        ("model\n  schema 1.1\ntype and\n", "model_syntax 3:6"),
        ("model\n  schema 1.1\ntype a b\n", "model_syntax 3:8"),
        ("model\n  schema 1.1\ntype a\n  relations\n", "model_syntax 5:1"),
        ("model\n  schema 1.1\ntype a\n  define x: [a]\n", "model_syntax 4:3"),
        ("model\n  schema 1.1\ntype a\n  relations\n    defne x: [a]\n", "model_syntax 5:5"),
        ("model\n  schema 1.1\ntype a\n  relations\n    define x as [a]\n", "model_syntax 5:14"),
        ("model\n  schema 1.1\ncondition c(x: int) {\n  x\n}\ntype a\n", "model_syntax 6:1"),
    ] {
        let problems = parse(text, Some("a.fga")).unwrap_err();
        assert_eq!(places(&problems)[0], expected, "{text}");
        assert_eq!(problems[0].file.as_deref(), Some("a.fga"));
    }
}

#[test]
fn one_mistake_does_not_hide_the_next() {
    let text = "model\n  schema 1.1\ntype a\n  relations\n    define x: or\n    define y: [a]\n    \
                define z y\n\ntype 1\n\ncondition c(x: list) {\n  x\n}\n\ncondition d(x: int) {\n  x < 1\n}\n";
    let problems = parse(text, None).unwrap_err();
    assert_eq!(places(&problems), ["model_syntax 5:15", "model_syntax 7:14", "model_syntax 9:6", "model_syntax 11:20"]);
}

#[test]
fn keywords_name_types_and_relations() {
    for name in ["model", "schema", "type", "relation", "module", "extend", "list", "map", "int", "but", "not"] {
        let text =
            format!("model\n  schema 1.1\ntype {name}\n  relations\n    define {name}: [{name}, {name}#{name}]\n");
        assert_eq!(print(&read(&text)), text.replace("\ntype", "\n\ntype"), "{name}");
    }
    for name in ["and", "or", "from", "with", "define", "relations", "condition", "in", "true", "false", "null"] {
        let text = format!("model\n  schema 1.1\ntype {name}\n");
        assert_eq!(places(&parse(&text, None).unwrap_err()), ["model_syntax 3:6"], "{name}");
    }
}

#[test]
fn layout_is_free_within_lines() {
    let text =
        "\r\n\n   model\r\n\tschema 1.1   \r\n  type user\r\n\r\n type doc\n\trelations  \n\n\n define  a :[user]\n";
    let model = read(text);
    assert_eq!(model.types.len(), 2);
    assert_eq!(model.types[1].relations[0].rewrite, Rewrite::This);
}

#[test]
fn definitions_know_their_place() {
    let model = read("model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define a: [user]\n");
    let place = |source: &crate::relation::model::Source| (source.line, source.column);
    assert_eq!(place(&model.types[1].source), (4, 6));
    assert_eq!(place(&model.types[1].relations[0].source), (6, 12));
}

#[test]
fn conditions_that_read() {
    let text = "model\n  schema 1.1\ntype user\ncondition c (\n  a : map<string>,\n  b: list<ipaddress>, type: any\n) \
                {{\"k\": \"}\"}[a] == r'\\' + '''\n}''' + b'\\''}\n";
    let condition = &read(text).conditions[0];
    assert_eq!(condition.expression, "{\"k\": \"}\"}[a] == r'\\' + '''\n}''' + b'\\''");
    let kinds: Vec<_> = condition.parameters.iter().map(|(name, kind)| (name.as_str(), kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            ("a", ParameterType::Map(Box::new(ParameterType::String))),
            ("b", ParameterType::List(Box::new(ParameterType::IpAddress))),
            ("type", ParameterType::Any),
        ]
    );
}

#[test]
fn conditions_that_do_not() {
    for (condition, place) in [
        ("condition c(x: list) {\n  x\n}", "4:20"),
        ("condition c(x: map<map>) {\n  x\n}", "4:20"),
        ("condition c(x: map<list<int>>) {\n  x\n}", "4:20"),
        ("condition c(x: number) {\n  x\n}", "4:16"),
        ("condition c(string) {\n  x\n}", "4:13"),
        ("condition c(x) {\n  x\n}", "4:14"),
        ("condition c(x: int)\n{\n  x\n}", "4:20"),
        ("condition c(x: int) {\n  x\n", "4:21"),
        ("condition c(x: int) {\n  x + {\n}", "4:21"),
        ("condition c(x: int) {\n  x + \"a\n\"\n}", "5:7"),
        ("condition c(x: int) {\n  x\n} y", "6:3"),
        ("condition a/b(x: int) {\n  x\n}", "4:11"),
        ("condition c", "4:12"),
    ] {
        let text = format!("model\n  schema 1.1\ntype user\n{condition}\n");
        let problems = parse(&text, None).unwrap_err();
        assert_eq!(places(&problems)[0], format!("model_syntax {place}"), "{condition}");
    }
}
