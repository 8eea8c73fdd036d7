//! Cycles, depth and width: exact, or refused by a bound, and soon.

use std::time::{Duration, Instant};

use super::asked::{Allow, Answer, Bounded, Deny, Store, agree, check, model_text};
use crate::relation::tuples::KeyParts;
use crate::relation::{GraphLimits, MAX_TEXT, TuplesBuilder};

/// What nothing takes, however busy the machine: a bound on hangs, not on speed.
const HANG: Duration = Duration::from_secs(20);

/// Does `work`, which must not hang.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let got = work();
    let taken = begun.elapsed();
    assert!(taken < HANG, "{taken:?}");
    got
}

/// Walked as a closure, and step by step.
const GROUPS: &str = "
    group banned: [user]
    group member: [user, group#member]
    group strict: [user, group#strict] but not banned
    folder parent: [folder]
    folder viewer: [user] or viewer from parent
    folder strict: ([user] or strict from parent) but not closed
    folder closed: [user]";

#[test]
fn cve_2023_43645_circles_of_every_length_end() {
    for length in 1..=100 {
        let mut tuples: Vec<String> = Vec::new();
        for n in 0..length {
            let next = (n + 1) % length;
            tuples.push(format!("group:{n}#member@group:{next}#member"));
            tuples.push(format!("group:{n}#strict@group:{next}#strict"));
            tuples.push(format!("folder:{n}#parent@folder:{next}"));
        }
        let bounded = if length >= 25 { Bounded } else { Deny };
        let store = Store::new(GROUPS, &tuples);
        for at in [length / 2, 0] {
            for (relation, kind, expected) in [
                ("member", "group", Deny),
                ("viewer", "folder", Deny),
                ("strict", "group", bounded),
                ("strict", "folder", bounded),
            ] {
                let asked = format!("user:ann {relation} {kind}:{at}");
                assert_eq!(soon(|| store.check(&asked)), expected, "{asked} of {length}");
                let listed = soon(|| store.objects(&format!("user:ann {relation} {kind}")));
                assert_eq!(listed.unwrap(), [""; 0]);
            }
        }
        tuples.push("group:0#member@user:ann".into());
        tuples.push("folder:0#viewer@user:ann".into());
        let store = Store::new(GROUPS, &tuples);
        for (relation, kind) in [("member", "group"), ("viewer", "folder")] {
            assert_eq!(store.objects(&format!("user:ann {relation} {kind}")).unwrap().len(), length);
            for n in 0..length {
                assert_eq!(soon(|| store.check(&format!("user:ann {relation} {kind}:{n}"))), Allow);
            }
        }
    }
}

#[test]
fn circles_of_the_suites_are_denied() {
    for (lines, tuples) in [
        (
            "document allowed: [user, document#viewer]\ndocument viewer: [user, document#allowed] and allowed",
            &[
                "document:1#viewer@user:jon",
                "document:1#allowed@document:1#viewer",
                "document:1#viewer@document:1#allowed",
            ][..],
        ),
        (
            "document editor: [user, document#viewer]\ndocument viewer: [document#editor] or editor",
            &["document:1#editor@document:1#viewer", "document:1#viewer@document:1#editor"],
        ),
        ("document editor: [user, document#viewer]\ndocument viewer: editor", &["document:1#editor@document:1#viewer"]),
        (
            "document restricted: [user, document#viewer]\ndocument viewer: [user] but not restricted",
            &["document:1#viewer@user:jon", "document:1#restricted@document:1#viewer"],
        ),
        (
            "document editor: [user, document#viewer]\ndocument viewer: [user, document#editor] and editor",
            &["document:1#viewer@document:1#editor", "document:1#editor@document:1#viewer"],
        ),
        (
            "document allowed: [user]\ndocument viewer: [user, document#viewer] and allowed",
            &["document:1#allowed@user:jon"],
        ),
        ("document viewer: [user, document#viewer]", &[]),
        ("document viewer: [user, document#viewer]", &["document:1#viewer@document:1#viewer"]),
        ("document restricted: [user]\ndocument viewer: [user, document#viewer] but not restricted", &[]),
        (
            "document restricted: [user, document#viewer]\ndocument viewer: [user] but not restricted",
            &["document:1#restricted@document:1#viewer"],
        ),
    ] {
        check(lines, tuples, "user:jon viewer document:1", Deny);
        agree(lines, tuples, "{}");
    }
}

#[test]
fn a_loop_over_three_types_is_walked_once() {
    let mut lines = String::new();
    for (kind, from) in [("module", "document"), ("folder", "module"), ("document", "folder")] {
        lines.push_str(&format!("{kind} owner: [user] or owner from parent\n{kind} parent: [{from}, {kind}]\n"));
        lines.push_str(&format!("{kind} viewer: [user] or owner or viewer from parent\n"));
    }
    let tuples = [
        "module:a#owner@user:anne",
        "folder:a#parent@module:a",
        "document:a#parent@folder:a",
        "module:b#parent@document:a",
        "folder:b#parent@module:b",
        "document:b#parent@folder:b",
        "module:a#parent@document:b",
    ];
    for kind in ["module", "folder", "document"] {
        for id in ["a", "b"] {
            check(&lines, tuples, &format!("user:anne viewer {kind}:{id}"), Allow);
            check(&lines, tuples, &format!("user:bob viewer {kind}:{id}"), Deny);
        }
    }
    agree(&lines, tuples, "{}");
}

#[test]
fn a_userset_has_itself_and_is_in_none_by_itself() {
    let tuples = ["group:1#member@group:1#member", "group:2#member@group:1#member", "group:2#strict@group:2#strict"];
    for (asked, expected) in [
        ("group:1#member member group:1", Allow),
        ("group:1#member member group:2", Allow),
        ("group:2#member member group:1", Deny),
        ("group:2#strict strict group:2", Allow),
        ("group:2#strict member group:2", Deny),
        ("user:ann member group:1", Deny),
        ("user:ann strict group:2", Deny),
        ("group:1 member group:1", Deny),
    ] {
        check(GROUPS, tuples, asked, expected);
    }
}

/// `length` steps from `0` to the one that `ann` is in.
fn chain(length: usize) -> Store {
    let steps = (0..length).flat_map(|n| {
        let next = n + 1;
        [
            format!("group:{n}#member@group:{next}#member"),
            format!("group:{n}#strict@group:{next}#strict"),
            format!("folder:{n}#parent@folder:{next}"),
        ]
    });
    let end =
        ["group:E#member@user:ann", "group:E#strict@user:ann", "folder:E#viewer@user:ann", "folder:E#strict@user:ann"];
    Store::new(GROUPS, steps.chain(end.map(|tuple| tuple.replace('E', &length.to_string()))))
}

#[test]
fn a_thousand_steps_of_a_closure_are_no_depth() {
    for length in [24, 25, 26, 1_000, 20_000] {
        let store = chain(length);
        for (relation, kind) in [("member", "group"), ("viewer", "folder")] {
            let asked = |user: &str| store.check(&format!("user:{user} {relation} {kind}:0"));
            assert_eq!(soon(|| asked("ann")), Allow, "{length}");
            assert_eq!(soon(|| asked("bob")), Deny, "{length}");
            let listed = soon(|| store.objects(&format!("user:ann {relation} {kind}")).unwrap());
            assert_eq!(listed.len(), length + 1);
        }
    }
}

#[test]
fn other_ways_are_followed_for_twenty_five_steps() {
    for (length, expected) in [(1, Allow), (23, Allow), (24, Allow), (25, Bounded), (26, Bounded), (1_000, Bounded)] {
        let store = chain(length);
        for kind in ["group", "folder"] {
            let asked = format!("user:ann strict {kind}:0");
            assert_eq!(soon(|| store.check(&asked)), expected, "{asked} of {length}");
            assert_ne!(store.check(&format!("user:bob strict {kind}:0")), Allow);
            let listed = soon(|| store.objects(&format!("user:ann strict {kind}")));
            // What is settled for one object serves the next: a list may see farther, and never less.
            let held = listed.is_ok_and(|ids| ids.contains(&"0".into()) && ids.len() == length + 1);
            assert!(held || expected != Allow, "{length}");
        }
    }
}

/// Layers of two, each leading to both of the next: more ways than could ever be walked.
fn lattice(layers: usize, end: &[&str]) -> Store {
    let mut tuples: Vec<String> = end.iter().map(|tuple| (*tuple).to_owned()).collect();
    for layer in 0..layers {
        for (from, to) in [("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")] {
            let next = layer + 1;
            tuples.push(format!("group:{from}{layer}#member@group:{to}{next}#member"));
            tuples.push(format!("group:{from}{layer}#strict@group:{to}{next}#strict"));
            tuples.push(format!("folder:{from}{layer}#parent@folder:{to}{next}"));
        }
    }
    Store::new(GROUPS, tuples)
}

#[test]
fn a_million_ways_are_walked_once_each_step() {
    let ends = [
        "group:a20#member@user:ann",
        "group:a20#strict@user:ann",
        "folder:a20#viewer@user:ann",
        "folder:a20#strict@user:ann",
    ];
    let store = lattice(20, &ends);
    for (relation, kind) in [("member", "group"), ("strict", "group"), ("viewer", "folder"), ("strict", "folder")] {
        for (user, expected) in [("ann", Allow), ("bob", Deny)] {
            let asked = format!("user:{user} {relation} {kind}:a0");
            assert_eq!(soon(|| store.check(&asked)), expected, "{asked}");
        }
        assert_eq!(soon(|| store.objects(&format!("user:ann {relation} {kind}"))).unwrap().len(), 41);
        assert_eq!(soon(|| store.users(&format!("{kind}:a0 {relation} user"))).unwrap().len(), 1);
    }
}

#[test]
fn a_million_ways_that_hang_on_a_circle_end_soon() {
    let back = ["group:a20#strict@group:a0#strict", "group:b20#strict@group:b0#strict", "folder:a20#parent@folder:b0"];
    let store = lattice(20, &back);
    for kind in ["group", "folder"] {
        let asked = format!("user:ann strict {kind}:a0");
        assert_ne!(soon(|| store.check(&asked)), Allow);
        let listed = soon(|| store.objects(&format!("user:ann strict {kind}")));
        assert!(listed.is_ok_and(|ids| ids.is_empty()));
    }
}

fn wide(count: u32) -> Store {
    let mut builder = TuplesBuilder::default();
    let mut push = |object: (&str, &str), relation: &str, subject: (&str, &str), subject_relation: &str| {
        let (object_type, object_id) = object;
        let (subject_type, subject_id) = subject;
        let key = KeyParts { object_type, object_id, relation, subject_type, subject_id, subject_relation };
        builder.push(key, None, None).unwrap();
    };
    for n in 0..count {
        let id = n.to_string();
        push(("document", "1"), "reader", ("group", &id), "member");
        push(("document", "1"), "strict", ("group", &id), "strict");
        push(("group", "all"), "member", ("user", &id), "");
    }
    push(("group", &(count - 1).to_string()), "member", ("user", "ann"), "");
    push(("document", "2"), "reader", ("group", "all"), "member");
    let lines = "
        group member: [user]
        group strict: [user] but not member
        document reader: [group#member]
        document strict: [group#strict]";
    Store { model: super::asked::model(lines), tuples: builder.finish().unwrap() }
}

#[test]
fn a_member_of_a_hundred_thousand() {
    let store = wide(100_000);
    for (asked, expected) in [
        ("user:99999 reader document:2", Allow),
        ("user:0 reader document:2", Allow),
        ("user:100000 reader document:2", Deny),
        ("user:ann reader document:1", Allow),
        ("user:bob reader document:1", Deny),
        ("user:ann strict document:1", Deny),
        ("user:* reader document:2", Deny),
        ("group:99999#member reader document:1", Allow),
        ("group:100000#member reader document:1", Deny),
        ("group:all#member reader document:2", Allow),
    ] {
        assert_eq!(soon(|| store.check(asked)), expected, "{asked}");
    }
    assert_eq!(store.users("document:2 reader user").unwrap().len(), 100_000);
    assert_eq!(store.objects("user:5 reader document").unwrap(), ["2"]);
}

#[test]
fn a_million_are_answered_or_refused_soon() {
    let store = wide(1_000_000);
    for (asked, expected) in [
        ("user:999999 reader document:2", Allow),
        ("user:1000000 reader document:2", Deny),
        ("user:ann reader document:1", Allow),
        ("user:bob reader document:1", Deny),
        ("group:999999#member reader document:1", Allow),
        // Each would have to be looked at.
        ("user:ann strict document:1", Bounded),
        ("user:bob strict document:1", Bounded),
    ] {
        assert_eq!(soon(|| store.check(asked)), expected, "{asked}");
    }
    assert_eq!(store.objects("user:ann reader document").unwrap(), ["1"]);
    assert_eq!(soon(|| store.users("document:2 reader user")), Err(Bounded));
}

/// A text as long as a model may be.
fn filled(each: impl Fn(usize) -> String, tail: impl Fn(usize) -> String) -> String {
    let (mut lines, mut count) = (String::new(), 0);
    // Each line becomes longer by what is written before it.
    while lines.len() + count * 12 + 1_000 < MAX_TEXT {
        lines.push_str(&each(count));
        count += 1;
    }
    lines + &tail(count)
}

#[test]
fn the_longest_chain_of_computed_relations_does_not_exhaust_the_stack() {
    // Half of what a thread has by default.
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(longest_chains).unwrap();
    thread.join().unwrap();
}

fn longest_chains() {
    let each = |n: usize| format!("t a{n}: a{}\n", n + 1);
    let plain = filled(each, |n| format!("t a{n}: [user]\n"));
    let nested = filled(
        |n| format!("t a{n}: {}a{} but not q{}\n", "(".repeat(60), n + 1, ") or q".repeat(60)),
        |n| format!("t a{n}: [user]\nt q: [user]\n"),
    );
    let arrow = filled(each, |n| format!("t a{n}: [user] or a0 from p\nt p: [t]\n"));
    let base = filled(|n| format!("t a{n}: a{} but not q\n", n + 1), |n| format!("t a{n}: [user]\nt q: [user]\n"));
    for lines in [plain, nested, arrow, base] {
        assert!(model_text(&lines).len() <= MAX_TEXT);
        let end = lines.lines().filter_map(|line| line.strip_prefix("t a")?.split(':').next()?.parse().ok()).max();
        let end: usize = end.unwrap();
        assert!(end > 200, "{end}");
        let mut tuples: Vec<String> = (0..30).map(|n| format!("t:{n}#p@t:{}", n + 1)).collect();
        tuples.extend([format!("t:1#a{end}@user:ann"), format!("t:1#a{}@user:bob", end - 1)]);
        let store = Store::new(&lines, tuples);
        for asked in ["user:ann a0 t:1", "user:bob a0 t:1", "user:ann a0 t:0", "t:1#a5 a0 t:1"] {
            let answer = soon(|| store.check(asked));
            assert!(answer != Allow || !asked.contains("bob"), "{asked}: {answer:?}");
        }
        // Near the end it is exact.
        assert_eq!(store.check(&format!("user:ann a{} t:1", end - 5)), Allow);
        assert_ne!(store.objects("user:bob a0 t"), Ok(vec!["1".into()]));
        drop((store.objects("user:ann a0 t"), store.users("t:1 a0 user"), store.users("t:1 a0 t#a5")));
    }
}

#[test]
fn the_most_restrictions_do_not_outrun_the_bound_on_work() {
    let names: Vec<String> = (0..7_000).map(|n| format!("r{n}")).collect();
    let mut lines = names.iter().map(|name| format!("g {name}: [user]\n")).collect::<Vec<_>>().concat();
    let all: Vec<String> = names.iter().map(|name| format!("g#{name}")).collect();
    lines.push_str(&format!("g all: [{}]\ng parent: [g]\ng viewer: all from parent but not r0\n", all.join(", ")));
    assert!(model_text(&lines).len() <= MAX_TEXT, "{}", model_text(&lines).len());
    let mut tuples: Vec<String> = (0..2_000).map(|n| format!("g:x#parent@g:{n}")).collect();
    tuples.extend((0..2_000).map(|n| format!("g:{n}#all@g:y#r{}", 6_999 - n)));
    let store = Store::new(&lines, &tuples);
    assert_eq!(soon(|| store.check("user:ann all g:1")), Deny);
    assert_eq!(soon(|| store.check("user:ann viewer g:x")), Bounded);
}

#[test]
fn a_relation_that_leads_to_thousands_does_not_outrun_the_bound_on_work() {
    let names: Vec<String> = (1..7_000).map(|n| format!("r{n}")).collect();
    let mut lines = names.iter().map(|name| format!("g {name}: r0\n")).collect::<Vec<_>>().concat();
    lines.push_str(&format!("g r0: [user]\ng all: {}\n", names.join(" or ")));
    assert!(model_text(&lines).len() <= MAX_TEXT, "{}", model_text(&lines).len());
    for (count, fits) in [(20, true), (100_000, false)] {
        let store = Store::new(&lines, (0..count).map(|n| format!("g:{n}#r0@user:ann")));
        let listed = soon(|| store.objects("user:ann all g"));
        assert_eq!(listed.map(|ids| ids.len()), if fits { Ok(count) } else { Err(Bounded) });
    }
}

#[test]
fn every_answer_is_the_same_under_a_tighter_bound_or_there_is_none() {
    let store = chain(12);
    for (asked, answer) in
        [("user:ann strict group:0", Allow), ("user:bob strict folder:0", Deny), ("user:ann member group:0", Allow)]
    {
        let mut settled = 0;
        for depth in 0..20 {
            for steps in [0, 1, 5, 10, 20, 50, 100] {
                let got: Answer = store.within(asked, GraphLimits { depth, steps, ..GraphLimits::default() });
                assert!(got == answer || got == Bounded, "{asked}: {got:?} within {depth} and {steps}");
                settled += u32::from(got == answer);
            }
        }
        assert!(settled > 0, "{asked}");
    }
}
