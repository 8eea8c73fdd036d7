//! What a request brings: tuples and entities, laid over what is stored; and what it asks that a schema lacks.

use serde_json::{Value as Json, json};

use super::{ALL, Row, allow, deny, entity, forbid, permit};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = tuples();
    rows.extend(entities());
    rows.extend(validation());
    rows
}

fn tuples() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let readers = &permit("principal in resource.rel.reader");
    let sends = |tuples: &[&str]| json!({"tuples": tuples});
    vec![
        allow("a sent tuple grants", viewers, &[]).ask(sends(&["document:plan#viewer@employee:bob"])),
        deny("a sent tuple of another", viewers, &[]).ask(sends(&["document:plan#viewer@employee:ann"])),
        allow("a sent tuple completes a way", viewers, &["document:plan#viewer@group:core#member"])
            .ask(sends(&["group:core#member@employee:bob"])),
        allow("two sent tuples are a way", viewers, &[])
            .ask(sends(&["document:plan#parent@folder:hr", "folder:hr#viewer@employee:bob"])),
        deny("a sent tuple takes away", readers, &["document:plan#viewer@employee:bob"])
            .ask(sends(&["document:plan#blocked@employee:bob"])),
        deny("a sent tuple forbids", forbid("principal in resource.rel.blocked"), &[])
            .ask(sends(&["document:plan#blocked@employee:*"])),
        allow(
            "a sent tuple stands in for one with a condition",
            viewers,
            &["document:plan#viewer@employee:bob if in_office"],
        )
        .ask(sends(&["document:plan#viewer@employee:bob"])),
        deny(
            "a sent tuple with a condition stands in for one without",
            viewers,
            &["document:plan#viewer@employee:bob"],
        )
        .ask(sends(&["document:plan#viewer@employee:bob if in_office"]))
        .errs(&["p"])
        .missing(&["ip"]),
        deny("a sent tuple has ended", viewers, &[]).ask(sends(&["document:plan#viewer@employee:bob until 1000"])),
        allow("a sent tuple with parameters", viewers, &[])
            .ask(json!({"tuples": ["document:plan#viewer@employee:bob if in_net with {\"net\":\"10.0.0.0/8\"}"],
                "context": {"ip": "10.9.9.9"}})),
    ]
}

fn entities() -> Vec<Row> {
    let manager = &permit("principal has manager && principal.manager in resource.rel.viewer");
    let folder = &permit("resource has folder && principal in resource.folder.rel.viewer");
    let owner = &permit("resource.owner in resource.rel.viewer");
    let tag = &permit("resource.hasTag(\"reviewer\") && resource.getTag(\"reviewer\") in resource.rel.viewer");
    let given = |uid: &str, by: &str| json!({"uid": uid, "attrs": {"manager": entity("User", by)}});
    let of_cy = json!({"uid": "Document:plan", "attrs": {"owner": entity("User", "cy")}});
    let in_folder = json!({"uid": "Document:plan", "attrs": {"folder": entity("Folder", "a")}});
    let tagged = json!({"uid": "Document:plan", "tags": {"reviewer": entity("User", "bob")}});
    let teamed = json!({"uid": "User:bob", "parents": ["Team:red"]});
    let red = "@id(\"p\") permit(principal in Team::\"red\", action, resource);";
    let sends = |entity: Json| json!({"entities": [entity]});
    let (cy, ann) = (&["document:plan#viewer@employee:cy"], &["document:plan#viewer@employee:ann"]);
    let view_a = &["folder:a#viewer@employee:bob"];
    vec![
        allow("another manager is sent", manager, cy).ask(sends(given("User:bob", "cy"))),
        deny("another manager is sent, the stored one views", manager, ann).ask(sends(given("User:bob", "cy"))),
        deny("another manager is sent and ignored", manager, cy).ask(sends(given("User:bob", "cy"))).ignoring(),
        allow("another manager is sent and ignored, the stored one views", manager, ann)
            .ask(sends(given("User:bob", "cy")))
            .ignoring(),
        allow("a manager is sent where none is stored", manager, cy)
            .ask(json!({"principal": "User:ann", "entities": [given("User:ann", "cy")]}))
            .ignoring(),
        allow("a manager is sent for one who is not stored", manager, ann)
            .ask(json!({"principal": "User:new", "entities": [given("User:new", "ann")]})),
        allow("another owner is sent", owner, cy).ask(sends(of_cy.clone())),
        deny("another owner is sent and ignored", owner, cy).ask(sends(of_cy)).ignoring(),
        allow("a folder is sent", folder, view_a).ask(sends(in_folder.clone())),
        deny("no folder is sent", folder, view_a),
        allow("a folder is sent where none is stored", folder, view_a).ask(sends(in_folder)).ignoring(),
        allow("another tag is sent", tag, &["document:plan#viewer@employee:bob"]).ask(sends(tagged.clone())),
        deny("another tag is sent and ignored", tag, &["document:plan#viewer@employee:bob"])
            .ask(sends(tagged))
            .ignoring(),
        deny("a null is no attribute", permit("principal in resource.rel.viewer && resource has folder"), view_a)
            .ask(sends(json!({"uid": "Document:plan", "attrs": {"folder": null}}))),
        allow("a parent is sent", red, &[]).ask(sends(teamed.clone())),
        deny("a parent is sent and ignored", red, &[]).ask(sends(teamed)).ignoring(),
    ]
}

fn validation() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let everyone = &["document:ghost#viewer@employee:*"];
    vec![
        allow("principal and resource that tuples alone name", viewers, &["document:ghost#viewer@employee:new"])
            .ask(json!({"principal": "User:new", "resource": "Document:ghost"})),
        allow("principal and resource that nothing names", permit("!(principal in resource.rel.viewer)"), &[])
            .ask(json!({"principal": "User:new", "resource": "Document:ghost"})),
        deny(
            "an attribute of what tuples alone name",
            permit("principal in resource.rel.viewer && resource.public"),
            everyone,
        )
        .ask(json!({"resource": "Document:ghost"}))
        .errs(&["p"]),
        deny("strict: a principal that the action is not for", ALL, &[]).ask(json!({"principal": "Bot:b"})).strict(),
        allow("off: a principal that the action is not for", ALL, &[]).ask(json!({"principal": "Bot:b"})).off(),
        deny("strict: an action that the schema lacks", ALL, &[]).ask(json!({"action": "print"})).strict(),
        allow("off: an action that the schema lacks", ALL, &[]).ask(json!({"action": "print"})).off(),
        deny("strict: a resource that the action is not for", ALL, &[]).ask(json!({"resource": "Folder:hr"})).strict(),
        allow("off: a resource that the action is not for", viewers, &["folder:hr#viewer@employee:bob"])
            .ask(json!({"resource": "Folder:hr"}))
            .off(),
        deny("strict: a type that the schema lacks", ALL, &[]).ask(json!({"resource": "Page:x"})).strict(),
        deny("off: a relation of a type that the schema lacks", viewers, &[])
            .ask(json!({"resource": "Page:x"}))
            .off()
            .errs(&["p"]),
        // The condition reads the request's context as it was sent, Cedar what the schema declares.
        allow(
            "strict: a parameter that the schema does not declare",
            viewers,
            &["document:plan#viewer@employee:bob if in_office"],
        )
        .ask(json!({"context": {"ip": "10.0.0.1"}}))
        .strict(),
        allow(
            "off: a policy reads the parameter too",
            permit("principal in resource.rel.viewer && context has ip"),
            &["document:plan#viewer@employee:bob if in_office"],
        )
        .ask(json!({"context": {"ip": "10.0.0.1"}}))
        .off(),
    ]
}
