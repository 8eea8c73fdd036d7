//! Ids that a tuple cannot hold as they are.

use serde_json::json;

use super::{Row, allow, deny, permit};

pub(super) fn rows() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let core = |id: &str| format!("@id(\"p\") permit(principal in Group::\"{id}\", action, resource);");
    let by = |id: &str| json!({"principal": format!("User:{id}")});
    let of = |id: &str| json!({"resource": format!("Document:{id}")});
    vec![
        allow("a colon in code", viewers, &["document:plan#viewer@employee:a%3Ab"]).ask(by("a:b")),
        deny("a colon as it is", viewers, &["document:plan#viewer@employee:a:b"]).ask(by("a:b")),
        deny("the code is another's id", viewers, &["document:plan#viewer@employee:a%3Ab"]).ask(by("a%3Ab")),
        allow("a code as an id, in code", viewers, &["document:plan#viewer@employee:a%253Ab"]).ask(by("a%3Ab")),
        deny("a code in lower case is nobody's", viewers, &["document:plan#viewer@employee:a%3ab"]).ask(by("a:b")),
        deny("a letter in code is nobody's", viewers, &["document:plan#viewer@employee:%62ob"]),
        allow("a star in code", viewers, &["document:plan#viewer@employee:%2A"]).ask(by("*")),
        deny("a star in code is not everyone", viewers, &["document:plan#viewer@employee:%2A"]),
        allow("a star is one of everyone", viewers, &["document:plan#viewer@employee:*"]).ask(by("*")),
        deny(
            "everyone but the one who is called so",
            permit("principal in resource.rel.reader"),
            &["document:plan#viewer@employee:*", "document:plan#blocked@employee:%2A"],
        )
        .ask(by("*")),
        allow(
            "who is called everyone is blocked alone",
            permit("principal in resource.rel.reader"),
            &["document:plan#viewer@employee:*", "document:plan#blocked@employee:%2A"],
        ),
        allow("two stars need no code", viewers, &["document:plan#viewer@employee:**"]).ask(by("**")),
        allow("an empty id", viewers, &["document:plan#viewer@employee:%"]).ask(by("")),
        deny("an empty id is not a percent sign", viewers, &["document:plan#viewer@employee:%"]).ask(by("%")),
        allow("letters of the world", viewers, &["document:plan#viewer@employee:zoë🦀"]).ask(by("zoë🦀")),
        deny("letters of the world are themselves", viewers, &["document:plan#viewer@employee:zoe\u{308}"])
            .ask(by("zo\u{eb}")),
        allow("a percent sign", viewers, &["document:plan#viewer@employee:100%25"]).ask(by("100%")),
        deny("a percent sign as it is", viewers, &["document:plan#viewer@employee:100%"]).ask(by("100%")),
        allow("white space", viewers, &["document:plan#viewer@employee:a%20b%C2%A0c"]).ask(by("a b\u{a0}c")),
        allow("what separates needs no code but #", viewers, &["document:plan#viewer@employee:a@b/c%23d"])
            .ask(by("a@b/c#d")),
        allow("an object in code", viewers, &["document:q1%3A100%25#viewer@employee:bob"]).ask(of("q1:100%")),
        deny("an object as it is", viewers, &["document:q1:100%#viewer@employee:bob"]).ask(of("q1:100%")),
        allow("a group in code", core("R&D: core"), &["group:R&D%3A%20core#member@employee:bob"]),
        deny("a group in a code that is none", core("core"), &["group:%63ore#member@employee:bob"]),
        allow("a group without a name", core(""), &["group:%#member@employee:bob"]),
        allow("a group that is called everyone", core("*"), &["group:%2A#member@employee:bob"]),
        allow(
            "a folder in code",
            "@id(\"p\") permit(principal, action, resource in Folder::\"50%: all\");",
            &["document:plan#parent@folder:a%3Ab", "folder:a%3Ab#parent@folder:50%25%3A%20all"],
        ),
        deny(
            "a way through a folder that is none",
            "@id(\"p\") permit(principal, action, resource in Folder::\"hr\");",
            &["document:plan#parent@folder:%61", "folder:%61#parent@folder:hr"],
        ),
    ]
}
