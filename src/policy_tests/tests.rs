//! Whole suites: what they say when they pass, fail, or cannot be read; what catches a changed policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use authx_engine::{CompileOptions, Conditions, Data, Limits, Release, Settings, Snapshot, Sources, split_policies};
use serde_json::Value;

use super::*;

const POLICIES: &str = r#"
@id("owners-edit") permit (principal, action == Action::"edit", resource) when { resource.owner == principal };
@id("staff-read") permit (principal in Group::"staff", action == Action::"read", resource);
@id("frozen") forbid (principal, action == Action::"edit", resource) when { resource has frozen && resource.frozen };
@id("shared") permit (principal == ?principal, action == Action::"read", resource == ?resource);
permit (principal, action == Action::"list", resource) when { resource.size > 10 };
"#;

const NAMES: &str = "
principals:
  ann: { uid: User:ann, parents: [Group:staff] }
  bob: User:bob
resources:
  lamp: { uid: Item:lamp, attrs: { owner: { __entity: { type: User, id: bob } } } }
contexts:
  night: { hour: 23 }
";

fn base() -> Snapshot {
    let policies = split_policies(Some("shop.cedar"), POLICIES);
    let sources = Sources { schema: None, model: None, policies: &policies };
    let release = Release::compile("r", sources, &CompileOptions::default(), None).unwrap().release;
    Snapshot::new(Some(Arc::new(release)), Arc::new(Data::default()), Settings::default(), 0)
}

fn ground(filter: &str) -> Ground {
    Ground { base: base(), filter: filter.to_owned(), now: 0, limits: Limits::default() }
}

fn problems(found: &[Problem]) -> String {
    let line = |problem: &Problem| {
        let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {}{hint}", problem.line.unwrap_or_default(), problem.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a suite says, a line for each question that did not pass; else that all passed.
fn said(tests: &str) -> String {
    let text = format!("{NAMES}{tests}");
    let suite = match read(&text, "x_test.yaml") {
        Ok(suite) => suite,
        Err(found) => return problems(&found),
    };
    let (results, _) = match Prepared::new(suite, ground("")) {
        Ok(prepared) => prepared.run(None, 2, &mut 100),
        Err(found) => return problems(&found),
    };
    let mut lines = Vec::new();
    for result in &results {
        lines.extend(result.refused.clone());
        for case in result.cases.iter().filter(|case| !case.passed()) {
            lines.push(format!("{}: {}", case.name, case.differences.join("; ")));
        }
    }
    let asked: usize = results.iter().map(|result| result.cases.len()).sum();
    if lines.is_empty() { format!("{asked} passed") } else { lines.join("\n") }
}

fn cases(cases: &str) -> String {
    said(&format!("tests:\n  - cases:\n      - {cases}\n"))
}

#[test]
fn cases_pass_or_say_what_differs() {
    for (case, expected) in [
        ("{principal: bob, action: edit, resource: lamp, expect: allow, policies: owners-edit}", "1 passed"),
        ("{principal: ann, action: read, resource: lamp, expect: allow}", "1 passed"),
        ("{principal: 'User:eve', action: read, resource: lamp, expect: deny, policies: []}", "1 passed"),
        (
            "{principal: ann, action: edit, resource: lamp, expect: allow, name: hers}",
            "hers: ann edit lamp: expected allow, got deny",
        ),
        (
            "{principal: bob, action: edit, resource: lamp, expect: allow, policies: [staff-read, owners-edit]}",
            "bob edit lamp: expected by `owners-edit`, `staff-read`, got by `owners-edit`",
        ),
        (
            "{principal: bob, action: edit, resource: lamp, expect: deny, policies: frozen, entities: [{uid: Item:lamp, attrs: {frozen: true}}]}",
            "1 passed",
        ),
        // A policy that fails is told, unless it is expected.
        (
            "{principal: bob, action: edit, resource: 'Item:vase', expect: deny}",
            "bob edit Item:vase: `owners-edit` failed: entity `Item::\"vase\"` does not exist",
        ),
        ("{principal: bob, action: edit, resource: 'Item:vase', expect: deny, errors: owners-edit}", "1 passed"),
        (
            "{principal: bob, action: edit, resource: lamp, expect: allow, errors: [frozen]}",
            "bob edit lamp: expected `frozen` to fail, it did not",
        ),
        (
            "{principal: bob, action: edit, resource: lamp, expect: error}",
            "bob edit lamp: expected no decision, got allow",
        ),
        (
            "{principal: bob, action: edit, resource: lamp, expect: allow, warnings: [strange]}",
            "bob edit lamp: expected a warning with `strange`",
        ),
        ("{principal: bob, action: edit, resource: lamp, expect: allow, context: night}", "1 passed"),
    ] {
        assert_eq!(cases(case), expected, "{case}");
    }
}

#[test]
fn a_matrix_denies_what_it_does_not_allow() {
    let matrix = |rest: &str| {
        said(&format!("tests:\n  - principals: [ann, bob]\n    actions: [read, edit]\n    resources: lamp\n{rest}"))
    };
    for (rest, expected) in [
        ("    allow: { ann: read, bob: edit }\n", "4 passed"),
        ("    allow: { ann: read, bob: { lamp: [edit] } }\n", "4 passed"),
        ("    allow: { ann: read }\n", "bob edit lamp: expected deny, got allow"),
        ("    allow: { ann: all, bob: edit }\n", "ann edit lamp: expected allow, got deny"),
        ("    expect: deny\n", "ann read lamp: expected deny, got allow\nbob edit lamp: expected deny, got allow"),
        ("    allow: { cy: read }\n", "13: `cy` is none of the test's principals (they are ann, bob)"),
        ("    allow: { ann: raed }\n", "13: `raed` is none of the test's actions (they are read, edit)"),
        (
            "",
            "10: the matrix says nothing of its answers (`allow` says who may do what, and all else is denied; `expect` is for all)",
        ),
        ("    allow: {}\n    expect: deny\n", "14: a matrix has `allow` or `expect`, not both"),
    ] {
        assert_eq!(matrix(rest), expected, "{rest}");
    }
}

#[test]
fn fixtures_are_laid_as_a_store_takes_them() {
    let ask = "    cases: [{principal: bob, action: read, resource: lamp, expect: allow, policies: l1}]\n";
    for (fixtures, expected) in [
        ("links: [{id: l1, template: shared, principal: bob, resource: lamp}]", "1 passed"),
        (
            "links: [{id: l1, template: shard, principal: bob, resource: lamp}]",
            "x_test.yaml:10: there is no template `shard`",
        ),
        (
            "links: [{id: l1, template: shared, principal: bob}]",
            "x_test.yaml:10: the template's slot `?resource` needs a value",
        ),
        (
            "tuples: ['item:lamp#viewer@user:bob']",
            "x_test.yaml:10: the store has no relation model: expected `schemas/<store>.fga`",
        ),
        ("tuples: ['item:lamp']", "10: no tuple: `item:lamp` is no tuple: write `type:id#relation@subject`"),
        ("entities: [{attrs: {}}]", "10: `uid` is missing"),
        ("now: yesterday", "10: `now` is `yesterday`, expected a time such as `2026-11-21T08:30:00Z`"),
        ("datum: true", "10: `fixtures` has no field `datum` (did you mean `data`?)"),
    ] {
        let told = said(&format!("tests:\n  - fixtures: {{ {fixtures} }}\n{ask}"));
        assert_eq!(told, expected, "{fixtures}");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    for (text, expected) in [
        ("principals: {}\n", "1: `tests` is missing"),
        (
            "tests:\n  - name: nothing\n",
            "2: the test asks nothing (`cases` lists questions; `principals`, `actions` and `resources` make a matrix)",
        ),
        (
            "tests:\n  - cases:\n      - {principal: ann, action: read, resource: 'a:b', expect: allow}\n",
            "3: the file gives no entity the name `ann` (name it below `principals`, `resources` or `entities`, or write a reference such as `User:alice`)",
        ),
        (
            "principals: {anna: User:anna}\ntests:\n  - cases:\n      - {principal: anne, action: read, resource: 'a:b', expect: allow}\n",
            "4: the file gives no entity the name `anne` (did you mean `anna`?)",
        ),
        (
            "tests:\n  - cases:\n      - {principal: 'a:b', action: read, resource: 'a:b', expect: yes}\n",
            "3: the value is `yes`, expected one of `allow`, `deny`, `error`",
        ),
        (
            "tests:\n  - cases:\n      - {principal: 'a:b', action: read, resource: 'a:b', expect: deny, context: dark}\n",
            "3: the file gives no context the name `dark` (name it below `contexts`, or write a map)",
        ),
        ("principals: {a: 'U:a'}\nresources: {a: 'I:a'}\ntests: []\n", "2: `a` is the name of another entity too"),
        ("settings: {validation: strikt}\ntests: []\n", "1: the value is `strikt`, expected one of `strict`, `off`"),
    ] {
        assert_eq!(problems(&read(text, "x").unwrap_err()), expected, "{text}");
    }
}

#[test]
fn a_file_asks_a_bounded_number_of_questions() {
    let names = (0..400).map(|at| format!("'U:{at}'")).collect::<Vec<_>>().join(",");
    let actions = (0..400).map(|at| format!("a{at}")).collect::<Vec<_>>().join(",");
    let test = format!("  - {{principals: [{names}], actions: [{actions}], resources: 'I:a', expect: deny}}\n");
    assert_eq!(
        problems(&read(&format!("tests:\n{test}"), "x").unwrap_err()),
        "2: the file asks more than 100000 questions"
    );
}

#[test]
fn cedars_own_tests_are_read() {
    let suite = |decision: &str, reason: &str, more: &str| {
        let text = format!(
            r#"[{{"name": "n", "request": {{"principal": "User::\"bob\"", "action": "Action::\"list\"", "resource": "Item::\"lamp\"", "context": {{}}}},
              "entities": [{{"uid": {{"type": "Item", "id": "lamp"}}, "attrs": {{"size": 11}}, "parents": []}}], "decision": "{decision}", "reason": [{reason}]{more}}}]"#
        );
        let prepared = Prepared::new(read(&text, "t.json").unwrap(), ground("")).unwrap();
        prepared.run(None, 1, &mut 100).0.remove(0).cases.remove(0).differences.join("; ")
    };
    assert_eq!(suite("allow", r#""policy4""#, r#", "num_errors": 0"#), "");
    assert_eq!(
        suite("deny", "", ""),
        "expected deny, got allow; expected by no policy, got by `policy-2c9dbe1a6e88cca2`"
    );
    assert_eq!(suite("allow", r#""policy4""#, r#", "num_errors": 1"#), "expected 1 policies to fail, 0 failed");
}

#[test]
fn the_filter_leaves_tests_or_single_questions() {
    let text = format!(
        "{NAMES}tests:\n  - {{name: one, cases: [{{principal: bob, action: edit, resource: lamp, expect: allow}}, {{principal: ann, action: read, resource: lamp, expect: allow}}]}}\n  - {{name: two, cases: [{{principal: ann, action: read, resource: lamp, expect: allow}}]}}\n"
    );
    for (filter, expected) in [("", 3), ("one", 2), ("ann", 2), ("two", 1), ("none", 0)] {
        let prepared = Prepared::new(read(&text, "x").unwrap(), ground(filter)).unwrap();
        assert_eq!(prepared.len(), expected, "{filter}");
    }
}

#[test]
fn coverage_tells_what_no_question_made_true_or_false() {
    let text = format!(
        "{NAMES}tests:\n  - cases:\n      - {{principal: bob, action: edit, resource: lamp, expect: allow}}\n      - {{principal: ann, action: edit, resource: lamp, expect: deny}}\n      - {{principal: ann, action: read, resource: lamp, expect: allow}}\n"
    );
    let ground = ground("");
    let conditions = Conditions::of(ground.base.release().unwrap()).unwrap();
    for threads in [1, 2, 5] {
        let prepared = Prepared::new(read(&text, "x").unwrap(), ground.clone()).unwrap();
        let (_, coverage) = prepared.run(Some(&conditions), threads, &mut 100);
        let told: Vec<String> = coverage
            .of(&conditions)
            .iter()
            .map(|policy| {
                let conjuncts = policy.conjuncts.iter().map(|part| format!(" {}:{}", part.was_true, part.was_false));
                format!("{} {}/{}{}", policy.policy, policy.applied, policy.not_applied, conjuncts.collect::<String>())
            })
            .collect();
        let expected = [
            "frozen false/true false:true false:false",
            "owners-edit true/true true:true",
            "policy-2c9dbe1a6e88cca2 false/true false:false",
            "shared false/true",
            "staff-read true/true",
        ];
        assert_eq!(told, expected);
    }
}

/// The fields of each object of the schema are those that the reader knows, which it lists when it meets another.
#[test]
fn the_schema_knows_the_fields_that_the_reader_knows() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let properties =
        |object: &Value| -> BTreeSet<String> { object["properties"].as_object().unwrap().keys().cloned().collect() };
    let of = |name: &str| properties(&schema["$defs"][name]);
    for (text, known) in [
        ("qqqqqqqqqqqq: 1\n", properties(&schema)),
        ("settings: {qqqqqqqqqqqq: 1}\ntests: []\n", of("settings")),
        ("fixtures: {qqqqqqqqqqqq: 1}\ntests: []\n", of("fixtures")),
        ("fixtures: {entities: [{uid: 'a:b', qqqqqqqqqqqq: 1}]}\ntests: []\n", of("entity")),
        ("fixtures: {links: [{id: a, template: b, qqqqqqqqqqqq: 1}]}\ntests: []\n", of("link")),
        (
            "tests: [{cases: [{principal: 'a:b', action: a, resource: 'a:b', expect: deny}], qqqqqqqqqqqq: 1}]\n",
            of("test"),
        ),
        (
            "tests: [{cases: [{principal: 'a:b', action: a, resource: 'a:b', expect: deny, qqqqqqqqqqqq: 1}]}]\n",
            of("case"),
        ),
        (
            "fixtures: {tuples: [{object: 'a:b', relation: a, subject: 'a:b', qqqqqqqqqqqq: 1}]}\ntests: []\n",
            properties(&schema["$defs"]["tuple"]["anyOf"][1]),
        ),
    ] {
        let found = read(text, "x").unwrap_err();
        let hint = found.iter().find_map(|problem| problem.hint.as_ref()).unwrap();
        let listed: BTreeSet<String> = hint.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(listed, known, "{text}");
    }
}

#[test]
fn what_is_told_of_failures_is_bounded() {
    let one =
        |at: usize| format!("@id(\"p{at:02}\") permit (principal, action, resource) when {{ context.hour > {at} }};\n");
    let many = (0..30).map(one).collect::<Vec<_>>().concat();
    let policies = split_policies(None, &many);
    let sources = Sources { schema: None, model: None, policies: &policies };
    let release = Release::compile("r", sources, &CompileOptions::default(), None).unwrap().release;
    let base = Snapshot::new(Some(Arc::new(release)), Arc::new(Data::default()), Settings::default(), 0);
    let case =
        |context: &str| format!("{{principal: 'User:a', action: read, resource: 'Item:i', {context}policies: []}}");
    let all = case("context: {hour: 50}, expect: allow, ");
    let none = case("expect: deny, ");
    let text = format!("tests:\n  - cases: [{all}, {none}]\n  - cases: [{all}, {none}]\n");
    for (room, left, explained) in [(100, 96, 4), (3, 0, 3), (0, 0, 0)] {
        let suite = read(&text, "x_test.yaml").unwrap();
        let ground = Ground { base: base.clone(), ..ground("") };
        let mut room = room;
        let (results, _) = Prepared::new(suite, ground).unwrap().run(None, 2, &mut room);
        let cases: Vec<_> = results.iter().flat_map(|result| &result.cases).collect();
        let told: Vec<bool> = cases.iter().map(|case| case.explanation.is_some()).collect();
        assert_eq!((room, told), (left, (0..4).map(|at| at < explained).collect()));
        let first = &cases[0].differences[0];
        assert!(
            first.starts_with("expected by no policy, got by `p00`, ") && first.ends_with("`p09` and 20 more"),
            "{first}"
        );
        let failed = &cases[1].differences;
        assert!(
            failed.len() == 11 && failed[0].starts_with("`p00` failed: ") && failed[10] == "and 20 more",
            "{failed:?}"
        );
        assert!(failed.iter().all(|line| line.chars().count() <= 501), "{failed:?}");
    }
}
