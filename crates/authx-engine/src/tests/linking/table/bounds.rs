//! Bounds: a fact beyond one cannot be told, and a request whose principal or resource is in too much has no answer.

use super::{ALL, Row, allow, deny, forbid, forbid_unless, permit, refused};
use crate::Limits;
use crate::relation::GraphLimits;

/// The plan in folder 1, in folder 2, up to the last.
fn folders(last: usize) -> impl Iterator<Item = String> {
    let first = ["document:plan#parent@folder:f1".to_owned()];
    first.into_iter().chain((1..last).map(|at| format!("folder:f{at}#parent@folder:f{}", at + 1)))
}

/// Group 1 contains group 2, and so on to the last.
fn groups(last: usize) -> impl Iterator<Item = String> {
    (1..last).map(|at| format!("group:g{at}#member@group:g{}#member", at + 1))
}

fn views(folder: usize) -> [String; 1] {
    [format!("folder:f{folder}#viewer@employee:bob")]
}

fn depth(depth: u32) -> Limits {
    Limits { graph: GraphLimits { depth, ..GraphLimits::default() }, ..Limits::default() }
}

fn steps(steps: u64) -> Limits {
    Limits { graph: GraphLimits { steps, ..GraphLimits::default() }, ..Limits::default() }
}

fn ancestors(ancestors: usize) -> Limits {
    Limits { ancestors, ..Limits::default() }
}

pub(super) fn rows() -> Vec<Row> {
    let viewers = &permit("principal in resource.rel.viewer");
    let top = &permit("resource in Folder::\"f30\"");
    let core = "@id(\"p\") permit(principal in Group::\"g1\", action, resource);";
    let edits = ["document:plan#editor@employee:bob".to_owned()];
    let memberships = |n: usize| (0..n).map(|at| format!("group:g{at}#member@employee:bob"));
    let parents = |n: usize| (0..n).map(|at| format!("document:plan#parent@folder:f{at}"));
    let wide = ["document:plan#viewer@group:g1#member"];
    vec![
        allow("as far as a fact goes", viewers, &[]).more(folders(24).chain(views(24))),
        deny("further than a fact goes", viewers, &[]).more(folders(25).chain(views(25))).errs(&["p"]),
        deny("further than a fact goes, whoever views", viewers, &[]).more(folders(30)).errs(&["p"]),
        allow("far away, and near by", viewers, &[]).more(folders(30).chain(edits.clone())),
        allow(
            "further than a fact goes, and || hides it",
            permit("principal.level > 0 || principal in resource.rel.viewer"),
            &[],
        )
        .more(folders(30)),
        deny("a forbid further than a fact goes", forbid("principal in resource.rel.viewer"), &[])
            .more(folders(30))
            .errs(&["f"]),
        deny("a forbid unless what is too far", forbid_unless("principal in resource.rel.viewer"), &[])
            .more(folders(30).chain(views(30)))
            .errs(&["f"]),
        allow("containment goes on", top, &[]).more(folders(30)),
        deny("containment goes on, and ends", top, &[]).more(folders(29)),
        allow("a low bound: near enough", viewers, &[]).more(folders(2).chain(views(1))).limits(depth(2)),
        deny("a low bound: too far", viewers, &[]).more(folders(2).chain(views(2))).limits(depth(2)).errs(&["p"]),
        allow("a low bound: membership goes on", core, &[])
            .more(groups(9).chain(["group:g9#member@employee:bob".to_owned()]))
            .limits(depth(2)),
        deny("a fact that takes too much work", viewers, &wide).more(groups(60)).limits(steps(50)).errs(&["p"]),
        deny("a forbid that takes too much work", forbid("principal in resource.rel.viewer"), &wide)
            .more(groups(60))
            .limits(steps(50))
            .errs(&["f"]),
        allow("too much work that nobody asks for", permit("principal in resource.rel.editor"), &[])
            .more(groups(60).chain(edits))
            .limits(steps(50)),
        refused("membership that takes too much work", core, &[]).more(memberships(60)).limits(steps(50)),
        refused("membership that takes too much work, and nobody asks", ALL, &[])
            .more(memberships(60))
            .limits(steps(50)),
        refused("membership that takes too much work, and everyone may", format!("{ALL} {core}"), &[])
            .more(memberships(60))
            .limits(steps(50)),
        allow("membership that takes little work", core, &[]).more(memberships(3)).limits(steps(50)),
        refused("containment that takes too much work", top, &[]).more(parents(60)).limits(steps(50)),
        allow("containment that takes enough work", top, &[]).more(parents(60)).limits(steps(500)),
        refused("in too many groups", core, &[]).more(memberships(5)).limits(ancestors(4)),
        allow("in as many groups as may be", core, &[]).more(memberships(4)).limits(ancestors(4)),
        refused("in too many folders", ALL, &[]).more(folders(5)).limits(ancestors(4)),
        allow("in as many folders as may be", ALL, &[]).more(folders(4)).limits(ancestors(4)),
    ]
}
