//! Folders: what lies in one is told by tuples.

use serde_json::json;

use super::{ALL, Row, allow, deny, permit, refused};

const HR: &str = "@id(\"p\") permit(principal, action, resource in Folder::\"hr\");";

pub(super) fn rows() -> Vec<Row> {
    let office = "document:plan#parent@folder:hr if in_office";
    let secret = &format!("{ALL} @id(\"f\") forbid(principal, action, resource in Folder::\"hr\");");
    let beside = &permit("resource has folder && resource.folder in Folder::\"hr\"");
    let chain = &["document:plan#parent@folder:a", "folder:a#parent@folder:b", "folder:b#parent@folder:hr"];
    let sends = |tuple: &str| json!({"tuples": [tuple]});
    vec![
        deny("in no folder", HR, &[]),
        allow("in a folder", HR, &["document:plan#parent@folder:hr"]),
        allow("in a folder in a folder", HR, &["document:plan#parent@folder:a", "folder:a#parent@folder:hr"]),
        allow("in folders four deep", HR, chain),
        deny("a folder the other way", HR, &["document:plan#parent@folder:a", "folder:hr#parent@folder:a"]),
        allow("in two folders", HR, &["document:plan#parent@folder:a", "document:plan#parent@folder:hr"]),
        deny("in a folder until now", HR, &["document:plan#parent@folder:hr until 1000"]),
        allow("in a folder a little longer", HR, &["document:plan#parent@folder:hr until 1001"]),
        deny(
            "in a folder that was in one",
            HR,
            &["document:plan#parent@folder:a", "folder:a#parent@folder:hr until 9"],
        ),
        allow("a tuple of the request puts it into a folder", HR, &[]).ask(sends("document:plan#parent@folder:hr")),
        allow("a tuple of the request puts its folder into one", HR, &["document:plan#parent@folder:a"])
            .ask(sends("folder:a#parent@folder:hr")),
        deny("a tuple of the request takes it out", HR, &["document:plan#parent@folder:hr"])
            .ask(sends("document:plan#parent@folder:hr until 3")),
        allow("a document that tuples alone name", HR, &["document:ghost#parent@folder:hr"])
            .ask(json!({"resource": "Document:ghost"})),
        allow("a folder itself", HR, &[]).ask(json!({"action": "visit", "resource": "Folder:hr"})),
        allow("a folder in a folder", HR, &["folder:a#parent@folder:hr"])
            .ask(json!({"action": "visit", "resource": "Folder:a"})),
        allow(
            "folders in each other",
            HR,
            &["document:plan#parent@folder:a", "folder:a#parent@folder:hr", "folder:hr#parent@folder:a"],
        ),
        deny(
            "folders in each other, and none of them",
            HR,
            &["document:plan#parent@folder:a", "folder:a#parent@folder:b", "folder:b#parent@folder:a"],
        ),
        deny("folders that were stored as parents", HR, &[]).entity(json!({
            "uid": "Document:plan", "attrs": {"public": true}, "parents": ["Folder:hr"],
        })),
        deny("a forbid over a folder", secret, chain),
        deny("a forbid over a folder by a tuple of the request", secret, &[])
            .ask(sends("document:plan#parent@folder:hr")),
        allow("a forbid over another folder", secret, &["document:plan#parent@folder:a"]),
        allow(
            "in the scope by type",
            "@id(\"p\") permit(principal, action, resource is Document in Folder::\"hr\");",
            &["document:plan#parent@folder:hr"],
        ),
        allow(
            "a role for a folder",
            "@id(\"p\") permit(principal in Role::\"lead\", action, resource in Folder::\"hr\");",
            &["document:plan#parent@folder:hr", "role:lead#assignee@employee:bob"],
        ),
        deny(
            "a role for another folder",
            "@id(\"p\") permit(principal in Role::\"lead\", action, resource in Folder::\"hr\");",
            &["document:plan#parent@folder:a", "role:lead#assignee@employee:bob"],
        ),
        allow("one folder of several", permit("resource in [Folder::\"it\", Folder::\"hr\"]"), chain),
        allow(
            "a literal in a folder",
            permit("Document::\"handbook\" in Folder::\"hr\""),
            &["document:handbook#parent@folder:hr"],
        ),
        allow("the folder of the attribute is in one", beside, &["folder:a#parent@folder:hr"]).plan_beside("a"),
        deny("the folder of the attribute is not where it lies", beside, &["document:plan#parent@folder:hr"])
            .plan_beside("a"),
        deny("no folder is its attribute", beside, &["document:plan#parent@folder:hr"]),
        // What lies where decides which policies count: nothing is said while that cannot be told.
        refused("in a folder that cannot be told", HR, &[office]),
        refused("in a folder that cannot be told, and nobody asks", ALL, &[office]),
        allow("in a folder by a condition", HR, &[office]).ask(json!({"context": {"ip": "10.0.0.1"}})),
        deny("in a folder but for a condition", HR, &[office]).ask(json!({"context": {"ip": "11.0.0.1"}})),
        refused(
            "a literal that cannot be told",
            permit("Document::\"handbook\" in Folder::\"hr\""),
            &["document:handbook#parent@folder:hr if in_office"],
        ),
        allow(
            "another document that cannot be told",
            HR,
            &["document:plan#parent@folder:hr", "document:handbook#parent@folder:hr if in_office"],
        ),
    ]
}
