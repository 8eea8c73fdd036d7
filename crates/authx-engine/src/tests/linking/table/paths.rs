//! Who is asked of what: managers, folders, tags, literals, sets and choices.

use serde_json::{Value as Json, json};

use super::{ALL, Row, Want, allow, deny, entity, forbid, forbid_unless, permit};

const BOB_EDITS: &str = "document:plan#editor@employee:bob";
const ANN_EDITS: &str = "document:plan#editor@employee:ann";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = attributes();
    rows.extend(choices());
    rows.extend(several());
    rows.extend(strangers());
    rows
}

fn with_context(name: &str, value: Json) -> Json {
    json!({"context": {name: value}})
}

fn attributes() -> Vec<Row> {
    let manager = &permit("principal has manager && principal.manager in resource.rel.viewer");
    let higher =
        "principal has manager && principal.manager has manager && principal.manager.manager in resource.rel.viewer";
    let folder = &permit("resource has folder && principal in resource.folder.rel.viewer");
    let tag = &permit("resource.hasTag(\"reviewer\") && resource.getTag(\"reviewer\") in resource.rel.viewer");
    let beside = &permit("context has beside && principal in context.beside.rel.viewer");
    vec![
        allow("the manager views", manager, &["document:plan#viewer@employee:ann"]),
        deny("the manager does not view", manager, &["document:plan#viewer@employee:bob"]),
        deny("nobody manages", manager, &["document:plan#viewer@employee:*"]).ask(json!({"principal": "User:ann"})),
        deny("the manager's manager is not there", permit(higher), &["document:plan#viewer@employee:*"]),
        allow("the manager's manager views", permit(higher), &["document:plan#viewer@employee:cy"])
            .entity(json!({"uid": "User:ann", "attrs": {"level": 3, "manager": entity("User", "cy")}})),
        allow(
            "the manager views by a group",
            manager,
            &["document:plan#viewer@group:core#member", "group:core#member@employee:ann"],
        ),
        allow("he views the folder of the attribute", folder, &["folder:a#viewer@employee:bob"]).plan_beside("a"),
        allow(
            "he views what the folder of the attribute lies in",
            folder,
            &["folder:a#parent@folder:hr", "folder:hr#viewer@employee:bob"],
        )
        .plan_beside("a"),
        deny("he views another folder", folder, &["document:plan#parent@folder:hr", "folder:hr#viewer@employee:bob"])
            .plan_beside("a"),
        deny("there is no folder", folder, &["document:plan#parent@folder:hr", "folder:hr#viewer@employee:bob"]),
        allow("the reviewer of the tag views", tag, &["document:plan#viewer@employee:cy"]),
        deny("the reviewer of the tag does not view", tag, &["document:plan#viewer@employee:bob"]),
        deny("there is no tag", tag, &["document:other#viewer@employee:*"]).ask(json!({"resource": "Document:other"})),
        allow("he views what the request is beside", beside, &["document:other#viewer@employee:bob"])
            .ask(with_context("beside", entity("Document", "other"))),
        deny("he does not view what the request is beside", beside, &["document:plan#viewer@employee:bob"])
            .ask(with_context("beside", entity("Document", "other"))),
        deny("the request is beside nothing", beside, &["document:plan#viewer@employee:bob"]),
        allow(
            "a literal on both sides",
            permit("User::\"ann\" in Document::\"handbook\".rel.viewer"),
            &["document:handbook#viewer@employee:ann"],
        ),
        deny(
            "a literal on both sides, and he",
            permit("User::\"ann\" in Document::\"handbook\".rel.viewer"),
            &["document:handbook#viewer@employee:bob"],
        ),
        allow(
            "a literal on the right",
            permit("principal in Folder::\"hr\".rel.viewer"),
            &["folder:hr#viewer@employee:bob"],
        ),
        allow(
            "a literal on the left",
            permit("Group::\"core\" in resource.rel.holder"),
            &["document:plan#holder@group:core"],
        ),
    ]
}

fn choices() -> Vec<Row> {
    let any = &permit("principal in [resource.rel.editor, resource.rel.approver]");
    let two = &permit("principal in [resource.rel.viewer, Folder::\"hr\".rel.viewer]");
    let right = &permit("principal in (if resource.public then resource.rel.viewer else resource.rel.editor)");
    let left = &permit("(if resource.public then principal else resource.owner) in resource.rel.editor");
    let inner = &permit("principal in (if resource.public then resource else Document::\"other\").rel.viewer");
    let step = &permit("(if principal.level > 0 then resource else Document::\"other\").owner in resource.rel.editor");
    let nested = &permit(
        "principal in (if resource.public then [resource.rel.viewer] else [resource.rel.editor, resource.rel.approver])",
    );
    let asked = &permit(
        "principal in (if principal in resource.rel.blocked then resource.rel.editor else resource.rel.viewer)",
    );
    let public = json!({"uid": "Document:plan", "attrs": {"owner": entity("User", "ann"), "team": entity("Group", "core"), "public": true}});
    vec![
        allow("a set: the first", any, &[BOB_EDITS]),
        allow("a set: the second", any, &["document:plan#approver@employee:bob"]),
        deny("a set: none", any, &["document:plan#viewer@employee:bob"]),
        allow("a set: another object", two, &["folder:hr#viewer@employee:bob"]),
        deny("a set: another subject", two, &["folder:hr#viewer@employee:ann"]),
        deny("an if on the right: the branch that is not taken", right, &["document:plan#viewer@employee:bob"]),
        allow("an if on the right: the branch that is taken", right, &[BOB_EDITS]),
        allow("an if on the right: the other branch", right, &["document:plan#viewer@employee:bob"])
            .entity(public.clone()),
        allow(
            "an if on the right hides what is untold",
            right,
            &["document:plan#viewer@employee:bob if in_office", BOB_EDITS],
        ),
        allow("an if on the left: the owner edits", left, &[ANN_EDITS]),
        deny("an if on the left: the principal edits", left, &[BOB_EDITS]),
        allow("an if on the left: the principal is asked of", left, &[BOB_EDITS]).entity(public),
        allow("an if in a path", inner, &["document:other#viewer@employee:bob"]),
        deny("an if in a path, the other object", inner, &["document:plan#viewer@employee:bob"]),
        allow("a step from an if", step, &[ANN_EDITS]),
        allow("sets in an if", nested, &["document:plan#approver@employee:bob"]),
        deny("sets in an if, the other set", nested, &["document:plan#viewer@employee:bob"]),
        allow("a fact as the test of another", asked, &["document:plan#viewer@employee:bob"]),
        deny(
            "a fact as the test of another, and it holds",
            asked,
            &["document:plan#viewer@employee:bob", "document:plan#blocked@employee:bob"],
        ),
        deny(
            "a fact as the test of another, untold",
            asked,
            &[BOB_EDITS, "document:plan#blocked@employee:bob if in_office"],
        )
        .errs(&["p"])
        .missing(&["ip"]),
    ]
}

/// Several facts of one policy, and one fact of several policies.
fn several() -> Vec<Row> {
    let both = &permit("resource.owner in resource.rel.editor && principal in resource.rel.editor");
    let crossed = &permit("resource.owner in resource.rel.editor && !(principal in resource.rel.editor)");
    let objects = &permit("principal in Folder::\"hr\".rel.viewer && !(principal in Folder::\"it\".rel.viewer)");
    let relations = &permit("principal in resource.rel.approver && !(principal in resource.rel.blocked)");
    let twice = &format!(
        "{} @id(\"f\") forbid(principal, action == Action::\"read\", resource) when {{ principal in resource.rel.editor && !(context has mfa && context.mfa) }};",
        permit("principal in resource.rel.editor")
    );
    let of_owner = &format!(
        "{} @id(\"f\") forbid(principal, action == Action::\"read\", resource) when {{ resource.owner in resource.rel.editor }};",
        permit("principal in resource.rel.editor")
    );
    vec![
        deny("two subjects: the owner alone", both, &[ANN_EDITS]),
        deny("two subjects: the principal alone", both, &[BOB_EDITS]),
        allow("two subjects: both", both, &[ANN_EDITS, BOB_EDITS]),
        allow("two subjects: one and not the other", crossed, &[ANN_EDITS]),
        deny("two subjects: one and the other", crossed, &[ANN_EDITS, BOB_EDITS]),
        allow("two objects: one and not the other", objects, &["folder:hr#viewer@employee:bob"]),
        allow("two relations: one and not the other", relations, &["document:plan#approver@employee:bob"]),
        deny("one fact in a permit and a forbid", twice, &[BOB_EDITS]),
        allow("one fact in a permit and a forbid that does not match", twice, &[BOB_EDITS])
            .ask(with_context("mfa", json!(true))),
        allow("two subjects in two policies: the principal", of_owner, &[BOB_EDITS]),
        deny("two subjects in two policies: both", of_owner, &[BOB_EDITS, ANN_EDITS]),
        deny(
            "one fact in two permits",
            format!(
                "{} @id(\"q\") permit(principal, action == Action::\"read\", resource) when {{ principal in resource.rel.editor }};",
                permit("principal in resource.rel.editor")
            ),
            &[ANN_EDITS],
        ),
        allow(
            "one subject by two paths",
            permit("principal in resource.rel.editor && resource.owner in resource.rel.editor"),
            &[ANN_EDITS],
        )
        .ask(json!({"principal": "User:ann"})),
    ]
}

/// Types that are not linked, relations that a type lacks, and what is no entity.
fn strangers() -> Vec<Row> {
    let visit = json!({"principal": "Bot:b", "action": "visit"});
    let viewers = |effect: &str, word: &str| {
        format!(
            "@id(\"p\") {effect}(principal, action == Action::\"visit\", resource) {word} {{ principal in resource.rel.viewer }};"
        )
    };
    let everyone = &["document:plan#viewer@employee:*"];
    vec![
        deny("a bot views nothing", viewers("permit", "when"), everyone).ask(visit.clone()),
        allow("a bot is not forbidden", format!("{ALL} {}", viewers("forbid", "when")), everyone).ask(visit.clone()),
        deny("a bot is forbidden unless it views", format!("{ALL} {}", viewers("forbid", "unless")), everyone)
            .ask(visit.clone()),
        allow("a bot does not view", viewers("permit", "unless"), everyone).ask(visit),
        deny("an object of a type that is not linked", permit("principal in Team::\"red\".rel.viewer"), everyone)
            .off()
            .errs(&["p"]),
        deny("a forbid over an object that is not linked", forbid("principal in Team::\"red\".rel.viewer"), &[])
            .off()
            .errs(&["f"]),
        deny("a relation that this type lacks", permit("principal in Folder::\"hr\".rel.editor"), &[])
            .off()
            .errs(&["p"]),
        deny("not a relation that this type lacks", permit("!(principal in Folder::\"hr\".rel.editor)"), &[])
            .off()
            .errs(&["p"]),
        deny(
            "a forbid unless a relation that this type lacks",
            forbid_unless("principal in principal.rel.viewer"),
            &[],
        )
        .off()
        .errs(&["f"]),
        deny("a bot and a relation that this type lacks", permit("!(Bot::\"b\" in Folder::\"hr\".rel.editor)"), &[])
            .off()
            .errs(&["p"]),
        deny("a subject that is no entity", permit("resource.public in resource.rel.viewer"), everyone)
            .off()
            .errs(&["p"]),
        deny("an object that is no entity", permit("principal in resource.public.rel.viewer"), everyone)
            .off()
            .errs(&["p"]),
        deny("a forbid over what is no entity", forbid("resource.public in resource.rel.viewer"), everyone)
            .off()
            .in_cedar(Want::Allow)
            .errs(&["f"]),
        deny("a subject that is the context", forbid("context in resource.rel.viewer"), everyone)
            .off()
            .in_cedar(Want::Allow)
            .errs(&["f"]),
        deny("a tag that is not there", permit("resource.getTag(\"deputy\") in resource.rel.viewer"), everyone)
            .off()
            .errs(&["p"]),
    ]
}
