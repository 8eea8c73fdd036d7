//! Branches that have no answer: a cycle, a condition that fails, a bound. None of them ever becomes an allow.

use super::asked::{Allow, Answer, Bounded, Deny, Store, Undetermined, agree, check};
use crate::relation::GraphLimits;

/// For `a` that holds, `none` that does not, and `x` that has no answer: what `x` decides, and what it does not.
const BRANCHES: &str = "
    group banned: [user]
    group member: [user, group#member] but not banned
    document a: [user]
    document none: [user]
    document x: [user with c, group#member]
    document both: a and x
    document both_turned: x and a
    document minus: a but not x
    document minus_turned: x but not none
    document either_none: none or x
    document either_none_turned: x or none
    document nested: a but not (a but not x)
    document deep: a and (a or none) and (none or (a and x))
    document either: a or x
    document either_turned: x or a
    document neither: none and x
    document neither_turned: x and none
    document nothing: none but not x
    document taken: x but not a
    condition c(ok: bool) { ok }";

fn branch(tuples: &[String], hanging: Answer) {
    let tuples: Vec<String> = tuples.iter().cloned().chain(["document:1#a@user:ann".into()]).collect();
    for relation in
        ["both", "both_turned", "minus", "minus_turned", "either_none", "either_none_turned", "nested", "deep", "x"]
    {
        check(BRANCHES, &tuples, &format!("user:ann {relation} document:1"), hanging);
    }
    for (relation, answer) in [
        ("either", Allow),
        ("either_turned", Allow),
        ("neither", Deny),
        ("neither_turned", Deny),
        ("nothing", Deny),
        ("taken", Deny),
    ] {
        check(BRANCHES, &tuples, &format!("user:ann {relation} document:1"), answer);
    }
}

#[test]
fn cve_2024_31452_a_cycle_in_a_branch_never_allows() {
    for length in [1, 2, 3, 10, 23] {
        let mut tuples = vec!["document:1#x@group:0#member".to_owned()];
        tuples.extend((0..length).map(|n| format!("group:{n}#member@group:{}#member", (n + 1) % length)));
        branch(&tuples, Deny);
    }
}

#[test]
fn cve_2024_31452_a_failing_condition_in_a_branch_never_allows() {
    branch(&["document:1#x@user:ann with c".into()], Undetermined);
    branch(&["document:1#x@user:ann with c {\"ok\": 1}".into()], Undetermined);
}

#[test]
fn cve_2024_31452_a_bound_in_a_branch_never_allows() {
    let mut tuples = vec!["document:1#x@group:0#member".to_owned()];
    tuples.extend((0..40).map(|n| format!("group:{n}#member@group:{}#member", n + 1)));
    branch(&tuples, Bounded);
    tuples.push("group:40#member@user:ann".into());
    branch(&tuples, Bounded);
}

#[test]
fn cve_2024_31452_running_out_of_work_never_allows() {
    let tuples = (0..30).flat_map(|n| [format!("document:1#x@group:{n}#member"), format!("group:{n}#banned@user:ann")]);
    let store = Store::new(BRANCHES, tuples.chain(["document:1#a@user:ann".into(), "group:29#member@user:bob".into()]));
    for relation in ["both", "both_turned", "minus", "minus_turned", "either_none", "nested", "deep", "x"] {
        let asked = format!("user:ann {relation} document:1");
        let answer = store.check(&asked);
        assert_ne!(answer, Bounded, "{asked}");
        for steps in 0..200 {
            let bounded = store.within(&asked, GraphLimits { steps, ..GraphLimits::default() });
            assert!(bounded == Bounded || bounded == answer, "{asked} in {steps} steps: {bounded:?}");
        }
    }
}

/// A branch that was given up because it was too far away is looked at again when a shorter way leads there.
#[test]
fn pr_3125_a_branch_that_was_given_up_is_not_remembered_as_denied() {
    let mut tuples = vec!["document:1#x@group:0#member".to_owned()];
    tuples.extend((0..24).map(|n| format!("group:{n}#member@group:{}#member", n + 1)));
    tuples.extend(["group:24#member@group:goal#member", "group:goal#member@user:ann"].map(str::to_owned));
    check(BRANCHES, &tuples, "user:ann x document:1", Bounded);
    tuples.push("document:1#x@group:goal#member".into());
    check(BRANCHES, &tuples, "user:ann x document:1", Allow);
    check(BRANCHES, &tuples, "user:bob x document:1", Bounded);
    tuples.push("document:1#a@user:ann".into());
    for (relation, answer) in [("both", Allow), ("minus", Deny), ("nested", Allow)] {
        check(BRANCHES, &tuples, &format!("user:ann {relation} document:1"), answer);
    }
}

const CAVEATS: &str = "
    group member: [user, user with c, user:* with c]
    document blocked: [user with c, group#member with d]
    document direct: [user with c, user with d, user:* with d, group#member, group#member with c]
    document parent: [folder with c, folder]
    folder viewer: [user with d, user]
    document viewer: direct or viewer from parent
    document reader: viewer but not blocked
    document both: direct and viewer from parent
    condition c(ok: bool) { ok }
    condition d(other: bool) { other }";

#[test]
fn cve_2025_49011_of_several_conditional_branches_one_that_holds_is_enough() {
    let (yes, no, open) = ("with c {\"ok\": true}", "with c {\"ok\": false}", "with c");
    // Two ways: by a group, by a folder; each holds, fails, or is open.
    for (first, second, expected) in [
        (yes, yes, Allow),
        (yes, no, Allow),
        (no, yes, Allow),
        (yes, open, Allow),
        (open, yes, Allow),
        (no, no, Deny),
        (no, open, Undetermined),
        (open, no, Undetermined),
        (open, open, Undetermined),
    ] {
        let tuples = [
            format!("document:1#direct@group:1#member {first}"),
            format!("document:1#direct@group:2#member {second}"),
            "group:1#member@user:ann".into(),
            "group:2#member@user:ann".into(),
        ];
        check(CAVEATS, &tuples, "user:ann viewer document:1", expected);
        let tuples = [
            format!("document:1#direct@group:1#member {first}"),
            format!("document:1#parent@folder:1 {second}"),
            "group:1#member@user:ann".into(),
            "folder:1#viewer@user:ann".into(),
        ];
        check(CAVEATS, &tuples, "user:ann viewer document:1", expected);
        check(CAVEATS, &tuples, "user:ann reader document:1", expected);
        // By a name of one's own and by everyone's.
        let tuples = [
            format!("document:1#direct@user:ann {first}"),
            format!("document:1#direct@group:1#member {second}"),
            "group:1#member@user:ann".into(),
        ];
        check(CAVEATS, &tuples, "user:ann viewer document:1", expected);
    }
}

#[test]
fn cve_2024_38361_an_exclusion_keeps_every_conditional_branch() {
    let (yes, no, open) = ("{\"ok\": true}", "{\"ok\": false}", "{}");
    for (base, blocked, expected) in [
        (yes, yes, Deny),
        (yes, no, Allow),
        (yes, open, Undetermined),
        (no, yes, Deny),
        (no, no, Deny),
        (no, open, Deny),
        (open, yes, Deny),
        (open, no, Undetermined),
        (open, open, Undetermined),
    ] {
        let tuples = [
            format!("document:1#direct@user:ann with c {base}"),
            format!("document:1#blocked@user:ann with c {blocked}"),
        ];
        check(CAVEATS, &tuples, "user:ann reader document:1", expected);
        // One that is taken away by another way stays away.
        let group = ["document:1#blocked@group:1#member with d {\"other\": true}", "group:1#member@user:ann"];
        let tuples = tuples.iter().map(String::as_str).chain(group);
        check(CAVEATS, tuples, "user:ann reader document:1", Deny);
    }
}

#[test]
fn cve_2024_46989_an_intersection_keeps_every_conditional_branch() {
    let (yes, no, open) = ("{\"ok\": true}", "{\"ok\": false}", "{}");
    for (first, second, expected) in [
        (yes, yes, Allow),
        (yes, no, Deny),
        (no, open, Deny),
        (open, no, Deny),
        (yes, open, Undetermined),
        (open, yes, Undetermined),
    ] {
        let tuples = [
            format!("document:1#direct@user:ann with c {first}"),
            format!("document:1#parent@folder:1 with c {second}"),
            "folder:1#viewer@user:ann".into(),
        ];
        check(CAVEATS, &tuples, "user:ann both document:1", expected);
        // A second folder settles what the first leaves open, and nothing else.
        let more = ["document:1#parent@folder:2", "folder:2#viewer@user:ann with d"];
        for (other, by_other) in [("true", Allow), ("false", expected)] {
            let asked = format!("user:ann both document:1 {{\"other\": {other}}}");
            let answer = match (first == yes, first == no) {
                (true, _) => by_other,
                (_, true) => Deny,
                _ => {
                    if other == "true" {
                        Undetermined
                    } else {
                        expected
                    }
                }
            };
            check(CAVEATS, tuples.iter().map(String::as_str).chain(more), &asked, answer);
        }
    }
}

#[test]
fn cve_2024_48909_lists_with_partial_contexts_hold_what_the_checks_allow() {
    let tuples = [
        "document:1#direct@user:ann with c",
        "document:2#direct@user:* with d",
        "document:3#parent@folder:1 with c",
        "folder:1#viewer@user:ann with d",
        "document:4#direct@group:1#member",
        "group:1#member@user:* with c",
        "document:5#direct@group:1#member with c",
        "document:5#blocked@user:ann with c",
        "document:6#direct@user:ann with d {\"other\": true}",
        "document:6#blocked@group:1#member with d",
        "document:7#direct@user:bob with c {\"ok\": true}",
        "document:7#parent@folder:2",
        "folder:2#viewer@user:bob until 1001",
        "document:8#parent@folder:3",
        "folder:3#viewer@user:bob until 1000",
    ];
    for ok in ["", "\"ok\": true", "\"ok\": false"] {
        for other in ["", "\"other\": true", "\"other\": false"] {
            let comma = if ok.is_empty() || other.is_empty() { "" } else { ", " };
            agree(CAVEATS, tuples, &format!("{{{ok}{comma}{other}}}"));
        }
    }
}
