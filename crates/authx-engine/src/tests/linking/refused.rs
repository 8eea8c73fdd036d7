//! What has no meaning, and what nobody may say.

use super::{SCHEMA, Store};

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
