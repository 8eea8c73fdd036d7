//! What broke OpenFGA and `SpiceDB`, as far as it is about the model, the tuples or the graph. The rest of it is in
//! `lists`, `lookalikes`, `undetermined` and `bounds`.

use super::asked::{Allow, Answer, Deny, Undetermined, agree, ask, check, in_any_order, model, read, refused, tuples};

const FOLDERS: &str = "
    folder owner: [user]
    folder viewer: [user, user:*]
    document parent: [folder]
    document viewer: viewer from parent";

#[test]
fn cve_2022_39341_a_wildcard_in_a_tupleset_is_refused_and_has_no_effect() {
    let wild = FOLDERS.replace("parent: [folder]", "parent: [folder, folder:*]");
    assert_eq!(read(&wild).unwrap_err(), ["invalid_tupleset"]);
    for asked in ["user:ann viewer document:1", "user:* viewer document:1", "folder:1#viewer viewer document:1"] {
        refused(FOLDERS, "document:1#parent@folder:*", ["folder:1#viewer@user:ann", "folder:2#viewer@user:*"], asked);
    }
}

#[test]
fn cve_2022_39342_a_tupleset_defined_by_a_rewrite_is_refused() {
    for parent in [
        "other",
        "[folder] or other",
        "[folder] and other",
        "[folder] but not other",
        "other from parent",
        "[folder] or viewer from other",
    ] {
        let text = format!(
            "folder viewer: [user]\ndocument other: [folder]\ndocument parent: {parent}\ndocument viewer: viewer from parent"
        );
        assert_eq!(read(&text).unwrap_err()[0], "invalid_tupleset", "{parent}");
    }
}

#[test]
fn cve_2022_39352_a_userset_in_a_tupleset_is_refused_and_grants_nothing() {
    assert_eq!(read(&FOLDERS.replace("[folder]", "[folder#owner]")).unwrap_err(), ["invalid_tupleset"]);
    for userset in ["folder:1#owner", "folder:1#viewer"] {
        for asked in ["user:ann viewer document:1", "folder:1#viewer viewer document:1"] {
            let others = ["folder:1#owner@user:ann", "folder:1#viewer@user:ann"];
            refused(FOLDERS, &format!("document:1#parent@{userset}"), others, asked);
        }
    }
}

#[test]
fn cve_2022_23542_tuples_of_an_older_model_never_grant() {
    let later = "
        group member: [user]
        group owner: [user]
        document viewer: [user, group#owner]
        document editor: [user with new]
        document reader: viewer but not editor
        condition new(ok: bool) { ok }";
    for (old, asked) in [
        ("document:1#viewer@user:*", "user:ann viewer document:1"),
        ("document:1#viewer@user:*", "user:* viewer document:1"),
        ("document:1#viewer@group:1#member", "user:ann viewer document:1"),
        ("document:1#viewer@group:1#member", "group:1#member viewer document:1"),
        ("document:1#viewer@robot:1", "robot:1 viewer document:1"),
        ("document:1#viewer@robot:*", "user:ann viewer document:1"),
        ("document:1#viewer@group:1", "group:1 viewer document:1"),
        ("document:1#viewer@group:1#gone", "group:1#gone viewer document:1"),
        ("document:1#gone@user:ann", "user:ann viewer document:1"),
        ("document:1#reader@user:ann", "user:ann reader document:1"),
        ("file:1#viewer@user:ann", "user:ann viewer document:1"),
        ("document:1#viewer@user:ann with gone", "user:ann viewer document:1"),
        ("document:1#viewer@user:ann with new {\"ok\": true}", "user:ann viewer document:1"),
        ("document:1#editor@user:ann", "user:ann editor document:1"),
        ("document:1#editor@user:ann with old {\"ok\": true}", "user:ann editor document:1 {\"ok\": true}"),
    ] {
        refused(later, old, ["group:1#member@user:ann"], asked);
    }
    // Nor do they take away.
    let tuples = ["document:1#viewer@user:ann", "document:1#editor@user:ann", "document:1#editor@user:*"];
    check(later, tuples, "user:ann reader document:1", Allow);
}

#[test]
fn cve_2023_35933_circular_models_are_refused() {
    for (lines, code) in [
        ("doc a: a", "cyclic_relation"),
        ("doc a: b\ndoc b: a", "cyclic_relation"),
        ("doc a: [user] or b\ndoc b: [user] or a", "cyclic_relation"),
        ("doc a: [user] but not b\ndoc b: [user] and a", "cyclic_relation"),
        ("doc a: b\ndoc b: c\ndoc c: d\ndoc d: a", "cyclic_relation"),
        ("doc p: [doc]\ndoc a: a from p", "no_entrypoint"),
        ("doc a: [doc#a]", "no_entrypoint"),
        ("doc a: [doc#b]\ndoc b: [doc#a]", "no_entrypoint"),
        ("doc p: [doc]\ndoc a: [user] and a from p", "no_entrypoint"),
    ] {
        let codes = read(lines).unwrap_err();
        assert!(codes.iter().all(|found| found == code), "{lines}: {codes:?}");
    }
}

#[test]
fn cve_2023_40579_lists_see_every_part_of_an_arrow() {
    let lines = "
        org member: [user]
        org admin: [user] or member
        folder parent: [folder, org]
        folder viewer: [user] or viewer from parent or admin from parent
        document parent: [folder, org]
        document blocked: [user]
        document viewer: (viewer from parent or admin from parent) but not blocked
        document reader: viewer from parent and admin from parent";
    let tuples = [
        "org:1#member@user:ann",
        "org:1#admin@user:bob",
        "folder:1#parent@org:1",
        "folder:2#parent@folder:1",
        "folder:2#viewer@user:cem",
        "document:1#parent@folder:2",
        "document:2#parent@org:1",
        "document:3#parent@org:1",
        "document:3#parent@folder:1",
        "document:3#blocked@user:bob",
    ];
    agree(lines, tuples, "{}");
    check(lines, tuples, "user:ann viewer document:1", Allow);
    check(lines, tuples, "user:cem viewer document:1", Allow);
    check(lines, tuples, "user:cem viewer document:2", Deny);
    check(lines, tuples, "user:ann reader document:3", Allow);
    check(lines, tuples, "user:bob viewer document:3", Deny);
}

#[test]
fn cve_2024_42473_an_exclusion_over_an_arrow_to_usersets() {
    let lines = "
        group member: [user, group#member]
        folder viewer: [user, group#member]
        document parent: [folder]
        document blocked: [user, group#member]
        document viewer: [group#member] or viewer from parent
        document reader: viewer but not blocked
        document other: viewer from parent but not blocked";
    let tuples = [
        "document:1#parent@folder:1",
        "folder:1#viewer@group:1#member",
        "group:1#member@group:2#member",
        "group:2#member@user:ann",
        "group:2#member@user:bob",
        "document:1#blocked@group:3#member",
        "group:3#member@user:bob",
        "document:2#viewer@group:2#member",
    ];
    agree(lines, tuples, "{}");
    for relation in ["reader", "other"] {
        check(lines, tuples, &format!("user:ann {relation} document:1"), Allow);
        check(lines, tuples, &format!("user:bob {relation} document:1"), Deny);
        check(
            lines,
            tuples,
            &format!("user:ann {relation} document:2"),
            if relation == "reader" { Allow } else { Deny },
        );
        check(lines, tuples, &format!("group:2#member {relation} document:1"), Allow);
        check(lines, tuples, &format!("group:3#member {relation} document:1"), Deny);
    }
}

#[test]
fn cve_2024_56323_contextual_tuples_keep_their_own_contexts() {
    let lines = "document viewer: [user with c]\ncondition c(ok: bool) { ok }";
    let tuple = |ok: &str| format!("document:1#viewer@user:ann with c {{\"ok\": {ok}}}");
    let model = model(lines);
    for (ok, expected) in [("true", Allow), ("false", Deny), ("true", Allow)] {
        ask(&model, &tuples([tuple(ok)]), "user:ann viewer document:1", expected);
        // The tuple's own context goes before that of the question.
        let asked = "user:ann viewer document:1 {\"ok\": true}";
        ask(&model, &tuples([tuple(ok)]), asked, expected);
    }
    ask(&model, &tuples(["document:1#viewer@user:ann with c"]), "user:ann viewer document:1", Undetermined);
}

#[test]
fn cve_2025_25196_a_userset_does_not_match_a_wildcard() {
    let lines = "group member: [user, user:*]\nfolder viewer: [user, group, group:*, group#member, user:*]";
    let tuples = ["folder:1#viewer@group:*", "folder:2#viewer@user:*", "folder:3#viewer@group:1#member"];
    for (asked, expected) in [
        ("group:1#member viewer folder:1", Deny),
        ("group:1 viewer folder:1", Allow),
        ("group:* viewer folder:1", Allow),
        ("user:* viewer folder:1", Deny),
        ("user:ann viewer folder:1", Deny),
        ("group:1#member viewer folder:2", Deny),
        ("group:1 viewer folder:2", Deny),
        ("user:ann viewer folder:2", Allow),
        ("group:1 viewer folder:3", Deny),
        ("group:1#member viewer folder:3", Allow),
        ("group:2#member viewer folder:3", Deny),
    ] {
        check(lines, tuples, asked, expected);
    }
    // Everyone is no single one: a wildcard is asked for by name.
    check(lines, ["folder:1#viewer@user:ann"], "user:* viewer folder:1", Deny);
    check(lines, ["folder:1#viewer@group:1#member", "group:1#member@user:*"], "user:* viewer folder:1", Allow);
}

#[test]
fn cve_2025_46331_answers_in_a_cycle_do_not_depend_on_the_order() {
    let lines = "group banned: [user]\ngroup member: [user, group#member] but not banned";
    let mut orders: Vec<Vec<&str>> = vec![Vec::new()];
    for tuple in [
        "group:1#member@group:2#member",
        "group:2#member@group:3#member",
        "group:3#member@group:1#member",
        "group:2#member@group:4#member",
        "group:4#member@user:ann",
    ] {
        let at_every_place = |order: Vec<&'static str>| {
            (0..=order.len()).map(move |place| [&order[..place], &[tuple][..], &order[place..]].concat())
        };
        orders = orders.into_iter().flat_map(at_every_place).collect();
    }
    assert_eq!(orders.len(), 120);
    let cases: Vec<(String, Answer)> = [("ann", Allow), ("bob", Deny)]
        .into_iter()
        .flat_map(|(user, answer)| (1..=4).map(move |n| (format!("user:{user} member group:{n}"), answer)))
        .collect();
    for order in orders {
        in_any_order(lines, &order, &cases);
        agree(lines, &order, "{}");
    }
}

#[test]
fn cve_2025_48371_contextual_tuples_that_the_model_does_not_allow_grant_nothing() {
    let lines = "robot\ngroup member: [user]\ndocument viewer: [user]\ndocument reader: viewer";
    for (tuple, asked) in [
        ("document:1#viewer@robot:1", "robot:1 viewer document:1"),
        ("document:1#viewer@robot:1", "robot:1 reader document:1"),
        ("document:1#viewer@user:*", "user:ann viewer document:1"),
        ("document:1#viewer@group:1#member", "user:ann viewer document:1"),
        ("document:1#reader@user:ann", "user:ann reader document:1"),
        ("group:1#member@robot:1", "robot:1 member group:1"),
    ] {
        refused(lines, tuple, ["group:1#member@user:ann"], asked);
    }
}

#[test]
fn cve_2025_55213_two_usersets_of_one_type_are_two() {
    let lines = "
        group owner: [user]
        group member: [user]
        document viewer: [group#member, group#owner]
        document editor: [group#owner]";
    let tuples = ["document:1#viewer@group:1#owner", "group:1#member@user:ann", "group:1#owner@user:bob"];
    check(lines, tuples, "user:ann viewer document:1", Deny);
    check(lines, tuples, "user:bob viewer document:1", Allow);
    check(lines, tuples, "group:1#member viewer document:1", Deny);
    check(lines, tuples, "group:1#owner viewer document:1", Allow);
    agree(lines, tuples, "{}");
    refused(lines, "document:1#editor@group:1#member", ["group:1#member@user:ann"], "user:ann editor document:1");
    // Both at once, and many of each.
    let many =
        (0..40).flat_map(|n| [format!("document:1#viewer@group:{n}#owner"), format!("group:{n}#member@user:ann")]);
    check(lines, many.clone(), "user:ann viewer document:1", Deny);
    check(lines, many.chain(["document:1#viewer@group:7#member".into()]), "user:ann viewer document:1", Allow);
}

#[test]
fn cve_2025_64751_an_unconditioned_wildcard_does_not_pass_for_a_conditioned_one() {
    let lines = "document viewer: [user, user:* with c]\ncondition c(ok: bool) { ok }";
    for asked in ["user:ann viewer document:1", "user:* viewer document:1", "user:ann viewer document:1 {\"ok\": true}"]
    {
        refused(lines, "document:1#viewer@user:*", ["document:2#viewer@user:ann"], asked);
    }
    refused(
        lines,
        "document:1#viewer@user:ann with c {\"ok\": true}",
        ["document:2#viewer@user:ann"],
        "user:ann viewer document:1",
    );
    for (ok, expected) in [("true", Allow), ("false", Deny)] {
        let asked = format!("user:ann viewer document:1 {{\"ok\": {ok}}}");
        check(lines, ["document:1#viewer@user:* with c"], &asked, expected);
    }
}

#[test]
fn cve_2026_24851_public_and_own_tuples_of_larger_and_smaller_objects() {
    let lines = "
        group member: [user, user:*]
        document viewer: [user, user:*, group#member]
        document blocked: [user, user:*]
        document reader: viewer but not blocked";
    let ids = ["0", "1", "2", "a", "z", "zz", "zzz"];
    for split in 0..ids.len() {
        let own = ids[..split].iter().map(|id| format!("document:{id}#viewer@user:ann"));
        let public = ids[split..].iter().map(|id| format!("document:{id}#viewer@user:*"));
        let blocked = ids.iter().step_by(2).map(|id| format!("document:{id}#blocked@user:*"));
        let groups = ["document:m#viewer@group:1#member", "group:1#member@user:*"].map(str::to_owned);
        for all in [
            own.clone().chain(public.clone()).chain(groups.clone()).collect::<Vec<_>>(),
            public.chain(own).chain(blocked).chain(groups).collect(),
        ] {
            agree(lines, &all, "{}");
            for id in ids {
                check(lines, &all, &format!("user:ann viewer document:{id}"), Allow);
            }
        }
    }
}

#[test]
fn pr_3145_contextual_tuples_one_userset_away_count() {
    let lines = "group member: [user, user:* with c]\ndocument viewer: [group#member]\ncondition c(ok: bool) { ok }";
    // Few and many, so that they are looked at from either side; the last half is contextual.
    for count in [1, 15, 16, 17, 40, 200] {
        let groups: Vec<String> = (0..count).map(|n| format!("document:1#viewer@group:{n}#member")).collect();
        for member in [0, count / 2, count - 1] {
            let with = |tuple: String| groups.iter().cloned().chain([tuple]).collect::<Vec<_>>();
            let one = with(format!("group:{member}#member@user:ann"));
            check(lines, &one, "user:ann viewer document:1", Allow);
            check(lines, &one, "user:bob viewer document:1", Deny);
            let everyone = with(format!("group:{member}#member@user:* with c"));
            check(lines, &everyone, "user:ann viewer document:1 {\"ok\": true}", Allow);
            check(lines, &everyone, "user:ann viewer document:1 {\"ok\": false}", Deny);
            check(lines, &everyone, "user:ann viewer document:1", Undetermined);
            let over = with(format!("group:{member}#member@user:ann until 1000"));
            check(lines, &over, "user:ann viewer document:1", Deny);
        }
        check(
            lines,
            groups.iter().cloned().chain(["group:x#member@user:ann".into()]),
            "user:ann viewer document:1",
            Deny,
        );
    }
}

/// Where OpenFGA's newer evaluator answers otherwise, the answers of its default one.
#[test]
fn usersets_and_everyone_as_subjects_are_answered_as_by_default() {
    let lines = "
        group member: [user, group#member]
        group alias: member
        folder viewer: [user, group#member, group#alias]
        document parent: [folder]
        document blocked: [user, user:*, group#member]
        document direct: [user, user:*, group#member]
        document viewer: [user, document#viewer] or viewer from parent
        document reader: direct but not blocked";
    let tuples = [
        "folder:1#viewer@group:1#alias",
        "document:1#parent@folder:1",
        "document:2#direct@group:1#member",
        "document:3#direct@user:*",
        "document:3#blocked@user:ann",
        "document:4#direct@user:*",
        "document:4#blocked@user:*",
        "document:5#direct@group:1#member",
        "document:5#blocked@group:1#member",
    ];
    for (asked, expected) in [
        // The userset itself, stored or not.
        ("group:1#member member group:1", Allow),
        ("group:9#member member group:9", Allow),
        ("group:1#member member group:2", Deny),
        ("document:1#viewer viewer document:1", Allow),
        ("document:2#viewer viewer document:1", Deny),
        // By another name.
        ("group:1#member alias group:1", Allow),
        ("group:9#member alias group:9", Allow),
        ("group:1#alias member group:1", Deny),
        ("group:1#alias viewer folder:1", Allow),
        ("group:1#member viewer folder:1", Allow),
        // By an arrow.
        ("folder:1#viewer viewer document:1", Allow),
        ("group:1#member viewer document:1", Allow),
        ("folder:1#viewer viewer document:2", Deny),
        // With something taken away.
        ("group:1#member reader document:2", Allow),
        ("group:1#member reader document:5", Deny),
        ("user:* reader document:3", Allow),
        ("user:ann reader document:3", Deny),
        ("user:bob reader document:3", Allow),
        ("user:* reader document:4", Deny),
        ("user:bob reader document:4", Deny),
    ] {
        check(lines, tuples, asked, expected);
    }
}

// Rows that are not about the model, the tuples or the graph, and where they belong:
//
// OpenFGA
// - CVE-2022-39340, CVE-2026-40293, CVE-2026-55689: authentication and pages of the server; there is none here.
// - CVE-2023-45810, CVE-2024-23820: tasks left behind by a request; a question runs where it is asked and ends there.
// - PR 3168, 3057, Playground leak: comparing keys, host headers and pages of the server.
// - PR 3155, 2811: an iterator's cache and a write; answers are of one immutable revision, and nothing is cached.
// - PR 3097, 3117, 3148: keys of a cache; none exists. What collided there is asked in `lookalikes`.
// - Cached check with conditions, de-duplication of a batch: neither exists here; the same contexts are in `lookalikes`.
//
// SpiceDB
// - CVE-2023-29193, CVE-2023-46255, CVE-2026-40091: secrets in command lines, errors and logs of the server.
// - CVE-2025-64529: rows that a database did not take; what is put into memory is told or refused, see `storage`.
// - GHSA-vhvq-fv9f-wh4q: cursors; lists here have none.
// - PR 2958, the comparison of revisions, commits invisible at their own revision, stale replicas: of the storage.
// - GHSA-4vrg-r928-h5vv, CVE-2026-55866: check hints in a dispatch key; neither exists. Lists beside checks are asked at
//   the same time in `lookalikes`.
