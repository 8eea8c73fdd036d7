//! Groups and roles: who is in one is told by tuples.

use serde_json::json;

use super::{ALL, Row, allow, deny, entity, permit};

const CORE: &str = "@id(\"p\") permit(principal in Group::\"core\", action, resource);";
const LEAD: &str = "@id(\"p\") permit(principal in Role::\"lead\", action, resource);";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = of_principals();
    rows.extend(of_others());
    rows.extend(of_types_that_are_not_linked());
    rows
}

fn of_principals() -> Vec<Row> {
    let banned = &format!("{ALL} @id(\"f\") forbid(principal in Group::\"core\", action, resource);");
    let sends = |tuple: &str| json!({"tuples": [tuple]});
    vec![
        deny("no member", CORE, &[]),
        allow("a member", CORE, &["group:core#member@employee:bob"]),
        deny("a member at its end", CORE, &["group:core#member@employee:bob until 1000"]),
        allow("a member before its end", CORE, &["group:core#member@employee:bob until 1001"]),
        allow(
            "a member of a group in it",
            CORE,
            &["group:core#member@group:sub#member", "group:sub#member@employee:bob"],
        ),
        deny(
            "a member of a group that was in it",
            CORE,
            &["group:core#member@group:sub#member until 1000", "group:sub#member@employee:bob"],
        ),
        deny(
            "a member of a group that it is in",
            CORE,
            &["group:all#member@group:core#member", "group:all#member@employee:bob"],
        ),
        allow("everyone is a member", CORE, &["group:core#member@employee:*"]),
        allow("everyone is a member, a stranger too", CORE, &["group:core#member@employee:*"])
            .ask(json!({"principal": "User:new"})),
        allow("a member whom nothing else names", CORE, &["group:core#member@employee:new"])
            .ask(json!({"principal": "User:new"})),
        allow("an owner is a member", CORE, &["group:core#owner@employee:bob"]),
        deny("a tuple of another relation", CORE, &["document:core#viewer@employee:bob"]),
        allow(
            "groups in each other have a member",
            CORE,
            &[
                "group:core#member@group:sub#member",
                "group:sub#member@group:core#member",
                "group:sub#member@employee:bob",
            ],
        ),
        deny(
            "groups in each other have no member",
            CORE,
            &["group:core#member@group:sub#member", "group:sub#member@group:core#member"],
        ),
        deny("an assignee that the model does not allow", LEAD, &["role:lead#assignee@employee:*"]),
        allow("a role of a role", LEAD, &["role:lead#assignee@role:boss#assignee", "role:boss#assignee@employee:bob"]),
        deny(
            "a role the other way",
            LEAD,
            &["role:boss#assignee@role:lead#assignee", "role:boss#assignee@employee:bob"],
        ),
        allow(
            "a role through a group through a role",
            LEAD,
            &[
                "role:lead#assignee@group:core#member",
                "group:core#member@role:boss#assignee",
                "role:boss#assignee@employee:bob",
            ],
        ),
        deny(
            "a role through a group through a role that has ended",
            LEAD,
            &[
                "role:lead#assignee@group:core#member",
                "group:core#member@role:boss#assignee",
                "role:boss#assignee@employee:bob until 1000",
            ],
        ),
        allow(
            "a role through everyone in a group",
            LEAD,
            &["role:lead#assignee@group:core#member", "group:core#member@employee:*"],
        ),
        allow("a tuple of the request makes a member", CORE, &[]).ask(sends("group:core#member@employee:bob")),
        allow("a tuple of the request makes a group a part", CORE, &["group:sub#member@employee:bob"])
            .ask(sends("group:core#member@group:sub#member")),
        deny("a tuple of the request stands in for a stored one", CORE, &["group:core#member@employee:bob"])
            .ask(sends("group:core#member@employee:bob until 1000")),
        deny("a forbid over members", banned, &["group:core#member@employee:bob"]),
        deny("a forbid over members by a tuple of the request", banned, &[])
            .ask(sends("group:core#member@employee:bob")),
        allow("a forbid over members of others", banned, &["group:core#member@employee:ann"]),
        allow(
            "one group of several",
            permit("principal in [Group::\"all\", Group::\"core\"]"),
            &["group:core#member@employee:bob"],
        ),
        allow(
            "a member who views",
            permit("principal in Group::\"core\" && principal in resource.rel.viewer"),
            &["group:core#member@employee:bob", "document:plan#viewer@employee:bob"],
        ),
        deny(
            "a viewer who is no member",
            permit("principal in Group::\"core\" && principal in resource.rel.viewer"),
            &["document:plan#viewer@employee:bob"],
        ),
        allow(
            "a member in the scope by type",
            "@id(\"p\") permit(principal is User in Group::\"core\", action, resource);",
            &["group:core#member@employee:bob"],
        ),
        deny("parents that were stored before types were linked", CORE, &[])
            .entity(json!({"uid": "User:bob", "attrs": {"level": 1}, "parents": ["Group:core"]})),
    ]
}

fn of_others() -> Vec<Row> {
    let manager = &permit("principal has manager && principal.manager in Group::\"core\"");
    vec![
        allow("the manager is a member", manager, &["group:core#member@employee:ann"]),
        deny("the manager is none", manager, &["group:core#member@employee:bob"]),
        deny("there is no manager", manager, &["group:core#member@employee:*"]).ask(json!({"principal": "User:ann"})),
        allow("a manager who is not stored is a member", manager, &["group:core#member@employee:cy"])
            .entity(json!({"uid": "User:bob", "attrs": {"level": 1, "manager": entity("User", "cy")}})),
        allow(
            "the owner has a role",
            permit("resource.owner in Role::\"lead\""),
            &["role:lead#assignee@group:core#member", "group:core#member@employee:ann"],
        ),
        allow("the team of the resource is itself", permit("resource.team in Group::\"core\""), &[]),
        deny(
            "a group is in none that its members are in",
            permit("resource.team in Group::\"all\""),
            &["group:all#member@group:core#member"],
        ),
        allow(
            "the principal is in the team of the resource",
            permit("principal in resource.team"),
            &["group:core#member@employee:bob"],
        ),
        deny(
            "the principal is not in the team of the resource",
            permit("principal in resource.team"),
            &["group:all#member@employee:bob"],
        ),
        allow("a literal is a member", permit("User::\"ann\" in Group::\"core\""), &["group:core#member@employee:ann"]),
        allow(
            "the reviewer of the tag is a member",
            permit("resource.hasTag(\"reviewer\") && resource.getTag(\"reviewer\") in Group::\"core\""),
            &["group:core#member@employee:cy"],
        ),
        deny(
            "the reviewer of the tag was a member",
            permit("resource.hasTag(\"reviewer\") && resource.getTag(\"reviewer\") in Group::\"core\""),
            &["group:core#member@employee:cy until 10"],
        ),
        allow(
            "the reviewer of the request is a member by the request",
            permit("context has reviewer && context.reviewer in Group::\"core\""),
            &[],
        )
        .ask(json!({"context": {"reviewer": entity("User", "cy")}, "tuples": ["group:core#member@employee:cy"]})),
    ]
}

/// Teams and bots: their parents are entities' own.
fn of_types_that_are_not_linked() -> Vec<Row> {
    let team = "@id(\"p\") permit(principal in Team::\"red\", action, resource);";
    let in_red = |uid: &str| json!({"uid": uid, "attrs": {"level": 1}, "parents": ["Team:red"]});
    let bot = json!({"uid": "Bot:b", "parents": ["Group:core"]});
    let visit = json!({"principal": "Bot:b", "action": "visit"});
    vec![
        allow("an entity's own parent of a type that is not linked", team, &[]).entity(in_red("User:bob")),
        deny("another's own parent", team, &[]).entity(in_red("User:ann")),
        allow("a sent parent of a type that is not linked", team, &[]).ask(json!({"entities": [in_red("User:bob")]})),
        allow("a bot in a group by its own parent", CORE, &[]).ask(visit.clone()).entity(bot.clone()),
        deny("a bot in no group by tuples", CORE, &["group:core#member@employee:*"]).ask(visit),
    ]
}
