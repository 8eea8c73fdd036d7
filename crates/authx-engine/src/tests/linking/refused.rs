//! What has no meaning, and what nobody may say.

mod forged;
mod model_change;
mod unsatisfiable;

use serde_json::json;

use super::{SCHEMA, Store, request};

fn codes(policies: &str) -> Vec<String> {
    let found = Store::default().compile(policies).err().unwrap_or_default();
    found.into_iter().map(|problem| problem.code.into_owned()).collect()
}

#[test]
fn shapes_that_are_no_fact() {
    for condition in [
        "principal == resource.rel.viewer",
        "resource has rel",
        "resource.rel has viewer",
        "[resource.rel.viewer].contains(principal)",
        "{a: resource.rel.viewer}.a == principal",
        "resource.rel.viewer in principal",
        "principal in {x: resource.rel.viewer}.x",
        "resource.rel == resource.rel",
        "{rel: 1}.rel == 1",
        "context has rel",
    ] {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        assert_eq!(codes(&text), ["misplaced_relation"], "{condition}");
    }
}

#[test]
fn problems_show_the_line() {
    let text = "permit(principal, action, resource)\nwhen { true }\nwhen { principal == resource.rel.viewer };";
    let found = Store::default().compile(text).unwrap_err();
    let first = &found[0];
    assert_eq!((first.line, first.column, first.file.as_deref()), (Some(3), Some(21), Some("p.cedar")));
    assert!(first.hint.as_ref().unwrap().contains("principal in resource.rel.viewer"), "{first:?}");
    assert!(SCHEMA.contains("@rebac"));
}

/// A fault of a link stands at what its annotation says.
#[test]
fn links_are_told_at_their_annotation() {
    for (from, to, line, column, length) in [
        ("@members(\"assignee\")", "@members(\"nobody\")", 2, 25, 8),
        ("@rebac(\"group\")", "@rebac(\"ghost\")", 3, 8, 7),
        ("@parents(\"parent\") entity Document", "@parents(\"viewer\") entity Document", 8, 29, 8),
        ("@rebac(\"role\") @members", "@members", 2, 10, 10),
        ("entity Team;", "@rebac(\"group\") entity Team;", 6, 8, 7),
    ] {
        let schema = SCHEMA.replace(from, to);
        let found = Store { schema: Box::leak(schema.into_boxed_str()), ..Store::default() }.compile("").unwrap_err();
        assert_eq!(found[0].code, "invalid_link", "{to}");
        assert_eq!((found[0].line, found[0].column, found[0].length), (Some(line), Some(column), Some(length)), "{to}");
    }
}

/// What is forged is told once, although it fits no schema either.
#[test]
fn forged_values_are_told_once() {
    use crate::{DecideError, EntityInput, Limits, decide, read_entity};
    let store = Store::default();
    let user = json!({"uid": "User:bob", "attrs": {"level": 1, "rel": 1}, "parents": ["Document:plan", "Bot:b"]});
    let input: EntityInput = serde_json::from_value(user.clone()).unwrap();
    let release = store.compile("").unwrap();
    let written = read_entity(&input, release.data_rules(), "/entities/0").unwrap_err();
    let sent = match decide(
        &store.snapshot(store.compile("").unwrap(), &[]),
        &request(&json!({"entities": [user]})),
        &Limits::default(),
    ) {
        Err(DecideError::InvalidInput { problems }) => problems,
        other => panic!("{other:?}"),
    };
    let told =
        |problems: Vec<crate::InputProblem>| problems.into_iter().map(|p| (p.pointer, p.code)).collect::<Vec<_>>();
    let forged = |place: &str, code| (format!("/entities/0/{place}"), code);
    let expected = vec![forged("parents/0", "linked_parent"), forged("attrs/rel", "reserved_name")];
    assert_eq!(told(written), expected);
    assert_eq!(told(sent), [expected, vec![forged("parents/1", "wrong_type")]].concat());
}
