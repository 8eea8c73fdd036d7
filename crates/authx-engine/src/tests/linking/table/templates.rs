//! Templates: facts in their conditions, and slots that tuples fill.

use serde_json::json;

use super::{ALL, Row, allow, deny};

const SHARED: &str = "@id(\"t\") permit(principal == ?principal, action, resource == ?resource) when { principal in resource.rel.viewer };";
const GROUP: &str = "@id(\"t\") permit(principal in ?principal, action, resource);";
const FOLDER: &str = "@id(\"t\") permit(principal, action, resource in ?resource);";
const BOB_VIEWS: &str = "document:plan#viewer@employee:bob";

pub(super) fn rows() -> Vec<Row> {
    let forbids = &format!(
        "{ALL} @id(\"t\") forbid(principal, action, resource in ?resource) unless {{ principal in resource.rel.viewer }};"
    );
    let both = "@id(\"t\") permit(principal in ?principal, action, resource in ?resource) when { principal in resource.rel.viewer };";
    let twice = "@id(\"t\") permit(principal in ?principal, action == Action::\"read\", resource) when { principal in resource.rel.viewer && resource.owner in resource.rel.editor };";
    vec![
        deny("a template without links", SHARED, &[BOB_VIEWS]),
        allow("a link and a relation", SHARED, &[BOB_VIEWS]).link("l", "t", "User:bob", "Document:plan"),
        deny("a link without the relation", SHARED, &[]).link("l", "t", "User:bob", "Document:plan"),
        deny("a link for another", SHARED, &["document:plan#viewer@employee:*"]).link(
            "l",
            "t",
            "User:ann",
            "Document:plan",
        ),
        deny("a link to another", SHARED, &[BOB_VIEWS]).link("l", "t", "User:bob", "Document:other"),
        allow("one link of two", SHARED, &[BOB_VIEWS]).link("k", "t", "User:ann", "Document:plan").link(
            "l",
            "t",
            "User:bob",
            "Document:plan",
        ),
        deny("a link whose relation is untold", SHARED, &["document:plan#viewer@employee:bob if in_office"])
            .link("l", "t", "User:bob", "Document:plan")
            .errs(&["l"])
            .missing(&["ip"]),
        allow("a link for a group", GROUP, &["group:core#member@employee:bob"]).link("l", "t", "Group:core", ""),
        allow(
            "a link for a role through a group",
            GROUP,
            &["role:lead#assignee@group:core#member", "group:core#member@employee:bob"],
        )
        .link("l", "t", "Role:lead", ""),
        deny("a link for a group that he has left", GROUP, &["group:core#member@employee:bob until 7"]).link(
            "l",
            "t",
            "Group:core",
            "",
        ),
        allow("a link for a group by a sent tuple", GROUP, &[])
            .ask(json!({"tuples": ["group:core#member@employee:bob"]}))
            .link("l", "t", "Group:core", ""),
        allow("a link for a folder", FOLDER, &["document:plan#parent@folder:a", "folder:a#parent@folder:hr"]).link(
            "l",
            "t",
            "",
            "Folder:hr",
        ),
        deny("a link for another folder", FOLDER, &["document:plan#parent@folder:a"]).link("l", "t", "", "Folder:hr"),
        allow(
            "a link for a group, a folder and a relation",
            both,
            &["group:core#member@employee:bob", "document:plan#parent@folder:hr", "folder:hr#viewer@group:core#member"],
        )
        .link("l", "t", "Group:core", "Folder:hr"),
        deny(
            "a link for a group and a folder without the relation",
            both,
            &["group:core#member@employee:bob", "document:plan#parent@folder:hr"],
        )
        .link("l", "t", "Group:core", "Folder:hr"),
        deny("a link that forbids", forbids, &["document:plan#parent@folder:hr"]).link("l", "t", "", "Folder:hr"),
        allow("a link that forbids unless he views", forbids, &["document:plan#parent@folder:hr", BOB_VIEWS]).link(
            "l",
            "t",
            "",
            "Folder:hr",
        ),
        deny(
            "links that forbid and are untold",
            forbids,
            &["document:plan#parent@folder:hr", "document:plan#viewer@employee:bob if in_office"],
        )
        .link("k", "t", "", "Folder:it")
        .link("l", "t", "", "Folder:hr")
        .link("m", "t", "", "Document:plan")
        .errs(&["l", "m"])
        .missing(&["ip"]),
        deny("two facts of a link: one", twice, &["group:core#member@employee:bob", BOB_VIEWS]).link(
            "l",
            "t",
            "Group:core",
            "",
        ),
        allow(
            "two facts of a link: both",
            twice,
            &["group:core#member@employee:bob", BOB_VIEWS, "document:plan#editor@employee:ann"],
        )
        .link("l", "t", "Group:core", ""),
    ]
}
