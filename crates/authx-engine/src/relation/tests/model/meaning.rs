//! What a model may not mean.

use super::{codes, places, read};
use crate::relation::model::{Model, Source};
use crate::relation::{MAX_TYPES, Rules, parse, print, validate, validate_with};

/// Type `user` and the given text.
fn model(rest: &str) -> Model {
    read(&format!("model\n  schema 1.1\ntype user\n{rest}"))
}

/// Type `user`, and type `doc` with the given relations.
fn relations(lines: &[&str]) -> Model {
    model(&format!("type doc\n  relations\n    define {}\n", lines.join("\n    define ")))
}

fn check(model: &Model, errors: &[&str]) {
    assert_eq!(codes(model, true), errors, "{:#?}\n{}", validate(model), crate::relation::print(model));
}

#[test]
fn references() {
    for (lines, errors) in [
        (&["a: [user]"][..], &[][..]),
        (&["a: [nobody]"], &["undefined_type"]),
        (&["a: [nobody:*]"], &["undefined_type"]),
        (&["a: [nobody#a]"], &["undefined_type"]),
        (&["a: [user#b]"], &["undefined_relation"]),
        (&["a: b"], &["undefined_relation"]),
        (&["a: [user] or b"], &["undefined_relation"]),
        (&["a: [user] and b"], &["undefined_relation"]),
        (&["a: [user] but not b"], &["undefined_relation"]),
        (&["a: b but not c", "c: [user]"], &["undefined_relation"]),
        (&["a: [user with c]"], &["undefined_condition"]),
        (&["a: [user, user]"], &["duplicate_restriction"]),
        (&["a: [user:*, user, user:*]"], &["duplicate_restriction"]),
        (&["a: [user, doc#a, doc#a]"], &["duplicate_restriction"]),
        (&["self: [user]"], &["reserved_name"]),
        (&["this: [user]"], &["reserved_name"]),
        (&["a: [user]", "a: [user]"], &["duplicate_relation"]),
    ] {
        check(&relations(lines), errors);
    }
}

#[test]
fn tuplesets() {
    for (lines, errors) in [
        (&["p: [doc]", "a: [user] or a from p"][..], &[][..]),
        (&["p: [doc, user]", "a: [user] or a from p"], &[]),
        (&["a: [user] or a from p"], &["undefined_relation"]),
        (&["p: [doc]", "a: b from p"], &["undefined_relation"]),
        (&["p: [user]", "a: a from p"], &["undefined_relation"]),
        (&["p: [doc] or q", "q: [doc]", "a: [user] or a from p"], &["invalid_tupleset"]),
        (&["p: q", "q: [doc]", "a: [user] or a from p"], &["invalid_tupleset"]),
        (&["p: [doc, doc#p]", "a: [user] or a from p"], &["invalid_tupleset"]),
        (&["p: [doc, doc:*]", "a: [user] or a from p"], &["invalid_tupleset"]),
        (&["p: [doc] or p from p"], &["invalid_tupleset"]),
    ] {
        check(&relations(lines), errors);
    }
}

#[test]
fn entrypoints() {
    let none = "no_entrypoint";
    for (lines, errors) in [
        (&["a: [doc#a]"][..], &[none][..]),
        (&["a: [doc#a, user]"], &[]),
        (&["a: [doc#a, user:*]"], &[]),
        (&["a: [doc#a] or b", "b: [user]"], &[]),
        (&["a: [doc#a] and b", "b: [user]"], &[none]),
        (&["a: [doc#a] but not b", "b: [user]"], &[none]),
        (&["a: b but not c", "b: [user]", "c: [doc#c]"], &[none, none]),
        (&["a: [doc#b]", "b: [doc#a]"], &[none, none]),
        (&["a: [doc#b]", "b: [doc#a, user]"], &[]),
        (&["p: [doc]", "a: a from p"], &[none]),
        (&["p: [doc]", "a: a from p or u", "u: [user]"], &[]),
        (&["a: [user]", "b: [doc#b] or (a and u)", "u: [user]"], &[]),
        (&["p: [doc]", "a: b from p", "b: a from p"], &[none, none]),
        // The same relation is asked for twice on one way, which is no loop.
        (&["x: a", "a: b and c", "b: d", "c: d", "d: e or f", "e: [user]", "f: [user]"], &[]),
    ] {
        check(&relations(lines), errors);
    }
}

#[test]
fn entrypoints_over_types() {
    let both = "type team\n  relations\n    define parent: [group]\n    define viewer: viewer from parent\n\
                type group\n  relations\n    define parent: [team]\n    define viewer: viewer from parent\n";
    check(&model(both), &["no_entrypoint", "no_entrypoint"]);
    check(
        &model(&both.replacen("viewer from parent\n", "viewer from parent or other\n    define other: [user]\n", 1)),
        &[],
    );
    let one = "type final\n  relations\n    define p: [a, b]\n    define x: u from p or v from p\n\
               type a\n  relations\n    define u: [user]\ntype b\n  relations\n    define v: [user]\n";
    check(&model(one), &[]);
    check(&model(&one.replace("define v", "define w")), &["undefined_relation"]);
}

#[test]
fn cycles() {
    let cycle = "cyclic_relation";
    for (lines, errors) in [
        (&["a: a"][..], &[cycle][..]),
        (&["a: b", "b: a"], &[cycle, cycle]),
        (&["a: [user] or a"], &[cycle]),
        (&["a: u or b", "b: u or a", "u: [user]"], &[cycle, cycle]),
        (&["a: u and b and c", "b: u and c and a", "c: u and a and b", "u: [user]"], &[cycle, cycle, cycle]),
        (&["a: u but not b", "b: u but not c", "c: u but not a", "u: [user]"], &[cycle, cycle, cycle]),
        // What leads to a cycle is not on it; what needs one has no entrypoint.
        (&["x: a or u", "a: u or a", "u: [user]"], &[cycle]),
        (&["a: b or c", "b: d", "c: d", "d: [user]"], &[]),
        (&["p: [doc]", "a: [user] or a from p"], &[]),
        (&["a: [user, doc#a]"], &[]),
    ] {
        check(&relations(lines), errors);
    }
}

#[test]
fn names() {
    let with_type = |name: &str| model(&format!("type {name}\n"));
    check(&with_type(&"a".repeat(254)), &[]);
    check(&with_type(&"a".repeat(255)), &["invalid_name"]);
    check(&with_type("self"), &["reserved_name"]);
    check(&with_type("this"), &["reserved_name"]);
    check(&with_type("user"), &["duplicate_type"]);
    check(&relations(&[&format!("{}: [user]", "a".repeat(50))]), &[]);
    check(&relations(&[&format!("{}: [user]", "a".repeat(51))]), &["invalid_name"]);
    for name in ["", "a:b", "a#b", "a@b", "a*b", "a b", "a\tb"] {
        let mut changed = model("");
        changed.types[0].name = name.into();
        check(&changed, &["invalid_name"]);
        let mut changed = relations(&["a: [user]"]);
        changed.types[1].relations[0].name = name.into();
        check(&changed, &["invalid_name"]);
    }
    let mut unusual = model("");
    unusual.types[0].name = "üser|1".into();
    check(&unusual, &[]);
    assert_eq!(codes(&unusual, false), ["not_expressible"]);
}

#[test]
fn schema_versions() {
    for (version, errors) in [("1.1", &[][..]), ("1.2", &[]), ("1.0", &["schema_version"]), ("", &["schema_version"])] {
        let mut changed = model("");
        changed.schema_version = version.into();
        check(&changed, errors);
    }
}

#[test]
fn how_many_types() {
    let types = |n: usize| model(&(1..n).fold(String::new(), |text, i| text + &format!("type t{i}\n")));
    check(&types(MAX_TYPES), &[]);
    check(&types(MAX_TYPES + 1), &["too_many_types"]);
    assert!(validate_with(&types(MAX_TYPES + 1), Rules { max_types: 200 }).is_empty());
}

#[test]
fn conditions() {
    let with = |rest: &str| model(&format!("type doc\n  relations\n    define a: [user with c]\n{rest}"));
    let c = "condition c(x: int) {\n  x < 1\n}\n";
    check(&with(c), &[]);
    check(&with(&c.repeat(2)), &["duplicate_condition"]);
    check(&with(&c.replace("x: int", "x: int, x: int")), &["duplicate_parameter"]);
    check(&with(&c.replace("c(", "d(")), &["undefined_condition"]);
    let unused = with(&format!("{c}{}", c.replace("c(", "d(")));
    check(&unused, &[]);
    assert_eq!(places(&validate(&unused)), ["unused_condition 10:11"]);
    let long = model(&c.replace("c(", &format!("{}(", "c".repeat(51))));
    check(&long, &["invalid_name"]);
    for (name, warned) in [("int", true), ("from", true), ("a.b", true), ("any", false), ("list", false)] {
        let mut renamed = with(&c.replace("x < 1", "true"));
        renamed.conditions[0].parameters[0].0 = name.into();
        assert_eq!(codes(&renamed, false).contains(&"not_expressible".to_owned()), warned, "{name}");
        assert_eq!(parse(&print(&renamed), None).is_err(), warned, "{name}");
    }
}

#[test]
fn restrictions_and_tuples_go_together() {
    let mut none = relations(&["a: [user]"]);
    none.types[1].relations[0].restrictions.clear();
    check(&none, &["missing_restrictions"]);
    let mut some = relations(&["a: [user]", "b: a"]);
    some.types[1].relations[1].restrictions = some.types[1].relations[0].restrictions.clone();
    check(&some, &["unused_restrictions"]);
}

#[test]
fn what_a_server_takes_is_a_warning() {
    for expression in ["b or b", "b and b", "b but not b", "[user] or b or b"] {
        let model = relations(&[&format!("a: {expression}"), "b: [user]"]);
        check(&model, &[]);
        assert_eq!(codes(&model, false), ["duplicate_operand"], "{expression}");
    }
}

#[test]
fn one_module_a_file() {
    let mut changed = model("type doc\n");
    for (definition, module) in changed.types.iter_mut().zip(["core", "other"]) {
        definition.source =
            Source { module: Some(module.into()), file: Some("core.fga".to_owned()), ..Source::default() };
    }
    check(&changed, &["several_modules"]);
}

#[test]
fn problems_have_places() {
    let model = relations(&["a: b", "c: [user]", "d: [nobody]"]);
    assert_eq!(places(&validate(&model)), ["undefined_relation 6:12", "undefined_type 8:12"]);
}
