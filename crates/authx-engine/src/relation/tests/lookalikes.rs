//! Contexts and names that look alike: neither is taken for another, nor does one answer change the next.

use super::asked::{Allow, Answer, Deny, Store, Undetermined, in_any_order, tuple};
use super::storage::ODD_IDS;

/// Asks whether `ann` views a document under a condition, with each of the contexts.
fn contexts(condition: &str, cases: &[(&str, Answer)]) {
    let lines = format!("document viewer: [user with c]\ndocument reader: [user] and viewer\n{condition}");
    let tuples = ["document:1#viewer@user:ann with c", "document:1#reader@user:ann"];
    for relation in ["viewer", "reader"] {
        let asked = |(context, answer): &(&str, Answer)| (format!("user:ann {relation} document:1 {context}"), *answer);
        in_any_order(&lines, tuples, &cases.iter().map(asked).collect::<Vec<_>>());
    }
    // The same as the tuple's own context.
    for (context, answer) in cases {
        let store = Store::new(&lines, [format!("document:1#viewer@user:ann with c {context}")]);
        assert_eq!(store.check("user:ann viewer document:1"), *answer, "{condition}: {context}");
    }
}

#[test]
fn cve_2026_33729_quotes_and_control_characters_in_contexts() {
    contexts(
        r#"condition c(a: string, b: string) { a == "x" && b == "y" }"#,
        &[
            (r#"{"a": "x", "b": "y"}"#, Allow),
            (r#"{"a": "x,'b:'y"}"#, Undetermined),
            (r#"{"a": "x','b':'y"}"#, Undetermined),
            (r#"{"b": "y", "a": "x"}"#, Allow),
            (r#"{"a": "x", "b": "y\u0000"}"#, Deny),
            (r#"{"a": "xy", "b": ""}"#, Deny),
            (r#"{"a": "", "b": "xy"}"#, Deny),
            (r#"{"a": "y", "b": "\b\b\b\b\b\bx"}"#, Deny),
            (r#"{"a": "x"}"#, Undetermined),
            (r#"{"a": "y", "b": "x"}"#, Deny),
        ],
    );
}

#[test]
fn cve_2026_34972_a_list_of_one_text_is_not_a_list_of_two() {
    contexts(
        r#"condition c(l: list<string>) { l == ["a", "b"] }"#,
        &[
            (r#"{"l": ["a", "b"]}"#, Allow),
            (r#"{"l": ["a,b"]}"#, Deny),
            (r#"{"l": ["a\",\"b"]}"#, Deny),
            (r#"{"l": ["ab"]}"#, Deny),
            (r#"{"l": ["a", "b", ""]}"#, Deny),
            (r#"{"l": ["b", "a"]}"#, Deny),
            (r#"{"l": []}"#, Deny),
        ],
    );
}

#[test]
fn cve_2026_34972_values_of_other_types_are_other_values() {
    for (literal, same) in [(r#""1""#, r#"{"v": "1"}"#), ("true", r#"{"v": true}"#), (r#""true""#, r#"{"v": "true"}"#)]
    {
        let all =
            [r#"{"v": "1"}"#, r#"{"v": 1}"#, r#"{"v": true}"#, r#"{"v": "true"}"#, r#"{"v": ["1"]}"#, r#"{"v": {}}"#];
        let cases = all.map(|context| (context, if context == same { Allow } else { Deny }));
        contexts(&format!("condition c(v: any) {{ v == {literal} }}"), &cases);
    }
    contexts("condition c(v: string) { v == \"1\" }", &[(r#"{"v": "1"}"#, Allow), (r#"{"v": 1}"#, Undetermined)]);
    contexts("condition c(v: bool) { v }", &[(r#"{"v": true}"#, Allow), (r#"{"v": "true"}"#, Undetermined)]);
}

#[test]
fn cve_2026_46668_nested_lists_are_not_flattened() {
    contexts(
        "condition c(l: list<any>) { l == [[1], [2]] }",
        &[
            (r#"{"l": [[1], [2]]}"#, Allow),
            (r#"{"l": [[1, 2]]}"#, Deny),
            (r#"{"l": [[1], [2], []]}"#, Deny),
            (r#"{"l": [[12]]}"#, Deny),
            (r#"{"l": [[2], [1]]}"#, Deny),
            (r#"{"l": [1, 2]}"#, Deny),
            (r#"{"l": [[[1]], [[2]]]}"#, Deny),
            (r#"{"l": [["1"], ["2"]]}"#, Deny),
            (r#"{"l": "[[1],[2]]"}"#, Undetermined),
        ],
    );
}

#[test]
fn cve_2026_55866_lists_beside_checks_change_no_answer() {
    let lines = "
        group member: [user, group#member with c] but not blocked
        group blocked: [user with c]
        document viewer: [group#member with c]
        condition c(ok: bool) { ok }";
    let tuples = [
        "document:1#viewer@group:1#member with c",
        "group:1#member@group:2#member with c",
        "group:2#member@user:ann",
        "group:2#blocked@user:bob with c",
        "group:2#member@user:bob",
    ];
    let cases = [
        ("user:ann viewer document:1 {\"ok\": true}", Allow),
        ("user:ann viewer document:1 {\"ok\": false}", Deny),
        ("user:ann viewer document:1", Undetermined),
        ("user:bob viewer document:1 {\"ok\": true}", Deny),
        ("user:bob member group:2 {\"ok\": false}", Allow),
        ("user:bob member group:2", Undetermined),
        ("user:ann member group:2", Allow),
    ];
    in_any_order(lines, tuples, &cases);
}

#[test]
fn cve_2026_41131_ids_with_delimiters_are_distinct() {
    let lines = "group member: [user]\ndocument viewer: [user, group#member]\ndocument reader: viewer";
    for stored in ODD_IDS {
        let store = Store::new(
            lines,
            [
                format!("document:{stored}#viewer@user:{stored}"),
                format!("document:g#viewer@group:{stored}#member"),
                format!("group:{stored}#member@user:{stored}"),
            ],
        );
        for asked in ODD_IDS {
            let expected = if asked == stored { Allow } else { Deny };
            assert_eq!(
                store.check(&format!("user:{asked} reader document:{stored}")),
                expected,
                "{stored:?} {asked:?}"
            );
            assert_eq!(
                store.check(&format!("user:{stored} reader document:{asked}")),
                expected,
                "{stored:?} {asked:?}"
            );
            assert_eq!(store.check(&format!("user:{asked} reader document:g")), expected, "{stored:?} {asked:?}");
            assert_eq!(
                store.check(&format!("group:{asked}#member reader document:g")),
                expected,
                "{stored:?} {asked:?}"
            );
        }
        let mut listed = vec!["g".to_owned(), (*stored).to_owned()];
        listed.sort_unstable();
        assert_eq!(store.objects(&format!("user:{stored} reader document")).unwrap(), listed);
    }
}

#[test]
fn names_that_run_together_are_distinct() {
    let lines = "a member: [user]\naa member: [user]\naa members: [user]\naaa member: [user, aa, aa#member]";
    let store = Store::new(lines, ["a:a#member@user:ann", "aa:x#member@user:ann", "aaa:1#member@aa:x"]);
    for (asked, expected) in [
        ("user:ann member a:a", Allow),
        ("user:ann member aa:x", Allow),
        ("user:ann members aa:x", Deny),
        ("user:ann member a:ax", Deny),
        ("user:ann member aa:a", Deny),
        ("user:ann member a:x", Deny),
        ("user:ann member a:a:x", Deny),
        ("aa:x member aaa:1", Allow),
        ("aa:x#member member aaa:1", Deny),
        ("a:ax member aaa:1", Deny),
        ("user:ann member aaa:1", Deny),
    ] {
        assert_eq!(store.check(asked), expected, "{asked}");
    }
}

#[test]
fn cve_2026_55170_case_and_forms_of_letters_are_distinct() {
    let alike = [
        "Alice",
        "alice",
        "ALICE",
        "al\u{456}ce",
        "\u{ff41}lice",
        "alic\u{e9}",
        "alice\u{301}",
        "alice\u{200b}",
        "alicé\u{200d}",
        "stra\u{df}e",
        "strasse",
        "\u{212a}",
        "k",
        "K",
        "\u{130}",
        "i\u{307}",
        "\u{fb01}",
        "fi",
        "1",
        "01",
        "1.0",
        "\u{661}",
    ];
    let store = Store::new("document viewer: [user]", alike.map(|id| format!("document:{id}#viewer@user:{id}")));
    assert_eq!(store.tuples.len(), alike.len());
    for one in alike {
        for other in alike {
            let expected = if one == other { Allow } else { Deny };
            assert_eq!(store.check(&format!("user:{one} viewer document:{other}")), expected, "{one:?} {other:?}");
        }
        assert_eq!(store.objects(&format!("user:{one} viewer document")).unwrap(), [one]);
    }
    // White space at an end is no part of an id, nor is it taken away.
    for id in ["alice ", " alice", "alice\t", "alice\u{a0}", "alice\u{3000}", "alice\n"] {
        let text = format!("document:1#viewer@user:{id}");
        assert!(crate::relation::TupleKey::parse(&text).is_err(), "{text:?}");
    }
    assert_eq!(tuple("document:1#viewer@user:alic\u{e9}").key.subject.object.id, "alic\u{e9}");
}
