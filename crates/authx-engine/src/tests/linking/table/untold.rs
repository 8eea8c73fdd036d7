//! Conditions of tuples: what holds, what does not, and what cannot be told.

use serde_json::json;

use super::{ALL, Row, Want, allow, deny, entity, forbid, forbid_unless, permit};

const OFFICE: &str = "document:plan#viewer@employee:bob if in_office";
const APPROVES: &str = "document:plan#approver@employee:bob if in_office";
const BLOCKS: &str = "document:plan#blocked@employee:bob if in_office";
const EDITS: &str = "document:plan#editor@employee:bob";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = conditions();
    rows.extend(operators());
    rows.extend(policies());
    rows.extend(short_circuits());
    rows
}

fn conditions() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let inside = json!({"context": {"ip": "10.1.2.3"}});
    let outside = json!({"context": {"ip": "11.1.2.3"}});
    let net = &["document:plan#viewer@employee:bob if in_net with {\"net\":\"10.1.0.0/16\"}"];
    let fair = |whole: i64, parts: i64| json!({"context": {"whole": whole, "parts": parts}});
    vec![
        deny("no parameter", viewers, &[OFFICE]).errs(&["p"]).missing(&["ip"]),
        allow("a condition that holds", viewers, &[OFFICE]).ask(inside.clone()),
        deny("a condition that does not hold", viewers, &[OFFICE]).ask(outside.clone()),
        deny("a condition that holds, too late", viewers, &["document:plan#viewer@employee:bob until 5 if in_office"])
            .ask(inside.clone()),
        allow("parameters of tuple and request", viewers, net).ask(inside.clone()),
        deny("parameters of tuple and request, another net", viewers, net).ask(json!({"context": {"ip": "10.2.0.1"}})),
        deny("the tuple's parameter counts", viewers, net)
            .ask(json!({"context": {"ip": "10.2.0.1", "net": "10.2.0.0/16"}})),
        deny("the request's parameter is missing, the tuple's is not", viewers, net).errs(&["p"]).missing(&["ip"]),
        deny("both parameters are missing", viewers, &["document:plan#viewer@employee:bob if in_net"])
            .errs(&["p"])
            .missing(&["ip", "net"]),
        allow(
            "all parameters are the tuple's",
            viewers,
            &["document:plan#viewer@employee:bob if in_net with {\"net\":\"10.1.0.0/16\",\"ip\":\"10.1.0.1\"}"],
        ),
        allow("a computed condition", viewers, &["document:plan#viewer@employee:bob if fair"]).ask(fair(9, 3)),
        deny("a computed condition that does not hold", viewers, &["document:plan#viewer@employee:bob if fair"])
            .ask(fair(3, 9)),
        deny("a condition that fails", viewers, &["document:plan#viewer@employee:bob if fair"])
            .ask(fair(9, 0))
            .errs(&["p"]),
        deny("a parameter that is no address", viewers, &[OFFICE])
            .ask(json!({"context": {"ip": "somewhere"}}))
            .errs(&["p"]),
        allow("a way beside the one that cannot be told", viewers, &[OFFICE, EDITS]),
        allow("everyone views, whatever his own tuple says", viewers, &[OFFICE, "document:plan#viewer@employee:*"]),
        deny("a condition of another's tuple", viewers, &["document:plan#viewer@employee:ann if in_office"]),
        deny(
            "a folder that cannot be told does not hide that nobody views it",
            viewers,
            &["document:plan#viewer@group:core#member", "group:core#member@employee:ann"],
        ),
    ]
}

fn operators() -> Vec<Row> {
    let readers = &permit("principal in resource.rel.reader");
    let signers = &permit("principal in resource.rel.signer");
    let views = "document:plan#viewer@employee:bob";
    vec![
        deny("and: neither, one untold", signers, &[APPROVES]),
        deny("and: one, the other untold", signers, &[APPROVES, EDITS]).errs(&["p"]).missing(&["ip"]),
        allow("and: one, the other told", signers, &[APPROVES, EDITS]).ask(json!({"context": {"ip": "10.0.0.1"}})),
        deny("but not: views, blocked untold", readers, &[views, BLOCKS]).errs(&["p"]).missing(&["ip"]),
        allow("but not: views, blocked told", readers, &[views, BLOCKS]).ask(json!({"context": {"ip": "11.0.0.1"}})),
        deny("but not: does not view, blocked untold", readers, &[BLOCKS]),
        deny("but not: views untold, blocked", readers, &[OFFICE, "document:plan#blocked@employee:*"]),
        deny("but not: views untold, not blocked", readers, &[OFFICE]).errs(&["p"]).missing(&["ip"]),
        deny("but not: both untold", readers, &[OFFICE, BLOCKS]).errs(&["p"]).missing(&["ip"]),
    ]
}

fn policies() -> Vec<Row> {
    let forbids = &forbid("principal in resource.rel.viewer");
    let unless = &forbid_unless("principal in resource.rel.viewer");
    let level = "principal has manager && principal.manager.level > 3";
    vec![
        deny("a forbid over what is untold", forbids, &[OFFICE]).errs(&["f"]).missing(&["ip"]),
        allow("a forbid over what does not hold", forbids, &[OFFICE]).ask(json!({"context": {"ip": "11.1.1.1"}})),
        deny("a forbid over what holds", forbids, &[OFFICE]).ask(json!({"context": {"ip": "10.1.1.1"}})),
        deny("a forbid unless what is untold", unless, &[OFFICE]).errs(&["f"]).missing(&["ip"]),
        allow("a forbid unless what holds", unless, &[OFFICE]).ask(json!({"context": {"ip": "10.1.1.1"}})),
        deny("a forbid unless what does not hold", unless, &[OFFICE]).ask(json!({"context": {"ip": "11.1.1.1"}})),
        deny("a forbid over the opposite of what is untold", forbid("!(principal in resource.rel.viewer)"), &[OFFICE])
            .errs(&["f"])
            .missing(&["ip"]),
        deny("not what is untold", permit("!(principal in resource.rel.blocked)"), &[BLOCKS])
            .errs(&["p"])
            .missing(&["ip"]),
        deny(
            "a permit unless what is untold",
            "@id(\"p\") permit(principal, action == Action::\"read\", resource) unless { principal in resource.rel.blocked };",
            &[BLOCKS],
        )
        .errs(&["p"])
        .missing(&["ip"]),
        allow(
            "another permit beside what is untold",
            format!("{ALL} {}", permit("principal in resource.rel.viewer")),
            &[OFFICE],
        )
        .errs(&["p"])
        .missing(&["ip"]),
        deny(
            "the same untold fact in two policies",
            format!("{forbids} {}", permit("principal in resource.rel.viewer")),
            &[OFFICE],
        )
        .errs(&["f", "p"])
        .missing(&["ip"]),
        allow("a forbid that is not for this action", forbids, &[OFFICE]).ask(json!({"action": "write"})),
        deny(
            "a set errs with one member",
            permit("principal in [resource.rel.approver, resource.rel.editor]"),
            &[APPROVES, EDITS],
        )
        .errs(&["p"])
        .missing(&["ip"]),
        // What Cedar itself cannot evaluate is Cedar's to skip, where the store says so.
        deny("a forbid that errs without a fact", forbid("principal.manager.level > 3"), &[])
            .ask(json!({"principal": "User:ann"}))
            .off()
            .in_cedar(Want::Allow)
            .errs(&["f"]),
        allow("a forbid that asks before it reads", forbid(level), &[]).ask(json!({"principal": "User:ann"})),
        deny("a forbid whose subject is not there", forbid("context.reviewer in resource.rel.viewer"), &[OFFICE])
            .off()
            .in_cedar(Want::Allow)
            .errs(&["f"]),
        deny(
            "a forbid whose subject is not there, and whose test is untold",
            forbid("context.reviewer in (if principal in resource.rel.viewer then resource.rel.editor else resource.rel.approver)"),
            &[OFFICE],
        )
        .off()
        .in_cedar(Want::Allow)
        .errs(&["f"])
        .missing(&["ip"]),
    ]
}

fn short_circuits() -> Vec<Row> {
    let by = |id: &str| json!({"context": {"reviewer": entity("User", id)}});
    let reviewer = "context has reviewer && context.reviewer in resource.rel.approver";
    vec![
        allow("|| hides what is untold", permit("principal.level > 0 || principal in resource.rel.viewer"), &[OFFICE])
            .missing(&["ip"]),
        deny("|| reaches what is untold", permit("principal.level > 5 || principal in resource.rel.viewer"), &[OFFICE])
            .errs(&["p"])
            .missing(&["ip"]),
        deny("|| does not mend what is untold", permit("principal in resource.rel.viewer || principal.level > 0"), &[
            OFFICE,
        ])
        .errs(&["p"])
        .missing(&["ip"]),
        deny("&& hides what is untold", permit("resource.public && principal in resource.rel.viewer"), &[OFFICE])
            .missing(&["ip"]),
        allow("&& hides what is untold from a forbid", forbid("resource.public && principal in resource.rel.viewer"), &[
            OFFICE,
        ])
        .missing(&["ip"]),
        allow(
            "if hides what is untold",
            permit("if resource.public then principal in resource.rel.viewer else principal in resource.rel.editor"),
            &[APPROVES, EDITS],
        ),
        deny("has hides a subject that is not there", permit(reviewer), &[APPROVES]),
        deny("has lets a subject pass that cannot be told", permit(reviewer), &[APPROVES])
            .ask(by("bob"))
            .errs(&["p"])
            .missing(&["ip"]),
        deny("has lets a subject pass that does not approve", permit(reviewer), &[APPROVES]).ask(by("ann")),
        allow("a forbid over a reviewer who is not there", forbid(reviewer), &[APPROVES]),
        deny("a forbid over a reviewer who is untold", forbid(reviewer), &[APPROVES])
            .ask(by("bob"))
            .errs(&["f"])
            .missing(&["ip"]),
        allow(
            "one subject is untold, the other not",
            permit("principal in resource.rel.editor || (context has reviewer && context.reviewer in resource.rel.approver)"),
            &["document:plan#approver@employee:cy if in_office", EDITS],
        )
        .ask(by("cy"))
        .missing(&["ip"]),
        deny(
            "the untold subject first",
            permit("(context has reviewer && context.reviewer in resource.rel.approver) || principal in resource.rel.editor"),
            &["document:plan#approver@employee:cy if in_office", EDITS],
        )
        .ask(by("cy"))
        .errs(&["p"])
        .missing(&["ip"]),
    ]
}
