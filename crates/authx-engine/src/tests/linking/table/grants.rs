//! What a relation grants, denies and takes away.

use serde_json::json;

use super::{ALL, Row, allow, deny, forbid, forbid_unless, permit};

pub(super) fn rows() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let readers = &permit("principal in resource.rel.reader");
    let signers = &permit("principal in resource.rel.signer");
    let blocked = &forbid("principal in resource.rel.blocked");
    let unless = &forbid_unless("principal in resource.rel.viewer");
    let holders = &permit("principal in resource.rel.holder");
    vec![
        deny("no tuple", viewers, &[]),
        allow("a tuple", viewers, &["document:plan#viewer@employee:bob"]),
        deny("another subject", viewers, &["document:plan#viewer@employee:ann"]),
        deny("another object", viewers, &["document:other#viewer@employee:bob"]),
        deny("another relation", viewers, &["document:plan#approver@employee:bob"]),
        allow("everyone", viewers, &["document:plan#viewer@employee:*"]),
        allow("everyone, a stranger too", viewers, &["document:plan#viewer@employee:*"])
            .ask(json!({"principal": "User:new"})),
        allow("an editor views", viewers, &["document:plan#editor@employee:bob"]),
        allow("a group views", viewers, &["document:plan#viewer@group:core#member", "group:core#member@employee:bob"]),
        allow(
            "a group in a group views",
            viewers,
            &[
                "document:plan#viewer@group:all#member",
                "group:all#member@group:core#member",
                "group:core#member@employee:bob",
            ],
        ),
        deny(
            "a group that contains his does not view for him",
            viewers,
            &[
                "document:plan#viewer@group:core#member",
                "group:all#member@group:core#member",
                "group:all#member@employee:bob",
            ],
        ),
        allow(
            "a role of a group edits",
            viewers,
            &[
                "document:plan#editor@role:lead#assignee",
                "role:lead#assignee@group:core#member",
                "group:core#member@employee:bob",
            ],
        ),
        allow(
            "the folder's viewer views",
            viewers,
            &["document:plan#parent@folder:hr", "folder:hr#viewer@employee:bob"],
        ),
        allow(
            "a group that views the folder's folder views",
            viewers,
            &[
                "document:plan#parent@folder:a",
                "folder:a#parent@folder:hr",
                "folder:hr#viewer@group:core#member",
                "group:core#member@employee:bob",
            ],
        ),
        deny("a tuple at its end", viewers, &["document:plan#viewer@employee:bob until 1000"]),
        allow("a tuple before its end", viewers, &["document:plan#viewer@employee:bob until 1001"]),
        deny(
            "a group whose member has expired",
            viewers,
            &["document:plan#viewer@group:core#member", "group:core#member@employee:bob until 999"],
        ),
        deny("a tuple that the model does not allow", viewers, &["document:plan#editor@group:core#member"])
            .more(["group:core#member@employee:bob".to_owned()].into_iter()),
        deny("a forbid over a relation", blocked, &["document:plan#blocked@employee:bob"]),
        allow("a forbid over another's relation", blocked, &["document:plan#blocked@employee:ann"]),
        deny("a forbid over everyone", blocked, &["document:plan#blocked@employee:*"]),
        allow("a forbid that has expired", blocked, &["document:plan#blocked@employee:bob until 1000"]),
        allow("a forbid unless a relation, which holds", unless, &["document:plan#viewer@employee:bob"]),
        deny("a forbid unless a relation, which does not hold", unless, &[]),
        deny(
            "a forbid wins over two permits",
            format!("{blocked} {viewers}"),
            &["document:plan#blocked@employee:bob", "document:plan#viewer@employee:bob"],
        ),
        allow("but not: not blocked", readers, &["document:plan#viewer@employee:bob"]),
        deny("but not: blocked", readers, &["document:plan#viewer@employee:bob", "document:plan#blocked@employee:bob"]),
        deny(
            "but not: everyone views and he is blocked",
            readers,
            &["document:plan#viewer@employee:*", "document:plan#blocked@employee:bob"],
        ),
        deny(
            "but not: everyone is blocked",
            readers,
            &["document:plan#viewer@employee:bob", "document:plan#blocked@employee:*"],
        ),
        allow(
            "but not: blocked until now",
            readers,
            &["document:plan#viewer@employee:bob", "document:plan#blocked@employee:bob until 1000"],
        ),
        allow("and: both", signers, &["document:plan#editor@employee:bob", "document:plan#approver@employee:bob"]),
        deny("and: the first", signers, &["document:plan#editor@employee:bob"]),
        deny("and: the second", signers, &["document:plan#approver@employee:bob"]),
        deny(
            "and: each for another",
            signers,
            &["document:plan#editor@employee:bob", "document:plan#approver@employee:ann"],
        ),
        allow("not blocked", permit("!(principal in resource.rel.blocked)"), &[]),
        deny(
            "not blocked, but he is",
            permit("!(principal in resource.rel.blocked)"),
            &["document:plan#blocked@employee:bob"],
        ),
        deny(
            "a permit unless blocked",
            "@id(\"p\") permit(principal, action == Action::\"read\", resource) unless { principal in resource.rel.blocked };",
            &["document:plan#blocked@employee:bob"],
        ),
        // What a group has as an object is not what its members have.
        deny(
            "a group holds, its member does not",
            holders,
            &["document:plan#holder@group:core", "group:core#member@employee:bob"],
        ),
        allow(
            "a group holds",
            permit("resource.team in resource.rel.holder"),
            &["document:plan#holder@group:core", "group:core#member@employee:bob"],
        ),
        deny(
            "a folder holds, one in it does not",
            permit("resource has folder && resource.folder in resource.rel.holder"),
            &["document:plan#holder@folder:hr", "folder:a#parent@folder:hr"],
        )
        .plan_beside("a"),
        allow(
            "the folder of the attribute holds",
            permit("resource has folder && resource.folder in resource.rel.holder"),
            &["document:plan#holder@folder:a"],
        )
        .plan_beside("a"),
        allow("a permit without conditions", ALL, &[]),
    ]
}
